/*
 * placement.h - the relation in which rows of a table lie on this node, where they do.
 */
#ifndef MFREC_PLACEMENT_H
#define MFREC_PLACEMENT_H

extern Oid	NamedShard(const char *schema, const char *table, int64 shard);
extern Oid	CopyHere(Oid relid);
extern Oid	PlacementOfAll(Oid relid);
extern Oid	PlacementOf(Oid relid, const char *column, Oid type, Datum value);
extern const char *RowsSql(Oid relid);
extern Oid	AnyPlacement(Oid relid, int *shard);

#endif
