/*
 * model_write.c - the bookkeeping is written: models and versions entered and removed, and the switch between them.
 *
 * Statements go as the role that model_acl.c says, after the caller's own right has been checked.  The row of
 * mfrec.model is what a reader looks at first, so whatever a session must notice writes that row, too.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"
#include "model/model_acl.h"
#include "model/model_write.h"
#include "pg/citus.h"
#include "pg/snapshot.h"

/* Our class among advisory locks, far from the 1 and 2 that SQL's functions use. */
#define MODEL_LOCK_CLASS 0x6d66

/*
 * LockModel() between nodes: writes the model's row.  An error where this session then does not see that: Citus writes
 * to this node's copy through another session, for it was told to, or has used that before in this transaction.
 */
static void
LockModelRow(const char *name)
{
	Model	   *model;

	OwnerSqlForModel("UPDATE mfrec.model SET version = version WHERE name OPERATOR(pg_catalog.=) $1",
					 name, InvalidOid, (Datum) 0);
	PushBookkeepingSnapshot();
	model = FindModel(name);
	PopBookkeepingSnapshot();
	if (model && !TransactionIdIsCurrentTransactionId(model->xmin))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot change model \"%s\" in this transaction", name),
				 errdetail("Citus writes to this node's own tables through another session, whose changes this one does not see."),
				 errhint("Change models in transactions of their own, with citus.enable_local_execution on.")));
}

/*
 * Waits until no other transaction trains, rolls back or drops the model, and keeps others from it
 * until the end of this one.  Readers never take this lock.  An advisory lock is of one node: where all nodes share the
 * bookkeeping the model's row is locked, too, and new models are made on one node alone.
 */
void
LockModel(const char *name)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0,
						 DatumGetUInt32(hash_any((const unsigned char *) name, strlen(name))),
						 MODEL_LOCK_CLASS);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
	if (!SharesBookkeeping())
		return;
	CheckMayWrite(name);
	UseOneSessionPerNode();
	LockModelRow(name);
}

/* A text parameter that may be null, and its place in SPI's string of nulls. */
static Datum
NullableText(const char *value, char *null)
{
	*null = value ? ' ' : 'n';
	return value ? CStringGetTextDatum(value) : (Datum) 0;
}

/* Whether there is a default model, in all that is committed by now. */
static bool
HasDefaultModel(void)
{
	bool		found;

	LockRelationOid(ModelRelation(), AccessShareLock);
	PushActiveSnapshot(GetLatestSnapshot());
	found = FindDefaultModel() != NULL;
	PopActiveSnapshot();
	UnlockRelationOid(ModelRelation(), AccessShareLock);
	return found;
}

/*
 * Enters a model that is not there yet.  It becomes the default one where it may and there is none; of two that are
 * first at the same time the later one finds that out here, not in an error.  Where there is one, it is not tried:
 * that would wait for the transaction that is training it.
 */
void
InsertModel(const Model *model)
{
	Oid			types[10] = {TEXTOID, BOOLOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	BOOLOID, JSONBOID};
	Datum		values[10];
	char		nulls[] = "          ";
	bool		isnull;

	values[0] = CStringGetTextDatum(model->name);
	values[1] = BoolGetDatum(model->is_default && !HasDefaultModel());
	values[2] = Int32GetDatum(model->version);
	values[3] = CStringGetTextDatum(model->schema);
	values[4] = CStringGetTextDatum(model->user_table);
	values[5] = CStringGetTextDatum(model->item_table);
	values[6] = NullableText(model->source_schema, &nulls[6]);
	values[7] = NullableText(model->source, &nulls[7]);
	values[8] = BoolGetDatum(model->fresh);
	values[9] = JsonbPGetDatum(model->parameters);
	for (int i = 0; i < 2; i++)
	{
		OwnerSql("INSERT INTO mfrec.model (name, is_default, version, schema, user_table, item_table,"
				 " source_schema, source, fresh, parameters)"
				 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
				 " ON CONFLICT (is_default) WHERE is_default DO NOTHING RETURNING version",
				 10, types, values, nulls, &isnull);
		if (!isnull)
			break;
		values[1] = BoolGetDatum(false);
	}
}

/* Points a model at its new version, source and tables, by its name: the switch that readers see at commit. */
void
UpdateModel(const Model *model)
{
	Oid			types[9] = {TEXTOID, INT4OID, TEXTOID, TEXTOID, BOOLOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[9];
	char		nulls[] = "         ";
	bool		isnull;

	values[0] = CStringGetTextDatum(model->name);
	values[1] = Int32GetDatum(model->version);
	values[2] = NullableText(model->source_schema, &nulls[2]);
	values[3] = NullableText(model->source, &nulls[3]);
	values[4] = BoolGetDatum(model->fresh);
	values[5] = JsonbPGetDatum(model->parameters);
	values[6] = CStringGetTextDatum(model->schema);
	values[7] = CStringGetTextDatum(model->user_table);
	values[8] = CStringGetTextDatum(model->item_table);
	OwnerSql("UPDATE mfrec.model SET version = $2, source_schema = $3, source = $4, fresh = $5,"
			 " parameters = $6, schema = $7, user_table = $8, item_table = $9 WHERE name OPERATOR(pg_catalog.=) $1",
			 9, types, values, nulls, &isnull);
}

/* Notes who owns a model, for when its tables have gone; bookkeeping that 0.1.0 made has no place for it. */
void
RecordOwner(const char *name, const char *owner)
{
	if (get_attnum(ModelRelation(), "owner") != InvalidAttrNumber)
		OwnerSqlForModel("UPDATE mfrec.model SET owner = $2 WHERE name OPERATOR(pg_catalog.=) $1",
						 name, TEXTOID, CStringGetTextDatum(owner));
}

/* Notes what the table of features is called, and that there is one; NULL where there is none. */
void
RecordFeatureTable(const char *name, const char *table)
{
	if (table)
		OwnerSqlForModel("UPDATE mfrec.model SET feature_table = $2 WHERE name OPERATOR(pg_catalog.=) $1",
						 name, TEXTOID, CStringGetTextDatum(table));
}

/* Enters one line of a version's training log; a loss or measure that is NaN as null. */
static void
InsertLogLine(const char *name, int32 version, const LogLine *line)
{
	Oid			types[6] = {TEXTOID, INT4OID, INT4OID, FLOAT8OID, FLOAT8OID, FLOAT8OID};
	Datum		values[6];
	char		nulls[] = "      ";
	bool		isnull;

	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(version);
	values[2] = Int32GetDatum(line->iteration);
	values[3] = Float8GetDatum(line->loss);
	values[4] = Float8GetDatum(line->validation);
	values[5] = Float8GetDatum(line->seconds);
	if (isnan(line->loss))
		nulls[3] = 'n';
	if (isnan(line->validation))
		nulls[4] = 'n';
	OwnerSql("INSERT INTO mfrec.training_log (model, version, iteration, loss, validation, seconds)"
			 " VALUES ($1, $2, $3, $4, $5, $6)", 6, types, values, nulls, &isnull);
}

/*
 * Notes how long each phase of a version's training took, a JSON object; bookkeeping that 0.1.0 made has no place for
 * it.
 */
static void
RecordPhaseSeconds(const char *name, int32 version, const char *json)
{
	Oid			types[3] = {TEXTOID, INT4OID, TEXTOID};
	Datum		values[3] = {CStringGetTextDatum(name), Int32GetDatum(version), CStringGetTextDatum(json)};
	bool		isnull;

	if (get_attnum(VersionRelation(), "phase_seconds") != InvalidAttrNumber)
		OwnerSql("UPDATE mfrec.model_version SET phase_seconds = $3::pg_catalog.jsonb"
				 " WHERE model OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) $2", 3, types, values, NULL, &isnull);
}

/* Enters a version and its training log; it was trained now, by the clock.  Numbers that are NaN become null. */
void
InsertVersion(const Model *model, const ModelVersion *version, const LogLine *log, int log_lines)
{
	Oid			types[15] = {TEXTOID, INT4OID, UUIDOID, TEXTOID, INT4OID, INT8OID, INT8OID, INT8OID,
	INT4OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, TEXTOID, FLOAT8OID, TEXTOID};
	Datum		values[15];
	char		nulls[] = "               ";
	bool		isnull;

	values[0] = CStringGetTextDatum(model->name);
	values[1] = Int32GetDatum(version->version);
	values[2] = UUIDPGetDatum(&version->image);
	values[3] = CStringGetTextDatum(version->feedback);
	values[4] = Int32GetDatum(version->factors);
	values[5] = Int64GetDatum(version->users);
	values[6] = Int64GetDatum(version->items);
	values[7] = Int64GetDatum(version->ratings);
	values[8] = Int32GetDatum(version->iterations);
	values[9] = Float8GetDatum(version->loss);
	values[10] = Float8GetDatum(version->rmse);
	values[11] = Float8GetDatum(version->seconds);
	values[12] = CStringGetTextDatum(version->parameters);
	values[13] = Float8GetDatum(version->read_until);
	nulls[13] = isfinite(version->read_until) ? ' ' : 'n';
	values[14] = CStringGetTextDatum(version->guard ? version->guard : "{}");
	nulls[9] = isnan(version->loss) ? 'n' : ' ';
	nulls[10] = isnan(version->rmse) ? 'n' : ' ';
	OwnerSql("INSERT INTO mfrec.model_version (model, version, image, feedback, factors, users, items,"
			 " ratings, iterations, loss, rmse, seconds, trained_at, parameters)"
			 " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12,"
			 " pg_catalog.clock_timestamp(), $13::pg_catalog.jsonb OPERATOR(pg_catalog.||)"
			 " pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('" READ_UNTIL "', $14))"
			 " OPERATOR(pg_catalog.||) $15::pg_catalog.jsonb)",
			 15, types, values, nulls, &isnull);
	RecordPhaseSeconds(model->name, version->version, version->phase_seconds);
	for (int i = 0; i < log_lines; i++)
		InsertLogLine(model->name, version->version, &log[i]);
}

/*
 * Takes note of why a version that has just been entered does not serve, and of what the model's row is to say once it
 * does: its arguments, which are those of `model`, and its source where that is another one.  A source that is the model's stays
 * so, whatever it is called by then.
 */
void
WithholdVersion(const Model *model, int32 version, const char *why)
{
	Oid			types[7] = {TEXTOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, BOOLOID, JSONBOID};
	Datum		values[7];
	char		nulls[] = "       ";
	bool		isnull;

	values[0] = CStringGetTextDatum(model->name);
	values[1] = Int32GetDatum(version);
	values[2] = CStringGetTextDatum(why);
	values[3] = NullableText(model->source_schema, &nulls[3]);
	values[4] = NullableText(model->source, &nulls[4]);
	values[5] = BoolGetDatum(model->fresh);
	values[6] = JsonbPGetDatum(model->parameters);
	OwnerSql("UPDATE mfrec.model_version v SET withheld = $3,"
			 " arguments = pg_catalog.jsonb_build_object('fresh', $6, 'parameters', $7) OPERATOR(pg_catalog.||)"
			 " CASE WHEN m.source_schema OPERATOR(pg_catalog.=) $4 AND m.source OPERATOR(pg_catalog.=) $5"
			 " THEN '{}'::pg_catalog.jsonb ELSE pg_catalog.jsonb_build_object('source_schema', $4, 'source', $5) END"
			 " FROM mfrec.model m WHERE m.name OPERATOR(pg_catalog.=) $1"
			 " AND v.model OPERATOR(pg_catalog.=) $1 AND v.version OPERATOR(pg_catalog.=) $2",
			 7, types, values, nulls, &isnull);
}

/* Whether versions can be withheld: the bookkeeping of 0.1.0 has no place for it. */
static bool
HasWithheld(void)
{
	return get_attnum(VersionRelation(), "withheld") != InvalidAttrNumber;
}

/* Has the model's row say what was withheld with a version, which now serves; nothing where that was not withheld. */
void
ReleaseVersion(const char *name, int32 version)
{
	if (!HasWithheld())
		return;
	OwnerSqlForModel("UPDATE mfrec.model m SET"
					 " source_schema = CASE WHEN pg_catalog.jsonb_exists(v.arguments, 'source')"
					 " THEN v.arguments OPERATOR(pg_catalog.->>) 'source_schema' ELSE m.source_schema END,"
					 " source = CASE WHEN pg_catalog.jsonb_exists(v.arguments, 'source')"
					 " THEN v.arguments OPERATOR(pg_catalog.->>) 'source' ELSE m.source END,"
					 " fresh = (v.arguments OPERATOR(pg_catalog.->>) 'fresh')::pg_catalog.bool,"
					 " parameters = v.arguments OPERATOR(pg_catalog.->) 'parameters'"
					 " FROM mfrec.model_version v WHERE m.name OPERATOR(pg_catalog.=) $1"
					 " AND v.model OPERATOR(pg_catalog.=) $1 AND v.version OPERATOR(pg_catalog.=) $2"
					 " AND v.arguments IS NOT NULL", name, INT4OID, Int32GetDatum(version));
	OwnerSqlForModel("UPDATE mfrec.model_version SET withheld = NULL, arguments = NULL"
					 " WHERE model OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) $2",
					 name, INT4OID, Int32GetDatum(version));
}

/* Removes the bookkeeping of versions older than `before`, but for one: 0, none. */
void
ForgetVersions(const char *name, int32 before, int32 except)
{
	Oid			types[3] = {TEXTOID, INT4OID, INT4OID};
	Datum		values[3] = {CStringGetTextDatum(name), Int32GetDatum(before), Int32GetDatum(except)};
	bool		isnull;

	OwnerSql("DELETE FROM mfrec.training_log WHERE model OPERATOR(pg_catalog.=) $1"
			 " AND version OPERATOR(pg_catalog.<) $2 AND version OPERATOR(pg_catalog.<>) $3",
			 3, types, values, NULL, &isnull);
	OwnerSql("DELETE FROM mfrec.model_version WHERE model OPERATOR(pg_catalog.=) $1"
			 " AND version OPERATOR(pg_catalog.<) $2 AND version OPERATOR(pg_catalog.<>) $3",
			 3, types, values, NULL, &isnull);
}

/* Removes all bookkeeping of a model. */
void
DeleteModel(const char *name)
{
	ForgetVersions(name, PG_INT32_MAX, 0);
	OwnerSqlForModel("DELETE FROM mfrec.model WHERE name OPERATOR(pg_catalog.=) $1", name, InvalidOid, (Datum) 0);
}

/*
 * To be called before the bookkeeping is read in order to be written: makes a snapshot active that sees it as it
 * is committed by now, and keeps other sessions from altering the tables until PopBookkeepingSnapshot.
 */
void
PushBookkeepingSnapshot(void)
{
	LockRelationOid(ModelRelation(), AccessShareLock);
	LockRelationOid(VersionRelation(), AccessShareLock);
	PushLatestSnapshot();
}

/* Ends what PushBookkeepingSnapshot began; an error does so, too. */
void
PopBookkeepingSnapshot(void)
{
	PopActiveSnapshot();
	UnlockRelationOid(VersionRelation(), AccessShareLock);
	UnlockRelationOid(ModelRelation(), AccessShareLock);
}

/* Waits until no other transaction chooses the default model; returns the current one, or NULL. */
Model *
LockDefaultModel(void)
{
	Model	   *model;

	LockModel("");				/* no model's name */
	PushBookkeepingSnapshot();
	model = FindDefaultModel();
	PopBookkeepingSnapshot();
	return model;
}

/* Makes a model the default one, and no other; the caller has locked the current one. */
void
SetDefaultModel(const char *name)
{
	OwnerSqlForModel("UPDATE mfrec.model SET is_default = false WHERE is_default"
					 " AND name OPERATOR(pg_catalog.<>) $1", name, InvalidOid, (Datum) 0);
	OwnerSqlForModel("UPDATE mfrec.model SET is_default = true WHERE name OPERATOR(pg_catalog.=) $1",
					 name, InvalidOid, (Datum) 0);
}

/* Takes note that versions, in a list of integers, have lost one user each. */
void
CountForgottenUser(const char *name, const List *versions)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(list_length(versions), 1));
	ArrayType  *array;

	for (int i = 0; i < list_length(versions); i++)
		elements[i] = Int32GetDatum(list_nth_int(versions, i));
	array = construct_array(elements, list_length(versions), INT4OID, sizeof(int32), true, TYPALIGN_INT);
	OwnerSqlForModel("UPDATE mfrec.model_version SET users = users OPERATOR(pg_catalog.-) 1"
					 " WHERE model OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) ANY ($2)"
					 " AND users OPERATOR(pg_catalog.>) 0", name, INT4ARRAYOID, PointerGetDatum(array));
}

/* Takes note of how many items a version has now, and below what their numbers are: see VersionItemNumbers(). */
void
SetVersionItems(const char *name, int32 version, int64 items, int64 numbers)
{
	Oid			types[4] = {TEXTOID, INT4OID, INT8OID, INT8OID};
	Datum		values[4] = {CStringGetTextDatum(name), Int32GetDatum(version), Int64GetDatum(items),
	Int64GetDatum(numbers)};
	bool		isnull;

	OwnerSql("UPDATE mfrec.model_version SET items = $3, parameters = parameters OPERATOR(pg_catalog.||)"
			 " pg_catalog.jsonb_build_object('" ITEM_NUMBERS "', $4)"
			 " WHERE model OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) $2",
			 4, types, values, NULL, &isnull);
}

/* Takes note of how many users more, or fewer, a version has now. */
void
AddVersionUsers(const char *name, int32 version, int64 more)
{
	Oid			types[3] = {TEXTOID, INT4OID, INT8OID};
	Datum		values[3] = {CStringGetTextDatum(name), Int32GetDatum(version), Int64GetDatum(more)};
	bool		isnull;

	OwnerSql("UPDATE mfrec.model_version SET users = users OPERATOR(pg_catalog.+) $3"
			 " WHERE model OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) $2",
			 3, types, values, NULL, &isnull);
}

/*
 * Takes note that the version that serves was updated, now by the clock: how many users and items it has, how many
 * ratings more (or less), below what its items' numbers are, and until when its source was read (READ_UNTIL; not
 * finite: as before).
 */
void
RecordUpdate(const Model *model, int64 users, int64 items, int64 more_ratings, int64 numbers, double read_until)
{
	Oid			types[8] = {TEXTOID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, FLOAT8OID, TIMESTAMPTZOID};
	Datum		values[8] = {CStringGetTextDatum(model->name), Int32GetDatum(model->version), Int64GetDatum(users),
		Int64GetDatum(items), Int64GetDatum(more_ratings), Int64GetDatum(numbers), Float8GetDatum(read_until),
	TimestampTzGetDatum(GetCurrentTimestamp())};
	const char *nulls = isfinite(read_until) ? "        " : "      n ";
	bool		isnull;

	OwnerSql("UPDATE mfrec.model_version SET users = $3, items = $4, ratings = ratings OPERATOR(pg_catalog.+) $5,"
			 " updated_at = $8, parameters = parameters OPERATOR(pg_catalog.||)"
			 " pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('" ITEM_NUMBERS "', $6, '" READ_UNTIL "', $7))"
			 " WHERE model OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) $2",
			 8, types, values, nulls, &isnull);
}

/* The same of a version that only its relations of attributes have brought something. */
void
RecordRenewal(const Model *model)
{
	Oid			types[3] = {TEXTOID, INT4OID, TIMESTAMPTZOID};
	Datum		values[3] = {CStringGetTextDatum(model->name), Int32GetDatum(model->version),
	TimestampTzGetDatum(GetCurrentTimestamp())};
	bool		isnull;

	OwnerSql("UPDATE mfrec.model_version SET updated_at = $3"
			 " WHERE model OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.=) $2",
			 3, types, values, NULL, &isnull);
}

/* A random identity, as gen_random_uuid() makes them. */
void
MakeVersionId(pg_uuid_t *id)
{
	if (!pg_strong_random(id, sizeof(pg_uuid_t)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	id->data[6] = (id->data[6] & 0x0f) | 0x40;
	id->data[8] = (id->data[8] & 0x3f) | 0x80;
}

/*
 * Gives a version of a model a new identity (0: gives one to each kept version), and writes the model's row, so that
 * what is cached is given up.  Identities are made of those before and of a random one: nodes that share the
 * bookkeeping each run the statement, and must come to the same.
 */
static void
RenewIdentities(const char *name, int32 version)
{
	pg_uuid_t	id;
	Oid			types[3] = {TEXTOID, INT4OID, UUIDOID};
	Datum		values[3] = {CStringGetTextDatum(name), Int32GetDatum(version), UUIDPGetDatum(&id)};
	bool		isnull;

	MakeVersionId(&id);
	OwnerSql("UPDATE mfrec.model_version SET image = pg_catalog.md5(image::pg_catalog.text"
			 " OPERATOR(pg_catalog.||) $3::pg_catalog.text)::pg_catalog.uuid"
			 " WHERE model OPERATOR(pg_catalog.=) $1 AND ($2 OPERATOR(pg_catalog.=) 0 OR version OPERATOR(pg_catalog.=) $2)",
			 3, types, values, NULL, &isnull);
	OwnerSqlForModel("UPDATE mfrec.model SET version = version WHERE name OPERATOR(pg_catalog.=) $1",
					 name, InvalidOid, (Datum) 0);
}

/* Gives a version of a model a new identity. */
void
RenewVersionImage(const char *name, int32 version)
{
	RenewIdentities(name, version);
}

/* The same for all kept versions. */
void
RenewVersionImages(const char *name)
{
	RenewIdentities(name, 0);
}

/* The highest version that a model has below a number, 0 for none; served: of those that were not withheld. */
static int32
HighestVersion(const char *name, int64 below, bool served)
{
	Oid			types[2] = {TEXTOID, INT8OID};
	Datum		values[2] = {CStringGetTextDatum(name), Int64GetDatum(below)};
	bool		isnull;
	char	   *sql = psprintf("SELECT pg_catalog.max(version) FROM mfrec.model_version"
							   " WHERE model OPERATOR(pg_catalog.=) $1 AND version OPERATOR(pg_catalog.<) $2%s",
							   served && HasWithheld() ? " AND withheld IS NULL" : "");
	Datum		highest = OwnerSql(sql, 2, types, values, NULL, &isnull);

	return isnull ? 0 : DatumGetInt32(highest);
}

/* The highest version that the model has, 0 for none: what the next one counts from. */
int32
LatestVersion(const char *name)
{
	return HighestVersion(name, PG_INT64_MAX, false);
}

/* The same of those that have served: the model's row has the source and the arguments of its training. */
int32
LatestServed(const char *name)
{
	return HighestVersion(name, PG_INT64_MAX, true);
}

/* The highest version below the current one that has served, 0 for none. */
int32
VersionBefore(const Model *model)
{
	return HighestVersion(model->name, model->version, true);
}
