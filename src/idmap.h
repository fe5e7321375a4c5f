/*
 * idmap.h - ids of any hashable type, and the dictionary that numbers them densely.
 */
#ifndef MFREC_IDMAP_H
#define MFREC_IDMAP_H

#include "fmgr.h"

/* A type of ids: what is needed to copy, compare, hash and convert its values. */
typedef struct IdType
{
	Oid			type;			/* the column's type, perhaps a domain */
	Oid			base;			/* the type beneath */
	int32		typmod;
	Oid			collation;
	int16		typlen;
	bool		typbyval;
	char		typalign;
	bool		is_int;			/* int2, int4 or int8: kept as int64 */
	FmgrInfo	hash;			/* the rest is unset for integers */
	FmgrInfo	equal;
	FmgrInfo	compare;		/* fn_oid is InvalidOid where the type has no order */
} IdType;

/*
 * Numbers ids 0, 1, 2 ... in order of appearance.  Integers live in ids[] itself, other values as
 * datums that point into the dictionary's memory context.  slots[] is an open-addressing table of
 * positions in ids[], -1 where empty, at most half full.
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
	Size		value_bytes;	/* of the copied values */
} IdMap;

extern void InitIdType(IdType *idtype, Oid type, int32 typmod, Oid collation);
extern bool IdFromDatum(const IdType *idtype, Datum value, Oid value_type, int64 *id);
extern int64 IdFromColumn(const IdType *idtype, Datum value);
extern Datum IdToDatum(const IdType *idtype, int64 id);
extern Datum IdToParameter(const IdType *idtype, int64 id);
extern Oid	IdParameterType(const IdType *idtype);
extern Datum IdToOutput(const IdType *idtype, int64 id, Oid output_type);
extern bool IdFits(const IdType *idtype, int64 id);
extern bool IdTypeFits(const IdType *idtype, Oid value_type);
extern char *IdToText(const IdType *idtype, int64 id);
extern uint32 HashId(const IdType *idtype, int64 id);
extern bool EqualIds(const IdType *idtype, int64 a, int64 b);
extern char *IdEqualitySql(const IdType *idtype);

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
extern void FindIds(const IdMap *map, const int64 *ids, int n, int32 *numbers);
extern int32 *SortIdMap(IdMap *map);
extern Size IdMapBytes(const IdMap *map);

#endif
