/*
 * number_summary.c - numbers of items sorted by item, and what is typical of each column.
 *
 * Sums of floating-point numbers depend on their order, so they are added in the order of items, which sorting gives
 * them in memory and spilled alike.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "compat.h"
#include "features/number_summary.h"
#include "source/ratings_sort.h"

/* Adds a number to what is summed in this pass: first the numbers, then squares of their differences to the mean. */
static void
AddNumber(NumberColumn *column, double number, bool squares)
{
	if (squares)
	{
		column->squares += (number - column->mean) * (number - column->mean);
		return;
	}
	column->min = column->count == 0 ? number : Min(column->min, number);
	column->max = column->count == 0 ? number : Max(column->max, number);
	column->sum += number;
	column->count++;
}

/* One pass over the numbers of known items. */
static void
SumNumbers(Numbers *numbers, int64 known, bool squares)
{
	MfRows		rows;

	RewindCells(&numbers->cells);
	while (NextCells(&numbers->cells, &rows))
		for (int64 r = 0; r < rows.nrows && rows.first + r < known; r++)
		{
			CHECK_FOR_INTERRUPTS();
			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
				AddNumber(&numbers->column[rows.column[c]], ReadNumber(rows.rating[c], rows.weight[c]), squares);
		}
}

/* Mean and deviation of each column. */
static void
Summarize(Numbers *numbers, int64 known, int ncolumns)
{
	SumNumbers(numbers, known, false);
	for (int a = 0; a < ncolumns; a++)
		numbers->column[a].mean = numbers->column[a].count > 0 ? numbers->column[a].sum / numbers->column[a].count : 0;
	SumNumbers(numbers, known, true);
	for (int a = 0; a < ncolumns; a++)
	{
		NumberColumn *column = &numbers->column[a];

		column->deviation = column->min < column->max ? sqrt(column->squares / column->count) : 0;
	}
}

/*
 * Sorts the numbers of attributes, which it frees, by item, and sums up those of known items.  rank: of items in the
 * order of ids, NULL: the same as their numbers. budget: bytes of memory.
 */
void
SortNumbers(Numbers *numbers, Attributes *attributes, const int32 *rank, int64 budget, const MfParallel *parallel)
{
	int			ncolumns = attributes->source->nattributes;
	Ratings    *sorted = palloc0(sizeof(Ratings));
	Sorting		sorting = {.ratings = sorted,.triplets = &attributes->numbers,.numbered = true,
		.nusers = attributes->items->count,.nitems = ncolumns,.user_rank = rank,.duplicates = MF_DUPLICATES_MEAN,
	.has_weight = true,.budget = budget,.parallel = parallel};

	memset(numbers, 0, sizeof(Numbers));
	numbers->column = palloc0(sizeof(NumberColumn) * ncolumns);
	if (attributes->numbers.count == 0)
		return;
	SortRatings(&sorting);
	numbers->cells = sorted->by_user;
	Summarize(numbers, attributes->known, ncolumns);
}
