/*
 * ranking.h - counts of lists and sums over predictions, from which metrics are computed (metric.h).
 */
#ifndef MF_RANKING_H
#define MF_RANKING_H

#include <stdint.h>

/* What metrics of one user's list are computed from; see metric.c for the formulas. */
typedef struct MfListTally
{
	int			k;				/* places that there are */
	int			length;			/* items in them */
	int			hits;			/* relevant items among those */
	int			attainable;		/* hits of the best list that there can be: min(k, n) */
	int64_t		nrelevant;		/* n */
	int			first_hit;		/* rank, 1 or more; 0: none */
	double		gain;			/* sum over hits of 1 / log2(rank + 1) */
	double		ideal_gain;		/* the same of the best list */
	double		precisions;		/* sum over hits of hits so far / rank */
	double		information;	/* sum over items of -log2(share of users that have the item); the caller's */
	double		auc;			/* share of pairs of items in the right order, NaN without any; the caller's */
} MfListTally;

/* Sums over predicted ratings. */
typedef struct MfErrorSums
{
	int64_t		count;
	double		squares;
	double		absolutes;
} MfErrorSums;

/* How often items appear in the lists of many users. */
typedef struct MfExposure
{
	int64_t		nitems;			/* items that a list may have */
	int32_t    *count;			/* nitems: lists that have the item; by item, or sorted at last */
} MfExposure;

extern void mf_list_tally(MfListTally *tally, const int32_t *list, int length, int k, const int32_t *relevant,
						  int64_t nrelevant);
extern double mf_list_information(const int32_t *list, int length, const int64_t *count, double total);
extern void mf_exposure_add(MfExposure *exposure, const int32_t *list, int length);
extern void mf_exposure_sort(MfExposure *exposure);
extern void mf_error_add(MfErrorSums *sums, double predicted, double actual);
extern void mf_error_merge(MfErrorSums *sums, const MfErrorSums *more);

#endif
