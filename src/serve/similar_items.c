/*
 * similar_items.c - the items whose vectors are nearest to an item's, or what their attributes alone make of these.
 *
 * By cosine, so popularity, which lives in the length of vectors, counts nothing; every item is looked at.
 *
 * The vectors that lists go by are in the image.  What attributes make of items with ratings is not: it is read from the
 * model's table in one pass, as a search for users is.  Of an item without ratings the vector is that.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "core/base/heap.h"
#include "core/linalg/dot.h"
#include "serve/new_items.h"
#include "serve/similar_items.h"

/* A search for the k items nearest to one. */
typedef struct ItemSearch
{
	const Image *image;
	int32		item;			/* the one; -1: it is not in the image */
	bool		rated;			/* without cold items */
	int			ld;
	float	   *target;			/* ld floats */
	bool		found;			/* the target is there */
	MfHeap		best;
} ItemSearch;

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

/* Whether an item has no ratings, so that its vector is what its attributes make of it. */
static bool
IsCold(const ItemSearch *search, int32 item)
{
	return mf_is_cold(&search->image->objective, search->image->counts[item]);
}

/* Compares an item's vector with the target, unless it is the target's own, or left out. */
static void
Compare(ItemSearch *search, int32 item, const float *vector)
{
	if (item != search->item && !(search->rated && IsCold(search, item)))
		mf_heap_push(&search->best, item, mf_cosine(search->target, vector, search->ld));
}

/* Compares all items of the image, or those without ratings. */
static void
CompareImage(ItemSearch *search, bool cold_alone)
{
	float	   *space = palloc(sizeof(float) * search->ld);

	for (int32 other = 0; other < search->image->nitems; other++)
	{
		if (other % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!cold_alone || IsCold(search, other))
			Compare(search, other, SimilarityVector(search->image, other, space));
	}
	pfree(space);
}

/* Takes the vector of the item that the search is for. */
static void
TakeTarget(ItemSearch *search, const float *vector, int factors)
{
	memmove(search->target, vector, sizeof(float) * factors);	/* it may be there */
	search->found = true;
}

/* StoredRowFunction: what attributes make of the item that the search is for. */
static void
TakeTargetRow(void *state, const StoredRow *row)
{
	ItemSearch *search = state;

	if (row->prior && row->factors == mf_dimensions(&search->image->objective))
		TakeTarget(search, row->prior, row->factors);
}

/* The same of one after the other of the items with ratings: compares it. */
static void
CompareRow(void *state, const StoredRow *row)
{
	ItemSearch *search = state;
	float	   *space = search->target + search->ld;
	int32		item = FindId(&search->image->ids, row->id);

	CHECK_FOR_INTERRUPTS();
	if (item < 0 || IsCold(search, item) || row->prior == NULL || row->factors != mf_dimensions(&search->image->objective))
		return;
	memcpy(space, row->prior, sizeof(float) * row->factors);
	Compare(search, item, space);
}

/* Finds the target: of an item that came after the training from its attributes; false where nothing is known. */
static bool
FindTarget(const Recommender *r, ItemSearch *search, int64 id, bool content)
{
	const Image *image = r->image;
	int32		item = search->item;
	NewItems	new;

	if (item < 0)
	{
		if (FindNewItems(r, &id, 1, &new))
		{
			if (!mf_ratings_alone(&image->objective))
				mf_shift_cold(new.items.vectors, -1, image->cold_shift, search->ld);
			TakeTarget(search, new.items.vectors, search->ld);
		}
	}
	else if (content && !IsCold(search, item))
		ReadFactorsOf(r->model->item_relid, ITEM_ID, r->version, &image->item_type, id, READ_PRIOR, TakeTargetRow, search);
	else
		TakeTarget(search, SimilarityVector(image, item, search->target), search->ld);
	return search->found;
}

/* An error unless a version goes by attributes of items, and has kept what they make of these. */
static void
CheckContent(const Recommender *r)
{
	if (!r->image->objective.item_map)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" does not go by attributes of items", r->model->name),
				 errhint("Train it with the argument item_features of mf_train.")));
}

/*
 * The k items whose vectors point most in the direction of an item's, given by its id, by decreasing cosine, of equal ones
 * the smaller number first; never the item itself.  content: by what attributes alone make of them, where they make
 * something; an error where the version does not go by attributes.  rated: without cold items.  The list is in the current
 * memory context; empty where nothing is known of the item.
 */
void
MakeSimilarItems(const Recommender *r, int64 id, bool content, bool rated, int k, TopList *list)
{
	const Image *image = r->image;
	ItemSearch	search = {.image = image,.item = FindId(&image->ids, id),.rated = rated,.ld = image->index.ld};

	if (content)
		CheckContent(r);
	search.target = palloc0(sizeof(float) * search.ld * 2);
	k = Max(1, Min(k, image->nitems));
	mf_heap_start(&search.best, palloc(sizeof(MfScored) * k), k);
	InitList(image, k, list);
	if (!FindTarget(r, &search, id, content))
		return;
	CompareImage(&search, content);
	if (content)
		ReadFactors(r->model->item_relid, ITEM_ID, r->version, &image->item_type, READ_PRIOR, CompareRow, &search);
	mf_heap_sort(&search.best);
	for (list->count = 0; list->count < search.best.count; list->count++)
	{
		list->item[list->count] = (int32) search.best.entry[list->count].number;
		list->score[list->count] = (float) search.best.entry[list->count].score;
	}
}
