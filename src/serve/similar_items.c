/*
 * similar_items.c - the items whose vectors are nearest to an item's, or what their attributes alone make of these.
 *
 * By cosine, so popularity, which lives in the length of vectors, counts nothing.  The image has an index of directions
 * for it, which tells items that are near enough; these are compared by their vectors.
 *
 * The vectors that lists go by are in the image.  What attributes make of items with ratings is not: it is read from
 * the model's table in one pass, as a search for users is.  Of an item without ratings the vector is that.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "port/pg_bitutils.h"

#include "core/base/heap.h"
#include "core/linalg/dot.h"
#include "core/topk/topk.h"
#include "pg/alloc.h"
#include "serve/new_items.h"
#include "serve/similar_items.h"

/* How far the cosine by directions may be from that of vectors: both are rounded, and s_i may be off by a millionth. */
#define DIRECTION_ERROR 4e-6

/* Items that are compared beyond those asked for, and so many that it is better to compare all. */
#define SPARE_ITEMS 32
#define MOST_NEAREST 4096

/* A search for the k items nearest to one. */
typedef struct ItemSearch
{
	const Image *image;
	int32		item;			/* the one; -1: it is not in the image */
	bool		content;		/* by what attributes alone make of items */
	const Recommender *recommender;
	const uint64_t *wanted;		/* a bit by position: only these */
	const uint64_t *excluded;	/* a bit by item: none of these; NULL: none */
	int			ld;
	float	   *target;			/* ld floats */
	bool		found;			/* the target is there */
	MfHeap		best;
} ItemSearch;

/*
 * The vector by which items resemble each other, ld floats: s_i, of a cold item without the shift that all of those
 * have, or q_i in a model of ratings alone.  `space` has ld floats, and may be where it is.
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

/* Words of a bitmap of the positions of the image's index. */
static int64
PositionWords(const Image *image)
{
	return image->index.nblocks * (MF_BLOCK / 64);
}

/* A bitmap of the positions of candidates, or of all items where there are none. */
static const uint64_t *
WantedPositions(const Image *image, const ListFilter *filter)
{
	const MfIndex *index = &image->index;
	uint64_t   *wanted;

	if (filter->candidates == NULL)
		return index->live;
	wanted = palloc0(sizeof(uint64_t) * PositionWords(image));
	for (int i = 0; i < filter->ncandidates; i++)
	{
		int32		position = filter->candidates[i] < 0 ? -1 : index->position[filter->candidates[i]];

		if (position >= 0)
			wanted[position / 64] |= UINT64CONST(1) << (position % 64);
	}
	return wanted;
}

/* Whether an item has no ratings, so that its vector is what its attributes make of it. */
static bool
IsCold(const ItemSearch *search, int32 item)
{
	return mf_is_cold(&search->image->objective, search->image->counts[item]);
}

/* Whether the filter lets an item in; the item that the search is for is never. */
static bool
Admits(const ItemSearch *search, int32 item)
{
	int32		position = search->image->index.position[item];
	uint64_t	bit = UINT64CONST(1) << (item % 64);

	if (item == search->item || (search->excluded && (search->excluded[item / 64] & bit)))
		return false;
	return search->wanted[position / 64] >> (position % 64) & 1;
}

/* Compares an item's vector with the target. */
static void
Compare(ItemSearch *search, int32 item, const float *vector)
{
	mf_heap_push(&search->best, item, mf_cosine(search->target, vector, search->ld));
}

/*
 * Compares all items of the image that are let in, or of these those without ratings, in the order in which vectors
 * lie.
 */
static void
CompareImage(ItemSearch *search, bool cold_alone)
{
	const Image *image = search->image;
	int64		words = PositionWords(image);
	float	   *space = palloc(sizeof(float) * search->ld);

	for (int64 w = 0; w < words; w++)
	{
		if (w % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		for (uint64_t bits = search->wanted[w]; bits != 0; bits &= bits - 1)
		{
			int32		item = image->index.item[w * 64 + pg_rightmost_one_pos64(bits)];

			if ((!cold_alone || IsCold(search, item)) && Admits(search, item))
				Compare(search, item, SimilarityVector(image, item, space));
		}
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
	if (item < 0 || IsCold(search, item) || !Admits(search, item) || row->prior == NULL ||
		row->factors != mf_dimensions(&search->image->objective))
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

/* Compares all items that the filter lets in, and keeps the k nearest. */
static void
CompareAll(ItemSearch *search, const ListFilter *filter)
{
	const Recommender *r = search->recommender;

	search->wanted = WantedPositions(search->image, filter);
	CompareImage(search, search->content);
	if (search->content)
		ReadFactors(r->model->item_relid, ITEM_ID, r->version, &r->image->item_type, READ_PRIOR, CompareRow, search);
}

/* The nearest n items by the index of directions: best first, in a new list. */
static void
SearchDirections(const ItemSearch *search, const ListFilter *filter, int n, TopList *list)
{
	const MfIndex *index = &search->image->similar;
	MfFilter	numbered = {.candidates = filter->candidates,.ncandidates = filter->ncandidates,.excluded = search->excluded,
	.seen = &search->item,.nseen = search->item >= 0 ? 1 : 0};

	InitList(search->image, n, list);
	list->count = mf_topk_search(index, search->target, n, &numbered, SearchWorkspace(mf_topk_workspace(index, n)),
								 list->item, list->score, NULL);
}

/*
 * Keeps the k nearest items of those that the index of directions says are nearest, and some more.  Directions are
 * rounded, so that they tell cosines to within DIRECTION_ERROR only; no other item is nearer if the last one of these
 * is farther by more than that.  False where too many are nearly as near.
 */
static bool
CompareNearest(ItemSearch *search, const ListFilter *filter, int k)
{
	double		length = sqrt(mf_dot(search->target, search->target, search->ld));
	float	   *space = palloc(sizeof(float) * search->ld);

	for (int64 n = k + SPARE_ITEMS; length > 0 && n <= MOST_NEAREST && 2 * n < search->image->nitems; n *= 4)
	{
		TopList		near;

		CHECK_FOR_INTERRUPTS();
		SearchDirections(search, filter, (int) n, &near);
		mf_heap_start(&search->best, search->best.entry, k);
		for (int i = 0; i < near.count; i++)
			Compare(search, near.item[i], SimilarityVector(search->image, near.item[i], space));
		if (near.count < n ||
			search->best.entry[0].score * length > near.score[near.count - 1] + DIRECTION_ERROR * length)
			return true;
	}
	return false;
}

/* The k items nearest to the target that a filter lets in; a RankFunction, which does not count groups. */
static void
RankSimilar(void *state, const ListFilter *filter, int k, TopList *list)
{
	ItemSearch *search = state;
	const Image *image = search->image;

	search->excluded = MarkExcluded(image, filter);
	k = Max(1, Min(k, image->nitems));
	mf_heap_start(&search->best, HugeArray(k, sizeof(MfScored)), k);
	InitList(image, k, list);
	if (search->content || !CompareNearest(search, filter, k))
	{
		mf_heap_start(&search->best, search->best.entry, k);
		CompareAll(search, filter);
	}
	mf_heap_sort(&search->best);
	for (; list->count < search->best.count; list->count++)
	{
		list->item[list->count] = (int32) search->best.entry[list->count].number;
		list->score[list->count] = (float) search->best.entry[list->count].score;
	}
}

/*
 * The k items whose vectors point most in the direction of an item's, given by its id, of those that a filter lets
 * in, by decreasing cosine, of equal ones the smaller number first; never the item itself; at most so many of each
 * group. content: by what attributes alone make of them, where they make something; an error where the version does
 * not go by attributes.  The list is in the current memory context; empty where nothing is known of the item.
 */
void
MakeSimilarItems(const Recommender *r, int64 id, bool content, const ListFilter *filter, Grouping *grouping, int k,
				 TopList *list)
{
	const Image *image = r->image;
	ItemSearch	search = {.image = image,.recommender = r,.content = content,.ld = image->index.ld};
	Ranking		ranking = {RankSimilar, &search, false};

	if (content)
		CheckContent(r);
	search.item = FindId(&image->ids, id);
	search.target = palloc0(sizeof(float) * search.ld * 2);
	InitList(image, 1, list);
	if (!FindTarget(r, &search, id, content))
		return;
	if (grouping->per_group > 0)
		CapGroups(image, &ranking, filter, grouping, k, list);
	else
		RankSimilar(&search, filter, k, list);
}
