/*
 * matrix_sample.c - the features of some items, few enough to be gone over again and again.
 *
 * A search fits a dozen maps of ten steps each, two products a step: over all of a large catalogue that is longer than
 * the training that it is for.  How strongly a block is held does not depend on how many items there are: lambda is
 * the ratio of two variances, that of what features do not explain and that of what they do.  So some ten thousand
 * items that are drawn at random tell it as well.  Small catalogues are taken as they are.
 *
 * The copy is in memory in one part, whatever the matrix is, and has neither items that do not count nor features that
 * no item of it has: their part of the map is 0.
 */
#include "core/features/matrix_sample.h"

#include <string.h>

#include "core/base/csr.h"
#include "core/base/rng.h"
#include "core/features/thirds.h"

#define MOST_ITEMS 20000		/* that maps are fitted to; more are sampled */
#define MOST_CELLS (1 << 20)	/* of all of them, those held out included */
#define SEED 0x6d617073

/* What a first pass counts. */
typedef struct Counts
{
	int64_t		items;			/* that maps can be fitted to */
	int64_t		cells;			/* theirs */
	int64_t		held;			/* cells of those held out */
} Counts;

static int64_t
smaller(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* Takes arrays for nrows rows of so many cells. */
static void
take_matrix(MfMatrix *matrix, MfArena *arena, int64_t nrows, int64_t ncells)
{
	matrix->nrows = nrows;
	matrix->start = mf_arena_take(arena, ((size_t) nrows + 1) * sizeof(int64_t));
	matrix->column = mf_arena_take(arena, (size_t) ncells * sizeof(int32_t));
	matrix->rating = mf_arena_floats(arena, (size_t) ncells);
	matrix->weight = NULL;
}

/* Takes the arrays for a sample of a matrix.  An arena that starts at NULL only measures. */
void
mf_matrix_sample_lay_out(MfMatrixSample *sample, MfArena *arena, const MfFeatureMatrix *from,
						 const MfParallel *parallel)
{
	int64_t		items = smaller(from->nitems, MOST_ITEMS);
	int64_t		cells = smaller(from->ncells, MOST_CELLS);

	*sample = (MfMatrixSample) {.from = from,.parallel = parallel};
	sample->item = mf_arena_take(arena, (size_t) items * sizeof(int32_t));
	sample->block_start = mf_arena_take(arena, ((size_t) from->nblocks + 1) * sizeof(int32_t));
	sample->feature = mf_arena_take(arena, (size_t) from->nfeatures * sizeof(int32_t));
	take_matrix(&sample->by_item, arena, items, cells);
	take_matrix(&sample->by_feature, arena, from->nfeatures, cells);
	take_matrix(&sample->held_rows, arena, smaller(from->nitems, MF_MOST_HELD_OUT), cells);
	sample->keys = mf_arena_take(arena, (size_t) cells * sizeof(int32_t));
	sample->space = mf_arena_take(arena, mf_csr_workspace(parallel, cells, items > from->nfeatures ? items : from->nfeatures));
}

/* MfPasses of MfWholePass. */
static MfError
rewind_whole(void *state)
{
	((MfWholePass *) state)->done = false;
	return MF_OK;
}

static bool
next_whole(void *state, MfRows *rows)
{
	MfWholePass *pass = state;

	if (pass->done)
		return false;
	*rows = pass->rows;
	return pass->done = true;
}

static MfPasses
whole_passes(MfWholePass *pass, const MfMatrix *matrix)
{
	*pass = (MfWholePass) {mf_matrix_rows(matrix), false};
	return (MfPasses) {pass, rewind_whole, next_whole};
}

/* Whether a map can be fitted to an item. */
static bool
can_fit(const float *weight, int third, int64_t item)
{
	return weight[item] > 0.0f && mf_item_third(item) != third;
}

/* Counts what there is; held_rows.start[p + 1] = the cells of the held-out item with place p. */
static MfError
count_cells(MfMatrixSample *sample, const MfHeldOut *held, const float *weight, int third, Counts *counts)
{
	const MfPasses *passes = &sample->from->by_item;
	MfRows		rows;
	MfError		error = passes->rewind(passes->state);

	*counts = (Counts) {0};
	while (error == MF_OK && passes->next(passes->state, &rows))
	{
		for (int64_t r = 0; r < rows.nrows; r++)
		{
			int64_t		n = rows.start[r + 1] - rows.start[r];
			int64_t		item = rows.first + r;

			if (held->place[item] >= 0)
			{
				sample->held_rows.start[held->place[item] + 1] = n;
				counts->held += n;
			}
			else if (can_fit(weight, third, item))
			{
				counts->items++;
				counts->cells += n;
			}
		}
		if (mf_cancelled(sample->parallel))
			error = MF_CANCELLED;
	}
	return error;
}

/*
 * held_rows.start: of as many held-out items as there is room for, where all cells are too many half of it; the others
 * are held out no more.  They are in a random order.
 */
static void
place_held(MfMatrixSample *sample, MfHeldOut *held, const Counts *counts)
{
	int64_t    *start = sample->held_rows.start;
	int64_t		room = counts->held + counts->cells > MOST_CELLS ? MOST_CELLS / 2 : counts->held;
	int64_t		count = 0;

	start[0] = 0;
	for (; count < held->count && start[count] + start[count + 1] <= room; count++)
		start[count + 1] += start[count];
	mf_held_out_limit(held, count);
	sample->held_rows.nrows = count;
}

/* Copies a row to position `to` of a matrix. */
static void
copy_row(MfMatrix *matrix, int64_t to, const MfRows *rows, int64_t r)
{
	int64_t		from = rows->start[r];
	size_t		n = (size_t) (rows->start[r + 1] - from);

	memcpy(matrix->column + to, rows->column + from, n * sizeof(int32_t));
	if (rows->rating != NULL)
		memcpy(matrix->rating + to, rows->rating + from, n * sizeof(float));
	for (size_t k = 0; k < n && rows->rating == NULL; k++)
		matrix->rating[to + (int64_t) k] = 1.0f;
}

/*
 * Takes a row where it belongs.  An item that maps can be fitted to is drawn with a probability of `share`, and left
 * out where it does not fit in.
 */
static void
take_row(MfMatrixSample *sample, const MfHeldOut *held, const MfRows *rows, int64_t r, double share)
{
	MfMatrix   *by_item = &sample->by_item;
	int64_t		item = rows->first + r;
	int64_t		room = smaller(sample->from->ncells, MOST_CELLS) - sample->held_rows.start[held->count];
	int64_t		end = by_item->start[sample->count] + rows->start[r + 1] - rows->start[r];

	if (held->place[item] >= 0)
		copy_row(&sample->held_rows, sample->held_rows.start[held->place[item]], rows, r);
	else if (sample->count < MOST_ITEMS && end <= room && mf_random_uniform(SEED, (uint64_t) item) < share)
	{
		copy_row(by_item, by_item->start[sample->count], rows, r);
		sample->item[sample->count++] = (int32_t) item;
		by_item->start[sample->count] = end;
	}
}

/* Takes all rows of the sample. */
static MfError
take_rows(MfMatrixSample *sample, const MfHeldOut *held, const float *weight, int third, const Counts *counts)
{
	const MfPasses *passes = &sample->from->by_item;
	int64_t		room = MOST_CELLS - sample->held_rows.start[held->count];
	double		share = 1.0;
	MfRows		rows;
	MfError		error = passes->rewind(passes->state);

	if (counts->items > MOST_ITEMS)
		share = (double) MOST_ITEMS / (double) counts->items;
	if (share * (double) counts->cells > (double) room)
		share = (double) room / (double) counts->cells;
	sample->by_item.start[0] = 0;
	while (error == MF_OK && passes->next(passes->state, &rows))
	{
		for (int64_t r = 0; r < rows.nrows; r++)
			if (held->place[rows.first + r] >= 0 || can_fit(weight, third, rows.first + r))
				take_row(sample, held, &rows, r, share);
		if (mf_cancelled(sample->parallel))
			error = MF_CANCELLED;
	}
	sample->by_item.nrows = sample->count;
	return error;
}

/* feature and block_start: numbers of the features that a map can be fitted to, in their order; returns how many. */
static int32_t
number_features(MfMatrixSample *sample)
{
	const MfFeatureMatrix *from = sample->from;
	int32_t		n = 0;

	memset(sample->feature, 0, (size_t) from->nfeatures * sizeof(int32_t));
	for (int64_t c = 0; c < sample->by_item.start[sample->count]; c++)
		sample->feature[sample->by_item.column[c]] = 1;
	for (int block = 0; block < from->nblocks; block++)
	{
		sample->block_start[block] = n;
		for (int32_t f = from->block_start[block]; f < from->block_start[block + 1]; f++)
			sample->feature[f] = sample->feature[f] != 0 ? n++ : -1;
	}
	sample->block_start[from->nblocks] = n;
	return n;
}

/* Gives cells the new numbers of their features; those of features without go. */
static void
renumber_cells(const MfMatrixSample *sample, MfMatrix *matrix)
{
	int64_t		to = 0;
	int64_t		from = matrix->start[0];

	for (int64_t r = 0; r < matrix->nrows; r++)
	{
		for (; from < matrix->start[r + 1]; from++)
		{
			int32_t		f = sample->feature[matrix->column[from]];

			if (f < 0)
				continue;
			matrix->column[to] = f;
			matrix->rating[to++] = matrix->rating[from];
		}
		matrix->start[r + 1] = to;
	}
}

/*
 * Copies the features of `held`, whose items of a third have been chosen, and of the items of the other thirds that
 * have a weight (of all items of the matrix).  Where features are too many, some items are held out no more, and maps
 * are fitted to a sample.  Two passes by item.  Returns MF_OK, MF_CANCELLED, or why there is no pass.
 */
MfError
mf_matrix_sample_take(MfMatrixSample *sample, MfHeldOut *held, const float *weight, int third)
{
	const MfFeatureMatrix *from = sample->from;
	Counts		counts;
	MfRows		rows;
	int32_t		nfeatures;
	MfError		error = count_cells(sample, held, weight, third, &counts);

	if (error != MF_OK)
		return error;
	place_held(sample, held, &counts);
	error = take_rows(sample, held, weight, third, &counts);
	if (error != MF_OK)
		return error;
	nfeatures = number_features(sample);
	renumber_cells(sample, &sample->by_item);
	renumber_cells(sample, &sample->held_rows);
	sample->by_feature.nrows = nfeatures;
	rows = mf_matrix_rows(&sample->by_item);
	sample->fitted = (MfFeatureMatrix) {.nitems = sample->count,.nfeatures = nfeatures,.nblocks = from->nblocks,
	.block_start = sample->block_start,.ncells = rows.start[rows.nrows]};
	sample->held = sample->fitted;
	sample->held.nitems = sample->held_rows.nrows;
	error = mf_csr_transpose(sample->parallel, &rows, &sample->by_feature, sample->keys, sample->space);
	sample->fitted.by_item = whole_passes(&sample->item_pass, &sample->by_item);
	sample->fitted.by_feature = whole_passes(&sample->feature_pass, &sample->by_feature);
	sample->held.by_item = whole_passes(&sample->held_pass, &sample->held_rows);
	return error;
}
