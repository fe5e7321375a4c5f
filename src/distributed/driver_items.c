/*
 * driver_items.c - items solved by the driver itself, from users' vectors that come from their nodes.
 *
 * Sums of items (driver_sweep.c) are the same size however few users and ratings there are: a triangle of each item from
 * each node.  Where they would take longer to make, to send and to add up than the driver takes to solve items by
 * itself, and there is room, it has the cells of all items, which it gets once, and in each iteration the users'
 * vectors.
 *
 * Half-sweeps of items then are those of a training on one node, to the bit: users have the numbers that they have there,
 * in the order of ids, and an item's cells are in that order.  So sums over users are made as there, from which items
 * follow, and rotations and how vectors are rounded; and vectors arrive as they were solved (als_packed_vectors.c).
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
#include "pg/citus.h"
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
 * has a copy, and whose they are, may take a quarter of what a training may.  vectors: it needs them anyway, so it is an
 * error where there is no room.
 */
bool
PlanItems(Driver *driver, const MfProblem *problem, const Ratings *ratings, bool vectors)
{
	int64		width = 2 * (int64) sizeof(float) * mf_padded(problem->factors) + sizeof(NodeNumber) + sizeof(int32);
	int64		room = MemoryLimit() / 4 / width;

	if (vectors && driver->users > Min(room, MOST_USERS))
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("vectors of %lld users do not fit on the node that learns from user_features", (long long) driver->users),
				 errdetail("What attributes say is learned there, from all users' vectors, which may take a quarter of mfrec.max_memory."),
				 errhint("Raise mfrec.max_memory, or leave user_features out.")));
	driver->items_here = vectors || (driver->users <= Min(room, MOST_USERS) &&
									 SecondsOfVectors(driver, problem, ratings) < SecondsOfSums(driver, problem));
	elog(DEBUG1, "mfrec: items are solved from %s", driver->items_here ? "users' vectors" : "sums of nodes");
	return driver->items_here;
}

/* What PlanItems() has decided. */
bool
ItemsAreHere(const Driver *driver)
{
	return driver->items_here;
}

/* Cells of some items, as one node has sent them. */
typedef struct CellChunk
{
	int64		first;			/* item of the block */
	int64		count;			/* items */
	int64		ncells;
	const char *data;			/* as CHANNEL_ITEM_CELLS has them */
} CellChunk;

/* What a node has sent of a block, and how far it has been read: items follow each other. */
typedef struct CellReader
{
	List	   *chunks;			/* CellChunk, in the order of items */
	int64		received;		/* items */
	int			chunk;			/* the one that is read, */
	int64		item;			/* the next item of it, */
	int64		cell;			/* and that one's first cell */
} CellReader;

/* Cells of an item that one node has. */
typedef struct CellRun
{
	int64		count;
	const int32 *user;			/* as the node numbers them, ascending */
	const float *rating;		/* NULL: cells have none; so have weights */
	const float *weight;
} CellRun;

/* A cell of an item: the user's place among all in the upper half, the cell's among those that have come in the lower. */
typedef uint64 CellKey;

/* The cells of a block of items, from all nodes. */
typedef struct CellsBlock
{
	const Driver *driver;
	int64		first;
	int64		count;
	bool		has_ratings;
	bool		has_weights;
	CellReader *reader;			/* of each node */
	MfMatrix	part;			/* cells of the block; NULL until all of them have come */
	int32	   *likes;			/* of users of all nodes, by place */
	bool	   *dislikes;		/* whether they have some; NULL: cells have no weights */
	CellKey    *keys;			/* of an item */
	CellKey    *other;			/* as much room */
	float	   *rating;			/* of its cells as they have come */
	float	   *weight;
	int64	   *end;			/* of each node's cells */
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
	CellReader *reader;
	CellChunk  *chunk = palloc(sizeof(CellChunk));
	Size		width = CellWidth(block);
	int64		cells = 0;
	char	   *copy;

	if (header->channel != CHANNEL_ITEM_CELLS || header->node < 0 || header->node >= block->driver->nnodes)
		NodesDisagree("Cells of items are not those that were asked for.");
	reader = &block->reader[header->node];
	if (header->first != block->first + reader->received || header->count > block->count - reader->received ||
		bytes < header->count * sizeof(int32) || (bytes - header->count * sizeof(int32)) % width != 0)
		NodesDisagree("Cells of items are not those that were asked for.");
	*chunk = (CellChunk) {header->first - block->first, header->count, (bytes - header->count * sizeof(int32)) / width, NULL};
	copy = MemoryContextAllocHuge(CurrentMemoryContext, Max(bytes, 1));
	memcpy(copy, data, bytes);
	chunk->data = copy;
	for (int64 i = 0; i < chunk->count; i++)
	{
		int32		n = ((const int32 *) chunk->data)[i];

		if (n < 0 || n > UsersOfNode(block->driver, header->node))
			NodesDisagree("Cells of items are not those that were asked for.");
		block->part.start[chunk->first + i + 1] += n;
		cells += n;
	}
	if (cells != chunk->ncells)
		NodesDisagree("Cells of items are not those that were asked for.");
	reader->chunks = lappend(reader->chunks, chunk);
	reader->received += header->count;
}

/* The cells that a node has of the next item. */
static CellRun
NextRun(const CellsBlock *block, int node)
{
	CellReader *reader = &block->reader[node];
	const CellChunk *chunk;
	const int32 *count;
	const float *numbers;
	CellRun		run = {0};

	if (reader->received == 0)
		return run;				/* a node without rows */
	chunk = list_nth(reader->chunks, reader->chunk);
	count = (const int32 *) chunk->data;
	numbers = (const float *) (count + chunk->count + chunk->ncells);
	run.count = count[reader->item];
	run.user = count + chunk->count + reader->cell;
	if (block->has_ratings)
		run.rating = numbers + reader->cell;
	if (block->has_weights)
		run.weight = numbers + (block->has_ratings ? chunk->ncells : 0) + reader->cell;
	reader->cell += run.count;
	if (++reader->item == chunk->count)
	{
		reader->chunk++;
		reader->item = reader->cell = 0;
	}
	return run;
}

/* Appends a node's cells of an item to the block's keys and numbers, n so far, and counts what users like. */
static void
TakeRun(CellsBlock *block, int node, const CellRun *run, int64 n)
{
	const int32 *place = block->driver->user_place + block->driver->nodes[node].first_user;
	uint32		users = (uint32) UsersOfNode(block->driver, node);

	for (int64 k = 0; k < run->count; k++)
	{
		int32		user;

		if ((uint32) run->user[k] >= users)
			NodesDisagree("An item has been rated by an unknown user.");
		user = place[run->user[k]];
		block->keys[n + k] = (uint64) user << 32 | (uint64) (n + k);
		if (run->weight && run->weight[k] <= 0)
			block->dislikes[user] = true;
		else
			block->likes[user]++;
	}
	if (run->rating)
		memcpy(block->rating + n, run->rating, sizeof(float) * run->count);
	if (run->weight)
		memcpy(block->weight + n, run->weight, sizeof(float) * run->count);
}

/* Merges two ascending sequences; without branches on what comes first, which nobody can foresee. */
static void
MergeTwo(const CellKey *a, const CellKey *a_end, const CellKey *b, const CellKey *b_end, CellKey *out)
{
	while (a < a_end && b < b_end)
	{
		bool		second = *b < *a;

		*out++ = second ? *b : *a;
		b += second;
		a += !second;
	}
	memcpy(out, a, (const char *) a_end - (const char *) a);
	memcpy(out + (a_end - a), b, (const char *) b_end - (const char *) b);
}

/* Puts an item's cells in the order of users: those of each node, which end at block->end, are in it.  Returns them. */
static const CellKey *
MergeRuns(CellsBlock *block)
{
	int			nruns = block->driver->nnodes;
	CellKey    *keys = block->keys;
	CellKey    *other = block->other;

	while (nruns > 1)
	{
		CellKey    *swap = keys;
		int			merged = 0;
		int64		from = 0;

		for (int r = 0; r < nruns; r += 2)
		{
			int64		middle = block->end[r];
			int64		end = block->end[Min(r + 1, nruns - 1)];

			MergeTwo(keys + from, keys + middle, keys + middle, keys + end, other + from);
			block->end[merged++] = from = end;
		}
		nruns = merged;
		keys = other;
		other = swap;
	}
	return keys;
}

/* An item's cells, from all nodes, to where they go in the block. */
static void
MergeItem(CellsBlock *block, int64 item)
{
	MfMatrix   *part = &block->part;
	int64		to = part->start[item];
	int64		n = 0;
	const CellKey *keys;

	CHECK_FOR_INTERRUPTS();
	for (int node = 0; node < block->driver->nnodes; node++)
	{
		CellRun		run = NextRun(block, node);

		TakeRun(block, node, &run, n);
		block->end[node] = n += run.count;
	}
	keys = MergeRuns(block);
	for (int64 k = 0; k < n; k++)
		part->column[to + k] = (int32) (keys[k] >> 32);
	for (int64 k = 0; part->rating && k < n; k++)
		part->rating[to + k] = block->rating[(uint32) keys[k]];
	for (int64 k = 0; part->weight && k < n; k++)
		part->weight[to + k] = block->weight[(uint32) keys[k]];
}

/* The block's cells, from all that has come. */
static void
MergeBlock(CellsBlock *block)
{
	MfMatrix   *part = &block->part;
	int64		most = 0;
	int64		n;

	for (int node = 0; node < block->driver->nnodes; node++)
		if (block->reader[node].received != block->count &&
			(block->reader[node].received > 0 || UsersOfNode(block->driver, node) > 0))
			NodesDisagree("Cells of items are missing.");
	for (int64 i = 0; i < block->count; i++)
	{
		most = Max(most, part->start[i + 1]);
		part->start[i + 1] += part->start[i];
	}
	n = part->start[block->count];
	part->column = HugeArray(n, sizeof(int32));
	part->rating = block->has_ratings ? HugeArray(n, sizeof(float)) : NULL;
	part->weight = block->has_weights ? HugeArray(n, sizeof(float)) : NULL;
	block->keys = HugeArray(most, sizeof(CellKey));
	block->other = HugeArray(most, sizeof(CellKey));
	block->rating = HugeArray(most, sizeof(float));
	block->weight = HugeArray(most, sizeof(float));
	for (int64 i = 0; i < block->count; i++)
		MergeItem(block, i);
}

/* Asks for the cells of a block, and puts them together, in the current memory context. */
static void
AskForCells(Driver *driver, CellsBlock *block, int64 ncells)
{
	SumsArgument argument = {block->first, block->count, block->first == 0, true, 0};
	int			settings = NewGUCNestLevel();

	block->reader = palloc0(sizeof(CellReader) * driver->nnodes);
	block->end = palloc(sizeof(int64) * driver->nnodes);
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
 * user likes, as CountCells() has it.  Users are numbered in the order of all ids from here on.  item_counts: see
 * CountsOfItems().
 */
int32 *
TakeItemCells(Driver *driver, const int32 *item_counts, Ratings *ratings)
{
	int64		nitems = ratings->by_item.nrows;
	CellsBlock	block = {.driver = driver,.has_ratings = ratings->is_explicit,.has_weights = NodesHaveWeights(driver)};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec cells", ALLOCSET_DEFAULT_SIZES);

	RankUsersOnNodes(driver, NULL);
	driver->user_place = PlacesOfUsers(driver);
	block.likes = HugeZeroArray(driver->users, sizeof(int32));
	block.dislikes = block.has_weights ? HugeZeroArray(driver->users, sizeof(bool)) : NULL;
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
	for (int64 u = 0; block.dislikes && u < driver->users; u++)
		block.likes[u] = Max(block.likes[u], block.dislikes[u]);
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
	const int32 *place;

	if (header->channel != CHANNEL_USER_VECTORS || header->node < 0 || header->node >= driver->nnodes ||
		header->first > UsersOfNode(driver, header->node) ||
		header->count > UsersOfNode(driver, header->node) - header->first || bytes != header->count * (width + bias))
		NodesDisagree("Vectors of users are not those that were asked for.");
	place = driver->user_place + driver->nodes[header->node].first_user + header->first;
	mf_vectors_unpack(vectors->dimensions, vectors->halves, data, place, header->count, vectors->factors->user);
	for (int64 u = 0; bias > 0 && u < header->count; u++)
		memcpy(vectors->factors->user_bias + place[u], data + width * header->count + bias * u, bias);
	vectors->received += header->count;
}

/*
 * Takes users as they were solved last, unless they are here: factors->user and user_bias, to the bit.  What half-sweeps
 * may have rounded goes in half the space.
 */
void
TakeUserVectors(Driver *driver, const MfProblem *problem, const MfFactors *factors)
{
	UserVectors vectors = {driver, factors, problem->factors, !driver->users_exact && problem->int16, 0};
	int64		width = mf_packed_vector_bytes(problem->factors, vectors.halves) + sizeof(float);
	VectorsArgument argument = {.halves = vectors.halves};
	int64		most = 0;

	if (driver->users_here)
		return;
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
	driver->users_here = true;
}
