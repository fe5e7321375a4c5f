/*
 * als_sums.c - a half-sweep of items whose users are not all in one place.
 *
 * An item's system is a sum over its cells, so whoever has some of the users makes the sum over their cells
 * (mf_als_sums()), and whoever has the sums of all solves the items (mf_als_solve_sums()).  All must mean the same
 * basis: he who solves finds it from the sum of the others' Gram matrices, and gives it to them.
 */
#include "core/als/als_sums.h"
#include "core/als/als_state.h"

#include <string.h>

#define ITEMS_PER_BLOCK 8

/* Rows whose sums are made. */
typedef struct Summing
{
	MfAls	   *als;
	size_t		bytes;			/* of a row */
	char	   *out;
} Summing;

/* The sums of one row. */
static void
sum_row(const Summing *s, int64_t r, const MfPanel *panel, float *matrix)
{
	const MfAls *als = s->als;
	MfSumsGroup groups[MF_TERMS];
	int			n = mf_sums_groups(als, groups);
	char	   *out = s->out + (size_t) r * s->bytes;
	MfRowState	row = {.row = r};

	if (als->rows->start[r + 1] == als->rows->start[r])
	{
		memset(out, 0, s->bytes);
		return;
	}
	for (int g = 0; g < n; g++)
	{
		MfRowSums	sums;

		mf_sweep_accumulate(als, groups[g].asked, &row, -1, panel, matrix, &sums);
		/* the panel has done its part */
		mf_sums_pack(als, &groups[g], matrix, panel->rows, &sums, out);
		out += mf_sums_group_bytes(als, &groups[g]);
	}
}

/* Task: the sums of ITEMS_PER_BLOCK rows. */
static void
sum_block(void *state, int64_t block, int worker)
{
	const Summing *s = state;
	const MfAls *als = s->als;
	MfArena		arena = {als->workspace + (size_t) worker * als->workspace_size, 0};
	MfPanel		panel = mf_panel_take(&arena, MF_PANEL_ROWS, als->ld);
	float	   *matrix = mf_arena_floats(&arena, (size_t) (als->ld + MF_MAX_RIGHT) * (size_t) als->ld);
	int64_t		end = (block + 1) * ITEMS_PER_BLOCK;

	if (end > als->rows->nrows)
		end = als->rows->nrows;
	for (int64_t r = block * ITEMS_PER_BLOCK; r < end && !mf_cancelled(als->parallel); r++)
		sum_row(s, r, &panel, matrix);
}

MfError
mf_als_sums(MfAls *als, const MfRows *rows, void *out)
{
	Summing		summing = {als, mf_als_sums_bytes(als), out};

	als->rows = rows;
	if (!mf_parallel_for(als->parallel, (rows->nrows + ITEMS_PER_BLOCK - 1) / ITEMS_PER_BLOCK, sum_block, &summing))
		return MF_CANCELLED;
	return MF_OK;
}
