/*
 * node_validate.c - rows of a node that are held out: whose they are, and how good factors are on them.
 *
 * The driver draws the users whose lists are measured from those of all nodes, as on one node, and makes their lists: it
 * has the items.  Errors of ratings are summed here.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "distributed/node_users.h"
#include "distributed/node_validate.h"
#include "pg/alloc.h"
#include "validate/validation.h"

/* The chunks of STEP_HELD_OUT. */
static bytea *
NextHeldOut(NodeAnswer *answer)
{
	return NextOfUsers(answer, CHANNEL_HELD_OUT, answer->state->held_bits, 1);
}

/* STEP_HELD_OUT: a bit of each user, whether a row of theirs that is held out is relevant. */
void
BeginHeldOut(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	int64		nusers = state->problem.nusers;
	bool	   *wanted;

	answer->next = NextHeldOut;
	if (state->empty)
		return;
	wanted = HugeZeroArray(nusers, sizeof(bool));
	(void) MarkUsers(state->ratings, NAN, wanted);
	if (state->held_bits == NULL)
		state->held_bits = HugeZeroArray(nusers / 8 + 1, 1);
	for (int64 u = 0; u < nusers; u++)
		if (wanted[u])
			state->held_bits[u / 8] |= 1 << u % 8;
	pfree(wanted);
}

/* The chunks of STEP_HELD_ROWS: one a user. */
static bytea *
NextHeldRows(NodeAnswer *answer)
{
	const ValidationSample *sample = answer->state->sample;
	int			s = answer->part++;
	HeldUser	held;
	bytea	   *chunk;
	char	   *to;

	if (answer->state->empty || s >= sample->nusers)
		return NULL;
	held.at = answer->state->sample_at[sample->user[s]];
	held.nrelevant = (int32) (sample->start[s + 1] - sample->start[s]);
	held.nseen = (int32) (sample->seen_start[s + 1] - sample->seen_start[s]);
	chunk = MakeChunk(answer->node, CHANNEL_HELD_ROWS, 0, 1, NULL,
					  sizeof(HeldUser) + sizeof(int32) * ((Size) held.nrelevant + held.nseen));
	to = ChunkData(chunk);
	memcpy(to, &held, sizeof(HeldUser));
	to += sizeof(HeldUser);
	memcpy(to, sample->relevant + sample->start[s], sizeof(int32) * held.nrelevant);
	to += sizeof(int32) * held.nrelevant;
	memcpy(to, sample->seen + sample->seen_start[s], sizeof(int32) * held.nseen);
	return chunk;
}

/* STEP_HELD_ROWS: of some users, what is held out and what they were trained on.  Argument: ChosenUser of each, ascending. */
void
BeginHeldRows(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	ValidationSample *sample;
	ChosenUser	chosen;

	answer->next = NextHeldRows;
	if (state->empty)
		return;
	state->sample = sample = palloc0(sizeof(ValidationSample));
	sample->user = HugeArray(answer->bytes / sizeof(ChosenUser), sizeof(int32));
	state->sample_at = HugeArray(state->problem.nusers, sizeof(int32));
	while (NextChosen(answer, &chosen))
	{
		if (sample->nusers > 0 && chosen.user <= sample->user[sample->nusers - 1])
			NodeStepIsWrong();
		state->sample_at[chosen.user] = (int32) answer->at - 1;
		sample->user[sample->nusers++] = chosen.user;
	}
	FillSample(sample, state->ratings, NAN);
}

/* The chunk of STEP_HELD_ERRORS: sums, then by groups of users where the argument asks for them. */
static bytea *
NextHeldErrors(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	const MfObjective *objective = state->served ? &state->served->objective : &state->objective;
	Size		groups = answer->bytes > 0 ? sizeof(double) * METRIC_GROUPS : 0;
	double	   *group = groups > 0 ? palloc0(groups) : NULL;
	MfErrorSums sums;
	NodeCall	call;
	bytea	   *chunk;

	if (answer->part++ > 0 || state->empty)
		return NULL;
	EnterNode(state, &call);	/* rows may be in a file of the training's */
	HeldOutErrors(state->ratings, objective, MeasuredFactors(state), state->user_place, group, &sums);
	LeaveNode(&call);
	chunk = MakeChunk(answer->node, CHANNEL_RESULT, 0, 0, NULL, sizeof(sums) + groups);
	memcpy(ChunkData(chunk), &sums, sizeof(sums));
	if (group)
		memcpy(ChunkData(chunk) + sizeof(sums), group, groups);
	return chunk;
}

/*
 * STEP_HELD_ERRORS: errors of predicted ratings on rows held out, of problems with a rating part.  Argument: a byte where
 * they are wanted by groups of users, too.
 */
void
BeginHeldErrors(NodeAnswer *answer)
{
	answer->next = NextHeldErrors;
	if (!answer->state->empty && MeasuredFactors(answer->state)->rating == NULL)
		NodeStepIsWrong();
}
