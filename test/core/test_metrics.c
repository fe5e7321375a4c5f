/*
 * test_metrics.c - figures of lists and predictions against values worked out by hand.
 */
#include "tap.h"

#include <string.h>

#include "core/metrics/ranking.h"

/* Hits at ranks 1, 3 and 6 of a list of six, four relevant items. */
static void
test_rank(void)
{
	static const int32_t list[] = {7, 3, 9, 1, 4, 2};
	static const int32_t relevant[] = {2, 7, 9, 100};
	MfRankMetrics m = mf_metrics_rank(list, 6, 5, relevant, 4);
	MfRankMetrics sum = {0};
	double		ideal = 1 + 1 / log2(3) + 1 / log2(4) + 1 / log2(5);

	is_close(m.precision, 2.0 / 5, 1e-15, "precision at 5");
	is_close(m.recall, 2.0 / 4, 1e-15, "recall at 5, of min(k, n)");
	is_close(m.ndcg, (1 + 1 / log2(4)) / ideal, 1e-15, "ndcg at 5");
	is_close(m.average_precision, (1 + 2.0 / 3) / 4, 1e-15, "average precision at 5");
	is_close(m.reciprocal_rank, 1, 1e-15, "reciprocal rank");
	is_close(m.hit_rate, 1, 1e-15, "hit rate");

	m = mf_metrics_rank(list, 6, 2, relevant, 4);
	is_close(m.recall, 1.0 / 2, 1e-15, "recall at 2 divides by k when more are relevant");
	is_close(m.full_recall, 1.0 / 4, 1e-15, "full recall divides by all of them");
	is_close(m.ndcg, 1 / (1 + 1 / log2(3)), 1e-15, "ndcg at 2 against an ideal of 2");

	m = mf_metrics_rank(list + 1, 1, 5, relevant, 4);
	ok(m.precision == 0 && m.recall == 0 && m.ndcg == 0 && m.average_precision == 0 &&
	   m.reciprocal_rank == 0 && m.hit_rate == 0, "a list without hits");
	m = mf_metrics_rank(list, 1, 5, relevant, 4);
	is_close(m.precision, 1.0 / 5, 1e-15, "a short list counts as filled up with misses");
	m = mf_metrics_rank(list, 6, 5, relevant, 0);
	ok(m.ndcg == 0 && m.recall == 0, "no relevant items");

	m = mf_metrics_rank(relevant, 4, 4, relevant, 4);
	ok(m.precision == 1 && m.recall == 1 && m.full_recall == 1 && m.ndcg == 1 && m.average_precision == 1,
	   "a perfect list");
	mf_metrics_add(&sum, &m);
	m = mf_metrics_rank(list, 6, 2, relevant, 4);
	mf_metrics_add(&sum, &m);
	mf_metrics_scale(&sum, 0.5);
	is_close(sum.recall, 0.75, 1e-15, "the mean over users");
}

/* The share of rightly ordered pairs, pair by pair. */
static double
naive_auc(const float *score, int n, const char *kind)
{
	double		right = 0;
	double		pairs = 0;

	for (int i = 0; i < n; i++)
		for (int j = 0; j < n; j++)
			if (kind[i] == 'r' && kind[j] == '-')
			{
				right += score[i] > score[j] ? 1 : score[i] == score[j] ? 0.5 : 0;
				pairs++;
			}
	return right / pairs;
}

/* Relevant, seen and other items with ties among all of them; a relevant one has been seen too. */
static void
test_auc(void)
{
	static const float score[] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7};
	static const char kind[] = "--r-rs-r--s-r-";
	static const int32_t relevant[] = {2, 4, 5, 7, 12};
	static const int32_t seen[] = {5, 10};
	static const int32_t all[] = {0, 1};

	is_close(mf_metrics_auc(score, 14, seen, 2, relevant, 5), naive_auc(score, 14, kind), 1e-15, "auc with ties");
	ok(isnan(mf_metrics_auc(score, 14, seen, 2, relevant, 0)), "auc without relevant items");
	ok(isnan(mf_metrics_auc(score, 2, NULL, 0, all, 2)), "auc without other items");
	is_close(mf_metrics_auc(score, 2, NULL, 0, all, 1), 1, 1e-15, "auc of a single pair");
}

static void
test_lists(void)
{
	static const int32_t list[] = {0, 2, 3};
	static const int64_t count[] = {8, 1, 2, 0};
	uint64_t	covered[2] = {0, 0};

	is_close(mf_metrics_novelty(list, 3, count, 16), (1 + 3 + 4) / 3.0, 1e-15, "novelty");
	is_close(mf_metrics_novelty(list, 0, count, 16), 0, 1e-15, "novelty of an empty list");
	ok(mf_metrics_cover(covered, list, 3) == 3, "three items covered");
	ok(mf_metrics_cover(covered, (int32_t[]) {3, 64, 1}, 3) == 2, "two more");
	ok(covered[0] == 15 && covered[1] == 1, "their bits");
}

static void
test_ratings(void)
{
	MfRatingMetrics sum = {0};

	ok(isnan(mf_metrics_rmse(&sum)) && isnan(mf_metrics_mae(&sum)), "no predictions");
	mf_metrics_rating(&sum, 3, 4);
	mf_metrics_rating(&sum, 5, 3);
	mf_metrics_rating(&sum, 2, 2);
	is_close(mf_metrics_rmse(&sum), sqrt(5.0 / 3), 1e-15, "rmse");
	is_close(mf_metrics_mae(&sum), 1, 1e-15, "mae");
}

int
main(void)
{
	test_rank();
	test_auc();
	test_lists();
	test_ratings();
	return done();
}
