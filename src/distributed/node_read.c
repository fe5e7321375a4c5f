/*
 * node_read.c - a node's rows: what was taken of them, the items that they name, and both orders.
 *
 * Rows are read, counted, checked, sorted and spilled as where all of them are on one node: by read/ and source/.  What
 * differs is that items have the numbers of all nodes, and that nothing is scaled until all nodes' sums are known.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"

#include "compat.h"
#include "distributed/chunk_ids.h"
#include "distributed/node_profiles.h"
#include "distributed/node_read.h"
#include "pg/alloc.h"
#include "pg/progress.h"
#include "source/others_sort.h"

/* Chunks of STEP_ITEMS: totals, rows of each kind of event where there are kinds, then ids with fingerprints. */
static bytea *
NextItems(NodeAnswer *answer)
{
	const NodeState *state = answer->state;
	const Ratings *ratings = state->ratings;
	NodeTotals	totals = {0};

	answer->part++;
	if (answer->part == 2 && ratings && ratings->event_rows)
		return MakeChunk(answer->node, CHANNEL_EVENT_ROWS, 0, state->events->count, ratings->event_rows,
						 sizeof(int64) * state->events->count);
	if (answer->part > 1)
		return ratings == NULL ? NULL : PackIds(ratings->items, NULL, ratings->fingerprints->item, answer->node, CHANNEL_ITEM_IDS,
													  ratings->items->count, &answer->at);
	if (ratings)
		totals = (NodeTotals) {
			.taken = state->taken,
			.ratings = ratings->rows,
			.users = ratings->users->count,
			.null_rows = ratings->null_rows,
			.null_times = ratings->null_times,
			.other_events = ratings->other_events,
			.zero_rows = ratings->zero_rows,
			.negative_rows = ratings->negative_rows,
			.dislike_rows = ratings->dislike_rows,
			.newest = ratings->fading.newest
		};
	else
		totals.newest = -INFINITY;
	return MakeChunk(answer->node, CHANNEL_RESULT, 0, 0, &totals, sizeof(totals));
}

/* What kinds of events weigh, as the driver has sent it, which is not trusted to be text. */
static const EventWeights *
ReceiveEvents(const char *data, Size bytes)
{
	char	   *json = pnstrdup(data, bytes);

	(void) pg_verifymbstr(json, (int) strlen(json), false);
	return EventWeightsFromJson(&DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)))->root);
}

/*
 * STEP_OPEN: rows are about to come.  From here on this session tells its part of the training in mf_progress, unless it
 * is the driver's own, which tells of the whole.  Argument: OpenArgument, and what follows it.
 */
void
BeginOpen(NodeAnswer *answer)
{
	OpenArgument argument;

	if (answer->state->intake || answer->state->empty)
		NodeStepIsWrong();
	StepArgument(answer, &argument, sizeof(argument));
	argument.model[NAMEDATALEN - 1] = '\0';
	if (answer->bytes > sizeof(argument))
		answer->state->events = ReceiveEvents(answer->argument + sizeof(argument), answer->bytes - sizeof(argument));
	if (ReportsProgress())
		return;
	BeginProgress(argument.model);
	ReportJob(answer->job, false);
}

/* STEP_ITEMS: there are no more rows.  Where none says anything of a user there is no part in what follows. */
void
BeginItems(NodeAnswer *answer)
{
	NodeState  *state = answer->state;

	answer->next = NextItems;
	state->empty |= state->intake == NULL;
	if (state->empty)
		return;
	state->ratings = CloseRatingStream(state->intake);
	state->empty = state->ratings->rows == 0 && state->ratings->unrated->pairs.count == 0;
	state->items = CreateIdMap(&state->source.item);
	state->cold = CreateIdMap(&state->source.item);
	state->phase = NODE_LISTED;
}

/*
 * Takes ids of items of all nodes, in their order, so that they get the numbers that all nodes use; items: those with
 * ratings, or cold ones.  Refuses a chunk that does not follow the last one, and one with an id twice, which would get
 * no number of its own.
 */
void
ReceiveIds(NodeState *state, IdMap *items, const ChunkHeader *header, const char *data, Size bytes)
{
	ChunkIds	ids;
	int64		id;
	int64		before = items == state->cold ? state->items->count : 0;

	if (state->phase != NODE_LISTED || header->first != before + items->count)
		NodeStepIsWrong();
	OpenChunkIds(&ids, &state->source.item, data, bytes);
	while (NextChunkId(&ids, &id))
		(void) AddId(items, id);
	CloseChunkIds(&ids);
	if (before + items->count != header->first + header->count)
		NodeStepIsWrong();
}

/* Whether rows say no more than that a user took an item, and none of them twice: other nodes may have some. */
static bool
AllWeighOne(const NodeState *state)
{
	const Source *source = &state->source;
	const Ratings *ratings = state->ratings;

	return !ratings->is_explicit && source->value_column == NULL && source->weight_column == NULL &&
		source->event_column == NULL && !RowsFade(ratings->fading) && ratings->merged == 0;
}

/*
 * What rows come to here, once they are sorted.  Ratings are summed by their weights and without: which of them counts is
 * known when all nodes' are.
 */
static NodeSums
SumNode(NodeState *state)
{
	Ratings    *ratings = state->ratings;
	NodeSums	sums = {.users = ratings->by_user.nrows,.rows = ratings->rows,
	.held_out = ratings->held_out.count,.faded = ratings->faded,.left = ratings->left};

	if (AllWeighOne(state))
		sums.weights = (WeightSums) {true, ratings->rows, 0, ratings->rows, ratings->rows * log1p(1), 1, 1};
	else
		SumWeights(ratings, &sums.weights);
	sums.weighted.shift = sums.plain.shift = NAN;
	if (ratings->is_explicit)
	{
		SumRatings(ratings, true, &sums.weighted);
		SumRatings(ratings, false, &sums.plain);
	}
	return sums;
}

/*
 * The next chunk of an array of all items, of elements of so many bytes, from answer->at on; at its end the next kind
 * of chunks comes.
 */
static bytea *
NextOfArray(NodeAnswer *answer, Channel channel, const void *values, Size width)
{
	int64		first = answer->at;
	int64		nitems = answer->state->ratings->by_item.nrows;
	int64		count = Min(nitems - first, CHUNK_BYTES / (int64) width);

	answer->at += count;
	if (answer->at == nitems)
	{
		answer->part++;
		answer->at = 0;
	}
	return MakeChunk(answer->node, channel, first, count, (const char *) values + first * width, count * width);
}

/* Chunks of STEP_SORT: sums, counts of items, and their trends where rows have times. */
static bytea *
NextSorted(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	NodeSums	sums = {.weights = {.min = INFINITY,.max = -INFINITY},.weighted = {.shift = NAN},.plain = {.shift = NAN}};

	if (answer->part == 0)
	{
		answer->part++;
		if (!state->empty)
			sums = SumNode(state);
		return MakeChunk(answer->node, CHANNEL_RESULT, 0, 0, &sums, sizeof(sums));
	}
	if (state->empty)
		return NULL;
	if (answer->part == 1)
		return NextOfArray(answer, CHANNEL_ITEM_COUNTS, state->item_counts, sizeof(int32));
	if (answer->part == 2 && state->ratings->trends)
		return NextOfArray(answer, CHANNEL_TRENDS, state->ratings->trends, sizeof(FadeSum));
	return NULL;
}

/* How many users like each item here; -1: none, but some dislike it. */
static int32 *
CountItems(NodeState *state)
{
	Cells	   *cells = &state->ratings->by_item;
	int32	   *counts = CountCells(cells, cells->nrows, false);
	MfRows		rows;

	if (state->ratings->dislike_rows == 0)
		return counts;
	RewindCells(cells);
	while (NextCells(cells, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			int32		likes = 0;

			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
				likes += rows.weight[c] > 0;
			if (rows.start[r + 1] > rows.start[r])
				counts[rows.first + r] = likes > 0 ? likes : -1;
		}
	return counts;
}

/* Appends cold items to those with ratings: users may have them by rows that are no ratings. */
static void
AppendCold(NodeState *state)
{
	for (int32 i = 0; i < state->cold->count; i++)
		if (AddId(state->items, IdAt(state->cold, i)) != state->ratings->by_item.nrows + i)
			NodeStepIsWrong();
}

/* The chunk of STEP_TIMES. */
static bytea *
NextTimes(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	TimesArgument argument;
	NodeCall	call;
	int64	   *count;

	if (answer->part++ > 0 || state->empty)
		return NULL;
	StepArgument(answer, &argument, sizeof(argument));
	count = palloc(sizeof(int64) * TIME_DIGITS);
	EnterNode(state, &call);	/* rows may be in a file of the training's */
	CountPartTimes(state->intake, argument.prefix, argument.shift, count);
	LeaveNode(&call);
	return MakeChunk(answer->node, CHANNEL_RESULT, 0, 0, count, sizeof(int64) * TIME_DIGITS);
}

/* STEP_TIMES: how many rows have each digit at a place of their times.  Argument: TimesArgument. */
void
BeginTimes(NodeAnswer *answer)
{
	TimesArgument argument;

	answer->next = NextTimes;
	if (answer->state->empty)
		return;
	StepArgument(answer, &argument, sizeof(argument));
	if (answer->state->source.time_column == NULL || argument.shift < 0 || argument.shift > 64 - TIME_DIGIT_BITS ||
		argument.shift % TIME_DIGIT_BITS != 0)
		NodeStepIsWrong();
}

/* STEP_SORT: all items have their numbers, and where rows are held out users have theirs.  Argument: SortArgument. */
void
BeginSort(NodeAnswer *answer)
{
	NodeState  *state = answer->state;
	Ratings    *ratings = state->ratings;
	SortArgument argument;
	Holdout		holdout;

	answer->next = NextSorted;
	if (state->empty)
		return;
	StepArgument(answer, &argument, sizeof(argument));
	ratings->fading.newest = argument.newest;
	holdout = (Holdout) {.fraction = argument.holdout,.from = argument.holdout_from,.seed = argument.holdout_seed,
	.by_id = argument.holdout_by_id,.by_time = argument.holdout_by_time};
	if (argument.holdout_by_time && state->source.time_column == NULL)
		NodeStepIsWrong();
	if (state->placed != (state->user_place ? ratings->users->count : 0) || (holdout.fraction > 0 && !state->user_place))
		NodeStepIsWrong();
	ReportPhase(PHASE_SORT);
	SortPart(state->intake, state->items, holdout, &argument.range, state->user_place);
	AppendCold(state);
	AppendProfiles(state);
	SortOthers(&state->source, ratings, &state->parallel);
	state->item_counts = CountItems(state);
	state->phase = NODE_SORTED;
}
