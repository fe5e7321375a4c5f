/*
 * driver.c - a training on the nodes where the ratings lie, as the session sees it that was called.
 *
 * Everything goes through ordinary queries of Citus's in the caller's transaction, which commits on all nodes or none.
 * Each node has one session that takes part (pool size 1), and one row of version 0, which is none, in the table of
 * users, its ticket: a query over tickets is a call on each node, all at the same time.  Removing rows of that version
 * from all shards, of which there should be none, comes first: from then on there is a transaction on each node, and
 * the shards, with those of the source that lie with them, stay where they are until it ends.
 *
 * What all nodes need in bulk goes to them as a subplan, which Citus sends to each once: see SendArrays().
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "compat.h"
#include "distributed/driver.h"
#include "distributed/driver_state.h"
#include "distributed/node_state.h"
#include "model/factor_columns.h"
#include "model/model_catalog.h"
#include "pg/spi_query.h"
#include "source/view_table.h"

/* Tickets of nodes are of a version that is none, and so are those of shards. */
#define TICKET_VERSION 0
#define SHARD_TICKET_VERSION (-1)

/*
 * So many ids at most are tried for tickets.  Each belongs to a random shard, so even of thousands of shards the last
 * node has its own after far fewer.
 */
#define MOST_TRIES 1000000

/*
 * The driver at work in this session, the innermost: a query of a training may call a function that trains.  By it the
 * session finds what is to be sent, as driver_send() is called by the executor and gets a number alone.
 */
static Driver *working = NULL;

/* The error of nodes whose answers do not fit. */
void
NodesDisagree(const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("nodes do not take part in the training as they should"),
			 errdetail_internal("%s", what),
			 errhint("Train in a transaction of its own, outside of one that has run other queries of distributed tables, or with distribute => false.")));
}

/*
 * Context callback: the driver is no longer there, whatever has become of it.  After an error nobody calls
 * CloseDriver(), and nobody need: tickets and what nodes have are gone with the transaction, settings with the GUC
 * nesting level.
 */
static void
ForgetDriver(void *arg)
{
	Driver	   *driver = arg;

	if (working == driver)
		working = driver->outer;
}

/* Sets a setting of Citus's until the GUC nesting level that is open ends: with the driver, or with SendArrays(). */
static void
Set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/*
 * Settings that a training on several nodes goes by, from before its tables are created on; returns what OpenDriver()
 * has to know.
 */
int
BeginNodeSettings(void)
{
	int			settings = NewGUCNestLevel();

	/*
	 * One connection to a node: what a step leaves in a session is found by the next one only if that comes to the same
	 * session.  This goes for statements that write all shards, too.  And what is sent to all nodes, all items'
	 * vectors, may be larger than the 1 GB that Citus takes for an accident.
	 */
	Set("citus.max_adaptive_executor_pool_size", "1");
	Set("citus.multi_shard_modify_mode", "sequential");
	Set("citus.max_intermediate_result_size", "-1");
	return settings;
}

/* An id's hash, as Citus distributes by it: that of the type's default operator class, as a signed number. */
static int32
HashOf(const IdType *type, Datum id)
{
	TypeCacheEntry *entry = lookup_type_cache(type->base, TYPECACHE_HASH_PROC_FINFO);

	return DatumGetInt32(FunctionCall1Coll(&entry->hash_proc_finfo, type->collation, id));
}

/*
 * The id number `n` of those that are tried for tickets, of the type of users' ids.  It need be nobody's: a row of the
 * table of users has a version as well, and a ticket's is no model's.
 */
static Datum
TicketId(const IdType *type, int n)
{
	Oid			input;
	Oid			ioparam;
	char	   *text = type->base == UUIDOID ? psprintf("00000000-0000-4000-8000-%012x", n) : psprintf("%d", n);

	getTypeInputInfo(type->base, &input, &ioparam);
	return OidInputFunctionCall(input, text, ioparam, -1);
}

/* The number of the shard that has a hash; -1: none, where the table has no shards for it. */
static int
ShardOfHash(const Shards *shards, int32 hash)
{
	for (int s = 0; s < shards->count; s++)
		if (hash >= shards->shard[s].range.min && hash <= shards->shard[s].range.max)
			return s;
	return -1;
}

/* The number of the node whose shard a user belongs into. */
int
NodeOfUser(const Driver *driver, int64 id)
{
	const IdType *type = &driver->source->user;
	int			shard = ShardOfHash(driver->shards, HashOf(type, IdToDatum(type, id)));

	for (int n = 0; shard >= 0 && n < driver->nnodes; n++)
		if (driver->nodes[n].group == driver->shards->shard[shard].group)
			return n;
	NodesDisagree("No shard is for a user's id.");
}

/* The nodes of the shards, in the order in which shards name them, without tickets. */
static void
ListNodes(Driver *driver)
{
	const Shards *shards = driver->shards;

	driver->nodes = palloc0(sizeof(DriverNode) * Max(shards->count, 1));
	for (int s = 0; s < shards->count; s++)
	{
		int			n = 0;

		while (n < driver->nnodes && driver->nodes[n].group != shards->shard[s].group)
			n++;
		if (n == driver->nnodes)
			driver->nodes[driver->nnodes++].group = shards->shard[s].group;
	}
}

/* Takes an id as the ticket of a shard, and of its node, where they have none; how many did not. */
static int
TakeTicket(Driver *driver, bool *has, Datum id)
{
	int			s = ShardOfHash(driver->shards, HashOf(&driver->source->user, id));
	int			found = 0;

	if (s < 0 || has[s])
		return 0;
	has[s] = true;
	driver->shard_ticket[s] = id;
	for (int n = 0; n < driver->nnodes; n++)
		if (driver->nodes[n].group == driver->shards->shard[s].group && !driver->nodes[n].has_ticket)
		{
			driver->nodes[n].ticket = id;
			driver->nodes[n].has_ticket = true;
			found++;
		}
	return found;
}

/*
 * Finds an id for each shard, the first of which is its node's.  Where a row goes to is for Citus to say, by the row's hash
 * alone, so ids are tried until all have had one.  An error where none is found for a node: smallint has few ids.
 */
static void
FindTickets(Driver *driver)
{
	const IdType *type = &driver->source->user;
	int			count = driver->shards->count;
	int			nodes = 0;
	int			shards = 0;
	bool	   *has = palloc0(sizeof(bool) * Max(count, 1));
	int			most = type->base == INT2OID ? PG_INT16_MAX : MOST_TRIES;

	driver->shard_ticket = palloc0(sizeof(Datum) * Max(count, 1));
	for (int i = 1; shards < count && i <= most; i++)
	{
		nodes += TakeTicket(driver, has, TicketId(type, i));
		while (shards < count && has[shards])
			shards++;
	}
	pfree(has);
	if (nodes < driver->nnodes || nodes == 0)
		NodesDisagree("No id belongs into a shard of one of them.");
	if (shards < count)
		driver->shard_ticket = NULL;
}

/*
 * Removes tickets from all shards, where there are any.  As it writes to all of them, it also begins the transaction on
 * every node, and in the one session there that all the steps will go to.
 */
static void
DropTickets(Driver *driver)
{
	Oid			types[1] = {INT4OID};
	Datum		values[1] = {Int32GetDatum(TICKET_VERSION)};

	(void) RunSql(psprintf("DELETE FROM %s WHERE version OPERATOR(pg_catalog.<=) $1", driver->table), 1, types, values, false);
}

/* The rows of tickets, and the parameters of the statement that inserts them. */
typedef struct TicketRows
{
	StringInfoData sql;
	int			nargs;
	Oid		   *types;
	Datum	   *values;
} TicketRows;

/* Adds a ticket. */
static void
AddTicket(TicketRows *rows, Oid type, int32 version, Datum id, int32 number)
{
	appendStringInfo(&rows->sql, "%s (%d, $%d, %d, 0, '{}')", rows->nargs > 0 ? "," : "", version, rows->nargs + 1, number);
	rows->types[rows->nargs] = type;
	rows->values[rows->nargs++] = id;
}

/*
 * Gives each node its ticket, and each shard: a row whose number of ratings is the node's, or the shard's.  So a call over
 * the ticket knows where it is without asking Citus, and the answer has that number by which sums are put in order.
 */
static void
GiveTickets(Driver *driver)
{
	Oid			type = driver->source->user.type;
	int			nshards = driver->shard_ticket ? driver->shards->count : 0;
	TicketRows	rows = {.types = palloc(sizeof(Oid) * (driver->nnodes + nshards)),
	.values = palloc(sizeof(Datum) * (driver->nnodes + nshards))};

	initStringInfo(&rows.sql);
	appendStringInfo(&rows.sql, "INSERT INTO %s (version, %s, ratings, bias, factors) VALUES", driver->table, USER_ID);
	for (int n = 0; n < driver->nnodes; n++)
		AddTicket(&rows, type, TICKET_VERSION, driver->nodes[n].ticket, n);
	for (int s = 0; s < nshards; s++)
		AddTicket(&rows, type, SHARD_TICKET_VERSION, driver->shard_ticket[s], s);
	(void) RunSql(rows.sql.data, rows.nargs, rows.types, rows.values, false);
}

/*
 * Begins a training of a version on the nodes that have the source's rows, and those of the table of users with them.
 * settings: of BeginNodeSettings().  Everything lives in the current memory context.  Refuses a table of users that is
 * not colocated with the source: users' rows would belong to other nodes than their ratings.
 */
Driver *
OpenDriver(const Source *source, Oid user_relid, int32 version, int settings)
{
	Driver	   *driver = palloc0(sizeof(Driver));
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));

	driver->context = CurrentMemoryContext;
	driver->source = source;
	driver->user = GetUserId();
	driver->user_relid = user_relid;
	driver->version = version;
	driver->settings = settings;
	/* so that trainings do not meet in a node's session by chance */
	driver->job = (int64) (hash_combine64(GetCurrentTimestamp(), MyProcPid) >> 1);
	driver->table = FactorTableSql(user_relid);
	driver->shards = ReadShards(user_relid);
	if (driver->shards->colocation != ReadShards(RowTableOf(source))->colocation)
		NodesDisagree("The table of users is not distributed as the source is.");
	driver->outer = working;
	working = driver;
	callback->func = ForgetDriver;
	callback->arg = driver;
	MemoryContextRegisterResetCallback(driver->context, callback);
	ListNodes(driver);
	FindTickets(driver);
	DropTickets(driver);
	GiveTickets(driver);
	return driver;
}

/* Receives chunks. */
typedef struct ChunkReceiver
{
	DestReceiver pub;
	ChunkFunction function;
	void	   *state;
	MemoryContext context;
} ChunkReceiver;

/*
 * Takes a row: a chunk, in the memory context that was current when the step began, as its results have to outlive the
 * row.
 */
static bool
ReceiveRow(TupleTableSlot *slot, DestReceiver *self)
{
	ChunkReceiver *receiver = (ChunkReceiver *) self;
	MemoryContext old = MemoryContextSwitchTo(receiver->context);
	ChunkHeader header;
	bytea	   *chunk;
	const char *data;
	Size		bytes;

	slot_getallattrs(slot);
	chunk = DatumGetByteaP(slot->tts_values[0]);
	data = ReadChunk(chunk, &header, &bytes);
	if (receiver->function == NULL)
		NodesDisagree("An answer has come that was not asked for.");
	receiver->function(receiver->state, &header, data, bytes);
	/* a copy, where it came compressed: a step may give thousands */
	if ((Pointer) chunk != DatumGetPointer(slot->tts_values[0]))
		pfree(chunk);
	MemoryContextSwitchTo(old);
	return true;
}

/* The array of all tickets. */
static Datum
TicketArray(const Driver *driver)
{
	const IdType *type = &driver->source->user;
	Datum	   *ids = palloc(sizeof(Datum) * driver->nnodes);

	for (int n = 0; n < driver->nnodes; n++)
		ids[n] = driver->nodes[n].ticket;
	return PointerGetDatum(construct_array(ids, driver->nnodes, type->base, type->typlen, type->typbyval, type->typalign));
}

/*
 * Runs a step by a query of tickets, whose last parameters are these, behind the job, the step and its argument; condition:
 * which tickets.
 */
static void
RunOverTickets(Driver *driver, const char *condition, int nargs, Oid *types, Datum *values, const char *step,
			   const void *argument, Size bytes, ChunkFunction function, void *state)
{
	ChunkReceiver receiver = {.pub.receiveSlot = ReceiveRow,.function = function,.state = state,.context = CurrentMemoryContext};
	bytea	   *data = palloc(VARHDRSZ + bytes);

	SET_VARSIZE(data, VARHDRSZ + bytes);
	if (bytes > 0)
		memcpy(VARDATA(data), argument, bytes);
	types[0] = INT8OID;
	values[0] = Int64GetDatum(driver->job);
	types[1] = TEXTOID;
	values[1] = CStringGetTextDatum(step);
	types[2] = BYTEAOID;
	values[2] = PointerGetDatum(data);
	RunQueryWith(psprintf("SELECT mfrec.node_run($1, ratings, $2, $3) FROM %s WHERE %s", driver->table, condition), nargs,
				 types, values, false, &receiver.pub);
	pfree(data);
}

/*
 * Has every node run a step; its answers go to the function (NULL: there must be none), in no particular order of
 * nodes, and in the current memory context.  argument: `bytes` of it, the same for all nodes, and small: what is large
 * goes ahead by SendArrays().  Returns when all nodes are done.
 */
void
RunStep(Driver *driver, const char *step, const void *argument, Size bytes, ChunkFunction function, void *state)
{
	const IdType *type = &driver->source->user;
	Oid			types[5] = {[3] = INT4OID,[4] = get_array_type(type->base)};
	Datum		values[5] = {[3] = Int32GetDatum(TICKET_VERSION),[4] = TicketArray(driver)};

	RunOverTickets(driver, psprintf("version OPERATOR(pg_catalog.=) $4 AND %s %s ANY ($5)", USER_ID, IdEqualitySql(type)), 5,
				   types, values, step, argument, bytes, function, state);
}

/*
 * The same once for each shard, whose number is the node's for it: in the session that has what the transaction has done
 * to the shard, for Citus takes all that lies with it to the same one.
 */
void
RunShardStep(Driver *driver, const char *step, const void *argument, Size bytes, ChunkFunction function, void *state)
{
	Oid			types[4] = {[3] = INT4OID};
	Datum		values[4] = {[3] = Int32GetDatum(SHARD_TICKET_VERSION)};

	RunOverTickets(driver, "version OPERATOR(pg_catalog.=) $4", 4, types, values, step, argument, bytes, function, state);
}

/*
 * Adds an array of all items, or their ids, to what SendArrays() sends.  width: bytes of an element; values NULL:
 * nothing, as where the problem has no such part.
 */
void
AddArray(Driver *driver, Channel channel, const void *values, Size width, int64 count)
{
	if (values == NULL)
		return;
	Assert(driver->sending.narrays < MOST_SENT);
	driver->sending.array[driver->sending.narrays++] = (SentArray) {channel, values, width, 0, count};
}

/* Adds ids first .. end - 1 of items, or of users, to what SendArrays() sends. */
void
SendIds(Driver *driver, Channel channel, const IdMap *ids, int64 first, int64 end)
{
	Assert(driver->sending.narrays < MOST_SENT);
	if (end > first)
		driver->sending.array[driver->sending.narrays++] = (SentArray) {channel, ids, 1, first, end - first};
}

/*
 * Takes the sum of what node_receive() returns, which is there to be computed: one row comes back rather than one a
 * chunk.
 */
static bool
ReceiveCount(TupleTableSlot *slot, DestReceiver *self)
{
	(void) slot;
	(void) self;
	return true;
}

/*
 * Sends what AddArray() was called with to all nodes, in the order of chunks.  Where there is one node, Citus would
 * take the whole query there rather than ask here what is sent, unless told not to.  MATERIALIZED sees to it that it
 * is a subplan: it runs here once, and its result goes to each node as a file, rather than once for each shard.
 */
void
SendArrays(Driver *driver)
{
	int			settings = NewGUCNestLevel();
	DestReceiver receiver = {.receiveSlot = ReceiveCount};
	const IdType *type = &driver->source->user;
	Oid			types[3] = {INT8OID, INT4OID, get_array_type(type->base)};
	Datum		values[3] = {Int64GetDatum(driver->job), Int32GetDatum(TICKET_VERSION), TicketArray(driver)};

	Set("citus.enable_router_execution", "off");
	driver->sending.current = 0;
	driver->sending.at = 0;
	RunQueryWith(psprintf("WITH sent AS MATERIALIZED (SELECT chunk FROM mfrec.driver_send($1) AS chunk) "
						  "SELECT pg_catalog.sum(mfrec.node_receive($1, sent.chunk)) FROM %s t, sent "
						  "WHERE t.version OPERATOR(pg_catalog.=) $2 AND t.%s %s ANY ($3)",
						  driver->table, USER_ID, IdEqualitySql(type)), 3, types, values, false, &receiver);
	driver->sending.narrays = 0;
	AtEOXact_GUC(true, settings);
}

/*
 * What the driver at work in this session sends; an error where there is none of that number, as where somebody calls
 * driver_send() by hand, or a node has been asked instead of this session.
 */
Sending *
FindSending(int64 job)
{
	if (working == NULL || working->job != job)
		NodeStepIsWrong();
	return &working->sending;
}

/* The next chunk of ids. */
static bytea *
NextSentIds(Sending *sending, const SentArray *array)
{
	int64		at = array->first + sending->at;
	bytea	   *chunk = PackIds(array->values, NULL, NULL, 0, array->channel, array->first + array->count, &at);

	sending->at = at - array->first;
	return chunk;
}

/*
 * The next chunk that is sent, palloc'd; NULL at the end.  Arrays follow each other, and a chunk is of one alone; one
 * element goes even where it is larger than a chunk should be.
 */
bytea *
NextSent(Sending *sending)
{
	const SentArray *array = &sending->array[sending->current];
	int64		first = sending->at;
	int64		count;

	if (sending->current == sending->narrays)
		return NULL;
	if (first >= array->count)
	{
		sending->current++;
		sending->at = 0;
		return NextSent(sending);
	}
	if (array->channel == CHANNEL_USER_FEATURES)
		return NextSentCells(sending, array);
	if (array->channel == CHANNEL_ITEM_IDS || array->channel == CHANNEL_COLD_IDS || array->channel == CHANNEL_PROFILE_IDS)
		return NextSentIds(sending, array);
	count = Min(array->count - first, Max(1, CHUNK_BYTES / (int64) array->width));
	sending->at += count;
	return MakeChunk(0, array->channel, first, count, (const char *) array->values + first * array->width,
					 count * array->width);
}

/* Ends it: what nodes have is gone, and settings are as before. */
void
CloseDriver(Driver *driver)
{
	RunStep(driver, STEP_END, NULL, 0, NULL, NULL);
	DropTickets(driver);
	AtEOXact_GUC(true, driver->settings);
	ForgetDriver(driver);
}
