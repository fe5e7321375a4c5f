/*
 * simd.h - what kernel bodies are written in: registers of MF_LANES floats by GCC's vector
 * extensions.
 *
 * A kernel file includes this at its top; its body begins with #include "lanes.h", which defines
 * the type MF_V and the functions behind the macros for one level.
 */
#ifndef MF_SIMD_H
#define MF_SIMD_H

#include <math.h>
#include <stdint.h>

#include "core/simd/isa.h"

#ifdef MF_ISA_X86
#include <immintrin.h>
#endif

#define MF_V MF_KERNEL(vector)
#define MF_VM MF_KERNEL(vector_in_memory)
#define MF_LOAD MF_KERNEL(load)
#define MF_STORE MF_KERNEL(store)
#define MF_ROOT MF_KERNEL(root)
#define MF_SUM MF_KERNEL(sum)
#define MF_TRANSPOSE MF_KERNEL(transpose)

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
