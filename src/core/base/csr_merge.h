/*
 * csr_merge.h - what becomes of several cells for the same place of a sparse matrix.
 */
#ifndef MF_CSR_MERGE_H
#define MF_CSR_MERGE_H

#include <math.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/sparse_rows.h"
#include "core/base/threads.h"

/* Values of the same place of which a part is left: of likes, and of dislikes without their sign. */
typedef struct MfFadedSum
{
	double		value[2];
	double		left[2];
} MfFadedSum;

/* Adds a value, negative: of a dislike, of which so much is left, 1: all. */
static inline void
mf_faded_add(MfFadedSum *sum, float value, float left)
{
	int			dislike = value < 0.0f;

	sum->value[dislike] += fabs((double) value);
	sum->left[dislike] += fabs((double) value) * left;
}

/* Whether there are both. */
static inline bool
mf_faded_is_mixed(const MfFadedSum *sum)
{
	return sum->value[0] > 0.0 && sum->value[1] > 0.0;
}

/*
 * What they come to where there are both: each fades for itself, by its logarithm and the mean of what is left, and the
 * values that have such logarithms add up.
 */
static inline double
mf_faded_net(const MfFadedSum *sum)
{
	return expm1(log1p(sum->value[0]) * (sum->left[0] / sum->value[0])) -
		expm1(log1p(sum->value[1]) * (sum->left[1] / sum->value[1]));
}

extern MfError mf_csr_merge(const MfParallel *parallel, MfMatrix *m, MfDuplicates mode, int64_t *merged);

#endif
