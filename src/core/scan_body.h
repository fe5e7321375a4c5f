/*
 * scan_body.h - the kernels of scan.c for one instruction set level; included by isa_each.h.
 */

typedef float MF_KERNEL(lanes) __attribute__((vector_size(4 * MF_LANES), aligned(4), may_alias));

/* The sums over the lanes of four accumulators. */
static inline void
MF_KERNEL(sum_lanes) (const MF_KERNEL(lanes) *sum, float *total)
{
	for (int r = 0; r < 4; r++)
	{
		float		part[4];

		for (int i = 0; i < 4; i++)
		{
			part[i] = sum[r][i];
#if MF_LANES >= 8
			part[i] += sum[r][i + 4];
#endif
#if MF_LANES >= 16
			part[i] += sum[r][i + 8] + sum[r][i + 12];
#endif
		}
		total[r] = (part[0] + part[1]) + (part[2] + part[3]);
	}
}

/* See MfScoreRows. */
static uint32_t
MF_KERNEL(score_rows) (const float *query, int ld, const float *const *row,
					   const float *weight, const float *offset, float threshold,
					   float *score)
{
	uint32_t	passed = 0;

	for (int r = 0; r < 16; r += 4)
	{
		MF_KERNEL(lanes) sum[4] = {{0}, {0}, {0}, {0}};

		for (int j = 0; j < ld; j += MF_LANES)
		{
			MF_KERNEL(lanes) q = *(const MF_KERNEL(lanes) *) (query + j);

			sum[0] += q * *(const MF_KERNEL(lanes) *) (row[r] + j);
			sum[1] += q * *(const MF_KERNEL(lanes) *) (row[r + 1] + j);
			sum[2] += q * *(const MF_KERNEL(lanes) *) (row[r + 2] + j);
			sum[3] += q * *(const MF_KERNEL(lanes) *) (row[r + 3] + j);
		}
		MF_KERNEL(sum_lanes) (sum, score + r);
	}
	for (int r = 0; r < 16; r++)
	{
		if (weight)
			score[r] *= weight[r];
		if (offset)
			score[r] += offset[r];
		passed |= (uint32_t) (score[r] >= threshold) << r;
	}
	return passed;
}

static const MfScan MF_KERNEL(scan) = {
	MF_KERNEL(score_rows)
};
