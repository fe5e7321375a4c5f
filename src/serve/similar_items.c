/*
 * similar_items.c - the items whose vectors are nearest to an item's, or what their attributes alone make of these.
 *
 * By cosine, so popularity, which lives in the length of vectors, counts nothing.  The image has an index of directions
 * for it.
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

/* The vector by which an item resembles others; `space` has ld floats, and may be where it is. */
static const float *
SimilarityVector(const Image *image, int32 item, float *space)
{
	return mf_index_row(&image->similar, image->index.position[item], space);
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
	mf_heap_push(&search->best, item, mf_cosine(search->target, vector, search->image->similar.factors));
}

/* Compares the items without ratings of the image that are let in, in the order in which vectors lie. */
static void
CompareCold(ItemSearch *search)
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

			if (IsCold(search, item) && Admits(search, item))
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
		TakeTarget(search, SimilarityVector(image, item, search->target), image->similar.factors);
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

/* Compares all items that the filter lets in by what attributes make of them, and keeps the k nearest. */
static void
CompareAll(ItemSearch *search, const ListFilter *filter)
{
	const Recommender *r = search->recommender;

	search->wanted = WantedPositions(search->image, filter);
	CompareCold(search);
	ReadFactors(r->model->item_relid, ITEM_ID, r->version, &r->image->item_type, READ_PRIOR, CompareRow, search);
}

/* The nearest k items by the index of directions. */
static void
SearchDirections(const ItemSearch *search, const ListFilter *filter, int k, TopList *list)
{
	const MfIndex *index = &search->image->similar;
	MfFilter	numbered = {.candidates = filter->candidates,.ncandidates = filter->ncandidates,.excluded = search->excluded,
	.seen = &search->item,.nseen = search->item >= 0 ? 1 : 0};

	list->count = mf_topk_similar(index, search->target, k, &numbered, SearchWorkspace(mf_topk_workspace(index, k)),
								  list->item, list->score, NULL);
}

/* The k items nearest to the target that a filter lets in; a RankFunction, which does not count groups. */
static void
RankSimilar(void *state, const ListFilter *filter, int k, TopList *list)
{
	ItemSearch *search = state;
	const Image *image = search->image;

	search->excluded = MarkExcluded(image, filter);
	k = Max(1, Min(k, image->nitems));
	InitList(image, k, list);
	if (!search->content)
	{
		SearchDirections(search, filter, k, list);
		return;
	}
	mf_heap_start(&search->best, HugeArray(k, sizeof(MfScored)), k);
	CompareAll(search, filter);
	mf_heap_sort(&search->best);
	for (; list->count < search->best.count; list->count++)
	{
		list->item[list->count] = (int32) search->best.entry[list->count].number;
		list->score[list->count] = (float) search->best.entry[list->count].score;
	}
}

/*
 * The k items whose vectors point most in the direction of an item's, given by its id, of those that a filter lets
 * in, by decreasing cosine, of equal ones the smaller number first, but of 0 by lot; never the item itself; at most so many of each
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
