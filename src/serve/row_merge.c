/*
 * row_merge.c - a user's current rows, merged into cells as a training merges them.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "core/base/csr_merge.h"
#include "pg/alloc.h"
#include "rows/row_weight.h"
#include "serve/row_merge.h"

/* So many rows are sorted by comparing, more by counting. */
#define FEW_ROWS 256

/* By item; equal ones by value, so that their mean does not depend on the order of rows. */
static int
CompareRows(const void *a, const void *b)
{
	const NumberedRow *x = a;
	const NumberedRow *y = b;

	if (x->item != y->item)
		return x->item < y->item ? -1 : 1;
	if (x->rating != y->rating)
		return x->rating < y->rating ? -1 : 1;
	return (x->weight > y->weight) - (x->weight < y->weight);
}

/* Sorts many rows by item, 11 bits a pass; the order within an item stays open.  Returns where they are. */
static NumberedRow *
CountingSort(NumberedRow *rows, int64 n, int64 nitems)
{
	NumberedRow *other = HugeArray(n, sizeof(NumberedRow));

	for (int shift = 0; nitems >> shift > 0; shift += 11)
	{
		int64		start[2049] = {0};
		NumberedRow *swap = rows;

		for (int64 i = 0; i < n; i++)
			start[((rows[i].item >> shift) & 2047) + 1]++;
		for (int b = 0; b < 2048; b++)
			start[b + 1] += start[b];
		for (int64 i = 0; i < n; i++)
			other[start[(rows[i].item >> shift) & 2047]++] = rows[i];
		rows = other;
		other = swap;
	}
	pfree(other);
	return rows;
}

/*
 * For values that fade: what rows from .. to - 1 come to where likes meet dislikes, as in training; NAN where they do
 * not.
 */
static double
MergeMixed(const NumberedRow *rows, int64 from, int64 to)
{
	MfFadedSum	sum = {{0, 0}, {0, 0}};

	for (int64 i = from; i < to; i++)
		mf_faded_add(&sum, rows[i].weight, rows[i].rating);
	return mf_faded_is_mixed(&sum) ? mf_faded_net(&sum) : NAN;
}

/* Takes the last cell away again where its values have added up to 0: then its item is only one that the user has. */
static void
DropCancelled(const MfObjective *objective, CurrentCells *cells)
{
	if (mf_is_explicit(objective) || mf_observes_zeros(objective) || cells->weight[cells->n - 1] != 0)
		return;
	cells->cancelled[cells->ncancelled++] = cells->item[--cells->n];
}

/*
 * What rows from .. to - 1, all of one item, come to as the next cell, as in training: explicit ratings are averaged,
 * implicit values add up, and rows that fade count by what is left of them.  They are added in ascending order, so that
 * the order in which they come does not show.
 */
static void
MergeItem(const NumberedRow *rows, int64 from, int64 to, const MfObjective *objective, CurrentCells *cells)
{
	bool		fades = objective->half_life > 0;
	bool		explicit = mf_is_explicit(objective);
	double		mixed = fades && !explicit ? MergeMixed(rows, from, to) : NAN;
	double		rating = 0;
	double		weight = 0;
	int64		n = to - from;

	for (int64 i = from; i < to; i++)
	{
		rating += fades ? (double) rows[i].weight * rows[i].rating : rows[i].rating;
		weight += rows[i].weight;
	}
	cells->item[cells->n] = rows[from].item;
	if (!isnan(mixed))
		weight = mixed;			/* it has faded already */
	cells->rating[cells->n] = !isnan(mixed) ? 1 : (float) (rating / (fades ? weight : n));
	cells->weight[cells->n] = (float) Max(Min(explicit ? weight / n : weight, FLT_MAX), -FLT_MAX);
	if (fades && !explicit)
		cells->weight[cells->n] = FadedNumber(cells->weight[cells->n], cells->rating[cells->n]);
	cells->n++;
	DropCancelled(objective, cells);
}

/* Merges n rows as training does into distinct cells, by ascending item. */
void
MergeRows(NumberedRow *rows, int64 n, const Image *image, CurrentCells *cells)
{
	cells->item = HugeArray(n, sizeof(int32));
	cells->rating = HugeArray(n, sizeof(float));
	cells->weight = HugeArray(n, sizeof(float));
	cells->cancelled = HugeArray(n, sizeof(int32));
	cells->n = cells->ncancelled = 0;
	if (n <= FEW_ROWS)
		qsort(rows, n, sizeof(NumberedRow), CompareRows);
	else
		rows = CountingSort(rows, n, image->nitems);
	for (int64 from = 0, to; from < n; from = to)
	{
		for (to = from + 1; to < n && rows[to].item == rows[from].item;)
			to++;
		if (to - from > 1)
			qsort(rows + from, to - from, sizeof(NumberedRow), CompareRows);
		MergeItem(rows, from, to, &image->objective, cells);
	}
}
