/*
 * test_sparse.c - that no valid problem fails: thousands of small ones by chance, of all shapes, weights,
 * constants and starts, at every instruction set level, solved exactly and iteratively, and folded in.
 *
 *   build/test_sparse             3,000 of them, with MFREC_TEST_ALL 6,000
 *   build/test_sparse 7 1 160     number 7, of at most 160 factors; SPARSE_VERBOSE=1 prints losses
 */
#include "tap.h"

#include "sparse.h"

#define PROBLEMS (thorough() ? 6000 : 3000)
#define AT_ONCE 500
#define LARGE 4					/* problems of up to 1000 factors, which take long */

typedef struct Chance
{
	uint64_t	seed;
	uint64_t	count;
} Chance;

static uint32_t
chance_below(void *state, uint32_t limit)
{
	Chance	   *chance = state;

	return (uint32_t) (mf_random_uniform(chance->seed, chance->count++) * limit) % limit;
}

/* The problems first .. first + n - 1; says how many fail. */
static void
test_problems(int first, int n, int most)
{
	int			failed = 0;

	for (int k = first; k < first + n; k++)
	{
		Chance		chance = {(uint64_t) k, 0};
		Draws		draws = {chance_below, &chance};

		if (sparse_check(&draws, most) == NULL)
			continue;
		printf("#   problem %d of at most %d factors\n", k, most);
		failed++;
	}
	ok(failed == 0, "problems %d to %d of at most %d factors: %d fail", first, first + n - 1, most, failed);
}

int
main(int argc, char **argv)
{
	if (argc > 3)
		test_problems(atoi(argv[1]), atoi(argv[2]), atoi(argv[3]));
	else
	{
		for (int k = 0; k < PROBLEMS; k += AT_ONCE)
			test_problems(k, AT_ONCE, 160);
		for (int k = 0; k < LARGE; k++)
			test_problems(PROBLEMS + k, 1, 1000);
	}
	return done();
}
