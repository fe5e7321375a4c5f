/*
 * node_sweep.c - a node's half-sweeps: its users solved, and its part of what items are solved from.
 *
 * The numerics are core/als, as on one node: a half-sweep of users takes any of them with all items, and items' systems
 * are sums over users.  How far a half-sweep may round the fixed side's vectors goes by the loss of all nodes.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "core/als/als_sums.h"
#include "core/linalg/gram.h"
#include "core/predict/predict.h"
#include "distributed/node_profiles.h"
#include "distributed/node_sweep.h"
#include "distributed/node_users.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"

/* MfFloats: an array of a training's. */
static float *
TakeFloats(int64_t n)
{
	return HugePageArray(n, sizeof(float));
}

/*
 * Brings rows to the scale of all nodes'.  Weights and ratings are as they were given until then, as what they are
 * scaled by is known only when the sums of all nodes are.
 */
static void
ScaleRows(NodeState *state, const NodeProblem *given)
{
	Ratings    *ratings = state->ratings;

	ratings->dislikes = given->weights.dislikes;
	ratings->weight_scale = given->weight_scale;
	ratings->value_scale = given->value_scale;
	RescaleWeights(ratings, &given->weights);
	if (!ratings->is_explicit)
		return;
	ratings->mean = given->mean;
	ratings->deviation = given->deviation;
	ratings->user_variance = given->objective.user_variance;
	RescaleRatings(ratings);
}

/*
 * An error where there is no memory for the factors, or numbers make no sense: whoever calls may have made them up, and
 * arrays are made and walked by them.
 */
static void
CheckProblem(const NodeState *state, const WeightSums *weights)
{
	const MfProblem *problem = &state->problem;
	bool		weighted = state->ratings->rows == 0 || CellsHaveWeights(&state->ratings->by_user);
	int64		vector = sizeof(float) * mf_padded(problem->factors);
	int64		needed;

	if (state->objective.factors < 1 || state->objective.factors > MF_MAX_FACTORS || state->objective.rating_factors < 0 ||
		state->objective.rating_factors > MF_MAX_FACTORS || problem->factors < 1 || problem->factors > MF_MAX_FACTORS || problem->shared < 0 ||
		problem->shared > problem->factors || problem->has_rating != state->ratings->is_explicit ||
		!(problem->has_rating || problem->has_interest) ||
		(state->objective.rating_factors > 0 && !(problem->has_rating && problem->has_interest)) ||
		(state->objective.rating_roots != 0 && state->objective.rating_roots != mf_slower_ratings(&state->objective)) ||
		(weights->present && !weighted) || (weights->dislikes != 0 && !weights->present))
		NodeStepIsWrong();
	needed = (problem->nusers + 2 * problem->nitems) * vector + (int64) mf_als_size(problem, &state->parallel);
	if (needed > MemoryLimit())
		TrainingExceedsMemory(needed,
							  psprintf("%d factors of the %lld users of a node and of all %lld items must be in its memory.",
									   problem->factors, (long long) problem->nusers, (long long) problem->nitems));
}

/* Makes room for factors, of which none is known yet. */
static void
MakeFactors(NodeState *state)
{
	const MfProblem *problem = &state->problem;
	int64		ld = mf_padded(problem->factors);
	int64		nusers = state->ratings->users->count;	/* those without ratings, too */

	state->factors.user = HugePageArray(nusers * ld, sizeof(float));
	if (problem->has_rating)
	{
		state->factors.rating = HugePageArray(problem->nitems * ld, sizeof(float));
		state->factors.user_bias = HugePageArray(nusers, sizeof(float));
		state->factors.item_bias = HugePageArray(problem->nitems, sizeof(float));
		state->factors.user_spread = state->ratings->spread;
	}
	if (problem->has_interest)
		state->factors.interest = HugePageArray(problem->nitems * ld, sizeof(float));
}

/* STEP_BEGIN: the problem is known.  Argument: NodeProblem. */
void
BeginProblem(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	MfProblem  *problem = &state->problem;
	NodeProblem given;
	int32	   *likes;

	if (state->empty)
		return;
	StepArgument(answer, &given, sizeof(given));
	state->objective = given.objective;
	*problem = mf_objective_problem(&given.objective, state->ratings->by_user.nrows, state->ratings->by_item.nrows);
	CheckProblem(state, &given.weights);
	ScaleRows(state, &given);
	problem->int16 = given.int16;
	problem->int8 = given.int8;
	problem->rests = given.rests;
	problem->weighted = CellsHaveWeights(&state->ratings->by_user);
	state->user_counts = CountCells(&state->ratings->by_user, state->ratings->users->count, false);
	likes = CountCells(&state->ratings->by_user, problem->nusers, state->ratings->dislikes > 0);
	state->mean_user = HugePageArray(mf_padded(problem->factors), sizeof(float));
	problem->user_mean = state->mean_user;
	mf_objective_regularize(&state->objective, likes, state->item_counts, TakeFloats, problem);
	pfree(likes);
	MakeFactors(state);
	state->als = mf_als_init(HugePageArray(mf_als_size(problem, &state->parallel), 1), problem, &state->factors,
							 &state->parallel);
	state->phase = NODE_SOLVES;
	ReportPhase(PHASE_SWEEP);
}

/*
 * How many dimensions a Gram matrix of users has: those that both parts of the objective share.  With ratings alone there
 * is none, as nothing is said of what is not observed.
 */
static int
GramDimensions(const MfProblem *problem)
{
	return problem->shared > 0 ? problem->shared : problem->factors;
}

/* The mean of users, with what it weighs among those of all nodes. */
static void
MeanOfNode(const NodeState *state, NodeUsers *users, float *mean)
{
	const MfProblem *problem = &state->problem;
	const float *pull = problem->has_interest ? problem->user_pull : NULL;

	for (int64 u = 0; u < problem->nusers; u++)
	{
		users->pull += pull ? pull[u] : 1;
		users->bias += state->factors.user_bias ? state->factors.user_bias[u] : 0;
	}
	mf_mean_user(problem, state->factors.user, pull, mean);
}

/*
 * The chunk of STEP_USERS: NodeUsers, the mean user, and maybe the Gram matrix, which are all that the step gives of its
 * users.  The loss of items is taken out of the node's, or the driver would count it once for each node.
 */
static bytea *
NextUsers(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	const MfProblem *problem = &state->problem;
	int			ld = mf_padded(problem->factors);
	int			d = GramDimensions(problem);
	UsersArgument argument;
	Size		gram_bytes;
	Size		bytes;
	char	   *data;
	NodeUsers	users = {0};
	double	   *gram;
	float	   *mean;
	double		loss;

	if (answer->part++ > 0 || state->empty)
		return NULL;
	memcpy(&argument, answer->argument, sizeof(argument));
	gram_bytes = problem->has_interest && argument.gram ? sizeof(double) * d * d : 0;
	bytes = sizeof(NodeUsers) + sizeof(float) * ld + gram_bytes;
	CheckCore(mf_als_end(state->als, &loss));
	data = palloc0(bytes);
	mean = AlignedZeroArray(ld, sizeof(float));
	MeanOfNode(state, &users, mean);
	memcpy(data + sizeof(NodeUsers), mean, sizeof(float) * ld);
	users.items_loss = mf_als_fixed_loss(state->als);
	users.loss = loss - users.items_loss;
	memcpy(data, &users, sizeof(users));
	if (gram_bytes > 0)
	{
		gram = palloc(gram_bytes);
		CheckCore(mf_gram_sums(&state->parallel, state->factors.user, ld, NULL, problem->nusers, d, NULL, gram,
							   palloc(mf_gram_sums_size(d))));
		memcpy(data + sizeof(NodeUsers) + sizeof(float) * ld, gram, gram_bytes);
	}
	return MakeChunk(answer->node, CHANNEL_RESULT, 0, 0, data, bytes);
}

/* STEP_USERS: a half-sweep of users; items' vectors have come.  Argument: UsersArgument and two mean users. */
void
BeginUsers(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	Cells	   *cells = &state->ratings->by_user;
	UsersArgument argument;
	Size		mean_bytes = sizeof(float) * mf_padded(state->problem.factors);
	float	   *map_mean;
	MfRows		rows;

	answer->next = NextUsers;
	if (state->empty)
		return;
	StepArgument(answer, &argument, sizeof(argument));
	if (answer->bytes != sizeof(argument) + 2 * mean_bytes)
		NodeStepIsWrong();
	memcpy(state->mean_user, answer->argument + sizeof(argument), mean_bytes);
	map_mean = palloc(mean_bytes);
	memcpy(map_mean, answer->argument + sizeof(argument) + mean_bytes, mean_bytes);
	DrawUsersOfNode(state, argument.drawn, map_mean);
	pfree(map_mean);
	mf_als_set_gain(state->als, argument.gain);
	CheckCore(mf_als_begin(state->als, MF_USERS, argument.exact, NULL));
	RewindCells(cells);
	while (NextCells(cells, &rows))
		CheckCore(mf_als_rows(state->als, &rows));
}

/*
 * Begins with the first of the items again.  They come in their order and none twice, as their cells are read through:
 * they may lie in files.
 */
void
BeginItemRows(NodeState *state)
{
	RewindCells(&state->ratings->by_item);
	memset(&state->part, 0, sizeof(MfRows));
	state->next_item = 0;
}

/* An error where what is asked for are not the next items, which each call has to go on with. */
void
CheckItems(const NodeState *state, const SumsArgument *argument)
{
	if (argument->first != state->next_item || argument->count < 1 || state->ratings->by_item.nrows == 0 ||
		argument->count > state->problem.nitems - argument->first)
		NodeStepIsWrong();
}

/* The next items before `end`, with their cells: as many as the part of these has that is at hand, or is read now. */
MfRows
NextItemRows(NodeState *state, int64 end)
{
	MfRows		rows;
	int64		skip;

	while (state->part.nrows == 0 || state->next_item >= state->part.first + state->part.nrows)
		if (!NextCells(&state->ratings->by_item, &state->part))
			NodeStepIsWrong();
	rows = state->part;
	skip = state->next_item - rows.first;
	rows.first += skip;
	rows.start += skip;
	rows.nrows = Min(rows.nrows - skip, end - rows.first);
	return rows;
}

/* Chunks of STEP_SUMS: what regularization makes of users, once a half-sweep, then items' sums. */
static bytea *
NextSums(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	SumsArgument argument;
	NodeCall	call;
	MfRows		rows;
	double		loss;
	bytea	   *chunk;

	if (state->empty)
		return NULL;
	StepArgument(answer, &argument, sizeof(argument));
	if (answer->part++ == 0 && argument.begins)
	{
		loss = mf_als_fixed_loss(state->als);
		return MakeChunk(answer->node, CHANNEL_RESULT, 0, 0, &loss, sizeof(loss));
	}
	if (state->next_item >= argument.first + argument.count)
		return NULL;
	/* cells may be read from a file, which is the training's; the chunk is the query's */
	EnterNode(state, &call);
	rows = NextItemRows(state, argument.first + argument.count);
	rows.nrows = Min(rows.nrows, Max(1, CHUNK_BYTES / (int64) mf_als_sums_bytes(state->als)));
	if (state->left_out)
		LeaveUsersOut(state, &rows);
	LeaveNode(&call);
	chunk = MakeChunk(answer->node, CHANNEL_SUMS, rows.first, rows.nrows, NULL,
					  mf_als_sums_bytes(state->als) * rows.nrows);
	CheckCore(mf_als_sums(state->als, &rows, ChunkData(chunk)));
	state->next_item += rows.nrows;
	return chunk;
}

/*
 * STEP_SUMS: sums of the next items over users of here, from the first one on.  Argument: SumsArgument, and the basis
 * where a half-sweep begins: only then are cells read from the first item on.
 */
void
BeginSums(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	SumsArgument argument;
	Size		floats;
	float	   *basis;

	answer->next = NextSums;
	if (state->empty)
		return;
	StepArgument(answer, &argument, sizeof(argument));
	floats = mf_als_basis_floats(state->als);
	if (argument.begins)
	{
		if (answer->bytes != sizeof(argument) + sizeof(float) * floats || argument.first != 0)
			NodeStepIsWrong();
		basis = palloc(sizeof(float) * (floats + 1));
		memcpy(basis, answer->argument + sizeof(argument), sizeof(float) * floats);
		mf_als_set_gain(state->als, argument.gain);
		CheckCore(mf_als_begin_sums(state->als, argument.exact, NULL, floats > 0 ? basis : NULL));
		pfree(basis);
		BeginItemRows(state);
	}
	CheckItems(state, &argument);
}

/* The chunk of STEP_ERRORS. */
static bytea *
NextErrors(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	Cells	   *cells;
	MfRows		rows;
	double	   *sums;
	double		squares = 0;
	NodeCall	call;

	if (answer->part++ > 0 || state->empty)
		return NULL;
	EnterNode(state, &call);
	cells = &state->ratings->by_user;
	sums = HugeArray(state->problem.nusers, sizeof(double));
	RewindCells(cells);
	while (NextCells(cells, &rows))
	{
		CheckCore(mf_squared_errors(&state->parallel, &state->problem, &state->factors, &rows,
									state->objective.rating_gain, sums));
		for (int64 r = 0; r < rows.nrows; r++)
			squares += sums[r];
	}
	pfree(sums);
	LeaveNode(&call);
	return MakeChunk(answer->node, CHANNEL_RESULT, 0, 0, &squares, sizeof(squares));
}

/* STEP_ERRORS: squared errors of standardized ratings, summed; of problems with a rating part. */
void
BeginErrors(NodeAnswer *answer)
{
	answer->next = NextErrors;
	if (!answer->state->empty && answer->state->factors.rating == NULL)
		NodeStepIsWrong();
}
