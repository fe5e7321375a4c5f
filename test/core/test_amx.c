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
#define MODEL_INT16(x, id, name, bodies, lanes, vnni, target, support) syrk_int16_##bodies,
#define MODEL_INT8(x, id, name, bodies, lanes, vnni, target, support) syrk_int8_##bodies,
static const MfSyrk model[2][MF_ISA_LEVELS] = {{MF_ISA_EACH(MODEL_INT8, )}, {MF_ISA_EACH(MODEL_INT16, )}};

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
	bool		halves;			/* of 13 bits, else of 8 */
	int			ld;
	int			n;
	int			number[MF_INT16_PANEL + 4][1024];
	uint32_t	words[(MF_INT16_PANEL / 2 + 1) * 1024];
	float		step[1024];
	int64_t    *sum;			/* ld x ld */
	float	   *before;			/* ld x ld */
	float	   *expected;
	float	   *c;
} Panel;

/* Rows of d numbers; extreme: of the largest ones alone, signs such that sums in few columns are as large as can be. */
static Panel *
new_panel(bool halves, int d, bool extreme)
{
	Panel	   *p = calloc(1, sizeof(Panel));
	int			most = halves ? MF_INT16_MOST : MF_INT8_MOST;
	size_t		size;

	p->halves = halves;
	p->ld = mf_padded(d);
	size = (size_t) (p->ld * p->ld);
	p->sum = calloc(size, sizeof(int64_t));
	p->before = new_floats(size);
	p->expected = new_floats(size);
	p->c = new_floats(size);
	for (int r = 0; r < MF_INT16_PANEL; r++)
		for (int j = 0; j < d; j++)
		{
			float		x = 2 * (float) mf_random_uniform(1, (uint64_t) (r * 1024 + j)) - 1;

			if (extreme)
				x = j % 3 == 0 || x < 0 ? -1 : 1;
			p->number[r][j] = (int) rintf(x * (float) most);
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
	int			together = p->halves ? 2 : 4;
	int			nwords = (n + together - 1) / together;

	/* what is behind the rows does not matter, but for sums of columns behind those of 8 bits */
	memset(p->words, 0x5a, sizeof(p->words));
	memset(p->words, 0, (size_t) (nwords * p->ld) * 4);
	for (int j = 0; j < p->ld && !p->halves; j++)
		p->words[nwords * p->ld + j] = 0;
	for (int r = 0; r < n; r++)
		for (int j = 0; j < p->ld; j++)
		{
			uint32_t	number = (uint32_t) p->number[r][j];

			p->words[r / together * p->ld + j] |= (number & (p->halves ? 0xffff : 0xff)) << (r % together * 32 / together);
			if (!p->halves)
				p->words[nwords * p->ld + j] += number;
		}
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

/* Whether a kernel finds the product to the bit, and touches nothing below its diagonal tiles. */
static bool
is_right(Panel *p, MfSyrk syrk, int add)
{
	size_t		bytes = (size_t) (p->ld * p->ld) * sizeof(float);

	memcpy(p->c, p->before, bytes);
	syrk(p->c, p->ld, (const float *) p->words, p->n, p->step, 0.3f, add, &nothing);
	return memcmp(p->c, p->expected, bytes) == 0;
}

/* The kernels without tiles; NULL where there are none. */
static const MfInt16 *
other_kernels(bool halves)
{
#ifdef MF_ISA_X86
	const MfInt16 *kernels;

	mf_isa_limit(MF_ISA_VNNI);
	kernels = halves ? mf_int16() : mf_int8();
	mf_isa_limit(MF_ISA_LEVELS - 1);
	return kernels;
#else
	(void) halves;
	return NULL;
#endif
}

/* The processor's tiles; NULL where there are none, or permission was refused. */
static MfSyrk
own_tiles(bool halves)
{
#ifdef MF_HAS_AMX
	if (mf_syrk_amx_agrees(halves ? MF_INT16_MOST : MF_INT8_MOST, other_kernels(halves)->syrk))
		return halves ? mf_syrk_amx_int16 : mf_syrk_amx_int8;
#endif
	(void) halves;
	return NULL;
}

/* Every number of rows with the best level's registers, and with others' where sizes are odd. */
static void
test_sizes(bool halves, int d, bool extreme, int stride)
{
	const MfInt16 *other = other_kernels(halves);
	MfSyrk		own = own_tiles(halves);
	Panel	   *p = new_panel(halves, d, extreme);
	MfIsa		best = mf_isa();
	bool		good = true;
	bool		same = true;
	bool		real = true;

	for (int n = 1; n <= MF_INT16_PANEL; n += n % 32 == 0 ? 1 : n + stride > MF_INT16_PANEL ? 1 : stride)
	{
		int			add = n % 3 != 0;

		set_rows(p, n, add);
		for (int level = 0; level <= (int) best; level++)
			if (level == (int) best || n == 1 || n % 61 == 0)
				good = is_right(p, model[halves][level], add) && good;
		if (other != NULL)
			same = is_right(p, other->syrk, add) && same;
		if (own != NULL)
			real = is_right(p, own, add) && real;
	}
	ok(good, "%d bits, d = %d%s: the model's tiles find products to the bit", halves ? 13 : 8, d, extreme ? ", extreme" : "");
	ok(model_faults == 0 && !model_configured, "%d bits, d = %d: without a fault, and are given back", halves ? 13 : 8, d);
	if (other != NULL)
		ok(same, "%d bits, d = %d: so do kernels without tiles", halves ? 13 : 8, d);
	if (own != NULL)
		ok(real, "%d bits, d = %d: so do the processor's tiles", halves ? 13 : 8, d);
	free_panel(p);
}

/* The library's own instructions, trapped, by the way that a training takes. */
static void
test_trapped(bool halves, int d)
{
	static const int lengths[] = {1, 4, 31, 32, 63, 64, 65, 101, 128};
	const MfInt16 *other = other_kernels(halves);
	const MfInt16 *own;
	Panel	   *p;
	bool		good = true;

	if (!pretend_tiles())
		return;
	p = new_panel(halves, d, false);
	own = halves ? mf_int16() : mf_int8();
	for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++)
	{
		int			before = trapped;

		if (d > 128 && lengths[k] != 65)
			continue;
		set_rows(p, lengths[k], k % 2);
		good = is_right(p, own->syrk, k % 2) && (trapped > before) == (lengths[k] >= MF_AMX_LEAST_ROWS) && good;
	}
	ok(own != other && good && model_faults == 0 && !model_configured, "%d bits, d = %d: the library's own instructions, trapped",
	   halves ? 13 : 8, d);
	stop_pretending();
	free_panel(p);
}

/* Sums that have one bit wrong. */
static void
wrong_syrk(float *c, int ld, const float *panel, int n, const float *step, float square, int add, const MfAhead *ahead)
{
	model[true][0] (c, ld, panel, n, step, square, add, ahead);
	c[17] = nextafterf(c[17], 0.0f);
}

/* What makes tiles trusted, or not. */
static void
test_trial(void)
{
	for (int halves = 0; halves < 2; halves++)
	{
		int			most = halves ? MF_INT16_MOST : MF_INT8_MOST;
		const MfInt16 *other = other_kernels(halves);

		ok(mf_syrk_amx_trial(most, model[halves][mf_isa()], other != NULL ? other->syrk : model[halves][0]),
		   "%d bits: right tiles stand a trial", halves ? 13 : 8);
	}
	ok(!mf_syrk_amx_trial(MF_INT16_MOST, wrong_syrk, model[true][0]), "and wrong ones do not");
}

/* Instructions of a full panel, of which speed is made. */
static void
test_counts(void)
{
	Panel	   *p = new_panel(true, 64, false);

	set_rows(p, MF_INT16_PANEL, 0);
	model_dots = model_loads = model_stores = model_configurations = 0;
	is_right(p, model[true][0], 0);
	ok(model_dots == 80 && model_loads == 80 && model_stores == 40 && model_configurations == 1,
	   "13 bits, 128 x 64: %d products, %d loads, %d stores", model_dots, model_loads, model_stores);
	free_panel(p);
	p = new_panel(false, 64, false);
	set_rows(p, MF_INT16_PANEL, 0);
	model_dots = 0;
	is_right(p, model[false][0], 0);
	ok(model_dots == 24, "8 bits, 128 x 64: %d products", model_dots);
	free_panel(p);
}

/* Rows ahead, whatever their number, do not show. */
static void
test_ahead(void)
{
	Panel	   *p = new_panel(true, 64, false);
	int32_t		column[MF_INT16_PANEL];
	float	   *rows = new_floats(MF_INT16_PANEL * 64);
	bool		right = true;

	for (int k = 0; k < MF_INT16_PANEL; k++)
		column[k] = (k * 37) % MF_INT16_PANEL;
	set_rows(p, 70, 0);
	for (int n = 0; n <= MF_INT16_PANEL; n += 16)
	{
		MfAhead		ahead = {rows, 64, 32, column, n};

		memcpy(p->c, p->before, 64 * 64 * sizeof(float));
		model[true][0] (p->c, 64, (const float *) p->words, 70, p->step, 0.3f, 0, &ahead);
		right = right && memcmp(p->c, p->expected, 64 * 64 * sizeof(float)) == 0;
	}
	ok(right, "rows ahead change nothing");
	free(rows);
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
		ok(!mf_isa_has_amx() && mf_int16() == other_kernels(true) && mf_int8() == other_kernels(false),
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
	ok(mf_amx() == MF_AMX_WRONG && !mf_isa_has_amx() && mf_int16() == other_kernels(true), "tiles: %s",
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
		mf_int16()->syrk(c, 64, (const float *) shared->words, shared->n, shared->step, 0.3f, 1, &nothing);
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

	shared = new_panel(true, 64, false);
	set_rows(shared, MF_INT16_PANEL, 1);
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
	if (mf_int16() == NULL)
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
	for (int halves = 0; halves < 2; halves++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
			for (int extreme = 0; extreme < 2; extreme++)
				test_sizes(halves, sizes[k], extreme, sizes[k] <= 64 ? 1 : sizes[k] <= 128 ? 5 : 61);
	for (int halves = 0; halves < 2; halves++)
		for (size_t k = 0; k < sizeof(sizes) / sizeof(sizes[0]); k++)
			test_trapped(halves, sizes[k]);
	test_trial();
	test_counts();
	test_ahead();
	test_refusal();
	test_companies();
	return done();
}
