/*
 * driver_read.c - rows taken where they lie, and what they come to on all nodes.
 *
 * Shards of a table are read where they lie as any table is.  Of a view one query has a function called with each row, on
 * its node: it goes about as fast as counting them.  Then items' ids come here, where they get the numbers that all nodes
 * use, the order of ids; and once rows are sorted by them, what standardizing ratings and scaling weights needs.  Only
 * sums travel, one of a node, and one number of each item.
 *
 * Sums of integers and of fixed-point numbers do not depend on who comes first; those of doubles are of NodeSums alone,
 * which are added as they come: they may differ in their last bit, so they are put in the order of nodes.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "distributed/driver.h"
#include "distributed/driver_state.h"
#include "pg/alloc.h"
#include "pg/memory_limit.h"
#include "pg/packed_rows.h"
#include "pg/progress.h"
#include "pg/spi_query.h"
#include "rows/row_time.h"
#include "source/view_table.h"

/* What is gathered of all nodes. */
typedef struct Gathering
{
	Driver	   *driver;
	Ratings    *ratings;
	NodeTotals	totals;
	int64		capacity;		/* of fingerprints */
	int64	   *fingerprints;	/* of items, by number */
	NodeSums   *of_node;		/* nnodes */
	NodeSums	sums;			/* of all of them */
	int64	   *counts;			/* of items: users who like them */
	int64		nitems;			/* with ratings: cold ones stand behind them */
	bool	   *has_cells;
} Gathering;


/* Appends a column of the source's query, if there is one. */
static void
AppendColumn(StringInfo sql, const char *name)
{
	if (name)
		appendStringInfo(sql, ", %s", quote_identifier(name));
}

/*
 * The query by which nodes take their rows; parameters: job, half-life, the names of the source and its time column.
 * Which columns follow is in the flags (TAKES_... of sql/fn_node.c).  An aggregate alone: rows never leave their node, and
 * Citus adds up a number of each shard.  As mfrec.node_take() returns no null, it counts all rows.
 */
static char *
TakeSql(const Source *source)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT pg_catalog.count(mfrec.node_take($1, %d, $2, $3, $4",
					 (source->feedback == FEEDBACK_EXPLICIT ? 1 : 0) | (source->value_column ? 2 : 0) |
					 (source->weight_column ? 4 : 0) | (source->time_column ? 8 : 0) | (source->event_column ? 16 : 0));
	AppendColumn(&sql, source->user_column);
	AppendColumn(&sql, source->item_column);
	AppendColumn(&sql, source->value_column);
	AppendColumn(&sql, source->weight_column);
	AppendColumn(&sql, source->time_column);
	AppendColumn(&sql, source->event_column);
	appendStringInfo(&sql, ")) FROM %s", SourceSql(source));
	return sql.data;
}

/* Receives the count of rows. */
typedef struct CountReceiver
{
	DestReceiver pub;
	int64		count;
} CountReceiver;

/* Takes the one row of it. */
static bool
ReceiveCounts(TupleTableSlot *slot, DestReceiver *self)
{
	slot_getallattrs(slot);
	((CountReceiver *) self)->count = DatumGetInt64(slot->tts_values[0]);
	return true;
}

/* Has nodes take their rows by a query of them, which counts them, one by one. */
static int64
TakeByQuery(Driver *driver, double half_life)
{
	CountReceiver receiver = {.pub.receiveSlot = ReceiveCounts};
	const Source *source = driver->source;
	Oid			types[4] = {INT8OID, FLOAT8OID, TEXTOID, TEXTOID};
	Datum		values[4] = {Int64GetDatum(driver->job), Float8GetDatum(half_life), CStringGetTextDatum(source->name),
		CStringGetTextDatum(source->time_column ? source->time_column : "")};

	RunQueryWith(TakeSql(source), 4, types, values, false, &receiver.pub);
	return receiver.count;
}

/* Adds up rows of shards. */
static void
TakeShard(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	int64		rows;

	CheckResult(header, bytes, sizeof(rows));
	memcpy(&rows, data, sizeof(rows));
	*(int64 *) state += rows;
}

/* Names a column of a source, if there is one. */
static void
NameColumn(TakeArgument *argument, int column, const char *name)
{
	strlcpy(argument->column[column], name ? name : "", NAMEDATALEN);
}

/*
 * Has nodes take the rows of a table, each shard's in the session to which the table of users' own shard leads: without the
 * executor, where they are read as those of a table are that is here.
 */
static int64
TakeByShards(Driver *driver, const Shards *shards, double half_life)
{
	const Source *source = driver->source;
	Size		bytes = sizeof(TakeArgument) + sizeof(int64) * shards->count;
	TakeArgument *argument = palloc0(bytes);
	char	   *numbers = (char *) argument + sizeof(TakeArgument);
	int64		rows = 0;

	argument->half_life = half_life;
	argument->nshards = shards->count;
	argument->is_explicit = source->feedback == FEEDBACK_EXPLICIT;
	strlcpy(argument->schema, source->schema, NAMEDATALEN);
	strlcpy(argument->table, source->name, NAMEDATALEN);
	NameColumn(argument, 0, source->user_column);
	NameColumn(argument, 1, source->item_column);
	NameColumn(argument, 2, source->value_column);
	NameColumn(argument, 3, source->weight_column);
	NameColumn(argument, 4, source->time_column);
	NameColumn(argument, 5, source->event_column);
	for (int s = 0; s < shards->count; s++)
		memcpy(numbers + sizeof(int64) * s, &shards->shard[s].range.shard, sizeof(int64));
	RunShardStep(driver, STEP_TAKE, argument, bytes, TakeShard, &rows);
	pfree(argument);
	return rows;
}

/* Whether shards of two tables have the same hashes, one after the other. */
static bool
SameRanges(const Shards *a, const Shards *b)
{
	if (a->count != b->count)
		return false;
	for (int s = 0; s < a->count; s++)
		if (a->shard[s].range.min != b->shard[s].range.min || a->shard[s].range.max != b->shard[s].range.max)
			return false;
	return true;
}

/*
 * Has nodes take their rows; returns how many there are, as they come.  TakeOnNodes() compares that with what nodes say
 * they have: rows that went to another session of a node would be missing in silence.
 */
static int64
TakeRows(Driver *driver, double half_life)
{
	const Source *source = driver->source;
	const Shards *shards = ReadShards(source->relid);

	if (driver->shard_ticket && source->relid == RowTableOf(source) && SameRanges(shards, driver->shards))
		return TakeByShards(driver, shards, half_life);
	return TakeByQuery(driver, half_life);
}

/* Adds fingerprints of items, whose ids become known, from packed rows. */
static void
TakeIds(Gathering *g, const char *data, Size bytes)
{
	IdMap	   *items = g->ratings->items;
	Oid			types[2] = {items->type->base, INT8OID};
	PackedLayout layout;
	PackedReader reader;
	Datum		values[2];
	bool		nulls[2];
	bytea	   *rows = palloc(bytes);	/* aligned as values in it have to be */

	InitPackedLayout(&layout, 2, types);
	memcpy(rows, data, bytes);
	ReadPackedRows(&reader, &layout, rows);
	while (NextPackedRow(&reader, values, nulls))
	{
		int32		item = AddId(items, IdFromColumn(items->type, values[0]));

		if (item >= g->capacity)
		{
			int64		before = g->capacity;

			g->capacity = Max(1024, 2 * before);
			g->fingerprints = g->fingerprints ? repalloc_huge(g->fingerprints, sizeof(int64) * g->capacity) :
				HugeArray(g->capacity, sizeof(int64));
			memset(g->fingerprints + before, 0, sizeof(int64) * (g->capacity - before));
		}
		/* unsigned, as the sum wraps around: it is the same in whatever order nodes come */
		g->fingerprints[item] = (int64) ((uint64) g->fingerprints[item] + (uint64) DatumGetInt64(values[1]));
	}
	pfree(rows);
	CheckDictionaries(g->ratings->users, items, 0);
}

/* Adds a node's rows of each kind of event. */
static void
TakeEventRows(const Gathering *g, const ChunkHeader *header, const char *data, Size bytes)
{
	int64	   *rows = g->ratings->event_rows;

	if (rows == NULL || header->count != g->driver->source->events.weights->count ||
		bytes != sizeof(int64) * header->count)
		NodesDisagree("Kinds of events are not those that were sent.");
	for (int64 i = 0; i < header->count; i++)
	{
		int64		more;

		memcpy(&more, data + sizeof(int64) * i, sizeof(int64));
		rows[i] += more;
	}
}

/* Takes a chunk of STEP_ITEMS: counts and a maximum, which are exact and so may be added as they come. */
static void
TakeItems(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	Gathering  *g = state;
	NodeTotals	more;

	if (header->channel == CHANNEL_ITEM_IDS)
	{
		TakeIds(g, data, bytes);
		return;
	}
	if (header->channel == CHANNEL_EVENT_ROWS)
	{
		TakeEventRows(g, header, data, bytes);
		return;
	}
	CheckResult(header, bytes, sizeof(more));
	memcpy(&more, data, sizeof(more));
	g->totals.taken += more.taken;
	g->totals.ratings += more.ratings;
	g->totals.users += more.users;
	g->totals.null_rows += more.null_rows;
	g->totals.null_times += more.null_times;
	g->totals.other_events += more.other_events;
	g->totals.zero_rows += more.zero_rows;
	g->totals.negative_rows += more.negative_rows;
	g->totals.dislike_rows += more.dislike_rows;
	g->totals.newest = Max(g->totals.newest, more.newest);
}

/*
 * Takes a chunk of STEP_SORT.  Counts and trends of items are added as they come, as their sums are exact; sums in
 * double are kept by node.  A count of -1 is that of an item which is only disliked on its node, see CountItems().
 */
static void
TakeSorted(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	Gathering  *g = state;
	int64		nitems = g->nitems;
	Size		width = header->channel == CHANNEL_TRENDS ? sizeof(FadeSum) : sizeof(int32);

	if (header->channel == CHANNEL_RESULT)
	{
		CheckResult(header, bytes, sizeof(NodeSums));
		if (header->node < 0 || header->node >= g->driver->nnodes)
			NodesDisagree("A node has an unknown number.");
		memcpy(&g->of_node[header->node], data, sizeof(NodeSums));
		return;
	}
	if (header->first > nitems || header->count > nitems - header->first || bytes != (Size) header->count * width)
		NodesDisagree("Items are not those that were sent.");
	for (int64 i = 0; i < header->count; i++)
	{
		int64		item = header->first + i;
		int32		count;
		FadeSum		left;

		if (header->channel == CHANNEL_TRENDS)
		{
			memcpy(&left, data + i * sizeof(FadeSum), sizeof(FadeSum));
			AddFadeSum(&g->ratings->trends[item], left);
			continue;
		}
		memcpy(&count, data + i * sizeof(int32), sizeof(int32));
		g->counts[item] += Max(count, 0);
		g->has_cells[item] |= count != 0;
	}
}

/* Adds up what nodes have sent, in the order of nodes. */
static void
AddNodeSums(Gathering *g)
{
	for (int n = 0; n < g->driver->nnodes; n++)
	{
		const NodeSums *more = &g->of_node[n];

		g->driver->nodes[n].first_user = g->sums.users;
		g->sums.users += more->users;
		g->sums.rows += more->rows;
		g->sums.held_out += more->held_out;
		g->sums.faded += more->faded;
		AddFadeSum(&g->sums.left, more->left);
		AddWeightSums(&g->sums.weights, &more->weights);
		AddRatingSums(&g->sums.weighted, &more->weighted);
		AddRatingSums(&g->sums.plain, &more->plain);
	}
}

/*
 * What was found in passing, and what is the same on all nodes.  Notices and errors are those of a training on one
 * node: one of each, from here, rather than one a node.
 */
static void
TakeTotals(Driver *driver, Gathering *g)
{
	const Source *source = driver->source;
	Ratings    *ratings = g->ratings;

	ratings->null_rows = g->totals.null_rows;
	ratings->null_times = g->totals.null_times;
	ratings->other_events = g->totals.other_events;
	ratings->zero_rows = g->totals.zero_rows;
	ratings->negative_rows = g->totals.negative_rows;
	ratings->dislike_rows = g->totals.dislike_rows;
	ratings->fading.newest = g->totals.newest;
	ratings->read_until = source->time_column ? TimeReadUntil(g->totals.newest, source->time_type) : NAN;
	ReportRowsRead(g->totals.taken);
	ReportSkippedRows(ratings);
	ReportEvents(source, ratings);
	if (g->totals.users == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no ratings to train on", source->name),
				 errhint("Insert some, and check that row security does not hide them.")));
	if (source->time_column)
		NoteFuture(ratings->fading.newest, source->time_type, source->time_column, source->name);
}

/* Puts items, and what there is of them, into the order of their ids. */
static void
RankItems(Gathering *g)
{
	Ratings    *ratings = g->ratings;
	int32	   *rank = SortIdMap(ratings->items);
	int64		n = g->nitems = ratings->items->count;

	ratings->fingerprints = palloc0(sizeof(Fingerprints));
	ratings->fingerprints->item = ReorderRows(g->fingerprints, rank, n, sizeof(int64) / 4);
	/* those of users are with the users, on their nodes, which store them */
	ratings->fingerprints->user = HugeZeroArray(1, sizeof(int64));
	ratings->fingerprints->nitems = n;
	g->counts = HugeZeroArray(n, sizeof(int64));
	g->has_cells = HugeZeroArray(n, sizeof(bool));
	if (ratings->trend_half_life > 0)
		ratings->trends = HugeZeroArray(n, sizeof(FadeSum));
}

/* Scales and figures of all nodes' rows, in ratings, as LoadRatings() would have them. */
static void
TakeSums(Driver *driver, Gathering *g)
{
	Ratings    *ratings = g->ratings;

	ratings->rows = g->sums.rows;
	driver->held_out = g->sums.held_out;
	if (ratings->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("no ratings are left to train on"),
				 errhint("Lower the argument validation.")));
	ratings->faded = g->sums.faded;
	ratings->left = g->sums.left;
	ratings->by_user.nrows = driver->users = g->sums.users;
	ratings->by_item.nrows = g->nitems;
	ChooseScales(ratings, &g->sums.weights);
	if (ratings->is_explicit)
		SummarizeRatings(ratings, &g->sums.weighted, RowsFade(ratings->fading) ? &g->sums.plain : NULL, driver->source);
	driver->problem.weights = g->sums.weights;
	driver->problem.weight_scale = ratings->weight_scale;
	driver->problem.value_scale = ratings->value_scale;
	driver->problem.mean = ratings->mean;
	driver->problem.deviation = ratings->deviation;
}

/*
 * Counts of items as regularization goes by them; see CountLikes().  1 where there are cells, but no likes on any node:
 * whether that is so no node can say alone.
 */
static int32 *
CountsOfItems(const Gathering *g)
{
	int64		n = g->nitems;
	int32	   *counts = HugeZeroArray(g->ratings->items->count, sizeof(int32));

	for (int64 i = 0; i < n; i++)
		counts[i] = (int32) Min(Max(g->counts[i], g->has_cells[i]), PG_INT32_MAX);
	return counts;
}

/* Tells nodes that rows are about to come: in whose name they tell how many they have, and what kinds of events weigh. */
static void
OpenOnNodes(Driver *driver, const char *model)
{
	const EventWeights *events = driver->source->event_column ? driver->source->events.weights : NULL;
	char	   *json = events ? EventWeightsToJson(events) : "";
	Size		bytes = sizeof(OpenArgument) + strlen(json);
	OpenArgument *argument = palloc0(bytes);

	strlcpy(argument->model, model, NAMEDATALEN);
	memcpy((char *) argument + sizeof(OpenArgument), json, strlen(json));
	RunStep(driver, STEP_OPEN, argument, bytes, NULL, NULL);
	pfree(argument);
}

/*
 * Has nodes take the whole source, and finds out which items there are.  What is returned has all that LoadRatings()
 * finds before rows are sorted; SortOnNodes() completes it, and the caller may append cold items to its `items`
 * meanwhile.  model: in whose name nodes tell how many rows they have.
 */
Ratings *
TakeOnNodes(Driver *driver, const char *model, double half_life)
{
	const Source *source = driver->source;
	Gathering  *g = driver->gathering = palloc0(sizeof(Gathering));
	Ratings    *ratings = g->ratings = palloc0(sizeof(Ratings));
	int64		rows;

	g->driver = driver;
	g->totals.newest = -INFINITY;
	g->of_node = palloc0(sizeof(NodeSums) * driver->nnodes);
	g->sums = (NodeSums) {.weights = {.min = INFINITY,.max = -INFINITY},.weighted = {.shift = NAN},.plain = {.shift = NAN}};
	ratings->is_explicit = source->feedback == FEEDBACK_EXPLICIT;
	ratings->weights_given = source->weight_column != NULL;
	ratings->fading = (Fading) {half_life, -INFINITY};
	ratings->trend_half_life = source->time_column ? TrendHalfLife(half_life) : 0;
	ratings->users = CreateIdMap((IdType *) &source->user);
	ratings->items = CreateIdMap((IdType *) &source->item);
	NoteRowSecurity(source);
	ReportJob(driver->job, true);
	if (source->event_column)
		ratings->event_rows = palloc0(sizeof(int64) * source->events.weights->count);
	OpenOnNodes(driver, model);
	rows = TakeRows(driver, half_life);
	RunStep(driver, STEP_ITEMS, NULL, 0, TakeItems, g);
	/* before anything is made of them */
	if (g->totals.taken != rows)
		NodesDisagree("Rows were taken by more than one session of a node.");
	TakeTotals(driver, g);
	driver->users = g->totals.users;
	RankItems(g);
	return ratings;
}

/* Adds a node's rows by digits. */
static void
TakeTimes(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	int64	   *count = state;

	CheckResult(header, bytes, sizeof(int64) * TIME_DIGITS);
	for (int digit = 0; digit < TIME_DIGITS; digit++)
	{
		int64		more;

		memcpy(&more, data + sizeof(int64) * digit, sizeof(int64));
		count[digit] += more;
	}
}

/* A TimeCounter of the rows that nodes have taken. */
static void
CountTimesOnNodes(void *driver, uint64 prefix, int shift, int64 *count)
{
	TimesArgument argument;

	memset(&argument, 0, sizeof(argument));
	argument.prefix = prefix;
	argument.shift = shift;
	memset(count, 0, sizeof(int64) * TIME_DIGITS);
	RunStep(driver, STEP_TIMES, &argument, sizeof(argument), TakeTimes, count);
}

/*
 * Has nodes sort what they have taken, but for rows that are held out.  All is known then but the cells, which stay
 * where they are, and users.  *item_counts: of each item with ratings, and room for those of cold ones, 0.
 */
void
SortOnNodes(Driver *driver, Holdout holdout, int32 **item_counts)
{
	Gathering  *g = driver->gathering;
	Ratings    *ratings = g->ratings;
	SortArgument argument = {.holdout = holdout.fraction,.holdout_from = holdout.from,.holdout_seed = holdout.seed,
	.holdout_by_id = holdout.by_id,.holdout_by_time = holdout.by_time && holdout.fraction > 0};

	ReportPhase(PHASE_SORT);
	if (argument.holdout_by_time)
	{
		argument.range = FindTimeRange(CountTimesOnNodes, driver, g->totals.ratings, holdout.from, holdout.fraction);
		ratings->fading.newest = Min(ratings->fading.newest, argument.range.held_out.time);
	}
	argument.newest = ratings->fading.newest;
	SendIds(driver, CHANNEL_ITEM_IDS, ratings->items, 0, g->nitems);
	SendIds(driver, CHANNEL_COLD_IDS, ratings->items, g->nitems, ratings->items->count);
	SendArrays(driver);
	RunStep(driver, STEP_SORT, &argument, sizeof(argument), TakeSorted, g);
	AddNodeSums(g);
	TakeSums(driver, g);
	*item_counts = CountsOfItems(g);
	driver->gathering = NULL;
}
