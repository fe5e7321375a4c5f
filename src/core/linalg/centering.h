/*
 * centering.h - rows moved to their mean, and scaled to numbers of about 1.
 */
#ifndef MF_CENTERING_H
#define MF_CENTERING_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/threads.h"

/*
 * What was done to rows: x became scale * x - shift, where the shift is their mean as far as floats tell it.  Mean and
 * rest are in the new unit.
 */
typedef struct MfCentering
{
	double		scale;			/* a power of two, so that nothing is rounded by it; 1 where all rows are 0 */
	double	   *mean;			/* d: of the scaled rows */
	double	   *rest;			/* d: the mean that is left, after a shift by a float; nearly 0 */
} MfCentering;

extern size_t mf_center_size(int d);
extern MfError mf_center(const MfParallel *parallel, float *x, int64_t nrows, int d, MfCentering *centering, void *space);

#endif
