/*
 * als_int16.c - the fixed side's vectors as whole numbers of 13 or 8 bits, for half-sweeps over many cells.
 *
 * Most of a half-sweep is products of pairs of a vector's numbers, one for every cell, and a
 * register multiplies twice as many numbers of 16 bits as of 32, and four times as many of 8 (AVX-512 VNNI).  So
 * before rows are solved, number j of every vector of the fixed side is rounded to a multiple of step[j], 1/4095 of
 * the largest there is, or 1/127:
 *
 *	  y_j = step_j n_j,    n_j = -4095 .. 4095 or -127 .. 127.
 *
 * For this half-sweep that is the fixed side, and solutions are as exact as ever: sums of products over a
 * panel of 128 rows (512 of 8 bits) are below 2^31, so they are whole numbers too, and only sums over
 * panels are rounded to floats.  What rounding costs is the fixed side's distance from where it was,
 * at the bottom of the objective: the objective rises by the square of the distance.  Where few
 * vectors are so much larger than the others that little is left of these, nothing is rounded.
 *
 * Since the next half-sweep solves that side anew, and the last one of a training is asked to be
 * exact (als.h), little of this is left in a model.
 *
 * How many bits
 * -------------
 * Rounding to 13 bits holds the objective 1e-7 of it above where it would be, to 8 bits 1e-5, or 7e-5 where few ratings
 * hold many dimensions.  Two or three half-sweeps with 13 take most of that back.  So 8 bits do as long as an iteration
 * brings much more: while the loss of a side's last half-sweep is less than that of the one before by LEAST_GAIN of it,
 * and in the first ones, when that is not known yet.  That is in six or seven of a training's first ten iterations, and
 * in more of them where there is more to learn.  The loss is the same whatever the number of threads and parts, so the
 * bits are, too.  Half-sweeps that had to be exact do not count.
 *
 * Fewer bits need vectors of like sizes: where 8 would leave too little, there are 13.
 */
#include "core/als/als_int16.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_MEAN 4			/* steps that a column's numbers must have on the average: of 13 bits, */
#define LEAST_COARSE_MEAN 1		/* and of 8 */
#define LEAST_GAIN 2e-3			/* of the loss, by an iteration that 8 bits may follow */
#define PARTS 32				/* of a side, measured one by one: threads cannot change a bit */
#define ROWS_AT_ONCE 256		/* summed in float before they are added in double */
#define ROWS_PER_BLOCK 1024

/* A matrix of the fixed side on its way to whole numbers. */
typedef struct Side
{
	const MfAls *als;
	const float *from;			/* nrows x ld */
	float	   *to;				/* the same, or as much space */
	int64_t		nrows;
	int			nblocks;		/* of dimensions that its vectors have: interest's have no private ones */
	int			stride;			/* floats from one vector in whole numbers to the next */
	float	   *step;			/* ld */
	double	   *mean;			/* ld x PARTS: of sizes */
	float	   *widest;			/* PARTS x ld */
} Side;

/* The matrices of the fixed side; returns how many: of items, one for each term. */
static int
fixed_sides(const MfAls *als, Side *side)
{
	bool		users = als->side == MF_ITEMS;
	int64_t		nrows = users ? als->problem->nusers : als->problem->nitems;
	int			n = 0;

	for (int part = 0; part < MF_TERMS; part++)
	{
		if (users ? part > 0 : !als->term[part].present)
			continue;
		side[n] = (Side) {.als = als,.from = als->fixed[part],.nrows = nrows,.nblocks = als->nblocks};
		if (!users && als->nblocks > 1 && als->term[part].dimensions <= als->shared)
			side[n].nblocks = 1;
		side[n].to = als->copy + n * nrows * als->ld;
		side[n].step = als->step[part];
		side[n].mean = (double *) als->workspace + n * (PARTS + PARTS / 2) * als->ld;
		side[n].widest = (float *) (side[n].mean + PARTS * als->ld);
		n++;
	}
	return n;
}

/* The first row of a part. */
static int64_t
part_start(const Side *side, int64_t part)
{
	return side->nrows * part / PARTS;
}

/* Task: the widest numbers of one part of the rows, and the mean sizes. */
static void
measure_part(void *state, int64_t part, int worker)
{
	const Side *side = state;
	int			ld = side->als->ld;
	float	   *widest = side->widest + part * ld;
	int64_t		begin = part_start(side, part);
	int64_t		end = part_start(side, part + 1);
	double		total[MF_INT16_MOST_LD] = {0};

	(void) worker;
	memset(widest, 0, (size_t) ld * sizeof(float));
	for (int64_t r = begin; r < end; r += ROWS_AT_ONCE)
	{
		float		sizes[MF_INT16_MOST_LD] = {0};

		mf_int16()->measure(side->from + r * ld, ld, ld, end - r < ROWS_AT_ONCE ? end - r : ROWS_AT_ONCE, widest, sizes);
		for (int j = 0; j < ld; j++)
			total[j] += sizes[j];
	}
	for (int j = 0; j < ld && end > begin; j++)
		side->mean[j * PARTS + part] = total[j] / (double) (end - begin);
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* The mean size in column j, as the parts that have rows see it in the middle: giants are in few of them. */
static double
typical_size(const Side *side, int j)
{
	double		mean[PARTS];
	int			n = 0;

	for (int part = 0; part < PARTS; part++)
		if (part_start(side, part + 1) > part_start(side, part))
			mean[n++] = side->mean[j * PARTS + part];
	for (int k = 0; k < n; k++)
		if (!isfinite(mean[k]))
			return NAN;
	qsort(mean, (size_t) n, sizeof(double), compare_doubles);
	return n > 0 ? mean[n / 2] : 0.0;
}

/*
 * Sets a side's steps, for whole numbers up to `most`; false where numbers would be less than least_mean on the
 * average.
 */
static bool
choose_steps(const Side *side, float most, double least_mean)
{
	for (int j = 0; j < side->als->ld; j++)
	{
		float		widest = 0.0f;

		for (int part = 0; part < PARTS; part++)
			widest = fmaxf(widest, side->widest[part * side->als->ld + j]);
		side->step[j] = widest > 0.0f ? widest / most : 1.0f;
		if (side->step[j] < 1e-30f || (widest > 0.0f && !(typical_size(side, j) >= least_mean * side->step[j])))
			return false;
	}
	return true;
}

/* Where a block of rows ends. */
static int64_t
block_end(const Side *side, int64_t block)
{
	return (block + 1) * ROWS_PER_BLOCK < side->nrows ? (block + 1) * ROWS_PER_BLOCK : side->nrows;
}

/*
 * Task: ROWS_PER_BLOCK rows to whole numbers, one behind the other from the beginning of the place of their floats on,
 * those of one block of dimensions behind those of the other.
 */
static void
quantize_block(void *state, int64_t block, int worker)
{
	const Side *side = state;
	const MfAls *als = side->als;
	int64_t		begin = block * ROWS_PER_BLOCK;
	int64_t		end = block_end(side, block);
	float	   *to = side->to + begin * als->ld;
	float		row[MF_INT16_MOST_LD];

	(void) worker;
	for (int64_t r = begin; r < end; r++, to += side->stride)
	{
		/* it may lie where the numbers go */
		memcpy(row, side->from + r * als->ld, (size_t) als->ld * sizeof(float));
		for (int b = 0; b < side->nblocks; b++)
			als->int16->quantize(to + als->block[b].int16_offset, row + als->block[b].offset, als->block[b].width,
								 side->step + als->block[b].offset);
	}
}

/*
 * Moves the rows of all blocks together.  Half-sweeps ask for them in no order: a line of the cache holds nothing but
 * such rows then, and they fall into all of its sets.
 */
static void
pack_blocks(const Side *side, int64_t nblocks)
{
	int			ld = side->als->ld;
	int			stride = side->stride;

	for (int64_t block = 1; block < nblocks && stride < ld; block++)
	{
		int64_t		begin = block * ROWS_PER_BLOCK;
		size_t		floats = (size_t) (block_end(side, block) - begin) * (size_t) stride;

		memmove(side->to + begin * stride, side->to + begin * ld, floats * sizeof(float));
	}
}

/* Sets where a vector's whole numbers of each block of dimensions begin, and how far each side's vectors are apart. */
static void
place_blocks(MfAls *als, Side *side, int nsides)
{
	int			floats = 0;

	for (int b = 0; b < als->nblocks; b++)
	{
		als->block[b].int16_offset = floats;
		floats += mf_quantized_floats(als, als->block[b].width);
		for (int k = 0; k < nsides; k++)
			if (b < side[k].nblocks)
				side[k].stride = floats;
	}
}

/* Whether two blocks of dimensions are solved for, from one matrix. */
static bool
both_are_solved(const MfAls *als)
{
	return als->nblocks > 1 && !als->apart && als->solved_blocks[MF_RATING] > 1;
}

/* Whether kernels find a vector's blocks as they would find one of all dimensions: the first has no room left. */
static bool
is_gathered_whole(const MfAls *als)
{
	int			numbers = als->coarse ? 4 : 2;	/* in the place of a float */

	return mf_quantized_floats(als, als->block[0].width) * numbers == als->block[0].width;
}

/* Sets the steps of all sides, for 8 bits or for 13. */
static bool
choose_all_steps(const Side *side, int nsides, bool coarse)
{
	bool		good = true;

	for (int k = 0; k < nsides; k++)
		good = choose_steps(&side[k], coarse ? MF_INT8_MOST : MF_INT16_MOST,
							coarse ? LEAST_COARSE_MEAN : LEAST_MEAN) && good;
	return good;
}

/* The kernels of the least bits that will do, and als->coarse; NULL: none will. */
static const MfInt16 *
choose_bits(MfAls *als, const Side *side, int nsides)
{
	als->coarse = als->problem->int8 && als->gain >= LEAST_GAIN && choose_all_steps(side, nsides, true);
	if (als->coarse)
		return mf_int8();
	return choose_all_steps(side, nsides, false) ? mf_int16() : NULL;
}

/* Quantizes the fixed side and sets als->int16, unless the vectors' sizes differ too much. */
MfError
mf_int16_begin(MfAls *als)
{
	Side		side[MF_TERMS];
	int			nsides = fixed_sides(als, side);

	for (int k = 0; k < nsides; k++)
		if (!mf_parallel_for(als->parallel, PARTS, measure_part, &side[k]))
			return MF_CANCELLED;
	als->int16 = choose_bits(als, side, nsides);
	if (als->int16 == NULL)
		return MF_OK;
	place_blocks(als, side, nsides);
	als->crossed = als->coarse && both_are_solved(als) && is_gathered_whole(als);
	for (int k = 0; k < nsides; k++)
	{
		int64_t		nblocks = (side[k].nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK;

		if (!mf_parallel_for(als->parallel, nblocks, quantize_block, &side[k]))
			return MF_CANCELLED;
		pack_blocks(&side[k], nblocks);
	}
	/* a matrix that is copied is in the place of its copy already */
	for (int k = 0, part = 0; part < MF_TERMS; part++)
		if (als->term[part].present)
		{
			const Side *from = &side[als->side == MF_ITEMS ? 0 : k++];

			als->fixed[part] = from->to;
			als->stride[part] = from->stride;
		}
	return MF_OK;
}

/* After a half-sweep that might round: what it brought says how many bits the next ones have. */
void
mf_int16_end(MfAls *als, MfSide side, double loss)
{
	als->gain = (als->last_loss[side] - loss) / loss;
	als->last_loss[side] = loss;
}
