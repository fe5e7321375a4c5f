/*
 * sq8_code_body.h - the kernels of sq8_code.c for one instruction set level.
 */

/* As many bytes as a register has lanes. */
typedef uint8_t MF_KERNEL(lane_bytes) __attribute__((vector_size(MF_LANES)));

/* Rounded to the nearest code, by cutting digits off. */
static void
MF_KERNEL(sq8_code) (const float *v, int ld, float step, uint8_t *code, float *length, float *error)
{
	const MF_V	zero = {0};
	const MF_V	least = zero + 1;
	const MF_V	most = zero + (2 * MF_SQ8_MIDDLE - 1);
	const float per_step = 1 / step;
	MF_V		lengths = zero;
	MF_V		errors = zero;

	for (int j = 0; j < ld; j += MF_LANES)
	{
		MF_V		x = MF_LOAD(v + j) * per_step;
		MF_V		n = x + (MF_SQ8_MIDDLE + 0.5f);
		MF_VI		whole;
		MF_V		stands;
		MF_KERNEL(lane_bytes) bytes;

		n = MF_SELECT(n > least, n, least);
		n = MF_SELECT(n < most, n, most);
		whole = __builtin_convertvector(n, MF_VI);
		stands = __builtin_convertvector(whole, MF_V) - MF_SQ8_MIDDLE;
		lengths += stands * stands;
		x -= stands;
		errors += x * x;
		bytes = __builtin_convertvector(whole, MF_KERNEL(lane_bytes));
		for (int g = 0; g < MF_LANES / 4; g++)
			memcpy(code + (j / 4 + g) * 64, (const uint8_t *) &bytes + 4 * g, 4);
	}
	*length = MF_SUM(lengths);
	*error = MF_SUM(errors);
}

/*
 * Likewise for a query, whose codes are on both sides of 0: digits that are cut off round to the nearest where numbers
 * are above it, so they are brought there first, and back as whole numbers.
 */
static void
MF_KERNEL(sq8_query_code) (const float *p, int ld, float unit, int8_t *code, int32_t *total, float *missed)
{
	const MF_V	zero = {0};
	const MF_V	least = zero + 1;
	const MF_V	most = zero + 255;
	const float per_unit = 1 / unit;
	MF_V		totals = zero;
	MF_V		errors = zero;

	for (int j = 0; j < ld; j += MF_LANES)
	{
		MF_V		x = MF_LOAD(p + j) * per_unit;
		MF_V		n = x + 128.5f;
		MF_VI		whole;
		MF_V		stands;
		MF_KERNEL(lane_bytes) bytes;

		n = MF_SELECT(n > least, n, least);
		n = MF_SELECT(n < most, n, most);
		whole = __builtin_convertvector(n, MF_VI) - 128;
		stands = __builtin_convertvector(whole, MF_V);
		totals += stands;
		x -= stands;
		errors += x * x;
		bytes = __builtin_convertvector(whole, MF_KERNEL(lane_bytes));
		memcpy(code + j, &bytes, sizeof(bytes));
	}
	/* whole numbers below 2^24, so floats add them up exactly */
	*total = (int32_t) MF_SUM(totals);
	*missed = MF_SUM(errors);
}

static const MfSq8Code MF_KERNEL(sq8_coder) = MF_KERNEL(sq8_code);
static const MfSq8QueryCode MF_KERNEL(sq8_query_coder) = MF_KERNEL(sq8_query_code);
