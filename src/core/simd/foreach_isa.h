/*
 * foreach_isa.h - includes the header named by MF_BODY once per instruction set level; see isa.h.
 *
 * Has no include guard on purpose.  A body must not include anything: what it includes would be
 * compiled for the level too.
 */
#include "core/simd/isa.h"

#define MF_LEVEL plain
#define MF_LANES 4
#include MF_BODY
#undef MF_LEVEL
#undef MF_LANES

#ifdef MF_ISA_X86
#define MF_LEVEL avx2
#define MF_LANES 8
MF_TARGET_BEGIN(MF_TARGETS_AVX2)
#include MF_BODY
MF_TARGET_END
#undef MF_LEVEL
#undef MF_LANES

#define MF_LEVEL avx512
#define MF_LANES 16
MF_TARGET_BEGIN(MF_TARGETS_AVX512)
#include MF_BODY
MF_TARGET_END
#undef MF_LEVEL
#undef MF_LANES
#endif

#undef MF_BODY
