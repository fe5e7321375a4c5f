/*
 * item_priors.c - the points that items are drawn to when they are folded in: what the version's map makes of attributes.
 */
#include "postgres.h"

#include "core/base/padding.h"
#include "pg/alloc.h"
#include "serve/item_encode.h"
#include "update/item_priors.h"

/* Items that are encoded together. */
#define BATCH_ITEMS 10000

/* Row `to` of an array of priors = row `from` of another one; either may be NULL. */
static void
CopyRow(const float *priors, int64 to, const float *vectors, int64 from, int ld)
{
	if (priors && vectors)
		memcpy(unconstify(float *, priors) + to * ld, vectors + from * ld, sizeof(float) * ld);
}

/* Sets the priors of n items, from place `first` on, of those that have a row in the relation of attributes. */
static void
EncodeBatch(const Update *u, const ItemEncoder *encoder, const Selection *items, int64 first, int n, const MfProblem *problem)
{
	int			ld = mf_padded(problem->factors);
	int64	   *ids = HugeArray(n, sizeof(int64));
	EncodedItems encoded;

	for (int i = 0; i < n; i++)
		ids[i] = IdAt(u->items.ids, items->number[first + i]);
	EncodeItems(encoder, ids, n, false, &encoded);
	for (int i = 0; i < n; i++)
	{
		int32		row = FindId(encoded.ids, ids[i]);

		if (row < 0)
			continue;
		CopyRow(problem->interest_prior, first + i, encoded.vectors, row, ld);
		CopyRow(problem->rating_prior, first + i, encoded.rating_vectors ? encoded.rating_vectors : encoded.vectors, row, ld);
		if (problem->bias_prior)
			unconstify(float *, problem->bias_prior)[first + i] = encoded.bias[row];
	}
}

/*
 * The priors of selected items, in the current memory context; the problem's items are these.  As in a training an item
 * without a row in the relation is drawn to 0, and so are all where known items are not drawn to the map, or the relation
 * cannot be read.
 */
void
ReadItemPriors(const Update *u, const Selection *items, MfProblem *problem)
{
	int64		ld = mf_padded(problem->factors);
	MemoryContext batch;
	ItemEncoder encoder;

	if (!u->draws || items->count == 0 || !OpenEncoder(&encoder, &item_side, u->model, u->model->version, &u->items.type))
		return;
	encoder.cold_shift = NULL;	/* these are not cold */
	if (problem->has_interest)
		problem->interest_prior = AlignedZeroArray(items->count * ld, sizeof(float));
	if (problem->has_rating)
	{
		problem->rating_prior = AlignedZeroArray(items->count * ld, sizeof(float));
		problem->bias_prior = HugeZeroArray(items->count, sizeof(float));
	}
	batch = AllocSetContextCreate(CurrentMemoryContext, "mfrec item priors", ALLOCSET_DEFAULT_SIZES);
	for (int64 first = 0; first < items->count; first += BATCH_ITEMS)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);

		EncodeBatch(u, &encoder, items, first, (int) Min(BATCH_ITEMS, items->count - first), problem);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
}
