/*
 * missing_rows.c - rows of a version that should be there.
 *
 * Rows of model tables get lost: a dump leaves them out, a replication has not brought them yet, they are
 * deleted by hand.  A list from what is left would be empty, or the popular items for every user, without a word.
 * So a call that finds no row at all compares that with the number that the bookkeeping has.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"

#include "compat.h"
#include "model/factor_rows.h"
#include "model/missing_rows.h"

/*
 * Whether what the caller sees of a model table is all that is in it: no view stands in its place, and no row
 * security applies to the caller.
 */
bool
SeesAllRows(Oid relid)
{
	char		kind = get_rel_relkind(relid);

	return (kind == RELKIND_RELATION || kind == RELKIND_PARTITIONED_TABLE || kind == RELKIND_MATVIEW) &&
		check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}

/* An error that says of which table rows are missing, and how many the training stored. */
static void
MissingRows(const Model *model, int32 version, const char *table, int64 stored)
{
	char	   *name = quote_literal_cstr(model->name);

	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("table \"%s.%s\" has no rows of version %d of model \"%s\"", model->schema, table, version, model->name),
			 errdetail("It should have %lld. They were left out of a dump, have not been replicated yet, or were deleted by hand.",
					   (long long) stored),
			 errhint("Restore them and call mf_refresh(%s), or train the model again with mf_retrain(%s).", name, name)));
}

/*
 * To be called where no row of a side of a version was found, of users or of items: an error where there should be
 * some.
 */
void
CheckNoRows(const Model *model, int32 version, bool users)
{
	int64		stored = VersionRows(model, version, users);

	if (stored > 0 && SeesAllRows(users ? model->user_relid : model->item_relid))
		MissingRows(model, version, users ? model->user_table : model->item_table, stored);
}

/*
 * To be called where a user of a version was not found, or no user at all: an error where the version should have
 * users and has none.  Looks once a session and version, as long as the table stays as it is.
 */
void
CheckNoUsers(CachedModel *cached, int32 version)
{
	const Model *model = &cached->model;
	int64		stored;

	if (cached->has_users == version || !SeesAllRows(model->user_relid))
		return;
	stored = HasVersionRows(model->user_relid, USER_ID, version, true) ? 0 : VersionRows(model, version, true);
	if (stored > 0)
		MissingRows(model, version, model->user_table, stored);
	cached->has_users = version;
}
