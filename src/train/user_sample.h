/*
 * user_sample.h - some users of a training, or items, with their vectors and what they have.
 */
#ifndef MFREC_USER_SAMPLE_H
#define MFREC_USER_SAMPLE_H

#include "distributed/driver.h"
#include "train/training.h"

/* Sampled users, in ascending order; ld = mf_padded(d).  For a map of users the sides are exchanged. */
typedef struct UserSample
{
	int64		count;
	int64	   *user;			/* count: their numbers */
	float	   *vector;			/* count x ld */
	MfRows		items;			/* a row of columns each */
	UserRows	there;			/* all of it, where users are on other nodes */
} UserSample;

extern int64 TrainedUsers(const Training *t);
extern void DrawUsers(Training *t, int64 count, uint64 stream, UserSample *sample);
extern void DrawItems(Training *t, int64 count, uint64 stream, UserSample *sample);

#endif
