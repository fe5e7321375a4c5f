/*
 * metric.h - the table of metrics: what each is called and how it is computed.
 *
 * A metric is one row of MF_METRIC_TABLE and one formula in metric.c.  Whoever reports, averages or selects by
 * metrics walks the table, so a new row reaches all of them.
 */
#ifndef MF_METRIC_H
#define MF_METRIC_H

#include <stdbool.h>
#include <stdint.h>

#include "core/metrics/ranking.h"

/*
 * METRIC(enumerator, name in SQL, what it is computed from, formula in metric.c, whether mf_tune() may select by
 * it); in the order of reports.
 */
#define MF_METRIC_TABLE(METRIC) \
	METRIC(RMSE, "rmse", of_errors, rmse, true) \
	METRIC(MAE, "mae", of_errors, mae, false) \
	METRIC(PRECISION, "precision", of_list, precision, true) \
	METRIC(RECALL, "recall", of_list, recall, true) \
	METRIC(FULL_RECALL, "full_recall", of_list, full_recall, false) \
	METRIC(NDCG, "ndcg", of_list, ndcg, true) \
	METRIC(MAP, "map", of_list, average_precision, true) \
	METRIC(MRR, "mrr", of_list, reciprocal_rank, true) \
	METRIC(HIT_RATE, "hit_rate", of_list, hit_rate, true) \
	METRIC(AUC, "auc", of_list, auc, false) \
	METRIC(NOVELTY, "novelty", of_list, novelty, false) \
	METRIC(POPULARITY, "popularity", of_list, popularity, false) \
	METRIC(INTRA_LIST_SIMILARITY, "intra_list_similarity", of_list, intra_list_similarity, false) \
	METRIC(COVERAGE, "coverage", of_exposure, coverage, false) \
	METRIC(GINI, "gini", of_exposure, gini, false)

/* MF_METRIC_RMSE and so on; MF_METRICS is their number. */
#define MF_METRIC_ENUMERATOR(id, name, from, formula, selects) MF_METRIC_##id,
typedef enum MfMetricId
{
	MF_METRIC_TABLE(MF_METRIC_ENUMERATOR)
	MF_METRICS
} MfMetricId;
#undef MF_METRIC_ENUMERATOR

/* A row of the table; exactly one of the three functions is not NULL. */
typedef struct MfMetric
{
	const char *name;			/* in SQL */
	bool		selects;		/* parameters may be selected by it: computed from ratings or a list alone */
	double		(*of_errors) (const MfErrorSums *errors);	/* of a user's predicted ratings, or of all together */
	double		(*of_list) (const MfListTally *list);	/* of a user's list; of all: the mean over users */
	double		(*of_exposure) (const MfExposure *exposure);	/* of all lists together, sorted; none of a user */
} MfMetric;

/* The means of metrics of lists in the making; zeroed, they are of no user. */
typedef struct MfMetricSums
{
	double		sum[MF_METRICS];
	int64_t		count[MF_METRICS];	/* users for whom the metric is defined */
} MfMetricSums;

extern const MfMetric mf_metric[MF_METRICS];

extern void mf_metric_add(MfMetricSums *sums, const MfListTally *list);
extern double mf_metric_mean(const MfMetricSums *sums, MfMetricId metric);

#endif
