/*
 * user_sample.h - some users of a training, with their vectors and items.
 */
#ifndef MFREC_USER_SAMPLE_H
#define MFREC_USER_SAMPLE_H

#include "train/training.h"

/* The sampled users, in ascending order; ld = mf_padded(d). */
typedef struct UserSample
{
	int64		count;
	int64	   *user;			/* count: their numbers */
	float	   *vector;			/* count x ld */
	MfRows		items;			/* a row of columns each */
} UserSample;

extern void DrawUsers(Training *t, int64 count, uint64 stream, UserSample *sample);

#endif
