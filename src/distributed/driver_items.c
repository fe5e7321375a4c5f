/*
 * driver_items.c - items solved by the driver itself, from users' vectors that come from their nodes.
 *
 * Sums of items (driver_sweep.c) are the same size however few users and ratings there are: a triangle of each item from
 * each node.  Where they would take longer to make, to send and to add up than the driver takes to solve items by
 * itself, and there is room, it has the cells of all items, which it gets once, and in each iteration the users'
 * vectors.  Half-sweeps of items then are those of a training on one node, but for the order of users' numbers: they
 * count through the users of one node after the other.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/als/als_packed_vectors.h"
#include "distributed/driver.h"
#include "distributed/driver_state.h"
#include "pg/alloc.h"
#include "pg/memory_limit.h"

/*
 * What takes longer is reckoned by what was measured with 64 factors on two cores of a processor of 2023: bytes of sums
 * a second, from cells to solved items; bytes of vectors from their nodes; and cells in a half-sweep.  The number of
 * threads does not come into it, nor the memory for maintenance, as bits do not depend on them.
 */
#define SUMS_RATE 450e6
#define VECTORS_RATE 400e6
#define CELLS_RATE 24e6
#define CELLS_FACTORS 64

/* So many users at most: cells of an item from one node must fit into one row of an answer. */
#define MOST_USERS (INT64CONST(1) << 26)

/* Cells, and bytes of vectors, that are asked for at a time, about. */
#define CELLS_AT_ONCE (INT64CONST(1) << 19)
#define VECTORS_AT_ONCE (INT64CONST(1) << 22)

/* Seconds of an iteration in which sums of items are made, sent and added up. */
static double
SecondsOfSums(const Driver *driver, const MfProblem *problem)
{
	double		d = problem->factors;
	double		bytes = d * (d + 1) / 2 * (problem->int16 ? sizeof(int16) : sizeof(float)) + 2 * d * sizeof(float);

	return driver->nnodes * (double) problem->nitems * bytes / SUMS_RATE;
}

/* And by which they are longer where this node has the cells of all, and all vectors come here. */
static double
SecondsOfVectors(const Driver *driver, const MfProblem *problem, const Ratings *ratings)
{
	double		vectors = (double) driver->users * mf_packed_vector_bytes(problem->factors, problem->int16);
	double		cells = (double) ratings->rows * pow((double) problem->factors / CELLS_FACTORS, 1.5);

	return vectors / VECTORS_RATE + cells * (1 - 1.0 / driver->nnodes) / CELLS_RATE;
}

/*
 * Decides whether the driver solves items from users' vectors.  problem: without its arrays.  Vectors, of which solving
 * has a copy, may take a quarter of what a training may.
 */
bool
PlanItems(Driver *driver, const MfProblem *problem, const Ratings *ratings)
{
	int64		room = MemoryLimit() / 4 / (2 * (int64) sizeof(float) * mf_padded(problem->factors));

	driver->items_here = driver->users <= Min(room, MOST_USERS) &&
		SecondsOfVectors(driver, problem, ratings) < SecondsOfSums(driver, problem);
	elog(DEBUG1, "mfrec: items are solved from %s", driver->items_here ? "users' vectors" : "sums of nodes");
	return driver->items_here;
}

/* What PlanItems() has decided. */
bool
ItemsAreHere(const Driver *driver)
{
	return driver->items_here;
}

/* The Gram matrix of all users as they were solved last; of objectives with an interest part. */
const double *
GramOfNodes(const Driver *driver)
{
	return driver->gram;
}

/* Cells of some items, as one node has sent them. */
typedef struct CellChunk
{
	int64		first;			/* item of the block */
	int64		count;			/* items */
	int64		ncells;
	const char *data;			/* as CHANNEL_ITEM_CELLS has them */
} CellChunk;

/* The cells of a block of items, from all nodes. */
typedef struct CellsBlock
{
	const Driver *driver;
	int64		first;
	int64		count;
	bool		has_ratings;
	bool		has_weights;
	List	  **chunks;			/* of each node CellChunk, in the order of items */
	int64	   *received;		/* items, by node */
	int64	   *place;			/* count: where an item's next cells go */
	MfMatrix	part;			/* cells of the block; NULL until all of them have come */
	int32	   *likes;			/* of users of all nodes */
} CellsBlock;

/* Bytes of a cell as it is sent. */
static Size
CellWidth(const CellsBlock *block)
{
	return sizeof(int32) + (block->has_ratings ? sizeof(float) : 0) + (block->has_weights ? sizeof(float) : 0);
}

/* Takes a chunk of STEP_ITEM_CELLS: a copy of it, as cells are put in the order of nodes. */
static void
TakeCellsChunk(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	CellsBlock *block = state;
	CellChunk  *chunk = palloc(sizeof(CellChunk));
	Size		width = CellWidth(block);
	int64		cells = 0;
	char	   *copy;

	if (header->channel != CHANNEL_ITEM_CELLS || header->node < 0 || header->node >= block->driver->nnodes ||
		header->first != block->first + block->received[header->node] ||
		header->count > block->count - block->received[header->node] || bytes < header->count * sizeof(int32) ||
		(bytes - header->count * sizeof(int32)) % width != 0)
		NodesDisagree("Cells of items are not those that were asked for.");
	*chunk = (CellChunk) {header->first - block->first, header->count, (bytes - header->count * sizeof(int32)) / width, NULL};
	copy = MemoryContextAllocHuge(CurrentMemoryContext, Max(bytes, 1));
	memcpy(copy, data, bytes);
	chunk->data = copy;
	for (int64 i = 0; i < chunk->count; i++)
	{
		int32		n = ((const int32 *) chunk->data)[i];

		if (n < 0)
			NodesDisagree("Cells of items are not those that were asked for.");
		block->part.start[chunk->first + i + 1] += n;
		cells += n;
	}
	if (cells != chunk->ncells)
		NodesDisagree("Cells of items are not those that were asked for.");
	block->chunks[header->node] = lappend(block->chunks[header->node], chunk);
	block->received[header->node] += header->count;
}

/* Puts n cells of a node to where they go in the block, and counts what users like. */
static void
PlaceCells(CellsBlock *block, int node, const int32 *column, const float *rating, const float *weight, int64 n,
		   int64 to)
{
	MfMatrix   *part = &block->part;
	int64		first = block->driver->nodes[node].first_user;
	uint32		users = (uint32) UsersOfNode(block->driver, node);

	for (int64 k = 0; k < n; k++)
	{
		if ((uint32) column[k] >= users)
			NodesDisagree("An item has been rated by an unknown user.");
		part->column[to + k] = (int32) (first + column[k]);
		block->likes[first + column[k]] += weight == NULL || weight[k] > 0;
	}
	if (rating)
		memcpy(part->rating + to, rating, sizeof(float) * n);
	if (weight)
		memcpy(part->weight + to, weight, sizeof(float) * n);
}

/* The same of a chunk, item by item. */
static void
PlaceChunk(CellsBlock *block, int node, const CellChunk *chunk)
{
	const int32 *count = (const int32 *) chunk->data;
	const int32 *column = count + chunk->count;
	const float *numbers = (const float *) (column + chunk->ncells);
	const float *rating = block->has_ratings ? numbers : NULL;
	const float *weight = block->has_weights ? numbers + (block->has_ratings ? chunk->ncells : 0) : NULL;
	int64		at = 0;

	CHECK_FOR_INTERRUPTS();
	for (int64 i = 0; i < chunk->count; i++)
	{
		int64	   *place = &block->place[chunk->first + i];

		PlaceCells(block, node, column + at, rating ? rating + at : NULL, weight ? weight + at : NULL, count[i], *place);
		*place += count[i];
		at += count[i];
	}
}

/* The block's cells, from all that has come, in the order of nodes: that of users' numbers. */
static void
MergeBlock(CellsBlock *block)
{
	MfMatrix   *part = &block->part;
	int64		n;

	for (int64 i = 0; i < block->count; i++)
		part->start[i + 1] += part->start[i];
	memcpy(block->place, part->start, sizeof(int64) * block->count);
	n = part->start[block->count];
	part->column = HugeArray(n, sizeof(int32));
	part->rating = block->has_ratings ? HugeArray(n, sizeof(float)) : NULL;
	part->weight = block->has_weights ? HugeArray(n, sizeof(float)) : NULL;
	for (int node = 0; node < block->driver->nnodes; node++)
	{
		ListCell   *cell;

		/* a node without rows has sent nothing */
		if (block->received[node] != (UsersOfNode(block->driver, node) > 0 ? block->count : 0))
			NodesDisagree("Cells of items are missing.");
		foreach(cell, block->chunks[node])
			PlaceChunk(block, node, lfirst(cell));
	}
}

/* Asks for the cells of a block, and puts them together, in the current memory context. */
static void
AskForCells(Driver *driver, CellsBlock *block, int64 ncells)
{
	SumsArgument argument = {block->first, block->count, block->first == 0, true, 0};
	int			settings = NewGUCNestLevel();

	block->chunks = palloc0(sizeof(List *) * driver->nnodes);
	block->received = palloc0(sizeof(int64) * driver->nnodes);
	block->place = HugeArray(block->count, sizeof(int64));
	block->part = (MfMatrix) {.nrows = block->count,.start = HugeZeroArray(block->count + 1, sizeof(int64))};
	KeepAnswers(ncells * CellWidth(block) * 5 / 4 + CHUNK_BYTES);
	RunStep(driver, STEP_ITEM_CELLS, &argument, sizeof(argument), TakeCellsChunk, block);
	AtEOXact_GUC(true, settings);
	MergeBlock(block);
}

/*
 * The items of the block that begins with `first`, by their numbers of cells without dislikes, which say about how many
 * there are (*ncells).
 */
static int64
ItemsOfBlock(const int32 *item_counts, int64 first, int64 nitems, int64 *ncells)
{
	int64		n = 0;

	*ncells = 0;
	while (first + n < nitems && n < CELLS_AT_ONCE && (n == 0 || *ncells + item_counts[first + n] <= CELLS_AT_ONCE))
		*ncells += item_counts[first + n++];
	return n;
}

/*
 * Makes room for all cells: in memory, or in files beyond an eighth of the memory for maintenance.  Beside users' vectors
 * there should be little, and what is read in order once an iteration costs a few hundredths of it.
 */
static void
MakeCells(Cells *cells, int64 nitems, int64 n, const CellsBlock *block)
{
	int64		room = MaintenanceMemory() / 8;

	if (n * (int64) CellWidth(block) > room)
	{
		InitSpilledCells(cells, nitems, block->has_ratings, block->has_weights, room / 4 / (int64) CellWidth(block));
		return;
	}
	memset(cells, 0, sizeof(Cells));
	cells->nrows = nitems;
	cells->matrix = (MfMatrix) {.nrows = nitems,.start = HugeZeroArray(nitems + 1, sizeof(int64)),
		.column = HugeArray(n, sizeof(int32))};
	cells->matrix.rating = block->has_ratings ? HugeArray(n, sizeof(float)) : NULL;
	cells->matrix.weight = block->has_weights ? HugeArray(n, sizeof(float)) : NULL;
	cells->start = cells->matrix.start;
}

/* Appends a block's cells to those before it. */
static void
AppendBlock(Cells *cells, const CellsBlock *block, int64 most)
{
	const MfMatrix *part = &block->part;
	int64		at = cells->start[block->first];
	int64		n = part->start[block->count];

	if (n > most - at)
		NodesDisagree("They have more cells of items than of users.");
	if (cells->spilled)
	{
		AppendCells(cells, part);
		return;
	}
	for (int64 i = 1; i <= block->count; i++)
		cells->start[block->first + i] = at + part->start[i];
	memcpy(cells->matrix.column + at, part->column, sizeof(int32) * n);
	if (part->rating)
		memcpy(cells->matrix.rating + at, part->rating, sizeof(float) * n);
	if (part->weight)
		memcpy(cells->matrix.weight + at, part->weight, sizeof(float) * n);
}

/*
 * Takes the cells of all items from their nodes, on the scale of all: ratings->by_item.  Returns how many items each
 * user likes, as regularization goes by it.  item_counts: see CountsOfItems().
 */
int32 *
TakeItemCells(Driver *driver, const int32 *item_counts, Ratings *ratings)
{
	int64		nitems = ratings->by_item.nrows;
	CellsBlock	block = {.driver = driver,.has_ratings = ratings->is_explicit,.has_weights = NodesHaveWeights(driver)};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec cells", ALLOCSET_DEFAULT_SIZES);

	block.likes = HugeZeroArray(driver->users, sizeof(int32));
	MakeCells(&ratings->by_item, nitems, ratings->rows, &block);
	for (; block.first < nitems; block.first += block.count)
	{
		MemoryContext old = MemoryContextSwitchTo(context);
		int64		ncells;

		block.count = ItemsOfBlock(item_counts, block.first, nitems, &ncells);
		AskForCells(driver, &block, ncells);
		MemoryContextSwitchTo(old);
		AppendBlock(&ratings->by_item, &block, ratings->rows);
		MemoryContextReset(context);
	}
	MemoryContextDelete(context);
	if (ratings->by_item.start[nitems] != ratings->rows)
		NodesDisagree("They have more cells of users than of items.");
	return block.likes;
}

/* Users' vectors on their way here. */
typedef struct UserVectors
{
	const Driver *driver;
	const MfFactors *factors;
	int			dimensions;
	bool		halves;
	int64		received;		/* users */
} UserVectors;

/* Takes a chunk of STEP_USER_VECTORS. */
static void
TakeVectorsChunk(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	UserVectors *vectors = state;
	const Driver *driver = vectors->driver;
	Size		width = mf_packed_vector_bytes(vectors->dimensions, vectors->halves);
	Size		bias = vectors->factors->user_bias ? sizeof(float) : 0;
	int64		first;

	if (header->channel != CHANNEL_USER_VECTORS || header->node < 0 || header->node >= driver->nnodes ||
		header->first > UsersOfNode(driver, header->node) ||
		header->count > UsersOfNode(driver, header->node) - header->first || bytes != header->count * (width + bias))
		NodesDisagree("Vectors of users are not those that were asked for.");
	first = driver->nodes[header->node].first_user + header->first;
	mf_vectors_unpack(vectors->dimensions, vectors->halves, data, header->count,
					  vectors->factors->user + first * mf_padded(vectors->dimensions));
	if (bias > 0)
		memcpy(vectors->factors->user_bias + first, data + width * header->count, bias * header->count);
	vectors->received += header->count;
}

/* Takes users as they were solved last: factors->user and user_bias.  exact: nothing is rounded. */
void
TakeUserVectors(Driver *driver, const MfProblem *problem, const MfFactors *factors, bool exact)
{
	UserVectors vectors = {driver, factors, problem->factors, !exact && problem->int16, 0};
	int64		width = mf_packed_vector_bytes(problem->factors, vectors.halves) + sizeof(float);
	VectorsArgument argument = {.halves = vectors.halves};
	int64		most = 0;

	argument.count = Max(1, VECTORS_AT_ONCE / (width * driver->nnodes));
	for (int n = 0; n < driver->nnodes; n++)
		most = Max(most, UsersOfNode(driver, n));
	for (; argument.first < most; argument.first += argument.count)
	{
		int			settings = NewGUCNestLevel();

		KeepAnswers(argument.count * width * driver->nnodes * 5 / 4 + CHUNK_BYTES);
		RunStep(driver, STEP_USER_VECTORS, &argument, sizeof(argument), TakeVectorsChunk, &vectors);
		AtEOXact_GUC(true, settings);
	}
	if (vectors.received != driver->users)
		NodesDisagree("Vectors of users are missing.");
}
