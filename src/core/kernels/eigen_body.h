/*
 * eigen_body.h - the kernels of eigen.c for one instruction set level; included by foreach_isa.h.
 */
#define LANES (MF_LANES / 2)

typedef double MF_KERNEL(doubles) __attribute__((vector_size(MF_LANES * 4), aligned(8), may_alias));

#define AT(x) (*(MF_KERNEL(doubles) *) (x))
#define FROM(x) (*(const MF_KERNEL(doubles) *) (x))

#ifndef EIGEN_KERNELS
#define EIGEN_KERNELS
/* On n doubles: x . y; x += f y; x += f y + g z; (x, y) = (c x - s y, s x + c y). */
typedef struct MfEigenKernels
{
	double		(*dot) (const double *x, const double *y, int n);
	void		(*add) (double *x, const double *y, double f, int n);
	void		(*add_two) (double *x, const double *y, double f, const double *z, double g, int n);
	void		(*rotate) (double *x, double *y, double c, double s, int n);
} MfEigenKernels;
#endif

static double
MF_KERNEL(dot) (const double *x, const double *y, int n)
{
	MF_KERNEL(doubles) even = {0};
	MF_KERNEL(doubles) odd = {0};
	double		sum = 0.0;
	int			k = 0;

	for (; k + 2 * LANES <= n; k += 2 * LANES)
	{
		even += FROM(x + k) * FROM(y + k);
		odd += FROM(x + k + LANES) * FROM(y + k + LANES);
	}
	even += odd;
	for (; k < n; k++)
		sum += x[k] * y[k];
	for (int l = 0; l < LANES; l++)
		sum += even[l];
	return sum;
}

static void
MF_KERNEL(add) (double *x, const double *y, double f, int n)
{
	int			k = 0;

	for (; k + LANES <= n; k += LANES)
		AT(x + k) += f * FROM(y + k);
	for (; k < n; k++)
		x[k] += f * y[k];
}

static void
MF_KERNEL(add_two) (double *x, const double *y, double f, const double *z, double g, int n)
{
	int			k = 0;

	for (; k + LANES <= n; k += LANES)
		AT(x + k) += f * FROM(y + k) + g * FROM(z + k);
	for (; k < n; k++)
		x[k] += f * y[k] + g * z[k];
}

static void
MF_KERNEL(rotate) (double *x, double *y, double c, double s, int n)
{
	int			k = 0;

	for (; k + LANES <= n; k += LANES)
	{
		MF_KERNEL(doubles) old = FROM(x + k);

		AT(x + k) = c * old - s * FROM(y + k);
		AT(y + k) = s * old + c * FROM(y + k);
	}
	for (; k < n; k++)
	{
		double		old = x[k];

		x[k] = c * old - s * y[k];
		y[k] = s * old + c * y[k];
	}
}

static const MfEigenKernels MF_KERNEL(mf_eigen) = {
	MF_KERNEL(dot),
	MF_KERNEL(add),
	MF_KERNEL(add_two),
	MF_KERNEL(rotate)
};

#undef LANES
#undef AT
#undef FROM
