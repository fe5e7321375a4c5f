/*
 * amx.c - asks for tiles of bytes (AMX-INT8).
 *
 * A processor has them or not (CPUID), and the operating system keeps their registers or not (XCR0).  Linux then wants
 * to be asked by every process, once for all its threads and what it forks, for the registers of a thread take 8 kB,
 * which signal handlers find on their stack.  It refuses where a thread's alternate signal stack is too small for that,
 * and from then on such a stack is refused: so only who trains asks, or makes lists of all users, not who serves one.
 *
 * Nothing here uses tiles, and no process has any on between two calls: see syrk_amx.c and sq8_amx.c.
 */
#include "core/simd/amx.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#ifdef MF_HAS_AMX
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of arch_prctl(); older headers have no names for them. */
#define REQUEST_PERMISSION 0x1023
#define TILE_DATA 18

#define TILE_STATES ((uint64_t) 3 << 17)	/* of XCR0: configuration and data */
#define HAS_TILES (1u << 24 | 1u << 25) /* of CPUID leaf 7: AMX-TILE and AMX-INT8 */
#define SAVES_STATES (1u << 27) /* of CPUID leaf 1: XGETBV may be used */

/* Eight tiles of 16 rows of 64 bytes, as palette 1 says, and a unit that multiplies whole ones. */
static bool
ask_processor(void)
{
	unsigned int a;
	unsigned int b;
	unsigned int c;
	unsigned int d;

	if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || (d & HAS_TILES) != HAS_TILES)
		return false;
	if (!__get_cpuid_count(0x1d, 0, &a, &b, &c, &d) || a < 1)
		return false;
	if (!__get_cpuid_count(0x1d, 1, &a, &b, &c, &d) ||
		a >> 16 != 1024 || (b & 0xffff) != 64 || b >> 16 < 8 || (c & 0xffff) != 16)
		return false;
	return __get_cpuid_count(0x1e, 0, &a, &b, &c, &d) && (b & 0xff) >= 16 && (b >> 8 & 0xffff) >= 64;
}

static bool
ask_system(void)
{
	unsigned int a;
	unsigned int b;
	unsigned int c;
	unsigned int d;

	if (!__get_cpuid(1, &a, &b, &c, &d) || (c & SAVES_STATES) == 0)
		return false;
	__asm__ volatile ("xgetbv" : "=a" (a), "=d" (d) : "c" (0));
	return (((uint64_t) d << 32 | a) & TILE_STATES) == TILE_STATES;
}

static int
ask_permission(void)
{
	int			before = errno;
	int			error = syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0 ? 0 : errno;

	errno = before;
	return error;
}

static const MfAmxQuestions machine = {ask_processor, ask_system, ask_permission};
#else
static const MfAmxQuestions machine = {NULL, NULL, NULL};
#endif

/* Who is asked. */
static const MfAmxQuestions *_Atomic asked = &machine;

/* What came of it, plus one; 0 until the first question.  Threads that race get the same answers. */
static atomic_int known_answer;

/* What an error of the request means. */
static MfAmx
judge_error(int error)
{
	switch (error)
	{
		case 0:
			return MF_AMX_READY;
		case EINVAL:
		case ENOSYS:
		case EOPNOTSUPP:
			return MF_AMX_OLD_KERNEL;
		case ENOSPC:
			return MF_AMX_NO_STACK;
		default:
			return MF_AMX_REFUSED;
	}
}

/*
 * Asks the machine, and takes the answers for what holds from now on; for tests: asks others, which are kept, and NULL
 * for the machine again.
 */
MfAmx
mf_amx_ask(const MfAmxQuestions *questions)
{
	MfAmx		result;

	if (questions == NULL)
		questions = &machine;
	atomic_store(&asked, questions);
	if (questions->processor == NULL)
		result = MF_AMX_NOT_BUILT;
	else if (!questions->processor())
		result = MF_AMX_NO_PROCESSOR;
	else if (!questions->system())
		result = MF_AMX_NO_SYSTEM;
	else
		result = judge_error(questions->permission());
	atomic_store_explicit(&known_answer, (int) result + 1, memory_order_relaxed);
	return result;
}

/* Whether tiles may be used, and if not, why; asks the first time. */
MfAmx
mf_amx(void)
{
	int			known = atomic_load_explicit(&known_answer, memory_order_relaxed);

	return known > 0 ? (MfAmx) (known - 1) : mf_amx_ask(NULL);
}

/* Has this process never use tiles again, for they were seen to multiply wrongly. */
void
mf_amx_distrust(void)
{
	atomic_store_explicit(&known_answer, (int) MF_AMX_WRONG + 1, memory_order_relaxed);
}

/* Whether there are tiles to ask for; asks for none. */
bool
mf_amx_is_there(void)
{
	const MfAmxQuestions *questions = atomic_load(&asked);

	return questions->processor != NULL && questions->processor() && questions->system();
}

/* An answer in words, after "tiles: ". */
const char *
mf_amx_text(MfAmx answer)
{
	static const char *const text[] = {
		[MF_AMX_READY] = "in use",
		[MF_AMX_NOT_BUILT] = "not compiled in",
		[MF_AMX_NO_PROCESSOR] = "the processor has none",
		[MF_AMX_NO_SYSTEM] = "the operating system does not keep their registers",
		[MF_AMX_OLD_KERNEL] = "the kernel does not know the request",
		[MF_AMX_NO_STACK] = "an alternate signal stack is too small for their registers",
		[MF_AMX_REFUSED] = "the kernel refused permission",
		[MF_AMX_WRONG] = "they multiplied wrongly in a trial",
	};

	return text[answer];
}
