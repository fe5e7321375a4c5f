/*
 * fuzz_metrics.c - any lists, scores and ids: metrics within their range, and sides of a split that depend on the
 * ids alone.
 */
#include "bytes.h"

#include <math.h>
#include <stdbool.h>

#include "core/metrics/holdout.h"
#include "core/metrics/metric.h"

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
	check_metrics(&bytes);
	free(text);
	return 0;
}
