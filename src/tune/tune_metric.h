/*
 * tune_metric.h - by which metrics parameters can be chosen.
 */
#ifndef MFREC_TUNE_METRIC_H
#define MFREC_TUNE_METRIC_H

#include "core/als/objective.h"
#include "core/metrics/metric.h"

extern MfMetricId ParseTuneMetric(const char *name);
extern void CheckTuneMetric(MfMetricId metric, const MfObjective *objective);

#endif
