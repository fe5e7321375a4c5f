/*
 * isa.c - which instruction set level this machine has.
 */
#include "core/simd/isa.h"

#include <stdatomic.h>

/*
 * The level in force plus one; 0 until somebody asks.  Two threads that race write the same value.
 */
static atomic_int level_in_force;

/* The highest level that the processor and the operating system support. */
static MfIsa
detect_level(void)
{
#ifdef MF_ISA_X86
	__builtin_cpu_init();
	if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
		!__builtin_cpu_supports("bmi") || !__builtin_cpu_supports("bmi2"))
		return MF_ISA_PLAIN;
	if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
		!__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512vl"))
		return MF_ISA_AVX2;
	return MF_ISA_AVX512;
#else
	return MF_ISA_PLAIN;
#endif
}

/* The level to use: what the machine has, or less after mf_isa_limit(). */
MfIsa
mf_isa(void)
{
	int			level = atomic_load_explicit(&level_in_force, memory_order_relaxed);

	if (level == 0)
	{
		level = detect_level() + 1;
		atomic_store_explicit(&level_in_force, level, memory_order_relaxed);
	}
	return (MfIsa) (level - 1);
}

/* Whether 8-bit dot products (AVX-512 VNNI) may be used; they come on top of MF_ISA_AVX512. */
bool
mf_isa_has_vnni(void)
{
#ifdef MF_ISA_X86
	return mf_isa() == MF_ISA_AVX512 && __builtin_cpu_supports("avx512vnni");
#else
	return false;
#endif
}

/* For tests: uses at most this level from now on, and returns the level then in force. */
MfIsa
mf_isa_limit(MfIsa level)
{
	MfIsa		most = detect_level();

	if (level > most)
		level = most;
	atomic_store_explicit(&level_in_force, (int) level + 1, memory_order_relaxed);
	return level;
}
