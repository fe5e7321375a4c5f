/*
 * update.c - what has come since a version was trained, taken into it without training.
 *
 * UpdateVersion() is the recipe.  It changes the version that serves, whose number stays: rows of the model tables
 * whose rows in the source have changed are replaced, in the caller's transaction, and the version gets a new identity,
 * so that sessions map the new image.  All of it is seen at once, at commit; who has an older snapshot sees what was
 * there.
 *
 *     read what is stored, and the source         side.c, read/ratings_read.c
 *         or what has come to it by its time      recent_rows.c
 *     find whose rows have changed                side.c
 *     leave vectors that a few rows do not move   item_growth.c
 *     solve these alone                           row_select.c, change_solve.c, item_priors.c, user_priors.c
 *     count how items trend                       trend_count.c
 *     store them, and renew what has no rows       change_store.c, serve/renewal.c
 */
#include "postgres.h"

#include <math.h>

#include "portability/instr_time.h"
#include "utils/builtins.h"

#include "compat.h"
#include "core/base/padding.h"
#include "ids/id_growth.h"
#include "image/image_publish.h"
#include "model/factor_table.h"
#include "model/missing_rows.h"
#include "model/model_acl.h"
#include "model/model_source.h"
#include "model/model_write.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/json.h"
#include "pg/memory_limit.h"
#include "serve/renewal.h"
#include "read/ratings_read.h"
#include "source/unrated.h"
#include "update/update.h"
#include "update/update_state.h"

/* An error for a version whose users and items cannot be folded in as it was trained. */
static void
CheckTrained(const Update *u)
{
	if (u->objective.fold == MF_FOLD_TRAINED)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("version %d of model \"%s\" was imported, not trained", u->model->version, u->model->name),
			 errdetail("An update goes on from a training of mfrec."),
			 errhint("Import the factors anew with mf_import, or train with mf_train(..., model => %s).",
					 quote_literal_cstr(u->model->name))));
}

/* Takes over what the version was trained by. */
static void
ReadConstants(Update *u)
{
	Jsonb	   *parameters = VersionParameters(u->model, u->model->version);
	int			d;

	if (parameters == NULL)
		elog(ERROR, "version %d of model \"%s\" has gone", u->model->version, u->model->name);
	ObjectiveFromJson(&u->objective, parameters);
	CheckTrained(u);
	d = mf_dimensions(&u->objective);
	u->served_mean = MeanUserFromJson(parameters, d, &u->mean_bias);
	u->cold_shift = ColdShiftFromJson(parameters, d);
	u->mean_user = AlignedZeroArray(mf_padded(d), sizeof(float));
	if (!mf_ratings_alone(&u->objective))
		memcpy(u->mean_user, u->served_mean, sizeof(float) * d);
	u->draws = JsonNumber(parameters, ITEMS_DRAWN, 0) != 0;
	u->profiles = JsonHasKey(parameters, USER_STRENGTHS);
	u->read_until = JsonNumber(parameters, READ_UNTIL, NAN);
	u->numbers = VersionItemNumbers(u->model, u->model->version);
}

/*
 * What helps where a model table has no room for ids that the source has by now: what a training alters, or the owner
 * can.
 */
static char *
HintIds(const Model *model, Oid relid, const char *id_column, const IdType *stored, const IdType *ids)
{
	const char *name = quote_literal_cstr(model->name);
	IdType		grown;
	char	   *sql;

	if (IdTypeGrows(stored, ids, &grown))
		return psprintf("Train again with mf_retrain(%s), which alters the model's tables.", name);
	sql = AlterIdSql(relid, id_column, stored, ids);
	if (sql == NULL)
		return psprintf("Drop the model with mf_drop(%s) and train it anew with mf_train, or cast the ids in a view.", name);
	return psprintf("Run %s; and update again. Or drop the model with mf_drop(%s), and train it anew with mf_train.", sql, name);
}

/* An error where ids of the source are not those of a model table any more. */
static void
CheckIds(const Update *u, Oid relid, const char *id_column, const IdType *ids)
{
	IdType		stored;

	FactorIdType(relid, id_column, &stored);
	if (IdTypeTakes(&stored, ids))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("ids of source \"%s\" are now of type %s, but those of model \"%s\" of type %s", u->source.name,
					format_type_be(ids->type), u->model->name, format_type_be(stored.type)),
			 errhint("%s", HintIds(u->model, relid, id_column, &stored, ids))));
}

/* Opens the source as the last training read it; an error where that does not go with the version that serves. */
static void
OpenUpdateSource(Update *u)
{
	const Model *model = u->model;
	SourceColumns columns;

	SourceColumnsFromJson(&columns, model->parameters);
	OpenSource(&u->source, ModelSourceRelation(model, UNTIL_LISTS), &columns);
	if ((u->source.feedback == FEEDBACK_EXPLICIT) != mf_is_explicit(&u->objective))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not go with its source", model->version, model->name),
				 errdetail("The model's last training took the source for %s feedback, that of this version did not.",
						   FeedbackName(u->source.feedback)),
				 errhint("Train again, or go back to the newer version with mf_rollback.")));
	if (u->objective.half_life > 0 && u->source.time_column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not go with its source", model->version, model->name),
				 errdetail("Its rows fade, and the model's last training named no column of times."),
				 errhint("Train again, or go back to the newer version with mf_rollback.")));
	CheckIds(u, model->user_relid, USER_ID, &u->source.user);
	CheckIds(u, model->item_relid, ITEM_ID, &u->source.item);
}

/* Reads all rows of the source, and says so; hint: what would spare that, or NULL. */
static void
ReadWholeSource(Update *u, const char *hint)
{
	ereport(NOTICE,
			(errmsg("reading all rows of \"%s\" to find those that are new", u->source.name),
			 hint ? errhint("%s", hint) : 0));
	u->read = ReadRows(&u->source, NULL, u->users.ids, u->items.ids, MaintenanceMemory(), &u->parallel, &u->rows);
	u->rows_read = u->rows.count;
	u->read_until = u->read->read_until;
	if (u->rows.count == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no ratings", u->source.name),
				 errdetail("An update would leave nothing of the model."),
				 errhint("Insert some, and check that row security does not hide them.")));
	GrowSide(&u->users, u->read->fingerprints->user);
	GrowSide(&u->items, u->read->fingerprints->item);
}

/* An error where rows of a model table are hidden, or have been lost. */
static void
CheckSide(const Update *u, const Side *side, const char *table)
{
	if (!SeesAllRows(side->relid))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot update model table \"%s\"", table),
				 errdetail("Row security applies to its owner, and may hide some of its rows."),
				 errhint("Run ALTER TABLE ... NO FORCE ROW LEVEL SECURITY.")));
	if (side->stored == 0)
		CheckNoRows(u->model, u->model->version, side == &u->users);
}

/*
 * An error where what is stored of the version has no room in memory: vectors of both sides as they are read and as the
 * core wants them, once more those of items for the image, and the points that both are drawn to.
 */
static void
CheckUpdateMemory(const Update *u)
{
	const Model *model = u->model;
	int64		vector = sizeof(float) * mf_padded(mf_dimensions(&u->objective));
	int			parts = mf_is_joint(&u->objective) ? 2 : 1;
	int64		users = VersionRows(model, model->version, true);
	int64		items = VersionRows(model, model->version, false);
	int64		needed = users * ((u->profiles ? 3 : 2) * vector + 64) +
		items * ((u->objective.item_map ? 4 : 3) * parts * vector + 64);

	if (needed > MemoryLimit())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("updating needs %lld MB of memory, but the limit is %lld MB", (long long) (needed >> 20),
						(long long) (MemoryLimit() >> 20)),
				 errdetail("The vectors of %lld users and %lld items must be in memory.", (long long) users, (long long) items),
				 errhint("Raise mfrec.max_memory if the machine has the memory.")));
}

/* Reads what the version has stored, and then the source: all_rows: all of it, whatever finds what is new. */
static void
ReadBoth(Update *u, bool all_rows)
{
	const Model *model = u->model;
	const char *hint = NULL;
	int			d = mf_dimensions(&u->objective);

	CheckUpdateMemory(u);
	ReadSide(&u->users, model->user_relid, USER_ID, model->version, d, false,
			 VersionRows(model, model->version, true));
	CheckSide(u, &u->users, model->user_table);
	ReadSide(&u->items, model->item_relid, ITEM_ID, model->version, d, mf_is_joint(&u->objective),
			 VersionRows(model, model->version, false));
	CheckSide(u, &u->items, model->item_table);
	NoteRowSecurity(&u->source);
	if (all_rows || !ReadRecentRows(u, &hint))
		ReadWholeSource(u, hint);
	u->stores_seen = StoresSeen(u);
}

/* Adds up what becomes of a side: what is new to the version, what was there, and what goes. */
static void
CountSideChanges(const Side *side, int64 *added, int64 *changed, int64 *removed)
{
	for (int64 i = 0; i < side->ids->count; i++)
	{
		if (side->change[i] == CHANGE_NONE)
			continue;
		if (side->change[i] == CHANGE_EMPTIED)
			(*removed)++;
		else if (side->known[i])
			(*changed)++;
		else
			(*added)++;
	}
}

/* Whether an update has found anything to do. */
static bool
DidAnything(const UpdateResult *result)
{
	return result->users_added + result->users_changed + result->users_removed + result->items_added +
		result->items_changed + result->items_removed > 0;
}

/*
 * Rows held out for validation count.  So an item of which all were is solved, too, once a user is who has it: to them
 * it has ratings then.
 */
static void
FindHeldOutItems(Update *u)
{
	Side	   *items = &u->items;
	bool		some = false;
	Selection	users;
	Selection	theirs;

	for (int64 i = 0; i < items->stored && !some; i++)
		some = items->counts[i] == 0 && items->current[i] != 0 && items->change[i] == CHANGE_NONE;
	if (!some)
		return;
	Select(&u->users, CHANGE_BIT(CHANGE_ADDED) | CHANGE_BIT(CHANGE_SOLVED), &users);
	SelectItemsOf(u, &users, &theirs);
	for (int64 i = 0; i < theirs.count; i++)
	{
		int32		number = theirs.number[i];

		if (items->counts[number] == 0 && items->current[number] != 0)
			items->change[number] = CHANGE_ADDED;
	}
}

/* Solves what has changed, and stores it. */
static void
TakeChanges(Update *u, UpdateResult *result)
{
	FindChanges(&u->users);
	FindChanges(&u->items);
	FindHeldOutItems(u);
	FindCountedItems(u);
	CountSideChanges(&u->users, &result->users_added, &result->users_changed, &result->users_removed);
	CountSideChanges(&u->items, &result->items_added, &result->items_changed, &result->items_removed);
	if (!HasTrends(u))
		u->items.trends = NULL;
	if (!DidAnything(result))
		return;
	SolveChanges(u);
	CountTrends(u);
	memset(result, 0, sizeof(UpdateResult));	/* some who have lost their rows stay, by their attributes */
	result->rows = u->rows_read;
	CountSideChanges(&u->users, &result->users_added, &result->users_changed, &result->users_removed);
	CountSideChanges(&u->items, &result->items_added, &result->items_changed, &result->items_removed);
	StoreChanges(u);
	RecordUpdate(u->model, CountSide(&u->users), CountSide(&u->items), u->ratings, u->numbers,
				 u->read_until);
	if (u->cells)
		FreeCells(u->cells);
}

/* ItemNews: an item without ratings is one of the version from now on. */
static void
TakeColdItem(void *state, int64 id, const float *vector, const float *rating_vector, float bias, int32 number)
{
	Update	   *u = state;

	AddColdItem(&u->items, id, vector, rating_vector, bias, number);
	u->numbers = Max(u->numbers, (int64) number + 1);
}

/* ItemNews: it is none any more. */
static void
DropColdItem(void *state, int64 id)
{
	Side	   *items = &((Update *) state)->items;
	int32		number = FindId(items->ids, id);

	if (number >= 0)
		items->change[number] = CHANGE_EMPTIED;
}

/* Brings what has no rows up to date with the relations of attributes, and publishes the version's image. */
static void
RenewRest(Update *u, UpdateResult *result)
{
	ItemNews	news = {u, TakeColdItem, DropColdItem};
	bool		changed = DidAnything(result);
	int64		items_added;
	int64		items_removed;
	int64		users_added;
	int64		users_removed;

	RenewItems(u->model, &news, &items_added, &items_removed);
	RenewProfiles(u->model, &users_added, &users_removed);
	result->items_added += items_added;
	result->items_removed += items_removed;
	result->users_added += users_added;
	result->users_removed += users_removed;
	if (!changed && DidAnything(result))
		RecordRenewal(u->model);
	if (changed || items_added + items_removed > 0)
		PublishChanges(u);
}

/*
 * Updates the version of a model that serves, as the model's owner: *result says what that did.  all_rows: changes are
 * looked for in all rows of the source, even where what is new can be found by its time.  late: so many seconds at most
 * a row can come after others that are younger.  The caller has locked the model.  What is read and solved lives in a
 * context that goes when this is done.
 */
void
UpdateVersion(const Model *model, bool all_rows, double late, UpdateResult *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec update", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Update		update = {.model = model,.late = late};
	Acting		acting;
	instr_time	began;
	instr_time	now;

	INSTR_TIME_SET_CURRENT(began);
	memset(result, 0, sizeof(UpdateResult));
	InitParallel(&update.parallel);
	ActAsModelOwner(model, &acting);
	LockModelTables(model);
	PushBookkeepingSnapshot();
	ReadConstants(&update);
	OpenUpdateSource(&update);
	ReadBoth(&update, all_rows);
	result->rows = update.rows_read;
	TakeChanges(&update, result);
	PopBookkeepingSnapshot();
	FreeTriplets(&update.rows);
	FreeTriplets(&update.others);
	FreeUnrated(update.read->unrated);
	StopActing(&acting);
	RenewRest(&update, result);
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, began);
	result->seconds = INSTR_TIME_GET_DOUBLE(now);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}
