/*
 * driver_state.h - what a driver knows, shared by its files.
 */
#ifndef MFREC_DRIVER_STATE_H
#define MFREC_DRIVER_STATE_H

#include "distributed/cluster.h"
#include "source/source.h"

/* A node that has shards of the source. */
typedef struct DriverNode
{
	int32		group;			/* Citus's number */
	Datum		ticket;			/* a user's id that is in one of its shards, */
	bool		has_ticket;		/* once it was found */
	int64		first_user;		/* the number of its first one, where users of all nodes are numbered node by node */
} DriverNode;

/*
 * What is sent: ids of items or users, cells of users' attributes, or an array with an element of each of them.  Arrays
 * are the caller's, and are not copied: they must stay as they are until SendArrays() returns.
 */
typedef struct SentArray
{
	Channel		channel;
	const void *values;			/* IdMap of ids, Cells, else the array */
	Size		width;			/* bytes of an element */
	int64		first;			/* number of the first one, of ids */
	int64		count;
} SentArray;

/* Arrays that go together at most: those of a half-sweep, see SendItems(), and two more, or those before rows are sorted. */
#define MOST_SENT 7

/* What goes to all nodes next, and how much of it has gone. */
typedef struct Sending
{
	int			narrays;
	SentArray	array[MOST_SENT];
	int			current;
	int64		at;				/* in it */
	MfRows		part;			/* of cells: what is at hand */
} Sending;

/*
 * A training as the session has it that was called.  What it has of users are the sums below, which each half-sweep of
 * users makes anew; of single users no more than whose they are, where that is asked for.
 */
typedef struct Driver
{
	int64		job;
	MemoryContext context;
	struct Driver *outer;			/* of this session, that was there before; NULL: none */
	const Source *source;
	Oid			user;			/* whose training it is */
	Oid			user_relid;
	int32		version;
	const char *table;			/* of users, as SQL */
	int			settings;		/* of guc.c, to be put back */
	Shards	   *shards;			/* of the table of users */
	Datum	   *shard_ticket;	/* a user's id for each of them; NULL: not all have one */
	int			nnodes;
	DriverNode *nodes;
	Sending		sending;
	struct Gathering *gathering;	/* of what nodes have taken, until it is sorted */
	NodeProblem problem;
	int64		users;			/* of all nodes */
	int64		held_out;		/* rows */
	int64	   *held_users;		/* the sample whose lists are measured: their places; NULL: there is none */
	NodeNumber *user_order;		/* users: whose they are, in the order of ids; NULL: nobody asks for it */
	int32	   *user_place;		/* users, node by node: their places in it; NULL unless items_here */
	bool		items_here;		/* items are solved from users' vectors, which come here: driver_items.c */
	bool		users_exact;	/* the last half-sweep of users was exact, */
	bool		users_here;		/* and its vectors have come */
	bool		has_users;		/* solved, and what follows is of them */
	double		users_loss;
	double		items_loss;		/* of the last half-sweep of users */
	double		gain;			/* see mf_als_gain() */
	double		bias;			/* sum over users */
	double	   *gram;			/* shared x shared, of all users; unless items_here */
	float	   *mean;			/* given_ld: mean user */
	int64		nfeatures;		/* of users' attributes; 0: there are none */
	const float *map;			/* nfeatures x given_ld: what users are drawn to goes by it; NULL: it does not */
	const float *map_scale;		/* nfeatures */
	float	   *map_mean;		/* given_ld: the mean user that goes with it */
	bool		map_sent;		/* nodes have it */
	int64		block;			/* items whose sums are taken at a time */
	Size		block_width;	/* bytes of those of an item, at most */
	char	  **sums;			/* of each node, block x block_width; NULL: there was no half-sweep of items yet */
} Driver;

/*
 * Takes a chunk of an answer, which is gone when this returns.  data are at a multiple of four bytes alone, so what has
 * wider fields is copied out of it before it is looked at.
 */
typedef void (*ChunkFunction) (void *state, const ChunkHeader *header, const char *data, Size bytes);

/* driver.c */
extern void RunStep(Driver *driver, const char *step, const void *argument, Size bytes, ChunkFunction function, void *state);
extern void RunShardStep(Driver *driver, const char *step, const void *argument, Size bytes, ChunkFunction function, void *state);
extern void SendArrays(Driver *driver);
extern void SendIds(Driver *driver, Channel channel, const IdMap *ids, int64 first, int64 end);
extern void AddArray(Driver *driver, Channel channel, const void *values, Size width, int64 count);
extern int	NodeOfUser(const Driver *driver, int64 id);
pg_noreturn extern void NodesDisagree(const char *what);

/* driver_cells.c */
extern bytea *NextSentCells(Sending *sending, const SentArray *array);

/* driver_profiles.c */
extern void SendMap(Driver *driver, Size width);

/* driver_sweep.c */
extern void AddItems(Driver *driver, const MfProblem *problem, const MfFactors *factors);

/* driver_users.c */
extern char **ReadOfUsers(Driver *driver, const char *step, Channel channel, int bits);
extern void FreeOfUsers(const Driver *driver, char **part);
extern ChosenUser *ChooseUsers(const Driver *driver, const int64 *places, int64 n);
extern int32 *PlacesOfUsers(const Driver *driver);

/* How many users a node has, once rows are sorted. */
static inline int64
UsersOfNode(const Driver *driver, int n)
{
	return (n + 1 < driver->nnodes ? driver->nodes[n + 1].first_user : driver->users) - driver->nodes[n].first_user;
}

/* An error where a result of a node is not as long as it should be. */
static inline void
CheckResult(const ChunkHeader *header, Size bytes, Size expected)
{
	if (header->channel != CHANNEL_RESULT || bytes != expected)
		NodesDisagree("A result is of another length than expected.");
}

#endif
