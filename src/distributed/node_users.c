/*
 * node_users.c - a node's users as the driver asks for some of them: by their numbers among those of all nodes.
 *
 * On one node users have numbers in the order of their ids, by which rows are held out and samples drawn.  So that the
 * same are drawn here, the driver merges the ids of all nodes, and each node learns which places its users have.
 * Afterwards the driver names users by a node and a number on it, which are those of its own order.
 */
#include "postgres.h"

#include "compat.h"
#include "core/base/padding.h"
#include "distributed/node_users.h"
#include "pg/alloc.h"

/* The chunk of STEP_USER_IDS: ids, from the one that the argument has for this node on. */
static bytea *
NextUserIds(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	const IdMap *users;

	if (answer->part++ > 0 || state->empty)
		return NULL;
	users = state->ratings->users;
	/* once rows are sorted, users are in the order of their ids */
	return PackIds(users, state->phase == NODE_LISTED ? state->user_order : NULL, NULL, answer->node, CHANNEL_USER_IDS,
				   users->count, &answer->at);
}

/* STEP_USER_IDS: the next ids of users, as many as go with a chunk.  Argument: int64, from which on, of each node. */
void
BeginUserIds(NodeAnswer *answer)
{
	NodeState  *state = answer->state;

	answer->next = NextUserIds;
	if (state->empty)
		return;
	if (answer->node < 0 || answer->bytes / sizeof(int64) <= (Size) answer->node)
		NodeStepIsWrong();
	memcpy(&answer->at, answer->argument + sizeof(int64) * answer->node, sizeof(int64));
	if (answer->at < 0)
		NodeStepIsWrong();
	if (state->phase == NODE_LISTED && state->user_order == NULL)
		state->user_order = IdOrder(state->ratings->users);
}

/* Takes, of some users of all nodes in the order of ids, whose they are: those of here get their places. */
void
ReceiveUserOrder(NodeState *state, const ChunkHeader *header, const char *data, Size bytes)
{
	int64		count;

	if (state->phase != NODE_LISTED || header->count > (int64) (bytes / sizeof(NodeNumber)) ||
		bytes != (Size) header->count * sizeof(NodeNumber) || header->first != state->ordered)
		NodeStepIsWrong();
	state->ordered += header->count;
	count = state->ratings->users->count;
	if (state->user_place == NULL)
		state->user_place = HugeArray(count, sizeof(int64));
	for (int64 i = 0; i < header->count; i++)
	{
		NodeNumber	node;

		memcpy(&node, data + i * sizeof(NodeNumber), sizeof(NodeNumber));
		if (node != state->node)
			continue;
		if (state->placed >= count)
			NodeStepIsWrong();
		state->user_place[state->placed++] = header->first + i;
	}
}

/* The next chunk of an array with a number of so many bits, 1 or 32, of each user. */
bytea *
NextOfUsers(NodeAnswer *answer, Channel channel, const void *values, int bits)
{
	int64		first = answer->at;
	int64		count;

	if (answer->state->empty || first >= answer->state->problem.nusers)
		return NULL;
	count = Min(answer->state->problem.nusers - first, INT64CONST(8) * CHUNK_BYTES / bits);
	answer->at += count;
	return MakeChunk(answer->node, channel, first, count, (const char *) values + first * bits / 8, (count * bits + 7) / 8);
}

/* The chunks of STEP_COUNTS. */
static bytea *
NextCounts(NodeAnswer *answer)
{
	return NextOfUsers(answer, CHANNEL_USER_COUNTS, answer->state->user_counts, 8 * sizeof(int32));
}

/* STEP_COUNTS: how many cells each user has. */
void
BeginCounts(NodeAnswer *answer)
{
	answer->next = NextCounts;
}

/*
 * The next of the users that a step's argument has for this node, which must ascend, as their cells are read in their
 * order; one may come several times.  answer->at: its place in the argument, plus 1.  False: there are no more.
 */
bool
NextChosen(NodeAnswer *answer, ChosenUser *chosen)
{
	while ((Size) answer->at < answer->bytes / sizeof(ChosenUser))
	{
		memcpy(chosen, answer->argument + sizeof(ChosenUser) * answer->at++, sizeof(ChosenUser));
		if (chosen->node != answer->node)
			continue;
		if (chosen->user < 0 || chosen->user >= answer->state->problem.nusers)
			NodeStepIsWrong();
		return true;
	}
	return false;
}

/* The cells of a user, in *rows, of which it is row *row; users ascend from one call to the next. */
static int64
FindUserCells(NodeState *state, int32 user)
{
	MfRows	   *part = &state->user_part;

	if (user < part->first)
		NodeStepIsWrong();
	while (user >= part->first + part->nrows)
		if (!NextCells(&state->ratings->by_user, part))
			NodeStepIsWrong();
	return user - part->first;
}

/* Writes n cells from the `first` one on: columns, then ratings and weights, where they have any. */
void
PutCells(char *to, const MfRows *rows, int64 first, int64 n)
{
	memcpy(to, rows->column + first, sizeof(int32) * n);
	to += sizeof(int32) * n;
	if (rows->rating)
	{
		memcpy(to, rows->rating + first, sizeof(float) * n);
		to += sizeof(float) * n;
	}
	if (rows->weight)
		memcpy(to, rows->weight + first, sizeof(float) * n);
}

/* A chunk with a user; of one with cells their row in state->user_part is r, else that is negative. */
static bytea *
PackUser(const NodeAnswer *answer, int32 user, int64 r)
{
	NodeState  *state = answer->state;
	const MfFactors *factors = MeasuredFactors(state);
	const MfRows *part = &state->user_part;
	int			ld = mf_padded(MeasuredProblem(state)->factors);
	int64		first = r < 0 ? 0 : part->start[r];
	int64		n = r < 0 ? 0 : part->start[r + 1] - first;
	SentUser	sent = {.at = (int32) answer->at - 1,.ncells = (int32) n,.has_ratings = n > 0 && part->rating,
		.has_weights = n > 0 && part->weight,.bias = factors->user_bias ? factors->user_bias[user] : 0};
	bytea	   *chunk;
	char	   *to;

	/* as CountCells() has it */
	for (int64 c = first; c < first + n; c++)
		sent.likes += state->ratings->dislikes == 0 || part->weight == NULL || part->weight[c] > 0;
	sent.likes = Max(sent.likes, n > 0);
	chunk = MakeChunk(answer->node, CHANNEL_USERS, 0, 1, NULL, sizeof(SentUser) + sizeof(float) *
					  (ld + n * (1 + sent.has_ratings + sent.has_weights)));
	to = ChunkData(chunk);
	memcpy(to, &sent, sizeof(SentUser));
	to += sizeof(SentUser);
	memcpy(to, factors->user + (int64) user * ld, sizeof(float) * ld);
	if (n > 0)
		PutCells(to + sizeof(float) * ld, part, first, n);
	return chunk;
}

/* The chunks of STEP_CELLS: one a user, as those of who has many items are large. */
static bytea *
NextUserCells(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	ChosenUser	chosen;
	NodeCall	call;
	int64		row;

	if (state->empty || !NextChosen(answer, &chosen))
		return NULL;
	/* cells may be read from a file, which is the training's; the chunk is the query's */
	EnterNode(state, &call);
	row = FindUserCells(state, chosen.user);
	LeaveNode(&call);
	return PackUser(answer, chosen.user, row);
}

/* STEP_CELLS: users' vectors and what they have.  Argument: ChosenUser of each. */
void
BeginCells(NodeAnswer *answer)
{
	NodeState  *state = answer->state;

	answer->next = NextUserCells;
	if (state->empty)
		return;
	RewindCells(&state->ratings->by_user);
	memset(&state->user_part, 0, sizeof(MfRows));
}

/* The chunks of STEP_VECTORS. */
static bytea *
NextVectors(NodeAnswer *answer)
{
	ChosenUser	chosen;

	if (answer->state->empty || !NextChosen(answer, &chosen))
		return NULL;
	return PackUser(answer, chosen.user, -1);
}

/* STEP_VECTORS: users' vectors.  Argument: ChosenUser of each. */
void
BeginVectors(NodeAnswer *answer)
{
	answer->next = NextVectors;
}

/* STEP_LEAVE_OUT: users who do not count for sums of items.  Argument: ChosenUser of each; none: all count again. */
void
BeginLeaveOut(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	ChosenUser	chosen;

	if (state->empty)
		return;
	if (state->left_out)
		pfree(state->left_out);
	state->left_out = NULL;
	if (answer->bytes == 0)
		return;
	state->left_out = HugeZeroArray(state->problem.nusers, sizeof(bool));
	while (NextChosen(answer, &chosen))
		state->left_out[chosen.user] = true;
}

/* Room for the cells of a part of the items. */
static void
ReserveRest(NodeState *state, const MfRows *rows)
{
	MfMatrix   *rest = &state->rest;
	int64		cells = rows->start[rows->nrows] - rows->start[0];

	if (rows->nrows > state->rest_rows)
	{
		if (state->rest_rows > 0)
			pfree(rest->start);
		state->rest_rows = rows->nrows;
		rest->start = HugeArray(rows->nrows + 1, sizeof(int64));
	}
	if (cells <= state->rest_cells)
		return;
	if (state->rest_cells > 0)
	{
		pfree(rest->column);
		if (rest->rating)
			pfree(rest->rating);
		if (rest->weight)
			pfree(rest->weight);
	}
	state->rest_cells = cells;
	rest->column = HugeArray(cells, sizeof(int32));
	rest->rating = rows->rating ? HugeArray(cells, sizeof(float)) : NULL;
	rest->weight = rows->weight ? HugeArray(cells, sizeof(float)) : NULL;
}

/* Puts in place of a part of the items' cells those of users who are not left out, until the next call. */
void
LeaveUsersOut(NodeState *state, MfRows *rows)
{
	MfMatrix   *rest = &state->rest;
	int64		n = 0;

	ReserveRest(state, rows);
	for (int64 r = 0; r < rows->nrows; r++)
	{
		rest->start[r] = n;
		for (int64 c = rows->start[r]; c < rows->start[r + 1]; c++)
		{
			if (state->left_out[rows->column[c]])
				continue;
			rest->column[n] = rows->column[c];
			if (rows->rating)
				rest->rating[n] = rows->rating[c];
			if (rows->weight)
				rest->weight[n] = rows->weight[c];
			n++;
		}
	}
	rest->start[rows->nrows] = n;
	*rows = (MfRows) {rows->first, rows->nrows, rest->start, rest->column, rows->rating ? rest->rating : NULL,
		rows->weight ? rest->weight : NULL};
}
