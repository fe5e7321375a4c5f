/*
 * mfrec.c - the library's entry point.
 *
 * The library need not be preloaded: the first call of one of its functions in a session loads it.  So there is
 * no shared memory of its own, and what sessions share are files: see image/ and pg/progress.c.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "guc.h"
#include "sql/list_scan.h"

MFREC_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);

/* Called once in a session, when the library is loaded: by preloading, LOAD, or the first call of a function. */
void
_PG_init(void)
{
	DefineSettings();
	InstallListScan();
}
