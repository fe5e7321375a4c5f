/*
 * test_amx.c - products of panels by tiles of bytes: the kernel over a model of these in plain C, to the bit, wherever
 * this runs; the library's own instructions, by the processor or trapped; and what becomes of a refusal.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tap.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "amx_model.h"
#include "amx_trap.h"
#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/base/threads.h"
#include "core/kernels/int8.h"
#include "core/kernels/syrk_amx.h"

#define MF_BODY "core/kernels/syrk_amx_body.h"
#include "core/simd/foreach_isa.h"

/* The kernel over the model, for each level's registers. */
#define MODEL(x, id, name, bodies, lanes, vnni, target, support) syrk_tiles_##bodies,
static const MfSyrk model[MF_ISA_LEVELS] = {MF_ISA_EACH(MODEL, )};

static const MfAhead nothing;

/* n zeros. */
static float *
new_floats(size_t n)
{
	return calloc(n, sizeof(float));
}

/* Rows of whole numbers, as a panel and as they are, and their product. */
typedef struct Panel
{
	int			ld;
	int			n;
	int			number[MF_INT8_PANEL][1024];
	uint32_t	words[(MF_INT8_PANEL / 4 + 1) * 1024];	/* sums of columns behind the rows */
	uint32_t	tiles[MF_INT8_PANEL / 4 * 1024];	/* as tiles take it: zeros are behind them */
	float		step[1024];
	int64_t    *sum;			/* ld x ld */
	float	   *before;			/* ld x ld */
	float	   *expected;
	float	   *c;
} Panel;

/* Rows of d numbers; extreme: of the largest ones alone, signs such that sums in few columns are as large as can be. */
static Panel *
new_panel(int d, bool extreme)
{
	Panel	   *p = calloc(1, sizeof(Panel));
	size_t		size;

	p->ld = mf_padded(d);
	size = (size_t) (p->ld * p->ld);
	p->sum = calloc(size, sizeof(int64_t));
	p->before = new_floats(size);
	p->expected = new_floats(size);
	p->c = new_floats(size);
	for (int r = 0; r < MF_INT8_PANEL; r++)
		for (int j = 0; j < d; j++)
		{
			float		x = 2 * (float) mf_random_uniform(1, (uint64_t) (r * 1024 + j)) - 1;

			if (extreme)
				x = j % 3 == 0 || x < 0 ? -1 : 1;
			p->number[r][j] = (int) rintf(x * MF_INT8_MOST);
		}
	for (int j = 0; j < p->ld; j++)
		p->step[j] = 0.1f + (float) mf_random_uniform(2, (uint64_t) j);
	for (size_t k = 0; k < size; k++)
		p->before[k] = (float) mf_random_uniform(3, k);
	return p;
}

static void
free_panel(Panel *p)
{
	free(p->sum);
	free(p->before);
	free(p->expected);
	free(p->c);
	free(p);
}

/* Takes its first n rows, at least those that it had, to words, and their product. */
static void
set_rows(Panel *p, int n, int add)
{
	int			nwords = (n + 3) / 4;

	/* what is behind the rows does not matter, but for sums of columns and zeros */
	memset(p->words, 0x5a, sizeof(p->words));
	memset(p->words, 0, (size_t) ((nwords + 1) * p->ld) * 4);
	for (int r = 0; r < n; r++)
		for (int j = 0; j < p->ld; j++)
		{
			uint32_t	number = (uint32_t) p->number[r][j];

			p->words[r / 4 * p->ld + j] |= (number & 0xff) << (r % 4 * 8);
			p->words[nwords * p->ld + j] += number;
		}
	memcpy(p->tiles, p->words, sizeof(p->tiles));
	mf_tiles_end((float *) p->tiles, p->ld, n);
	for (int r = p->n; r < n; r++)
		for (int i = 0; i < p->ld; i++)
			for (int j = i & ~15; j < p->ld; j++)
				p->sum[i * p->ld + j] += p->number[r][i] * p->number[r][j];
	p->n = n;
	memcpy(p->expected, p->before, (size_t) (p->ld * p->ld) * sizeof(float));
	for (int i = 0; i < p->ld; i++)
		for (int j = i & ~15; j < p->ld; j++)
		{
			float	   *to = p->expected + i * p->ld + j;
			float		factor = 0.3f * p->step[i];

			factor *= p->step[j];
			*to = fmaf((float) (int32_t) p->sum[i * p->ld + j], factor, add ? *to : 0.0f);
		}
}

/* Whether a kernel finds the product of words to the bit, and touches nothing below its diagonal tiles. */
static bool
is_right(Panel *p, MfSyrk syrk, const uint32_t *words, int add)
{
	size_t		bytes = (size_t) (p->ld * p->ld) * sizeof(float);

	memcpy(p->c, p->before, bytes);
	syrk(p->c, p->ld, (const float *) words, p->ld, p->n, p->step, 0.3f, add, &nothing);
	return memcmp(p->c, p->expected, bytes) == 0;
}

/* The words that kernels in force take, which use tiles where these pay. */
static const uint32_t *
words_in_force(const Panel *p)
{
	return mf_isa_has_amx() && mf_tiles_pay(p->ld, p->n) ? p->tiles : p->words;
}

/* The kernels without tiles; NULL where there are none. */
static const MfInt16 *
other_kernels(void)
{
#ifdef MF_ISA_X86
	const MfInt16 *kernels;

	mf_isa_limit(MF_ISA_VNNI);
	kernels = mf_int8();
	mf_isa_limit(MF_ISA_LEVELS - 1);
	return kernels;
#else
	return NULL;
#endif
}

/* The processor's tiles; NULL where there are none, or permission was refused. */
static MfSyrk
own_tiles(void)
{
#ifdef MF_HAS_AMX
	if (mf_isa_has_amx() && mf_syrk_amx_agrees(other_kernels()->syrk))
		return mf_syrk_amx;
#endif
	return NULL;
}

/* The number of rows to try after n: every one up to two steps of tiles where the stride is 1. */
static int
next_length(int n, int stride)
{
	if (n >= 130 && stride < 61)
		stride = 61;
	if (n % 32 == 0 || n == MF_INT8_PANEL)
		return n + 1;
	return n + stride > MF_INT8_PANEL ? MF_INT8_PANEL : n + stride;
}

/* Many numbers of rows with the best level's registers, and with others' where sizes are odd. */
static void
test_sizes(int d, bool extreme, int stride)
{
	const MfInt16 *other = other_kernels();
	MfSyrk		own = own_tiles();
	Panel	   *p = new_panel(d, extreme);
	MfIsa		best = mf_isa();
	bool		good = true;
	bool		same = true;
	bool		real = true;

	for (int n = 1; n <= MF_INT8_PANEL; n = next_length(n, stride))
	{
		int			add = n % 3 != 0;

		set_rows(p, n, add);
		for (int level = 0; level <= (int) best; level++)
			if (level == (int) best || n == 1 || n % 61 == 0)
				good = is_right(p, model[level], p->tiles, add) && good;
		if (other != NULL)
			same = is_right(p, other->syrk, p->words, add) && same;
		if (own != NULL)
			real = is_right(p, own, p->tiles, add) && real;
	}
	ok(good, "d = %d%s: the model's tiles find products to the bit", d, extreme ? ", extreme" : "");
	ok(model_faults == 0 && !model_configured, "d = %d: without a fault, and are given back", d);
	if (other != NULL)
		ok(same, "d = %d: so do kernels without tiles", d);
	if (own != NULL)
		ok(real, "d = %d: so do the processor's tiles", d);
	free_panel(p);
}

/* The library's own instructions, trapped, by the way that a training takes. */
static void
test_trapped(int d)
{
	static const int lengths[] = {1, 4, 64, 127, 128, 129, 192, 301, MF_INT8_PANEL};
	const MfInt16 *other = other_kernels();
	const MfInt16 *own;
	Panel	   *p;
	bool		good = true;

	if (!pretend_tiles())
		return;
	p = new_panel(d, false);
	own = mf_int8();
	for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++)
	{
		int			before = trapped;

		if (d > 128 && lengths[k] != 129)
			continue;
		set_rows(p, lengths[k], k % 2);
		good = is_right(p, own->syrk, words_in_force(p), k % 2) && (trapped > before) == mf_tiles_pay(p->ld, p->n) && good;
	}
	ok(own != other && good && model_faults == 0 && !model_configured,
	   "d = %d: the library's own instructions, trapped", d);
	stop_pretending();
	free_panel(p);
}

/* Sums that have one bit wrong. */
static void
wrong_syrk(float *c, int ldc, const float *panel, int ld, int n, const float *step, float square, int add,
		   const MfAhead *ahead)
{
	model[0] (c, ldc, panel, ld, n, step, square, add, ahead);
	c[17] = nextafterf(c[17], 0.0f);
}

/* What makes tiles trusted, or not. */
static void
test_trial(void)
{
	const MfInt16 *other = other_kernels();

	ok(mf_syrk_amx_trial(model[mf_isa()], other != NULL ? other->syrk : model[0]), "right tiles stand a trial");
	ok(!mf_syrk_amx_trial(wrong_syrk, model[0]), "and wrong ones do not");
}

/* Instructions of a full panel, of which speed is made. */
static void
test_counts(void)
{
	Panel	   *p = new_panel(64, false);

	set_rows(p, MF_INT8_PANEL, 0);
	model_dots = model_loads = model_stores = model_configurations = 0;
	is_right(p, model[0], p->tiles, 0);
	ok(model_dots == 80 && model_loads == 120 && model_stores == 10 && model_configurations == 1,
	   "512 x 64: %d products, %d loads, %d stores", model_dots, model_loads, model_stores);
	free_panel(p);
}

/* Rows of the product may be further apart than columns are many; what lies between them stays, and rows ahead do not show. */
static void
test_apart(void)
{
	Panel	   *p = new_panel(64, false);
	float	   *c = new_floats(64 * 96);
	static const int32_t column[] = {3, 0, 5};
	MfAhead		ahead = {c, 96, 64, column, 3};
	bool		right = true;

	set_rows(p, 70, 0);
	model[0] (c, 96, (const float *) p->tiles, 64, 70, p->step, 0.3f, 1, &ahead);
	model[0] (p->c, 64, (const float *) p->tiles, 64, 70, p->step, 0.3f, 0, &nothing);
	for (int i = 0; i < 64; i++)
		for (int j = 0; j < 96; j++)
			right = right && c[i * 96 + j] == (j < 64 && j / 16 >= i / 16 ? p->c[i * 64 + j] : 0.0f);
	ok(right, "a product whose rows are apart");
	free(c);
	free_panel(p);
}

/* Answers to questions, and how often permission was asked for. */
static bool has_processor;
static bool has_system;
static int	refusal;
static int	requests;

static bool
fake_processor(void)
{
	return has_processor;
}

static bool
fake_system(void)
{
	return has_system;
}

static int
fake_permission(void)
{
	requests++;
	return refusal;
}

/* These answers lead to that decision; where it is not for tiles, kernels are those without. */
static void
test_answers(bool processor, bool saved, int error, MfAmx expected)
{
	static const MfAmxQuestions questions = {fake_processor, fake_system, fake_permission};
	MfAmx		answer;

	has_processor = processor;
	has_system = saved;
	refusal = error;
	requests = 0;
	answer = mf_amx_ask(&questions);
	ok(answer == expected && mf_amx() == expected && requests == (processor && saved), "tiles: %s", mf_amx_text(answer));
	if (expected != MF_AMX_READY)
		ok(!mf_isa_has_amx() && mf_int8() == other_kernels(),
		   "so panels are multiplied without");
}

static void
test_refusal(void)
{
	bool		words = true;

	test_answers(false, true, 0, MF_AMX_NO_PROCESSOR);
	test_answers(true, false, 0, MF_AMX_NO_SYSTEM);
	test_answers(true, true, EINVAL, MF_AMX_OLD_KERNEL);
	test_answers(true, true, ENOSYS, MF_AMX_OLD_KERNEL);
	test_answers(true, true, ENOSPC, MF_AMX_NO_STACK);
	test_answers(true, true, EPERM, MF_AMX_REFUSED);
	test_answers(true, true, 0, MF_AMX_READY);
	mf_amx_distrust();
	ok(mf_amx() == MF_AMX_WRONG && !mf_isa_has_amx() && mf_int8() == other_kernels(), "tiles: %s",
	   mf_amx_text(mf_amx()));
	for (int k = 0; k < MF_AMX_ANSWERS; k++)
		words = words && mf_amx_text((MfAmx) k) != NULL;
	ok(words, "every answer has words");
	mf_amx_ask(NULL);
}

/* The panel that threads, children and whoever is interrupted multiply by the kernels in force. */
static Panel *shared;

/* Task: many products of it, all of which must be right. */
static void
multiply_often(void *state, int64_t task, int worker)
{
	atomic_int *wrong = state;
	float		c[64 * 64];

	(void) task;
	(void) worker;
	for (int k = 0; k < 50; k++)
	{
		memcpy(c, shared->before, sizeof(c));
		mf_int8()->syrk(c, 64, (const float *) words_in_force(shared), 64, shared->n, shared->step, 0.3f, 1, &nothing);
		*wrong += memcmp(c, shared->expected, sizeof(c)) != 0;
	}
}

static volatile sig_atomic_t interrupts;

static void
interrupt(int signal)
{
	(void) signal;
	interrupts++;
}

/* With so many threads, under signals and after a fork registers are each one's own; with tiles or without. */
static void
test_company(int nthreads, const char *way)
{
	MfParallel	parallel = {nthreads, NULL};
	struct itimerval often = {{0, 200}, {0, 200}};
	struct itimerval never = {{0, 0}, {0, 0}};
	atomic_int	wrong = 0;
	int			status = -1;
	pid_t		child;

	shared = new_panel(64, false);
	set_rows(shared, MF_INT8_PANEL, 1);
	interrupts = 0;
	mf_parallel_for(&parallel, 4, multiply_often, &wrong);
	ok(wrong == 0, "%s: %d at once multiply", way, nthreads);
	signal(SIGALRM, interrupt);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int k = 0; k < 1000 && interrupts < 20; k++)
		multiply_often(&wrong, 0, 0);
	setitimer(ITIMER_REAL, &never, NULL);
	ok(wrong == 0 && interrupts > 0, "%s: so they do under signals", way);
	fflush(stdout);
	child = fork();
	if (child == 0)
	{
		multiply_often(&wrong, 0, 0);
		_exit(wrong != 0);
	}
	ok(waitpid(child, &status, 0) == child && status == 0, "%s: and in a child", way);
	free_panel(shared);
}

/* By the kernels of this machine, and by instructions that are trapped. */
static void
test_companies(void)
{
	if (mf_int8() == NULL)
	{
		skip("panels in company", "there are no kernels for them");
		return;
	}
	test_company(4, mf_isa_has_amx() ? "tiles" : "no tiles");
	if (pretend_tiles())
		test_company(1, "trapped");
	stop_pretending();
}

int
main(void)
{
	static const int sizes[] = {1, 3, 15, 16, 17, 63, 64, 65, 96, 128, 200, 256, 1000};

	printf("# tiles here: %s\n", mf_amx_text(mf_amx()));
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
		for (int extreme = 0; extreme < 2; extreme++)
			test_sizes(sizes[k], extreme, sizes[k] <= 64 ? 1 : sizes[k] <= 128 ? 5 : 61);
	for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
		test_trapped(sizes[k]);
	test_trial();
	test_counts();
	test_apart();
	test_refusal();
	test_companies();
	return done();
}
