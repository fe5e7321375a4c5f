/*
 * syrk_amx.c - the product of a panel of whole numbers with itself by tiles of bytes, and the trial before that.
 *
 * The instructions are here and nowhere else.  Tiles are taken into use and given back within a call, so that
 * neither other threads nor signal handlers nor the system ever find any in use but while a panel is multiplied.
 *
 * Nobody takes the processor's word for it: before the first panel a small one is multiplied with tiles and without, and
 * where a bit differs, tiles are not used.
 */
#include "core/kernels/syrk_amx.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/simd/simd.h"

/* A trial's panel: two steps, the second of them with rows missing, and columns for two tiles and a half. */
#define TRIAL_ROWS 101
#define TRIAL_LD 48

#ifdef MF_HAS_AMX

/* By name, not as intrinsic functions: GCC 12's do not say that they read and write memory. */
#define AMX_CONFIGURE(config) __asm__ volatile ("ldtilecfg %0" : : "m" (*(config)))
#define AMX_ZERO(t) __asm__ volatile ("tilezero %%tmm" #t : :)
#define AMX_LOAD(t, from) \
	__asm__ volatile ("tileloadd (%0,%1,1), %%tmm" #t : : "r" (from), "r" ((int64_t) sizeof((from)[0])) : "memory")
#define AMX_DOT(c, a, b) __asm__ volatile ("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
#define AMX_STORE(t, to) \
	__asm__ volatile ("tilestored %%tmm" #t ", (%0,%1,1)" : : "r" (to), "r" ((int64_t) sizeof((to)[0])) : "memory")
#define AMX_RELEASE() __asm__ volatile ("tilerelease" : : : "memory")

#define MF_ISA_ROW MF_ISA_5
MF_TARGET_BEGIN(MF_TARGETS_AMX)
#include "core/simd/simd_f32.h"
#include "core/kernels/syrk_amx_body.h"
MF_TARGET_END
#undef MF_ISA_ROW

void
mf_syrk_amx_int16(float *c, int ld, const float *panel, int n, const float *step, float square, int add,
				  const MfAhead *ahead)
{
	syrk_int16_amx(c, ld, panel, n, step, square, add, ahead);
}

void
mf_syrk_amx_int8(float *c, int ld, const float *panel, int n, const float *step, float square, int add,
				 const MfAhead *ahead)
{
	syrk_int8_amx(c, ld, panel, n, step, square, add, ahead);
}

#endif

/* Number j of row r: of up to `most`, which some of them are. */
static int
trial_number(int most, int r, int j)
{
	uint64_t	hash = mf_mix64((uint64_t) r * TRIAL_LD + (uint64_t) j);

	if (r >= TRIAL_ROWS)
		return 0;
	if (hash % 8 == 0)
		return hash / 8 % 2 == 0 ? most : -most;
	return (int) (hash / 16 % (uint64_t) (2 * most + 1)) - most;
}

/* A panel as int16.h and int8.h have them. */
static void
fill_trial(uint32_t *panel, int most)
{
	int			rows = most > INT8_MAX ? 2 : 4; /* side by side */
	int			n = (TRIAL_ROWS + rows - 1) / rows;

	memset(panel + n * TRIAL_LD, 0, TRIAL_LD * sizeof(uint32_t));
	for (int r = 0; r < n * rows; r++)
		for (int j = 0; j < TRIAL_LD; j++)
		{
			uint32_t	number = (uint32_t) trial_number(most, r, j);
			uint32_t   *to = panel + r / rows * TRIAL_LD + j;

			*to = (r % rows == 0 ? 0 : *to) | (number & (rows == 2 ? 0xffff : 0xff)) << (r % rows * 32 / rows);
			panel[n * TRIAL_LD + j] += number;
		}
}

/* Whether two kernels make the same of a panel of numbers up to `most`, to the bit. */
bool
mf_syrk_amx_trial(int most, MfSyrk tiles, MfSyrk other)
{
	static const MfAhead nothing = {0};
	uint32_t	panel[((TRIAL_ROWS + 1) / 2 + 1) * TRIAL_LD];
	float		step[TRIAL_LD];
	float		c[2][TRIAL_LD * TRIAL_LD];
	bool		same = true;

	fill_trial(panel, most);
	for (int j = 0; j < TRIAL_LD; j++)
		step[j] = 1.0f / (float) (j + 3);
	for (int j = 0; j < TRIAL_LD * TRIAL_LD; j++)
		c[0][j] = c[1][j] = (float) (j % 7);
	for (int add = 0; add < 2; add++)
	{
		tiles(c[0], TRIAL_LD, (const float *) panel, TRIAL_ROWS, step, 0.7f, add, &nothing);
		other(c[1], TRIAL_LD, (const float *) panel, TRIAL_ROWS, step, 0.7f, add, &nothing);
	}
	for (int j = 0; j < TRIAL_LD * TRIAL_LD; j++)
		same = same && c[0][j] == c[1][j];
	return same;
}

#ifdef MF_HAS_AMX

/*
 * Whether tiles may multiply panels of numbers up to `most`, which `other` multiplies without.  The first time
 * this asks the kernel and makes a trial; after one that fails no tiles are used again.
 */
bool
mf_syrk_amx_agrees(int most, MfSyrk other)
{
	static atomic_bool tried[2];
	atomic_bool *done = &tried[most > INT8_MAX];

	if (!mf_isa_has_amx())
		return false;
	if (!atomic_load_explicit(done, memory_order_acquire))
	{
		if (!mf_syrk_amx_trial(most, most > INT8_MAX ? mf_syrk_amx_int16 : mf_syrk_amx_int8, other))
			mf_amx_distrust();
		atomic_store_explicit(done, true, memory_order_release);
	}
	return mf_isa_has_amx();
}

#endif
