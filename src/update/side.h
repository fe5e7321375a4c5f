/*
 * side.h - the users or the items of a version: as they are stored, and what becomes of them.
 */
#ifndef MFREC_SIDE_H
#define MFREC_SIDE_H

#include "ids/id_map.h"

/* What an update does with a user or an item. */
typedef enum Change
{
	CHANGE_NONE,
	CHANGE_ADDED,				/* it is stored for the first time, or had no ratings before */
	CHANGE_SOLVED,				/* it is stored, and its rows are others now */
	CHANGE_COUNTED,				/* the same of an item that has so many ratings that it keeps its vector */
	CHANGE_EMPTIED,				/* it is stored, and has no rows any more */
	CHANGE_COOLED,				/* the same of an item that has a row of attributes: it is what these make of it */
	CHANGE_PROFILED				/* the same of a user who has a point that they are drawn to: they become it */
} Change;

/*
 * One side of a version.  Its n = ids->count ids have numbers, by which all arrays go: those that are stored come
 * first, and behind them those that the source has besides.  Vectors have d floats, and ld = mf_padded(d) from one to
 * the next.
 */
typedef struct Side
{
	Oid			relid;			/* of the model table */
	const char *id_column;
	IdType		type;			/* of its column */
	int			factors;		/* d */
	IdMap	   *ids;
	int32		stored;
	int64		capacity;		/* elements that there is room for */
	float	   *vectors;		/* p_u, or s_i, of a model of ratings alone q_i; 0 where nothing is known */
	float	   *rating_vectors; /* q_i; NULL unless there are both parts */
	float	   *bias;
	float	   *spread;			/* of users' ratings, see core/base/spread.c; 1 where nothing is known */
	int32	   *counts;			/* ratings, as the version has them by now */
	int32	   *numbers;		/* of items: by which users' rows mean them; negative: none */
	float	   *trends;			/* of items: faded counts, 0 where there is none; NULL: the version has none, see
								 * HasTrends() */
	bool	   *known;			/* they are stored with a vector */
	int64	   *fingerprints;	/* of the rows that they were made from; 0: none, or not known */
	int64	   *current;		/* of the rows that there are; 0: none */
	uint8	   *change;			/* Change; by FindChanges() */
	int32	   *order;			/* n: numbers in an order that does not depend on how the table was read; by
								 * GrowSide() */
} Side;

/*
 * Numbers of a side that something is done with, in the side's order, and where each is among them.  What is summed
 * goes by places, so that it is the same to the bit by whatever plan tables and the source are read.
 */
typedef struct Selection
{
	int64		count;
	int32	   *number;			/* count */
	int32	   *place;			/* by number: -1 where it is not selected */
} Selection;

extern void ReadSide(Side *side, Oid relid, const char *id_column, int32 version, int factors, bool both, int64 rows);
extern void GrowSide(Side *side, const int64 *current);
extern void AddColdItem(Side *side, int64 id, const float *vector, const float *rating_vector, float bias, int32 number);
extern void FindChanges(Side *side);
extern int64 CountSide(const Side *side);
extern void Select(const Side *side, uint32 changes, Selection *selection);
extern void SelectMarked(const Side *side, const bool *marked, Selection *selection);
extern void *GatherValues(const Selection *selection, const void *values, Size width);
extern float *GatherVectors(const Side *side, const Selection *selection, const float *vectors);

/* For Select(): a set of changes. */
#define CHANGE_BIT(change) (UINT32_C(1) << (change))

#endif
