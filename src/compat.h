/*
 * compat.h - every difference between PostgreSQL majors that the project meets, and between minors.
 *
 * Include after postgres.h.  No other file compares PG_VERSION_NUM.
 */
#ifndef MFREC_COMPAT_H
#define MFREC_COMPAT_H

#if PG_VERSION_NUM < 150001
#error "mfrec needs PostgreSQL 15.1 or newer"
#endif

#include "access/htup_details.h"
#include "fmgr.h"

/*
 * The headers of some minors, such as 15.20, inline a heap_getattr() that calls what servers of the
 * minors before do not have: a library built with them would not load there.  The function of
 * executor/spi.h does the same in the server.
 */
#define heap_getattr(tuple, attnum, desc, isnull) SPI_getbinval(tuple, desc, attnum, isnull)

#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 17 has infinite intervals. */
#if PG_VERSION_NUM < 170000
#define INTERVAL_NOT_FINITE(interval) ((void) (interval), false)
#endif

/* 18 has the standard's word for functions that do not return, in the standard's place. */
#if PG_VERSION_NUM < 180000
#define pg_noreturn _Noreturn
#endif

/* 16 replaced the owner and privilege checks per catalog by generic ones. */
#if PG_VERSION_NUM >= 160000
#include "catalog/pg_class.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#define OwnsRelation(relid) object_ownercheck(RelationRelationId, relid, GetUserId())
#define SchemaAclCheck(nspid, mode) object_aclcheck(NamespaceRelationId, nspid, GetUserId(), mode)
#define FunctionAclCheck(function) object_aclcheck(ProcedureRelationId, function, GetUserId(), ACL_EXECUTE)
#else
#define OwnsRelation(relid) pg_class_ownercheck(relid, GetUserId())
#define SchemaAclCheck(nspid, mode) pg_namespace_aclcheck(nspid, GetUserId(), mode)
#define FunctionAclCheck(function) pg_proc_aclcheck(function, GetUserId(), ACL_EXECUTE)
#endif

/* 18 moved what nodes of extensions add to EXPLAIN to headers of its own. */
#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#endif

/* 16 renamed what says which file a relation has. */
#if PG_VERSION_NUM >= 160000
#define RelationFile(rel) ((rel)->rd_locator)
#else
#define RelationFile(rel) ((rel)->rd_node)
#endif

/* 16 added an argument, 19 made flags of them. */
#if PG_VERSION_NUM >= 190000
#define InsertIndexTuples(rri, slot, estate) \
	ExecInsertIndexTuples(rri, estate, 0, slot, NIL, NULL)
#elif PG_VERSION_NUM >= 160000
#define InsertIndexTuples(rri, slot, estate) \
	ExecInsertIndexTuples(rri, slot, estate, false, false, NULL, NIL, false)
#else
#define InsertIndexTuples(rri, slot, estate) \
	ExecInsertIndexTuples(rri, slot, estate, false, false, NULL, NIL)
#endif

/* 16 made reading less than asked for an error of the callee's. */
#if PG_VERSION_NUM >= 160000
#define ReadTempFile(file, into, bytes) BufFileReadExact(file, into, bytes)
#else
#define ReadTempFile(file, into, bytes) \
	do { \
		if (BufFileRead(file, into, bytes) != (size_t) (bytes)) \
			ereport(ERROR, \
					(errcode_for_file_access(), \
					 errmsg("could not read from temporary file of ratings"))); \
	} while (0)
#endif

/* 16 gave walkers of trees a prototype; before, C23 takes their empty parentheses for no arguments. */
#if PG_VERSION_NUM >= 160000
#define TreeWalker(walker) (walker)
#else
#define TreeWalker(walker) ((void *) (walker))
#endif

/* 16 keeps what a query needs to be allowed beside its relations. */
#if PG_VERSION_NUM >= 160000
#define CheckQueryPermissions(statement) ((void) ExecCheckPermissions((statement)->rtable, (statement)->permInfos, true))
#else
#define CheckQueryPermissions(statement) ((void) ExecCheckRTPerms((statement)->rtable, true))
#endif

/* 19 wants flags. */
#if PG_VERSION_NUM >= 190000
#define BeginParallelScan(rel, shared) table_beginscan_parallel(rel, shared, 0)
#else
#define BeginParallelScan(rel, shared) table_beginscan_parallel(rel, shared)
#endif

/* 18 asks whether a deferrable key will do. */
#if PG_VERSION_NUM >= 180000
#define PrimaryKeyIndex(rel) RelationGetPrimaryKeyIndex(rel, false)
#else
#define PrimaryKeyIndex(rel) RelationGetPrimaryKeyIndex(rel)
#endif

/* 18 can leave check constraints unenforced, and compute a generated column where it is read. */
#if PG_VERSION_NUM >= 180000
#define CheckIsEnforced(check) ((check)->ccenforced)
#define IsVirtualColumn(att) ((att)->attgenerated == ATTRIBUTE_GENERATED_VIRTUAL)
#else
#define CheckIsEnforced(check) true
#define IsVirtualColumn(att) false
#endif

/* 19 wants to be told when a descriptor has all of its columns. */
#if PG_VERSION_NUM < 190000
#define TupleDescFinalize(desc) ((void) 0)
#endif

/* 18 has columns that are computed when they are read. */
#if PG_VERSION_NUM < 180000
#define ATTRIBUTE_GENERATED_VIRTUAL 'v'
#endif

#if PG_VERSION_NUM >= 180000
#define MFREC_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "mfrec", .version = MFREC_VERSION)
#else
#define MFREC_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif
