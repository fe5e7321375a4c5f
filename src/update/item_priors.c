/*
 * item_priors.c - what the version's map makes of the attributes of items that have changed.
 *
 * It is stored with them, as a training does, and is the point that they are drawn to where known items are drawn to
 * the map.  The relation is read as it is now, so that it is what the next training would have them begin with.  Where
 * it cannot be read, what is stored stays; there is no more of it than lists go by, so ratings and bias are drawn to 0
 * then.
 *
 * Items that have lost their rows are cold from then on, as others without: they keep their numbers, for users may have
 * rows of them that are no ratings.
 */
#include "postgres.h"

#include "core/base/narrow.h"
#include "core/base/padding.h"
#include "model/factor_rows.h"
#include "pg/alloc.h"
#include "serve/item_encode.h"
#include "update/item_priors.h"

/* Items that are encoded together. */
#define BATCH_ITEMS 10000

/* Row `to` of an array of points, NULL: there is none, = row `from` of another one. */
static void
CopyRow(float *priors, int64 to, const float *vectors, int64 from, int ld)
{
	if (priors)
		memcpy(priors + to * ld, vectors + from * ld, sizeof(float) * ld);
}

/* Whether a vector of ld floats is another one than 0. */
static bool
SaysSomething(const float *vector, int ld)
{
	for (int k = 0; k < ld; k++)
		if (vector[k] != 0)
			return true;
	return false;
}

/* Takes what attributes make of an item: row `row` of what was encoded, of the item at `place` among those selected. */
typedef void (*EncodedFunction) (Update *u, int32 number, int64 place, const EncodedItems *encoded, int32 row);

/* EncodedFunction: the point that a changed item is drawn to; of a cold one it is the vector. */
static void
TakePrior(Update *u, int32 number, int64 place, const EncodedItems *encoded, int32 row)
{
	ItemPriors *priors = &u->item_priors;
	int			ld = mf_padded(u->items.factors);

	if (u->items.change[number] == CHANGE_COOLED)
		return;
	CopyRow(priors->list, place, encoded->vectors, row, ld);
	if (encoded->rating_vectors)
		CopyRow(priors->rating, place, encoded->rating_vectors, row, ld);
	priors->bias[place] = encoded->bias[row];
	priors->has_prior[place] = SaysSomething(encoded->vectors + (int64) row * ld, ld);
}

/* EncodedFunction: has an item that has lost its rows go on as a cold one. */
static void
Cool(Update *u, int32 number, int64 place, const EncodedItems *encoded, int32 row)
{
	Side	   *side = &u->items;
	int			ld = mf_padded(side->factors);

	(void) place;
	CopyRow(side->vectors, number, encoded->vectors, row, ld);
	mf_narrow_round(side->vectors + (int64) number * ld, ld);	/* as a training stores it */
	if (encoded->rating_vectors)
	{
		CopyRow(side->rating_vectors, number, encoded->rating_vectors, row, ld);
		mf_narrow_round(side->rating_vectors + (int64) number * ld, ld);
	}
	side->bias[number] = encoded->bias[row];
	side->counts[number] = 0;
	side->change[number] = CHANGE_COOLED;
}

/*
 * Calls a function with what attributes make of those of n selected items, from place `first` on, that have a row of
 * them.
 */
static void
EncodeBatch(Update *u, const ItemEncoder *encoder, const Selection *items, int64 first, int n, EncodedFunction function)
{
	int64	   *ids = HugeArray(n, sizeof(int64));
	EncodedItems encoded;

	for (int i = 0; i < n; i++)
		ids[i] = IdAt(u->items.ids, items->number[first + i]);
	EncodeItems(encoder, ids, n, false, &encoded);
	for (int i = 0; i < n; i++)
	{
		int32		row = FindId(encoded.ids, ids[i]);

		if (row >= 0)
			function(u, items->number[first + i], first + i, &encoded, row);
	}
}

/* The same of all selected items, batch by batch. */
static void
EncodeSelected(Update *u, const ItemEncoder *encoder, const Selection *items, EncodedFunction function)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "mfrec item priors", ALLOCSET_DEFAULT_SIZES);

	for (int64 first = 0; first < items->count; first += BATCH_ITEMS)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);

		EncodeBatch(u, encoder, items, first, (int) Min(BATCH_ITEMS, items->count - first), function);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
}

/* Gets ready to encode items of the version; false where there is nothing to encode them by. */
static bool
OpenItemEncoder(const Update *u, ItemEncoder *encoder)
{
	return u->objective.item_map && OpenEncoder(encoder, &item_side, u->model, u->model->version, &u->items.type);
}

/* Items that have lost all rows, but have one of attributes, become cold: CHANGE_COOLED. */
void
CoolItems(Update *u)
{
	Selection	emptied;
	ItemEncoder encoder;

	Select(&u->items, CHANGE_BIT(CHANGE_EMPTIED), &emptied);
	if (emptied.count > 0 && OpenItemEncoder(u, &encoder))
		EncodeSelected(u, &encoder, &emptied, Cool);
}

/* StoredRowFunction: keeps the point of an item that has changed. */
static void
KeepStored(void *state, const StoredRow *row)
{
	Update	   *u = state;
	int32		number = FindId(u->items.ids, row->id);
	int32		place = number >= 0 ? u->changed_items.place[number] : -1;

	if (place < 0 || row->prior == NULL || row->factors != u->items.factors)
		return;
	memcpy(u->item_priors.list + (int64) place * mf_padded(row->factors), row->prior, sizeof(float) * row->factors);
	u->item_priors.has_prior[place] = true;
}

/* u->item_priors, of the items in u->changed_items; without attributes none. */
void
ReadItemPriors(Update *u)
{
	ItemPriors *priors = &u->item_priors;
	int64		n = u->changed_items.count;
	int64		ld = mf_padded(u->items.factors);
	ItemEncoder encoder;

	if (!u->objective.item_map || n == 0)
		return;
	priors->list = AlignedZeroArray(n * ld, sizeof(float));
	if (mf_is_joint(&u->objective))
		priors->rating = AlignedZeroArray(n * ld, sizeof(float));
	priors->bias = HugeZeroArray(n, sizeof(float));
	priors->has_prior = HugeZeroArray(n, sizeof(bool));
	if (OpenItemEncoder(u, &encoder))
	{
		encoder.cold_shift = NULL;
		EncodeSelected(u, &encoder, &u->changed_items, TakePrior);
	}
	else
		(void) ReadFactors(u->items.relid, ITEM_ID, u->model->version, &u->items.type, READ_PRIOR, KeepStored, u);
}

/*
 * Has a problem whose items are selected ones draw them to their points, where the version draws known items.  As in a
 * training an item of which attributes say nothing is drawn to 0.
 */
void
DrawToPriors(const Update *u, const Selection *items, MfProblem *problem)
{
	const ItemPriors *priors = &u->item_priors;
	int			ld = mf_padded(u->items.factors);
	float	   *list = AlignedZeroArray(items->count * ld, sizeof(float));
	float	   *rating = priors->rating ? AlignedZeroArray(items->count * ld, sizeof(float)) : list;
	float	   *bias = HugeZeroArray(items->count, sizeof(float));

	if (!u->draws || priors->list == NULL)
		return;
	for (int64 i = 0; i < items->count; i++)
	{
		int32		place = u->changed_items.place[items->number[i]];

		CopyRow(list, i, priors->list, place, ld);
		if (priors->rating)
			CopyRow(rating, i, priors->rating, place, ld);
		bias[i] = priors->bias[place];
	}
	problem->interest_prior = problem->has_interest ? list : NULL;
	problem->rating_prior = problem->has_rating ? rating : NULL;
	problem->bias_prior = problem->has_rating ? bias : NULL;
}
