/*
 * srf.c - result rows of functions.
 *
 * A recommendation takes microseconds, less than asking the catalogs what its rows look like.  So
 * descriptors of lists are kept for the session; they depend on nothing but the shape and the type of ids.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/tuplestore.h"

#include "compat.h"
#include "sql/srf.h"

#define KEPT_DESCRIPTORS 16

/* Beside the server's, in allowedModes: the call's resultinfo is a RowSink. */
#define SFRM_SINK 0x4000

/* Room for rows that a sink begins with. */
#define SINK_ROWS 16

/* The columns after the id, as the script declares them; their names there may be others. */
typedef struct RowColumns
{
	int			count;
	struct
	{
		const char *name;
		Oid			type;
	}			column[MAX_ROW_COLUMNS - 1];
} RowColumns;

static const RowColumns shapes[ROW_SHAPES] = {
	[ROWS_RECOMMENDED] = {4, {{"score", FLOAT4OID}, {"rank", INT4OID}, {"predicted_rating", FLOAT4OID}, {"reason", TEXTOID}}},
	[ROWS_RANKED] = {2, {{"score", FLOAT4OID}, {"rank", INT4OID}}},
	[ROWS_COUNTED] = {2, {{"ratings", INT8OID}, {"rank", INT4OID}}},
	[ROWS_EXPLAINED] = {1, {{"contribution", FLOAT4OID}}},
	[ROWS_OF_FEATURES] = {1, {{"contribution", FLOAT8OID}}},
};

/* Descriptors so far, in TopMemoryContext. */
static struct
{
	RowShape	shape;
	Oid			id_type;
	TupleDesc	desc;
}			kept[KEPT_DESCRIPTORS];
static int	nkept = 0;

/* Makes a descriptor in the current memory context. */
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

/*
 * The descriptor of a shape; one with a type that may be dropped, or for which there is no place left, is not
 * kept.
 */
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

	/* the executor frees a descriptor without a reference count */
	desc->tdrefcount = 1;
	kept[nkept].shape = shape;
	kept[nkept].id_type = id_type;
	kept[nkept++].desc = desc;
	return desc;
}

/* Whether a result has the columns of a shape, whatever the type of its ids. */
bool
RowsHaveColumns(RowShape shape, TupleDesc desc)
{
	const RowColumns *columns = &shapes[shape];

	if (desc->natts != columns->count + 1)
		return false;
	for (int i = 0; i < columns->count; i++)
		if (TupleDescAttr(desc, i + 1)->atttypid != columns->column[i].type)
			return false;
	return true;
}

/* Makes the resultinfo of calls of which rows of this shape are expected, with ids of that type. */
void
StartSink(RowSink *sink, ExprContext *econtext, RowShape shape, Oid id_type)
{
	sink->info.type = T_ReturnSetInfo;
	sink->info.econtext = econtext;
	sink->info.expectedDesc = RowDescriptor(shape, id_type);
	sink->info.allowedModes = SFRM_Materialize | SFRM_SINK;
}

/* Forgets the rows of a call, whose memory has gone. */
void
ClearSink(RowSink *sink)
{
	sink->row = NULL;
	sink->count = sink->room = 0;
}

/* The sink of a call, NULL where rows go into a tuplestore. */
static RowSink *
SinkOf(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	return rsinfo->allowedModes & SFRM_SINK ? (RowSink *) rsinfo : NULL;
}

/* Whether anybody looks at a column, from 0, of the rows of a call: what is not wanted may be null. */
bool
WantsColumn(FunctionCallInfo fcinfo, int column)
{
	const RowSink *sink = SinkOf(fcinfo);

	return sink == NULL || sink->wanted[column];
}

/* A new row of a sink, with no column set. */
static SinkRow *
AddSinkRow(RowSink *sink)
{
	SinkRow    *row;

	if (sink->count == sink->room)
	{
		sink->room = Max(2 * sink->room, SINK_ROWS);
		sink->row = sink->row == NULL ? palloc(sizeof(SinkRow) * sink->room) :
			repalloc_huge(sink->row, sizeof(SinkRow) * sink->room);
	}
	row = &sink->row[sink->count++];
	memset(row->nulls, 0, sizeof(row->nulls));
	return row;
}

/*
 * Prepares the result of a call that returns a list: an empty set of rows of this shape, to which PutRow adds,
 * with ids of this type.  An error where the call cannot take a set, or the type is not known.
 */
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
	if (SinkOf(fcinfo))
	{
		rsinfo->setDesc = RowDescriptor(shape, id_type);
		return;
	}
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setDesc = RowDescriptor(shape, id_type);
	rsinfo->setResult = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0, false, work_mem);
	MemoryContextSwitchTo(old);
}

/* Adds a row to the result of BeginRows or InitMaterializedSRF. */
void
PutRow(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * The same of a call with a sink.  An id is copied that lies in the image, which may be unmapped before the row is
 * looked at.
 */
static void
PutSinkRow(RowSink *sink, const IdType *idtype, int64 id, int i, FillRow fill, const void *state)
{
	SinkRow    *row = AddSinkRow(sink);
	Form_pg_attribute column = TupleDescAttr(sink->info.setDesc, 0);

	if (sink->wanted[0])
	{
		row->values[0] = IdToOutput(idtype, id, column->atttypid);
		if (!column->attbyval)
			row->values[0] = datumCopy(row->values[0], false, column->attlen);
	}
	fill(state, i, row->values, row->nulls);
}

/* Adds a row of a list to the call's result. */
static void
PutListRow(FunctionCallInfo fcinfo, const IdType *idtype, int64 id, int i, FillRow fill, const void *state)
{
	TupleDesc	desc = ((ReturnSetInfo *) fcinfo->resultinfo)->setDesc;
	Datum		values[MAX_ROW_COLUMNS];
	bool		nulls[MAX_ROW_COLUMNS] = {false};

	if (SinkOf(fcinfo))
	{
		PutSinkRow(SinkOf(fcinfo), idtype, id, i, fill, state);
		return;
	}
	values[0] = IdToOutput(idtype, id, TupleDescAttr(desc, 0)->atttypid);
	fill(state, i, values, nulls);
	PutRow(fcinfo, values, nulls);
}

/* Adds a row for each of a list's ids, in order. */
void
PutIdList(FunctionCallInfo fcinfo, const IdType *idtype, const int64 *ids, int count, FillRow fill, const void *state)
{
	for (int i = 0; i < count; i++)
		PutListRow(fcinfo, idtype, ids[i], i, fill, state);
}

/* The same for items, which are known by their numbers in an image. */
void
PutItemList(FunctionCallInfo fcinfo, const Image *image, const int32 *items, int count, FillRow fill, const void *state)
{
	for (int i = 0; i < count; i++)
		PutListRow(fcinfo, &image->item_type, IdAt(&image->ids, items[i]), i, fill, state);
}

/* Score and rank of ROWS_RANKED; a FillRow of a list's scores, one float each. */
void
FillRanked(const void *scores, int i, Datum *values, bool *nulls)
{
	(void) nulls;
	values[1] = Float4GetDatum(((const float *) scores)[i]);
	values[2] = Int32GetDatum(i + 1);
}

/* The row of a function that returns one, as the call declares it. */
Datum
ResultRow(FunctionCallInfo fcinfo, Datum *values, bool *nulls)
{
	TupleDesc	desc;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}
