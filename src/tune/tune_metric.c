/*
 * tune_metric.c - by which metrics parameters can be chosen.
 *
 * Those that say of each user's predictions or list how right they are, by the rows held out: the table of metrics
 * has them marked.  Others describe lists, such as how many items they cover; the best parameters by these would
 * be those of a model that recommends whatever it has not recommended yet.
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "tune/tune_metric.h"

/* The names of such metrics, of lists or of predicted ratings, as a sentence has them: "a, b or c". */
static char *
TuneMetricNames(bool of_lists)
{
	StringInfoData names;
	int			left = 0;

	for (int m = 0; m < MF_METRICS; m++)
		left += mf_metric[m].selects && (mf_metric[m].of_list != NULL) == of_lists;
	initStringInfo(&names);
	for (int m = 0; m < MF_METRICS; m++)
		if (mf_metric[m].selects && (mf_metric[m].of_list != NULL) == of_lists)
		{
			left--;
			appendStringInfo(&names, "%s%s", mf_metric[m].name, left == 0 ? "" : left == 1 ? " or " : ", ");
		}
	return names.data;
}

/*
 * A metric by name; one that there is not, or that parameters cannot be chosen by, is an error that lists the others.
 */
MfMetricId
ParseTuneMetric(const char *name)
{
	int			m = 0;

	while (m < MF_METRICS && strcmp(name, mf_metric[m].name) != 0)
		m++;
	if (m == MF_METRICS || !mf_metric[m].selects)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 m == MF_METRICS ? errmsg("unrecognized metric \"%s\"", name)
				 : errmsg("parameters cannot be chosen by the metric \"%s\"", name),
				 errhint("Use %s for lists, or %s for predicted ratings.", TuneMetricNames(true), TuneMetricNames(false))));
	return (MfMetricId) m;
}

/* An error for a metric of predicted ratings where the model predicts none. */
void
CheckTuneMetric(MfMetricId metric, const MfObjective *objective)
{
	if (mf_metric[metric].of_errors && !mf_is_explicit(objective))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("implicit feedback has no ratings to measure by %s", mf_metric[metric].name),
				 errhint("Use %s.", TuneMetricNames(true))));
}
