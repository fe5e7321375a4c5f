/*
 * amx.h - whether this process may use tiles of bytes (AMX-INT8), and if not, what is in the way.
 */
#ifndef MF_AMX_H
#define MF_AMX_H

#include <stdbool.h>

/*
 * Where compilers know the instructions and Linux can be asked.  Not where sanitizers watch accesses to memory: they
 * do not see those of tiles.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer) || __has_feature(thread_sanitizer)
#define MF_SANITIZED 1
#endif
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MF_SANITIZED 1
#endif
#if defined(__x86_64__) && defined(__linux__) && !defined(MF_SANITIZED)
#if defined(__clang__) ? __clang_major__ >= 12 : defined(__GNUC__) && __GNUC__ >= 11
#define MF_HAS_AMX 1
#endif
#endif

/* What came of asking for tiles. */
typedef enum MfAmx
{
	MF_AMX_READY,
	MF_AMX_NOT_BUILT,			/* compiled without them */
	MF_AMX_NO_PROCESSOR,
	MF_AMX_NO_SYSTEM,			/* the operating system does not keep their registers */
	MF_AMX_OLD_KERNEL,			/* does not know the request */
	MF_AMX_NO_STACK,			/* an alternate signal stack has no room for their registers */
	MF_AMX_REFUSED,				/* as seccomp does */
	MF_AMX_WRONG,				/* products differed from those that are made without tiles */
	MF_AMX_ANSWERS
} MfAmx;

/* The questions in their order; each is asked only if those before were answered well. */
typedef struct MfAmxQuestions
{
	bool		(*processor) (void);	/* has it tiles of the expected size, and products of bytes? */
	bool		(*system) (void);	/* are registers saved and restored? */
	int			(*permission) (void);	/* asks for it; 0, or why not as an errno */
} MfAmxQuestions;

extern MfAmx mf_amx(void);
extern MfAmx mf_amx_ask(const MfAmxQuestions *questions);
extern void mf_amx_distrust(void);
extern bool mf_amx_is_there(void);
extern const char *mf_amx_text(MfAmx answer);

#endif
