/*
 * isa.h - instruction set levels: one plain C kernel body, compiled once per level.
 *
 * A kernel file defines MF_BODY as the name of its body header and includes foreach_isa.h, which
 * includes the body once per level with MF_LANES (floats in a register) and MF_LEVEL defined; the
 * body names its functions MF_KERNEL(name) and ends in a table of function pointers.  Callers take
 * a table once per block of work by mf_isa(), never per vector.
 */
#ifndef MF_ISA_H
#define MF_ISA_H

#include <stdbool.h>

typedef enum MfIsa
{
	MF_ISA_PLAIN,				/* what every machine of the architecture has: 4 lanes */
	MF_ISA_AVX2,				/* AVX2 and FMA (x86-64-v3): 8 lanes */
	MF_ISA_AVX512,				/* AVX-512 F, BW, DQ, VL (x86-64-v4): 16 lanes */
	MF_ISA_LEVELS
} MfIsa;

#if defined(__x86_64__) && defined(__GNUC__)
#define MF_ISA_X86 1
#endif

/* Vectors are arguments of inline functions only, so nobody meets how a processor without registers for
 * them would pass them. */
#if defined(__i386__) && !defined(__SSE__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

/* name_plain, name_avx2, name_avx512: the level is part of a kernel's name. */
#define MF_ISA_JOIN2(name, level) name##_##level
#define MF_ISA_JOIN(name, level) MF_ISA_JOIN2(name, level)
#define MF_KERNEL(name) MF_ISA_JOIN(name, MF_LEVEL)

/* Everything between one of these and MF_TARGET_END is compiled for that level. */
#define MF_ISA_PRAGMA(text) _Pragma(#text)
#define MF_TARGETS_AVX2 "avx2,fma,bmi,bmi2"
#define MF_TARGETS_AVX512 "avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl"
#define MF_TARGETS_VNNI "avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"
#if defined(__clang__)
#define MF_TARGET_BEGIN(targets) \
	MF_ISA_PRAGMA(clang attribute push(__attribute__((target(targets))), apply_to=function))
#define MF_TARGET_END MF_ISA_PRAGMA(clang attribute pop)
#else
#define MF_TARGET_BEGIN(targets) \
	MF_ISA_PRAGMA(GCC push_options) MF_ISA_PRAGMA(GCC target(targets))
#define MF_TARGET_END MF_ISA_PRAGMA(GCC pop_options)
#endif

extern MfIsa mf_isa(void);
extern bool mf_isa_has_vnni(void);
extern MfIsa mf_isa_limit(MfIsa level);

#endif
