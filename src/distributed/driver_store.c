/*
 * driver_store.c - users and items stored on nodes, and read there; and which sources can be trained on theirs at all.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "distributed/driver.h"
#include "distributed/driver_state.h"
#include "model/factor_columns.h"
#include "model/model_catalog.h"
#include "pg/citus.h"
#include "pg/placement.h"
#include "pg/spi_query.h"
#include "source/view_table.h"

/* From so many bytes on a source is trained where it lies, unless the caller says otherwise: some 100 million ratings. */
#define LARGE_SOURCE (INT64CONST(5) << 30)

/*
 * Where one shard has more than one placement, a node would not know whose users are its own.  True, too, where there
 * are no shards, as there is nothing to train on.
 */
static bool
HasReplicas(const Shards *shards)
{
	for (int s = 0; s < shards->count; s++)
		if (shards->shard[s].placements != 1)
			return true;
	return shards->count == 0;
}

/* Whether ids of a type are hashed and sent alike by all nodes, and can be made for tickets. */
static bool
TypeTravels(const IdType *type)
{
	switch (type->type)
	{
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case NUMERICOID:
		case UUIDOID:
		case TEXTOID:
		case VARCHAROID:
			return true;
		default:
			return false;
	}
}

/* Whether a table of users that Citus has lies with the rows of a source. */
static bool
UsersLieWithRows(const Source *source, Oid user_relid)
{
	return !OidIsValid(user_relid) || !IsCitusTable(user_relid) ||
		ReadShards(user_relid)->colocation == ReadShards(RowTableOf(source))->colocation;
}

/*
 * Why a source cannot be trained on the nodes that have its rows, as an error's detail; NULL where it can.  user_relid: the
 * model's table of users, InvalidOid of a new one.
 */
char *
WhyNotDistributed(const Source *source, Oid user_relid)
{
	const CitusTable *table;
	AttrNumber	user;
	Oid			relid;

	if (!FindRowTable(source->relid, source->user_column, &relid, &user))
		return psprintf("It is a view that does more than choose rows of one table, join reference tables and compute columns, or column \"%s\" is not the table's: name a distributed table.",
						source->user_column);
	table = FindCitusTable(relid);
	if (table == NULL)
		return "It is no table that Citus distributes.";
	if (table->method != CITUS_BY_HASH || table->column == InvalidAttrNumber)
		return "It is not distributed by hash.";
	if (table->column != user)
		return psprintf("It is not distributed by column \"%s\".", source->user_column);
	if (!TypeTravels(&source->user) || !TypeTravels(&source->item))
		return "Ids must be integers, numeric, uuid or text, and no domains.";
	if (!CitusHasExtension("mfrec"))
		return "The extension mfrec is not on all nodes: it was created before Citus, or before a node was added.";
	if (HasReplicas(ReadShards(relid)))
		return "Its shards have more than one placement.";
	if (!UsersLieWithRows(source, user_relid))
		return "The model's table of users is there already, and does not lie with the rows: train another model.";
	return NULL;
}

/* The bytes of a table's shards; citus_table_size() is not for transactions that have written. */
static const char *const size_sql =
"SELECT pg_catalog.sum(z.size)::pg_catalog.int8 FROM pg_catalog.citus_shard_sizes() z, pg_catalog.pg_dist_shard s"
" WHERE s.shardid OPERATOR(pg_catalog.=) z.shard_id AND s.logicalrelid OPERATOR(pg_catalog.=) $1";

/* Whether a source that can be trained on its nodes is so large that it should. */
bool
IsLargeDistributed(const Source *source)
{
	return QueryNumber(size_sql, REGCLASSOID, ObjectIdGetDatum(RowTableOf(source))) >= LARGE_SOURCE;
}

/* Adds the number of users that a node has stored, or has read. */
static void
TakeStored(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	int64		stored;

	CheckResult(header, bytes, sizeof(stored));
	memcpy(&stored, data, sizeof(stored));
	*(int64 *) state += stored;
}

/* StoreArgument for a version of a table, without shards, in so many bytes, palloc'd. */
static StoreArgument *
MakeStoreArgument(Oid relid, int32 version, bool with_seen, Size bytes)
{
	StoreArgument *argument = palloc0(bytes);

	argument->version = version;
	argument->with_seen = with_seen;
	strlcpy(argument->table, FactorTableName(relid), NAMEDATALEN);
	strlcpy(argument->schema, get_namespace_name(get_rel_namespace(relid)), NAMEDATALEN);
	return argument;
}

/* The same of the driver's table of users, with its shards and `more` bytes; *bytes: of it. */
static StoreArgument *
MakeUsersArgument(const Driver *driver, int32 version, bool with_seen, Size more, Size *bytes)
{
	const Shards *shards = driver->shards;
	StoreArgument *argument;

	*bytes = sizeof(StoreArgument) + sizeof(ShardRange) * shards->count + more;
	argument = MakeStoreArgument(driver->user_relid, version, with_seen, *bytes);
	argument->nshards = shards->count;
	for (int s = 0; s < shards->count; s++)
		memcpy((char *) argument + sizeof(StoreArgument) + sizeof(ShardRange) * s, &shards->shard[s].range, sizeof(ShardRange));
	return argument;
}

/*
 * Has nodes store their users as the driver's version.  with_seen: with what users have, and with those of whom there
 * is nothing else.  mean_bias: of users without ratings whose attributes give them a vector.  Returns how many rows these
 * are.
 *
 * All shards are named to all nodes: each takes those that its users' hashes belong to, and fails where one is not
 * there.
 */
int64
StoreOnNodes(Driver *driver, bool with_seen, float mean_bias)
{
	Size		bytes;
	StoreArgument *argument = MakeUsersArgument(driver, driver->version, with_seen, 0, &bytes);
	int64		stored = 0;

	argument->mean_bias = mean_bias;
	RunStep(driver, STEP_STORE, argument, bytes, TakeStored, &stored);
	pfree(argument);
	return stored;
}

/*
 * Whether each node that has a copy of a table, of one shard, can store all items: those that train can where they have
 * rows, and this one.  *here: this node has a copy, and none of them is it.
 */
static bool
NodesHaveCopies(const Driver *driver, int64 shard, bool *here)
{
	Placements *copies = ReadPlacements(shard);

	*here = false;
	for (int c = 0; c < copies->count; c++)
	{
		int			n = 0;

		while (n < driver->nnodes && driver->nodes[n].group != copies->group[c])
			n++;
		if (n < driver->nnodes ? UsersOfNode(driver, n) == 0 : copies->group[c] != LocalGroup())
			return false;
		*here |= n == driver->nnodes;
	}
	/* all of those that are asked must have one */
	return copies->count == driver->nnodes + *here;
}

/*
 * Has every node store the items of the driver's version in its copy of their table, and stores this node's, where nothing
 * but nodes that train have copies.  False where others have some, or the table is not of that kind: then nothing is
 * stored.  Statements of Citus's would take rows apart, and send each value of a vector by itself to each node.
 *
 * Citus knows nothing of it.  So a statement of its own comes first, which changes no row: it keeps copies from being moved
 * or made until the transaction has ended, and has all nodes that have one take part in its commit.
 */
bool
StoreItemsOnNodes(Driver *driver, Oid relid, const MfProblem *problem, const MfFactors *factors, const FactorRows *rows,
				  bool with_seen)
{
	const CitusTable *table = FindCitusTable(relid);
	Size		bytes = sizeof(StoreArgument) + sizeof(ShardRange);
	StoreArgument *argument;
	ShardRange	shard = {0};
	bool		here;
	int64		stored = 0;

	if (table == NULL || !table->reference || table->nshards != 1 || driver->user != GetUserId())
		return false;
	shard.shard = table->shards[0].id;
	DeleteVersions(relid, &(Datum) {Int32GetDatum(driver->version)}, 1);
	if (!NodesHaveCopies(driver, shard.shard, &here) || (here && !OidIsValid(PlacementOfAll(relid))))
		return false;
	AddItems(driver, problem, factors);
	AddArray(driver, CHANNEL_ITEM_FINGERPRINTS, rows->fingerprints, sizeof(int64), problem->nitems);
	AddArray(driver, CHANNEL_ITEM_TRENDS, rows->trends, sizeof(float), problem->nitems);
	SendArrays(driver);
	argument = MakeStoreArgument(relid, driver->version, with_seen, bytes);
	argument->nshards = 1;
	memcpy((char *) argument + sizeof(StoreArgument), &shard, sizeof(shard));
	RunStep(driver, STEP_STORE_ITEMS, argument, bytes, TakeStored, &stored);
	pfree(argument);
	if (stored != driver->nnodes * problem->nitems)
		NodesDisagree("Items are missing.");
	if (here)
		StoreFactors(PlacementOfAll(relid), ITEM_ID, driver->version, rows, with_seen);
	return true;
}

/*
 * Has nodes take the users of a stored version of the driver's model, by whom they then measure; how many there are.
 * Where it predicts ratings alone they get its items, too: of lists these are needed here.
 */
int64
ServedUsersOnNodes(Driver *driver, int32 version, const ServedFactors *served)
{
	Size		mean_bytes = sizeof(float) * served->problem.factors;
	Size		bytes;
	StoreArgument *argument = MakeUsersArgument(driver, version, false, sizeof(ServedArgument) + mean_bytes, &bytes);
	ServedArgument of = {served->objective, served->mean_bias};
	char	   *end = (char *) argument + bytes;
	int64		users = 0;

	memcpy(end - mean_bytes - sizeof(of), &of, sizeof(of));
	memcpy(end - mean_bytes, served->mean_user, mean_bytes);
	RunStep(driver, STEP_SERVED, argument, bytes, TakeStored, &users);
	pfree(argument);
	if (served->problem.has_interest)
		return users;
	AddArray(driver, CHANNEL_RATING, served->factors.rating, sizeof(float) * mf_padded(served->problem.factors),
			 served->problem.nitems);
	AddArray(driver, CHANNEL_BIAS, served->factors.item_bias, sizeof(float), served->problem.nitems);
	SendArrays(driver);
	return users;
}

/* Has nodes measure by the users that are trained again. */
void
TrainedUsersOnNodes(Driver *driver)
{
	RunStep(driver, STEP_SERVED, NULL, 0, NULL, NULL);
}
