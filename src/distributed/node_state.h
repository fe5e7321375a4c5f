/*
 * node_state.h - what a node has of a training while it runs: the rows that lie here, and their users' vectors.
 */
#ifndef MFREC_NODE_STATE_H
#define MFREC_NODE_STATE_H

#include "utils/resowner.h"

#include "core/als/als.h"
#include "distributed/node_protocol.h"
#include "read/ratings_read.h"
#include "validate/validation.h"

/* How far a node is. */
typedef enum NodePhase
{
	NODE_TAKES,					/* rows come */
	NODE_LISTED,				/* items of here are known, and all items come */
	NODE_SORTED,				/* both orders are made, and counts come */
	NODE_SOLVES					/* the problem is known, and all arrays are there */
} NodePhase;

/* A training on this node.  It lives until it ends, or the (sub)transaction that it began in. */
typedef struct NodeState
{
	int64		job;
	Oid			user;			/* whose training it is */
	SubTransactionId began;		/* in which; no other one finds it */
	struct NodeState *next;
	MemoryContext context;		/* of all of it */
	NodePhase	phase;
	int64		turn;			/* the latest step's: an answer ends with the next; given once a session */
	bool		empty;			/* no row lies here that says anything */
	const EventWeights *events;	/* what kinds of events weigh; NULL: the source has no column of them */
	Source		source;
	MfParallel	parallel;
	RatingStream	   *intake;
	int64		taken;			/* rows */
	Ratings    *ratings;
	IdMap	   *items;			/* of all nodes, in the order of ids, and once rows are sorted cold ones behind them */
	IdMap	   *cold;			/* until then: items that nobody has rated */
	int32	   *item_counts;	/* of those with ratings: of all nodes */
	int			node;			/* number of this one */
	int32	   *user_order;		/* users' numbers in the order of ids; NULL: nobody has asked */
	int64	   *user_place;		/* by number in that order: the one among users of all nodes; NULL likewise */
	int64		ordered;		/* users of all nodes whose places have come, */
	int64		placed;			/* and those of here among them */

	/* from STEP_BEGIN on */
	MfObjective objective;
	MfProblem	problem;
	MfFactors	factors;
	MfAls	   *als;
	float	   *mean_user;
	int32	   *user_counts;
	int64	   *item_fingerprints;	/* of all nodes' rows; NULL: they have not come, */
	float	   *item_trends;	/* nor these */
	ServedFactors *served;		/* a stored version that is measured in the stead of these; NULL: these are */
	MfRows		part;			/* of cells by item: what is at hand, */
	int64		next_item;		/* and whose sums come next */
	MfRows		user_part;		/* of cells by user, likewise */
	char	   *held_bits;		/* of users: who has relevant rows held out; NULL: nobody has asked */
	ValidationSample *sample;	/* of users of here, with what is held out of them, */
	int32	   *sample_at;		/* and the places that they have in the argument */
	struct NodeProfiles *profiles;	/* of users' attributes: node_profiles.c; NULL: there are none */
	bool	   *left_out;		/* users who count for no sums; NULL: all count */
	MfMatrix	rest;			/* cells of a part of the items without theirs, */
	int64		rest_rows;		/* with room for so many rows */
	int64		rest_cells;		/* and cells */
} NodeState;

/* What was current before a node's work, which goes by the training's own. */
typedef struct NodeCall
{
	MemoryContext context;
	ResourceOwner owner;
} NodeCall;

/* What a training says of its source. */
typedef struct NodeSource
{
	bool		is_explicit;
	bool		has_value;
	bool		has_weight;
	bool		has_time;
	bool		has_event;
	double		half_life;
	const char *name;
	const char *time_name;
} NodeSource;

/* What is measured: the training, or the version that serves. */
static inline const MfProblem *
MeasuredProblem(const NodeState *state)
{
	return state->served ? &state->served->problem : &state->problem;
}

/* Its factors. */
static inline MfFactors *
MeasuredFactors(NodeState *state)
{
	return state->served ? &state->served->factors : &state->factors;
}

extern void EnterNode(NodeState *state, NodeCall *call);
extern void LeaveNode(const NodeCall *call);
extern NodeState *FindNodeState(int64 job);
extern NodeState *OpenNodeState(int64 job);
extern void BeginNodeTurn(NodeState *state);
extern void BeginTaking(NodeState *state, const NodeSource *source, const IdType *user, const IdType *item,
						const Oid *types);
extern bool TakesColumns(const NodeState *state, const NodeSource *source, const IdType *user, const IdType *item,
						 const Oid *types);
extern void TakeNodeRow(NodeState *state, const Datum *values, const bool *nulls, int natts);
extern void FreeNodeState(NodeState *state);
pg_noreturn extern void NodeStepIsWrong(void);

#endif
