/*
 * user_map.h - the map from users' features to the points that they are drawn to, which a training learns beside them.
 */
#ifndef MFREC_USER_MAP_H
#define MFREC_USER_MAP_H

#include "core/features/feature_map.h"
#include "features/features.h"
#include "train/training.h"

/*
 * F features of n users, of which the first problem.nusers have ratings; ld = mf_padded(d).  Only dimensions that
 * interest and ratings share have numbers; others are 0.
 */
typedef struct UserMap
{
	Features   *features;
	MfFeatureMatrix matrix;
	float	   *strength;		/* nblocks: lambda, as in ItemMap */
	float	   *scale;			/* F */
	bool		known;			/* strengths have been found, and */
	bool		used;			/* some block says something of users that the map has not seen */
	float	   *map;			/* F x ld: U, in the unit of scale */
	float	   *prior;			/* n x ld: the mean user and what the map makes of each one's features */
	bool	   *has_prior;		/* n, at the end: it is another point than the mean user's */
	int64		profiles;		/* users without ratings that have one */
	float	   *weight;			/* n: 1 with ratings, else 0 */
	void	   *workspace;
} UserMap;

extern void CreateUserMap(Training *t);
extern void TakeMeanFromUsers(Training *t);
extern void FollowUsers(Training *t, int steps);
extern void MakeProfileUsers(Training *t, float bias);

/* Steps of conjugate gradients after a half-sweep, which go on from those before; and where there were none before. */
#define USER_STEPS 2
#define FIRST_USER_STEPS 30

#endif
