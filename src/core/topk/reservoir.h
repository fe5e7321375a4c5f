/*
 * reservoir.h - the best k of a stream of scored items, where a score may be known to within an error only.
 *
 * What FAISS calls a reservoir: items are added without order, and a selection throws the worst away whenever it is
 * full.  Its threshold is what a search may prune by.
 */
#ifndef MF_RESERVOIR_H
#define MF_RESERVOIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An item that may be among the best: its score is within error of `score`; error 0: it is `score`. */
typedef struct MfReservoirEntry
{
	double		score;
	float		error;
	int32_t		position;		/* of the item, in the index */
} MfReservoirEntry;

typedef struct MfReservoir
{
	MfReservoirEntry *entry;	/* mf_reservoir_limit(k) + MF_RESERVOIR_MARGIN */
	const int32_t *item;		/* by position: breaks ties */
	uint64_t	lot;			/* by which those of score 0 are broken */
	int			k;
	int			count;			/* entries there are */
	int			limit;			/* time to shrink */
	double		threshold;		/* k items score at least this; -INFINITY before there are k */
} MfReservoir;

/* A reservoir takes a pack of items more than its limit before it must shrink. */
#define MF_RESERVOIR_MARGIN 16

extern int	mf_reservoir_limit(int k);
extern void mf_reservoir_start(MfReservoir *reservoir, MfReservoirEntry *entry, const int32_t *item, uint64_t lot,
							   int k);
extern bool mf_reservoir_shrink(MfReservoir *reservoir);
extern void mf_reservoir_cut(MfReservoir *reservoir);
extern void mf_reservoir_sort(MfReservoir *reservoir);

/* Adds an item whose score is within error of score; there must be room. */
static inline void
mf_reservoir_add(MfReservoir *reservoir, double score, float error, int32_t position)
{
	MfReservoirEntry *entry = &reservoir->entry[reservoir->count++];

	entry->score = score;
	entry->error = error;
	entry->position = position;
}

#endif
