/*
 * csr.c - from triplets to sorted rows and to the other orientation, by stable counting sorts.
 *
 * One primitive does it all: put n cells in order of a key (0 .. nkeys - 1), keeping the order of
 * equal keys.  It works in two levels that both stay in the cache: cells go to at most MAX_BUCKETS
 * buckets of neighbouring keys (every chunk of the input knows from counts where its cells go, so
 * chunks run in parallel), then every bucket is sorted in a worker's workspace.  A bucket is
 * either small or a single key, which needs no sorting.
 *
 * Triplets are sorted by column, then by row: so rows have ascending columns.  The memory of the
 * first result is the caller's other orientation, which a third sort fills at last.
 */
#include "core/base/csr.h"

#include <string.h>

#include "core/base/arena.h"
#include "core/base/csr_merge.h"

#define MAX_BUCKETS 1024		/* so many places are written to at once: their pages' addresses stay at hand */
#define MIN_BUCKET_CELLS 4096	/* smaller buckets would not pay */
#define MAX_CHUNKS 64
#define STEP_CELLS 65536		/* of a chunk, between two questions whether the sort is cancelled */

/* Where the n cells to be sorted come from: triplets (other set) or rows (start set).  Keys become rows. */
typedef struct Source
{
	int64_t		n;
	const int32_t *key;
	const int32_t *other;		/* what becomes the column; NULL: the number of the row */
	const int64_t *start;		/* nrows + 1, with other == NULL */
	int64_t		nrows;
	const float *rating;
	const float *weight;
} Source;

/* One sort at work. */
typedef struct Sort
{
	const MfParallel *parallel;
	Source		source;
	MfMatrix   *out;
	int32_t    *keys;			/* one per cell: the key of what a bucket holds */
	int			nchunks;
	int			nbuckets;
	int64_t		bucket_cells;	/* no bucket of several keys has more */
	int32_t    *count;			/* nchunks x nkeys; later row 0: the next free place in a bucket */
	uint16_t   *bucket_of;		/* nkeys */
	int64_t    *first_key;		/* nbuckets + 1 */
	int64_t    *position;		/* nchunks x MAX_BUCKETS: the next free place */
	int32_t    *bucket_key;		/* bucket_cells a worker: copies of a bucket's cells */
	int32_t    *bucket_column;
	float	   *bucket_rating;
	float	   *bucket_weight;
} Sort;

/*
 * Cells in the largest bucket of several keys: so many that there are at most MAX_BUCKETS buckets.
 */
static int64_t
bucket_cells(int64_t n)
{
	int64_t		cells = n / (MAX_BUCKETS / 2 - 2) + 1;

	return cells < MIN_BUCKET_CELLS ? MIN_BUCKET_CELLS : cells;
}

/* Chunks of the input: as many as workers, but counts must not outgrow the cells. */
static int
chunk_count(const MfParallel *parallel, int64_t n, int64_t nkeys)
{
	int64_t		chunks = mf_workers(parallel);

	if (chunks > MAX_CHUNKS)
		chunks = MAX_CHUNKS;
	if (chunks > n / (nkeys + 1))
		chunks = n / (nkeys + 1);
	return chunks < 1 ? 1 : (int) chunks;
}

/* Divides a sort's space: counts for all chunks together, keys, and cells of a bucket for each worker. */
static void
lay_out(Sort *sort, MfArena *arena, size_t counts, size_t nkeys, int workers)
{
	size_t		cells = (size_t) workers * (size_t) sort->bucket_cells;

	sort->count = mf_arena_take(arena, counts * sizeof(int32_t));
	sort->bucket_of = mf_arena_take(arena, nkeys * sizeof(uint16_t));
	sort->first_key = mf_arena_take(arena, (MAX_BUCKETS + 1) * sizeof(int64_t));
	sort->position = mf_arena_take(arena, (size_t) MAX_CHUNKS * MAX_BUCKETS * sizeof(int64_t));
	sort->bucket_key = mf_arena_take(arena, cells * sizeof(int32_t));
	sort->bucket_column = mf_arena_take(arena, cells * sizeof(int32_t));
	sort->bucket_rating = mf_arena_floats(arena, cells);
	sort->bucket_weight = mf_arena_floats(arena, cells);
}

/* See csr.h. */
size_t
mf_csr_workspace(const MfParallel *parallel, int64_t n, int64_t nkeys)
{
	int			workers = mf_workers(parallel);
	size_t		counts = (size_t) nkeys * (size_t) workers;
	size_t		most = (size_t) (n > nkeys ? n : nkeys);
	MfArena		arena = {NULL, 0};
	Sort		sort;

	/* fewer keys than nkeys may mean more chunks, but not more counts than cells */
	sort.bucket_cells = bucket_cells(n);
	lay_out(&sort, &arena, counts < most ? counts : most, (size_t) nkeys, workers);
	return 64 + arena.used;
}

/* Makes a sort of the source's cells into out; keys: one int32 per cell. */
static void
sort_init(Sort *sort, const MfParallel *parallel, const Source *source, MfMatrix *out, int32_t *keys, void *space)
{
	MfArena		arena = mf_arena_at(space);
	int64_t		nkeys = out->nrows;

	sort->parallel = parallel;
	sort->source = *source;
	sort->out = out;
	sort->keys = keys;
	sort->nchunks = chunk_count(parallel, source->n, nkeys);
	sort->bucket_cells = bucket_cells(source->n);
	lay_out(sort, &arena, (size_t) sort->nchunks * (size_t) nkeys, (size_t) nkeys, mf_workers(parallel));
}

/* The first cell of a chunk. */
static int64_t
chunk_start(const Sort *sort, int64_t chunk)
{
	return (int64_t) ((double) sort->source.n / sort->nchunks * (double) chunk);
}

/* The cell behind its last one. */
static int64_t
chunk_end(const Sort *sort, int64_t chunk)
{
	return chunk + 1 == sort->nchunks ? sort->source.n : chunk_start(sort, chunk + 1);
}

/* The end of the step that begins at cell c of a chunk that ends at `end`. */
static int64_t
step_end(int64_t c, int64_t end)
{
	return end - c > STEP_CELLS ? c + STEP_CELLS : end;
}

/* Task: counts the keys of a chunk. */
static void
count_chunk(void *state, int64_t chunk, int worker)
{
	Sort	   *sort = state;
	int32_t    *count = sort->count + chunk * sort->out->nrows;
	const int32_t *key = sort->source.key;
	int64_t		end = chunk_end(sort, chunk);

	(void) worker;
	memset(count, 0, (size_t) sort->out->nrows * sizeof(int32_t));
	for (int64_t c = chunk_start(sort, chunk); c < end && !mf_cancelled(sort->parallel);)
		for (int64_t next = step_end(c, end); c < next; c++)
			count[key[c]]++;
}

/* Cuts the keys into buckets, by their counts over all chunks, and fills in out->start. */
static void
cut_buckets(Sort *sort)
{
	int64_t		nkeys = sort->out->nrows;
	int64_t    *start = sort->out->start;
	int			bucket = -1;

	start[0] = 0;
	for (int64_t key = 0; key < nkeys; key++)
	{
		int64_t		cells = 0;

		for (int chunk = 0; chunk < sort->nchunks; chunk++)
			cells += sort->count[chunk * nkeys + key];
		start[key + 1] = start[key] + cells;
		if (bucket < 0 || start[key + 1] - start[sort->first_key[bucket]] > sort->bucket_cells)
		{
			sort->first_key[++bucket] = key;
			for (int chunk = 0; chunk < sort->nchunks; chunk++)
				sort->position[chunk * MAX_BUCKETS + bucket] = 0;
		}
		sort->bucket_of[key] = (uint16_t) bucket;
		for (int chunk = 0; chunk < sort->nchunks; chunk++)
			sort->position[chunk * MAX_BUCKETS + bucket] += sort->count[chunk * nkeys + key];
	}
	sort->nbuckets = bucket + 1;
	sort->first_key[sort->nbuckets] = nkeys;
}

/* From cells in each chunk's part of a bucket to where that part begins in the arrays. */
static void
place_parts(Sort *sort)
{
	for (int bucket = 0; bucket < sort->nbuckets; bucket++)
	{
		int64_t		place = sort->out->start[sort->first_key[bucket]];

		for (int chunk = 0; chunk < sort->nchunks; chunk++)
		{
			int64_t		cells = sort->position[chunk * MAX_BUCKETS + bucket];

			sort->position[chunk * MAX_BUCKETS + bucket] = place;
			place += cells;
		}
	}
}

/* The row that cell c belongs to: the last one that starts at or before c. */
static int64_t
row_of_cell(const Source *source, int64_t c)
{
	int64_t		low = 0;
	int64_t		high = source->nrows;
	int64_t		base = source->start[0];

	while (high - low > 1)
	{
		int64_t		middle = low + (high - low) / 2;

		if (source->start[middle] - base <= c)
			low = middle;
		else
			high = middle;
	}
	return low;
}

/*
 * Puts cells begin .. end - 1 of the source, which all become column `other`, into their buckets, at a chunk's
 * positions; other < 0: each cell has its own.
 */
static inline void
scatter_cells(Sort *sort, int64_t begin, int64_t end, int32_t other, int64_t *position)
{
	const Source *source = &sort->source;
	MfMatrix   *out = sort->out;

	for (int64_t c = begin; c < end; c++)
	{
		int32_t		key = source->key[c];
		int64_t		place = position[sort->bucket_of[key]]++;

		sort->keys[place] = key;
		/* NOLINTNEXTLINE(clang-analyzer-core.NullDereference): there are others where other < 0 */
		out->column[place] = other < 0 ? source->other[c] : other;
		if (out->rating != NULL)
			out->rating[place] = source->rating[c];
		if (out->weight != NULL)
			out->weight[place] = source->weight != NULL ? source->weight[c] : 1.0f;
	}
}

/* The same for cells of several rows from `row` on; returns the last of them. */
static int64_t
scatter_rows(Sort *sort, int64_t begin, int64_t end, int64_t row, int64_t *position)
{
	const int64_t *start = sort->source.start;

	for (;; row++)
	{
		int64_t		next = start[row + 1] - start[0];

		scatter_cells(sort, begin, next < end ? next : end, (int32_t) row, position);
		if (next >= end)
			return row;
		begin = next;
	}
}

/* Task: puts the cells of a chunk into buckets. */
static void
scatter_chunk(void *state, int64_t chunk, int worker)
{
	Sort	   *sort = state;
	const Source *source = &sort->source;
	int64_t    *position = sort->position + chunk * MAX_BUCKETS;
	int64_t		c = chunk_start(sort, chunk);
	int64_t		end = chunk_end(sort, chunk);
	int64_t		row = source->other == NULL ? row_of_cell(source, c) : -1;

	(void) worker;
	while (c < end && !mf_cancelled(sort->parallel))
	{
		int64_t		step = step_end(c, end);

		if (source->other != NULL)
			scatter_cells(sort, c, step, -1, position);
		else
			row = scatter_rows(sort, c, step, row, position);
		c = step;
	}
}

/*
 * Task: sorts one bucket by key.  A bucket of a single key is sorted already; another one is copied away and dealt
 * out again, each key's cells from where its row starts.
 */
static void
sort_bucket(void *state, int64_t bucket, int worker)
{
	Sort	   *sort = state;
	MfMatrix   *out = sort->out;
	int64_t		first = sort->first_key[bucket];
	int64_t		end = sort->first_key[bucket + 1];
	int64_t		base = out->start[first];
	size_t		n = (size_t) (out->start[end] - base);
	int64_t		own = worker * sort->bucket_cells;
	int32_t    *key = sort->bucket_key + own;
	int32_t    *column = sort->bucket_column + own;
	float	   *rating = sort->bucket_rating + own;
	float	   *weight = sort->bucket_weight + own;

	if (end - first <= 1 || n == 0)
		return;
	for (int64_t k = first; k < end; k++)
		sort->count[k] = (int32_t) (out->start[k] - base);
	memcpy(key, sort->keys + base, n * sizeof(int32_t));
	memcpy(column, out->column + base, n * sizeof(int32_t));
	if (out->rating != NULL)
		memcpy(rating, out->rating + base, n * sizeof(float));
	if (out->weight != NULL)
		memcpy(weight, out->weight + base, n * sizeof(float));
	for (size_t c = 0; c < n; c++)
	{
		int64_t		place = base + sort->count[key[c]]++;

		out->column[place] = column[c];
		if (out->rating != NULL)
			out->rating[place] = rating[c];
		if (out->weight != NULL)
			out->weight[place] = weight[c];
	}
}

/*
 * Sorts the source's cells by key into out, whose rows are the keys; keys: one int32 per cell of workspace.
 * Returns MF_CANCELLED or MF_OK.
 */
static MfError
sort_cells(const MfParallel *parallel, const Source *source, MfMatrix *out, int32_t *keys,
		   void *space)
{
	Sort		sort;

	if (source->n == 0)
	{
		/* there may be no arrays either */
		memset(out->start, 0, (size_t) (out->nrows + 1) * sizeof(int64_t));
		return MF_OK;
	}
	sort_init(&sort, parallel, source, out, keys, space);
	if (!mf_parallel_for(parallel, sort.nchunks, count_chunk, &sort))
		return MF_CANCELLED;
	cut_buckets(&sort);
	place_parts(&sort);
	if (!mf_parallel_for(parallel, sort.nchunks, scatter_chunk, &sort) ||
		!mf_parallel_for(parallel, sort.nbuckets, sort_bucket, &sort))
		return MF_CANCELLED;
	return MF_OK;
}

/* See csr.h. */
MfError
mf_csr_build(const MfParallel *parallel, MfTriplets *triplets, MfDuplicates mode, MfMatrix *out,
			 MfMatrix *work, void *space, int64_t *merged)
{
	Source		source = {triplets->n, triplets->column, triplets->row, NULL, 0, triplets->rating,
	triplets->weight};
	MfRows		columns;
	int64_t		ignored;
	MfError		error;

	/* out->column is not in use yet: the first sort may have it */
	error = sort_cells(parallel, &source, work, out->column, space);
	if (error != MF_OK)
		return error;
	columns = mf_matrix_rows(work);
	error = mf_csr_transpose(parallel, &columns, out, triplets->row, space);
	if (error != MF_OK)
		return error;
	return mf_csr_merge(parallel, out, mode, merged != NULL ? merged : &ignored);
}

/* See csr.h. */
MfError
mf_csr_transpose(const MfParallel *parallel, const MfRows *in, MfMatrix *out, int32_t *keys,
				 void *space)
{
	int64_t		base = in->start[0];
	Source		source = {in->start[in->nrows] - base, in->column + base, NULL, in->start,
		in->nrows, in->rating != NULL ? in->rating + base : NULL,
	in->weight != NULL ? in->weight + base : NULL};

	return sort_cells(parallel, &source, out, keys, space);
}
