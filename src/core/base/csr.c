/*
 * csr.c - from triplets to sorted rows and to the other orientation, by stable counting sorts.
 *
 * One primitive does it all: put n cells in order of a key (0 .. nkeys - 1), keeping the order of
 * equal keys.  It works in two levels that both stay in the cache: cells go to at most MAX_BUCKETS
 * buckets of neighbouring keys (every chunk of the input knows from counts where its cells go, so
 * chunks run in parallel), then every bucket is sorted in a worker's scratch space.  A bucket is
 * either small or a single key, which needs no sorting.
 *
 * Triplets are sorted by column, then by row: so rows have ascending columns.  The memory of the
 * first result is the caller's other orientation, which a third sort fills at last.
 */
#include "core/base/csr.h"

#include <float.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#define MAX_BUCKETS 1024
#define MIN_BUCKET_CELLS 4096
#define MAX_CHUNKS 64
#define ROWS_PER_BLOCK 4096
#define STEP_CELLS 65536		/* of a chunk, between two looks for a cancel */

/* Where the cells to be sorted come from: triplets (other set) or rows (start set). */
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
	char	   *scratch;		/* per worker: bucket_cells x (key, column, rating, weight) */
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

static size_t
rounded(size_t bytes)
{
	return (bytes + 63) & ~(size_t) 63;
}

size_t
mf_csr_size(const MfParallel *parallel, int64_t n, int64_t nkeys)
{
	/* a number of keys smaller than nkeys may mean more chunks, but not more counts than cells */
	size_t		counts = (size_t) nkeys > (size_t) n ? (size_t) nkeys : (size_t) nkeys *
		(size_t) mf_workers(parallel);

	if (counts > (size_t) n && counts > (size_t) nkeys)
		counts = (size_t) n > (size_t) nkeys ? (size_t) n : (size_t) nkeys;
	return 64 + rounded(counts * sizeof(int32_t)) + rounded((size_t) nkeys * sizeof(uint16_t)) +
		rounded((MAX_BUCKETS + 1) * sizeof(int64_t)) +
		rounded((size_t) MAX_CHUNKS * MAX_BUCKETS * sizeof(int64_t)) +
		(size_t) mf_workers(parallel) * rounded((size_t) bucket_cells(n) * 16);
}

/* Lays the sort's tables out in space. */
static void
sort_init(Sort *sort, const MfParallel *parallel, const Source *source, MfMatrix *out,
		  int32_t *keys, void *space)
{
	char	   *next = (char *) rounded((size_t) space);
	int64_t		nkeys = out->nrows;

	sort->parallel = parallel;
	sort->source = *source;
	sort->out = out;
	sort->keys = keys;
	sort->nchunks = chunk_count(parallel, source->n, nkeys);
	sort->bucket_cells = bucket_cells(source->n);
	sort->count = (int32_t *) next;
	next += rounded((size_t) sort->nchunks * (size_t) nkeys * sizeof(int32_t));
	sort->bucket_of = (uint16_t *) next;
	next += rounded((size_t) nkeys * sizeof(uint16_t));
	sort->first_key = (int64_t *) next;
	next += rounded((MAX_BUCKETS + 1) * sizeof(int64_t));
	sort->position = (int64_t *) next;
	next += rounded((size_t) MAX_CHUNKS * MAX_BUCKETS * sizeof(int64_t));
	sort->scratch = next;
}

/* The first cell of a chunk. */
static int64_t
chunk_start(const Sort *sort, int64_t chunk)
{
	return (int64_t) ((double) sort->source.n / sort->nchunks * (double) chunk);
}

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

/* From counts to out->start, buckets, and where each chunk's part of each bucket begins. */
static void
place_buckets(Sort *sort)
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
	for (bucket = 0; bucket < sort->nbuckets; bucket++)
	{
		int64_t		place = start[sort->first_key[bucket]];

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

/* Puts cells begin .. end - 1 of the source, which all become column `other`, into their buckets;
 * other < 0: each cell has its own. */
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

/* Task: sorts one bucket by key. */
static void
sort_bucket(void *state, int64_t bucket, int worker)
{
	Sort	   *sort = state;
	MfMatrix   *out = sort->out;
	int64_t		first = sort->first_key[bucket];
	int64_t		end = sort->first_key[bucket + 1];
	int64_t		base = out->start[first];
	size_t		n = (size_t) (out->start[end] - base);
	int32_t    *key = (int32_t *) (sort->scratch +
								   (size_t) worker * rounded((size_t) sort->bucket_cells * 16));
	int32_t    *column = key + sort->bucket_cells;
	float	   *rating = (float *) (column + sort->bucket_cells);
	float	   *weight = rating + sort->bucket_cells;

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

/* Sorts the source's cells by key into out; keys: one int32 per cell of scratch. */
static MfError
sort_cells(const MfParallel *parallel, const Source *source, MfMatrix *out, int32_t *keys,
		   void *space)
{
	Sort		sort;

	sort_init(&sort, parallel, source, out, keys, space);
	if (!mf_parallel_for(parallel, sort.nchunks, count_chunk, &sort))
		return MF_CANCELLED;
	place_buckets(&sort);
	if (!mf_parallel_for(parallel, sort.nchunks, scatter_chunk, &sort) ||
		!mf_parallel_for(parallel, sort.nbuckets, sort_bucket, &sort))
		return MF_CANCELLED;
	return MF_OK;
}

/* Whether cell a comes before cell b of the same place: by rating, then by weight. */
static bool
cell_before(const MfMatrix *m, float rating, float weight, int64_t b)
{
	if (m->rating != NULL && rating != m->rating[b])
		return rating < m->rating[b];
	return m->weight != NULL && weight < m->weight[b];
}

/*
 * Sorts cells begin .. end - 1, all of the same place, by value (Shell 1959: in place, any
 * length).
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

/* Writes the merger of cells begin .. end - 1, all of the same place, to position `to`. */
static void
merge_cells(MfMatrix *m, MfDuplicates mode, int64_t begin, int64_t end, int64_t to)
{
	double		rating = 0.0;
	double		weight = 0.0;
	double		n = (double) (end - begin);

	if (end - begin > 1)
		sort_equal_cells(m, begin, end);
	for (int64_t c = begin; c < end; c++)
	{
		rating += m->rating != NULL ? m->rating[c] : 0.0f;
		weight += m->weight != NULL ? m->weight[c] : 0.0f;
	}
	m->column[to] = m->column[begin];
	if (m->rating != NULL)
		m->rating[to] = (float) (rating / n);
	if (m->weight != NULL)
		m->weight[to] = (float) fmin(mode == MF_DUPLICATES_SUM ? weight : weight / n, FLT_MAX);
}

/*
 * Merges neighbours with the same row and column, closing the gaps; returns how many went.  Leaves early
 * when cancelled.
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

/* Whether there are duplicates at all: most matrices have none. */
typedef struct Search
{
	const MfMatrix *matrix;
	atomic_bool found;
} Search;

/* Task: looks for duplicates in ROWS_PER_BLOCK rows. */
static void
find_duplicates(void *state, int64_t block, int worker)
{
	Search	   *search = state;
	const MfMatrix *m = search->matrix;
	int64_t		end = (block + 1) * ROWS_PER_BLOCK;

	(void) worker;
	if (end > m->nrows)
		end = m->nrows;
	for (int64_t row = block * ROWS_PER_BLOCK; row < end && !search->found; row++)
		for (int64_t c = m->start[row] + 1; c < m->start[row + 1]; c++)
			if (m->column[c] == m->column[c - 1])
				search->found = true;
}

MfError
mf_csr_build(const MfParallel *parallel, MfTriplets *triplets, MfDuplicates mode, MfMatrix *out,
			 MfMatrix *work, void *space, int64_t *merged)
{
	Source		source = {triplets->n, triplets->column, triplets->row, NULL, 0, triplets->rating,
	triplets->weight};
	MfRows		columns;
	Search		search = {out, false};
	MfError		error;

	/* out->column is not in use yet: the first sort may have it */
	error = sort_cells(parallel, &source, work, out->column, space);
	if (error != MF_OK)
		return error;
	columns = mf_matrix_rows(work);
	error = mf_csr_transpose(parallel, &columns, out, triplets->row, space);
	if (error != MF_OK)
		return error;
	if (!mf_parallel_for(parallel, (out->nrows + ROWS_PER_BLOCK - 1) / ROWS_PER_BLOCK,
							find_duplicates, &search))
		return MF_CANCELLED;
	if (merged != NULL)
		*merged = 0;
	if (search.found)
	{
		int64_t		gone = merge_duplicates(parallel, out, mode);

		if (merged != NULL)
			*merged = gone;
		if (mf_cancelled(parallel))
			return MF_CANCELLED;
	}
	return MF_OK;
}

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
