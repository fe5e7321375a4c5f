/*
 * dispatch.h - the kernels of the level in force.
 */
#ifndef MF_DISPATCH_H
#define MF_DISPATCH_H

#include "core/simd/isa.h"

/*
 * A pointer to the one of table_plain, table_avx2 and so on, which a body defined by MF_KERNEL(table), that this
 * machine is to use.
 */
#define MF_DISPATCH(table) \
	(((const __typeof__(table##_plain) *const[]) {MF_ISA_EACH(MF_DISPATCH_LEVEL, table)})[mf_isa()])
#define MF_DISPATCH_LEVEL(table, id, name, bodies, lanes, vnni, target, support) &table##_##bodies,

#endif
