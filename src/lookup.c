/*
 * lookup.c - one user's stored vector and one user's present rows, by queries prepared once a session.
 *
 * The queries run as the caller, with the caller's snapshot, privileges and row security.  A plan is
 * kept under its text, so renaming a table or changing a column makes another plan, never a wrong
 * one; PostgreSQL itself revalidates what it kept.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "lookup.h"

/* More plans than this are dropped all together: a session of thousands of models is no use for them. */
#define KEPT_PLANS 256

/* A kept plan; the key is a hash of the text and the parameters' types. */
typedef struct KeptPlan
{
	uint64		key;
	char	   *sql;
	SPIPlanPtr	plan;
} KeptPlan;

static HTAB *plans = NULL;

static void
ForgetPlans(void)
{
	HASH_SEQ_STATUS status;
	KeptPlan   *entry;

	hash_seq_init(&status, plans);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		if (entry->plan)
			SPI_freeplan(entry->plan);
		if (entry->sql)
			pfree(entry->sql);
	}
	hash_destroy(plans);
	plans = NULL;
}

/* The plan of a query, prepared at its first use in the session; SPI is connected. */
static SPIPlanPtr
Prepared(const char *sql, int nargs, Oid *types)
{
	uint64		key = hash_bytes_extended((const unsigned char *) sql, strlen(sql), types[nargs - 1]);
	KeptPlan   *entry;
	bool		found;

	if (plans && hash_get_num_entries(plans) >= KEPT_PLANS)
		ForgetPlans();
	if (plans == NULL)
	{
		HASHCTL		control = {0};

		control.keysize = sizeof(uint64);
		control.entrysize = sizeof(KeptPlan);
		plans = hash_create("mfrec plans", 16, &control, HASH_ELEM | HASH_BLOBS);
	}
	entry = hash_search(plans, &key, HASH_ENTER, &found);
	if (!found)
	{
		entry->sql = NULL;
		entry->plan = NULL;
	}
	if (entry->plan && strcmp(entry->sql, sql) == 0)
		return entry->plan;
	if (entry->plan)
		SPI_freeplan(entry->plan);
	entry->plan = NULL;
	entry->sql = MemoryContextStrdup(TopMemoryContext, sql);
	entry->plan = SPI_prepare(sql, nargs, types);
	if (entry->plan == NULL || SPI_keepplan(entry->plan) != 0)
		elog(ERROR, "could not prepare: %s", sql);
	return entry->plan;
}

static char *
RelationSql(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

/*
 * Reads a row of a model table: its factors (d floats into vector), bias and number of ratings.
 * False when there is none.
 */
bool
LookupVector(Oid relid, const char *id_column, int32 version, const IdType *idtype, int64 id, int factors,
			 float *vector, float *bias, int32 *count)
{
	Oid			types[2] = {INT4OID, IdParameterType(idtype)};
	Datum		values[2] = {Int32GetDatum(version), IdToParameter(idtype, id)};
	StringInfoData sql;
	bool		found;

	initStringInfo(&sql);
	appendStringInfoString(&sql, "SELECT factors, bias, ratings FROM ");
	appendStringInfo(&sql, "%s WHERE version OPERATOR(pg_catalog.=) $1 AND %s %s $2",
					 RelationSql(relid), id_column, IdEqualitySql(idtype));
	SPI_connect();
	if (SPI_execute_plan(Prepared(sql.data, 2, types), values, NULL, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look up a vector");
	found = SPI_processed > 0;
	if (found)
	{
		bool		isnull;
		ArrayType  *array = DatumGetArrayTypeP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));

		if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] != factors || ARR_HASNULL(array))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_CORRUPTED),
					 errmsg("the vector of %s in \"%s\" does not have %d factors", IdToText(idtype, id),
							get_rel_name(relid), factors),
					 errhint("A model table was edited by hand; retrain the model.")));
		memcpy(vector, ARR_DATA_PTR(array), sizeof(float) * factors);
		*bias = DatumGetFloat4(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
		*count = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 3, &isnull));
	}
	SPI_finish();
	return found;
}

/* The relation and columns that a model is trained on; an error when the relation has gone. */
void
OpenModelSource(const Model *model, bool has_rating, Source *source)
{
	TrainOptions options;

	TrainOptionsFromJson(&options, model->parameters);
	options.feedback = has_rating ? FEEDBACK_EXPLICIT : FEEDBACK_IMPLICIT;
	OpenSource(source, ModelSourceRelation(model), &options);
}

/* Runs a prepared lookup with one parameter; SPI stays connected. */
static void
RunLookup(const char *sql, const IdType *idtype, int64 id)
{
	Oid			types[1] = {IdParameterType(idtype)};
	Datum		values[1] = {IdToParameter(idtype, id)};

	SPI_connect();
	if (SPI_execute_plan(Prepared(sql, 1, types), values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look up rows");
}

/* The id in a column of the current result, copied to the caller's memory context. */
static int64
ResultId(const IdType *idtype, uint64 row, int column, MemoryContext context)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column, &isnull);
	MemoryContext old = MemoryContextSwitchTo(context);
	int64		id = 0;

	(void) IdFromDatum(idtype, value, idtype->base, &id);
	if (!idtype->is_int && !idtype->typbyval)
		id = (int64) datumCopy((Datum) id, false, idtype->typlen);
	MemoryContextSwitchTo(old);
	return id;
}

/* A user's present rows in the source that training would use; rows it would refuse are left out. */
PresentRow *
LookupUserRows(const Source *source, int64 user, int *count)
{
	MemoryContext context = CurrentMemoryContext;
	PresentRow *rows;

	RunLookup(SourceLookupSql(source), &source->user, user);
	rows = MemoryContextAllocHuge(context, sizeof(PresentRow) * Max(SPI_processed, 1));
	*count = 0;
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[4];
		bool		nulls[4];
		PresentRow *row = &rows[*count];

		CHECK_FOR_INTERRUPTS();
		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
		if (RatingFromRow(source, values, nulls, SPI_tuptable->tupdesc->natts, &row->rating, &row->weight) != RATING_OK)
			continue;
		row->id = ResultId(&source->item, i, 2, context);
		(*count)++;
	}
	SPI_finish();
	return rows;
}

/* The users who have rows with an item in the source. */
int64 *
LookupItemUsers(const Source *source, int64 item, int *count)
{
	MemoryContext context = CurrentMemoryContext;
	int64	   *users;

	RunLookup(SourceReverseLookupSql(source), &source->item, item);
	users = MemoryContextAllocHuge(context, sizeof(int64) * Max(SPI_processed, 1));
	*count = 0;
	for (uint64 i = 0; i < SPI_processed; i++)
		if (!heap_attisnull(SPI_tuptable->vals[i], 1, SPI_tuptable->tupdesc))
			users[(*count)++] = ResultId(&source->user, i, 1, context);
	SPI_finish();
	return users;
}
