/*
 * lapack.c - loads LAPACK when a training first needs it.
 *
 * Sessions that serve are many, and need no LAPACK; so nothing is linked against it, and a library of 30 MB that may
 * start threads is not mapped by those that only serve.  Whoever trains loads it, once, under two conditions that
 * OpenBLAS makes (both were measured: findings/openblas-serial-threads.sh, openblas-threads-at-load.sh):
 *
 * - Its pthread variant starts a thread for each core when it is loaded, whatever is set afterwards.  So it is loaded
 *   with OPENBLAS_NUM_THREADS=1 in the environment: a training has no more threads after it than before.
 * - Its serial variant has no locks, and is wrong where two threads call it at once.  So only the thread that
 *   started the training calls it, never the threads of a half-sweep.
 */
#include "core/linalg/lapack.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#define THREADS_VARIABLE "OPENBLAS_NUM_THREADS"

/* What is looked for: OpenBLAS brings LAPACK along; the other name is whatever the administrator has chosen. */
static const char *const library_names[] = {"libopenblas.so.0", "liblapack.so.3"};

/* Gives the environment's variable that value; NULL: takes it out. */
static void
set_threads_variable(const char *value)
{
	if (value != NULL)
		(void) setenv(THREADS_VARIABLE, value, 1);
	else
		(void) unsetenv(THREADS_VARIABLE);
}

/* Loads the first library that has LAPACK, with one thread; NULL where there is none. */
static void *
load_library(void)
{
	const char *before = getenv(THREADS_VARIABLE);
	char		kept[64];
	void	   *library = NULL;

	if (before != NULL)
		(void) snprintf(kept, sizeof(kept), "%s", before); /* setenv() may free it */
	set_threads_variable("1");
	for (size_t i = 0; i < sizeof(library_names) / sizeof(library_names[0]) && library == NULL; i++)
	{
		library = dlopen(library_names[i], RTLD_NOW | RTLD_LOCAL);
		/* an OpenBLAS may be built without LAPACK */
		if (library != NULL && dlsym(library, "dsyevd_") == NULL)
		{
			dlclose(library);
			library = NULL;
		}
	}
	set_threads_variable(before != NULL ? kept : NULL);
	return library;
}

/* Sets a pointer to a function from what dlsym() gives; ISO C has no cast between the two. */
static void
find_function(void *library, const char *name, void *function)
{
	*(void **) function = dlsym(library, name);
}

/*
 * LAPACK's routines; NULL where no library has them, which is looked for again at the next call, since somebody may
 * install it meanwhile.  The library stays loaded.  Only the main thread may call this and the routines.
 */
const MfLapack *
mf_lapack(void)
{
	static MfLapack lapack;
	void	   *library;
	void		(*set_threads) (int) = NULL;

	if (lapack.dsyevd != NULL)
		return &lapack;
	library = load_library();
	if (library == NULL)
		return NULL;
	/* the OpenMP variant follows OpenMP's own variables, but has started nothing yet */
	find_function(library, "openblas_set_num_threads", &set_threads);
	if (set_threads != NULL)
		set_threads(1);
	find_function(library, "dsyevd_", &lapack.dsyevd);
	return &lapack;
}
