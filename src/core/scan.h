/*
 * scan.h - the kernels that serving spends its time in, one table of them per instruction set level.
 */
#ifndef MF_SCAN_H
#define MF_SCAN_H

#include <stdint.h>

/*
 * Scores 16 rows of ld floats each (ld a multiple of 16): query . row * weight + offset, where weight
 * and offset have 16 floats or are NULL.  Returns the bits of those that are at least threshold.
 * mf_scan_error() says how exact that is.
 */
typedef uint32_t (*MfScoreRows) (const float *query, int ld, const float *const *row,
								 const float *weight, const float *offset, float threshold,
								 float *score);

typedef struct MfScan
{
	MfScoreRows score_rows;
} MfScan;

extern const MfScan *mf_scan(void);

/*
 * The error of a score is at most mf_scan_error(ld) * |query| * |row| * weight, plus MF_SCAN_ROUNDING
 * times the score, plus ld * 2^-149 * weight.
 *
 * Each product suffers at most n = ld / 4 + 4 roundings on its way into the sum, so the sum's error is
 * at most n u / (1 - n u) times the sum of |query_j row_j|, u = 2^-24 (Higham, Accuracy and Stability
 * of Numerical Algorithms, 3.1), and that sum is at most |query| |row|.  Weight and offset add three
 * roundings of what is nearly the score.  A product that underflows costs up to 2^-150; sums of
 * floats lose nothing to underflow.
 */
#define MF_SCAN_ROUNDING 0x1.0p-22
static inline double
mf_scan_error(int ld)
{
	return (ld / 4 + 8) * 0x1.0p-24 * 1.001;
}

#endif
