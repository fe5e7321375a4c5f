/*
 * codes.c - 4-bit codes of the items' leading coordinates.
 */
#include "codes.h"

/* Bytes of scratch space that coding needs. */
size_t
mf_codes_workspace(int factors, const MfParallel *parallel)
{
	(void) factors;
	(void) parallel;
	return 0;
}
