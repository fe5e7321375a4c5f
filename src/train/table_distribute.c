/*
 * table_distribute.c - the bookkeeping and model tables, given to Citus so that every node serves.
 *
 * Whether nodes serve together is decided once for a database, by mf_citus(): it makes the bookkeeping reference
 * tables, of which each node has a copy.  From then on model tables are given to Citus as they are made: users' vectors
 * lie where the users' ratings lie, if these are distributed by the user, and all else is on each node.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "model/factor_columns.h"
#include "pg/citus.h"
#include "pg/json.h"
#include "pg/placement.h"
#include "pg/spi_query.h"
#include "source/source_columns.h"
#include "source/view_table.h"
#include "train/table_distribute.h"

/* Calls one of Citus's functions with a table and up to two texts, which may be NULL; without its notices. */
static void
CallCitus(const char *call, Oid relid, const char *column, const char *colocated)
{
	Oid			types[3] = {REGCLASSOID, TEXTOID, TEXTOID};
	Datum		values[3] = {ObjectIdGetDatum(relid)};
	int			n = 1;
	int			settings = NewGUCNestLevel();

	(void) set_config_option("client_min_messages", "warning", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
							 false);
	if (column)
		values[n++] = CStringGetTextDatum(column);
	if (colocated)
		values[n++] = CStringGetTextDatum(colocated);
	(void) RunSql(psprintf("SELECT pg_catalog.%s", call), n, types, values, false);
	AtEOXact_GUC(true, settings);
}

/* Takes away the rows that a table had before Citus took them elsewhere: nothing reads them, and they could mislead. */
static void
TruncateLeftover(Oid relid)
{
	CallCitus("truncate_local_data_after_distributing_table($1)", relid, NULL, NULL);
}

/* Gives a table to Citus so that each node has all its rows; false where Citus has it already. */
bool
DistributeWhole(Oid relid)
{
	if (!OidIsValid(relid) || IsCitusTable(relid))
		return false;
	CallCitus("create_reference_table($1)", relid, NULL, NULL);
	TruncateLeftover(relid);
	return true;
}

/* One of the tables of bookkeeping, which every node must have. */
static bool
DistributeBookkeepingTable(const char *name)
{
	Oid			relid = get_relname_relid(name, get_namespace_oid("mfrec", false));
	bool		given = DistributeWhole(relid);

	if (!OidIsValid(CopyHere(relid)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("Citus does not keep all rows of table mfrec.%s on this node", name),
				 errdetail("It has to be a reference table, and the coordinator a node that has a copy."),
				 errhint("Let citus_set_coordinator_host() make the coordinator a node. A table that was distributed in another way goes only with DROP EXTENSION mfrec CASCADE.")));
	return given;
}

/* Makes the bookkeeping reference tables; returns how many were none. */
int
DistributeBookkeeping(void)
{
	return DistributeBookkeepingTable("model") + DistributeBookkeepingTable("model_version") +
		DistributeBookkeepingTable("training_log");
}

/* An error where tables of a model have to be created, and Citus lets only another node create any. */
void
CheckMayCreateTables(const Model *model)
{
	if (SharesBookkeeping() && !IsCitusCoordinator())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot create tables of model \"%s\" on a worker", model->name),
				 errdetail("Citus creates tables on the coordinator only."),
				 errhint("Train it there; its next versions can be trained on any node.")));
}

/*
 * The table with the rows of a source, itself or the one beneath a view, with which users' rows can lie: it is distributed
 * by the user, and by the same hash.  InvalidOid: there is none.
 */
static Oid
TableByUser(Oid source, const Model *model)
{
	const CitusTable *table;
	SourceColumns columns;
	IdType		idtype;
	AttrNumber	user;
	Oid			relid;

	FactorIdType(model->user_relid, USER_ID, &idtype);
	SourceColumnsFromJson(&columns, model->parameters);
	if (!OidIsValid(source) || !FindRowTable(source, columns.user, &relid, &user))
		return InvalidOid;
	table = FindCitusTable(relid);
	return table && table->method == CITUS_BY_HASH && table->column != InvalidAttrNumber && table->column == user &&
		table->type == idtype.type && table->collation == idtype.collation ? relid : InvalidOid;
}

/*
 * Gives the table of users to Citus: their vectors lie where their ratings lie in the source, or where that is not
 * possible on each node.  False where Citus has it already.
 */
bool
DistributeUsers(const Model *model)
{
	Oid			relid = model->user_relid;
	Oid			schema = model->source ? get_namespace_oid(model->source_schema, true) : InvalidOid;
	Oid			source = OidIsValid(schema) ? get_relname_relid(model->source, schema) : InvalidOid;

	Oid			table;

	if (!OidIsValid(relid) || IsCitusTable(relid))
		return false;
	table = TableByUser(source, model);
	if (!OidIsValid(table))
		return DistributeWhole(relid);
	CallCitus("create_distributed_table($1, $2, colocate_with => $3)", relid, USER_ID,
			  quote_qualified_identifier(get_namespace_name(get_rel_namespace(table)), get_rel_name(table)));
	TruncateLeftover(relid);
	return true;
}
