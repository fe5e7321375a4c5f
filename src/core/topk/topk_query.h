/*
 * topk_query.h - what a search is asked besides its vector, and what it tells besides its result.
 */
#ifndef MF_TOPK_QUERY_H
#define MF_TOPK_QUERY_H

#include <stdint.h>

/*
 * Which items may be in a result; all conditions hold together.  Zeroed, it lets every item in.
 * Bitmaps have bit i % 64 of word i / 64 for item i.
 */
typedef struct MfFilter
{
	const uint64_t *allowed;	/* bitmap: only these; NULL: all */
	const uint64_t *excluded;	/* bitmap: none of these; NULL: none */
	const int32_t *seen;		/* nseen items in any order: none of these */
	int64_t		nseen;
	const int32_t *candidates;	/* ncandidates items in any order: only these; NULL: all.  Negative
								 * numbers and repetitions are passed over */
	int64_t		ncandidates;
	const int32_t *group;		/* nitems: the item's group, 1 or more; 0: none.  NULL: no groups */
	int			per_group;		/* at most so many of a group, the best of it; groups need it >= 1 */
} MfFilter;

/* What a search did, added to what is there already. */
typedef struct MfTopkStats
{
	int64_t		coded;			/* items looked at by their codes */
	int64_t		scored;			/* items scored in float */
	int64_t		rescored;		/* items scored in double */
} MfTopkStats;

#endif
