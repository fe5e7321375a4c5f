/*
 * unrated.h - rows that say that a user has an item, and of which training makes nothing else.
 */
#ifndef MFREC_UNRATED_H
#define MFREC_UNRATED_H

#include "ids/id_map.h"
#include "source/coo_store.h"

#define UNRATED_BATCH 1024

/* Rows as they are read, their ids numbered apart from those that training learns of. */
typedef struct Unrated
{
	IdMap	   *users;
	IdMap	   *items;
	Triplets	pairs;
	int			batch;			/* rows below, whose ids have no numbers yet */
	int64		user[UNRATED_BATCH];
	int64		item[UNRATED_BATCH];
} Unrated;

extern Unrated *CreateUnrated(IdType *user, IdType *item, int64 limit);
extern void AddUnrated(Unrated *unrated, int64 user, int64 item);
extern void EndUnrated(Unrated *unrated);
extern Size UnratedBytes(const Unrated *unrated);
extern IdMap *NumberUnrated(Unrated *unrated, const IdMap *users, const IdMap *items, Triplets *pairs);
extern void FreeUnrated(Unrated *unrated);

#endif
