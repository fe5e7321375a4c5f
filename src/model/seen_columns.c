/*
 * seen_columns.c - the columns with what users have, and what attributes make of them and of items, in older tables.
 *
 * Models of 0.1.0 have tables without them.  A training adds them, once, which keeps readers from the
 * tables until it commits; so it does that when it is about to store, does not wait long, and goes on without
 * where it cannot be: then lists leave out what users have by the source alone, as they did.  A table that
 * is published is left to its owner, for its subscribers must have the columns first.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "model/factor_table.h"
#include "model/seen_columns.h"
#include "pg/spi_query.h"
#include "pg/subtransaction.h"

/*
 * Sessions that want to read a table queue up behind one that waits to alter it.  So it waits for this long only,
 * which is less than deadlock_timeout, and tries again after a pause of so many microseconds.
 */
#define LOCK_TIMEOUT "500ms"
#define TRIES 3
#define PAUSE 200000L

/* Whether some publication has a table, by itself, with its schema or with all tables. */
static bool
IsPublished(Oid relid)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2] = {CStringGetTextDatum(get_namespace_name(get_rel_namespace(relid))),
	CStringGetTextDatum(get_rel_name(relid))};

	return RunSql("SELECT FROM pg_catalog.pg_publication_tables"
				  " WHERE schemaname OPERATOR(pg_catalog.=) $1 AND tablename OPERATOR(pg_catalog.=) $2 LIMIT 1",
				  2, types, values, true) > 0;
}

/* What keeps us from adding a column to a table, for a message; NULL where nothing does. */
static const char *
FindObstacle(Oid relid, const char *column, AttrNumber attnum)
{
	if (attnum != InvalidAttrNumber)
		return NULL;			/* it is there */
	if (get_attnum(relid, column) != InvalidAttrNumber)
		return psprintf("table \"%s\" has a column \"%s\" of another type, which must be renamed", get_rel_name(relid), column);
	if (IsPublished(relid))
		return psprintf("table \"%s\" is published, and its subscribers must have them first", get_rel_name(relid));
	return NULL;
}

/* Runs statements, which wait for no lock for long. */
static void
RunStatements(void *state)
{
	const List *statements = state;
	int			settings = NewGUCNestLevel();
	ListCell   *statement;

	(void) set_config_option("lock_timeout", LOCK_TIMEOUT, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	foreach(statement, statements)
		(void) RunSql(lfirst(statement), 0, NULL, NULL, false);
	AtEOXact_GUC(false, settings);
}

/*
 * Runs statements in a subtransaction; returns NULL.  Where one fails nothing is done, and the error's message is
 * returned; a cancelled query or a shutdown remains an error.
 */
static char *
TrySql(const List *statements)
{
	ErrorData  *error = TryInSubtransaction(RunStatements, unconstify(List *, statements));

	if (error == NULL)
		return NULL;
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED || error->sqlerrcode == ERRCODE_ADMIN_SHUTDOWN)
		ReThrowError(error);
	return error->message;
}

/* The same up to TRIES times, as long as it fails. */
static char *
TrySqlPatiently(const List *statements)
{
	char	   *message = TrySql(statements);

	for (int try = 1; message && try < TRIES; try++)
	{
		pg_usleep(PAUSE);
		CHECK_FOR_INTERRUPTS();
		message = TrySql(statements);
	}
	return message;
}

/*
 * Adds the columns where the model's tables lack them; the caller acts as their owner.  Returns whether both
 * are there; a notice says why not, and what to do.
 */
bool
AddSeenColumns(const Model *model)
{
	AttrNumber	seen = SeenColumn(model->user_relid);
	AttrNumber	number = ItemNumberColumn(model->item_relid);
	const char *obstacle = FindObstacle(model->user_relid, "seen", seen);
	List	   *statements = NIL;
	StringInfoData sql;

	if (seen != InvalidAttrNumber && number != InvalidAttrNumber)
		return true;
	if (obstacle == NULL)
		obstacle = FindObstacle(model->item_relid, "number", number);
	initStringInfo(&sql);
	if (seen == InvalidAttrNumber)
		statements = lappend(statements, AddSeenSql(model->user_relid));
	if (number == InvalidAttrNumber)
		statements = lappend(statements, AddNumbersSql(model->item_relid, "number integer"));
	if (obstacle == NULL)
		obstacle = TrySqlPatiently(statements);
	if (obstacle == NULL)
		return true;
	for (int i = 0; i < list_length(statements); i++)
		appendStringInfo(&sql, "%s%s", i > 0 ? "; " : "", (char *) list_nth(statements, i));
	ereport(NOTICE,
			(errmsg("this version of model \"%s\" does not say what users have", model->name),
			 errdetail("Columns could not be added to its tables: %s. So lists leave out what users have only where they read the source.", obstacle),
			 errhint("Run %s; and train again.", sql.data)));
	return false;
}

/*
 * The same of the columns that say what rows there were, where they can be added: without them the version's first
 * mf_update takes all rows for new.
 */
void
AddFingerprintColumns(const Model *model)
{
	Oid			relid[] = {model->user_relid, model->item_relid};

	for (int i = 0; i < (int) lengthof(relid); i++)
	{
		AttrNumber	attnum = FingerprintColumn(relid[i]);

		if (attnum == InvalidAttrNumber && FindObstacle(relid[i], "fingerprint", attnum) == NULL)
			(void) TrySqlPatiently(list_make1(AddNumbersSql(relid[i], "fingerprint bigint")));
	}
}

/*
 * The same of the column with faded counts of items: returns whether it is there, for without it a version has no
 * trends.
 */
bool
AddTrendColumn(const Model *model)
{
	AttrNumber	attnum = TrendColumn(model->item_relid);

	if (attnum != InvalidAttrNumber)
		return true;
	return FindObstacle(model->item_relid, "trend", attnum) == NULL &&
		TrySqlPatiently(list_make1(AddNumbersSql(model->item_relid, "trend real"))) == NULL;
}

/*
 * The same of the column with how widely users' ratings spread: a version that was trained without it has none, and the
 * next one will.
 */
void
AddSpreadColumn(const Model *model)
{
	AttrNumber	attnum = SpreadColumn(model->user_relid);

	if (attnum == InvalidAttrNumber && FindObstacle(model->user_relid, "spread", attnum) == NULL)
		(void) TrySqlPatiently(list_make1(AddNumbersSql(model->user_relid, "spread real")));
}

/*
 * The same of the column with what attributes make of users or items, in the one or the other table, for a version that
 * has some; an error where it cannot be added, as without it such users would be other ones when they are folded in.
 */
void
AddPriorColumn(const Model *model, Oid relid)
{
	AttrNumber	prior = PriorColumn(relid);
	const char *side = relid == model->user_relid ? "users" : "items";
	const char *obstacle = FindObstacle(relid, "prior", prior);
	char	   *sql;

	if (prior != InvalidAttrNumber)
		return;
	sql = AddPriorSql(relid);
	if (obstacle == NULL)
		obstacle = TrySqlPatiently(list_make1(sql));
	if (obstacle)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" cannot keep what attributes make of its %s", model->name, side),
				 errdetail("A column could not be added to its table of %s: %s.", side, obstacle),
				 errhint("Run %s; and train again.", sql)));
}
