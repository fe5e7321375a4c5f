/*
 * change_store.c - rows of users and items that have changed, in the model tables.
 *
 * A row is deleted and a new one inserted, of the same version, all in one transaction: who reads meanwhile, or with an
 * older snapshot, sees the rows that there were.  Rows that have not changed are not touched.
 */
#include "postgres.h"

#include "access/xact.h"

#include "model/factor_rows.h"
#include "model/seen_columns.h"
#include "update/update_state.h"

/* Rows that are deleted by one statement. */
#define BATCH_ROWS 10000

/* Deletes the stored rows of all that have changed, in batches. */
static void
DeleteChanged(const Update *u, const Side *side)
{
	Datum	   *ids = palloc(sizeof(Datum) * BATCH_ROWS);
	int			n = 0;

	for (int32 i = 0; i < side->stored; i++)
	{
		if (side->change[i] == CHANGE_NONE)
			continue;
		ids[n++] = IdToDatum(&side->type, IdAt(side->ids, i));
		if (n < BATCH_ROWS)
			continue;
		DeleteVersionRows(side->relid, side->id_column, u->model->version, &side->type, ids, n);
		n = 0;
	}
	DeleteVersionRows(side->relid, side->id_column, u->model->version, &side->type, ids, n);
	pfree(ids);
}

/* *rows: what both sides store of selected ones. */
static void
GatherRows(const Side *side, const Selection *selection, FactorRows *rows)
{
	Size		vector = sizeof(float) * mf_padded(side->factors);

	memset(rows, 0, sizeof(FactorRows));
	rows->ids = CreateIdMap((IdType *) &side->type);
	for (int64 i = 0; i < selection->count; i++)
		(void) AddId(rows->ids, IdAt(side->ids, selection->number[i]));
	rows->factors = side->factors;
	rows->counts = GatherValues(selection, side->counts, sizeof(int32));
	rows->bias = GatherValues(selection, side->bias, sizeof(float));
	rows->vectors = GatherValues(selection, side->vectors, vector);
	rows->rating_vectors = GatherValues(selection, side->rating_vectors, vector);
	rows->fingerprints = GatherValues(selection, side->current, sizeof(int64));
	rows->nfingerprints = selection->count;
}

/* Whether the version says what users have, so that rows that are stored now can. */
bool
StoresSeen(const Update *u)
{
	if (SeenColumn(u->users.relid) == InvalidAttrNumber || ItemNumberColumn(u->items.relid) == InvalidAttrNumber)
		return false;
	for (int32 i = 0; i < u->items.stored; i++)
		if (u->items.numbers[i] < 0)
			return false;
	return true;
}

/* Gives items that are stored for the first time numbers behind all that there have been, for none is given twice. */
static void
NumberNewItems(Update *u)
{
	for (int64 i = 0; i < u->changed_items.count; i++)
	{
		int32	   *number = &u->items.numbers[u->changed_items.number[i]];

		if (*number < 0)
			*number = (int32) u->numbers++;
	}
}

/* Stores changed users; without seen, what they have is not known. */
static void
StoreUsers(Update *u, bool with_seen)
{
	FactorRows	rows;
	SeenRows	seen;
	Cells	   *others = NULL;

	if (u->changed_users.count == 0)
		return;
	GatherRows(&u->users, &u->changed_users, &rows);
	if (u->objective.user_variance > 0)
		rows.spread = GatherValues(&u->changed_users, u->users.spread, sizeof(float));
	if (u->priors)
	{
		rows.priors = u->priors;
		rows.has_prior = u->has_prior;
		rows.shared = u->objective.factors;
		rows.rated = u->changed_users.count;
	}
	if (with_seen)
	{
		others = SelectOthers(u);
		OpenSeenRows(&seen, u->cells, others, GatherValues(&u->their_items, u->items.numbers, sizeof(int32)),
					 u->numbers);
		rows.seen = &seen;
	}
	rows.tenant = u->model->tenant;
	StoreFactors(u->users.relid, USER_ID, u->model->version, &rows, with_seen);
	if (others)
		FreeCells(others);
}

/* Stores changed items. */
static void
StoreItems(const Update *u, bool with_seen)
{
	FactorRows	rows;

	if (u->changed_items.count == 0)
		return;
	GatherRows(&u->items, &u->changed_items, &rows);
	rows.priors = u->item_priors.list;
	rows.has_prior = u->item_priors.has_prior;
	rows.shared = u->items.factors;
	rows.rated = u->changed_items.count;
	rows.numbers = with_seen ? GatherValues(&u->changed_items, u->items.numbers, sizeof(int32)) : NULL;
	rows.trends = GatherValues(&u->changed_items, u->items.trends, sizeof(float));
	rows.tenant = u->model->tenant;
	StoreFactors(u->items.relid, ITEM_ID, u->model->version, &rows, with_seen);
}

/*
 * Brings the model tables up to date with what has been solved, as the model's owner, for the next command to see.
 * Triggers on DELETE fire.
 */
void
StoreChanges(Update *u)
{
	bool		with_seen = u->stores_seen;

	AddFingerprintColumns(u->model);	/* of tables that are older */
	DeleteChanged(u, &u->users);
	DeleteChanged(u, &u->items);
	if (with_seen)
		NumberNewItems(u);
	StoreUsers(u, with_seen);
	StoreItems(u, with_seen);
	CommandCounterIncrement();
}
