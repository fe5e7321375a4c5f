/*
 * amx_trap.h - the library's own instructions for tiles on processors that have none: each is trapped (SIGILL), decoded
 * as Intel's manual encodes it, and left to the model of amx_model.h.
 *
 * So not only the kernel's loops are tested here, but what the assembler made of them: registers, their order, addresses.
 */
#ifndef AMX_TRAP_H
#define AMX_TRAP_H

#ifndef _GNU_SOURCE
#error "names of registers need _GNU_SOURCE"
#endif

#include <stdbool.h>

#include "core/simd/isa.h"

__attribute__((unused)) static int trapped;	/* instructions so far */

#ifdef MF_HAS_AMX
#include <signal.h>
#include <ucontext.h>
#include <unistd.h>

#include "amx_model.h"

/* An instruction on its way through the decoder. */
typedef struct Decoder
{
	const greg_t *registers;
	const uint8_t *next;		/* byte */
	bool		long_index;		/* VEX.X and VEX.B: numbers of registers from 8 on */
	bool		long_base;
	uintptr_t	stride;
} Decoder;

/* A general register by its number. */
static uintptr_t
register_value(const Decoder *d, int number)
{
	static const int place[] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

	return (uintptr_t) d->registers[place[number]];
}

/* The constant that ends an address, of so many bytes. */
static uintptr_t
displacement(Decoder *d, int bytes)
{
	int8_t		narrow;
	int32_t		wide = 0;

	if (bytes == 4)
		memcpy(&wide, d->next, 4);
	else if (bytes == 1)
	{
		memcpy(&narrow, d->next, 1);
		wide = narrow;
	}
	d->next += bytes;
	return (uintptr_t) (intptr_t) wide;
}

/* The address of a memory operand, whose index times scale is a tile's stride; 0: another form. */
static uintptr_t
operand_address(Decoder *d, int modrm)
{
	int			mode = modrm >> 6;
	int			base = modrm & 7;
	bool		scaled = base == 4;
	uintptr_t	address;

	d->stride = 0;
	if (scaled)
	{
		int			sib = *d->next++;
		int			index = (sib >> 3 & 7) + 8 * d->long_index;

		base = sib & 7;
		if (index != 4)
			d->stride = register_value(d, index) << (sib >> 6);
	}
	if (mode == 0 && base == 5)
	{
		address = displacement(d, 4);
		/* relative to what comes next */
		return scaled ? address : address + (uintptr_t) d->next;
	}
	address = register_value(d, base + 8 * d->long_base);
	return address + displacement(d, mode == 1 ? 1 : mode == 2 ? 4 : 0);
}

/* What a whole instruction without its prefix is: prefix 0 none, 2 F3, 3 F2. */
static bool
run_trapped(Decoder *d, int prefix, int opcode, int third)
{
	int			modrm = *d->next++;
	int			first = modrm >> 3 & 7;
	bool		registers = modrm >> 6 == 3;
	uintptr_t	address = registers ? 0 : operand_address(d, modrm);

	if (opcode == 0x49 && prefix == 0 && !registers && first == 0)
		model_configure((const void *) address);
	else if (opcode == 0x49 && prefix == 0 && modrm == 0xc0)
		model_release();
	else if (opcode == 0x49 && prefix == 3 && registers && (modrm & 7) == 0)
		model_zero(first);
	else if (opcode == 0x4b && prefix == 3 && !registers)
		model_load(first, (const void *) address, d->stride);
	else if (opcode == 0x4b && prefix == 2 && !registers)
		model_store(first, (void *) address, d->stride);
	else if (opcode == 0x5e && prefix == 3 && registers)
		model_dot(first, modrm & 7, third);
	else
		return false;
	return true;
}

/* SIGILL: three bytes of VEX prefix with map 0F 38, W 0 and 128 bits. */
static void
trap(int number, siginfo_t *info, void *context)
{
	greg_t	   *registers = ((ucontext_t *) context)->uc_mcontext.gregs;
	const uint8_t *at = (const uint8_t *) registers[REG_RIP];
	Decoder		d = {registers, at + 4, (at[1] & 0x40) == 0, (at[1] & 0x20) == 0, 0};

	(void) number;
	(void) info;
	if (at[0] != 0xc4 || (at[1] & 0x9f) != 0x82 || (at[2] & 0x84) != 0 ||
		!run_trapped(&d, at[2] & 3, at[3], ~at[2] >> 3 & 15))
		_exit(99);
	registers[REG_RIP] = (greg_t) d.next;
	trapped++;
}

static bool
trap_yes(void)
{
	return true;
}

static int
trap_granted(void)
{
	return 0;
}

#endif

/*
 * Where the processor has AVX-512 VNNI and no tiles, has the library take it for one that has them, until
 * stop_pretending(); false elsewhere.  Not with threads, which block signals.
 */
__attribute__((unused)) static bool
pretend_tiles(void)
{
#ifdef MF_HAS_AMX
	static const MfAmxQuestions questions = {trap_yes, trap_yes, trap_granted};
	struct sigaction action = {.sa_sigaction = trap,.sa_flags = SA_SIGINFO};

	if (!mf_isa_has_vnni() || mf_amx() != MF_AMX_NO_PROCESSOR)
		return false;
	sigaction(SIGILL, &action, NULL);
	mf_amx_ask(&questions);
	mf_isa_limit(MF_ISA_AMX);
	trapped = 0;
	return true;
#else
	return false;
#endif
}

__attribute__((unused)) static void
stop_pretending(void)
{
#ifdef MF_HAS_AMX
	mf_amx_ask(NULL);
	mf_isa_limit(MF_ISA_AMX);
	signal(SIGILL, SIG_DFL);
#endif
}

#endif
