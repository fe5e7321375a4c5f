/*
 * test_choice.c - users who were shown things share items by chance, users who chose do not.
 */
#include "tap.h"

#include <stdlib.h>

#include "core/metrics/choice.h"
#include "core/base/rng.h"

#define USERS 300
#define ITEMS 200

/* Probability that a user has an item. */
typedef double (*Rule) (int user, int item);

/* The excess of users who have items by a rule; the seed is of the dice. */
static double
excess(Rule rule, uint64_t seed, double *error)
{
	static int32_t item[USERS * ITEMS];
	int64_t		start[USERS + 1] = {0};
	int32_t		count[ITEMS] = {0};
	MfChoices	choices = {USERS, start, item, ITEMS, count};
	void	   *space = malloc((size_t) mf_choice_workspace(USERS, ITEMS));
	double		result;

	for (int u = 0; u < USERS; u++)
	{
		start[u + 1] = start[u];
		for (int i = 0; i < ITEMS; i++)
			if (mf_random_uniform(seed, (uint64_t) (u * ITEMS + i)) < rule(u, i))
			{
				item[start[u + 1]++] = i;
				count[i]++;
			}
	}
	result = mf_choice_excess(&choices, space, error);
	free(space);
	return result;
}

static double
everything(int user, int item)
{
	(void) user;
	(void) item;
	return 1;
}

static double
a_tenth(int user, int item)
{
	(void) user;
	(void) item;
	return 0.1;
}

/* Active users and popular items, but no tastes. */
static double
uneven(int user, int item)
{
	return 1 - exp(-(0.2 + user % 7) * (1 + item % 9) / 60.0);
}

/* Four in ten of each user's items are of the user's own kind out of ten. */
static double
some_taste(int user, int item)
{
	return user % 10 == item % 10 ? 0.6 : 0.1;
}

static double
own_kind(int user, int item)
{
	return user % 10 == item % 10 ? 0.8 : 0.02;
}

int
main(void)
{
	static const Rule chance[] = {everything, a_tenth, uneven};
	static const char *const names[] = {"everybody has everything", "everybody has a tenth", "active users, popular items"};
	double		error;
	double		value;

	for (int r = 0; r < 3; r++)
		for (uint64_t seed = 1; seed <= 5; seed++)
		{
			value = excess(chance[r], seed, &error);
			ok(value + 2 * error < 0.03 && value > -0.05, "%s: by chance (seed %d)", names[r], (int) seed);
		}
	for (uint64_t seed = 1; seed <= 5; seed++)
	{
		value = excess(some_taste, seed, &error);
		ok(value - 2 * error > 0.03, "some taste is seen (seed %d)", (int) seed);
		value = excess(own_kind, seed, &error);
		ok(value - 2 * error > 1, "much taste is much (seed %d)", (int) seed);
	}
	return done();
}
