/*
 * simd.h - what kernel bodies are written in: registers of MF_LANES floats by GCC's vector extensions.
 *
 * foreach_isa.h includes this once and then, for each level, simd_f32.h, which defines the types and functions behind
 * these macros.  Bodies use intrinsics only where the extensions have no word for an instruction.
 */
#ifndef MF_SIMD_H
#define MF_SIMD_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "core/simd/isa.h"

#ifdef MF_ISA_X86
#include <immintrin.h>
#endif

/* Registers: MF_LANES floats; as many int32, which comparisons of floats give as well; half as many doubles. */
#define MF_V MF_KERNEL(vector)
#define MF_VI MF_KERNEL(vector_of_ints)
#define MF_VD MF_KERNEL(vector_of_doubles)

/* And twice as many int16, four times as many bytes; see simd_i8.h. */
#define MF_VS MF_KERNEL(vector_of_shorts)
#define MF_VB MF_KERNEL(vector_of_bytes)

/* Functions on them; see simd_f32.h. */
#define MF_LOAD MF_KERNEL(load)
#define MF_LOAD_INTS MF_KERNEL(load_ints)
#define MF_LOAD_SHORTS MF_KERNEL(load_shorts)
#define MF_ROUNDED MF_KERNEL(rounded)
#define MF_STORE MF_KERNEL(store)
#define MF_STORE_INTS MF_KERNEL(store_ints)
#define MF_WIDEN MF_KERNEL(widen)
#define MF_ABS MF_KERNEL(absolute)
#define MF_BITS MF_KERNEL(bits)
#define MF_ROOT MF_KERNEL(root)
#define MF_SUM MF_KERNEL(sum)
#define MF_TRANSPOSE MF_KERNEL(transpose)

/*
 * a where mask, a comparison, is -1, b where it is 0.  A macro, for where compilers see the comparison they choose by
 * it, and else by three operations on bits.
 */
#define MF_SELECT(mask, a, b) ((MF_V) (((MF_VI) (a) & (mask)) | ((MF_VI) (b) & ~(mask))))

/* Rows whose sums MF_KERNEL(sum_rows) makes at once. */
#define MF_SUM_ROWS (MF_LANES >= 8 ? 8 : 4)

/*
 * Loops with a constant number of steps over registers: unrolled, or the registers become memory.
 */
#if defined(__clang__)
#define MF_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MF_UNROLL _Pragma("GCC unroll 16")
#endif

#define MF_INLINE static inline __attribute__((always_inline, unused))

#endif
