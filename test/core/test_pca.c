/*
 * test_pca.c - principal components at every instruction set level, against LAPACK's singular value decomposition.
 */
#include "tap.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/padding.h"
#include "core/base/rng.h"
#include "core/linalg/pca.h"
#include "core/simd/isa.h"

typedef void (*Dgesdd) (const char *jobz, const int *m, const int *n, double *a, const int *lda, double *s, double *u,
						const int *ldu, double *vt, const int *ldvt, double *work, const int *lwork, int *iwork,
						int *info, size_t jobz_length);

static const MfParallel threads[] = {{1, NULL}, {3, NULL}};

/* Rows, and what is found of them. */
typedef struct Case
{
	int			n;
	int			d;
	float	   *x;				/* n x mf_padded(d) */
	double	   *variance;
	double	   *axes;
	float	   *coordinates;	/* n x d */
} Case;

static void *
space(size_t size)
{
	void	   *memory = aligned_alloc(64, (size + 127) & ~(size_t) 63);

	memset(memory, 0, size);
	return memory;
}

/* Rows whose deviations fall by a factor from one direction to the next, turned, around a mean, in some unit. */
static Case
new_case(int n, int d, double fall, double mean, double unit)
{
	int			ld = mf_padded(d);
	Case		c = {n, d, space(sizeof(float) * (size_t) n * (size_t) ld), space(sizeof(double) * (size_t) d),
	space(sizeof(double) * (size_t) d * (size_t) d), space(sizeof(float) * (size_t) n * (size_t) d)};
	double	   *y = malloc(sizeof(double) * (size_t) d);

	for (int i = 0; i < n; i++)
	{
		double		along = 0;
		double		square = 0;

		for (int k = 0; k < d; k++)
		{
			double		u = mf_random_normal(5, (uint64_t) k);

			y[k] = pow(fall, k) * mf_random_normal(3, (uint64_t) (i * d + k));
			along += y[k] * u;
			square += u * u;
		}
		/* a reflection turns it */
		for (int k = 0; k < d; k++)
			c.x[i * ld + k] = (float) (unit * (mean + y[k] - 2 * along * mf_random_normal(5, (uint64_t) k) / square));
	}
	free(y);
	return c;
}

static void
free_case(Case *c)
{
	free(c->x);
	free(c->variance);
	free(c->axes);
	free(c->coordinates);
}

/* Finds them all; the rows stay as they are. */
static MfError
find(Case *c, const MfParallel *parallel)
{
	size_t		bytes = sizeof(float) * (size_t) c->n * (size_t) mf_padded(c->d);
	float	   *x = space(bytes);
	void	   *work = space(mf_center_size(c->d) + mf_pca_size(c->d) + mf_pca_project_size(c->d, c->d, parallel));
	MfCentering centering = {.mean = space(sizeof(double) * (size_t) c->d),.rest = space(sizeof(double) * (size_t) c->d)};
	MfError		error;

	memcpy(x, c->x, bytes);
	error = mf_center(parallel, x, c->n, c->d, &centering, work);
	if (error == MF_OK)
		error = mf_pca_find(parallel, x, c->n, c->d, &centering, c->variance, c->axes, work);
	if (error == MF_OK)
		error = mf_pca_project(parallel, x, c->n, c->d, &centering, c->axes, c->d, c->coordinates, work);
	free(x);
	free(work);
	free(centering.mean);
	free(centering.rest);
	return error;
}

/* Singular values and right vectors of the rows less their mean, in double. */
static void
decompose(Dgesdd dgesdd, const Case *c, double *centered, double *singular, double *vectors)
{
	int			n = c->n;
	int			d = c->d;
	int			least = n < d ? n : d;
	int			lwork = 10 * (n + d) * (least + 8) + 7 * least * least;
	double	   *a = malloc(sizeof(double) * (size_t) n * (size_t) d);
	double	   *u = malloc(sizeof(double) * (size_t) least * (size_t) d);
	double	   *vt = malloc(sizeof(double) * (size_t) least * (size_t) n);
	double	   *work = malloc(sizeof(double) * (size_t) lwork);
	int		   *iwork = malloc(sizeof(int) * 8 * (size_t) least);
	int			info = 0;

	for (int k = 0; k < d; k++)
	{
		double		sum = 0;

		for (int i = 0; i < n; i++)
			sum += c->x[i * mf_padded(d) + k];
		for (int i = 0; i < n; i++)
			centered[i * d + k] = a[i * d + k] = c->x[i * mf_padded(d) + k] - sum / n;
	}
	/* by columns, this is the transpose: what it calls left vectors are ours on the right */
	dgesdd("S", &d, &n, a, &d, singular, u, &d, vt, &least, work, &lwork, iwork, &info, 1);
	memcpy(vectors, u, sizeof(double) * (size_t) least * (size_t) d);
	free(a);
	free(u);
	free(vt);
	free(work);
	free(iwork);
}

/*
 * Variances within 1e-5 of the largest, and coordinates, up to the sign of their axis, within 1e-5 of the largest
 * deviation; those of axes that rows tell apart.
 */
static void
test_against_svd(Dgesdd dgesdd, Case *c, const char *what)
{
	int			least = c->n < c->d ? c->n : c->d;
	double	   *centered = malloc(sizeof(double) * (size_t) c->n * (size_t) c->d);
	double	   *singular = malloc(sizeof(double) * (size_t) least);
	double	   *vectors = malloc(sizeof(double) * (size_t) least * (size_t) c->d);
	double		off = 0;
	double		away = 0;
	double		unit;

	decompose(dgesdd, c, centered, singular, vectors);
	unit = singular[0] / sqrt(c->n);
	for (int k = 0; k < c->d; k++)
		off = fmax(off, fabs(c->variance[k] - (k < least ? singular[k] * singular[k] / c->n : 0)) / (unit * unit));
	for (int k = 0; k < least && k < 8; k++)
	{
		double		dot = 0;

		for (int j = 0; j < c->d; j++)
			dot += vectors[k * c->d + j] * c->axes[k * c->d + j];
		for (int i = 0; i < c->n; i++)
		{
			double		expected = 0;

			for (int j = 0; j < c->d; j++)
				expected += centered[i * c->d + j] * vectors[k * c->d + j];
			away = fmax(away, fabs(c->coordinates[i * c->d + k] - (dot < 0 ? -expected : expected)) / unit);
		}
	}
	if (!ok(off < 1e-5, "%s: variances are those of a singular value decomposition", what))
		printf("#   off by %g\n", off);
	if (!ok(away < 1e-5, "%s: so are coordinates", what))
		printf("#   off by %g\n", away);
	free(centered);
	free(singular);
	free(vectors);
}

/* The largest number of each axis is positive, axes are orthonormal, and threads change nothing. */
static void
test_rules(Case *c, const char *what)
{
	Case		again = *c;
	double		skew = 0;
	bool		positive = true;

	for (int i = 0; i < c->d; i++)
	{
		double		largest = 0;

		for (int j = 0; j < c->d; j++)
		{
			double		dot = 0;

			for (int k = 0; k < c->d; k++)
				dot += c->axes[i * c->d + k] * c->axes[j * c->d + k];
			skew = fmax(skew, fabs(dot - (i == j)));
			if (fabs(c->axes[i * c->d + j]) > fabs(largest))
				largest = c->axes[i * c->d + j];
		}
		positive = positive && largest > 0;
	}
	ok(skew < 1e-12 && positive, "%s: axes are orthonormal, their largest numbers positive", what);
	again.variance = space(sizeof(double) * (size_t) c->d);
	again.axes = space(sizeof(double) * (size_t) c->d * (size_t) c->d);
	again.coordinates = space(sizeof(float) * (size_t) c->n * (size_t) c->d);
	ok(find(&again, &threads[1]) == MF_OK &&
	   memcmp(again.variance, c->variance, sizeof(double) * (size_t) c->d) == 0 &&
	   memcmp(again.coordinates, c->coordinates, sizeof(float) * (size_t) c->n * (size_t) c->d) == 0,
	   "%s: the same to the bit with three threads", what);
	free(again.variance);
	free(again.axes);
	free(again.coordinates);
}

static void
test_case(Dgesdd dgesdd, int n, int d, double fall, double mean, double unit)
{
	Case		c = new_case(n, d, fall, mean, unit);
	char		what[100];

	snprintf(what, sizeof(what), "%d x %d, mean %g, unit %g", n, d, mean, unit);
	if (ok(find(&c, &threads[0]) == MF_OK, "%s: found", what))
	{
		if (dgesdd != NULL)
			test_against_svd(dgesdd, &c, what);
		else
			skip(what, "no library has dgesdd");
		test_rules(&c, what);
	}
	free_case(&c);
}

/* Rows that are all the same, one row, and a cancel. */
static void
test_edges(void)
{
	Case		c = new_case(50, 7, 0, 3, 1);
	bool		zero = true;

	for (int i = 0; i < 50; i++)
		memcpy(c.x + i * 16, c.x, sizeof(float) * 16);
	ok(find(&c, &threads[0]) == MF_OK, "rows that are all the same");
	for (int k = 0; k < 7; k++)
		zero = zero && fabs(c.variance[k]) < 1e-12 && fabsf(c.coordinates[k]) < 1e-6f;
	ok(zero, "do not vary, and lie at the origin");
	c.n = 1;
	ok(find(&c, &threads[0]) == MF_OK && c.variance[0] == 0 && c.coordinates[0] == 0, "nor does one");
	free_case(&c);
}

static bool
always(void)
{
	return true;
}

static void
test_cancel(void)
{
	Case		c = new_case(100, 4, 0.9, 0, 1);
	MfParallel	cancelled = {2, always};

	ok(find(&c, &cancelled) == MF_CANCELLED, "a cancel ends it");
	free_case(&c);
}

int
main(void)
{
	void	   *library = dlopen("libopenblas.so.0", RTLD_NOW);
	Dgesdd		dgesdd = NULL;

	if (library == NULL)
		library = dlopen("liblapack.so.3", RTLD_NOW);
	if (library != NULL)
		*(void **) &dgesdd = dlsym(library, "dgesdd_");
	if (library == NULL)
	{
		skip("principal components", "there is no LAPACK");
		return done();
	}
	for (int level = 0; level < MF_ISA_LEVELS; level++)
	{
		if (mf_isa_limit((MfIsa) level) != (MfIsa) level)
			continue;
		test_case(dgesdd, 3000, 64, 0.95, 0, 1);
		test_case(dgesdd, 3000, 33, 0.8, 30, 1);
		test_case(dgesdd, 500, 100, 0.9, 0, 1e20);
		test_case(dgesdd, 500, 15, 0.9, 1, 1e-20);
		test_case(dgesdd, 20, 48, 0.9, 0, 1);
		test_case(dgesdd, 1000, 1, 1, 5, 1);
		test_edges();
		test_cancel();
	}
	return done();
}
