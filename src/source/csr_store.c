/*
 * csr_store.c - all observed cells in one orientation, in memory or spilled, handed out part by part.
 *
 * A half-sweep reads rows in order, once: so what does not fit in memory streams from temporary
 * files, and the solver never knows the difference.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "pg/alloc.h"
#include "source/csr_store.h"

/* Cells in memory are handed out in parts, too, so that interrupts act between them. */
#define MEMORY_PART_CELLS (INT64CONST(1) << 24)

/* Cells that are read, written or computed on between two looks for interrupts. */
#define STEP_CELLS (INT64CONST(1) << 20)

/* Empty cells whose rows are going to be appended in order. */
void
InitSpilledCells(Cells *cells, int64 nrows, bool has_rating, bool has_weight, int64 part_cells)
{
	memset(cells, 0, sizeof(Cells));
	cells->nrows = nrows;
	cells->start = HugeArray(nrows + 1, sizeof(int64));
	cells->start[0] = 0;
	cells->spilled = true;
	cells->columns = BufFileCreateTemp(false);
	cells->ratings = has_rating ? BufFileCreateTemp(false) : NULL;
	cells->weights = has_weight ? BufFileCreateTemp(false) : NULL;
	cells->part_cells = Max(part_cells, 1);
	cells->deviation = 1;
	cells->weighting = LinearWeight(1);
}

/* Appends n cells' columns, ratings or weights to a file. */
static void
WriteCells(BufFile *file, const void *values, int64 n)
{
	for (int64 from = 0; from < n; from += STEP_CELLS)
	{
		CHECK_FOR_INTERRUPTS();
		BufFileWrite(file, (int32 *) values + from, sizeof(int32) * Min(STEP_CELLS, n - from));
	}
}

/* Appends the next rows; part->start[0] is 0. */
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

static void
Rewind(BufFile *file)
{
	if (file && BufFileSeek(file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind temporary file of ratings")));
}

/* Whether cells weigh differently. */
bool
CellsHaveWeights(const Cells *cells)
{
	return cells->weights || cells->matrix.weight;
}

/* The next part is the first one. */
void
RewindCells(Cells *cells)
{
	cells->next = 0;
	cells->columns_only = false;
	Rewind(cells->columns);
	Rewind(cells->ratings);
	Rewind(cells->weights);
}

/* The same, for who wants no more than columns. */
void
RewindColumns(Cells *cells)
{
	RewindCells(cells);
	cells->columns_only = true;
}

/* The row behind the next part: at least one row, and no more cells than the limit if it can be. */
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

static void *
NewArray(void *array, int64 count)
{
	if (array)
		pfree(array);
	return HugeArray(count, sizeof(int32));
}

static void
MakeRoom(Cells *cells, int64 n)
{
	if (n <= cells->room)
		return;
	cells->room = Max(n, cells->part_cells);
	cells->room = Min(cells->room, Max(n, cells->start[cells->nrows]));
	cells->matrix.column = NewArray(cells->matrix.column, cells->room);
	if (cells->ratings)
		cells->matrix.rating = NewArray(cells->matrix.rating, cells->room);
	if (cells->weights)
		cells->matrix.weight = NewArray(cells->matrix.weight, cells->room);
}

static void
Standardize(float *ratings, int64 n, double mean, double deviation)
{
	for (int64 from = 0; from < n; from += STEP_CELLS)
	{
		int64		end = Min(from + STEP_CELLS, n);

		CHECK_FOR_INTERRUPTS();
		for (int64 i = from; i < end; i++)
			ratings[i] = (float) ((ratings[i] - mean) / deviation);
	}
}

static void
Weight(float *weights, int64 n, RowWeight weighting)
{
	for (int64 from = 0; from < n; from += STEP_CELLS)
	{
		int64		end = Min(from + STEP_CELLS, n);

		CHECK_FOR_INTERRUPTS();
		for (int64 i = from; i < end; i++)
			weights[i] = WeightFromNumber(weighting, weights[i]);
	}
}

/* The next n cells' columns, ratings or weights out of a file. */
static void
ReadCells(BufFile *file, void *values, int64 n)
{
	for (int64 from = 0; from < n; from += STEP_CELLS)
	{
		CHECK_FOR_INTERRUPTS();
		ReadTempFile(file, (int32 *) values + from, sizeof(int32) * Min(STEP_CELLS, n - from));
	}
}

/* Brings n cells from the files. */
static void
ReadPart(Cells *cells, int64 n)
{
	MakeRoom(cells, n);
	ReadCells(cells->columns, cells->matrix.column, n);
	if (cells->columns_only)
		return;
	if (cells->ratings)
	{
		ReadCells(cells->ratings, cells->matrix.rating, n);
		Standardize(cells->matrix.rating, n, cells->mean, cells->deviation);
	}
	if (cells->weights)
	{
		ReadCells(cells->weights, cells->matrix.weight, n);
		Weight(cells->matrix.weight, n, cells->weighting);
	}
}

/* start[] of a spilled part, whose first cell is cell 0 of the buffers. */
static const int64 *
PartStart(Cells *cells, int64 end)
{
	int64		nrows = end - cells->next;

	if (nrows > cells->part_rows)
	{
		if (cells->part_start)
			pfree(cells->part_start);
		cells->part_rows = nrows;
		cells->part_start = HugeArray(nrows + 1, sizeof(int64));
	}
	for (int64 r = 0; r <= nrows; r++)
		cells->part_start[r] = cells->start[cells->next + r] - cells->start[cells->next];
	return cells->part_start;
}

/* The next part; false when there is none.  It lives until the next call. */
bool
NextCells(Cells *cells, MfRows *rows)
{
	int64		end;

	CHECK_FOR_INTERRUPTS();
	if (cells->next >= cells->nrows)
		return false;
	end = PartEnd(cells);
	if (cells->spilled)
		ReadPart(cells, cells->start[end] - cells->start[cells->next]);
	rows->first = cells->next;
	rows->nrows = end - cells->next;
	rows->start = cells->spilled ? PartStart(cells, end) : cells->start + cells->next;
	rows->column = cells->matrix.column;
	rows->rating = cells->matrix.rating;
	rows->weight = cells->matrix.weight;
	cells->next = end;
	return true;
}

/* From now on ratings are handed out less the mean, divided by the deviation. */
void
StandardizeCells(Cells *cells, double mean, double deviation)
{
	cells->mean = mean;
	cells->deviation = deviation;
	if (!cells->spilled)
		Standardize(cells->matrix.rating, cells->start[cells->nrows], mean, deviation);
}

/* From now on weights are handed out as what they are made of numbers; cells must have some. */
void
WeightCells(Cells *cells, RowWeight weighting)
{
	cells->weighting = weighting;
	if (!cells->spilled)
		Weight(cells->matrix.weight, cells->start[cells->nrows], weighting);
}

/* From now on all cells weigh 1: the solver is faster without weights. */
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

static void
FreeArray(void *array)
{
	if (array)
		pfree(array);
}

static void
CloseFile(BufFile *file)
{
	if (file)
		BufFileClose(file);
}

/* Gives memory and files back. */
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
