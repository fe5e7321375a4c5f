/*
 * weights_body.h - the kernels of dense.c on weights of cells, one number each, for one instruction set level; included
 * by dense_body.h.
 *
 * There may be any number of cells, so the last ones are taken one by one, or through a register that is not full.
 * Sums are in float within a call, which callers give a panel at a time, and in double beyond it.
 */

/* Roots are rounded rightly everywhere. */
static void
MF_KERNEL(roots) (float *out, const float *x, int count, int n)
{
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
	{
		MF_V		v = MF_LOAD(x + k);

		for (int root = 0; root < count; root++)
			v = MF_ROOT(v);
		MF_STORE(out + k, v);
	}
	for (; k < n; k++)
	{
		float		v = x[k];

		for (int root = 0; root < count; root++)
			v = sqrtf(v);
		out[k] = v;
	}
}

/* One pass; sums as those of moments. */
static void
MF_KERNEL(weigh) (float *x, float *scale, const float *weight, int n, double sums[3])
{
	MF_V		sum[3] = {{0}, {0}, {0}};
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
	{
		MF_V		w = MF_LOAD(weight + k);
		MF_V		v = MF_LOAD(x + k);

		sum[0] += w;
		sum[1] += w * v;
		sum[2] += w * v * v;
		MF_STORE(scale + k, MF_ROOT(w));
		MF_STORE(x + k, w * v);
	}
	for (int s = 0; s < 3; s++)
		sums[s] += MF_SUM(sum[s]);
	for (; k < n; k++)
	{
		double		weighted = (double) weight[k] * x[k];

		sums[0] += weight[k];
		sums[1] += weighted;
		sums[2] += weighted * x[k];
		scale[k] = sqrtf(weight[k]);
		x[k] *= weight[k];
	}
}

/* A register of masses from position k on, of which there are `count`. */
MF_INLINE MF_V
MF_KERNEL(masses_at) (const MfMasses *masses, int k, int count)
{
	float		at[MF_LANES];
	MF_V		none = {0};
	MF_V		w = none + 1.0f;
	MF_V		rise = none + masses->even;
	MF_V		share = w;

	if (masses->w != NULL && count == MF_LANES)
		w = MF_LOAD(masses->w + k);
	else if (masses->w != NULL)
	{
		memset(at, 0, sizeof(at));
		memcpy(at, masses->w + k, (size_t) count * sizeof(float));
		w = MF_LOAD(at);
	}
	if (masses->rise != NULL)
	{
		for (int l = 0; l < MF_LANES; l++)
			at[l] = l < count ? masses->rise[masses->column[k + l]] : 0.0f;
		rise = MF_LOAD(at);
	}
	if (masses->knee > 0.0f)
		share = MF_SELECT(masses->knee * w < share, masses->knee * w, share);
	MF_STORE(at, MF_ROOT(masses->square * MF_SELECT(w < none, -w, w)));
	memcpy(masses->scale + k, at, (size_t) count * sizeof(float));
	return MF_SELECT(w < none, none, masses->factor * (share * rise + masses->slope * w));
}

/* Numbers that are no full register are put into one. */
static void
MF_KERNEL(masses) (const MfMasses *masses, int n, double *sum)
{
	MF_V		total = {0};
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
	{
		MF_V		mass = MF_KERNEL(masses_at) (masses, k, MF_LANES);

		total += mass;
		MF_STORE(masses->mass + k, mass);
	}
	*sum += MF_SUM(total);
	if (k < n)
	{
		float		rest[MF_LANES];

		MF_STORE(rest, MF_KERNEL(masses_at) (masses, k, n - k));
		for (int l = 0; l < n - k; l++)
			*sum += masses->mass[k + l] = rest[l];
	}
}

/* Divisions take turns with one another, not with the sum. */
static float
MF_KERNEL(divide_by) (float *x, float *scale, float factor, int n)
{
	MF_V		squares = {0};
	MF_V		none = {0};
	float		sum;
	int			k = 0;

	for (; k + MF_LANES <= n; k += MF_LANES)
	{
		MF_V		s = MF_LOAD(scale + k) * factor;
		MF_V		v = MF_SELECT(s > none, MF_LOAD(x + k) / MF_SELECT(s > none, s, none + 1.0f), none);

		squares += v * v;
		MF_STORE(scale + k, s);
		MF_STORE(x + k, v);
	}
	sum = MF_SUM(squares);
	for (; k < n; k++)
	{
		scale[k] *= factor;
		x[k] = scale[k] > 0.0f ? x[k] / scale[k] : 0.0f;
		sum += x[k] * x[k];
	}
	return sum;
}
