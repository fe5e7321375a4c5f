/*
 * isa.h - instruction set levels: the table of them, and the one in force.
 *
 * A kernel is written once, in a body header of plain C over registers of MF_LANES floats (simd_f32.h).  A kernel
 * file names its body in MF_BODY and includes foreach_isa.h, which compiles the body once per row of the table; the
 * body names what it defines MF_KERNEL(name) and ends in a table of function pointers.  Callers take the table of the
 * level in force once per block of work, by MF_DISPATCH(), never per vector.
 */
#ifndef MF_ISA_H
#define MF_ISA_H

#include <stdatomic.h>
#include <stdbool.h>

#include "core/simd/amx.h"

#if defined(__x86_64__) && defined(__GNUC__)
#define MF_ISA_X86 1
#endif

/*
 * The table, the weakest level first: a processor that has one has those above it as well.
 *
 *		LEVEL(x, enumerator, name, bodies, floats in a register, whether it multiplies bytes (VNNI), target, support)
 *
 * The name is part of kernels' names; target is what the compiler may use, support what the processor must have
 * beyond the level above.  x is the caller's.  A new level is a new row, the next number of those that
 * foreach_isa.h goes through.
 *
 * bodies names the level whose kernels a level runs: its own, but for the last row's.  That adds tiles, which
 * syrk_amx.c and sq8_amx.c have a use for, and only after a process was given them: see amx.h.
 */
#define MF_ISA_0(LEVEL, x) LEVEL(x, PLAIN, plain, plain, 4, 0, "", true)
#ifdef MF_ISA_X86
#define MF_ISA_1(LEVEL, x) \
	LEVEL(x, AVX2, avx2, avx2, 8, 0, MF_TARGETS_AVX2, HAS(avx2) && HAS(fma) && HAS(bmi) && HAS(bmi2))
#define MF_ISA_2(LEVEL, x) \
	LEVEL(x, AVX512, avx512, avx512, 16, 0, MF_TARGETS_AVX512, \
		  HAS(avx512f) && HAS(avx512bw) && HAS(avx512dq) && HAS(avx512vl))
#define MF_ISA_3(LEVEL, x) LEVEL(x, VNNI, vnni, vnni, 16, 1, MF_TARGETS_VNNI, HAS(avx512vnni))
#endif
#ifdef MF_HAS_AMX
#define MF_ISA_5(LEVEL, x) LEVEL(x, AMX, amx, vnni, 16, 1, MF_TARGETS_AMX, mf_amx_is_there())
#endif

/* x86-64-v3; x86-64-v4; with dot products of bytes; and with tiles of them. */
#define MF_TARGETS_AVX2 "avx2,fma,bmi,bmi2"
#define MF_TARGETS_AVX512 "avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl"
#define MF_TARGETS_VNNI "avx2,fma,bmi,bmi2,avx512f,avx512bw,avx512dq,avx512vl,avx512vnni"
#define MF_TARGETS_AMX MF_TARGETS_VNNI ",amx-tile,amx-int8"

/* Rows that there are not. */
#ifndef MF_ISA_1
#define MF_ISA_1(LEVEL, x)
#endif
#ifndef MF_ISA_2
#define MF_ISA_2(LEVEL, x)
#endif
#ifndef MF_ISA_3
#define MF_ISA_3(LEVEL, x)
#endif
#ifndef MF_ISA_4
#define MF_ISA_4(LEVEL, x)
#endif
#ifndef MF_ISA_5
#define MF_ISA_5(LEVEL, x)
#endif

/* LEVEL of every row, in order. */
#define MF_ISA_EACH(LEVEL, x) \
	MF_ISA_0(LEVEL, x) MF_ISA_1(LEVEL, x) MF_ISA_2(LEVEL, x) MF_ISA_3(LEVEL, x) MF_ISA_4(LEVEL, x) MF_ISA_5(LEVEL, x)

/* MF_ISA_PLAIN and so on; MF_ISA_LEVELS is their number. */
#define MF_ISA_ENUMERATOR(x, id, name, bodies, lanes, vnni, target, support) MF_ISA_##id,
typedef enum MfIsa
{
	MF_ISA_EACH(MF_ISA_ENUMERATOR, )
	MF_ISA_LEVELS
} MfIsa;

/* Of the row that a body is compiled for, MF_ISA_ROW. */
#define MF_LEVEL MF_ISA_ROW(MF_ISA_PICK_NAME, )
#define MF_LANES MF_ISA_ROW(MF_ISA_PICK_LANES, )
#define MF_VNNI MF_ISA_ROW(MF_ISA_PICK_VNNI, )
#define MF_ISA_PICK_NAME(x, id, name, bodies, lanes, vnni, target, support) name
#define MF_ISA_PICK_LANES(x, id, name, bodies, lanes, vnni, target, support) lanes
#define MF_ISA_PICK_VNNI(x, id, name, bodies, lanes, vnni, target, support) vnni
#define MF_ISA_PICK_TARGET(x, id, name, bodies, lanes, vnni, target, support) target
#define MF_ISA_PICK_ONE(x, id, name, bodies, lanes, vnni, target, support) 1

/* name_plain, name_avx2 and so on: the level is part of a kernel's name. */
#define MF_ISA_JOIN2(name, level) name##_##level
#define MF_ISA_JOIN(name, level) MF_ISA_JOIN2(name, level)
#define MF_KERNEL(name) MF_ISA_JOIN(name, MF_LEVEL)

/* Everything between one of these and MF_TARGET_END is compiled for that target. */
#define MF_ISA_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define MF_TARGET_BEGIN(targets) \
	MF_ISA_PRAGMA(clang attribute push(__attribute__((target(targets))), apply_to=function))
#define MF_TARGET_END MF_ISA_PRAGMA(clang attribute pop)
#else
#define MF_TARGET_BEGIN(targets) \
	MF_ISA_PRAGMA(GCC push_options) MF_ISA_PRAGMA(GCC target(targets))
#define MF_TARGET_END MF_ISA_PRAGMA(GCC pop_options)
#endif

/* Registers are arguments of inline functions only, so it does not matter how a processor without them would
 * pass them. */
#if defined(__i386__) && !defined(__SSE__)
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

extern MfIsa mf_isa(void);
extern bool mf_isa_has_vnni(void);
extern bool mf_isa_has_amx(void);
extern bool mf_amx_wants_trial(const atomic_bool *tried);
extern void mf_amx_end_trial(atomic_bool *tried, bool stood);
extern MfIsa mf_isa_limit(MfIsa level);
extern const char *mf_isa_name(MfIsa level);

#endif
