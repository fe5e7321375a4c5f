/*
 * bench_als.c - times alternating least squares on a file of ratings: seconds and GFLOP/s an
 * iteration.
 *
 * usage: bench_als FILE.bin PRESET FACTORS THREADS [ITERATIONS [exact|floats] [WEIGHTS ...]]
 *   exact: rows are solved directly; floats: nothing is rounded
 *   FACTORS: 64, or 64+32 for 32 more that ratings have for themselves
 *   FILE.bin: records of int32 user, int32 item, float rating; PRESET: implicit (ratings from 3.5
 *   on, as cells without a value), all (any rating, likewise), joint or rating.  GFLOP/s counts
 *   d (d + 1) per cell and half-sweep and d^3 / 3 per row, whatever was done.
 *   WEIGHTS: weights (of a column of them), fading (rows of two years, with a half-life of 180 days), both, or plain (the
 *   default); or avx2, avx512, vnni or amx: plain, on at most that instruction set level, so amx and vnni are with tiles
 *   and without.  Of several, iterations are taken in turns, so that all meet the same moods of the machine.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "core/als/als.h"
#include "core/simd/isa.h"

typedef struct Record
{
	int32_t		user;
	int32_t		item;
	float		rating;
} Record;

static double
clock_seconds(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static double
now(void)
{
	return clock_seconds(CLOCK_MONOTONIC);
}

static void *
room(size_t bytes)
{
	void	   *x = aligned_alloc(64, (bytes + 127) & ~(size_t) 63);

	if (x == NULL)
		exit(1);
	/* as training does: vectors are read in no order */
	(void) madvise((char *) (((uintptr_t) x + 4095) & ~(uintptr_t) 4095), bytes & ~(size_t) 4095, MADV_HUGEPAGE);
	memset(x, 0, bytes);
	return x;
}

/* Reads the records that the preset uses, as triplets. */
static MfTriplets
read_triplets(const char *name, bool implicit, int64_t *nusers, int64_t *nitems)
{
	FILE	   *file = fopen(name, "rb");
	MfTriplets	t = {0};
	int32_t    *column;
	float	   *rating;
	Record		records[4096];
	size_t		got;
	size_t		most;

	if (file == NULL)
	{
		perror(name);
		exit(1);
	}
	fseek(file, 0, SEEK_END);
	most = (size_t) ftell(file) / sizeof(Record);
	rewind(file);
	t.row = room(most * 4);
	t.column = column = room(most * 4);
	t.rating = rating = room(most * 4);
	*nusers = *nitems = 0;
	while ((got = fread(records, sizeof(Record), 4096, file)) > 0)
		for (size_t k = 0; k < got; k++)
		{
			*nusers = records[k].user >= *nusers ? records[k].user + 1 : *nusers;
			*nitems = records[k].item >= *nitems ? records[k].item + 1 : *nitems;
			if (implicit && records[k].rating < 3.5f)
				continue;
			t.row[t.n] = records[k].user;
			column[t.n] = records[k].item;
			rating[t.n++] = records[k].rating;
		}
	fclose(file);
	return t;
}

static MfMatrix
new_matrix(int64_t nrows, int64_t n, bool rating)
{
	MfMatrix	m = {nrows, room((size_t) (nrows + 1) * 8), room((size_t) n * 4),
	rating ? room((size_t) n * 4) : NULL, NULL};

	return m;
}

/* Ratings with mean 0 and deviation 1. */
static void
standardize(float *rating, int64_t n)
{
	double		sum = 0.0;
	double		squares = 0.0;

	for (int64_t k = 0; k < n; k++)
	{
		sum += rating[k];
		squares += (double) rating[k] * rating[k];
	}
	sum /= (double) n;
	squares = sqrt(squares / (double) n - sum * sum);
	for (int64_t k = 0; k < n; k++)
		rating[k] = (float) ((rating[k] - sum) / squares);
}

/* factor * n^power of each row of a matrix. */
static float *
regularization(const MfMatrix *m, float factor, float power)
{
	float	   *r = room((size_t) m->nrows * 4);

	for (int64_t k = 0; k < m->nrows; k++)
		r[k] = factor * powf(fmaxf((float) (m->start[k + 1] - m->start[k]), 1.0f), power);
	return r;
}

/* One half-sweep; ends the program on an error. */
static double
half_sweep(MfAls *als, MfSide side, bool exact, const MfMatrix *m)
{
	MfRows		rows = mf_matrix_rows(m);
	double		loss;
	MfError		error = mf_als_begin(als, side, exact, NULL);

	if (error == MF_OK)
		error = mf_als_rows(als, &rows);
	if (error == MF_OK)
		error = mf_als_end(als, &loss);
	if (error != MF_OK)
	{
		fprintf(stderr, "error %d\n", (int) error);
		exit(1);
	}
	return loss;
}

/* A training: one kind of weights. */
typedef struct Run
{
	const char *name;
	MfMatrix	by_user;
	MfMatrix	by_item;
	MfProblem	problem;
	MfAls	   *als;
	double		total;
} Run;

/* A number in [0, 1) of a cell, the same for either side. */
static double
share(int64_t user, int64_t item, uint64_t salt)
{
	uint64_t	z = ((uint64_t) user << 32 | (uint64_t) item) * 0x9e3779b97f4a7c15 + salt;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (double) ((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

/* The weights of a matrix's cells: 0.5 to 1.5 of a column, and halved with every 180 days of the last 730. */
static float *
make_weights(const MfMatrix *m, bool users, bool column, bool fading)
{
	float	   *weight = room((size_t) m->start[m->nrows] * 4);

	for (int64_t r = 0; r < m->nrows; r++)
		for (int64_t c = m->start[r]; c < m->start[r + 1]; c++)
		{
			int64_t		user = users ? r : m->column[c];
			int64_t		item = users ? m->column[c] : r;

			weight[c] = (float) ((column ? 0.5 + share(user, item, 1) : 1.0) *
								 (fading ? exp2(-730.0 / 180.0 * share(user, item, 2)) : 1.0));
		}
	return weight;
}

/* A training of a problem's factors, from where chance puts them. */
static void
make_run(Run *run, const char *name, const MfMatrix *by_user, const MfMatrix *by_item, MfProblem problem,
		 const MfParallel *parallel)
{
	bool		both = strcmp(name, "both") == 0;
	bool		column = both || strcmp(name, "weights") == 0;
	bool		fading = both || strcmp(name, "fading") == 0;
	size_t		ld = (size_t) mf_padded(problem.factors);
	MfFactors	factors = {.user = room((size_t) problem.nusers * ld * 4)};

	*run = (Run) {.name = name,.by_user = *by_user,.by_item = *by_item,.problem = problem};
	if (column || fading)
	{
		run->problem.int16 = false;
		run->by_user.weight = make_weights(by_user, true, column, fading);
		run->by_item.weight = make_weights(by_item, false, column, fading);
	}
	run->problem.fade = fading ? 1.0f : 0.0f;
	run->problem.rating_roots = fading && !column && problem.has_interest && problem.has_rating ? 4 : 0;
	if (problem.has_interest)
		factors.interest = room((size_t) problem.nitems * ld * 4);
	if (problem.has_rating)
	{
		factors.rating = room((size_t) problem.nitems * ld * 4);
		factors.user_bias = room((size_t) problem.nusers * 4);
		factors.item_bias = room((size_t) problem.nitems * 4);
	}
	mf_random_start(&run->problem, &factors, 1);
	run->als = mf_als_init(room(mf_als_size(&run->problem, parallel)), &run->problem, &factors, parallel);
}

/* The level that a run is named for, or the best. */
static MfIsa
level_of(const char *name)
{
	for (int level = 1; level < MF_ISA_LEVELS; level++)
		if (strcmp(name, mf_isa_name((MfIsa) level)) == 0)
			return (MfIsa) level;
	return (MfIsa) (MF_ISA_LEVELS - 1);
}

/* An iteration of one of the runs, and its report. */
static void
iterate(Run *run, int k, bool exact)
{
	double		d = run->problem.factors;
	double		cells = (double) run->by_user.start[run->by_user.nrows];
	double		work = 2.0 * cells * d * (d + 1) +
		(double) (run->by_user.nrows + run->by_item.nrows) * d * d * d / 3.0;
	double		start;
	double		cpu;
	double		middle;
	double		seconds;
	double		loss;

	mf_isa_limit(level_of(run->name));
	start = now();
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
	half_sweep(run->als, MF_USERS, exact, &run->by_user);
	middle = now();
	loss = half_sweep(run->als, MF_ITEMS, exact, &run->by_item);
	seconds = now() - start;
	run->total += seconds;
	cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	printf("%s%s%2d: users %.3f items %.3f together %.3f s (cpu %.3f), %.0f GFLOP/s, "
		   "total %.3f s, loss %.8g\n", strcmp(run->name, "plain") == 0 ? "" : run->name,
		   strcmp(run->name, "plain") == 0 ? "" : " ", k, middle - start, seconds - (middle - start), seconds,
		   cpu, work / seconds * 1e-9, run->total, loss);
	fflush(stdout);
}

int
main(int argc, char **argv)
{
	bool		all = argc > 2 && strcmp(argv[2], "all") == 0;
	bool		implicit = all || (argc > 2 && strcmp(argv[2], "implicit") == 0);
	bool		rating_alone = argc > 2 && strcmp(argv[2], "rating") == 0;
	int			shared = argc > 3 ? atoi(argv[3]) : 64;
	int			own = argc > 3 && strchr(argv[3], '+') != NULL ? atoi(strchr(argv[3], '+')) : 0;
	int			d = shared + own;
	MfParallel	parallel = {argc > 4 ? atoi(argv[4]) : 1, NULL};
	int64_t		nusers;
	int64_t		nitems;
	MfTriplets	t;
	MfMatrix	by_user;
	MfMatrix	by_item;
	MfRows		rows;
	MfProblem	problem = {0};
	void	   *space;
	double		start;
	bool		exact = argc > 6 && strcmp(argv[6], "exact") == 0;
	bool		floats = argc > 6 && strcmp(argv[6], "floats") == 0;
	int			names;
	int			nruns;
	Run		   *runs;

	if (argc < 5)
	{
		fprintf(stderr, "usage: bench_als FILE.bin implicit|all|joint|rating FACTORS THREADS "
				"[ITERATIONS [exact|floats] [weights|fading|both|plain|vnni|amx ...]]\n");
		return 1;
	}
	t = read_triplets(argv[1], implicit && !all, &nusers, &nitems);
	standardize((float *) t.rating, t.n);
	if (implicit)
		t.rating = NULL;
	by_user = new_matrix(nusers, t.n, !implicit);
	by_item = new_matrix(nitems, t.n, !implicit);
	space = room(mf_csr_workspace(&parallel, t.n, nusers > nitems ? nusers : nitems));
	start = now();
	mf_csr_build(&parallel, &t, MF_DUPLICATES_MEAN, &by_user, &by_item, space, NULL);
	rows = mf_matrix_rows(&by_user);
	mf_csr_transpose(&parallel, &rows, &by_item, t.row, space);
	printf("%lld cells, %lld x %lld: rows built in %.3f s\n", (long long) t.n, (long long) nusers,
		   (long long) nitems, now() - start);
	problem = (MfProblem) {.nusers = nusers,.nitems = nitems,.factors = d,.shared = shared,.has_rating = !implicit,
		.has_interest = !rating_alone,.interest_weight = implicit ? 1.0f : 0.3f,.alpha = 8.0f,
		.user_regularization = regularization(&by_user, implicit ? 1.0f : 0.7f, 0.5f),
		.user_rating_regularization = regularization(&by_user, implicit ? 1.0f : 0.7f, 0.5f),
		.rating_regularization = regularization(&by_item, 0.3f, 1.0f),
		.interest_regularization = regularization(&by_item, 40.0f, 0.5f),
	.user_bias_regularization = 2.0f,.item_bias_regularization = 2.0f,.int16 = !floats,.int8 = !floats,.rests = true};
	printf("AMX tiles: %s\n", mf_amx_text(mf_amx()));
	names = exact || floats ? 7 : 6;
	nruns = argc > names ? argc - names : 1;
	runs = room((size_t) nruns * sizeof(Run));
	for (int k = 0; k < nruns; k++)
		make_run(&runs[k], argc > names ? argv[names + k] : "plain", &by_user, &by_item, problem, &parallel);
	for (int k = 1; k <= (argc > 5 ? atoi(argv[5]) : 3); k++)
		for (int r = 0; r < nruns; r++)
			iterate(&runs[r], k, exact);
	return 0;
}
