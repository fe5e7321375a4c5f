/*
 * scan.c - the kernels that serving spends its time in: the level that this machine has.
 */
#include "scan.h"

#include "isa.h"

#define MF_BODY "scan_body.h"
#include "isa_each.h"

/* The kernels to use; take them once per search. */
const MfScan *
mf_scan(void)
{
	switch (mf_isa())
	{
#ifdef MF_ISA_X86
		case MF_ISA_AVX512:
			return &scan_avx512;
		case MF_ISA_AVX2:
			return &scan_avx2;
#endif
		default:
			return &scan_plain;
	}
}
