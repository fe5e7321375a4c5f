/*
 * foreach_isa.h - compiles the header named by MF_BODY once per instruction set level; see isa.h.
 *
 * The last row of the table has no bodies of its own.
 *
 * Has no include guard on purpose.  A body must not include a system header: what it includes is compiled for the
 * level, too.
 */
#include "core/simd/simd.h"

#define MF_ISA_ROW MF_ISA_0
#include "core/simd/simd_f32.h"
#include MF_BODY
#undef MF_ISA_ROW

#if MF_ISA_1(MF_ISA_PICK_ONE, ) + 0
#define MF_ISA_ROW MF_ISA_1
MF_TARGET_BEGIN(MF_ISA_ROW(MF_ISA_PICK_TARGET, ))
#include "core/simd/simd_f32.h"
#include MF_BODY
MF_TARGET_END
#undef MF_ISA_ROW
#endif

#if MF_ISA_2(MF_ISA_PICK_ONE, ) + 0
#define MF_ISA_ROW MF_ISA_2
MF_TARGET_BEGIN(MF_ISA_ROW(MF_ISA_PICK_TARGET, ))
#include "core/simd/simd_f32.h"
#include MF_BODY
MF_TARGET_END
#undef MF_ISA_ROW
#endif

#if MF_ISA_3(MF_ISA_PICK_ONE, ) + 0
#define MF_ISA_ROW MF_ISA_3
MF_TARGET_BEGIN(MF_ISA_ROW(MF_ISA_PICK_TARGET, ))
#include "core/simd/simd_f32.h"
#include MF_BODY
MF_TARGET_END
#undef MF_ISA_ROW
#endif

#if MF_ISA_4(MF_ISA_PICK_ONE, ) + 0
#define MF_ISA_ROW MF_ISA_4
MF_TARGET_BEGIN(MF_ISA_ROW(MF_ISA_PICK_TARGET, ))
#include "core/simd/simd_f32.h"
#include MF_BODY
MF_TARGET_END
#undef MF_ISA_ROW
#endif

#undef MF_BODY
