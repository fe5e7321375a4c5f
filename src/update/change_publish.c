/*
 * change_publish.c - the image of a version whose items have changed, from what the update has in memory.
 */
#include "postgres.h"

#include "core/base/padding.h"
#include "image/image_publish.h"
#include "pg/alloc.h"
#include "update/update_state.h"

/* By number, whether an item is one of the version's now. */
static inline bool
IsStored(const Side *items, int64 number)
{
	return items->change[number] == CHANGE_NONE ? items->known[number] : items->change[number] != CHANGE_EMPTIED;
}

/* Whether all items are the version's, in the order of their ids, as a table has them that a training has just filled. */
static bool
InOrder(const Side *items, const int32 *place, int64 count)
{
	if (count != items->ids->count)
		return false;
	for (int64 i = 0; i < count; i++)
		if (place[i] != i)
			return false;
	return true;
}

/*
 * An array of the version's items by rank of their ids; place: by number, -1 of others.  width: floats, or other numbers
 * of 4 bytes, of each.  Where they are in order it
 * is the array given.  NULL remains NULL.
 */
static void *
ByRank(const Side *items, const int32 *place, int64 count, const void *values, int64 width)
{
	Size		bytes = width * 4;
	char	   *ordered;

	if (values == NULL || InOrder(items, place, count))
		return unconstify(void *, values);
	ordered = AlignedArray(count, bytes);
	for (int64 i = 0; i < items->ids->count; i++)
		if (place[i] >= 0)
			memcpy(ordered + place[i] * bytes, (const char *) values + i * bytes, bytes);
	return ordered;
}

/* place: of each item of the version its rank by id, -1 of others.  Returns the dictionary, in that order. */
static IdMap *
RankItems(const Side *items, int32 *place)
{
	IdMap	   *ids = CreateIdMap((IdType *) &items->type);
	const int32 *rank;

	for (int64 i = 0; i < items->ids->count; i++)
		place[i] = IsStored(items, i) ? AddId(ids, IdAt(items->ids, i)) : -1;
	rank = SortIdMap(ids);
	for (int64 i = 0; rank && i < items->ids->count; i++)	/* NULL: they were in order */
		if (place[i] >= 0)
			place[i] = rank[place[i]];
	return ids;
}

/* Leaves the image to all sessions, which map it once this commits, without reading what has just been stored. */
void
PublishChanges(const Update *u)
{
	const Side *items = &u->items;
	int64		ld = mf_padded(items->factors);
	int32	   *place = HugeArray(items->ids->count, sizeof(int32));
	IdMap	   *ids = RankItems(items, place);
	ImageSource source = {.objective = u->objective,.mean_user = u->mean_user,.mean_bias = u->mean_bias,.ids = ids,
	.nnumbers = u->numbers,.parallel = u->parallel};
	float	   *vectors = ByRank(items, place, ids->count, items->vectors, ld);

	if (mf_ratings_alone(&u->objective))
		source.rating = vectors;
	else
	{
		source.interest = vectors;
		source.rating = ByRank(items, place, ids->count, items->rating_vectors, ld);
	}
	source.bias = ByRank(items, place, ids->count, items->bias, 1);
	source.counts = ByRank(items, place, ids->count, items->counts, 1);
	source.numbers = u->stores_seen ? ByRank(items, place, ids->count, items->numbers, 1) : NULL;
	source.trends = ByRank(items, place, ids->count, items->trends, 1);
	RenewImage(u->model, &source);
}
