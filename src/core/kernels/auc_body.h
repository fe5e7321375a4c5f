/*
 * auc_body.h - the kernels of auc.c for one instruction set level; included by foreach_isa.h.
 *
 * A product of two floats is exact in double, so all levels add up to the same bits.
 */
#define DOUBLES (MF_LANES / 2)
#define REGISTERS (AUC_USERS / DOUBLES)
#define MOST_ITEMS (8 / REGISTERS)	/* sums fill half of the registers, or a quarter */

/* Scores of m items, a constant where this is inlined; see auc_score below. */
MF_INLINE void
MF_KERNEL(auc_score_rows) (const double *query, const float *vector, const float *offset, int d, int ld,
						   float *score, const int m)
{
	MF_VD sum[MOST_ITEMS][REGISTERS];

	MF_UNROLL
	for (int i = 0; i < m; i++)
	{
		MF_UNROLL
		for (int r = 0; r < REGISTERS; r++)
			sum[i][r] = (MF_VD) {0};
	}
	for (int j = 0; j < d; j++)
	{
		MF_VD side[REGISTERS];

		MF_UNROLL
		for (int r = 0; r < REGISTERS; r++)
			side[r] = *(const MF_VD *) (query + j * AUC_USERS + r * DOUBLES);
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
		for (int u = 0; u < AUC_USERS; u++)
			score[u * AUC_ITEMS + i] = (float) (sum[i][u / DOUBLES][u % DOUBLES] + (offset ? offset[i] : 0));
}

/*
 * The scores of AUC_USERS users, whose d coordinates lie side by side in query (d x AUC_USERS), for
 * n <= AUC_ITEMS items, whose vectors are the rows (ld floats) of vector: score (AUC_USERS x AUC_ITEMS).
 */
static void
MF_KERNEL(auc_score) (const double *query, const float *vector, const float *offset, int d, int ld,
					  int n, float *score)
{
	int			i = 0;

	for (; i + MOST_ITEMS <= n; i += MOST_ITEMS)
		MF_KERNEL(auc_score_rows) (query, vector + (size_t) i * ld, offset ? offset + i : NULL, d, ld, score + i,
								   MOST_ITEMS);
	for (; i < n; i++)
		MF_KERNEL(auc_score_rows) (query, vector + (size_t) i * ld, offset ? offset + i : NULL, d, ld, score + i, 1);
}

/* Twice the number of the n scores below mine, plus the number of those equal to it. */
static int64_t
MF_KERNEL(auc_below) (const float *score, int n, float mine)
{
	MF_VI sum = {0};
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

static const Kernels MF_KERNEL(auc_kernels) = {MF_KERNEL(auc_score), MF_KERNEL(auc_below)};

#undef DOUBLES
#undef REGISTERS
#undef MOST_ITEMS
