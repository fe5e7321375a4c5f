/*
 * lookup.h - one user's stored vector, and the present rows of one user or item in the source.
 */
#ifndef MFREC_LOOKUP_H
#define MFREC_LOOKUP_H

#include "idmap.h"
#include "served.h"

/*
 * Takes a present row: the id of the other side, which lives until it returns, and its numbers.  A weight
 * of 0 is a row that training would pass over.
 */
typedef void (*PresentRowFunction) (void *state, int64 id, float rating, float weight);

extern bool LookupVector(Served *served, int32 version, int64 user, int factors, float *vector, float *bias,
						 int32 *count);
extern void LookupUserRows(const ServedSource *source, int64 user, PresentRowFunction function, void *state);
extern void LookupItemRows(const ServedSource *source, int64 item, PresentRowFunction function, void *state);

#endif
