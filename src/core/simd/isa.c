/*
 * isa.c - which instruction set level this machine has.
 */
#include "core/simd/isa.h"

/* The level in force plus one; 0 until the first question.  Threads that race write the same value. */
static atomic_int level_in_force;

#define HAS(feature) (__builtin_cpu_supports(#feature) != 0)
#define IS_SUPPORTED(x, id, name, bodies, lanes, vnni, target, support) support,
#define NAME(x, id, name, bodies, lanes, vnni, target, support) #name,

/* The highest level that the processor and the operating system support. */
static MfIsa
detect_level(void)
{
	int			level = 0;

#ifdef MF_ISA_X86
	__builtin_cpu_init();
#endif
	{
		const bool	supported[] = {MF_ISA_EACH(IS_SUPPORTED, )};

		while (level + 1 < MF_ISA_LEVELS && supported[level + 1])
			level++;
	}
	return (MfIsa) level;
}

/* The level to use: what the machine has, or less after mf_isa_limit(). */
MfIsa
mf_isa(void)
{
	int			level = atomic_load_explicit(&level_in_force, memory_order_relaxed);

	if (level == 0)
	{
		level = (int) detect_level() + 1;
		atomic_store_explicit(&level_in_force, level, memory_order_relaxed);
	}
	return (MfIsa) (level - 1);
}

/* Whether dot products of bytes (AVX-512 VNNI) may be used. */
bool
mf_isa_has_vnni(void)
{
#ifdef MF_ISA_X86
	return mf_isa() >= MF_ISA_VNNI;
#else
	return false;
#endif
}

/* Whether tiles of bytes (AMX-INT8) may be used, for which the first question asks the kernel: see amx.h. */
bool
mf_isa_has_amx(void)
{
#ifdef MF_HAS_AMX
	return mf_isa() >= MF_ISA_AMX && mf_amx() == MF_AMX_READY;
#else
	return false;
#endif
}

/* Whether a kernel of tiles has yet to stand its trial before it is used: threads that race make it each. */
bool
mf_amx_wants_trial(const atomic_bool *tried)
{
	return mf_isa_has_amx() && !atomic_load_explicit(tried, memory_order_acquire);
}

/* Notes how a kernel's trial ended; after one that failed no tiles are used again, by any kernel. */
void
mf_amx_end_trial(atomic_bool *tried, bool stood)
{
	if (!stood)
		mf_amx_distrust();
	atomic_store_explicit(tried, true, memory_order_release);
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

/* What a level is called in names of kernels. */
const char *
mf_isa_name(MfIsa level)
{
	static const char *const name[] = {MF_ISA_EACH(NAME, )};

	return name[level];
}
