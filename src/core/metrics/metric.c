/*
 * metric.c - the table of metrics and their formulas.
 *
 * Notation: a list of k items at most, n relevant items, relevance binary.  A list shorter than k counts as if
 * filled up with misses.  What formulas are made of is counted in ranking.c.
 */
#include "core/metrics/metric.h"

#include <math.h>
#include <stddef.h>

/* Root of the mean squared error; NaN without predictions. */
static double
rmse(const MfErrorSums *errors)
{
	return sqrt(errors->squares / (double) errors->count);
}

/* Mean absolute error; NaN without predictions. */
static double
mae(const MfErrorSums *errors)
{
	return errors->absolutes / (double) errors->count;
}

/* hits / k */
static double
precision(const MfListTally *list)
{
	return list->hits / list->k;
}

/* hits / min(k, n): 1 for the best list that there can be. */
static double
recall(const MfListTally *list)
{
	return list->hits / list->attainable;
}

/* hits / n */
static double
full_recall(const MfListTally *list)
{
	return list->hits / (double) list->nrelevant;
}

/* Sum over hits of 1 / log2(rank + 1), over that of the best list that there can be (Jarvelin and Kekalainen 2002). */
static double
ndcg(const MfListTally *list)
{
	return list->gain / list->ideal_gain;
}

/* Sum over hits of hits so far / rank, over min(k, n); its mean over users is MAP. */
static double
average_precision(const MfListTally *list)
{
	return list->precisions / list->attainable;
}

/* 1 / rank of the first hit, 0 without one; its mean over users is MRR (Voorhees 1999). */
static double
reciprocal_rank(const MfListTally *list)
{
	return list->first_hit;
}

/* 1 with a hit, 0 without. */
static double
hit_rate(const MfListTally *list)
{
	return list->any_hit;
}

/* Area under the ROC curve over all items (Rendle et al. 2009), which auc.c computes; NaN where there is none. */
static double
auc(const MfListTally *list)
{
	return list->auc;
}

/* Mean self-information of the list's items in bits (Zhou et al. 2010); 0 for an empty list. */
static double
novelty(const MfListTally *list)
{
	return list->length > 0 ? list->information / list->length : 0;
}

/* Mean share of users that have the list's items; 0 for an empty list, NaN where it is not known. */
static double
popularity(const MfListTally *list)
{
	return isnan(list->popularity) || list->length > 0 ? list->popularity / list->length : 0;
}

/* Mean cosine of the pairs of items of the list (Ziegler et al. 2005); NaN for fewer than two. */
static double
intra_list_similarity(const MfListTally *list)
{
	return list->similarity;
}

/* Share of the items that are in one list at least. */
static double
coverage(const MfExposure *exposure)
{
	int64_t		covered = 0;

	for (int64_t i = 0; i < exposure->nitems; i++)
		covered += exposure->count[i] > 0;
	return (double) covered / (double) exposure->nitems;
}

/*
 * Gini coefficient of how often items appear in the lists: with counts c_1 <= ... <= c_n of the n items that a list
 * may have,
 *
 *	  G = sum_i (2 i - n - 1) c_i / ((n - 1) sum_i c_i),
 *
 * which is n / (n - 1) times the area between the diagonal and the Lorenz curve over that under the diagonal.  So it
 * is exactly 0 when all items appear alike (never, or when there is one item, too), and exactly 1 when one item has
 * all places.  Lists of k different items cannot do that: all alike, they reach (n - k) / (n - 1).
 *
 * Items i and n + 1 - i have opposite factors, so terms are taken in pairs: equal counts leave no rounding.
 */
static double
gini(const MfExposure *exposure)
{
	const int32_t *count = exposure->count;
	int64_t		n = exposure->nitems;
	double		total = 0;
	double		spread = 0;

	for (int64_t i = 0; i < n; i++)
		total += count[i];
	for (int64_t low = 0, high = n - 1; low < high; low++, high--)
		spread += (double) (high - low) * (double) (count[high] - count[low]);
	return spread > 0 ? spread / ((double) (n - 1) * total) : 0;
}

#define MF_METRIC_ROW(id, sql_name, from, formula, selected) \
	[MF_METRIC_##id] = {.name = (sql_name), .selects = (selected), .from = (formula)},

const MfMetric mf_metric[MF_METRICS] = {MF_METRIC_TABLE(MF_METRIC_ROW)};

/* Adds a user's list to the means of all metrics of lists that are defined for it. */
void
mf_metric_add(MfMetricSums *sums, const MfListTally *list)
{
	for (int m = 0; m < MF_METRICS; m++)
	{
		double		value = mf_metric[m].of_list != NULL ? mf_metric[m].of_list(list) : NAN;

		if (isnan(value))
			continue;
		sums->sum[m] += value;
		sums->count[m]++;
	}
}

/* The mean of a metric over the users for whom it is defined; NaN without any. */
double
mf_metric_mean(const MfMetricSums *sums, MfMetricId metric)
{
	return sums->sum[metric] / (double) sums->count[metric];
}
