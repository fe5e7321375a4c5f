/*
 * ratings_sort.c - from triplets to rows by user and by item.
 *
 * In memory that is two counting sorts (core/base/csr.c).  Triplets that were spilled are cut into ranges of
 * users that fit in memory, each range is sorted and written out, and so is then each range of items: an
 * external distribution sort with one pass, however large the source is.  Either way a cell's place depends on
 * its ids alone, so results are the same.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/base/rng.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "source/ratings_sort.h"

/* Triplets in a block of a partition's file: smaller blocks than others, as there are many partitions. */
#define PARTITION_BLOCK (INT64CONST(1) << 12)

/* What becomes of a row. */
typedef enum RowUse
{
	ROW_TRAINS,
	ROW_HELD_OUT,
	ROW_PASSED_OVER				/* newer than what is held out */
} RowUse;

/*
 * How duplicates merge, and what of rows that fade: of explicit ratings the newer ones count more, values of implicit
 * feedback add up as ever, and what has faded of them is averaged by value.
 */
MfDuplicates
MergingRule(bool explicit, bool fades)
{
	if (fades)
		return explicit ? MF_DUPLICATES_WEIGHTED_MEAN : MF_DUPLICATES_WEIGHTED_SUM;
	return explicit ? MF_DUPLICATES_MEAN : MF_DUPLICATES_SUM;
}

/*
 * Whether a row is held out: by a hash of its ids or their ranks, so that duplicates stay together, and so that it is
 * the same whatever the order of rows and in memory or spilled; or by its time, and by that hash where times are the
 * same.
 */
static inline RowUse
UseOfRow(const Sorting *s, int64 i)
{
	const Triplets *t = s->triplets;
	int64		user = s->user_place ? s->user_place[t->user[i]] : t->user[i];
	uint64		pair = s->holdout.by_id ? mf_mix64(s->user_bits[t->user[i]]) + s->item_bits[t->item[i]] :
		((uint64) user << 32) | (uint32) t->item[i];
	double		place = mf_random_uniform(s->holdout.seed, pair);

	if (s->holdout.by_time)
	{
		if (IsNewer(s->range.newest, t->time[i], place))
			return ROW_PASSED_OVER;
		return IsNewer(s->range.held_out, t->time[i], place) ? ROW_HELD_OUT : ROW_TRAINS;
	}
	place -= s->holdout.from;
	return place >= 0 && place < s->holdout.fraction ? ROW_HELD_OUT : ROW_TRAINS;
}

/* What ids are, by rank, for a holdout by them. */
static uint64 *
RankedBits(const IdMap *ids)
{
	uint64	   *bits = HugeArray(ids->count, sizeof(uint64));

	for (int32 rank = 0; rank < ids->count; rank++)
		bits[rank] = IdBits(ids->type, IdAt(ids, rank));
	return bits;
}

/* For a holdout by time: finds out where it begins and ends.  Rows fade from there on that are trained on. */
static void
CutByTime(Sorting *s)
{
	s->range = s->all_range ? *s->all_range :
		FindTimeRange(CountTimeDigits, s->triplets, s->triplets->count, s->holdout.from, s->holdout.fraction);
	s->ratings->fading.newest = Min(s->ratings->fading.newest, s->range.held_out.time);
	s->ratings->newest_held_out = true;
}

/* Replaces n numbers by their ranks, where these differ. */
static void
ReplaceByRank(int32 *numbers, int64 n, const int32 *rank)
{
	for (int64 from = 0; rank && from < n; from += BLOCK_TRIPLETS)
	{
		int64		end = Min(from + BLOCK_TRIPLETS, n);

		CHECK_FOR_INTERRUPTS();
		for (int64 i = from; i < end; i++)
			numbers[i] = rank[numbers[i]];
	}
}

/* Whether values of implicit feedback fade: until duplicates are merged what is left of each is where ratings are. */
static bool
ValuesFade(const Sorting *s)
{
	return RowsFade(s->ratings->fading) && !s->ratings->is_explicit;
}

/* Whether triplets of rows that train have values: marks are of no more use. */
static bool
ValuesTrain(const Sorting *s)
{
	return s->marks ? ValuesFade(s) : s->triplets->has_value;
}

/* Whether cells have ratings at last. */
static bool
CellsHaveRatings(const Sorting *s)
{
	return ValuesTrain(s) && !ValuesFade(s);
}

/* NOLINTBEGIN(clang-analyzer-core.NullDereference): there are times, values and weights where rows fade */

/* Has the first n triplets in memory fade: weights of ratings; of values it is noted what is left. */
static void
FadeBlock(const Sorting *s, int64 n)
{
	Triplets   *t = s->triplets;
	Fading		fading = s->ratings->fading;

	if (!RowsFade(fading))
		return;
	for (int64 i = 0; i < n; i++)
	{
		float		fade = FadeOfTime(fading, t->time[i]);

		if (i % BLOCK_TRIPLETS == 0)
			CHECK_FOR_INTERRUPTS();
		AddFade(&s->ratings->left, fade);
		if (ValuesFade(s))
			t->value[i] = fade;
		else
			t->weight[i] = FadeWeight(t->weight[i], fade);
	}
	s->ratings->faded += n;
}

/* Adds what is left of the first n triplets in memory to the trends of their items, where these are wanted. */
static void
AddTrends(const Sorting *s, int64 n)
{
	const Triplets *t = s->triplets;
	double		newest = s->ratings->fading.newest;
	Trending	trending = {s->ratings->trend_half_life, newest, newest};
	FadeSum    *trends = s->ratings->trends;

	for (int64 i = 0; trends && i < n; i++)
	{
		if (i % BLOCK_TRIPLETS == 0)
			CHECK_FOR_INTERRUPTS();
		if (IsLike(t, i))		/* who dislikes an item is not why others want it */
			AddFade(&trends[t->item[i]], TrendOfTime(trending, t->time[i]));
	}
}

/* The numbers of values that have faded, of merged cells, in the stead of values and of what is left of them. */
static void
FadeValues(MfMatrix *matrix)
{
	int64		n = matrix->start[matrix->nrows];

	for (int64 from = 0; from < n; from += BLOCK_TRIPLETS)
	{
		int64		end = Min(from + BLOCK_TRIPLETS, n);

		CHECK_FOR_INTERRUPTS();
		for (int64 c = from; c < end; c++)
			matrix->weight[c] = FadedNumber(matrix->weight[c], matrix->rating[c]);
	}
	pfree(matrix->rating);
	matrix->rating = NULL;
}

/* NOLINTEND(clang-analyzer-core.NullDereference) */

/*
 * Takes cells of weight 0 out of a matrix of users, whose first row is user `first`: there dislikes have made up for
 * what the user liked.  That they have the item is kept apart.
 */
static void
DropCancelled(const Sorting *s, MfMatrix *matrix, int64 first)
{
	int64		to = 0;
	int64		c = 0;

	for (int64 r = 0; s->cancels && r < matrix->nrows; r++)
	{
		int64		end = matrix->start[r + 1];

		if (r % BLOCK_TRIPLETS == 0)
			CHECK_FOR_INTERRUPTS();
		for (; c < end; c++)
		{
			if (matrix->weight[c] == 0)
			{
				AddTriplet(&s->ratings->cancelled, (int32) (first + r), matrix->column[c], 1, 1);
				continue;
			}
			matrix->column[to] = matrix->column[c];
			matrix->weight[to++] = matrix->weight[c];
		}
		matrix->start[r + 1] = to;
	}
}

/*
 * Replaces numbers in the order of reading by ranks in the block of triplets that is in memory, and moves
 * held-out pairs out of it, with their numbers as given; the others fade, and count for trends.  Returns how many are
 * left, at the start of the arrays.
 */
static int64
RankBlock(Sorting *s)
{
	Triplets   *t = s->triplets;
	Triplets   *held = &s->ratings->held_out;
	int64		kept = 0;

	ReplaceByRank(t->user, t->held, s->user_rank);
	ReplaceByRank(t->item, t->held, s->item_rank);
	if (s->holdout.fraction <= 0)
	{
		AddTrends(s, t->held);
		FadeBlock(s, t->held);
		return t->held;
	}
	for (int64 i = 0; i < t->held; i++)
	{
		float		value = t->value ? t->value[i] : 1;
		float		weight = t->weight ? t->weight[i] : 1;
		RowUse		use;

		if (i % BLOCK_TRIPLETS == 0)
			CHECK_FOR_INTERRUPTS();
		use = UseOfRow(s, i);
		if (use == ROW_HELD_OUT)
			AddTriplet(held, t->user[i], t->item[i], value, s->marks ? value > 0 && weight > 0 : weight);
		if (use != ROW_TRAINS)
			continue;
		t->user[kept] = t->user[i];
		t->item[kept] = t->item[i];
		if (t->value)
			t->value[kept] = value;
		if (t->weight)
			t->weight[kept] = weight;
		if (t->time)
			t->time[kept] = t->time[i];
		kept++;
	}
	AddTrends(s, kept);
	FadeBlock(s, kept);
	return kept;
}

/* Room for a matrix of nrows rows and so many cells, with weights where the cells have them. */
static void
AllocateMatrix(const Sorting *s, MfMatrix *matrix, int64 nrows, int64 cells, bool with_ratings)
{
	matrix->nrows = nrows;
	matrix->start = HugeArray(nrows + 1, sizeof(int64));
	matrix->column = HugeArray(cells, sizeof(int32));
	matrix->rating = with_ratings ? HugeArray(cells, sizeof(float)) : NULL;
	matrix->weight = s->has_weight ? HugeArray(cells, sizeof(float)) : NULL;
}

/* Frees what AllocateMatrix() has given. */
static void
FreeMatrix(MfMatrix *matrix)
{
	pfree(matrix->start);
	pfree(matrix->column);
	if (matrix->rating)
		pfree(matrix->rating);
	if (matrix->weight)
		pfree(matrix->weight);
}

/* Bytes that one rating takes while everything is in memory: its triplet, and its cell in both orientations. */
int64
BytesPerRating(const Triplets *triplets, bool has_weight)
{
	return TripletBytes(triplets) + 2 * (sizeof(int32) + (triplets->has_value + has_weight) * sizeof(float));
}

/* Sorts triplets that are all in memory into both orientations, or by user alone. */
static void
SortInMemory(Sorting *s)
{
	Ratings    *ratings = s->ratings;
	Triplets   *t = s->triplets;
	int64		n = RankBlock(s);
	bool		has_value = ValuesTrain(s);
	MfTriplets	triplets = {n, t->user, t->item, has_value ? t->value : NULL, t->weight};
	Cells	   *by_user = &ratings->by_user;
	Cells	   *by_item = &ratings->by_item;
	MfRows		rows;
	void	   *workspace = HugeArray(mf_csr_workspace(s->parallel, n, Max(s->nusers, s->nitems)), 1);

	AllocateMatrix(s, &by_user->matrix, s->nusers, n, has_value);
	AllocateMatrix(s, &by_item->matrix, s->nitems, n, has_value);
	CheckCore(mf_csr_build(s->parallel, &triplets, s->duplicates, &by_user->matrix, &by_item->matrix, workspace,
						   &ratings->merged));
	if (ValuesFade(s))
	{
		FadeValues(&by_user->matrix);
		pfree(by_item->matrix.rating);
		by_item->matrix.rating = NULL;
	}
	DropCancelled(s, &by_user->matrix, 0);
	rows = mf_matrix_rows(&by_user->matrix);
	by_user->nrows = s->nusers;
	by_user->start = by_user->matrix.start;
	if (s->by_item)
	{
		CheckCore(mf_csr_transpose(s->parallel, &rows, &by_item->matrix, t->user, workspace));
		by_item->nrows = s->nitems;
		by_item->start = by_item->matrix.start;
	}
	else
		FreeCells(by_item);
	pfree(workspace);
}

/* Triplets on disk, cut into ranges of one side's numbers that fit in memory one at a time. */
typedef struct Partitions
{
	int			count;
	int64	   *end;			/* count: number behind each range's last */
	uint16	   *of;				/* each number's range */
	Triplets   *triplets;		/* count: each range's */
} Partitions;

/*
 * Cuts numbers 0 .. n - 1 into ranges of at most `limit` triplets, if single ones have not more; counts[i] is
 * how many number i has.  A limit that would make more than about 1000 ranges is raised, as each costs a file
 * and a buffer.
 */
static void
InitPartitions(Partitions *partitions, const int64 *counts, int64 n, int64 limit, bool has_value, bool has_weight)
{
	int64		filled = 0;
	int64		total = 0;

	for (int64 i = 0; i < n; i++)
		total += counts[i];
	limit = Max(limit, total / 1000);	/* each partition costs a file and a buffer */
	partitions->end = HugeArray(total / Max(limit / 2, 1) + 3, sizeof(int64));
	partitions->of = HugeArray(n, sizeof(uint16));
	partitions->count = 0;
	for (int64 i = 0; i < n; i++)
	{
		if (filled > 0 && filled + counts[i] > limit)
		{
			partitions->end[partitions->count++] = i;
			filled = 0;
		}
		filled += counts[i];
		partitions->of[i] = partitions->count;
	}
	partitions->end[partitions->count++] = n;
	partitions->triplets = palloc(sizeof(Triplets) * partitions->count);
	for (int p = 0; p < partitions->count; p++)
		InitTriplets(&partitions->triplets[p], has_value, has_weight, 0, PARTITION_BLOCK);
}

/* Reads all triplets once to count those of each user and each item by rank. */
static void
CountTriplets(Sorting *s, int64 *users, int64 *items)
{
	Triplets   *t = s->triplets;

	while (ReadTriplets(t))
		for (int64 i = 0; i < t->held; i++)
		{
			users[s->user_rank ? s->user_rank[t->user[i]] : t->user[i]]++;
			items[s->item_rank ? s->item_rank[t->item[i]] : t->item[i]]++;
		}
	EndTriplets(t);
}

/* Distributes the triplets over ranges of users, but for those held out. */
static void
PartitionByUser(Sorting *s, Partitions *users)
{
	Triplets   *t = s->triplets;

	while (ReadTriplets(t))
	{
		int64		n = RankBlock(s);

		for (int64 i = 0; i < n; i++)
			AddTriplet(&users->triplets[users->of[t->user[i]]], t->user[i], t->item[i],
					   t->value ? t->value[i] : 1, t->weight ? t->weight[i] : 1);
	}
}

/*
 * Sorts one partition of triplets, of rows first .. end - 1, into a matrix, which the caller frees; duplicates
 * are merged, and the triplets freed. items: rows are items and columns users.
 */
static void
SortPartition(Sorting *s, Triplets *t, bool items, int64 first, int64 end, MfMatrix *out)
{
	int64		ncolumns = items ? s->nusers : s->nitems;
	int32	   *row;
	MfTriplets	triplets;
	MfMatrix	work;
	void	   *workspace;
	int64		merged;

	AllocateMatrix(s, out, end - first, t->count, t->has_value);
	memset(out->start, 0, sizeof(int64) * (end - first + 1));
	if (t->count == 0)			/* all were held out */
		return;
	workspace = HugeArray(mf_csr_workspace(s->parallel, t->count, Max(ncolumns, end - first)), 1);
	EndTriplets(t);
	LoadTriplets(t);
	row = items ? t->item : t->user;
	for (int64 i = 0; i < t->held; i++)
		row[i] -= first;
	triplets = (MfTriplets) {t->held, row, items ? t->user : t->item, t->value, t->weight};
	AllocateMatrix(s, &work, ncolumns, t->held, t->has_value);
	CheckCore(mf_csr_build(s->parallel, &triplets, s->duplicates, out, &work, workspace, &merged));
	s->ratings->merged += merged;
	FreeMatrix(&work);
	pfree(workspace);
	FreeTriplets(t);
}

/* Adds the cells of a matrix of users, whose first row is user `first`, to the items' partitions. */
static void
ScatterToItems(const MfMatrix *rows, int64 first, Partitions *items)
{
	for (int64 r = 0; r < rows->nrows; r++)
		for (int64 c = rows->start[r]; c < rows->start[r + 1]; c++)
			AddTriplet(&items->triplets[items->of[rows->column[c]]], first + r, rows->column[c],
					   rows->rating ? rows->rating[c] : 1, rows->weight ? rows->weight[c] : 1);
}

/* Sorts triplets that were spilled: range by range of users, then range by range of items. */
static void
SortOnDisk(Sorting *s)
{
	Ratings    *ratings = s->ratings;
	int64		nusers = s->nusers;
	int64		nitems = s->nitems;
	int64	   *user_counts = HugeZeroArray(nusers, sizeof(int64));
	int64	   *item_counts = HugeZeroArray(nitems, sizeof(int64));
	bool		has_value = ValuesTrain(s);
	bool		has_weight = s->triplets->has_weight;
	bool		has_rating = CellsHaveRatings(s);
	int64		limit = s->budget / BytesPerRating(s->triplets, s->has_weight);
	int64		cell_bytes = sizeof(int32) + (has_rating + s->has_weight) * sizeof(float);
	Partitions	users;
	Partitions	items;
	MfMatrix	rows;

	CountTriplets(s, user_counts, item_counts);
	InitPartitions(&users, user_counts, nusers, limit, has_value, has_weight);
	InitPartitions(&items, item_counts, nitems, limit, has_rating, s->has_weight);
	PartitionByUser(s, &users);
	FreeTriplets(s->triplets);
	s->triplets->has_value = has_value;
	s->triplets->has_weight = has_weight;
	InitSpilledCells(&ratings->by_user, nusers, has_rating, s->has_weight, s->budget / cell_bytes / 2);
	for (int p = 0; p < users.count; p++)
	{
		int64		first = p > 0 ? users.end[p - 1] : 0;

		SortPartition(s, &users.triplets[p], false, first, users.end[p], &rows);
		if (ValuesFade(s))
			FadeValues(&rows);
		DropCancelled(s, &rows, first);
		AppendCells(&ratings->by_user, &rows);
		if (s->by_item)
			ScatterToItems(&rows, first, &items);
		FreeMatrix(&rows);
	}
	pfree(user_counts);
	pfree(item_counts);
	if (!s->by_item)
		return;
	InitSpilledCells(&ratings->by_item, nitems, has_rating, s->has_weight, s->budget / cell_bytes / 2);
	for (int p = 0; p < items.count; p++)
	{
		SortPartition(s, &items.triplets[p], true, p > 0 ? items.end[p - 1] : 0, items.end[p], &rows);
		AppendCells(&ratings->by_item, &rows);
		FreeMatrix(&rows);
	}
}

/* Weights that are all 1 because there was no column of them are no weights. */
static void
DropUnitWeights(Sorting *s)
{
	if (!s->has_weight || s->triplets->has_weight || s->ratings->merged > 0 || s->keeps_weights)
		return;
	DropWeights(&s->ratings->by_user);
	if (s->by_item)
		DropWeights(&s->ratings->by_item);
}

/* Brings the sums of users' and items' rows into the order of their ranks. */
static void
RankFingerprints(const Sorting *s)
{
	Fingerprints *prints = s->ratings->fingerprints;

	if (prints == NULL)
		return;
	prints->user = ReorderRows(prints->user, s->user_rank, s->nusers, sizeof(int64) / 4);
	prints->nusers = s->nusers;
	if (s->all_items)
		return;					/* items' are added up by who has all of them */
	prints->item = ReorderRows(prints->item, s->item_rank, s->nitems, sizeof(int64) / 4);
	prints->nitems = s->nitems;
}

/* Ranks ids, or finds the numbers that all items have. */
static void
NumberIds(Sorting *s)
{
	Ratings    *ratings = s->ratings;
	int32	   *number;

	s->user_rank = SortIdMap(ratings->users);
	s->nusers = ratings->users->count;
	if (s->all_items)
	{
		number = HugeArray(ratings->items->count, sizeof(int32));
		FindHashedIds(s->all_items, ratings->items->ids, ratings->items->count, number);
		for (int32 i = 0; i < ratings->items->count; i++)
			if (number[i] < 0)
				ereport(ERROR,
						(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
						 errmsg("an item of the rows that were read is not among all items"),
						 errhint("Train with mf_train(), which knows all of them.")));
		s->item_rank = number;
		ratings->items = s->all_items;
	}
	else
		s->item_rank = SortIdMap(ratings->items);
	s->nitems = ratings->items->count;
	RankFingerprints(s);
}

/*
 * Sorts what was read into both orientations of s->ratings, or by user alone, merges duplicates and takes the
 * rows to hold out apart.  Numbers become the ranks of ids, unless they are final.  Frees s->triplets.
 */
void
SortRatings(Sorting *s)
{
	Ratings    *ratings = s->ratings;

	InitTriplets(&ratings->held_out, CellsHaveRatings(s), s->triplets->has_weight, s->budget / 8 / 16,
				 BLOCK_TRIPLETS);
	if (s->cancels)
		InitTriplets(&ratings->cancelled, false, false, s->budget / 8 / 16, BLOCK_TRIPLETS);
	if (!s->numbered)
		NumberIds(s);
	if (ratings->trend_half_life > 0)
		ratings->trends = HugeZeroArray(s->nitems, sizeof(FadeSum));
	ratings->memory = Min(s->triplets->count * BytesPerRating(s->triplets, s->has_weight), s->budget);
	if (s->triplets->file)
		ratings->temporary = s->triplets->count * (TripletBytes(s->triplets) + BytesPerRating(s->triplets, s->has_weight));
	if (s->holdout.by_time && s->holdout.fraction > 0)
		CutByTime(s);
	if (s->holdout.by_id)
	{
		s->user_bits = RankedBits(ratings->users);
		s->item_bits = RankedBits(ratings->items);
	}
	if (s->triplets->file)
		SortOnDisk(s);
	else
		SortInMemory(s);
	ratings->rows = ratings->by_user.start[ratings->by_user.nrows];
	EndTriplets(&ratings->held_out);
	if (s->holdout.by_id)
	{
		pfree(s->user_bits);
		pfree(s->item_bits);
	}
	if (s->cancels)
		EndTriplets(&ratings->cancelled);
	DropUnitWeights(s);
	FreeTriplets(s->triplets);
}
