/*
 * node_profiles.c - what a node knows of its users beside their ratings, and the points that they are drawn to.
 *
 * The driver has the attributes of all users, and sends them in the order of all users' ids, those without ratings behind
 * the others; a node takes those of its own.  From then on each map that comes says where its users are drawn to:
 * as on one node, see train/user_map.c.
 */
#include "postgres.h"

#include "compat.h"
#include "core/features/feature_map.h"
#include "distributed/chunk_ids.h"
#include "distributed/node_profiles.h"
#include "model/factor_rows.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"

/* Cells of attributes that are read from their file at a time. */
#define PART_CELLS (1 << 16)

/* What a node has of users' attributes. */
typedef struct NodeProfiles
{
	/* users without ratings, as the driver names them */
	NodeNumber *owner;			/* of all nodes: whose they are */
	int64		owners;
	int64		named;			/* of them, whose ids have come */
	IdMap	   *ids;			/* of here */
	int64	   *place;			/* theirs among users of all nodes */

	/* from STEP_PROFILES on */
	int64		come;			/* users of all nodes, whose cells have been here */
	int64		taken;			/* and those of here among them */
	Cells		cells;			/* users of here x nfeatures */
	int32		nfeatures;
	int32		block_start[2];
	float	   *map;			/* nfeatures x ld */
	float	   *scale;			/* nfeatures */
	bool		moved;			/* a map has come of which nothing has been made yet */
	float	   *prior;			/* users x ld: the points */
	bool	   *has_prior;
	bool		drawn;
} NodeProfiles;

/* What there is of them, from now on. */
static NodeProfiles *
OpenProfiles(NodeState *state)
{
	if (state->profiles == NULL)
	{
		state->profiles = palloc0(sizeof(NodeProfiles));
		state->profiles->ids = CreateIdMap(&state->source.user);
	}
	return state->profiles;
}

/* Takes whose the users without ratings are.  A node without rows knows no types of ids, and cannot store any. */
void
ReceiveProfileOwners(NodeState *state, const ChunkHeader *header, const char *data, Size bytes)
{
	NodeProfiles *profiles;
	const NodeNumber *owner = (const NodeNumber *) data;
	Size		all;

	if (bytes % sizeof(NodeNumber) != 0 || bytes / sizeof(NodeNumber) != (Size) header->count)
		NodeStepIsWrong();
	for (int64 i = 0; state->empty && i < header->count; i++)
		if (owner[i] == state->node)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("a node has no ratings, and users without ratings"),
					 errdetail("What user_features says of them cannot be learned there."),
					 errhint("Leave the argument distribute out, and the rows are brought to the node that is called.")));
	if (state->empty)
		return;
	profiles = OpenProfiles(state);
	if (state->phase != NODE_LISTED || header->first != profiles->owners)
		NodeStepIsWrong();
	all = sizeof(NodeNumber) * (Size) (profiles->owners + header->count);
	profiles->owner = profiles->owner ? repalloc_huge(profiles->owner, all) :
		MemoryContextAllocHuge(CurrentMemoryContext, Max(all, 1));
	memcpy(profiles->owner + profiles->owners, data, bytes);
	profiles->owners += header->count;
}

/* Takes ids of users without ratings: those of here. */
void
ReceiveProfileIds(NodeState *state, const ChunkHeader *header, const char *data, Size bytes)
{
	NodeProfiles *profiles = OpenProfiles(state);
	ChunkIds	ids;
	int64		id;
	int64		end = profiles->named + header->count;

	if (state->phase != NODE_LISTED || header->first != state->ordered + profiles->named || end > profiles->owners)
		NodeStepIsWrong();
	OpenChunkIds(&ids, &state->source.user, data, bytes);
	for (; profiles->named < end && NextChunkId(&ids, &id); profiles->named++)
		if (profiles->owner[profiles->named] == state->node)
			(void) AddId(profiles->ids, id);
	CloseChunkIds(&ids);
	if (profiles->named != end)
		NodeStepIsWrong();
}

/* Appends users without ratings to the others, once rows are sorted: their rows that are no ratings are theirs, too. */
void
AppendProfiles(NodeState *state)
{
	NodeProfiles *profiles = state->profiles;
	IdMap	   *users = state->ratings->users;
	int64		rated = users->count;

	if (profiles == NULL)
		return;
	if (profiles->named != profiles->owners)
		NodeStepIsWrong();
	for (int32 i = 0; i < profiles->ids->count; i++)
		if (AddId(users, IdAt(profiles->ids, i)) != rated + i)
			NodeStepIsWrong();
	profiles->place = HugeArray(profiles->ids->count, sizeof(int64));
	rated = 0;
	for (int64 i = 0; i < profiles->owners && rated < profiles->ids->count; i++)
		if (profiles->owner[i] == state->node)
			profiles->place[rated++] = state->ordered + i;
}

/* STEP_PROFILES: makes room for attributes of users, and what a map makes of them.  Argument: ProfilesArgument. */
void
BeginProfiles(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	NodeProfiles *profiles;
	ProfilesArgument argument;
	int64		ld = mf_padded(state->problem.factors);
	int64		nusers;
	int64		needed;

	if (state->empty)
		return;
	StepArgument(answer, &argument, sizeof(argument));
	profiles = OpenProfiles(state);
	nusers = state->ratings->users->count;
	if (profiles->prior || argument.nfeatures < 1 || argument.nfeatures > PG_INT32_MAX || state->user_place == NULL)
		NodeStepIsWrong();
	needed = (argument.nfeatures + nusers) * ld * (int64) sizeof(float);
	if (needed > MemoryLimit())
		TrainingExceedsMemory(needed, psprintf("A map of %lld features and what it makes of %lld users of a node must be in its memory.",
											   (long long) argument.nfeatures, (long long) nusers));
	profiles->nfeatures = profiles->block_start[1] = (int32) argument.nfeatures;
	profiles->map = AlignedZeroArray(argument.nfeatures * ld, sizeof(float));
	profiles->scale = HugeZeroArray(argument.nfeatures, sizeof(float));
	profiles->prior = AlignedZeroArray(nusers * ld, sizeof(float));
	profiles->has_prior = HugeZeroArray(nusers, sizeof(bool));
	InitSpilledCells(&profiles->cells, nusers, true, false, PART_CELLS);
}

/* The place among users of all nodes of the user of here whose cells come next; -1: there is none. */
static int64
NextPlace(const NodeState *state)
{
	const NodeProfiles *profiles = state->profiles;
	int64		rated = state->problem.nusers;

	if (profiles->taken < rated)
		return state->user_place[profiles->taken];
	return profiles->taken < rated + profiles->ids->count ? profiles->place[profiles->taken - rated] : -1;
}

/* Appends a user's n cells to those of users before. */
static void
TakeUserCells(NodeState *state, int32 *column, float *value, int64 n)
{
	NodeProfiles *profiles = state->profiles;
	int64		start[2] = {0, n};

	for (int64 c = 0; c < n; c++)
		if (column[c] < 0 || column[c] >= profiles->nfeatures)
			NodeStepIsWrong();
	AppendCells(&profiles->cells, &(MfMatrix) {.nrows = 1,.start = start,.column = column,.rating = value});
	profiles->taken++;
}

/* Takes cells of some users of all nodes: those of here. */
void
ReceiveUserFeatures(NodeState *state, const ChunkHeader *header, const char *data, Size bytes)
{
	NodeProfiles *profiles = state->profiles;
	int64		words = (int64) (bytes / sizeof(int32));
	int32	   *word;
	int64		ncells;
	int64		at = 0;

	if (state->phase != NODE_SOLVES || profiles == NULL || profiles->prior == NULL || header->first != profiles->come ||
		bytes % sizeof(int32) != 0 || header->count > words || (words - header->count) % 2 != 0)
		NodeStepIsWrong();
	ncells = (words - header->count) / 2;
	word = MemoryContextAllocHuge(CurrentMemoryContext, Max(bytes, 1));	/* aligned */
	memcpy(word, data, bytes);
	for (int64 r = 0; r < header->count; r++)
	{
		int32		n = word[r];
		int32	   *column = word + header->count + at;

		if (n < 0 || n > ncells - at)
			NodeStepIsWrong();
		if (profiles->come++ == NextPlace(state))
			TakeUserCells(state, column, (float *) (column + ncells), n);
		at += n;
	}
	pfree(word);
}

/* Takes a part of a map, or of the scale of its features. */
void
ReceiveMap(NodeState *state, const ChunkHeader *header, const char *data, Size bytes)
{
	NodeProfiles *profiles = state->profiles;
	bool		scale = header->channel == CHANNEL_MAP_SCALE;
	int64		width = scale ? 1 : mf_padded(state->problem.factors);

	if (state->phase != NODE_SOLVES || profiles == NULL || profiles->prior == NULL || header->first > profiles->nfeatures ||
		header->count > profiles->nfeatures - header->first || bytes != (Size) header->count * width * sizeof(float))
		NodeStepIsWrong();
	memcpy((scale ? profiles->scale : profiles->map) + header->first * width, data, bytes);
	profiles->moved = true;
}

/* Begins a pass over the cells. */
static MfError
RewindPass(void *state)
{
	RewindCells(state);
	return MF_OK;
}

/* The next part of it. */
static bool
NextPass(void *state, MfRows *rows)
{
	return NextCells(state, rows);
}

/* The points that users are drawn to, once a map has come, from the mean user that it goes with. */
static void
MapProfiles(NodeState *state, const float *mean)
{
	NodeProfiles *profiles = state->profiles;
	int64		nusers = state->ratings->users->count;
	int64		ld = mf_padded(state->problem.factors);
	MfFeatureMatrix matrix = {.nitems = nusers,.nfeatures = profiles->nfeatures,
		.by_item = {&profiles->cells, RewindPass, NextPass},.nblocks = 1,.block_start = profiles->block_start,
	.ncells = profiles->cells.start[nusers]};
	MfMapFit	fit = {.matrix = &matrix,.parallel = &state->parallel,.scale = profiles->scale,
	.factors = mf_map_columns(state->problem.factors)};

	if (profiles->taken != nusers)
		NodeStepIsWrong();
	CheckCore(mf_map_apply(&fit, profiles->map, profiles->prior));
	for (int64 u = 0; u < nusers; u++)
		for (int k = 0; k < state->problem.shared; k++)
			profiles->prior[u * ld + k] += mean[k];
	profiles->moved = false;
}

/* Says what users are drawn to in the next half-sweep: what the last map makes of them, or the mean user. */
void
DrawUsersOfNode(NodeState *state, bool drawn, const float *mean)
{
	NodeProfiles *profiles = state->profiles;

	if (drawn && (profiles == NULL || profiles->prior == NULL))
		NodeStepIsWrong();
	if (drawn && profiles->moved)
		MapProfiles(state, mean);
	if (profiles)
		profiles->drawn = drawn;
	state->problem.user_prior = drawn ? profiles->prior : NULL;
}

/*
 * Users are solved for the last time: gives those without ratings whose point is not the mean user their vectors, and a
 * bias, and *rows what is stored of the points.  Once.
 */
void
PutProfiles(NodeState *state, float mean_bias, FactorRows *rows)
{
	NodeProfiles *profiles = state->profiles;
	int64		rated = state->problem.nusers;
	int64		nusers = state->ratings->users->count;
	int64		ld = mf_padded(state->problem.factors);

	if (profiles == NULL || profiles->prior == NULL)
		return;
	for (int64 u = 0; u < nusers && profiles->drawn; u++)
	{
		const float *prior = profiles->prior + u * ld;

		profiles->has_prior[u] = memcmp(prior, state->mean_user, sizeof(float) * state->problem.shared) != 0;
		if (u < rated || !profiles->has_prior[u])
			continue;
		memcpy(state->factors.user + u * ld, prior, sizeof(float) * ld);
		if (state->factors.user_bias)
			state->factors.user_bias[u] = mean_bias;
	}
	DropTiny(profiles->prior, nusers * ld);
	rows->priors = profiles->drawn ? profiles->prior : NULL;
	rows->has_prior = profiles->has_prior;
	rows->shared = state->problem.shared;
	rows->rated = rated;
}

/* Frees their file. */
void
FreeProfiles(NodeState *state)
{
	if (state->profiles && state->profiles->prior)
		FreeCells(&state->profiles->cells);
}
