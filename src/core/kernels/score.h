/*
 * score.h - the kernels that serving spends its time in: scores of items in float, and by codes of 4 and 8 bits; and
 * products of items with each other.
 *
 * They work on packs of 16 items, of which the registers of every level hold a whole number, and on blocks of 64
 * packs, whose bits fill a word.  What codes are and what they bound is said in topk/sq4.c and topk/sq8.c.
 */
#ifndef MF_SCORE_H
#define MF_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/narrow.h"
#include "core/kernels/sq8_tile.h"

/*
 * Rows of whole numbers (core/base/narrow.h): row i is number[0][i * stride[0] ..] in units of exponent[0][i], plus,
 * where there is a second part, `weight` times number[1][i * stride[1] ..] in units of exponent[1][i]; all of it times
 * scale[i], which has 8 bits, so that its products with numbers of 16 are exact.  As floats make it, that is: the
 * product with the weight is rounded, then the sum.  Beyond its stride the first part is 0.
 */
typedef struct MfNarrowRows
{
	const int16_t *number[2];	/* [1] NULL: one part */
	const uint8_t *exponent[2];
	int			stride[2];		/* multiples of 16; the second one, if there is one, is at least that of scores */
	float		weight;			/* times any unit and scale there is it is a normal float, or 0 */
	const float *scale;			/* of each row; NULL: 1 */
} MfNarrowRows;

/*
 * What the codes of a block's packs are held against: arrays have MF_BLOCK_PACKS numbers, of which the pack's items
 * have none larger (least_norm: smaller).
 */
typedef struct MfSqBounds
{
	const float *norm;			/* of the vector */
	const float *offset;		/* of the item; NULL: all 0 */
	const float *least_norm;	/* NULL: scores are compared; else scores divided by the norm */
	const float *step;			/* what one step of the pack's codes is worth */
	const float *error;			/* norm of what the codes miss */
	const float *length;		/* norm of what the codes stand for */
	const float *rest;			/* norm of what is not coded */
	float		threshold;		/* scores below do not matter */
	float		per_norm;		/* a score is at most this * norm + offset */
	float		per_error;		/* codes may miss this * error + ... of it */
	float		per_length;		/* ... this * length + ... */
	float		per_rest;		/* ... this * rest + ... */
	float		per_skew;		/* ... this * norm */
	float		unit;			/* what one step of the query's codes is worth */
	float		shift;			/* sum of products of codes that stands for 0 */
	const float *half[2];		/* norms of halves of the vector; NULL: there are none */
	float		per_half[2];	/* a score is at most the sum of this * half, + offset */
} MfSqBounds;

/* The kernels of one level. */
typedef struct MfScore
{
	/*
	 * score[i] = query . row / norm[i] + offset[i] of MF_PACK rows, numbers position[i] of those at base, each of
	 * ld floats; norm and offset may be NULL.  Returns the bits of scores that are at least threshold.
	 * mf_score_error() says how exact they are.
	 */
	uint32_t	(*score_rows) (const float *query, int ld, const float *base, const int32_t *position,
							   const float *norm, const float *offset, float threshold, float *score);

	/* the same of rows of whole numbers, of which the first ld count: what score_rows would say of the floats */
	uint32_t	(*score_narrow) (const float *query, int ld, const MfNarrowRows *rows, const int32_t *position,
								 const float *norm, const float *offset, float threshold, float *score);

	/* out (ld floats) = the first ld numbers of a row: the same bits at every level */
	void		(*narrow_row) (const MfNarrowRows *rows, int32_t position, int ld, float *out);

	/*
	 * least_sum: of each pack of a block, the sum of products of codes that an item must reach to be of interest.
	 * Returns the bits of the packs that are not ruled out by their norms.
	 */
	uint64_t	(*sq_bound) (const MfSqBounds *bounds, int32_t *least_sum);

	/*
	 * sum[i] = sum over coordinates j < dims of query[j] * code of a pack's items, codes 0 .. 15, query -127 .. 127.
	 * A pack is dims / 8 chunks of 16 x 4 bytes: byte b of an item's four in chunk g has coordinate 8 g + b in its
	 * lower half and 8 g + 4 + b in its upper half (in a 16-bit word, the lower byte first).
	 */
	void		(*sq4_sums) (const uint8_t *code, int dims, const int8_t *query, int32_t *sum);

	/*
	 * passed[p]: the bits of the items of pack p whose sums reach least_sum[p], for the packs in the bits `live` of
	 * the block at code.  Returns the bits of the packs that have such items.
	 */
	uint64_t	(*sq4_scan) (const uint8_t *code, int dims, const int8_t *query, uint64_t live,
							 const int32_t *least_sum, uint16_t *passed);

	/*
	 * The same by 8-bit codes, 0 .. 127, of all ld coordinates.  A pack is ld / 4 chunks of 16 x 4 bytes: item i's
	 * coordinate 4 g + b is byte b of its four in chunk g.
	 */
	uint64_t	(*sq8_scan) (const uint8_t *code, int ld, const int8_t *query, uint64_t live, const int32_t *least_sum,
							 uint16_t *passed);

	/* The same for several queries. */
	MfSq8ScanTile sq8_scan_tile;

	/*
	 * The largest squared error over MF_PACK rows of dims coordinates when they are coded in 16 steps: the sum of
	 * (x - step * (n - 7.5))^2, n = x / step + 8 cut to 0 .. 15.
	 */
	float		(*sq4_error) (const float *row, int dims, float step);

	/* product[i] = x . row[i] of n rows of ld floats, in double: the same bits at every level */
	void		(*exact_products) (const float *x, int ld, const float *const *row, int n, double *product);
} MfScore;

extern const MfScore *mf_score(void);
extern const MfScore *mf_score_batch(void);
extern double mf_norm(const float *x, int n);

/*
 * The error of a score is at most mf_score_error(ld) * |query| * |row| / norm, plus MF_SCORE_ROUNDING times the
 * score, plus ld * 2^-149 / norm.
 *
 * Each product suffers at most n = ld / 4 + 4 roundings on its way into the sum, so the sum's error is at most
 * n u / (1 - n u) times the sum of |query_j row_j|, u = 2^-24 (Higham, Accuracy and Stability of Numerical
 * Algorithms, 3.1), and that sum is at most |query| |row|.  Norm and offset add three roundings of what is nearly
 * the score.  A product that underflows costs up to 2^-150; sums of floats lose nothing to underflow.
 */
#define MF_SCORE_ROUNDING 0x1.0p-22
static inline double
mf_score_error(int ld)
{
	/* NOLINTNEXTLINE(bugprone-integer-division): ld is a multiple of 16 */
	return (ld / 4 + 8) * 0x1.0p-24 * 1.001;
}

#endif
