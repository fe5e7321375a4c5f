/*
 * metrics_report.h - what metrics are computed from, of one user and of all, and their report.
 */
#ifndef MFREC_METRICS_REPORT_H
#define MFREC_METRICS_REPORT_H

#include "core/metrics/metric.h"

/* Receives a metric or count and what the baseline reaches (NaN: none); user is NULL for all users together. */
typedef void (*ReportFunction) (void *state, const char *user, const char *name, double value, double baseline);

/* What becomes of test rows. */
typedef struct RowCounts
{
	int64		counted;		/* compared: their user and item are known, and they were not trained on */
	int64		relevant;		/* of these */
	int64		unknown_user;
	int64		unknown_item;
	int64		unknown_relevant;	/* of these, by their value */
	int64		trained;
} RowCounts;

/* What the metrics of one user are computed from; lists count only where the user has relevant rows. */
typedef struct UserTally
{
	RowCounts	rows;
	MfErrorSums errors;			/* of predicted ratings, and of the baseline's */
	MfErrorSums baseline_errors;
	MfListTally list;			/* the model's, and the baseline's */
	MfListTally baseline_list;
} UserTally;

/* Sums of many users, for the model or for the baseline. */
typedef struct MetricSums
{
	MfErrorSums errors;			/* count 0: no ratings were compared */
	MfMetricSums lists;
	MfExposure	exposure;		/* count NULL: not counted, as of a single user or a part of the items */
} MetricSums;

/* Sums over users, or over a single one: what a report is computed from. */
typedef struct EvaluationSums
{
	RowCounts	rows;
	int64		ranked;			/* users with relevant rows */
	MetricSums	model;
	MetricSums	baseline;
} EvaluationSums;

extern void AddUserTally(EvaluationSums *sums, const UserTally *tally);
extern void ReportMetrics(const EvaluationSums *sums, const char *prefix, const char *user, ReportFunction report,
						  void *state);
extern void ReportCount(int64 count, const char *prefix, const char *name, const char *user, ReportFunction report,
						void *state);

#endif
