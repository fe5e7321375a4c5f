/*
 * auc.h - how well scores of all items tell a user's relevant items from the others, for many users.
 */
#ifndef MF_AUC_H
#define MF_AUC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/threads.h"
#include "core/topk/index.h"

/* One user's question and answer; no item is in both lists, both are ascending. */
typedef struct MfAucQuery
{
	const float *query;			/* ld floats, padding 0 */
	const int32_t *seen;		/* nseen items on neither side */
	int64_t		nseen;
	const int32_t *relevant;	/* nrelevant items */
	int64_t		nrelevant;
	float	   *score;			/* result: nrelevant scores */
	double		auc;			/* result: NaN when there are no relevant or no other items */
} MfAucQuery;

/* Items of an index that are ranked among themselves. */
typedef struct MfAucPart
{
	int64_t		nitems;
	const int32_t *position;	/* nitems: their places in the index, ascending */
} MfAucPart;

/* Scores that are the same for all users: how often each item was rated. */
typedef struct MfPopularity
{
	int64_t		nitems;			/* that are counted; the arrays have an element for each number that one may have */
	const int32_t *count;
	int32_t    *fewer;			/* how many items have a smaller count */
	int32_t    *equal;			/* how many have the same one, the item itself among them */
} MfPopularity;

extern size_t mf_auc_workspace(int factors, const MfParallel *parallel);
extern bool mf_auc(const MfIndex *index, const MfAucPart *part, MfAucQuery *query, int64_t nqueries,
				   void *workspace, const MfParallel *parallel);

extern void mf_auc_rank_counts(MfPopularity *popularity, const int32_t *popular);
extern double mf_auc_of_counts(const MfPopularity *popularity, const int32_t *seen, int64_t nseen,
							   const int32_t *relevant, int64_t nrelevant);

#endif
