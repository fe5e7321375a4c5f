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
#include <pthread.h>
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

/* So many threads are in a library's routines at most, where it says that it can have several. */
#define MOST_INSIDE 4

/* Threads that are in the routines, and how many may be. */
static struct
{
	pthread_mutex_t mutex;
	pthread_cond_t left;
	int			inside;
	int			most;
}			door = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 1};

/*
 * How many threads may be in a library at a time.  An OpenBLAS that was built for threads of its own says so, and locks
 * what its callers share; but it has a fixed number of buffers, and ends the process where they are used up.  Of all
 * others it is not known.
 */
static int
most_inside(void *library)
{
	int			(*threads) (void) = NULL;

	find_function(library, "openblas_get_parallel", &threads);
	return threads != NULL && threads() != 0 ? MOST_INSIDE : 1;
}

/* To be called before a routine of LAPACK, by threads that others may run beside: waits until there is room. */
void
mf_lapack_enter(void)
{
	pthread_mutex_lock(&door.mutex);
	while (door.inside >= door.most)
		pthread_cond_wait(&door.left, &door.mutex);
	door.inside++;
	pthread_mutex_unlock(&door.mutex);
}

/* To be called behind it. */
void
mf_lapack_leave(void)
{
	pthread_mutex_lock(&door.mutex);
	door.inside--;
	pthread_cond_signal(&door.left);
	pthread_mutex_unlock(&door.mutex);
}

/*
 * LAPACK's routines; NULL where no library has them, which is looked for again at the next call, since somebody may
 * install it meanwhile.  The library stays loaded.  The main thread must have called this before others do, which call the
 * routines between mf_lapack_enter() and mf_lapack_leave().
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
	door.most = most_inside(library);
	find_function(library, "dsyevd_", &lapack.dsyevd);
	return &lapack;
}
