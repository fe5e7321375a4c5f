/*
 * nearest_body.h - the kernels of nearest.c for one instruction set level; included by foreach_isa.h.
 */

/* a where mask, a comparison, is -1, b where it is 0; of int32. */
#define SELECT_INTS(mask, a, b) (((a) & (mask)) | ((b) & ~(mask)))

/* A register of rows at a time, through all points: what is found of it stays in registers. */
static void
MF_KERNEL(two_best) (MfTwoBest *found, const float *score, const float *offset, int first, int n)
{
	for (int r = 0; r < MF_NEAREST_ROWS; r += MF_LANES)
	{
		MF_V		best = MF_LOAD(found->best + r);
		MF_V		second = MF_LOAD(found->second + r);
		MF_VI		index;

		memcpy(&index, found->index + r, sizeof(index));
		for (int k = 0; k < n; k++)
		{
			MF_V		x = MF_LOAD(score + k * MF_NEAREST_ROWS + r) + offset[k];
			MF_VI		better = x > best;
			MF_V		loser = MF_SELECT(better, best, x);

			second = MF_SELECT(loser > second, loser, second);
			best = MF_SELECT(better, x, best);
			index = SELECT_INTS(better, (MF_VI) {0} + (first + k), index);
		}
		MF_STORE(found->best + r, best);
		MF_STORE(found->second + r, second);
		MF_STORE_INTS(found->index + r, index);
	}
}

static const MfNearest MF_KERNEL(mf_nearest) = {MF_KERNEL(two_best)};

#undef SELECT_INTS
