/*
 * feature_table.h - the third model table: what each feature of items, or of users, adds to their factors.
 */
#ifndef MFREC_FEATURE_TABLE_H
#define MFREC_FEATURE_TABLE_H

#include "utils/rel.h"

/* Whose features rows are of. */
#define ITEM_SIDE "item"
#define USER_SIDE "user"

/* One feature's row.  Pointers are valid until the function that got it returns, or the next one is made. */
typedef struct FeatureRow
{
	const char *feature;		/* its name, the only one of that name in a version */
	int32		items;			/* items, or users, with ratings that have it */
	int			factors;		/* d */
	const float *vector;		/* d floats: what one unit adds to the vector that lists use */
	const float *rating_vector; /* d floats: to q_i of the joint model; NULL: stored as null */
	float		bias;
	const char *attribute;		/* column of the relation; like items stored, and not read */
	const char *taken_as;
	float		weight;			/* of a value's cell, see FeatureWeight; NaN, as in the next two: stored as null */
	double		mean;
	double		deviation;
} FeatureRow;

/* Rows on their way into the table, made one after the other. */
typedef struct FeatureRows
{
	const char *side;			/* ITEM_SIDE or USER_SIDE */
	int64		count;
	void		(*make) (void *state, int64 row, FeatureRow *made);
	void	   *state;
} FeatureRows;

/* Takes one stored row after the other, in no particular order. */
typedef void (*FeatureRowFunction) (void *state, const FeatureRow *row);

extern Oid	CreateFeatureTable(const char *schema, const char *table);
extern void CheckFeatureTable(Oid relid);
extern void StoreFeatureRows(Oid relid, int32 version, const FeatureRows *rows);
extern void ReadFeatureRows(Oid relid, int32 version, const char *side, Datum features, FeatureRowFunction function,
							void *state);

#endif
