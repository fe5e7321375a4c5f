/*
 * diversify.h - lists of items that are not all alike.
 */
#ifndef MF_DIVERSIFY_H
#define MF_DIVERSIFY_H

#include <stddef.h>
#include <stdint.h>

#include "core/topk/index.h"

/* The best items by score, from which a list is chosen. */
typedef struct MfPool
{
	int			n;
	int			ld;				/* mf_padded(d) */
	const float *const *vector; /* n vectors of ld finite floats, padding 0 */
	int32_t    *item;			/* n, best first */
	float	   *score;			/* n, finite, descending */
} MfPool;

extern int	mf_diversify_pool(int k);
extern size_t mf_diversify_workspace(int n);
extern double mf_list_similarity(const MfIndex *index, const int32_t *list, int length);
extern void mf_diversify(MfPool *pool, double diversity, int k, void *workspace);

#endif
