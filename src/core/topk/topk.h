/*
 * topk.h - the best items for a vector, exactly; see topk.c for why it is exact.
 */
#ifndef MF_TOPK_H
#define MF_TOPK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/threads.h"
#include "core/topk/index.h"
#include "core/topk/topk_query.h"

/* Searches for many vectors at once. */
typedef struct MfTopkBatch
{
	int64_t		nqueries;
	const float *query;			/* nqueries x mf_padded(d) */
	int			k;
	const MfFilter *filter;		/* for all of them (its seen items are not used); may be NULL */
	const int64_t *seen_start;	/* nqueries + 1; query q leaves out seen[seen_start[q] ..
								 * seen_start[q + 1] - 1], in any order; NULL: nothing */
	const int32_t *seen;
	int32_t    *item;			/* result: nqueries x k */
	float	   *score;			/* result: nqueries x k */
	int32_t    *count;			/* result: nqueries: how many of the k there are */
	const MfSq8 *sq8;			/* 8-bit codes of the whole index, or NULL; they help where it has 4-bit ones, too */
} MfTopkBatch;

extern size_t mf_topk_workspace(const MfIndex *index, int k);
extern int	mf_topk_search(const MfIndex *index, const float *query, int k, const MfFilter *filter,
						   void *workspace, int32_t *item, float *score, MfTopkStats *stats);
extern int	mf_topk_similar(const MfIndex *index, const float *query, int k, const MfFilter *filter,
							void *workspace, int32_t *item, float *similarity, MfTopkStats *stats);
extern size_t mf_topk_batch_workspace(const MfIndex *index, int k, const MfParallel *parallel);
extern bool mf_topk_batch(const MfIndex *index, const MfTopkBatch *batch, void *workspace,
						  const MfParallel *parallel);
extern double mf_topk_exact_score(const MfIndex *index, const float *query, int32_t item);
extern void mf_topk_score(const MfIndex *index, const float *query, const int32_t *item, int64_t nitems,
						  float *score);

#endif
