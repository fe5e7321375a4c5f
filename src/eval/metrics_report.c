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
	sums->rows.unknown_relevant += tally->rows.unknown_relevant;
	sums->rows.trained += tally->rows.trained;
	mf_error_merge(&sums->model.errors, &tally->errors);
	mf_error_merge(&sums->baseline.errors, &tally->baseline_errors);
	if (tally->rows.relevant == 0)
		return;
	sums->ranked++;
	mf_metric_add(&sums->model.lists, &tally->list);
	mf_metric_add(&sums->baseline.lists, &tally->baseline_list);
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

/*
 * Reports all metrics, in the order of the table; exposures must be sorted.  Of a part of the items, whose metrics have
 * a prefix, what is defined neither for the model nor for the baseline is left out.
 */
void
ReportMetrics(const EvaluationSums *sums, const char *prefix, const char *user, ReportFunction report, void *state)
{
	for (int m = 0; m < MF_METRICS; m++)
	{
		double		value;
		double		baseline;

		if (!IsMeasured(&mf_metric[m], sums))
			continue;
		value = MetricValue((MfMetricId) m, &sums->model);
		baseline = MetricValue((MfMetricId) m, &sums->baseline);
		if (*prefix == '\0' || !isnan(value) || !isnan(baseline))
			report(state, user, psprintf("%s%s", prefix, mf_metric[m].name), value, baseline);
	}
}

/* Reports a count, which no baseline has. */
void
ReportCount(int64 count, const char *prefix, const char *name, const char *user, ReportFunction report, void *state)
{
	report(state, user, psprintf("%s%s", prefix, name), (double) count, NAN);
}
