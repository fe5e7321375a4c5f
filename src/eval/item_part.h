/*
 * item_part.h - the items that an evaluation ranks among themselves: all, those without ratings, the others.
 */
#ifndef MFREC_ITEM_PART_H
#define MFREC_ITEM_PART_H

#include "core/metrics/auc.h"
#include "core/topk/topk_query.h"
#include "image/image_cache.h"

/* The parts; those behind the first are there where cold items are measured. */
typedef enum ItemPartId
{
	PART_ALL,
	PART_COLD,
	PART_WARM,
	PART_CONTENT,				/* cold items once more, as content alone ranks them */
	PARTS
} ItemPartId;

/* The items of a part, and how they are searched. */
typedef struct ItemPart
{
	const char *prefix;			/* of the names of its metrics */
	const MfFilter *filter;		/* lets in the part's items alone; NULL: all */
	const MfAucPart *places;	/* of its items in the index; NULL: all */
	int64		nitems;
	MfPopularity popularity;	/* of its items: the baseline; count NULL: a random order is */
} ItemPart;

/* The part of an item that the model knows, besides PART_ALL. */
static inline ItemPartId
PartOfItem(const Image *image, int32 item)
{
	return mf_is_cold(&image->objective, image->counts[item]) ? PART_COLD : PART_WARM;
}

extern int	InitParts(ItemPart part[PARTS], const Image *image, const int32 *test_item, int64 ntest);

#endif
