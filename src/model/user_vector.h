/*
 * user_vector.h - one user's stored vector, and the present rows of one user or item in the source.
 */
#ifndef MFREC_USER_VECTOR_H
#define MFREC_USER_VECTOR_H

#include "ids/id_map.h"
#include "model/model_cache.h"

/*
 * Takes a present row: the id of the other side, which lives until it returns, and its numbers.  A weight
 * of 0 is a row that training would pass over, NaN one of which it could make nothing: a number is null, or
 * is none that it takes.
 */
typedef void (*PresentRowFunction) (void *state, int64 id, float rating, float weight);

/* A user's row of a version. */
typedef struct StoredUser
{
	float	   *vector;			/* the caller's, with room for the factors */
	float		bias;
	int32		count;			/* ratings in the training */
	bytea	   *seen;			/* what the user has, see core/seen.h; NULL: it is not known */
} StoredUser;

extern bool LookupUser(Served *served, int32 version, int64 user, int factors, bool with_seen, StoredUser *stored);
extern void LookupUserRows(const ServedSource *source, int64 user, PresentRowFunction function, void *state);
extern void LookupItemRows(const ServedSource *source, int64 item, PresentRowFunction function, void *state);

#endif
