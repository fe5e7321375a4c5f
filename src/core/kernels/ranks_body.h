/*
 * ranks_body.h - the kernels of ranks.c for one instruction set level; included by foreach_isa.h.
 *
 * A product of two floats is exact in double, so all levels add up to the same bits.
 */
#define DOUBLES (MF_LANES / 2)
#define REGISTERS (MF_RANKS_USERS / DOUBLES)
#define MOST_ITEMS (8 / REGISTERS)	/* sums fill half of the registers, or a quarter */

/*
 * Scores of m items, a constant where this is inlined, in double, coordinate after coordinate as a naive scan adds them
 * up; rounded to float at the end.
 */
MF_INLINE void
MF_KERNEL(ranks_rows) (const double *query, const float *vector, const float *offset, int d, int ld,
						   float *score, const int m)
{
	MF_VD		sum[MOST_ITEMS][REGISTERS];

	MF_UNROLL
	for (int i = 0; i < m; i++)
	{
		MF_UNROLL
		for (int r = 0; r < REGISTERS; r++)
			sum[i][r] = (MF_VD) {0};
	}
	for (int j = 0; j < d; j++)
	{
		MF_VD		side[REGISTERS];

		MF_UNROLL
		for (int r = 0; r < REGISTERS; r++)
			side[r] = *(const MF_VD *) (query + j * MF_RANKS_USERS + r * DOUBLES);
		MF_UNROLL
		for (int i = 0; i < m; i++)
		{
			double		x = vector[(size_t) i * ld + j];

			MF_UNROLL
			for (int r = 0; r < REGISTERS; r++)
				sum[i][r] += x * side[r];
		}
	}
	for (int i = 0; i < m; i++)
		for (int u = 0; u < MF_RANKS_USERS; u++)
			score[u * MF_RANKS_ITEMS + i] = (float) (sum[i][u / DOUBLES][u % DOUBLES] + (offset ? offset[i] : 0));
}

/* As many items at a time as sums of all users fit into registers: a coordinate is loaded once for all of them. */
static void
MF_KERNEL(ranks_score) (const double *query, const float *vector, const float *offset, int d, int ld,
					  int n, float *score)
{
	int			i = 0;

	for (; i + MOST_ITEMS <= n; i += MOST_ITEMS)
		MF_KERNEL(ranks_rows) (query, vector + (size_t) i * ld, offset ? offset + i : NULL, d, ld, score + i,
								   MOST_ITEMS);
	for (; i < n; i++)
		MF_KERNEL(ranks_rows) (query, vector + (size_t) i * ld, offset ? offset + i : NULL, d, ld, score + i, 1);
}

/* Comparisons are -1 or 0, so two of them subtracted count twice what is below and once what is equal. */
static int64_t
MF_KERNEL(ranks_below) (const float *score, int n, float mine)
{
	MF_VI		sum = {0};
	int64_t		total = 0;
	int			i = 0;

	for (; i + MF_LANES <= n; i += MF_LANES)
	{
		MF_V		x = MF_LOAD(score + i);

		sum -= (x < mine) + (x <= mine);
	}
	for (int l = 0; l < MF_LANES; l++)
		total += sum[l];
	for (; i < n; i++)
		total += (score[i] < mine) + (score[i] <= mine);
	return total;
}

/* As below, counting both apart. */
static int64_t
MF_KERNEL(ranks_above) (const float *score, int n, float mine, int64_t *equal)
{
	MF_VI		above = {0};
	MF_VI		same = {0};
	int64_t		total = 0;
	int			i = 0;

	for (; i + MF_LANES <= n; i += MF_LANES)
	{
		MF_V		x = MF_LOAD(score + i);

		above -= x > mine;
		same -= x == mine;
	}
	for (int l = 0; l < MF_LANES; l++)
	{
		total += above[l];
		*equal += same[l];
	}
	for (; i < n; i++)
	{
		total += score[i] > mine;
		*equal += score[i] == mine;
	}
	return total;
}

static const MfRanks MF_KERNEL(mf_ranks) = {MF_KERNEL(ranks_score), MF_KERNEL(ranks_below), MF_KERNEL(ranks_above)};

#undef DOUBLES
#undef REGISTERS
#undef MOST_ITEMS
