/*
 * item_part.c - the items that an evaluation ranks among themselves: all, those without ratings, the others.
 *
 * Metrics of all items say how good the lists are that users get.  With cold items among them they say little of each
 * kind: cold ones are seldom on top, whatever their order is, and who wants to know what attributes do to the lists of
 * rated items must not count the places that cold ones take.  So each kind is ranked by itself, too.
 */
#include "postgres.h"

#include "eval/baseline.h"
#include "eval/item_part.h"
#include "pg/alloc.h"

/* The places in the index of the nitems items of a part, ascending; some places there are of no item. */
static MfAucPart *
FindPlaces(const Image *image, ItemPartId id, int64 nitems)
{
	MfAucPart  *places = palloc(sizeof(MfAucPart));
	int32	   *position = HugeArray(nitems, sizeof(int32));

	places->nitems = 0;
	places->position = position;
	for (int64 p = 0; p < image->index.npacks * MF_PACK; p++)
	{
		int32		item = image->index.item[p];

		if (item >= 0 && (id == PART_ALL || PartOfItem(image, item) == id))
			position[places->nitems++] = (int32) p;
	}
	return places;
}

/*
 * What lets in the nitems items of a part alone.  The smaller part is looked up item by item.  Items of the larger one
 * are found as all are, and those of the other left out as they turn up.
 */
static MfFilter *
FilterPart(const Image *image, ItemPartId id, int64 nitems)
{
	MfFilter   *filter = palloc0(sizeof(MfFilter));
	bool		smaller = nitems <= image->nitems / 2;
	int32	   *candidates = smaller ? HugeArray(nitems, sizeof(int32)) : NULL;
	uint64	   *excluded = smaller ? NULL : HugeZeroArray(image->nitems / 64 + 1, sizeof(uint64));

	for (int32 i = 0; i < image->nitems; i++)
	{
		bool		member = PartOfItem(image, i) == id;

		if (smaller && member)
			candidates[filter->ncandidates++] = i;
		else if (!smaller && !member)
			excluded[i / 64] |= UINT64CONST(1) << (i % 64);
	}
	filter->candidates = candidates;
	filter->excluded = excluded;
	return filter;
}

/* Makes the part of cold items, or that of the others. */
static void
InitPart(ItemPart *part, const char *prefix, const Image *image, ItemPartId id, int64 nitems)
{
	part->prefix = prefix;
	part->nitems = nitems;
	part->filter = FilterPart(image, id, nitems);
	part->places = FindPlaces(image, id, nitems);
}

/*
 * Makes the parts, zeroed before, that an evaluation measures, in the current memory context, and returns how many: all
 * items alone, unless one of the test relation's (ntest numbers in the image, -1: unknown) is cold.  Cold items are
 * alike in popularity, so the baseline of their lists is a random order.
 */
int
InitParts(ItemPart part[PARTS], const Image *image, const int32 *test_item, int64 ntest)
{
	int64		warm = 0;
	bool		tested = false;

	part[PART_ALL].prefix = "";
	part[PART_ALL].nitems = image->nitems;
	if (image->index.renewed_blocks > 0)	/* else all places are of items */
		part[PART_ALL].places = FindPlaces(image, PART_ALL, image->nitems);
	InitPopularity(&part[PART_ALL].popularity, image, image->nitems);
	for (int64 i = 0; i < ntest; i++)
		tested = tested || (test_item[i] >= 0 && PartOfItem(image, test_item[i]) == PART_COLD);
	if (!tested)
		return 1;
	for (int32 i = 0; i < image->nitems; i++)
		warm += PartOfItem(image, i) == PART_WARM;
	InitPart(&part[PART_COLD], "cold_", image, PART_COLD, image->nitems - warm);
	InitPart(&part[PART_WARM], "warm_", image, PART_WARM, warm);
	/* items that have ratings are the most popular ones */
	InitPopularity(&part[PART_WARM].popularity, image, warm);
	part[PART_CONTENT].prefix = "content_";
	return PART_CONTENT;
}
