/*
 * test_metrics.c - figures of lists and predictions against values worked out by hand.
 */
#include "tap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "core/metrics/metric.h"

/* A metric of a list, by its row in the table. */
static double
of_list(MfMetricId metric, const MfListTally *list)
{
	return mf_metric[metric].of_list(list);
}

/* The tally of a list at k. */
static MfListTally
tally(const int32_t *list, int length, int k, const int32_t *relevant, int64_t nrelevant)
{
	MfListTally made;

	mf_list_tally(&made, list, length, k, relevant, nrelevant);
	return made;
}

/* Whether all metrics of hits are this. */
static bool
all_are(double value, const MfListTally *list)
{
	bool		same = true;

	for (int m = MF_METRIC_PRECISION; m <= MF_METRIC_HIT_RATE; m++)
		same = same && of_list((MfMetricId) m, list) == value;
	return same;
}

/* Relevant items that no list can have are in what could have been. */
static void
test_missed(void)
{
	static const int32_t list[] = {7, 3, 9, 1, 4, 2};
	static const int32_t relevant[] = {2, 7, 9, 100, 101, 102};

	for (int k = 1; k <= 8; k++)
		for (int n = 3; n <= 6; n++)
		{
			MfListTally all = tally(list, 6, k, relevant, n);
			MfListTally m = tally(list, 6, k, relevant, 3);
			bool		same = true;

			mf_list_miss(&m, n - 3);
			for (int i = MF_METRIC_PRECISION; i <= MF_METRIC_HIT_RATE; i++)
				same = same && of_list((MfMetricId) i, &m) == of_list((MfMetricId) i, &all);
			ok(same && isnan(of_list(MF_METRIC_AUC, &m)), "k = %d, %d items missed", k, n - 3);
		}
}

/* Hits at ranks 1, 3 and 6 of a list of six, four relevant items. */
static void
test_rank(void)
{
	static const int32_t list[] = {7, 3, 9, 1, 4, 2};
	static const int32_t relevant[] = {2, 7, 9, 100};
	MfListTally m = tally(list, 6, 5, relevant, 4);
	MfMetricSums sums = {0};
	double		ideal = 1 + 1 / log2(3) + 1 / log2(4) + 1 / log2(5);

	is_close(of_list(MF_METRIC_PRECISION, &m), 2.0 / 5, 1e-15, "precision at 5");
	is_close(of_list(MF_METRIC_RECALL, &m), 2.0 / 4, 1e-15, "recall at 5, of min(k, n)");
	is_close(of_list(MF_METRIC_NDCG, &m), (1 + 1 / log2(4)) / ideal, 1e-15, "ndcg at 5");
	is_close(of_list(MF_METRIC_MAP, &m), (1 + 2.0 / 3) / 4, 1e-15, "average precision at 5");
	is_close(of_list(MF_METRIC_MRR, &m), 1, 1e-15, "reciprocal rank");
	is_close(of_list(MF_METRIC_HIT_RATE, &m), 1, 1e-15, "hit rate");

	m = tally(list, 6, 2, relevant, 4);
	is_close(of_list(MF_METRIC_RECALL, &m), 1.0 / 2, 1e-15, "recall at 2 divides by k when more are relevant");
	is_close(of_list(MF_METRIC_FULL_RECALL, &m), 1.0 / 4, 1e-15, "full recall divides by all of them");
	is_close(of_list(MF_METRIC_NDCG, &m), 1 / (1 + 1 / log2(3)), 1e-15, "ndcg at 2 against an ideal of 2");

	m = tally(list + 1, 5, 5, relevant, 4);
	is_close(of_list(MF_METRIC_MRR, &m), 1.0 / 2, 1e-15, "reciprocal rank of a first hit at 2");
	m = tally(list + 1, 1, 5, relevant, 4);
	ok(all_are(0, &m), "a list without hits");
	m = tally(list, 1, 5, relevant, 4);
	is_close(of_list(MF_METRIC_PRECISION, &m), 1.0 / 5, 1e-15, "a short list counts as filled up with misses");
	m = tally(list, 6, 5, relevant, 0);
	ok(all_are(0, &m), "no relevant items");

	m = tally(relevant, 4, 4, relevant, 4);
	ok(all_are(1, &m), "a perfect list");
	mf_metric_add(&sums, &m);
	m = tally(list, 6, 2, relevant, 4);
	m.auc = 0.25;
	mf_metric_add(&sums, &m);
	is_close(mf_metric_mean(&sums, MF_METRIC_RECALL), 0.75, 1e-15, "the mean over users");
	ok(mf_metric_mean(&sums, MF_METRIC_AUC) == 0.25, "the mean over the users who have one");
	ok(isnan(mf_metric_mean(&sums, MF_METRIC_RMSE)), "no mean of what is no metric of lists");
}

/* Adds the metrics at k of all orders of n items, of which the first nrelevant are relevant; returns how many orders. */
static int
add_orders(int32_t *order, int placed, int n, int k, int64_t nrelevant, double *sum)
{
	static const int32_t relevant[] = {0, 1, 2, 3, 4, 5};
	int			orders = 0;
	MfListTally m;

	for (int i = placed; i < n; i++)
	{
		int32_t		item = order[i];

		order[i] = order[placed];
		order[placed] = item;
		orders += add_orders(order, placed + 1, n, k, nrelevant, sum);
		order[placed] = order[i];
		order[i] = item;
	}
	if (placed < n)
		return orders;
	m = tally(order, n, k, relevant, nrelevant);
	for (int metric = MF_METRIC_PRECISION; metric <= MF_METRIC_HIT_RATE; metric++)
		sum[metric] += of_list((MfMetricId) metric, &m);
	return 1;
}

/* What a random order reaches against the mean over all orders. */
static void
test_expectation(void)
{
	for (int n = 1; n <= 6; n++)
		for (int k = 1; k <= 7; k++)
			for (int nrelevant = 1; nrelevant <= n; nrelevant++)
			{
				int32_t		order[] = {0, 1, 2, 3, 4, 5};
				double		sum[MF_METRICS] = {0};
				int			orders = add_orders(order, 0, n, k, nrelevant, sum);
				double		off = 0;
				MfListTally m;

				mf_list_expect(&m, n, k, nrelevant);
				for (int metric = MF_METRIC_PRECISION; metric <= MF_METRIC_HIT_RATE; metric++)
					off = fmax(off, fabs(of_list((MfMetricId) metric, &m) - sum[metric] / orders));
				ok(off < 1e-14, "mean of %d orders of %d items, %d of them relevant, at %d", orders, n, nrelevant, k);
				ok(isnan(of_list(MF_METRIC_NOVELTY, &m)), "no novelty");
				ok(n > nrelevant ? of_list(MF_METRIC_AUC, &m) == 0.5 : isnan(of_list(MF_METRIC_AUC, &m)), "auc of chance");
			}
}

static void
test_lists(void)
{
	static const int32_t list[] = {0, 2, 3};
	static const int64_t count[] = {8, 1, 2, 0};
	int32_t		lists[70] = {0};
	MfExposure	exposure = {70, lists};
	MfListTally m = tally(list, 3, 5, list, 1);

	m.information = mf_list_information(list, 3, count, 16);
	is_close(of_list(MF_METRIC_NOVELTY, &m), (1 + 3 + 4) / 3.0, 1e-15, "novelty");
	m = tally(list, 0, 5, list, 1);
	is_close(of_list(MF_METRIC_NOVELTY, &m), 0, 1e-15, "novelty of an empty list");
	mf_exposure_add(&exposure, list, 3);
	mf_exposure_add(&exposure, (int32_t[]) {3, 64, 1}, 3);
	ok(lists[0] == 1 && lists[1] == 1 && lists[3] == 2 && lists[64] == 1 && lists[69] == 0, "lists that have an item");
	is_close(mf_metric[MF_METRIC_COVERAGE].of_exposure(&exposure), 5.0 / 70, 1e-15, "coverage");
}

/* The Gini coefficient of these counts. */
static double
gini_of(const int32_t *count, int n)
{
	int32_t		sorted[64];
	MfExposure	exposure = {n, sorted};

	memcpy(sorted, count, sizeof(int32_t) * (size_t) n);
	mf_exposure_sort(&exposure);
	return mf_metric[MF_METRIC_GINI].of_exposure(&exposure);
}

/* The mean difference of all pairs of items, over twice the mean: Gini's own definition, of n - 1 others. */
static double
naive_gini(const int32_t *count, int n)
{
	double		difference = 0;
	double		total = 0;

	for (int i = 0; i < n; i++)
	{
		total += count[i];
		for (int j = 0; j < n; j++)
			difference += abs(count[i] - count[j]);
	}
	return difference / (2 * (n - 1) * total);
}

static void
test_gini(void)
{
	static const int32_t first[] = {5, 0, 7, 7, 1, 0, 19, 2, 2, 3};
	static const int32_t turned[] = {19, 7, 7, 5, 3, 2, 2, 1, 0, 0};
	int32_t		alike[37];
	int32_t		alone[37] = {[21] = 1000003};
	int32_t		same_list[37] = {0};
	bool		agrees = true;

	for (int i = 0; i < 37; i++)
		alike[i] = 123457;
	for (int i = 0; i < 10; i++)
		same_list[3 * i] = 41;
	ok(gini_of(alike, 37) == 0 && gini_of(alike, 36) == 0, "gini is exactly 0 when all items appear alike");
	ok(gini_of(alone, 37) == 1, "and exactly 1 when one item has all places");
	ok(gini_of(alone, 1) == 0 && gini_of(alike, 1) == 0, "0 of one item");
	ok(gini_of(alone, 21) == 0, "0 when no item appears");
	is_close(gini_of(same_list, 37), 27.0 / 36, 1e-15, "(n - k) / (n - 1) when all lists have the same k items");
	is_close(gini_of((int32_t[]) {1, 3}, 2), 0.5, 1e-15, "a quarter and three quarters");
	ok(gini_of(first, 10) == gini_of(turned, 10), "in whatever order the items are");
	for (int n = 2; n <= 10; n++)
		agrees = agrees && fabs(gini_of(first, n) - naive_gini(first, n)) < 1e-15;
	ok(agrees, "as the mean difference of all pairs defines it");
}

static void
test_ratings(void)
{
	double		(*rmse) (const MfErrorSums *errors) = mf_metric[MF_METRIC_RMSE].of_errors;
	double		(*mae) (const MfErrorSums *errors) = mf_metric[MF_METRIC_MAE].of_errors;
	MfErrorSums sums = {0};
	MfErrorSums more = {0};

	ok(isnan(rmse(&sums)) && isnan(mae(&sums)), "no predictions");
	mf_error_add(&sums, 3, 4);
	mf_error_add(&sums, 5, 3);
	mf_error_add(&more, 2, 2);
	mf_error_merge(&sums, &more);
	is_close(rmse(&sums), sqrt(5.0 / 3), 1e-15, "rmse");
	is_close(mae(&sums), 1, 1e-15, "mae");
}

/* Each row has a name of its own and one formula. */
static void
test_table(void)
{
	for (int m = 0; m < MF_METRICS; m++)
	{
		const MfMetric *metric = &mf_metric[m];
		bool		unique = true;

		for (int other = 0; other < m; other++)
			unique = unique && strcmp(metric->name, mf_metric[other].name) != 0;
		ok(unique && (metric->of_errors != NULL) + (metric->of_list != NULL) + (metric->of_exposure != NULL) == 1,
		   "the row of %s", metric->name);
	}
}

int
main(void)
{
	test_rank();
	test_missed();
	test_expectation();
	test_lists();
	test_gini();
	test_ratings();
	test_table();
	return done();
}
