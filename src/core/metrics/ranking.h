/*
 * ranking.h - counts of lists and sums over predictions, from which metrics are computed (metric.h).
 */
#ifndef MF_RANKING_H
#define MF_RANKING_H

#include <stdint.h>

/*
 * What metrics of one user's list are computed from; see metric.c for the formulas.  These are linear in what the list
 * has made of it (hits to precisions), so the expectations of a random list are tallied in the same fields.
 */
typedef struct MfListTally
{
	int			k;				/* places that there are */
	int			length;			/* items in them */
	int			attainable;		/* hits of the best list that there can be: min(k, n) */
	int64_t		nrelevant;		/* n */
	double		hits;			/* relevant items among those in the list */
	double		any_hit;		/* 1 with a hit, 0 without */
	double		first_hit;		/* 1 / rank of the first hit; 0: none */
	double		gain;			/* sum over hits of 1 / log2(rank + 1) */
	double		precisions;		/* sum over hits of hits so far / rank */
	double		ideal_gain;		/* gain of the best list */
	double		information;	/* sum over items of -log2(share of users that have the item); the caller's */
	double		popularity;		/* sum over items of the share of users that have the item; the caller's, NaN: not
								 * known */
	double		similarity;		/* mean cosine of the pairs of items, NaN without any; the caller's */
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
extern void mf_list_expect(MfListTally *tally, int64_t nitems, int k, int64_t nrelevant);
extern void mf_list_miss(MfListTally *tally, int64_t missed);
extern double mf_list_information(const int32_t *list, int length, const int64_t *count, double total);
extern double mf_list_popularity(const int32_t *list, int length, const int64_t *count, double total);
extern void mf_exposure_add(MfExposure *exposure, const int32_t *list, int length);
extern void mf_exposure_sort(MfExposure *exposure);
extern void mf_error_add(MfErrorSums *sums, double predicted, double actual);
extern void mf_error_merge(MfErrorSums *sums, const MfErrorSums *more);

#endif
