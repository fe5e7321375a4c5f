/*
 * amx_instructions.h - the instructions for tiles of bytes, for the two files that have some in use within a call.
 */
#ifndef MF_AMX_INSTRUCTIONS_H
#define MF_AMX_INSTRUCTIONS_H

/* By name, not as intrinsic functions: GCC 12's do not say that they read and write memory. */
#define AMX_CONFIGURE(config) __asm__ volatile ("ldtilecfg %0" : : "m" (*(config)))
#define AMX_ZERO(t) __asm__ volatile ("tilezero %%tmm" #t : :)
#define AMX_LOAD(t, from, ld) \
	__asm__ volatile ("tileloadd (%0,%1,1), %%tmm" #t : : "r" (from), "r" ((int64_t) (ld) * 4) : "memory")
#define AMX_DOT(c, a, b) __asm__ volatile ("tdpbssd %%tmm" #b ", %%tmm" #a ", %%tmm" #c : :)
#define AMX_STORE(t, to) \
	__asm__ volatile ("tilestored %%tmm" #t ", (%0,%1,1)" : : "r" (to), "r" ((int64_t) sizeof((to)[0])) : "memory")
#define AMX_RELEASE() __asm__ volatile ("tilerelease" : : : "memory")

#endif
