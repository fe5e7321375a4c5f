/*
 * arguments.h - how SQL-callable functions read their arguments.
 */
#ifndef MFREC_ARGUMENTS_H
#define MFREC_ARGUMENTS_H

#include "fmgr.h"
#include "idmap.h"

extern char *TextArgument(FunctionCallInfo fcinfo, int n);
extern int	ListLengthArgument(FunctionCallInfo fcinfo, int n, int missing);
extern int64 IdArgument(FunctionCallInfo fcinfo, int n, const IdType *idtype, const char *what,
						const char *model);
extern int64 *IdArrayArgument(FunctionCallInfo fcinfo, int n, const IdType *idtype, const char *name,
							  int *count);
extern void CheckIdColumn(FunctionCallInfo fcinfo, int column, const IdType *idtype, const char *what,
						  const char *hint);

#endif
