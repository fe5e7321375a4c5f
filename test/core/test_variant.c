/*
 * test_variant.c - variants of an experiment: shares are the weights', and a change of weights moves nobody in vain.
 */
#include "tap.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "core/metrics/holdout.h"
#include "core/metrics/variant.h"

#define USERS 200000
#define VARIANTS 4

static uint64_t names[VARIANTS];

/* The hash of an experiment or variant by its name. */
static uint64_t
hash_of(const char *name)
{
	return mf_holdout_text(name, strlen(name));
}

/* What a user gets. */
static int
variant_of(const char *experiment, int64_t user, const double *weight)
{
	return mf_variant_choose(hash_of(experiment), mf_holdout_integer(user), names, weight, VARIANTS);
}

/* Whether the users who get each variant are as many as its weight says, up to chance: four standard deviations. */
static void
check_shares(const double *weight, const char *what)
{
	int			users[VARIANTS] = {0};
	double		most = 0;
	double		sum = 0;
	bool		right = true;

	for (int v = 0; v < VARIANTS; v++)
		most = fmax(most, weight[v]);
	for (int v = 0; v < VARIANTS; v++)
		sum += weight[v] / most;
	for (int u = 0; u < USERS; u++)
		users[variant_of("shares", u, weight)]++;
	for (int v = 0; v < VARIANTS; v++)
	{
		double		share = weight[v] / most / sum;

		right = right && fabs(users[v] - USERS * share) <= 4 * sqrt(USERS * share * (1 - share));
	}
	ok(right, "shares of %s", what);
}

static void
test_shares(void)
{
	check_shares((double[]) {25, 25, 25, 25}, "equal weights");
	check_shares((double[]) {90, 10, 0, 0}, "ninety to ten, and nobody where the weight is 0");
	check_shares((double[]) {0, 0, 0, 3}, "one alone");
	check_shares((double[]) {1e-3, 3e-3, 5e-3, 1e-3}, "weights that do not add up to 100");
	check_shares((double[]) {1e308, 1e308, 1e308, 1e307}, "weights of which the sum is no double");
	check_shares((double[]) {1e-320, 0, 1e-320, 0}, "weights that are next to nothing");
	check_shares((double[]) {1e300, 1e-300, 0, 1e300}, "weights whose ratio is no double");
}

/* Users who move from one variant to another when weights change, and whether all such moves are allowed ones. */
static void
check_moves(const double *before, const double *after, bool (*allowed) (int from, int to), double share, const char *what)
{
	int			moved = 0;
	int			wrong = 0;

	for (int u = 0; u < USERS; u++)
	{
		int			from = variant_of("moves", u, before);
		int			to = variant_of("moves", u, after);

		moved += from != to;
		wrong += from != to && !allowed(from, to);
	}
	ok(wrong == 0, "%s: nobody moves but so", what);
	is_close((double) moved / USERS, share, 4 * sqrt(share * (1 - share) / USERS), what);
}

static bool
into_second(int from, int to)
{
	return from != 1 && to == 1;
}

static bool
out_of_third(int from, int to)
{
	return from == 2 && to != 2;
}

static bool
never(int from, int to)
{
	return from == to;
}

static void
test_moves(void)
{
	check_moves((double[]) {40, 20, 20, 20}, (double[]) {30, 40, 15, 15}, into_second, 0.2, "a share grows at the others' cost");
	check_moves((double[]) {40, 20, 20, 20}, (double[]) {40, 45, 20, 20}, into_second, 0.16, "a weight grows");
	check_moves((double[]) {40, 0, 20, 20}, (double[]) {40, 20, 20, 20}, into_second, 0.2, "a variant is added");
	check_moves((double[]) {40, 20, 20, 20}, (double[]) {40, 20, 0, 20}, out_of_third, 0.2, "a variant is taken away");
	check_moves((double[]) {40, 20, 20, 20}, (double[]) {4, 2, 2, 2}, never, 0, "another scale");
}

/* Who gets what in one experiment tells nothing of another, nor of a split with the same names. */
static void
test_independence(void)
{
	static const double half[VARIANTS] = {1, 1, 0, 0};
	uint64_t	experiment = hash_of("one");
	int			both = 0;
	int			held = 0;

	for (int u = 0; u < USERS; u++)
	{
		bool		first = variant_of("one", u, half) == 0;

		both += first && variant_of("two", u, half) == 0;
		held += first && mf_holdout_place(experiment, mf_holdout_integer(u), names[0]) < 0.5;
	}
	is_close((double) both / USERS, 0.25, 0.004, "two experiments are independent");
	is_close((double) held / USERS, 0.25, 0.004, "an experiment and a split are independent");
}

/* Who gets which may never change: the first users of an experiment. */
static void
test_pinned(void)
{
	static const double weight[VARIANTS] = {4, 3, 2, 1};
	char		got[33] = {0};

	for (int u = 0; u < 32; u++)
		got[u] = (char) ('0' + variant_of("pinned", u, weight));
	ok(strcmp(got, "21002001123222012030011101033002") == 0, "who gets which is what it was: %s", got);
}

int
main(void)
{
	names[0] = hash_of("ratings");
	names[1] = hash_of("challenger");
	names[2] = hash_of("");
	names[3] = hash_of("7");
	test_shares();
	test_moves();
	test_independence();
	test_pinned();
	return done();
}
