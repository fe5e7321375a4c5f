/*
 * topk.c - the best items for a vector, exactly.
 *
 * Given p, the score of item i is s_i = p.v_i + o_i, computed in double, coordinate after coordinate:
 * what a naive scan computes.  The result is the first k items by (score descending, number
 * ascending) that the filter lets in.  It is found without computing most of the scores:
 *
 * 1. The threshold.  As soon as k items are known to score at least t, an item that is known to score
 *	  less than t cannot be in the result.  It would be behind those k, whatever the rest holds.  The
 *	  reservoir of candidates keeps the largest such t, its threshold, which only rises.
 * 2. Packs.  p.v <= |p| |v| (Cauchy-Schwarz), so no item of a pack scores more than |p| times the
 *	  pack's largest norm plus its largest offset.  Where vectors are of two parts, of which only one goes on behind
 *	  some coordinates, the same holds of those before and of those behind, and the sum of both products of norms is
 *	  never more for one item, but may be for a pack, so the lesser of both bounds counts.  Users who rate little
 *	  have next to nothing behind, where items have as much as ever.  Packs and blocks whose bound is below the
 *	  threshold are passed over, and a search ends where no later block can reach it: norms descend.
 * 3. Codes.  What is left of a block is looked at by codes of 4 or 8 bits, where there are any: what they
 *	  may miss of a score is bounded, too (sq4.c, sq8.c).
 * 4. Floats.  An item that is looked at is scored in float, which is off by at most e (score.h).  It
 *	  goes into the reservoir when float score + e reaches the threshold, and an item of the reservoir
 *	  counts towards the threshold with float score - e.
 * 5. Doubles.  What is left in the reservoir at the end, or when it overflows, is scored in double; those
 *	  scores alone decide who is in and in which order.
 *
 * Bounds are rounded upwards: norms are stored a little larger than they are, which also covers the
 * rounding of the double score itself (relative 2^-53 d against 2^-22).  Where |p| |v| is so large that
 * floats could overflow, e is infinite, and the double score decides.
 *
 * At most n per group: the best k by that rule, taken greedily, are the best k of those that are among
 * the n best of their group.  More items only push that k-th score up, so thresholds work as before.
 */
#include "core/topk/topk.h"

#include "core/base/padding.h"
#include "core/topk/topk_search.h"

/* Bytes of 64-byte aligned workspace that a search for the best k needs. */
size_t
mf_topk_workspace(const MfIndex *index, int k)
{
	MfArena		arena = {NULL, 0};
	MfSearchSpace space;

	mf_search_lay_out(&space, &arena, index, mf_search_k(index, k));
	return arena.used;
}

/* Looks at a few candidates, one by one. */
static void
search_candidates(MfSearch *search)
{
	int32_t    *position = search->space.position;
	int			n = mf_search_find_candidates(search, position);

	for (int i = 0; i < n; i++)
		mf_search_enqueue(search, position[i]);
	mf_search_last(search);
}

/* Goes through the blocks until no later one can hold one of the best. */
static void
search_blocks(MfSearch *search)
{
	if (search->filter->candidates != NULL)
		mf_search_mark_candidates(search);
	else if (search->filter->allowed != NULL)
		mf_search_mark_allowed(search);
	mf_search_first(search);
	for (int64_t turn = 0; turn < search->index->nblocks; turn++)
		if (!mf_search_next(search, mf_index_visited(search->index, turn)))
			break;
	mf_search_last(search);
}

/* A whole search by score or by cosine; see mf_topk_search(). */
static int
run_search(const MfIndex *index, const float *query, int k, const MfFilter *filter, void *workspace,
		   bool cosine, int32_t *item, float *score, MfTopkStats *stats)
{
	static const MfFilter everything = {0};
	MfArena		arena = {workspace, 0};
	MfSearchSpace space;
	MfSearch	search;

	k = mf_search_k(index, k);
	if (k <= 0)
		return 0;
	if (filter == NULL)
		filter = &everything;
	mf_search_lay_out(&space, &arena, index, k);
	mf_search_start(&search, index, query, k, filter, &space, cosine);
	if (filter->candidates != NULL && filter->ncandidates <= MF_FEW_CANDIDATES)
		search_candidates(&search);
	else
		search_blocks(&search);
	return mf_search_finish(&search, item, score, stats);
}

/*
 * The best k items for a query of d finite floats, among those that the filter (NULL: all) lets in:
 * item[] and score[] have room for k, best first, ties by smaller item, but of score 0 by a lot of the query.  Returns
 * how many there are. The workspace has mf_topk_workspace(index, k) bytes, 64-byte aligned.  stats may be NULL.
 */
int
mf_topk_search(const MfIndex *index, const float *query, int k, const MfFilter *filter,
			   void *workspace, int32_t *item, float *score, MfTopkStats *stats)
{
	return run_search(index, query, k, filter, workspace, false, item, score, stats);
}

/*
 * The same by cosine, without offsets: (query . v) / (|query| |v|), 0 for a vector of length 0.  The
 * item that the query belongs to is left out by the filter.
 */
int
mf_topk_similar(const MfIndex *index, const float *query, int k, const MfFilter *filter,
				void *workspace, int32_t *item, float *similarity, MfTopkStats *stats)
{
	return run_search(index, query, k, filter, workspace, true, item, similarity, stats);
}

/* The score of an item, 0 <= item < nitems, by which a search orders it; query: d floats. */
double
mf_topk_exact_score(const MfIndex *index, const float *query, int32_t item)
{
	int32_t		position = index->position[item];
	float		row[MF_MAX_PADDED];
	const float *vector = mf_index_row(index, position, row);
	double		sum = 0;

	for (int j = 0; j < index->factors; j++)
		sum += (double) query[j] * vector[j];
	return index->offset == NULL ? sum : sum + index->offset[position];
}

/* The scores of chosen items, as a search gives them. */
void
mf_topk_score(const MfIndex *index, const float *query, const int32_t *item, int64_t nitems, float *score)
{
	for (int64_t i = 0; i < nitems; i++)
		score[i] = (float) mf_topk_exact_score(index, query, item[i]);
}
