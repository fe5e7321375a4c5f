/*
 * driver_sweep.c - half-sweeps: users where they are, items here from the sums that nodes make of them.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/guc.h"

#include "compat.h"
#include "core/als/als_sums.h"
#include "distributed/driver.h"
#include "distributed/driver_state.h"
#include "pg/alloc.h"
#include "pg/citus.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"

/*
 * The memory that sums of items take, on their way and here: less would be many queries, and more new pages for each of
 * them, as malloc() gives back what is more than it keeps.
 */
#define LEAST_SUMS_BYTES (INT64CONST(16) << 20)
#define MOST_SUMS_BYTES (INT64CONST(32) << 20)

/*
 * Whether the cells of the nodes have weights.  All nodes have to decide alike, so it goes by the sums of all of them,
 * as RescaleWeights() does: equal ones are as good as none.
 */
bool
NodesHaveWeights(const Driver *driver)
{
	const WeightSums *weights = &driver->problem.weights;

	return weights->present && weights->likes > 0 && (weights->min != weights->max || weights->dislikes > 0);
}

/*
 * Tells nodes what is minimised.  Items' counts, which regularization goes by, are those of all nodes and come first,
 * in place of each node's own.  Makes room for what half-sweeps of users give: the Gram matrix and the mean user.
 */
void
StateOnNodes(Driver *driver, const MfObjective *objective, const MfProblem *problem, const int32 *item_counts)
{
	NodeProblem *given = &driver->problem;
	int			d = problem->shared > 0 ? problem->shared : problem->factors;

	given->objective = *objective;
	given->int16 = problem->int16;
	given->int8 = problem->int8;
	given->rests = problem->rests;
	AddArray(driver, CHANNEL_ITEM_COUNTS, item_counts, sizeof(int32), problem->nitems);
	SendArrays(driver);
	RunStep(driver, STEP_BEGIN, given, sizeof(NodeProblem), NULL, NULL);
	driver->gram = HugeZeroArray((int64) d * d, sizeof(double));
	driver->mean = HugeZeroArray(mf_padded(problem->factors), sizeof(float));
}

/*
 * Adds to what SendArrays() sends all that nodes need of items: vectors of both parts of the objective, and biases.  Where
 * a part is missing its array is NULL, and not sent.
 */
void
AddItems(Driver *driver, const MfProblem *problem, const MfFactors *factors)
{
	Size		width = sizeof(float) * mf_padded(problem->factors);

	AddArray(driver, CHANNEL_INTEREST, factors->interest, width, problem->nitems);
	AddArray(driver, CHANNEL_RATING, factors->rating, width, problem->nitems);
	AddArray(driver, CHANNEL_BIAS, factors->item_bias, sizeof(float), problem->nitems);
}

/* Sends all that nodes need of all items. */
static void
SendItems(Driver *driver, const MfProblem *problem, const MfFactors *factors)
{
	AddItems(driver, problem, factors);
	SendMap(driver, sizeof(float) * mf_padded(problem->factors));
	SendArrays(driver);
}

/* Results of nodes, by their number; sums of them are made in that order, whichever came first. */
typedef struct Results
{
	const Driver *driver;
	Size		bytes;			/* of one */
	char	   *data;			/* nnodes x bytes; 0 of a node that has none */
} Results;

/* Room for a result of each node, of so many bytes. */
static Results
MakeResults(const Driver *driver, Size bytes)
{
	return (Results) {driver, bytes, palloc0(bytes * driver->nnodes)};
}

/* Keeps a result in its node's place, so that what comes first is not what is added first. */
static void
TakeResult(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	Results    *results = state;

	CheckResult(header, bytes, results->bytes);
	if (header->node < 0 || header->node >= results->driver->nnodes)
		NodesDisagree("A node has an unknown number.");
	memcpy(results->data + results->bytes * header->node, data, bytes);
}

/*
 * Dimensions of the Gram matrix that nodes make of their users, which is for items that are solved from sums; 0: none is
 * asked for.
 */
static int
GramDimensions(const Driver *driver, const MfProblem *problem)
{
	if (!problem->has_interest || driver->items_here)
		return 0;
	return problem->shared > 0 ? problem->shared : problem->factors;
}

/*
 * Adds up what nodes say of their users: the Gram matrix (d x d), the mean user, weighted by each node's pull, and the
 * sum of biases.  Returns the objective.  The part of it that is of items is the same on all nodes and counts once;
 * Max, as nodes without rows say 0.  In the order of nodes, so that bits are the same again.
 */
static double
SumUsers(Driver *driver, const MfProblem *problem, const Results *results)
{
	int			ld = mf_padded(problem->factors);
	int			d = GramDimensions(driver, problem);
	double	   *mean = palloc0(sizeof(double) * ld);
	double		pull = 0;
	double		items_loss = 0;
	double		loss = 0;

	driver->bias = 0;
	driver->items_loss = 0;
	memset(driver->gram, 0, sizeof(double) * d * d);
	for (int n = 0; n < driver->nnodes; n++)
	{
		const char *data = results->data + results->bytes * n;
		const float *own_mean = (const float *) (data + sizeof(NodeUsers));
		NodeUsers	users;

		memcpy(&users, data, sizeof(users));
		loss += users.loss;
		items_loss = Max(items_loss, users.items_loss);
		pull += users.pull;
		driver->bias += users.bias;
		for (int k = 0; k < ld && users.pull > 0; k++)
			mean[k] += users.pull * own_mean[k];
		for (int k = 0; k < d * d; k++)
		{
			double		number;

			memcpy(&number, data + sizeof(NodeUsers) + sizeof(float) * ld + sizeof(double) * k, sizeof(double));
			driver->gram[k] += number;
		}
	}
	for (int k = 0; k < ld; k++)
		driver->mean[k] = pull > 0 ? (float) (mean[k] / pull) : 0;
	pfree(mean);
	driver->items_loss = items_loss;
	return loss + items_loss;
}

/*
 * A half-sweep of users, drawn to problem->user_mean or to what DrawUsersOnNodes() has said, on their nodes, to which
 * items' vectors go first; returns the objective.  exact: see mf_als_begin().
 */
double
SweepUsersOnNodes(Driver *driver, const MfProblem *problem, const MfFactors *factors, bool exact)
{
	int			ld = mf_padded(problem->factors);
	int			d = GramDimensions(driver, problem);
	Size		bytes = sizeof(UsersArgument) + 2 * sizeof(float) * ld;
	char	   *argument = palloc0(bytes);
	Results		results = MakeResults(driver, sizeof(NodeUsers) + sizeof(float) * ld + sizeof(double) * d * d);
	double		loss;

	SendItems(driver, problem, factors);
	driver->users_exact = exact;
	driver->users_here = false;
	memcpy(argument, &(UsersArgument) {exact, driver->map != NULL, d > 0, driver->gain}, sizeof(UsersArgument));
	memcpy(argument + sizeof(UsersArgument), problem->user_mean, sizeof(float) * ld);
	if (driver->map)
		memcpy(argument + sizeof(UsersArgument) + sizeof(float) * ld, driver->map_mean, sizeof(float) * ld);
	RunStep(driver, STEP_USERS, argument, bytes, TakeResult, &results);
	loss = SumUsers(driver, problem, &results);
	pfree(argument);
	pfree(results.data);
	if (!isfinite(loss))
		CheckCore(MF_NOT_FINITE);
	return loss;
}

/* The sums of a block of items, from all nodes. */
typedef struct SumsBlock
{
	const Driver *driver;
	int64		first;
	int64		count;
	Size		width;			/* bytes of an item's */
	char	  **data;			/* of each node count x width */
	int64	   *received;		/* items, by node */
	Results    *losses;
} SumsBlock;

/* Takes a chunk of STEP_SUMS. */
static void
TakeSumsChunk(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	SumsBlock  *block = state;
	int64		at = header->first - block->first;

	if (header->channel == CHANNEL_RESULT)
	{
		TakeResult(block->losses, header, data, bytes);
		return;
	}
	if (header->channel != CHANNEL_SUMS || header->node < 0 || header->node >= block->driver->nnodes || at < 0 ||
		header->count > block->count - at || bytes != header->count * block->width)
		NodesDisagree("Sums are not those that were asked for.");
	memcpy(block->data[header->node] + at * block->width, data, bytes);
	block->received[header->node] += header->count;
}

/* Solves the items of a block from what nodes have sent: all of it or nothing, where they have no rows. */
static void
SolveBlock(const SumsBlock *block, MfAls *als, const int64 *start)
{
	int			nnodes = block->driver->nnodes;
	MfRows		rows = {.first = block->first,.nrows = block->count,.start = start + block->first};
	const char **parts = palloc(sizeof(char *) * nnodes);

	for (int n = 0; n < nnodes; n++)
	{
		if (block->received[n] != 0 && block->received[n] != block->count)
			NodesDisagree("Sums of items are missing.");
		parts[n] = block->received[n] > 0 ? block->data[n] : NULL;
	}
	CheckCore(mf_als_solve_sums(als, &rows, parts, nnodes));
	pfree(parts);
}

/*
 * Items at most whose sums are here at a time: sums of all nodes, of `width` bytes an item, twice, as Citus has them
 * and as they are taken, take half of the memory for maintenance, between LEAST_SUMS_BYTES and MOST_SUMS_BYTES.  Each
 * block is a query.
 */
static int64
ItemsAtOnce(const Driver *driver, const MfProblem *problem, Size width)
{
	int64		bytes = Min(Max(MaintenanceMemory() / 2, LEAST_SUMS_BYTES), MOST_SUMS_BYTES);

	return Min(problem->nitems, Max(1, bytes / (int64) (2 * width * driver->nnodes)));
}

/* Asks for the sums of a block of items; the first one begins the half-sweep with a basis. */
static void
AskForSums(Driver *driver, SumsBlock *block, bool exact, const float *basis, Size basis_bytes)
{
	SumsArgument argument = {block->first, block->count, block->first == 0, exact, driver->gain};
	Size		bytes = sizeof(argument) + (argument.begins ? basis_bytes : 0);
	char	   *data = palloc(bytes);
	int			settings;

	memset(block->received, 0, sizeof(int64) * driver->nnodes);
	memcpy(data, &argument, sizeof(argument));
	if (argument.begins && basis_bytes > 0)
		memcpy(data + sizeof(argument), basis, basis_bytes);
	settings = NewGUCNestLevel();
	/* chunks have little beside it */
	KeepAnswers(block->count * block->width * driver->nnodes * 5 / 4 + CHUNK_BYTES);
	RunStep(driver, STEP_SUMS, data, bytes, TakeSumsChunk, block);
	AtEOXact_GUC(true, settings);
	pfree(data);
}

/*
 * Row starts (n + 1) by which solving tells items with cells from those without.  It asks for no more of them, as the
 * cells themselves are on the nodes.
 */
static int64 *
RowStarts(const int32 *item_counts, int64 n)
{
	int64	   *start = HugeArray(n + 1, sizeof(int64));

	start[0] = 0;
	for (int64 i = 0; i < n; i++)
		start[i + 1] = start[i] + item_counts[i];
	return start;
}

/*
 * Room for the sums of a block of items from each node, which half-sweeps share; width: bytes of an item's.  Where an
 * exact half-sweep needs more than those before it, what there was goes with the training.
 */
static void
MakeBlock(Driver *driver, const MfProblem *problem, Size width)
{
	MemoryContext old;

	if (driver->sums && driver->block_width >= width)
		return;
	old = MemoryContextSwitchTo(driver->context);
	driver->block = ItemsAtOnce(driver, problem, width);
	driver->block_width = width;
	driver->sums = driver->sums ? driver->sums : palloc(sizeof(char *) * driver->nnodes);
	for (int n = 0; n < driver->nnodes; n++)
		driver->sums[n] = HugePageArray(driver->block, width);
	MemoryContextSwitchTo(old);
}

/* Solves all items, block by block, for a half-sweep that has begun with a basis. */
static void
SolveBlocks(Driver *driver, const MfProblem *problem, MfAls *als, bool exact, const int64 *start, const float *basis,
			Size basis_bytes, Results *losses)
{
	SumsBlock	block = {.driver = driver,.width = mf_als_sums_bytes(als),.losses = losses};

	MakeBlock(driver, problem, block.width);
	block.data = driver->sums;
	block.received = palloc(sizeof(int64) * driver->nnodes);
	for (; block.first < problem->nitems; block.first += block.count)
	{
		block.count = Min(driver->block, problem->nitems - block.first);
		AskForSums(driver, &block, exact, basis, basis_bytes);
		SolveBlock(&block, als, start);
	}
	pfree(block.received);
}

/*
 * A half-sweep of items; users' vectors stay on their nodes.  Returns the objective.  item_counts: of cells, or at
 * least whether there are any.  exact: false lets nodes round, see mf_als_begin_sums().
 *
 * The Gram matrix is that of the users as they were solved last, which SumUsers() has added up.  The basis made of it
 * goes to nodes with the first block.  What the objective has of users comes with it, a sum from each node, and they
 * are added in the order of nodes.
 */
double
SweepItemsBySums(Driver *driver, const MfProblem *problem, MfAls *als, const int32 *item_counts, bool exact)
{
	Size		basis_bytes = sizeof(float) * mf_als_basis_floats(als);
	float	   *basis = palloc(basis_bytes + 1);
	int64	   *start = RowStarts(item_counts, problem->nitems);
	Results		losses = MakeResults(driver, sizeof(double));
	double		loss;

	CheckCore(mf_als_begin_sums(als, exact, problem->has_interest ? driver->gram : NULL, NULL));
	mf_als_get_basis(als, basis);
	SolveBlocks(driver, problem, als, exact, start, basis, basis_bytes, &losses);
	CheckCore(mf_als_end(als, &loss));
	for (int n = 0; n < driver->nnodes; n++)
		loss += ((const double *) losses.data)[n];
	pfree(losses.data);
	pfree(start);
	pfree(basis);
	return loss;
}

/* Tells nodes with the next half-sweep by how much the last iteration lowered the loss: see mf_als_gain(). */
void
SetGainOfNodes(Driver *driver, double gain)
{
	driver->gain = gain;
}

/* The mean user, as weighted as nodes have them in their last half-sweep. */
void
MeanUserOfNodes(const Driver *driver, const MfProblem *problem, float *mean)
{
	memcpy(mean, driver->mean, sizeof(float) * mf_padded(problem->factors));
}

/* What nodes said of items in the objective of their last half-sweep: they know of no priors. */
double
ItemsLossOfNodes(const Driver *driver)
{
	return driver->items_loss;
}

/* The mean of users' biases. */
double
MeanBiasOfNodes(const Driver *driver)
{
	return driver->users > 0 ? driver->bias / driver->users : 0;
}

/*
 * The sum of the squared errors of standardized ratings, with these items and users as they were solved last.  Items
 * are sent again: what nodes have may be from before the last half-sweep of items.
 */
double
SquaredErrorsOfNodes(Driver *driver, const MfProblem *problem, const MfFactors *factors)
{
	Results		results = MakeResults(driver, sizeof(double));
	double		squares = 0;

	SendItems(driver, problem, factors);
	RunStep(driver, STEP_ERRORS, NULL, 0, TakeResult, &results);
	for (int n = 0; n < driver->nnodes; n++)
		squares += ((const double *) results.data)[n];
	pfree(results.data);
	return squares;
}
