/*
 * ranking.h - how good lists and predictions are; see ranking.c for the formulas.
 */
#ifndef MF_RANKING_H
#define MF_RANKING_H

#include <stdint.h>

/* The figures of one user's list at k. */
typedef struct MfRankMetrics
{
	double		precision;		/* hits / k */
	double		recall;			/* hits / min(k, n) */
	double		full_recall;	/* hits / n */
	double		ndcg;
	double		average_precision;
	double		reciprocal_rank;
	double		hit_rate;		/* 1 when there is a hit */
} MfRankMetrics;

/* Sums for rmse and mae. */
typedef struct MfRatingMetrics
{
	int64_t		count;
	double		squares;
	double		absolutes;
} MfRatingMetrics;

extern MfRankMetrics mf_metrics_rank(const int32_t *list, int nlist, int k,
									 const int32_t *relevant, int64_t nrelevant);
extern void mf_metrics_add(MfRankMetrics *sum, const MfRankMetrics *one);
extern void mf_metrics_scale(MfRankMetrics *sum, double factor);

extern double mf_metrics_auc(const float *score, int64_t nitems, const int32_t *seen, int64_t nseen,
							 const int32_t *relevant, int64_t nrelevant);
extern double mf_metrics_novelty(const int32_t *list, int nlist, const int64_t *count, double total);
extern int64_t mf_metrics_cover(uint64_t *covered, const int32_t *list, int nlist);

extern void mf_metrics_rating(MfRatingMetrics *sum, double predicted, double actual);
extern double mf_metrics_rmse(const MfRatingMetrics *sum);
extern double mf_metrics_mae(const MfRatingMetrics *sum);

#endif
