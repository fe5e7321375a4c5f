/*
 * user_vector.h - one user's row of a version in the model table.
 */
#ifndef MFREC_USER_VECTOR_H
#define MFREC_USER_VECTOR_H

#include "ids/id_map.h"
#include "model/model_cache.h"

/* A user's row of a version. */
typedef struct StoredUser
{
	float	   *vector;			/* the caller's, with room for the factors */
	float		bias;
	float		spread;			/* of the user's ratings; 1 where it is null */
	int32		count;			/* ratings in the training */
	float	   *prior;			/* as `vector`, or NULL: where the user is drawn to, 0 beyond what is stored of it */
	bool		has_prior;		/* it is stored */
	int64		fingerprint;	/* of the rows that it was made from; 0: not known, or none */
	bytea	   *seen;			/* what the user has, see core/base/seen.h; NULL: it is not known */
} StoredUser;

extern bool LookupUser(CachedModel *cached, int32 version, int64 user, int factors, bool with_seen, StoredUser *stored);

#endif
