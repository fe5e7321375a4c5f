/*
 * fuzz_metrics.c - any lists, scores and ids: metrics within their range, sides of a split that depend on the ids alone, and
 * variants that somebody can get.
 */
#include "bytes.h"

#include <math.h>
#include <stdbool.h>

#include "core/metrics/holdout.h"
#include "core/metrics/metric.h"
#include "core/metrics/variant.h"

#define MOST_ITEMS 200

/* Ascending numbers below nitems that are not taken yet. */
static int64_t
take_ascending(Bytes *bytes, int nitems, int32_t *item, bool *taken)
{
	int64_t		n = 0;

	for (int i = 0; i < nitems; i++)
		if (!taken[i] && take_byte(bytes) % 3 == 1)
		{
			taken[i] = true;
			item[n++] = i;
		}
	return n;
}

static bool
is_share(double x)
{
	return x >= 0 && x <= 1 + 1e-12;
}

static void
check_metrics(Bytes *bytes)
{
	int			nitems = 1 + (int) take_below(bytes, MOST_ITEMS);
	int			k = 1 + (int) take_below(bytes, 60);
	bool		taken[MOST_ITEMS] = {false};
	int32_t		relevant_items[MOST_ITEMS];
	int32_t		list[MOST_ITEMS];
	int			nlist = 0;
	int64_t		nrelevant = take_ascending(bytes, nitems, relevant_items, taken);
	MfListTally m;
	MfExposure	exposure = {nitems, list};

	for (int i = 0; i < nitems && nlist < k; i++)
		if (take_byte(bytes) & 1)
			list[nlist++] = i;
	mf_list_tally(&m, list, nlist, k, relevant_items, nrelevant);
	for (int i = MF_METRIC_PRECISION; i <= MF_METRIC_HIT_RATE; i++)
		require(is_share(mf_metric[i].of_list(&m)));
	for (int i = 0; i < nitems; i++)
		list[i] = (int32_t) take_below(bytes, INT32_MAX);
	mf_exposure_sort(&exposure);
	require(is_share(mf_metric[MF_METRIC_COVERAGE].of_exposure(&exposure)));
	require(is_share(mf_metric[MF_METRIC_GINI].of_exposure(&exposure)));
}

/* Weights of any size: who gets a variant gets one that weighs something. */
static void
check_variants(Bytes *bytes, uint64_t user)
{
	uint64_t	variant[8];
	double		weight[8];
	int			n = 1 + (int) take_below(bytes, 8);
	bool		any = false;
	int			chosen;

	for (int v = 0; v < n; v++)
	{
		variant[v] = mf_holdout_integer(take_below(bytes, 3));
		weight[v] = ldexp(fabs(take_float(bytes)), (int) take_below(bytes, 1890) - 1000);
		any = any || weight[v] > 0;
		require(isfinite(weight[v]));
	}
	if (!any)
		return;
	chosen = mf_variant_choose(take_below(bytes, 5), user, variant, weight, n);
	require(chosen >= 0 && chosen < n && weight[chosen] > 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	char	   *text = malloc(size + 1);
	double		number = take_float(&bytes);
	uint64_t	user;
	double		place;

	if (size > 0)
		memcpy(text, data, size);
	user = mf_holdout_text(text, size);
	require(user == mf_holdout_text((const char *) data, size));
	place = mf_holdout_place(size, user, mf_holdout_number(number));
	require(place >= 0 && place < 1);
	check_variants(&bytes, user);
	check_metrics(&bytes);
	free(text);
	return 0;
}
