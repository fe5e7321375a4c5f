/*
 * id_map.h - the dictionary that numbers ids densely.
 */
#ifndef MFREC_ID_MAP_H
#define MFREC_ID_MAP_H

#include "ids/id_type.h"

/*
 * Numbers ids 0, 1, 2 ... in order of appearance.  Integers live in ids[] itself, other values as
 * datums that point into the dictionary's memory context.  slots[] is an open-addressing table of
 * positions in ids[], -1 where empty, at most half full.  While rows are read, integers that lie
 * close together, as those of a sequence do, are found without hashing: near[] has the numbers of
 * near_first and the integers after it, -1 where unknown.
 */
typedef struct IdMap
{
	IdType	   *type;
	MemoryContext context;
	int32		count;
	int32		capacity;		/* of ids[] */
	int64	   *ids;			/* integers themselves, else Datums; with base: distances from it */
	const char *base;			/* NULL, or where the values of an image's dictionary lie */
	uint32		mask;			/* slots[] has mask + 1 entries */
	int32	   *slots;
	int64		near_first;
	uint64		near_count;		/* of near[]; 0 without one */
	int32	   *near;
	Size		value_bytes;	/* of the copied values */
} IdMap;

/* The id with that number. */
static inline int64
IdAt(const IdMap *map, int32 index)
{
	return map->base ? (int64) (intptr_t) (map->base + map->ids[index]) : map->ids[index];
}

extern IdMap *CreateIdMap(IdType *type);
extern int32 AddId(IdMap *map, int64 id);
extern void AddIds(IdMap *map, const int64 *ids, int n, int32 *indexes);
extern int32 FindId(const IdMap *map, int64 id);
extern void FindHashedIds(const IdMap *map, const int64 *ids, int n, int32 *numbers);
extern void FindIds(const IdMap *map, const int64 *ids, int n, int32 *numbers);
extern int32 *SortIdsFrom(IdMap *map, int32 first);
extern int32 *SortIdMap(IdMap *map);
extern int32 *IdOrder(const IdMap *map);
extern int32 *SettledOrder(const IdMap *map);
extern int	CompareIds(const IdType *type, int64 a, int64 b);
extern void FillSlots(IdMap *map);
extern void *ReorderRows(const void *values, const int32 *rank, int64 n, int64 width);
extern Size IdMapBytes(const IdMap *map);

#endif
