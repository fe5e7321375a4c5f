/*
 * ranking.c - counts of lists and sums over predictions, from which metrics are computed.
 *
 * One user at a time; sums run in the order of the list, so a metric depends on nothing but the list.  A mean over
 * users adds theirs up in the users' order, so that threads do not matter.  Relevance is binary.
 */
#include "core/metrics/ranking.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/sorted_list.h"

/* What a hit at this rank, 0 for the first, is worth: 1 / log2(rank + 2). */
static double
gain_at(int rank)
{
	return 1 / log2(rank + 2.0);
}

/* Begins the tally of a list of `length` items that has no hit yet; without any relevant item as if there were one. */
static void
start_tally(MfListTally *tally, int64_t length, int k, int64_t nrelevant)
{
	*tally = (MfListTally) {.k = k,.length = length < k ? (int) length : k,.popularity = NAN,.similarity = NAN,.auc = NAN};
	tally->nrelevant = nrelevant > 0 ? nrelevant : 1;
	tally->attainable = tally->nrelevant < k ? (int) tally->nrelevant : k;
	for (int rank = 0; rank < tally->attainable; rank++)
		tally->ideal_gain += gain_at(rank);
}

/*
 * Tallies a list, best first, of `length` distinct items, of which the first k count, against nrelevant relevant
 * items, ascending.  Without any relevant item it counts as if there were one that no list has: all is 0.
 * What follows information is left to the caller, who knows popularities, vectors and scores: 0, and NaN behind it.
 */
void
mf_list_tally(MfListTally *tally, const int32_t *list, int length, int k, const int32_t *relevant, int64_t nrelevant)
{
	start_tally(tally, length, k, nrelevant);
	for (int rank = 0; rank < tally->length; rank++)
	{
		if (!mf_list_has(relevant, nrelevant, list[rank]))
			continue;
		if (tally->hits++ == 0)
			tally->first_hit = 1.0 / (rank + 1);
		tally->gain += gain_at(rank);
		tally->precisions += tally->hits / (rank + 1);
	}
	tally->any_hit = tally->hits > 0;
}

/*
 * Has a tally of k places count `missed` more relevant items, which no list can have: they are in what the best list
 * would reach.  Of their place in an order, or their popularity, nothing is known: what the caller has filled in
 * becomes NaN.
 */
void
mf_list_miss(MfListTally *tally, int64_t missed)
{
	MfListTally with;

	start_tally(&with, tally->length, tally->k, tally->nrelevant + missed);
	tally->nrelevant = with.nrelevant;
	tally->attainable = with.attainable;
	tally->ideal_gain = with.ideal_gain;
	tally->information = tally->popularity = tally->similarity = tally->auc = NAN;
}

/*
 * Tallies what a random order of nitems items makes of the first k places on average, where nrelevant of the items are
 * relevant: each place has a hit with probability r / n, and one that has leaves r - 1 hits to the n - 1 others.  The
 * first hit is at rank j with probability prod (n - r - i) / (n - i) over the i < j - 1 before, times r / (n - j + 1).
 * Who is popular or alike plays no part: information, popularity and similarity are NaN.  nitems >= nrelevant >= 1.
 */
void
mf_list_expect(MfListTally *tally, int64_t nitems, int k, int64_t nrelevant)
{
	double		n = (double) nitems;
	double		r = (double) nrelevant;
	double		others = nitems > 1 ? (r - 1) / (n - 1) : 0;
	double		none = 1;		/* probability that there is no hit so far */

	start_tally(tally, nitems, k, nrelevant);
	tally->information = NAN;
	tally->auc = nitems > nrelevant ? 0.5 : NAN;
	tally->hits = tally->length * r / n;
	for (int rank = 0; rank < tally->length; rank++)
	{
		tally->gain += r / n * gain_at(rank);
		tally->precisions += r / n * (1 + rank * others) / (rank + 1);
		tally->first_hit += none * r / (n - rank) / (rank + 1);
		none *= (n - r - rank) / (n - rank);
	}
	tally->any_hit = 1 - none;
}

/*
 * The self-information of a list's items in bits: the sum of -log2(count of the item / total), where total is the
 * number of ratings, or of users (Zhou et al. 2010).  An item without any counts as one that has one.
 */
double
mf_list_information(const int32_t *list, int length, const int64_t *count, double total)
{
	double		sum = 0;

	for (int i = 0; i < length; i++)
		sum -= log2((count[list[i]] > 0 ? (double) count[list[i]] : 1.0) / total);
	return sum;
}

/* The sum over a list's items of count of the item / total, the number of users. */
double
mf_list_popularity(const int32_t *list, int length, const int64_t *count, double total)
{
	double		sum = 0;

	for (int i = 0; i < length; i++)
		sum += (double) count[list[i]] / total;
	return sum;
}

/* Counts a list's items as in one more list. */
void
mf_exposure_add(MfExposure *exposure, const int32_t *list, int length)
{
	for (int i = 0; i < length; i++)
		exposure->count[list[i]]++;
}

static int
compare_counts(const void *a, const void *b)
{
	int32_t		x = *(const int32_t *) a;
	int32_t		y = *(const int32_t *) b;

	return (x > y) - (x < y);
}

/* Sorts the counts, ascending, when all lists are in: metrics ask how often items appear, not which. */
void
mf_exposure_sort(MfExposure *exposure)
{
	qsort(exposure->count, (size_t) exposure->nitems, sizeof(int32_t), compare_counts);
}

/* Adds a prediction and what it should have been. */
void
mf_error_add(MfErrorSums *sums, double predicted, double actual)
{
	sums->count++;
	sums->squares += (predicted - actual) * (predicted - actual);
	sums->absolutes += fabs(predicted - actual);
}

/* Adds sums over other predictions. */
void
mf_error_merge(MfErrorSums *sums, const MfErrorSums *more)
{
	sums->count += more->count;
	sums->squares += more->squares;
	sums->absolutes += more->absolutes;
}
