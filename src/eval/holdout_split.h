/*
 * holdout_split.h - on which side of a split a row is, by its two ids.
 */
#ifndef MFREC_HOLDOUT_SPLIT_H
#define MFREC_HOLDOUT_SPLIT_H

#include "fmgr.h"

/* How ids of one type are hashed; valid as long as the memory context that it was made for. */
typedef struct HoldoutId
{
	Oid			base;			/* the type, without domains */
	bool		lower;			/* equal whatever their case: hashed in lower case */
	FmgrInfo	output;			/* for types that are hashed as their text */
} HoldoutId;

extern void InitHoldoutId(HoldoutId *id, Oid type, bool lower, MemoryContext context);
extern uint64 HashHoldoutId(HoldoutId *id, Datum value);
extern double HoldoutPlace(int64 seed, HoldoutId *user, Datum user_id, HoldoutId *item, Datum item_id);

#endif
