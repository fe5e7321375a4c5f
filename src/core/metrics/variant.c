/*
 * variant.c - which variant of an experiment a user gets: a function of ids, names and weights alone.
 *
 * Weighted rendezvous hashing (Thaler and Ravishankar, "Using name-based mappings to increase hit rates", 1998;
 * weights after Schindelhauer and Schomaker, "Weighted distributed hash tables", 2005).  For each user every variant
 * draws a waiting time, exponential with the variant's weight as its rate, and the shortest one wins: that of
 * variant v with probability w_v / sum of w.  The draw is a hash of experiment, user and variant, so
 *
 * - a weight that grows shortens the waits of its variant and of no other: users come to it, and nobody changes
 *   between others.  One that shrinks lets users go, and a variant that is added or taken away moves no others;
 * - neither the order of variants nor the scale of weights plays a part.
 *
 * With cumulative shares instead, a share that changes would move the borders between all variants behind it.
 *
 * Experiments outlive servers, so as in holdout.c nothing here may ever change.  C libraries may differ in the last bit
 * of log1p: that decides about one user in 10^15.
 */
#include "core/metrics/variant.h"

#include <math.h>

#include "core/metrics/holdout.h"

/* Makes places of variants others than those of a split whose seed or item is called as an experiment or variant. */
#define OF_VARIANTS UINT64_C(0x7661726961746573)

/*
 * The number, from 0, of the variant that a user gets.  experiment, user and variant[n] are hashes of holdout.c,
 * weight[n] is finite, not negative, and positive for one of them at least; who weighs 0 gets nobody.  Of equal waits,
 * which take equal hashes, the first wins.
 */
int
mf_variant_choose(uint64_t experiment, uint64_t user, const uint64_t *variant, const double *weight, int n)
{
	double		most = 0;
	double		shortest = INFINITY;
	int			chosen = 0;

	for (int v = 0; v < n; v++)
		most = fmax(most, weight[v]);
	for (int v = 0; v < n; v++)
	{
		double		place;
		double		wait;

		if (weight[v] == 0)
			continue;
		place = mf_holdout_place(experiment ^ OF_VARIANTS, user, variant[v]);
		wait = -log1p(-place) / (weight[v] / most);	/* of shares, so that none is lost in the range of doubles */
		if (wait < shortest)
		{
			shortest = wait;
			chosen = v;
		}
	}
	return chosen;
}
