/*
 * held_out.h - how well users' lists of items are that a map has not seen; see held_out.c for how.
 */
#ifndef MF_HELD_OUT_H
#define MF_HELD_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/sparse_rows.h"
#include "core/base/threads.h"

/* The most items that are ranked; of more a sample is. */
#define MF_MOST_HELD_OUT 20000

/* Items of one third, in a random order, and the users that have some of them. */
typedef struct MfHeldOut
{
	const MfParallel *parallel;
	int			factors;		/* d */
	int64_t		nusers;
	const float *user;			/* nusers x mf_padded(d) */
	int64_t		nitems;			/* of all items */
	int64_t		count;			/* items held out that are ranked */
	int32_t    *place;			/* nitems: number among those, or -1 */
	float	   *predicted;		/* count x mf_padded(d): their vectors, for the caller to fill */
	float	   *rest;			/* the same without what is to be proven */
	int64_t    *start;			/* nusers + 1: of each user's numbers in */
	int32_t    *relevant;		/* those of the held-out items that the user has */
	double	   *gain;			/* count + 1: of that many items at the top of a list */
	double	   *quality;		/* nusers x (1 + shifts): see held_out.c */
	int			shifts;			/* at work */
	char	   *space;			/* the workers' */
} MfHeldOut;

/*
 * mf_held_out_lay_out(), twice: to measure and to take; mf_held_out_choose(), and mf_held_out_limit() where those are
 * too many; then any number of times the caller fills `predicted` and asks for a figure, or `rest` as well and asks for
 * a proof.
 */
extern void mf_held_out_lay_out(MfHeldOut *held, MfArena *arena, int64_t ncells);
extern void mf_held_out_choose(MfHeldOut *held, const float *weight, const MfRows *items, int third);
extern void mf_held_out_limit(MfHeldOut *held, int64_t count);
extern MfError mf_held_out_ndcg(MfHeldOut *held, double *ndcg);
extern MfError mf_held_out_prove(MfHeldOut *held, bool *proven);

#endif
