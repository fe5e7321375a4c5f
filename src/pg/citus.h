/*
 * citus.h - tables whose rows Citus keeps elsewhere, and calls that it runs elsewhere.
 */
#ifndef MFREC_CITUS_H
#define MFREC_CITUS_H

#include "access/attnum.h"

/* A part of a table, or all of it. */
typedef struct CitusShard
{
	int64		id;
	int32		min;			/* it has rows of these hashes of the distribution column; without one undefined */
	int32		max;
	bool		here;			/* this node has a placement of it that is up to date */
} CitusShard;

/* What Citus knows of a table. */
typedef struct CitusTable
{
	Oid			relid;			/* first: the key */
	bool		valid;			/* the rest is, and nothing has changed since */
	bool		is_citus;		/* it has the table; the rest is unset where not */
	char		method;			/* CITUS_BY_HASH, CITUS_WHOLE or another one */
	bool		reference;		/* of CITUS_WHOLE: every node has all of it */
	AttrNumber	column;			/* that rows are distributed by; InvalidAttrNumber: none */
	int			nshards;
	CitusShard *shards;			/* in ascending order of min */
	Oid			type;			/* of the column, without domains */
	Oid			collation;
	struct FmgrInfo *hash;		/* of its values; NULL: there is none */
} CitusTable;

/* How rows are distributed, as Citus's catalog has it: by a hash of a column, or not at all. */
#define CITUS_BY_HASH 'h'
#define CITUS_WHOLE 'n'

/* How placements of a shard are kept alike: by two-phase commits, as those of reference tables are. */
#define CITUS_BY_COMMIT 't'

extern bool HasCitus(void);
extern bool CitusHasExtension(const char *name);
extern const CitusTable *FindCitusTable(Oid relid);
extern bool IsCitusTable(Oid relid);
extern bool CitusFindsRows(Oid relid, const char *column);
extern bool IsCitusTask(void);
extern bool IsCitusScan(const char *name);
extern bool IsCitusCoordinator(void);
extern int32 LocalGroup(void);
extern void UseOneSessionPerNode(void);
extern void KeepAnswers(Size bytes);

#endif
