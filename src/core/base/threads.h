/*
 * threads.h - a parallel loop over blocks on plain pthreads, forked and joined per round.
 */
#ifndef MF_THREADS_H
#define MF_THREADS_H

#include <stdbool.h>
#include <stdint.h>

/* More threads than this are not used. */
#define MF_MAX_THREADS 128

/* Works on one block; worker is 0 .. nthreads - 1 and owns that worker's scratch space.  Must not
 * allocate, raise errors or touch anything of the server. */
typedef void (*MfBlockFunction) (void *state, int64_t block, int worker);

/*
 * How a parallel loop may run: shared by everything in the core that is worth more than one core.
 */
typedef struct MfParallel
{
	int			nthreads;		/* at most; fewer when the system gives fewer */
	bool		(*cancelled) (void);	/* workers leave once it is true; called from all of them;
										 * may be NULL */
} MfParallel;

extern bool mf_parallel_blocks(const MfParallel *parallel, int64_t nblocks,
							   MfBlockFunction function, void *state);
extern bool mf_cancelled(const MfParallel *parallel);
extern int	mf_workers(const MfParallel *parallel);

#endif
