/*
 * driver_users.c - users of the nodes, by their numbers in the order of all users' ids.
 *
 * What a training on one node does with some of its users, it chooses by these numbers: which rows are held out, by
 * whom features are tried.  And in their order it adds up, where it solves items.  So that the same are chosen here, and
 * sums have the same bits, nodes send the ids of their users, in their order, and they are merged, about a megabyte of
 * each node at a time.  What is kept is whose each user is, two bytes; where rows are to be held out nodes get it, too,
 * and find the places of their own.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/base/padding.h"
#include "distributed/driver.h"
#include "distributed/driver_state.h"
#include "pg/alloc.h"
#include "pg/packed_rows.h"

/* Ids of a node's users on their way into the order. */
typedef struct IdRun
{
	MemoryContext context;		/* of the ids at hand */
	int64	   *id;				/* count, of which `next` comes next */
	int64		count;
	int64		next;
	int64		from;			/* the first one after them */
	bool		ended;
} IdRun;

/* All of them. */
typedef struct IdMerge
{
	Driver	   *driver;
	IdRun	   *run;			/* nnodes */
	bool	   *answered;		/* nnodes: in the round at hand */
} IdMerge;

/* Takes a chunk of STEP_USER_IDS. */
static void
TakeUserIds(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	IdMerge    *merge = state;
	const IdType *type = &merge->driver->source->user;
	IdRun	   *run;
	PackedLayout layout;
	PackedReader reader;
	Datum		value;
	bool		isnull;
	MemoryContext old;
	bytea	   *rows;

	if (header->channel != CHANNEL_USER_IDS || header->node < 0 || header->node >= merge->driver->nnodes)
		NodesDisagree("Ids of users are not those that were asked for.");
	run = &merge->run[header->node];
	if (run->next < run->count || header->first != run->from || merge->answered[header->node])
		NodesDisagree("Ids of users are not those that were asked for.");
	merge->answered[header->node] = true;
	MemoryContextReset(run->context);
	old = MemoryContextSwitchTo(run->context);
	rows = palloc(bytes);		/* aligned as values in it have to be, which stay there */
	memcpy(rows, data, bytes);
	run->id = palloc_extended(sizeof(int64) * Max(header->count, 1), MCXT_ALLOC_HUGE);
	run->count = run->next = 0;
	InitPackedLayout(&layout, 1, &type->base);
	ReadPackedRows(&reader, &layout, rows);
	while (run->count < header->count && NextPackedRow(&reader, &value, &isnull))
		run->id[run->count++] = IdFromColumn(type, value);
	run->from += run->count;
	MemoryContextSwitchTo(old);
	if (run->count != header->count || run->count == 0)
		NodesDisagree("Ids of users are not those that were asked for.");
}

/* Asks nodes for more ids of users; those of whom none are left and none come have ended. */
static void
AskForIds(IdMerge *merge)
{
	int			nnodes = merge->driver->nnodes;
	int64	   *from = palloc(sizeof(int64) * nnodes);

	for (int n = 0; n < nnodes; n++)
	{
		const IdRun *run = &merge->run[n];

		/* whose ids are not needed yet is asked for those behind its last, and sends none */
		from[n] = run->next < run->count ? PG_INT64_MAX : run->from;
	}
	merge->answered = palloc0(sizeof(bool) * nnodes);
	RunStep(merge->driver, STEP_USER_IDS, from, sizeof(int64) * nnodes, TakeUserIds, merge);
	for (int n = 0; n < nnodes; n++)
		merge->run[n].ended |= from[n] != PG_INT64_MAX && !merge->answered[n];
	pfree(merge->answered);
	pfree(from);
}

/* The node whose next id is the least; -1: there are none, -2: it is not known, as one has yet to send more. */
static int
LeastRun(const IdMerge *merge)
{
	const IdType *type = &merge->driver->source->user;
	int			least = -1;

	for (int n = 0; n < merge->driver->nnodes; n++)
	{
		const IdRun *run = &merge->run[n];

		if (run->next == run->count && !run->ended)
			return -2;
		if (run->next < run->count &&
			(least < 0 || CompareIds(type, run->id[run->next], merge->run[least].id[merge->run[least].next]) < 0))
			least = n;
	}
	return least;
}

/*
 * driver->user_order: whose users are, in the order of all users' ids; once, after rows have been taken.  ids: takes their
 * ids, in that order; NULL: nobody wants these.
 */
void
RankUsersOnNodes(Driver *driver, IdMap *ids)
{
	IdMerge		merge = {.driver = driver};
	int64		placed = 0;
	int			node;

	if (driver->user_order)
		return;
	if (driver->nnodes > PG_UINT16_MAX)
		NodesDisagree("They are too many to say whose each user is.");
	merge.run = palloc0(sizeof(IdRun) * driver->nnodes);
	for (int n = 0; n < driver->nnodes; n++)
		merge.run[n].context = AllocSetContextCreate(CurrentMemoryContext, "mfrec user ids", ALLOCSET_DEFAULT_SIZES);
	driver->user_order = HugeArray(driver->users, sizeof(NodeNumber));
	while ((node = LeastRun(&merge)) != -1)
	{
		if (node == -2)
		{
			AskForIds(&merge);
			continue;
		}
		if (placed == driver->users)
			NodesDisagree("They have more users than they have said.");
		if (placed % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (ids && AddId(ids, merge.run[node].id[merge.run[node].next]) != placed)
			NodesDisagree("A user has ratings on two of them.");
		merge.run[node].next++;
		driver->user_order[placed++] = (NodeNumber) node;
	}
	if (placed != driver->users)
		NodesDisagree("They have fewer users than they have said.");
	for (int n = 0; n < driver->nnodes; n++)
		MemoryContextDelete(merge.run[n].context);
	pfree(merge.run);
}

/* Lets nodes know with what is sent next, which has to be before they sort their rows. */
void
SendUserOrder(Driver *driver)
{
	AddArray(driver, CHANNEL_USER_ORDER, driver->user_order, sizeof(NodeNumber), driver->users);
}

/*
 * The places among users of all nodes of those who are numbered node by node, as driver->nodes has it: int32 each, in
 * the current memory context.
 */
int32 *
PlacesOfUsers(const Driver *driver)
{
	int64	   *next = palloc(sizeof(int64) * driver->nnodes);
	int32	   *place = HugeArray(driver->users, sizeof(int32));

	for (int n = 0; n < driver->nnodes; n++)
		next[n] = driver->nodes[n].first_user;
	for (int64 u = 0; u < driver->users; u++)
		place[next[driver->user_order[u]]++] = (int32) u;
	pfree(next);
	return place;
}

/* The users of all nodes, who have ratings. */
int64
UsersOfNodes(const Driver *driver)
{
	return driver->users;
}

/* Users at n places, which ascend, as nodes know them; palloc'd. */
ChosenUser *
ChooseUsers(const Driver *driver, const int64 *places, int64 n)
{
	int32	   *before = palloc0(sizeof(int32) * driver->nnodes);	/* users of each node so far */
	ChosenUser *chosen = palloc(sizeof(ChosenUser) * Max(n, 1));
	int64		at = 0;

	for (int64 s = 0; s < n; s++)
	{
		NodeNumber	node = driver->user_order[places[s]];

		for (; at < places[s]; at++)
			before[driver->user_order[at]]++;
		chosen[s] = (ChosenUser) {node, before[node]};
	}
	pfree(before);
	return chosen;
}

/* Users who come from nodes, in whatever order nodes answer. */
typedef struct UsersReading
{
	int64		count;
	int			ld;
	SentUser   *sent;			/* count; at -1: has not come */
	char	  **cells;			/* count: what follows the vector */
	float	   *vector;			/* count x ld */
} UsersReading;

/* Takes a chunk of STEP_CELLS and STEP_VECTORS. */
static void
TakeUser(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	UsersReading *reading = state;
	Size		vector = sizeof(float) * reading->ld;
	SentUser	sent;
	Size		cells;

	if (header->channel != CHANNEL_USERS || bytes < sizeof(SentUser) + vector)
		NodesDisagree("Users are not those that were asked for.");
	memcpy(&sent, data, sizeof(SentUser));
	cells = sizeof(float) * (Size) sent.ncells * (1 + (sent.has_ratings != 0) + (sent.has_weights != 0));
	if (sent.at < 0 || sent.at >= reading->count || sent.ncells < 0 || bytes != sizeof(SentUser) + vector + cells)
		NodesDisagree("Users are not those that were asked for.");
	reading->sent[sent.at] = sent;
	memcpy(reading->vector + (int64) sent.at * reading->ld, data + sizeof(SentUser), vector);
	reading->cells[sent.at] = palloc_extended(Max(cells, 1), MCXT_ALLOC_HUGE);
	memcpy(reading->cells[sent.at], data + sizeof(SentUser) + vector, cells);
}

/* Puts the cells of users one behind the other. */
static void
JoinCells(const UsersReading *reading, UserRows *users)
{
	int64	   *start = HugeArray(reading->count + 1, sizeof(int64));
	bool		ratings = false;
	bool		weights = false;
	MfMatrix	to;

	start[0] = 0;
	for (int64 s = 0; s < reading->count; s++)
	{
		start[s + 1] = start[s] + reading->sent[s].ncells;
		ratings |= reading->sent[s].has_ratings != 0;
		weights |= reading->sent[s].has_weights != 0;
	}
	to = (MfMatrix) {reading->count, start, HugeArray(start[reading->count], sizeof(int32)),
		ratings ? HugeZeroArray(start[reading->count], sizeof(float)) : NULL,
	weights ? HugeZeroArray(start[reading->count], sizeof(float)) : NULL};
	for (int64 s = 0; s < reading->count; s++)
	{
		const SentUser *sent = &reading->sent[s];
		Size		bytes = sizeof(float) * sent->ncells;
		const char *from = reading->cells[s];

		memcpy(to.column + start[s], from, bytes);
		from += bytes;
		if (sent->has_ratings)
		{
			memcpy(to.rating + start[s], from, bytes);
			from += bytes;
		}
		if (sent->has_weights)
			memcpy(to.weight + start[s], from, bytes);
	}
	users->cells = mf_matrix_rows(&to);
}

/*
 * Reads the users at n places, which ascend, one maybe several times, from their nodes: as they are solved there now,
 * with what they have (cells), or by vectors alone; in the current memory context.
 */
void
ReadUsers(Driver *driver, const MfProblem *problem, const int64 *places, int64 n, bool cells, UserRows *users)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext scratch = AllocSetContextCreate(caller, "mfrec users of nodes", ALLOCSET_DEFAULT_SIZES);
	UsersReading reading = {.count = n,.ld = mf_padded(problem->factors)};
	ChosenUser *chosen;

	memset(users, 0, sizeof(UserRows));
	users->count = n;
	users->vector = reading.vector = AlignedArray(Max(n, 1) * reading.ld, sizeof(float));
	users->bias = HugeArray(n, sizeof(float));
	users->likes = HugeArray(n, sizeof(int32));
	MemoryContextSwitchTo(scratch);
	chosen = ChooseUsers(driver, places, n);
	reading.cells = palloc0(sizeof(char *) * Max(n, 1));
	reading.sent = palloc(sizeof(SentUser) * Max(n, 1));
	for (int64 s = 0; s < n; s++)
		reading.sent[s].at = -1;
	RunStep(driver, cells ? STEP_CELLS : STEP_VECTORS, chosen, sizeof(ChosenUser) * n, TakeUser, &reading);
	MemoryContextSwitchTo(caller);
	for (int64 s = 0; s < n; s++)
	{
		if (reading.sent[s].at != s)
			NodesDisagree("Users are missing.");
		users->bias[s] = reading.sent[s].bias;
		users->likes[s] = reading.sent[s].likes;
	}
	if (cells)
		JoinCells(&reading, users);
	MemoryContextDelete(scratch);
}

/* Has the users at n places count for no sums of items from here on; n = 0: all count again. */
void
LeaveUsersOutOnNodes(Driver *driver, const int64 *places, int64 n)
{
	ChosenUser *chosen = ChooseUsers(driver, places, n);

	RunStep(driver, STEP_LEAVE_OUT, chosen, sizeof(ChosenUser) * n, NULL, NULL);
	pfree(chosen);
}

/* An array with a number of each user, as its node has it, on its way. */
typedef struct UserArrays
{
	const Driver *driver;
	Channel		channel;
	int			bits;			/* of a number */
	char	  **part;			/* of each node's users */
	int64	   *received;		/* users, by node */
} UserArrays;

/* Takes a chunk of one. */
static void
TakeOfUsers(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	UserArrays *arrays = state;
	int			n = header->node;

	if (header->channel != (int32) arrays->channel || n < 0 || n >= arrays->driver->nnodes ||
		header->first != arrays->received[n] || header->first * arrays->bits % 8 != 0 ||
		header->count > UsersOfNode(arrays->driver, n) - header->first ||
		bytes != ((Size) header->count * arrays->bits + 7) / 8)
		NodesDisagree("What they say of users is not of theirs.");
	memcpy(arrays->part[n] + header->first * arrays->bits / 8, data, bytes);
	arrays->received[n] += header->count;
}

/* What a step has of each user, 1 or 32 bits: arrays by node, each of the node's users. */
char	  **
ReadOfUsers(Driver *driver, const char *step, Channel channel, int bits)
{
	UserArrays	arrays = {driver, channel, bits, palloc(sizeof(char *) * driver->nnodes),
	palloc0(sizeof(int64) * driver->nnodes)};

	for (int n = 0; n < driver->nnodes; n++)
		arrays.part[n] = HugeZeroArray(UsersOfNode(driver, n) * bits / 8 + 1, 1);
	RunStep(driver, step, NULL, 0, TakeOfUsers, &arrays);
	for (int n = 0; n < driver->nnodes; n++)
		if (arrays.received[n] != UsersOfNode(driver, n))
			NodesDisagree("They have not said of all users what they were asked.");
	pfree(arrays.received);
	return arrays.part;
}

/* Gives these back. */
void
FreeOfUsers(const Driver *driver, char **part)
{
	for (int n = 0; n < driver->nnodes; n++)
		pfree(part[n]);
	pfree(part);
}

/*
 * places (n, which ascend): of the users who have cells number `cell` (n, ascending), where cells are numbered user by
 * user.
 */
void
UsersOfCells(Driver *driver, const int64 *cell, int64 n, int64 *places)
{
	char	  **count = ReadOfUsers(driver, STEP_COUNTS, CHANNEL_USER_COUNTS, 8 * sizeof(int32));
	int64	   *next = palloc0(sizeof(int64) * driver->nnodes);
	int64		end = 0;
	int64		s = 0;

	for (int64 u = 0; u < driver->users && s < n; u++)
	{
		int			node = driver->user_order[u];

		for (end += ((const int32 *) count[node])[next[node]++]; s < n && cell[s] < end; s++)
			places[s] = u;
	}
	if (s < n)
		NodesDisagree("Users have fewer cells than there are.");
	FreeOfUsers(driver, count);
	pfree(next);
}
