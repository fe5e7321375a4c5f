/*
 * srf.c - result rows of set-returning functions.
 *
 * A recommendation takes microseconds, less than asking the catalogs what its rows look like.  So
 * descriptors of result rows are kept for the session; they depend on nothing but the shape and the
 * type of ids.
 */
#include "postgres.h"

#include "access/transam.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "sql/srf.h"

#define KEPT_DESCRIPTORS 16

/* The columns after the id. */
typedef struct RowColumns
{
	int			count;
	struct
	{
		const char *name;
		Oid			type;
	}			column[4];
} RowColumns;

static const RowColumns shapes[ROW_SHAPES] = {
	{4, {{"score", FLOAT4OID}, {"rank", INT4OID}, {"predicted_rating", FLOAT4OID}, {"reason", TEXTOID}}},
	{2, {{"score", FLOAT4OID}, {"rank", INT4OID}}},
	{2, {{"ratings", INT8OID}, {"rank", INT4OID}}},
	{1, {{"contribution", FLOAT4OID}}},
};

static struct
{
	RowShape	shape;
	Oid			id_type;
	TupleDesc	desc;
}			kept[KEPT_DESCRIPTORS];
static int	nkept = 0;

static TupleDesc
MakeDescriptor(RowShape shape, Oid id_type)
{
	const RowColumns *columns = &shapes[shape];
	TupleDesc	desc = CreateTemplateTupleDesc(columns->count + 1);

	TupleDescInitEntry(desc, 1, "id", id_type, -1, 0);
	for (int i = 0; i < columns->count; i++)
		TupleDescInitEntry(desc, i + 2, columns->column[i].name, columns->column[i].type, -1, 0);
	TupleDescFinalize(desc);
	return desc;
}

/* The descriptor of a shape; types that somebody may drop are looked at each time. */
static TupleDesc
RowDescriptor(RowShape shape, Oid id_type)
{
	MemoryContext old;
	TupleDesc	desc;

	for (int i = 0; i < nkept; i++)
		if (kept[i].shape == shape && kept[i].id_type == id_type)
			return kept[i].desc;
	if (nkept == KEPT_DESCRIPTORS || id_type >= FirstNormalObjectId)
		return MakeDescriptor(shape, id_type);
	old = MemoryContextSwitchTo(TopMemoryContext);
	desc = MakeDescriptor(shape, id_type);
	MemoryContextSwitchTo(old);

	/* the executor frees a descriptor that nobody counts */
	desc->tdrefcount = 1;
	kept[nkept].shape = shape;
	kept[nkept].id_type = id_type;
	kept[nkept++].desc = desc;
	return desc;
}

/* Prepares the call's result: an empty set of rows, to which PutRow adds. */
void
BeginRows(FunctionCallInfo fcinfo, RowShape shape, Oid id_type)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) || !(rsinfo->allowedModes & SFRM_Materialize))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set")));
	if (!OidIsValid(id_type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("could not determine the type of ids to return")));
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setDesc = RowDescriptor(shape, id_type);
	rsinfo->setResult = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	MemoryContextSwitchTo(old);
}

/* Adds a row to the call's result. */
void
PutRow(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* Adds a row of ROWS_RANKED. */
void
PutRankedRow(FunctionCallInfo fcinfo, Datum id, float score, int rank)
{
	Datum		values[3] = {id, Float4GetDatum(score), Int32GetDatum(rank)};
	bool		nulls[3] = {false};

	PutRow(fcinfo, values, nulls);
}

/* The type in which ids are to be returned. */
Oid
IdRowType(FunctionCallInfo fcinfo)
{
	return TupleDescAttr(((ReturnSetInfo *) fcinfo->resultinfo)->setDesc, 0)->atttypid;
}
