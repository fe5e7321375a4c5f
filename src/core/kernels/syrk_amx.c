/*
 * syrk_amx.c - the product of a panel of whole numbers with itself by tiles of bytes, and the trial before that.
 *
 * Tiles are taken into use and given back within a call, so that
 * neither other threads nor signal handlers nor the system ever find any in use but while a panel is multiplied.
 *
 * Nobody takes the processor's word for it: before the first panel a small one is multiplied with tiles and without,
 * and where a bit differs, tiles are not used.
 */
#include "core/kernels/syrk_amx.h"

#include <stddef.h>
#include <string.h>

#include "core/base/rng.h"
#include "core/simd/simd.h"

/* A trial's panel: two steps, the second of them with rows missing, and columns for two tiles and a half. */
#define TRIAL_ROWS 101
#define TRIAL_LD 48

#ifdef MF_HAS_AMX

#include "core/kernels/amx_instructions.h"

#define MF_ISA_ROW MF_ISA_5
MF_TARGET_BEGIN(MF_TARGETS_AMX)
#include "core/simd/simd_f32.h"
#include "core/kernels/syrk_amx_body.h"
MF_TARGET_END
#undef MF_ISA_ROW

void
mf_syrk_amx(float *c, int ldc, const float *panel, int ld, int n, const float *step, float square, int add,
			const MfAhead *ahead)
{
	syrk_tiles_amx(c, ldc, panel, ld, n, step, square, add, ahead);
}

#endif

/* Number j of row r, of which some are as large as can be. */
static int
trial_number(int r, int j)
{
	uint64_t	hash = mf_mix64((uint64_t) r * TRIAL_LD + (uint64_t) j);

	if (hash % 8 == 0)
		return hash / 8 % 2 == 0 ? INT8_MAX : -INT8_MAX;
	return (int) (hash / 16 % (2 * INT8_MAX + 1)) - INT8_MAX;
}

/* A panel as int8.h has it. */
static void
fill_trial(uint32_t *panel)
{
	for (int r = 0; r < TRIAL_ROWS; r++)
		for (int j = 0; j < TRIAL_LD; j++)
		{
			panel[r / 4 * TRIAL_LD + j] |= ((uint32_t) trial_number(r, j) & 0xff) << (r % 4 * 8);
			panel[(TRIAL_ROWS + 3) / 4 * TRIAL_LD + j] += (uint32_t) trial_number(r, j);
		}
}

/* Whether two kernels make the same of a panel, to the bit. */
bool
mf_syrk_amx_trial(MfSyrk tiles, MfSyrk other)
{
	static const MfAhead nothing = {0};
	uint32_t	panel[(TRIAL_ROWS / MF_TILE_STEP + 1) * MF_TILE_STEP / 4 * TRIAL_LD] = {0};
	float		step[TRIAL_LD];
	float		c[2][TRIAL_LD * TRIAL_LD];
	bool		same = true;

	fill_trial(panel);
	for (int j = 0; j < TRIAL_LD; j++)
		step[j] = 1.0f / (float) (j + 3);
	for (int j = 0; j < TRIAL_LD * TRIAL_LD; j++)
		c[0][j] = c[1][j] = (float) (j % 7);
	for (int add = 0; add < 2; add++)
		other(c[1], TRIAL_LD, (const float *) panel, TRIAL_LD, TRIAL_ROWS, step, 0.7f, add, &nothing);
	mf_tiles_end((float *) panel, TRIAL_LD, TRIAL_ROWS);
	for (int add = 0; add < 2; add++)
		tiles(c[0], TRIAL_LD, (const float *) panel, TRIAL_LD, TRIAL_ROWS, step, 0.7f, add, &nothing);
	for (int j = 0; j < TRIAL_LD * TRIAL_LD; j++)
		same = same && c[0][j] == c[1][j];
	return same;
}

#ifdef MF_HAS_AMX

/*
 * Whether tiles may multiply panels, which `other` multiplies without.  The first time this asks the kernel and makes a
 * trial; after one that fails no tiles are used again.
 */
bool
mf_syrk_amx_agrees(MfSyrk other)
{
	static atomic_bool tried;

	if (mf_amx_wants_trial(&tried))
		mf_amx_end_trial(&tried, mf_syrk_amx_trial(mf_syrk_amx, other));
	return mf_isa_has_amx();
}

#endif
