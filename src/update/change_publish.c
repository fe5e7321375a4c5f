/*
 * change_publish.c - the image of a version whose items have changed, from what the update has in memory.
 *
 * Few items change in an update, and most of an image is made of those that have not: it is patched
 * (image/image_renew.c), for which each item's fate says whether its part can be copied.  Where that is not possible,
 * as there was no image or there are too many changes for the room that it has, one is built of all items, in the order
 * of their ids as a training's are. Either way sessions get the file before the commit at which they need it, and
 * nothing is read back from the tables.
 */
#include "postgres.h"

#include "core/base/padding.h"
#include "image/image_cache.h"
#include "image/image_publish.h"
#include "model/model_write.h"
#include "pg/alloc.h"
#include "update/update_state.h"

/* By number, whether an item is one of the version's now. */
static inline bool
IsStored(const Side *items, int64 number)
{
	return items->change[number] == CHANGE_NONE ? items->known[number] : items->change[number] != CHANGE_EMPTIED;
}

/*
 * Whether all items are the version's, in the order of their ids, as a table has them that a training has just filled.
 */
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
 * An array of the version's items by rank of their ids; place: by number, -1 of others.  width: floats, or other
 * numbers of 4 bytes, of each.  Where they are in order it is the array given.  NULL remains NULL.
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

/*
 * What becomes of each item's part of the image, by number: where lists go by recency, they have other vectors of those
 * that have only been counted.
 */
static uint8 *
ItemFates(const Update *u)
{
	const Side *items = &u->items;
	bool		recency = items->trends && u->objective.trend_weight > 0;
	uint8	   *fate = HugeArray(items->ids->count, sizeof(uint8));

	for (int64 i = 0; i < items->ids->count; i++)
		if (!IsStored(items, i))
			fate[i] = ITEM_GONE;
		else
			fate[i] = items->change[i] == CHANGE_NONE || (items->change[i] == CHANGE_COUNTED && !recency) ? ITEM_KEPT :
				ITEM_CHANGED;
	return fate;
}

/* What the version has of items, as their numbers are in the update. */
static void
DescribeItems(const Update *u, ImageSource *source)
{
	const Side *items = &u->items;
	bool		ratings_alone = mf_ratings_alone(&u->objective);

	*source = (ImageSource) {.objective = u->objective,.mean_user = u->served_mean,.cold_shift = u->cold_shift,
	.mean_bias = u->mean_bias,.ids = items->ids,.bias = items->bias,.counts = items->counts,
	.trends = items->trends,.numbers = u->stores_seen ? items->numbers : NULL,.nnumbers = u->numbers,.parallel = u->parallel};
	source->interest = ratings_alone ? NULL : items->vectors;
	source->rating = ratings_alone ? items->vectors : items->rating_vectors;
}

/* The same in the order of their ids, without those that there are none of any more: as an image is built. */
static void
RankSource(const Update *u, ImageSource *source)
{
	const Side *items = &u->items;
	int64		ld = mf_padded(items->factors);
	int32	   *place = HugeArray(items->ids->count, sizeof(int32));
	IdMap	   *ids = RankItems(items, place);

	source->ids = ids;
	source->interest = ByRank(items, place, ids->count, source->interest, ld);
	source->rating = ByRank(items, place, ids->count, source->rating, ld);
	source->bias = ByRank(items, place, ids->count, source->bias, 1);
	source->counts = ByRank(items, place, ids->count, source->counts, 1);
	source->trends = ByRank(items, place, ids->count, source->trends, 1);
	source->numbers = ByRank(items, place, ids->count, source->numbers, 1);
}

/* Leaves the image to all sessions, which map it once this commits, without reading what has just been stored. */
void
PublishChanges(const Update *u)
{
	ImageChanges changes = {.fate = ItemFates(u)};
	pg_uuid_t	uuid;

	if (!HasImageFile(u->model, u->items.ids->count))
	{
		SupersedeImages(u->model->name, NULL);	/* there may be one of before, when items were more */
		RenewVersionImage(u->model->name, u->model->version);
		return;
	}
	DescribeItems(u, &changes.source);
	if (RenewImage(u->model, &changes, &uuid))
		return;
	RankSource(u, &changes.source);
	changes.source.uuid = uuid;
	PublishImage(&changes.source);
}
