/*
 * lookup_cost.c - whether a user's rows in a source are cheap to find, so that lists may look at them each time.
 *
 * For tables of this database the planner knows.  Its cost is a guess for foreign tables, for scans that other
 * extensions bring and for functions; there a list that reads all rows would take seconds, so current rows are
 * read only on request (fresh => true).
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#include "compat.h"
#include "pg/citus.h"
#include "pg/plan_scans.h"
#include "source/lookup_cost.h"

/*
 * A lookup of one user's rows counts as cheap below this planner cost: about 10 ms, which an index
 * meets on a table of any size and a sequential scan on a small one.
 */
#define CHEAP_LOOKUP_COST 5000.0

/* What is known of a lookup; any but the first one is a reason not to look. */
typedef enum LookupCost
{
	LOOKUP_CHEAP,
	LOOKUP_DEAR,
	LOOKUP_FOREIGN,				/* of these the planner's cost says nothing */
	LOOKUP_FUNCTION,
	LOOKUP_STORAGE,
	LOOKUP_DISTRIBUTED			/* by Citus, and not so that one place has a user's rows and an index */
} LookupCost;

/* For a LookupCost: why current rows are not cheap to find, and what this means. */
static const char *const reasons[] = {
	NULL,
	"There is no index that makes them cheap to find, so new ratings do not count at once, and what a user has taken since is not left out.",
	"They come from a foreign table, where the cost of finding them is not known, so new ratings do not count at once, and what a user has taken since is not left out.",
	"They come from a function, whose cost is not known, so new ratings do not count at once, and what a user has taken since is not left out.",
	"Another extension stores them, and the cost of finding them is not known, so new ratings do not count at once, and what a user has taken since is not left out.",
	"Citus does not find them on one node through an index, so new ratings do not count at once, and what a user has taken since is not left out.",
};

/* The cost of a plan with such scans (bits of pg/plan_scans.h) that the planner's costs say nothing of. */
static LookupCost
GuessedCost(int scans)
{
	return scans & SCANS_FOREIGN ? LOOKUP_FOREIGN : scans & SCANS_FUNCTION ? LOOKUP_FUNCTION : LOOKUP_STORAGE;
}

/* What the planner makes of the lookup of one user's rows, by a generic plan, which is what sessions will run. */
static LookupCost
PlannedCost(const Source *source)
{
	Oid			types[1] = {source->user.base};
	LookupCost	cost = LOOKUP_DEAR;
	SPIPlanPtr	plan;
	CachedPlan *cached;

	SPI_connect();
	plan = SPI_prepare_cursor(SourceLookupSql(source), 1, types, CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare the lookup of a user's rows");
	cached = SPI_plan_get_cached_plan(plan);
	if (cached)
	{
		PlannedStmt *statement = linitial_node(PlannedStmt, cached->stmt_list);
		int			scans = PlanScans(statement);

		if (scans != 0)
			cost = GuessedCost(scans);
		else if (statement->planTree && statement->planTree->total_cost <= CHEAP_LOOKUP_COST)
			cost = LOOKUP_CHEAP;
		ReleaseCachedPlan(cached, NULL);
	}
	SPI_freeplan(plan);
	SPI_finish();
	return cost;
}

/* Whether a column is computed when it is read: no index can be on it. */
static bool
IsVirtual(Oid relid, const char *column)
{
	HeapTuple	tuple = SearchSysCacheAttName(relid, column);
	bool		is_virtual = false;

	if (HeapTupleIsValid(tuple))
	{
		is_virtual = ((Form_pg_attribute) GETSTRUCT(tuple))->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL;
		ReleaseSysCache(tuple);
	}
	return is_virtual;
}

/* A hint to create an index, with places for the user column and for what to do again. */
static const char *
IndexHint(const Source *source)
{
	if (get_rel_relkind(source->relid) == RELKIND_VIEW)
		return "Create an index on what column \"%s\" of the view comes from, in the table beneath, and %s, or call mf_recommend with fresh => true.";
	if (IsVirtual(source->relid, source->user_column))
		return "Create an index on the expression of virtual column \"%s\" and %s, or call mf_recommend with fresh => true.";
	if (source->tenant_column)
		return "Create an index on the column of tenants and column \"%s\", in this order, and %s, or call mf_recommend with fresh => true.";
	return "Create an index on column \"%s\" and %s, or call mf_recommend with fresh => true.";
}

/* The notice that lists will not look at a user's rows, why, and what would help. */
static void
ReportCost(const Source *source, LookupCost cost, const char *again)
{
	const char *hint = IndexHint(source);

	if (cost == LOOKUP_DISTRIBUTED)
		hint = "Distribute the table by column \"%s\", which needs an index that begins with it, or call mf_recommend with fresh => true.";
	else if (cost != LOOKUP_DEAR)
		hint = "If they are cheap to find, call mf_recommend with fresh => true.";
	ereport(NOTICE,
			(errmsg("recommendations will not look at a user's current rows in \"%s\" unless asked to", source->name),
			 errdetail("%s", reasons[cost]),
			 errhint(hint, source->user_column, again)));
}

/*
 * Whether mf_recommend is to read a user's current rows by default; a notice says so where it is not, with a
 * hint that ends with `again`, what to do once there is an index.
 */
bool
SourceServesFresh(const Source *source, const char *again)
{
	LookupCost	cost;

	if (source->temporary)
	{
		ereport(NOTICE,
				(errmsg("recommendations will not look at \"%s\" again, because it is a temporary table", source->name)));
		return false;
	}
	if (IsCitusTable(source->relid))
		cost = CitusFindsRows(source->relid, source->user_column) ? LOOKUP_CHEAP : LOOKUP_DISTRIBUTED;
	else
		cost = PlannedCost(source);
	if (cost != LOOKUP_CHEAP)
		ReportCost(source, cost, again);
	return cost == LOOKUP_CHEAP;
}
