/*
 * dot.h - inner products of rows of floats, in double.
 *
 * For single values that are shown: a prediction, a cosine.  Searches and solvers have kernels of their own.
 */
#ifndef MF_DOT_H
#define MF_DOT_H

#include <math.h>

/* The inner product of two rows of n floats.  Four sums: one would wait for its last addition each time. */
static inline double
mf_dot(const float *x, const float *y, int n)
{
	double		first = 0;
	double		second = 0;
	double		third = 0;
	double		fourth = 0;
	int			k = 0;

	for (; k + 4 <= n; k += 4)
	{
		first += (double) x[k] * y[k];
		second += (double) x[k + 1] * y[k + 1];
		third += (double) x[k + 2] * y[k + 2];
		fourth += (double) x[k + 3] * y[k + 3];
	}
	for (; k < n; k++)
		first += (double) x[k] * y[k];
	return (first + second) + (third + fourth);
}

/* The cosine of the angle between two rows of n floats; 0 where one of them is zero. */
static inline double
mf_cosine(const float *x, const float *y, int n)
{
	double		lengths = mf_dot(x, x, n) * mf_dot(y, y, n);

	return lengths > 0 ? mf_dot(x, y, n) / sqrt(lengths) : 0;
}

#endif
