/*
 * fuzz_metrics.c - any lists, scores and ids: figures within their range, auc as it is defined, and
 * sides of a split that depend on the ids alone.
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

/* The share of pairs of a relevant and another item that scores order rightly, ties count half. */
static double
naive_auc(const float *score, int nitems, const bool *seen, const bool *relevant)
{
	double		right = 0;
	int64_t		pairs = 0;

	for (int i = 0; i < nitems; i++)
		for (int j = 0; j < nitems; j++)
			if (relevant[i] && !relevant[j] && !seen[j])
			{
				right += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
				pairs++;
			}
	return pairs > 0 ? right / (double) pairs : NAN;
}

static void
check_metrics(Bytes *bytes)
{
	int			nitems = 1 + (int) take_below(bytes, MOST_ITEMS);
	int			k = 1 + (int) take_below(bytes, 60);
	bool		seen[MOST_ITEMS] = {false};
	bool		relevant[MOST_ITEMS] = {false};
	bool		taken[MOST_ITEMS] = {false};
	int32_t		seen_items[MOST_ITEMS];
	int32_t		relevant_items[MOST_ITEMS];
	int32_t		list[MOST_ITEMS];
	float		score[MOST_ITEMS];
	int			nlist = 0;
	int64_t		nseen = take_ascending(bytes, nitems, seen_items, taken);
	int64_t		nrelevant = take_ascending(bytes, nitems, relevant_items, taken);
	MfListTally m;
	double		auc;
	double		expected;

	for (int64_t i = 0; i < nseen; i++)
		seen[seen_items[i]] = true;
	for (int64_t i = 0; i < nrelevant; i++)
		relevant[relevant_items[i]] = true;
	for (int i = 0; i < nitems; i++)
	{
		score[i] = take_float(bytes);
		if (nlist < k && (take_byte(bytes) & 1))
			list[nlist++] = i;
	}
	mf_list_tally(&m, list, nlist, k, relevant_items, nrelevant);
	for (int i = MF_METRIC_PRECISION; i <= MF_METRIC_HIT_RATE; i++)
		require(is_share(mf_metric[i].of_list(&m)));
	auc = mf_metrics_auc(score, nitems, seen_items, nseen, relevant_items, nrelevant);
	expected = naive_auc(score, nitems, seen, relevant);
	require(isnan(expected) ? isnan(auc) : fabs(auc - expected) < 1e-9);
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
