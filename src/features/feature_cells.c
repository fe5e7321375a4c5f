/*
 * feature_cells.c - the matrix of items x features and its transpose, from what was read of items.
 *
 * A column has as much say as any other, however many features an item has of it: the cells of one item and column
 * have length 1.  A number is standardized and cut off, and 0 stands for a missing one, which is so taken for an
 * ordinary one; a number that is there and 0 is something else.
 *
 * With N known items, of which n have the word or category, and which occurs t times in the text at hand, a cell is
 *
 *     word                     (1 + log t) * log(N / n)      divided by the length of the item's cells of the column
 *     category of a list       log(N / n)                    likewise
 *     category                 1                             alone in its column
 *     element of an embedding  x                             divided by the embedding's length
 *     number                   (x - mean) / deviation        at most 3 from 0
 *
 * The rarer a word, the more it says; a second occurrence says less than the first.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "compat.h"
#include "features/feature_cells.h"
#include "source/ratings_sort.h"

/* Standard deviations at which numbers are cut off: an outlier must not outweigh all else. */
#define MOST_DEVIATIONS 3.0

/* A cell of an item. */
typedef struct RunCell
{
	int32		feature;
	double		weight;
} RunCell;

/* The cells of one item and field, while its tokens are read. */
typedef struct Run
{
	int32		item;			/* -1: none */
	int32		field;
	int32		count;
	int32		capacity;
	RunCell    *cell;
} Run;

/* A number's cell, given what is typical of its column. */
double
NumberCell(double number, double mean, double deviation)
{
	double		z = (number - mean) / deviation;

	return Min(Max(z, -MOST_DEVIATIONS), MOST_DEVIATIONS);
}

/* How much more a word says that occurs so often in a text. */
double
TimesWeight(double times)
{
	return 1 + log(times);
}

/* The cells of all numbers; those that are 0 need none. */
static void
AddNumbers(Triplets *cells, Numbers *numbers, const Choices *choices)
{
	MfRows		rows;

	RewindCells(&numbers->cells);
	while (NextCells(&numbers->cells, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			CHECK_FOR_INTERRUPTS();
			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
			{
				const NumberColumn *column = &numbers->column[rows.column[c]];
				const Choice *choice = &choices->column[rows.column[c]];
				double		z;

				if (choice->count == 0)
					continue;
				z = NumberCell(ReadNumber(rows.rating[c], rows.weight[c]), column->mean, column->deviation);
				if ((float) z != 0)
					AddTriplet(cells, (int32) (rows.first + r), choice->first, (float) z, 1);
			}
		}
}

/*
 * What a token's cell weighs before its block has length 1: see Weighting. known: items with ratings; times: how often
 * the word occurs in the text, or an element's value.
 */
static double
TokenWeight(Weighting weighting, const Token *token, int64 known, float times)
{
	if (weighting == WEIGH_ONE)
		return 1;
	if (weighting == WEIGH_VALUE)
		return times;
	return (weighting == WEIGH_WORDS ? TimesWeight(times) : 1) * RareTokenWeight(token, known);
}

static int
CompareRunCells(const void *a, const void *b)
{
	int32		x = ((const RunCell *) a)->feature;
	int32		y = ((const RunCell *) b)->feature;

	return (x > y) - (x < y);
}

/*
 * Gives the run's cells length 1, adds them, and empties the run.  They are summed in the order of features, which is
 * the same however tokens were numbered while rows were read.
 */
static void
FlushRun(Run *run, Triplets *cells, const int32 *rank)
{
	double		squares = 0;

	CHECK_FOR_INTERRUPTS();
	qsort(run->cell, run->count, sizeof(RunCell), CompareRunCells);
	for (int32 i = 0; i < run->count; i++)
		squares += run->cell[i].weight * run->cell[i].weight;
	for (int32 i = 0; i < run->count; i++)
	{
		float		value = (float) (run->cell[i].weight / sqrt(squares));

		if (value != 0)
			AddTriplet(cells, rank ? rank[run->item] : run->item, run->cell[i].feature, value, 1);
	}
	run->count = 0;
}

/* Adds a cell to the run. */
static void
AddToRun(Run *run, int32 feature, double weight)
{
	if (run->count == run->capacity)
	{
		run->capacity *= 2;
		run->cell = repalloc_huge(run->cell, sizeof(RunCell) * run->capacity);
	}
	run->cell[run->count++] = (RunCell) {feature, weight};
}

/* The cells of all tokens, which come item by item and field by field. */
static void
AddTokens(Triplets *cells, Attributes *attributes, const Choices *choices, const int32 *rank)
{
	const Vocabulary *v = attributes->vocabulary;
	Triplets   *tokens = &attributes->tokens;
	Run			run = {.item = -1,.capacity = 1024};

	run.cell = palloc(sizeof(RunCell) * run.capacity);
	while (ReadTriplets(tokens))
		for (int64 i = 0; i < tokens->held; i++)
		{
			const Token *token = &v->token[tokens->item[i]];
			int32		feature = choices->feature[tokens->item[i]];

			if (feature < 0)
				continue;
			if (run.item != tokens->user[i] || run.field != token->field)
				FlushRun(&run, cells, rank);
			run.item = tokens->user[i];
			run.field = token->field;
			AddToRun(&run, feature, TokenWeight(choices->column[token->field / 2].weighting, token, attributes->known,
												tokens->value[i]));
		}
	FlushRun(&run, cells, rank);
	pfree(run.cell);
}

/*
 * Makes both orientations of the matrix, in the current memory context, within about `budget` bytes and temporary files
 * beyond. attributes, numbers: read once more, not freed; rank: of items by their ids, NULL: the same as their numbers.
 */
void
MakeFeatureCells(Features *features, Attributes *attributes, Numbers *numbers, const Choices *choices,
				 const int32 *rank, int64 budget, const MfParallel *parallel)
{
	Ratings		sorted;
	Triplets	cells;
	Sorting		sorting = {.ratings = &sorted,.triplets = &cells,.numbered = true,.nusers = features->nitems,
		.nitems = features->nfeatures,.duplicates = MF_DUPLICATES_MEAN,.by_item = true,.budget = budget,
	.parallel = parallel};

	memset(&sorted, 0, sizeof(Ratings));
	InitTriplets(&cells, true, false, 0, BLOCK_TRIPLETS);
	cells.limit = Max(BLOCK_TRIPLETS, budget / BytesPerRating(&cells, false));
	AddNumbers(&cells, numbers, choices);
	AddTokens(&cells, attributes, choices, rank);
	EndTriplets(&cells);
	SortRatings(&sorting);
	features->by_item = sorted.by_user;
	features->by_feature = sorted.by_item;
}
