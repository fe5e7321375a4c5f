/*
 * similar_items.c - the items whose vectors are nearest to an item's.
 *
 * By cosine, so popularity, which lives in the length of vectors, counts nothing; every item is looked at.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/base/heap.h"
#include "core/linalg/dot.h"
#include "serve/similar_items.h"

/*
 * The vector by which items resemble each other, ld floats: s_i, of a cold item without the shift that all of those have, or
 * q_i in a model of ratings alone.  `space` has ld floats, and may be where it is.
 */
static const float *
SimilarityVector(const Image *image, int32 item, float *space)
{
	const float *vector;

	if (mf_ratings_alone(&image->objective))
		return RatingVector(image, item);
	vector = InterestVector(image, item, space);
	if (!mf_is_cold(&image->objective, image->counts[item]))
		return vector;
	memmove(space, vector, sizeof(float) * image->index.ld);
	mf_shift_cold(space, -1, image->cold_shift, image->index.ld);
	return space;
}

/*
 * The k items whose vectors point most in the direction of an item's, by decreasing cosine, of equal ones
 * the smaller number first; never the item itself.  rated: without cold items.  The list is in the current memory
 * context.
 */
void
MakeSimilarItems(const Recommender *r, int32 item, bool rated, int k, TopList *list)
{
	const Image *image = r->image;
	int			ld = image->index.ld;
	float	   *space = palloc(sizeof(float) * ld);
	float	   *target = palloc(sizeof(float) * ld);
	MfHeap		best;

	k = Max(1, Min(k, image->nitems));
	mf_heap_start(&best, palloc(sizeof(MfScored) * k), k);
	memcpy(target, SimilarityVector(image, item, space), sizeof(float) * ld);
	for (int32 other = 0; other < image->nitems; other++)
	{
		if (other % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (other != item && !(rated && mf_is_cold(&image->objective, image->counts[other])))
			mf_heap_push(&best, other, mf_cosine(target, SimilarityVector(image, other, space), ld));
	}
	mf_heap_sort(&best);
	InitList(image, k, list);
	for (list->count = 0; list->count < best.count; list->count++)
	{
		list->item[list->count] = (int32) best.entry[list->count].number;
		list->score[list->count] = (float) best.entry[list->count].score;
	}
}
