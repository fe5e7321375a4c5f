/*
 * sq4.c - 4-bit scalar quantization of the items' leading coordinates, and what codes say of a score.
 *
 * Where norms are flat, no item can be passed over unseen.  So all are looked at in short: let R be c orthonormal rows
 * that span about the first principal axes of V'V, x = R p and y = R v the coordinates of query and item.  They carry
 * most of p.v; what is left is bounded by the norms of the rest (FEXIPRO: Li, Chan, Yiu, Mamoulis, SIGMOD 2017; LEMP:
 * Teflioudi, Gemulla, Mykytiuk, SIGMOD 2015).  The axes are turned within their span so that items are about as large
 * along each, and all coordinates are worth the same four bits.  A pack has a step s of its own:
 *
 *	  y_j = s (n_j - 7.5) + e_j,    n_j = 0 .. 15
 *	  x_j = t q_j + f_j,			q_j = -127 .. 127
 *
 *	  p.v = sum_{j <= c} x_j y_j + rest of p . rest of v
 *		  = s t (sum q_j n_j - 7.5 sum q_j) + s sum f_j (n_j - 7.5) + sum x_j e_j + rest . rest
 *
 * The first term is integers.  The others are at most |f| |l|, l_j = s (n_j - 7.5), |x| |e| and |rest| |rest|
 * (Cauchy-Schwarz), where |l|, |e| and the rest's norm are the largest ones of the pack, stored with
 * it.  So p.v + o can reach the threshold only if
 *
 *	  sum q_j n_j >= (threshold - o - |f| |l| - |x| |e| - |rest| |rest|) / (s t) + 7.5 sum q_j
 *
 * which is one integer a pack, and the sum of products is what processors have instructions for.
 *
 * R has been rounded: R R' = I + D.  Then p.v = x.y - x'Dy + rest . rest, with rests p - R'x and
 * v - R'y, and |rest of p|^2 = |p|^2 - |x|^2 + x'Dx.  Coordinates have been computed in float: each
 * is off by at most g |p|, all of them by g sqrt(c) |p|.  `skew` is the sum of both, so that the sum
 * over computed coordinates is off by at most skew |p| |v|, and squared rests by skew |p|^2.
 */
#include "core/topk/sq4.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"

/* Of normal numbers in four bits, in deviations: the step that leaves the least error, 0.107. */
#define USUAL_STEP 0.335

/* State of coding, shared by its workers. */
typedef struct Sq4Coding
{
	const MfIndex *index;
	const MfScore *kernels;
	float	   *workspace;		/* (MF_PACK + 1) x ld a worker */
} Sq4Coding;

/* The coded coordinates of a vector of ld floats: out (dims) = rotation (dims x ld) times it. */
static void
rotate(const MfScore *kernels, const MfIndex *index, const float *vector, float *out)
{
	for (int first = 0; first < index->sq4.dims; first += MF_PACK)
		mf_sq4_rotate(kernels, index->sq4.rotation, first, vector, index->ld, out + first);
}

/*
 * Codes one pack: its coordinates (MF_PACK x dims), in these steps; see MfScore.sq4_sums for where
 * each code is.  Returns the largest norm of what an item's codes stand for, in steps.
 */
static float
encode_pack(const MfIndex *index, const float *coordinate, float step, uint8_t *code)
{
	float		per_step = 1 / step;
	float		squares[MF_PACK] = {0};
	float		most = 0;

	for (int g = 0; g < index->sq4.dims / 8; g++)
		for (int i = 0; i < MF_PACK; i++)
			for (int b = 0; b < 4; b++)
			{
				unsigned	byte = 0;

				for (int upper = 0; upper < 2; upper++)
				{
					float		n = coordinate[i * index->sq4.dims + g * 8 + upper * 4 + b] * per_step + 8;

					n = n > 15 ? 15 : n < 0 ? 0 : n;
					byte |= (unsigned) n << 4 * upper;
					squares[i] += ((int) n - 7.5f) * ((int) n - 7.5f);
				}
				code[g * 64 + i * 4 + b] = (uint8_t) byte;
			}
	for (int i = 0; i < MF_PACK; i++)
		most = squares[i] > most ? squares[i] : most;
	return sqrtf(most);
}

/* The step that leaves the smallest error in the worst item of a pack, and that error squared. */
static float
choose_step(const Sq4Coding *coding, const float *coordinate, float *error)
{
	int			n = MF_PACK * coding->index->sq4.dims;
	double		squares = 0;
	float		usual;
	float		step;

	for (int i = 0; i < n; i++)
		squares += (double) coordinate[i] * coordinate[i];
	usual = (float) fmax(USUAL_STEP * sqrt(squares / n), 1e-15);
	step = usual;
	*error = coding->kernels->sq4_error(coordinate, coding->index->sq4.dims, usual);
	/* outliers want larger steps, shapes with short tails smaller ones */
	for (int direction = -1; direction <= 1 && step == usual; direction += 2)
		for (float factor = 1 + 0.13f * direction; factor < 6 && factor > 0.3f; factor *= 1 + 0.13f * direction)
		{
			float		other = coding->kernels->sq4_error(coordinate, coding->index->sq4.dims, usual * factor);

			if (other >= *error)
				break;
			*error = other;
			step = usual * factor;
		}
	return step;
}

/* What is known of a pack before its coordinates become codes. */
typedef struct PackShape
{
	double		rest;			/* largest squared norm beyond the coded coordinates */
	float		least_norm;		/* of its items; infinite without any */
	bool		in_range;		/* all norms are such that codes are made */
} PackShape;

/* Divides the coordinates y (dims) of a vector by its norm, if that can be; returns the norm that they have then. */
static float
normalize(float *y, int dims, float norm)
{
	float		unit = norm > MF_LEAST_CODED ? 1 / norm : 0;

	for (int j = 0; j < dims; j++)
		y[j] *= unit;
	return unit > 0 ? 1 : 0;
}

/*
 * Computes the coordinates of a pack's items (MF_PACK x dims, and behind them workspace of ld); zeros where a norm is
 * out of range.
 */
static PackShape
rotate_pack(const Sq4Coding *coding, int64_t pack, float *coordinate)
{
	const MfIndex *index = coding->index;
	PackShape	shape = {0, INFINITY, true};

	for (int i = 0; i < MF_PACK; i++)
	{
		int64_t		at = pack * MF_PACK + i;
		float	   *y = coordinate + (size_t) i * index->sq4.dims;
		float		norm = index->norm[at];
		double		rest;

		if (index->item[at] >= 0 && norm < shape.least_norm)
			shape.least_norm = norm;
		shape.in_range &= norm == 0 || (norm > MF_LEAST_CODED && norm < MF_MOST_CODED);
		rotate(coding->kernels, index,
			   mf_index_row(index, (int32_t) at, coordinate + (size_t) MF_PACK * index->ld), y);
		if (index->directions)
			norm = normalize(y, index->sq4.dims, norm);
		rest = (double) norm * norm * (1 + 1e-6 + index->sq4.skew);
		for (int j = 0; j < index->sq4.dims; j++)
			rest -= (double) y[j] * y[j];
		shape.rest = rest > shape.rest ? rest : shape.rest;
	}
	if (!shape.in_range)
		memset(coordinate, 0, (size_t) MF_PACK * index->sq4.dims * sizeof(float));
	return shape;
}

/* What is known of a pack and its codes, with what covers the rounding of it. */
static void
set_bounds(const MfSq4 *sq4, int64_t pack, const PackShape *shape, float step, float length, float error)
{
	MF_WRITABLE(float, sq4->step)[pack] = step;
	MF_WRITABLE(float, sq4->length)[pack] = length * step * (1 + 1e-5f);
	/* sums of squares and the steps themselves have been rounded */
	error = (float) (sqrt(error) * (1 + 1e-4) + 1e-5 * step * sqrt(sq4->dims));
	MF_WRITABLE(float, sq4->error)[pack] = shape->in_range ? error : INFINITY;
	MF_WRITABLE(float, sq4->rest)[pack] = (float) (sqrt(shape->rest) * (1 + 1e-6));
	MF_WRITABLE(float, sq4->least_norm)[pack] = shape->least_norm * (1 - 0x1.0p-20f);
}

/* Codes one pack; coordinate: (MF_PACK + 1) x ld of workspace. */
static void
code_pack(const Sq4Coding *coding, int64_t pack, float *coordinate)
{
	const MfSq4 *sq4 = &coding->index->sq4;
	PackShape	shape = rotate_pack(coding, pack, coordinate);
	float		error;
	float		step = choose_step(coding, coordinate, &error);
	float		length = encode_pack(coding->index, coordinate, step,
									 MF_WRITABLE(uint8_t, sq4->code) + (size_t) pack * sq4->dims * 8);

	set_bounds(sq4, pack, &shape, step, length, error);
}

/* Task: codes the packs of one block; those after the last pack are never reached. */
static void
code_block(void *state, int64_t block, int worker)
{
	const Sq4Coding *coding = state;
	const MfIndex *index = coding->index;
	float	   *workspace = coding->workspace + (size_t) worker * (MF_PACK + 1) * index->ld;

	for (int64_t pack = block * MF_BLOCK_PACKS; pack < (block + 1) * MF_BLOCK_PACKS; pack++)
	{
		if (pack < index->npacks)
		{
			code_pack(coding, pack, workspace);
			continue;
		}
		if (index->room >= (pack + 1) * MF_PACK)
			memset(MF_WRITABLE(uint8_t, index->sq4.code) + (size_t) pack * index->sq4.dims * 8, 0, (size_t) index->sq4.dims * 8);
		MF_WRITABLE(float, index->sq4.step)[pack] = 1;
		MF_WRITABLE(float, index->sq4.error)[pack] = 0;
		MF_WRITABLE(float, index->sq4.length)[pack] = 0;
		MF_WRITABLE(float, index->sq4.rest)[pack] = 0;
		MF_WRITABLE(float, index->sq4.least_norm)[pack] = 0;
	}
}

/* Fills in the codes of an index, as planned.  Returns false when it was cancelled. */
bool
mf_sq4_fill(const MfIndex *index, const MfSq4Plan *plan, const MfParallel *parallel)
{
	Sq4Coding		coding = {index, mf_score(), plan->workspace};

	memcpy(MF_WRITABLE(float, index->sq4.rotation), plan->rotation,
		   (size_t) index->sq4.dims * (size_t) index->ld * sizeof(float));
	return mf_parallel_for(parallel, index->nblocks, code_block, &coding);
}

/* Codes one block anew, of an index that has codes; workspace: (MF_PACK + 1) x ld. */
void
mf_sq4_recode(const MfIndex *index, int64_t block, float *workspace)
{
	Sq4Coding	coding = {index, mf_score(), workspace};

	code_block(&coding, block, 0);
}

/* Rounds a query's coordinates x (dims) to codes, in units of which the largest has 127. */
static void
encode_query(MfSqQuery *code, const float *x, int dims, float most)
{
	double		missed = 0;
	int64_t		total = 0;

	code->unit = fmaxf(most / 127, 1e-30f);
	for (int j = 0; j < dims; j++)
	{
		double		n = x[j] / code->unit;
		int			q = (int) (n < 0 ? n - 0.5 : n + 0.5);

		q = q > 127 ? 127 : q < -127 ? -127 : q;
		code->code[j] = (int8_t) q;
		total += q;
		missed += (n - q) * (n - q);
	}
	code->per_length = (float) (sqrt(missed) * code->unit * (1 + 1e-6) + 1e-30);
	code->shift = (float) (7.5 * (double) total);
}

/*
 * Expresses a query of ld floats, whose norm is at most `norm`, in the terms of an index's 4-bit codes; code has room
 * for dims codes and coordinates.  Returns false when the query is too long or short for floats: codes say nothing.
 */
bool
mf_sq4_query(MfSqQuery *code, const MfIndex *index, const float *query, double norm)
{
	const MfSq4 *sq4 = &index->sq4;
	float	   *x = code->coordinate;
	double		rest = norm * norm * (1 + 1e-6 + sq4->skew);
	double		squares = 0;
	float		most = 0;

	if (norm < MF_LEAST_CODED || norm > MF_MOST_CODED)
		return false;
	rotate(mf_score(), index, query, x);
	for (int j = 0; j < sq4->dims; j++)
	{
		rest -= (double) x[j] * x[j];
		squares += (double) x[j] * x[j];
		most = fabsf(x[j]) > most ? fabsf(x[j]) : most;
	}
	encode_query(code, x, sq4->dims, most);
	code->per_error = (float) (sqrt(squares) * (1 + 1e-6) + 1e-30);
	code->per_rest = (float) (sqrt(fmax(rest, 0)) * (1 + 1e-6) + 1e-30);
	code->per_skew = (float) (sq4->skew * norm * (1 + 1e-6));
	return true;
}
