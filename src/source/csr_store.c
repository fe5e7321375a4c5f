/*
 * csr_store.c - all observed cells in one orientation, in memory or spilled, handed out part by part.
 *
 * A half-sweep reads rows in order, once: so what does not fit in memory streams from temporary
 * files, and the solver never knows the difference.
 *
 * Columns, ratings and weights have a file each, so that a pass that needs no more than columns reads no more;
 * elements are 4 bytes and lie in the order of cells.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/base/spread.h"
#include "pg/alloc.h"
#include "source/csr_store.h"

/* Cells of a part of what is in memory: parts are small enough that interrupts act between them. */
#define MEMORY_PART_CELLS (INT64CONST(1) << 24)

/* Cells that are read, written or scaled between two looks for interrupts: a few milliseconds. */
#define STEP_CELLS (INT64CONST(1) << 20)

/*
 * Makes empty cells, whose nrows rows are going to be appended in order, with temporary files for them.
 * part_cells: how many cells the caller has memory for while it reads.
 */
void
InitSpilledCells(Cells *cells, int64 nrows, bool with_ratings, bool with_weights, int64 part_cells)
{
	memset(cells, 0, sizeof(Cells));
	cells->nrows = nrows;
	cells->start = HugeArray(nrows + 1, sizeof(int64));
	cells->start[0] = 0;
	cells->spilled = true;
	cells->columns = BufFileCreateTemp(false);
	cells->ratings = with_ratings ? BufFileCreateTemp(false) : NULL;
	cells->weights = with_weights ? BufFileCreateTemp(false) : NULL;
	cells->part_cells = Max(part_cells, 1);
	cells->deviation = 1;
	cells->weighting = LinearWeight(1);
}

/* Appends n elements of 4 bytes, the cells' columns, ratings or weights, to a file. */
static void
WriteCells(BufFile *file, const void *values, int64 n)
{
	for (int64 from = 0; from < n; from += STEP_CELLS)
	{
		CHECK_FOR_INTERRUPTS();
		BufFileWrite(file, (int32 *) values + from, sizeof(int32) * Min(STEP_CELLS, n - from));
	}
}

/* Appends the next rows; part->start[0] is 0, and part has the same arrays as the cells. */
void
AppendCells(Cells *cells, const MfMatrix *part)
{
	int64		first = cells->start[cells->appended];
	int64		n = part->start[part->nrows];

	for (int64 r = 1; r <= part->nrows; r++)
		cells->start[cells->appended + r] = first + part->start[r];
	cells->appended += part->nrows;
	WriteCells(cells->columns, part->column, n);
	if (cells->ratings)
		WriteCells(cells->ratings, part->rating, n);
	if (cells->weights)
		WriteCells(cells->weights, part->weight, n);
}

/* Goes back to the start of a file, if there is one; a failure is an error. */
static void
Rewind(BufFile *file)
{
	if (file && BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file of ratings")));
}

/* Whether cells weigh differently: without weights each is 1. */
bool
CellsHaveWeights(const Cells *cells)
{
	return cells->weights || cells->matrix.weight;
}

/* Begins a pass: the next part is the first one. */
void
RewindCells(Cells *cells)
{
	cells->next = 0;
	cells->columns_only = false;
	Rewind(cells->columns);
	Rewind(cells->ratings);
	Rewind(cells->weights);
}

/* Begins a pass that needs columns alone: ratings and weights of what is handed out are undefined. */
void
RewindColumns(Cells *cells)
{
	RewindCells(cells);
	cells->columns_only = true;
}

/*
 * The row behind the next part, by bisection: the most rows with no more cells than the limit, but at least
 * one.
 */
static int64
PartEnd(const Cells *cells)
{
	int64		limit = cells->start[cells->next] + (cells->spilled ? cells->part_cells : MEMORY_PART_CELLS);
	int64		low = cells->next + 1;
	int64		high = cells->nrows;

	while (low < high)
	{
		int64		middle = low + (high - low + 1) / 2;

		if (cells->start[middle] <= limit)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

/*
 * A new array for count elements of a part in the stead of an old one (NULL: none), whose contents are lost.  It lives
 * as long as the cells, while whoever asks for the part may be in a memory context that soon goes.
 */
static void *
ReplaceArray(const Cells *cells, void *array, int64 count, Size size)
{
	MemoryContext old = MemoryContextSwitchTo(GetMemoryChunkContext(cells->start));

	if (array)
		pfree(array);
	array = HugeArray(count, size);
	MemoryContextSwitchTo(old);
	return array;
}

/* Makes room for a part of n cells; for as many as any part may have at once, so that this seldom happens. */
static void
ReserveCells(Cells *cells, int64 n)
{
	if (n <= cells->capacity)
		return;
	cells->capacity = Max(n, cells->part_cells);
	cells->capacity = Min(cells->capacity, Max(n, cells->start[cells->nrows]));
	cells->matrix.column = ReplaceArray(cells, cells->matrix.column, cells->capacity, sizeof(int32));
	if (cells->ratings)
		cells->matrix.rating = ReplaceArray(cells, cells->matrix.rating, cells->capacity, sizeof(int32));
	if (cells->weights)
		cells->matrix.weight = ReplaceArray(cells, cells->matrix.weight, cells->capacity, sizeof(int32));
}

/* Standardizes n ratings in place. */
static void
ScaleRatings(float *ratings, int64 n, double mean, double deviation)
{
	for (int64 from = 0; from < n; from += STEP_CELLS)
	{
		int64		end = Min(from + STEP_CELLS, n);

		CHECK_FOR_INTERRUPTS();
		for (int64 i = from; i < end; i++)
			ratings[i] = (float) ((ratings[i] - mean) / deviation);
	}
}

/*
 * Divides ratings of rows first .. end - 1 by their users' spreads, in place; theirs and their columns begin with those of
 * row `first`.
 */
static void
DivideBySpreads(const Cells *cells, int64 first, int64 end, const int32 *columns, float *ratings)
{
	for (int64 r = first; r < end; r++)
	{
		CHECK_FOR_INTERRUPTS();
		for (int64 c = cells->start[r] - cells->start[first]; c < cells->start[r + 1] - cells->start[first]; c++)
			ratings[c] /= cells->spread[cells->users_are_rows ? r : columns[c]];
	}
}

/* Makes weights of n numbers of rows in place. */
static void
ScaleWeights(float *weights, int64 n, RowWeight weighting)
{
	for (int64 from = 0; from < n; from += STEP_CELLS)
	{
		int64		end = Min(from + STEP_CELLS, n);

		CHECK_FOR_INTERRUPTS();
		for (int64 i = from; i < end; i++)
			weights[i] = WeightFromNumber(weighting, weights[i]);
	}
}

/* Reads the next n elements of 4 bytes from a file; a file that ends before is an error. */
static void
ReadCells(BufFile *file, void *values, int64 n)
{
	for (int64 from = 0; from < n; from += STEP_CELLS)
	{
		CHECK_FOR_INTERRUPTS();
		ReadTempFile(file, (int32 *) values + from, sizeof(int32) * Min(STEP_CELLS, n - from));
	}
}

/* Reads the cells of the next rows, before `end`, from the files into `matrix`, ratings and weights on their scale. */
static void
ReadPart(Cells *cells, int64 end)
{
	int64		n = cells->start[end] - cells->start[cells->next];

	ReserveCells(cells, n);
	ReadCells(cells->columns, cells->matrix.column, n);
	if (cells->columns_only)
		return;
	if (cells->ratings)
	{
		ReadCells(cells->ratings, cells->matrix.rating, n);
		ScaleRatings(cells->matrix.rating, n, cells->mean, cells->deviation);
		if (cells->spread)
			DivideBySpreads(cells, cells->next, end, cells->matrix.column, cells->matrix.rating);
	}
	if (cells->weights)
	{
		ReadCells(cells->weights, cells->matrix.weight, n);
		ScaleWeights(cells->matrix.weight, n, cells->weighting);
	}
}

/* start[] of the spilled part that ends before row `end`: from 0 on, as its cells lie in the arrays. */
static const int64 *
PartStart(Cells *cells, int64 end)
{
	int64		nrows = end - cells->next;

	if (nrows > cells->part_rows)
	{
		cells->part_start = ReplaceArray(cells, cells->part_start, nrows + 1, sizeof(int64));
		cells->part_rows = nrows;
	}
	for (int64 r = 0; r <= nrows; r++)
		cells->part_start[r] = cells->start[cells->next + r] - cells->start[cells->next];
	return cells->part_start;
}

/*
 * Hands out the next part; false when there is none.  Its arrays are the cells' own, and live until the next
 * call.
 */
bool
NextCells(Cells *cells, MfRows *rows)
{
	int64		end;

	CHECK_FOR_INTERRUPTS();
	if (cells->next >= cells->nrows)
		return false;
	end = PartEnd(cells);
	if (cells->spilled)
		ReadPart(cells, end);
	rows->first = cells->next;
	rows->nrows = end - cells->next;
	rows->start = cells->spilled ? PartStart(cells, end) : cells->start + cells->next;
	rows->column = cells->matrix.column;
	rows->rating = cells->matrix.rating;
	rows->weight = cells->matrix.weight;
	cells->next = end;
	return true;
}

/*
 * counts[]: how many cells each row has, without dislikes; 1 where it has nothing else, for something is known of it.
 */
void
CountLikes(Cells *cells, int32 *counts)
{
	MfRows		rows;

	RewindCells(cells);
	while (NextCells(cells, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			int64		likes = 0;

			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
				likes += rows.weight == NULL || rows.weight[c] > 0;
			counts[rows.first + r] = (int32) Max(likes, rows.start[r + 1] > rows.start[r]);
		}
}

/*
 * The number of cells in each of n rows, of which the last may be without.  likes: without dislikes, as regularization
 * goes by them, and popularity.
 */
int32 *
CountCells(Cells *cells, int64 n, bool likes)
{
	int32	   *counts = HugeZeroArray(n, sizeof(int32));

	for (int64 i = 0; i < cells->nrows; i++)
		counts[i] = (int32) (cells->start[i + 1] - cells->start[i]);
	if (likes)
		CountLikes(cells, counts);
	return counts;
}

/* From now on ratings are handed out less the mean, divided by the deviation.  Once for each matrix. */
void
StandardizeCells(Cells *cells, double mean, double deviation)
{
	cells->mean = mean;
	cells->deviation = deviation;
	if (!cells->spilled)
		ScaleRatings(cells->matrix.rating, cells->start[cells->nrows], mean, deviation);
}

/*
 * What users' ratings spread by, beside those of all (core/base/spread.c), an element a row; the cells have been
 * standardized.  variance: of users' ratings around their means, on the same scale.
 */
float *
UserSpreads(Cells *by_user, double variance)
{
	float	   *spread = HugeArray(by_user->nrows, sizeof(float));
	MfRows		rows;

	RewindCells(by_user);
	while (NextCells(by_user, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			int64		n = rows.start[r + 1] - rows.start[r];

			spread[rows.first + r] = (float) mf_user_spread(mf_squares_around_mean(rows.rating + rows.start[r], n), n, variance);
		}
	return spread;
}

/*
 * From now on ratings are handed out divided by what their users' spread by, too, an element a user: by row, or by
 * column.  Once for each matrix.
 */
void
SpreadCells(Cells *cells, const float *spread, bool users_are_rows)
{
	cells->spread = spread;
	cells->users_are_rows = users_are_rows;
	if (!cells->spilled)
		DivideBySpreads(cells, 0, cells->nrows, cells->matrix.column, cells->matrix.rating);
}

/* From now on weights are made of the rows' numbers; cells must have some.  Once for each matrix. */
void
WeightCells(Cells *cells, RowWeight weighting)
{
	cells->weighting = weighting;
	if (!cells->spilled)
		ScaleWeights(cells->matrix.weight, cells->start[cells->nrows], weighting);
}

/* From now on all cells weigh 1, for which the solver is faster without weights.  Frees what there were. */
void
DropWeights(Cells *cells)
{
	if (cells->weights)
		BufFileClose(cells->weights);
	if (cells->matrix.weight)
		pfree(cells->matrix.weight);
	cells->weights = NULL;
	cells->matrix.weight = NULL;
}

/* pfree() for an array that there may be. */
static void
FreeArray(void *array)
{
	if (array)
		pfree(array);
}

/* Closes a temporary file that there may be, which removes it. */
static void
CloseFile(BufFile *file)
{
	if (file)
		BufFileClose(file);
}

/* Frees the arrays and closes the files.  All zero afterwards. */
void
FreeCells(Cells *cells)
{
	if (cells->spilled)
		pfree(cells->start);
	else
		FreeArray(cells->matrix.start);
	FreeArray(cells->part_start);
	FreeArray(cells->matrix.column);
	FreeArray(cells->matrix.rating);
	FreeArray(cells->matrix.weight);
	CloseFile(cells->columns);
	CloseFile(cells->ratings);
	CloseFile(cells->weights);
	memset(cells, 0, sizeof(Cells));
}
