/*
 * node_protocol.h - what a training on several nodes sends from one to the others and back.
 *
 * Numbers travel as they lie in memory: nodes of a cluster have the same version of mfrec on the same kind of machine,
 * which NODE_PROTOCOL and the sizes of what arrives are checked for.
 */
#ifndef MFREC_NODE_PROTOCOL_H
#define MFREC_NODE_PROTOCOL_H

#include "core/als/objective.h"
#include "source/ratings.h"
#include "source/time_split.h"

/* Another one for another form of anything below. */
#define NODE_PROTOCOL 7

/* About so many bytes go as one row: it is copied a dozen times on its way, best in a cache of a core. */
#define CHUNK_BYTES (1 << 17)

/* What a training asks nodes for, in this order; users and sums again and again. */
#define STEP_OPEN "open"			/* rows are about to come; whose progress is told */
#define STEP_TAKE "take"			/* rows of a table's shard; once a shard rather than once a node */
#define STEP_ITEMS "items"		/* no more rows come: totals, and the items that there are here */
#define STEP_USER_IDS "user_ids"	/* ids of users of here in their order, from some on */
#define STEP_TIMES "times"		/* rows by a digit of their time */
#define STEP_SORT "sort"		/* rows by user and by item, whose numbers have come: sums for scales, counts */
#define STEP_BEGIN "begin"		/* the problem, for which all is made */
#define STEP_PROFILES "profiles"	/* attributes of users are about to come */
#define STEP_ITEM_CELLS "item_cells"	/* where the driver solves items: their cells, once */
#define STEP_USERS "users"		/* users solved, whose items have come */
#define STEP_USER_VECTORS "user_vectors"	/* where the driver solves items: users as they are now */
#define STEP_SUMS "sums"		/* elsewhere: sums of some items over the users of here */
#define STEP_COUNTS "counts"	/* how many cells users have */
#define STEP_CELLS "cells"		/* some users: what they have, and their vectors */
#define STEP_VECTORS "vectors"	/* the same, vectors alone */
#define STEP_LEAVE_OUT "leave_out"	/* some users count for no sums of items until this comes without any */
#define STEP_HELD_OUT "held_out"	/* who has relevant rows that are held out */
#define STEP_HELD_ROWS "held_rows"	/* some users: what of them is held out, and what they have besides */
#define STEP_HELD_ERRORS "held_errors"	/* of predictions for rows held out */
#define STEP_SERVED "served"	/* a stored version's users, for these steps and STEP_VECTORS until this comes empty */
#define STEP_ERRORS "errors"	/* squared errors of ratings */
#define STEP_STORE "store"		/* users' rows, into the shards of here */
#define STEP_STORE_ITEMS "store_items"	/* all items' rows, into this node's copy: what has come of them last */
#define STEP_END "end"			/* all memory goes */

/* What a chunk has. */
typedef enum Channel
{
	CHANNEL_RESULT,				/* a struct below, one a node */
	CHANNEL_ITEM_IDS,			/* packed rows of ids, to nodes; from them of ids and fingerprints */
	CHANNEL_ITEM_COUNTS,		/* int32 */
	CHANNEL_TRENDS,				/* FadeSum */
	CHANNEL_INTEREST,			/* vectors of given_ld floats */
	CHANNEL_RATING,
	CHANNEL_BIAS,				/* floats */
	CHANNEL_SUMS,				/* mf_als_sums_bytes() of each item */
	CHANNEL_COLD_IDS,			/* like CHANNEL_ITEM_IDS, behind them: of items that nobody has rated */
	CHANNEL_USER_IDS,			/* packed rows of ids, from nodes */
	CHANNEL_USER_ORDER,			/* NodeNumber: whose the users are, in the order of all users' ids */
	CHANNEL_USER_COUNTS,		/* int32, of users of a node */
	CHANNEL_USERS,				/* SentUser, and what follows it */
	CHANNEL_HELD_OUT,			/* a bit of each user of a node */
	CHANNEL_HELD_ROWS,			/* HeldUser, and what follows it */
	CHANNEL_ITEM_CELLS,			/* int32 counts of items, then columns, and ratings and weights where cells have them */
	CHANNEL_EVENT_ROWS,			/* int64 of each kind of event: rows */
	CHANNEL_USER_VECTORS,		/* see mf_vectors_pack(); then floats, biases, where there are any */
	CHANNEL_PROFILE_OWNERS,		/* NodeNumber: of users without ratings of whom attributes are known */
	CHANNEL_PROFILE_IDS,		/* packed rows of their ids */
	CHANNEL_USER_FEATURES,		/* int32 counts of users of all nodes, then columns and values */
	CHANNEL_MAP,				/* vectors of given_ld floats, of features */
	CHANNEL_MAP_SCALE,			/* floats, likewise */
	CHANNEL_ITEM_FINGERPRINTS,	/* int64, before STEP_STORE_ITEMS; so are these: */
	CHANNEL_ITEM_TRENDS			/* floats */
} Channel;

/* What a chunk begins with. */
typedef struct ChunkHeader
{
	int32		protocol;
	int32		node;			/* where it comes from */
	int32		channel;
	int32		unused;
	int64		first;			/* items first .. first + count - 1 */
	int64		count;
} ChunkHeader;

/* With STEP_OPEN; behind it what kinds of events weigh, as JSON, where the source has a column of them. */
typedef struct OpenArgument
{
	char		model[NAMEDATALEN];
} OpenArgument;

/* Columns of a source at most: user, item, value, weight, time, kind of event. */
#define TAKEN_COLUMNS 6

/* With STEP_TAKE; behind it the numbers of all shards, int64 each. */
typedef struct TakeArgument
{
	double		half_life;
	int32		nshards;
	bool		is_explicit;
	char		schema[NAMEDATALEN];
	char		table[NAMEDATALEN];
	char		column[TAKEN_COLUMNS][NAMEDATALEN]; /* "": there is none */
} TakeArgument;

/* Of STEP_ITEMS: what was read. */
typedef struct NodeTotals
{
	int64		taken;			/* rows */
	int64		ratings;		/* of them */
	int64		users;
	int64		null_rows;
	int64		null_times;
	int64		other_events;
	int64		zero_rows;
	int64		negative_rows;
	int64		dislike_rows;
	double		newest;
} NodeTotals;

/* A node's number where there is one for each user. */
typedef uint16 NodeNumber;

/* A user: a node's number, and theirs among its users.  Arguments that choose users are arrays of these. */
typedef struct ChosenUser
{
	int32		node;
	int32		user;
} ChosenUser;

/* Of STEP_CELLS and STEP_VECTORS, a user: behind it the vector (given_ld floats), then columns, ratings and weights. */
typedef struct SentUser
{
	int32		at;				/* in the argument */
	int32		likes;			/* as regularization goes by them */
	int32		ncells;			/* what follows the vector; without ratings or weights where there are none */
	int32		has_ratings;
	int32		has_weights;
	float		bias;
} SentUser;

/* Of STEP_HELD_ROWS, a user: behind it the items that are relevant, then those that the user was trained on. */
typedef struct HeldUser
{
	int32		at;				/* in the argument */
	int32		nrelevant;
	int32		nseen;
} HeldUser;

/* With STEP_TIMES, whose answer is TIME_DIGITS numbers. */
typedef struct TimesArgument
{
	uint64		prefix;
	int32		shift;
} TimesArgument;

/* With STEP_SORT. */
typedef struct SortArgument
{
	double		newest;			/* time of the newest row anywhere */
	double		holdout;		/* rows that are held out: see Holdout */
	double		holdout_from;
	uint64		holdout_seed;
	bool		holdout_by_id;
	bool		holdout_by_time;
	TimeRange	range;			/* then */
} SortArgument;

/* Of STEP_SORT. */
typedef struct NodeSums
{
	int64		users;			/* that have ratings */
	int64		rows;
	int64		held_out;		/* rows */
	int64		faded;
	FadeSum		left;
	WeightSums	weights;
	RatingSums	weighted;
	RatingSums	plain;
} NodeSums;

/* With STEP_BEGIN: what all nodes solve. */
typedef struct NodeProblem
{
	MfObjective objective;
	WeightSums	weights;		/* of all nodes, and what ratings and weights are scaled by */
	double		weight_scale;
	double		value_scale;
	double		mean;
	double		deviation;
	bool		int16;
	bool		int8;
	bool		rests;
} NodeProblem;

/* With STEP_PROFILES. */
typedef struct ProfilesArgument
{
	int64		nfeatures;
} ProfilesArgument;

/* Of STEP_USERS, before the mean user (given_ld floats) and, if it is asked for, the Gram matrix (shared x shared doubles). */
typedef struct NodeUsers
{
	double		loss;			/* of the users of here */
	double		items_loss;		/* what regularization makes of items, which all nodes have */
	double		pull;			/* the weight of the mean user of here in that of all */
	double		bias;			/* sum of users' biases */
} NodeUsers;

/* With STEP_USERS, before the mean user and the one that a map which has just been sent goes with. */
typedef struct UsersArgument
{
	bool		exact;
	bool		drawn;			/* to what the map makes of users' attributes, rather than to the mean user */
	bool		gram;			/* of objectives with an interest part: the Gram matrix of users is asked for */
	double		gain;			/* see mf_als_gain() */
} UsersArgument;

/* With STEP_ITEM_CELLS, and STEP_SUMS before the basis where the half-sweep begins. */
typedef struct SumsArgument
{
	int64		first;
	int64		count;
	bool		begins;
	bool		exact;			/* it */
	double		gain;			/* see mf_als_gain() */
} SumsArgument;

/* With STEP_USER_VECTORS: users of each node, of those whom it has. */
typedef struct VectorsArgument
{
	int64		first;
	int64		count;
	bool		halves;			/* vectors go in half the space */
} VectorsArgument;

/* With STEP_STORE and STEP_STORE_ITEMS; behind it ShardRange, nshards times. */
typedef struct StoreArgument
{
	int32		version;
	bool		with_seen;
	int32		nshards;
	char		schema[NAMEDATALEN];
	char		table[NAMEDATALEN];
	float		mean_bias;		/* of users, for those without ratings */
} StoreArgument;

/* With STEP_SERVED, behind StoreArgument and its shards; behind this the version's mean user, in floats. */
typedef struct ServedArgument
{
	MfObjective objective;
	double		mean_bias;
} ServedArgument;

/* A shard of the table of users, and the hashes of its rows. */
typedef struct ShardRange
{
	int64		shard;
	int32		min;
	int32		max;
} ShardRange;

extern bytea *MakeChunk(int node, Channel channel, int64 first, int64 count, const void *data, Size bytes);
extern char *ChunkData(bytea *chunk);
extern const char *ReadChunk(const bytea *chunk, ChunkHeader *header, Size *bytes);
extern bytea *PackIds(const IdMap *ids, const int32 *order, const int64 *fingerprints, int node, Channel channel,
					  int64 end, int64 *at);

#endif
