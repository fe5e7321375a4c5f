/*
 * args.h - how SQL-callable functions read their arguments.
 */
#ifndef MFREC_ARGS_H
#define MFREC_ARGS_H

#include "access/tupdesc.h"
#include "fmgr.h"
#include "ids/id_map.h"
#include "utils/array.h"

/* The argument k where it is not given; the script says so, too. */
#define DEFAULT_K 10

/* For CheckIdColumn, where results have the type of an argument. */
#define SAME_TYPE_HINT "Pass an item id of type %s."

extern void RequireArgument(FunctionCallInfo fcinfo, int n, const char *name, const char *hint);
extern char *TextArgument(FunctionCallInfo fcinfo, int n);
extern void RequireNoName(FunctionCallInfo fcinfo, int n, const char *name, const char *call);
extern int64 Int64Argument(FunctionCallInfo fcinfo, int n);
extern int32 Int32Argument(FunctionCallInfo fcinfo, int n, const char *name);
extern int	IntegerArgument(FunctionCallInfo fcinfo, int n, const char *name, int max);
extern double NumberArgument(FunctionCallInfo fcinfo, int n, const char *name);
extern bool NewItemsArgument(FunctionCallInfo fcinfo, int n);
extern int	ListLengthArgument(FunctionCallInfo fcinfo, int n, int missing);
extern int32 VersionArgument(FunctionCallInfo fcinfo, int n);
extern int64 IdArgument(FunctionCallInfo fcinfo, int n, const IdType *idtype, const char *what,
						const char *model);
extern ArrayType *IdArrayArgument(FunctionCallInfo fcinfo, int n, const IdType *idtype, const char *what,
								  const char *name);
extern ArrayType *ArrayArgument(FunctionCallInfo fcinfo, int n, const char *name);
extern Oid	ArgumentType(FunctionCallInfo fcinfo, int n);
extern Oid	ArgumentElementType(FunctionCallInfo fcinfo, int n);
extern void CheckIdColumn(FunctionCallInfo fcinfo, int column, const IdType *idtype, const char *what,
						  const char *hint);
extern void CheckIdResult(FunctionCallInfo fcinfo, TupleDesc desc, int column, const IdType *idtype,
						  const char *what, const char *hint);

#endif
