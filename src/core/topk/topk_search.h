/*
 * topk_search.h - how a search for the best items begins and ends.
 */
#ifndef MF_TOPK_SEARCH_H
#define MF_TOPK_SEARCH_H

#include "core/topk/topk_state.h"

extern int	mf_search_k(const MfIndex *index, int k);
extern void mf_search_lay_out(MfSearchSpace *space, MfArena *arena, const MfIndex *index, int k);
extern void mf_search_start(MfSearch *search, const MfIndex *index, const float *query, int k,
							const MfFilter *filter, const MfSearchSpace *space, bool cosine);
extern int	mf_search_finish(MfSearch *search, int32_t *item, float *score, MfTopkStats *stats);

#endif
