/*
 * threads.h - a parallel loop over tasks on plain pthreads, forked and joined within a call.
 */
#ifndef MF_THREADS_H
#define MF_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/* More threads than this are not used. */
#define MF_MAX_THREADS 128

/*
 * Works on one task of a loop; worker is 0 .. mf_workers() - 1 and owns that worker's workspace.  Must not
 * allocate, raise errors or touch anything of the server.
 */
typedef void (*MfTaskFunction) (void *state, int64_t task, int worker);

/* How a parallel loop may run: shared by everything in the core that is worth more than one core of a machine. */
typedef struct MfParallel
{
	int			nthreads;		/* at most; fewer when the system gives fewer */
	bool		(*cancelled) (void);	/* true if cancellation was requested: called from all threads; may be NULL */
} MfParallel;

extern bool mf_parallel_for(const MfParallel *parallel, int64_t ntasks, MfTaskFunction function, void *state);
extern bool mf_cancelled(const MfParallel *parallel);
extern int	mf_workers(const MfParallel *parallel);

#endif
