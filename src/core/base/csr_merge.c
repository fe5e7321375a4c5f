/*
 * csr_merge.c - what becomes of several cells for the same place of a sparse matrix.
 */
#include "core/base/csr_merge.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define ROWS_PER_TASK 4096

/* True if a cell with this rating and weight comes before cell b of the same place: by rating, then by weight. */
static bool
cell_before(const MfMatrix *m, float rating, float weight, int64_t b)
{
	if (m->rating != NULL && rating != m->rating[b])
		return rating < m->rating[b];
	return m->weight != NULL && weight < m->weight[b];
}

/*
 * Sorts cells begin .. end - 1, all of the same place, by value (Shell 1959: in place, any length), so that sums do
 * not depend on the order of the triplets.
 */
static void
sort_equal_cells(MfMatrix *m, int64_t begin, int64_t end)
{
	int64_t		gap = 1;

	while (gap < (end - begin) / 3)
		gap = 3 * gap + 1;
	for (; gap > 0; gap /= 3)
	{
		for (int64_t c = begin + gap; c < end; c++)
		{
			float		rating = m->rating != NULL ? m->rating[c] : 0.0f;
			float		weight = m->weight != NULL ? m->weight[c] : 0.0f;
			int64_t		to = c;

			for (; to - gap >= begin && cell_before(m, rating, weight, to - gap); to -= gap)
			{
				if (m->rating != NULL)
					m->rating[to] = m->rating[to - gap];
				if (m->weight != NULL)
					m->weight[to] = m->weight[to - gap];
			}
			if (m->rating != NULL)
				m->rating[to] = rating;
			if (m->weight != NULL)
				m->weight[to] = weight;
		}
	}
}

/* Whether the weights of equal cells add up, and whether the ratings of heavier ones count more. */
static bool
adds_weights(MfDuplicates mode)
{
	return mode == MF_DUPLICATES_SUM || mode == MF_DUPLICATES_WEIGHTED_SUM;
}

static bool
averages_by_weight(MfDuplicates mode)
{
	return mode == MF_DUPLICATES_WEIGHTED_MEAN || mode == MF_DUPLICATES_WEIGHTED_SUM;
}

/* A sum of weights as a float: cut at the largest ones. */
static float
cut_sum(double sum)
{
	return (float) fmax(fmin(sum, FLT_MAX), -FLT_MAX);
}

/*
 * For values that fade, their mean rating being what is left of them, writes what cells begin .. end - 1 come to where
 * likes meet dislikes: a value that has faded already.  False where all are of one sign.
 */
static bool
merge_mixed(MfMatrix *m, int64_t begin, int64_t end, int64_t to)
{
	MfFadedSum	sum = {{0.0, 0.0}, {0.0, 0.0}};

	for (int64_t c = begin; c < end; c++)
		mf_faded_add(&sum, m->weight[c], m->rating[c]);
	if (!mf_faded_is_mixed(&sum))
		return false;
	m->column[to] = m->column[begin];
	m->rating[to] = 1.0f;
	m->weight[to] = cut_sum(mf_faded_net(&sum));
	return true;
}

/*
 * Writes what cells begin .. end - 1, all of the same place, become to position `to`, which is not behind begin.
 */
static void
merge_cells(MfMatrix *m, MfDuplicates mode, int64_t begin, int64_t end, int64_t to)
{
	double		rating = 0.0;
	double		weight = 0.0;
	double		n = (double) (end - begin);
	bool		by_weight = averages_by_weight(mode);

	if (end - begin > 1)
		sort_equal_cells(m, begin, end);
	if (mode == MF_DUPLICATES_WEIGHTED_SUM && end - begin > 1 && merge_mixed(m, begin, end, to))
		return;
	for (int64_t c = begin; c < end; c++)
	{
		if (m->rating != NULL)
			rating += by_weight ? (double) m->weight[c] * m->rating[c] : m->rating[c];
		weight += m->weight != NULL ? m->weight[c] : 0.0f;
	}
	m->column[to] = m->column[begin];
	if (m->rating != NULL)
		m->rating[to] = (float) (rating / (by_weight ? weight : n));
	if (m->weight != NULL)
		m->weight[to] = cut_sum(adds_weights(mode) ? weight : weight / n);
}

/*
 * Merges neighbours with the same row and column, closing the gaps; returns how many went.  One thread does it, for
 * gaps close from the first row on.  Leaves early when cancelled.
 */
static int64_t
merge_duplicates(const MfParallel *parallel, MfMatrix *m, MfDuplicates mode)
{
	int64_t		to = 0;
	int64_t		begin = 0;
	int64_t		ncells = m->start[m->nrows];

	for (int64_t row = 0; row < m->nrows && !mf_cancelled(parallel); row++)
	{
		int64_t		row_end = m->start[row + 1];

		while (begin < row_end)
		{
			int64_t		end = begin + 1;

			while (end < row_end && m->column[end] == m->column[begin])
				end++;
			merge_cells(m, mode, begin, end, to++);
			begin = end;
		}
		m->start[row + 1] = to;
	}
	return ncells - to;
}

/* Whether there are duplicates at all: most matrices have none, so all threads look first. */
typedef struct Search
{
	const MfMatrix *matrix;
	atomic_bool found;
} Search;

/* Task: looks for duplicates in ROWS_PER_TASK rows, until a worker has found one. */
static void
find_duplicates(void *state, int64_t task, int worker)
{
	Search	   *search = state;
	const MfMatrix *m = search->matrix;
	int64_t		end = (task + 1) * ROWS_PER_TASK;

	(void) worker;
	if (end > m->nrows)
		end = m->nrows;
	for (int64_t row = task * ROWS_PER_TASK; row < end && !search->found; row++)
		for (int64_t c = m->start[row] + 1; c < m->start[row + 1]; c++)
			if (m->column[c] == m->column[c - 1])
				search->found = true;
}

/*
 * Merges cells of the same row and column of m, whose rows have ascending columns; *merged is how many went, so
 * start[nrows] is less by that.  Returns MF_CANCELLED, with m undefined, or MF_OK.
 */
MfError
mf_csr_merge(const MfParallel *parallel, MfMatrix *m, MfDuplicates mode, int64_t *merged)
{
	Search		search = {m, false};

	*merged = 0;
	if (!mf_parallel_for(parallel, (m->nrows + ROWS_PER_TASK - 1) / ROWS_PER_TASK, find_duplicates, &search))
		return MF_CANCELLED;
	if (search.found)
		*merged = merge_duplicates(parallel, m, mode);
	return mf_cancelled(parallel) ? MF_CANCELLED : MF_OK;
}
