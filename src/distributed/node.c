/*
 * node.c - the steps of a training on a node, as its driver asks for them.
 *
 * A step comes as a call, once a node, and gives chunks; node_read.c, node_sweep.c and node_store.c do what it says.
 * What a step needs in bulk, items' ids and vectors, comes before it, as chunks of the driver's.
 *
 * Calls may come from anybody, so whatever does not fit what the training has here is an error, never more.
 */
#include "postgres.h"

#include "compat.h"
#include "distributed/node.h"
#include "distributed/node_items.h"
#include "distributed/node_profiles.h"
#include "distributed/node_read.h"
#include "distributed/node_served.h"
#include "distributed/node_store.h"
#include "distributed/node_sweep.h"
#include "distributed/node_take.h"
#include "distributed/node_users.h"
#include "distributed/node_validate.h"
#include "pg/alloc.h"

/* A step, and how far a training must be for it: from one phase to another, mostly the same. */
typedef struct Step
{
	const char *name;
	NodePhase	phase;
	void		(*begin) (NodeAnswer *answer);
	NodePhase	until;
} Step;

/* No chunks, or none any more. */
static bytea *
NextOfNothing(NodeAnswer *answer)
{
	(void) answer;
	return NULL;
}

/* The training ends here. */
static void
BeginEnd(NodeAnswer *answer)
{
	FreeProfiles(answer->state);
	FreeNodeState(answer->state);
	answer->state = NULL;
}

/* All steps.  One that comes out of turn would find arrays missing, so each has the phase that makes them. */
static const Step steps[] = {
	{STEP_OPEN, NODE_TAKES, BeginOpen, NODE_TAKES},
	{STEP_TAKE, NODE_TAKES, BeginTake, NODE_TAKES},
	{STEP_ITEMS, NODE_TAKES, BeginItems, NODE_TAKES},
	{STEP_USER_IDS, NODE_LISTED, BeginUserIds, NODE_SOLVES},
	{STEP_TIMES, NODE_LISTED, BeginTimes, NODE_LISTED},
	{STEP_SORT, NODE_LISTED, BeginSort, NODE_LISTED},
	{STEP_BEGIN, NODE_SORTED, BeginProblem, NODE_SORTED},
	{STEP_PROFILES, NODE_SOLVES, BeginProfiles, NODE_SOLVES},
	{STEP_ITEM_CELLS, NODE_SOLVES, BeginItemCells, NODE_SOLVES},
	{STEP_USERS, NODE_SOLVES, BeginUsers, NODE_SOLVES},
	{STEP_USER_VECTORS, NODE_SOLVES, BeginUserVectors, NODE_SOLVES},
	{STEP_SUMS, NODE_SOLVES, BeginSums, NODE_SOLVES},
	{STEP_COUNTS, NODE_SOLVES, BeginCounts, NODE_SOLVES},
	{STEP_CELLS, NODE_SOLVES, BeginCells, NODE_SOLVES},
	{STEP_VECTORS, NODE_SOLVES, BeginVectors, NODE_SOLVES},
	{STEP_LEAVE_OUT, NODE_SOLVES, BeginLeaveOut, NODE_SOLVES},
	{STEP_HELD_OUT, NODE_SOLVES, BeginHeldOut, NODE_SOLVES},
	{STEP_HELD_ROWS, NODE_SOLVES, BeginHeldRows, NODE_SOLVES},
	{STEP_HELD_ERRORS, NODE_SOLVES, BeginHeldErrors, NODE_SOLVES},
	{STEP_SERVED, NODE_SOLVES, BeginServed, NODE_SOLVES},
	{STEP_ERRORS, NODE_SOLVES, BeginErrors, NODE_SOLVES},
	{STEP_STORE, NODE_SOLVES, BeginStore, NODE_SOLVES},
	{STEP_STORE_ITEMS, NODE_SOLVES, BeginStoreItems, NODE_SOLVES},
	{STEP_END, NODE_SOLVES, BeginEnd, NODE_SOLVES}
};

/*
 * Begins a step of a training on this node, which has the number `node` among them.  The answer's chunks are its
 * `next`'s; what it is made of belongs to the training.  argument: stays until the answer is complete.
 */
void
BeginNodeStep(NodeAnswer *answer, int64 job, int node, const char *name, const bytea *argument)
{
	NodeState  *state = FindNodeState(job);
	const Step *step = NULL;
	NodeCall	call;

	for (int i = 0; i < (int) lengthof(steps); i++)
		if (strcmp(steps[i].name, name) == 0)
			step = &steps[i];
	if (step == NULL)
		NodeStepIsWrong();

	/*
	 * It begins here.  A node to which no row comes has no phases: all steps go through, and give what no rows come to.
	 */
	if (state == NULL && step->phase == NODE_TAKES)
		state = OpenNodeState(job);
	if (state == NULL || ((state->phase < step->phase || state->phase > step->until) && !state->empty))
		NodeStepIsWrong();
	BeginNodeTurn(state);
	state->node = node;
	*answer = (NodeAnswer) {.state = state,.job = job,.turn = state->turn,.node = node,.next = NextOfNothing};
	answer->argument = VARDATA(argument);
	answer->bytes = VARSIZE(argument) - VARHDRSZ;
	EnterNode(state, &call);
	step->begin(answer);
	LeaveNode(&call);
}

/*
 * The next chunk of an answer, palloc'd; NULL at its end.  An error where another step of the training has begun
 * meanwhile, which would find it in a state of neither.
 */
bytea *
NextNodeChunk(NodeAnswer *answer)
{
	if (answer->state && (FindNodeState(answer->job) != answer->state || answer->state->turn != answer->turn))
		NodeStepIsWrong();
	return answer->next(answer);
}

/*
 * Takes floats of items first .. first + count - 1, `width` each, into an array of all.  An error where they are not
 * within it, and where the problem has no such array; before STEP_BEGIN there is none.
 */
static void
ReceiveFloats(const NodeState *state, const ChunkHeader *header, const char *data, Size bytes, float *to, int width)
{
	if (to == NULL || header->first > state->problem.nitems || header->count > state->problem.nitems - header->first ||
		bytes != (Size) header->count * width * sizeof(float))
		NodeStepIsWrong();
	memcpy(to + header->first * width, data, bytes);
}

/* Takes items' counts, which come once all ids have. */
static void
ReceiveCounts(NodeState *state, const ChunkHeader *header, const char *data, Size bytes)
{
	int64		nitems = state->ratings ? state->ratings->by_item.nrows : 0;

	if (state->phase != NODE_SORTED || header->first > nitems || header->count > nitems - header->first ||
		bytes != (Size) header->count * sizeof(int32))
		NodeStepIsWrong();
	memcpy(state->item_counts + header->first, data, bytes);
}

/* Takes numbers of items, `width` bytes each, that are stored with them: into an array of all, made with the first. */
static void
ReceiveStored(NodeState *state, const ChunkHeader *header, const char *data, Size bytes, void **to, Size width)
{
	int64		nitems = state->problem.nitems;

	if (state->phase != NODE_SOLVES || header->first > nitems || header->count > nitems - header->first ||
		bytes != header->count * width)
		NodeStepIsWrong();
	if (*to == NULL)
		*to = HugeZeroArray(nitems, width);
	memcpy((char *) *to + header->first * width, data, bytes);
}

/*
 * Takes a chunk that the driver has sent to all nodes.  An error where the training is not here, and where its phase,
 * or what it has of items, does not fit: chunks are the same for all nodes, so each checks them by its own state.
 */
void
ReceiveChunk(int64 job, const bytea *chunk)
{
	NodeState  *state = FindNodeState(job);
	ChunkHeader header;
	Size		bytes;
	const char *data = ReadChunk(chunk, &header, &bytes);
	NodeCall	call;
	MfFactors  *factors;
	int			ld;

	if (state == NULL)
		NodeStepIsWrong();
	if (state->empty && header.channel != CHANNEL_PROFILE_OWNERS)
		return;
	ld = state->phase == NODE_SOLVES ? mf_padded(MeasuredProblem(state)->factors) : 0;
	factors = MeasuredFactors(state);
	EnterNode(state, &call);
	switch (header.channel)
	{
		case CHANNEL_ITEM_IDS:
			ReceiveIds(state, state->items, &header, data, bytes);
			break;
		case CHANNEL_COLD_IDS:
			ReceiveIds(state, state->cold, &header, data, bytes);
			break;
		case CHANNEL_USER_ORDER:
			ReceiveUserOrder(state, &header, data, bytes);
			break;
		case CHANNEL_PROFILE_OWNERS:
			ReceiveProfileOwners(state, &header, data, bytes);
			break;
		case CHANNEL_PROFILE_IDS:
			ReceiveProfileIds(state, &header, data, bytes);
			break;
		case CHANNEL_USER_FEATURES:
			ReceiveUserFeatures(state, &header, data, bytes);
			break;
		case CHANNEL_MAP:
		case CHANNEL_MAP_SCALE:
			ReceiveMap(state, &header, data, bytes);
			break;
		case CHANNEL_ITEM_COUNTS:
			ReceiveCounts(state, &header, data, bytes);
			break;
		case CHANNEL_INTEREST:
			ReceiveFloats(state, &header, data, bytes, factors->interest, ld);
			break;
		case CHANNEL_RATING:
			ReceiveFloats(state, &header, data, bytes, factors->rating, ld);
			break;
		case CHANNEL_BIAS:
			ReceiveFloats(state, &header, data, bytes, factors->item_bias, 1);
			break;
		case CHANNEL_ITEM_FINGERPRINTS:
			ReceiveStored(state, &header, data, bytes, (void **) &state->item_fingerprints, sizeof(int64));
			break;
		case CHANNEL_ITEM_TRENDS:
			ReceiveStored(state, &header, data, bytes, (void **) &state->item_trends, sizeof(float));
			break;
		default:
			NodeStepIsWrong();
	}
	LeaveNode(&call);
}
