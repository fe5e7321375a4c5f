/*
 * metrics_report.c - what metrics are computed from, of one user and of all, and their report.
 *
 * Which metrics there are, what they are called and how they are computed is in core/metrics/metric.h: the report
 * walks that table, and a new row of it needs nothing here.
 */
#include "postgres.h"

#include <math.h>

#include "eval/metrics_report.h"

/* Adds a user's tally to sums over users. */
void
AddUserTally(EvaluationSums *sums, const UserTally *tally)
{
	sums->rows.counted += tally->rows.counted;
	sums->rows.relevant += tally->rows.relevant;
	sums->rows.unknown_user += tally->rows.unknown_user;
	sums->rows.unknown_item += tally->rows.unknown_item;
	sums->rows.trained += tally->rows.trained;
	mf_error_merge(&sums->model.errors, &tally->errors);
	mf_error_merge(&sums->baseline.errors, &tally->baseline_errors);
	if (tally->rows.relevant == 0)
		return;
	sums->ranked++;
	mf_metric_add(&sums->model.lists, &tally->list);
	mf_metric_add(&sums->baseline.lists, &tally->popular);
}

/* Whether there is something to compute a metric from. */
static bool
IsMeasured(const MfMetric *metric, const EvaluationSums *sums)
{
	if (metric->of_errors)
		return sums->model.errors.count > 0;
	return sums->ranked > 0 && (metric->of_list || sums->model.exposure.count);
}

/* The value of a metric; NaN where it is defined for no user. */
static double
MetricValue(MfMetricId id, const MetricSums *sums)
{
	if (mf_metric[id].of_errors)
		return mf_metric[id].of_errors(&sums->errors);
	if (mf_metric[id].of_exposure)
		return mf_metric[id].of_exposure(&sums->exposure);
	return mf_metric_mean(&sums->lists, id);
}

/* Reports all metrics, in the order of the table; exposures must be sorted. */
void
ReportMetrics(const EvaluationSums *sums, const char *user, ReportFunction report, void *state)
{
	for (int m = 0; m < MF_METRICS; m++)
		if (IsMeasured(&mf_metric[m], sums))
			report(state, user, mf_metric[m].name, MetricValue((MfMetricId) m, &sums->model),
				   MetricValue((MfMetricId) m, &sums->baseline));
}
