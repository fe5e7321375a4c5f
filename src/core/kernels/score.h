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

/* What the codes of a block's 64 panels are held against; sq4.h has the formula. */
typedef struct MfCodeBounds
{
	const float *norm;			/* 64 of each: see MfIndex */
	const float *offset;		/* NULL: all 0 */
	const float *least;			/* NULL: scores are compared; else scores divided by the norm */
	const float *step;
	const float *error;
	const float *length;
	const float *rest;
	float		floor;			/* nothing below is wanted */
	float		per_norm;		/* bound of a score: this * norm + offset */
	float		per_error;		/* what codes may miss: this * error + ... */
	float		per_length;		/* ... this * length + ... */
	float		per_rest;		/* ... this * rest + ... */
	float		per_skew;		/* ... this * norm */
	float		unit;			/* what one step of the query's codes is worth */
	float		shift;			/* sum of products that stands for 0 */
} MfCodeBounds;

/* The least sum of products of codes that each of a block's 64 panels is interested in.  Returns the
 * bits of the panels that are not ruled out by their norms. */
typedef uint64_t (*MfBoundCodes) (const MfCodeBounds *bounds, int32_t *threshold);

/*
 * The sums of products of codes of one panel's items: over coordinates j < coded of query[j] * code,
 * codes 0 .. 15 and -127 <= query[j] <= 127.  A panel is coded / 8 chunks of 16 x 4 bytes: byte b of an
 * item's four in chunk g has coordinate 8 g + b in its lower half and 8 g + 4 + b in its upper half
 * (in a 16-bit word, the lower byte first).
 */
typedef void (*MfSumCodes) (const uint8_t *code, int coded, const int8_t *query, int32_t *sum);

/* For each panel in the bits `live` of the 64 at code, the bits of its items whose sums reach the
 * panel's threshold.  Returns the bits of the panels that have such items. */
typedef uint64_t (*MfScanCodes) (const uint8_t *code, int coded, const int8_t *query, uint64_t live,
								 const int32_t *threshold, uint16_t *passed);

/* The same by fine codes, of ld x 16 bytes a panel: see MfScanTile. */
typedef MfScanCodes MfScanFine;

/* Queries that go through the fine codes of a block together. */
#define MF_TILE 8

/* Some queries' way through the fine codes of a block's 64 panels. */
typedef struct MfCodeTile
{
	int			nqueries;		/* 1 .. MF_TILE */
	const int8_t *query[MF_TILE];
	uint64_t	live[MF_TILE];	/* the panels that each is interested in */
	int32_t		threshold[MF_TILE][64];
	uint64_t	found[MF_TILE]; /* result: the panels with items whose sums reach the threshold */
	uint16_t	passed[MF_TILE][64];	/* result: the bits of such items, in panels of found[] */
} MfCodeTile;

/*
 * The sums of products of the fine codes of 64 panels: over coordinates j < ld of query[j] * code, codes
 * 0 .. 127 and -127 <= query[j] <= 127.  A panel is ld / 4 chunks of 16 x 4 bytes: item i's coordinate
 * 4 g + b is byte b of its four in chunk g.
 */
typedef void (*MfScanTile) (const uint8_t *code, int ld, MfCodeTile *tile);

/*
 * The largest squared error over the 16 rows of coded coordinates (a multiple of 16) when they are
 * coded in 16 steps: the sum of (x - step * (n - 7.5))^2, n = x / step + 8 cut to 0 .. 15.
 */
typedef float (*MfCodeError) (const float *row, int coded, float step);

typedef struct MfScore
{
	MfScoreRows score_rows;
	MfBoundCodes bound_codes;
	MfSumCodes	sum_codes;
	MfScanCodes scan_codes;
	MfScanFine	scan_fine;
	MfScanTile	scan_tile;
	MfCodeError code_error;
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
