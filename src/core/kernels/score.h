/*
 * score.h - the kernels that serving spends its time in, one table of them per instruction set level.
 */
#ifndef MF_SCORE_H
#define MF_SCORE_H

#include <stdint.h>

/*
 * Scores 16 rows, numbers position[0 .. 15] of those at base, each of ld floats (a multiple of 16):
 * query . row / norm + offset, where norm and offset have 16 floats or are NULL.  Returns the bits
 * of those that are at least threshold.  mf_score_error() says how exact that is.
 */
typedef uint32_t (*MfScoreRows) (const float *query, int ld, const float *base,
								 const int32_t *position, const float *norm, const float *offset,
								 float threshold, float *score);

/* What the codes of a block's 64 packs are held against; sq4.h has the formula. */
typedef struct MfSqBounds
{
	const float *norm;			/* 64 of each: see MfIndex */
	const float *offset;		/* NULL: all 0 */
	const float *least;			/* NULL: scores are compared; else scores divided by the norm */
	const float *step;
	const float *error;
	const float *length;
	const float *rest;
	float		threshold;			/* nothing below is wanted */
	float		per_norm;		/* bound of a score: this * norm + offset */
	float		per_error;		/* what codes may miss: this * error + ... */
	float		per_length;		/* ... this * length + ... */
	float		per_rest;		/* ... this * rest + ... */
	float		per_skew;		/* ... this * norm */
	float		unit;			/* what one step of the query's codes is worth */
	float		shift;			/* sum of products that stands for 0 */
} MfSqBounds;

/* The least sum of products of codes that each of a block's 64 packs is interested in.  Returns the
 * bits of the packs that are not ruled out by their norms. */
typedef uint64_t (*MfSqBound) (const MfSqBounds *bounds, int32_t *least_sum);

/*
 * The sums of products of codes of one pack's items: over coordinates j < coded of query[j] * code,
 * codes 0 .. 15 and -127 <= query[j] <= 127.  A pack is coded / 8 chunks of 16 x 4 bytes: byte b of an
 * item's four in chunk g has coordinate 8 g + b in its lower half and 8 g + 4 + b in its upper half
 * (in a 16-bit word, the lower byte first).
 */
typedef void (*MfSq4Sums) (const uint8_t *code, int coded, const int8_t *query, int32_t *sum);

/* For each pack in the bits `live` of the 64 at code, the bits of its items whose sums reach the
 * pack's least_sum.  Returns the bits of the packs that have such items. */
typedef uint64_t (*MfSq4Scan) (const uint8_t *code, int coded, const int8_t *query, uint64_t live,
								 const int32_t *least_sum, uint16_t *passed);

/* The same by 8-bit codes, of ld x 16 bytes a pack: see MfSq8ScanTile. */
typedef MfSq4Scan MfSq8Scan;

/* Queries that go through the 8-bit codes of a block together. */
#define MF_SQ8_TILE 8

/* Some queries' way through the 8-bit codes of a block's 64 packs. */
typedef struct MfSq8Tile
{
	int			nqueries;		/* 1 .. MF_SQ8_TILE */
	const int8_t *query[MF_SQ8_TILE];
	uint64_t	live[MF_SQ8_TILE];	/* the packs that each is interested in */
	int32_t		least_sum[MF_SQ8_TILE][64];
	uint64_t	found[MF_SQ8_TILE]; /* result: the packs with items whose sums reach the least_sum */
	uint16_t	passed[MF_SQ8_TILE][64];	/* result: the bits of such items, in packs of found[] */
} MfSq8Tile;

/*
 * The sums of products of the 8-bit codes of 64 packs: over coordinates j < ld of query[j] * code, codes
 * 0 .. 127 and -127 <= query[j] <= 127.  A pack is ld / 4 chunks of 16 x 4 bytes: item i's coordinate
 * 4 g + b is byte b of its four in chunk g.
 */
typedef void (*MfSq8ScanTile) (const uint8_t *code, int ld, MfSq8Tile *tile);

/*
 * The largest squared error over the 16 rows of coded coordinates (a multiple of 16) when they are
 * coded in 16 steps: the sum of (x - step * (n - 7.5))^2, n = x / step + 8 cut to 0 .. 15.
 */
typedef float (*MfSq4Error) (const float *row, int coded, float step);

typedef struct MfScore
{
	MfScoreRows score_rows;
	MfSqBound	sq_bound;
	MfSq4Sums	sq4_sums;
	MfSq4Scan	sq4_scan;
	MfSq8Scan	sq8_scan;
	MfSq8ScanTile sq8_scan_tile;
	MfSq4Error	sq4_error;
} MfScore;

extern const MfScore *mf_score(void);
extern double mf_norm(const float *x, int n);

/*
 * The error of a score is at most mf_score_error(ld) * |query| * |row| / norm, plus MF_SCORE_ROUNDING
 * times the score, plus ld * 2^-149 / norm.
 *
 * Each product suffers at most n = ld / 4 + 4 roundings on its way into the sum, so the sum's error is
 * at most n u / (1 - n u) times the sum of |query_j row_j|, u = 2^-24 (Higham, Accuracy and Stability
 * of Numerical Algorithms, 3.1), and that sum is at most |query| |row|.  Norm and offset add three
 * roundings of what is nearly the score.  A product that underflows costs up to 2^-150; sums of
 * floats lose nothing to underflow.
 */
#define MF_SCORE_ROUNDING 0x1.0p-22
static inline double
mf_score_error(int ld)
{
	/* NOLINTNEXTLINE(bugprone-integer-division): ld is a multiple of 16 */
	return (ld / 4 + 8) * 0x1.0p-24 * 1.001;
}

#endif
