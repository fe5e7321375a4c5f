/*
 * fine.h - 7-bit codes of whole vectors, by which many searches together look at all items.
 *
 * They are made in memory for a batch of searches and say almost as much as the vectors; see fine.c.
 */
#ifndef MF_FINE_H
#define MF_FINE_H

#include <stdbool.h>
#include <stddef.h>

#include "codes.h"
#include "index.h"
#include "threads.h"

/* The fine codes of an index; arrays are in the caller's space. */
typedef struct MfFine
{
	const uint8_t *code;		/* npanels x ld x 16 bytes: see MfScanTile */
	const float *step;			/* of whole blocks, a panel each: what one step of a code is worth */
	const float *error;			/* largest norm of what the codes miss */
	const float *length;		/* largest norm of what the codes stand for */
	const float *zero;			/* MF_BLOCK_PANELS zeros: no coordinate is left out */
} MfFine;

extern size_t mf_fine_size(const MfIndex *index);
extern bool mf_fine_build(MfFine *fine, void *space, const MfIndex *index, const MfParallel *parallel);
extern bool mf_fine_query(MfCodeQuery *query, const float *p, int ld, double norm);

#endif
