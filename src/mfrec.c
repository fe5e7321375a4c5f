/*
 * mfrec.c - the library's entry point.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "guc.h"

MFREC_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	DefineSettings();
}
