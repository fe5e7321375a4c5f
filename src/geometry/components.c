/*
 * components.c - principal components of vectors, and where each of these lies along them.
 */
#include "postgres.h"

#include <math.h>

#include "core/linalg/pca.h"
#include "geometry/components.h"
#include "pg/alloc.h"
#include "pg/core_call.h"

/* An error where more dimensions are asked for than vectors have. */
static void
CheckDimensions(const VectorSet *set, int n)
{
	if (n > set->d)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("dimensions must be between 1 and %d, not %d", set->d, n),
				 errdetail("Vectors of %s of \"%s\" have no more.", SideName(set->side), set->name),
				 errhint("Ask for at most as many: dimensions => %d.", set->d)));
}

/*
 * The first n components of a set's vectors, 0: all of them, in the current memory context.  The vectors themselves are
 * centered by it.
 *
 * The variances of all d are found, and their total is over all, so that shares say what the first n leave out.  An
 * error for more components than dimensions, and where memory does not suffice.
 */
void
FindComponents(VectorSet *set, int n, Components *components)
{
	int			d = set->d;
	MfCentering centering = {.mean = palloc(sizeof(double) * d),.rest = palloc(sizeof(double) * d)};
	double	   *axes;
	Size		work;
	void	   *space;

	CheckDimensions(set, n);
	n = n > 0 ? n : d;
	work = Max(mf_center_size(d), Max(mf_pca_size(d), mf_pca_project_size(d, n, &set->parallel)));
	CheckSetMemory(set, work + sizeof(double) * d * d + set->n * n * sizeof(float));
	space = HugeArray(work, 1);
	axes = HugeArray((int64) d * d, sizeof(double));
	components->n = n;
	components->variance = palloc(sizeof(double) * d);
	components->coordinates = HugeArray(set->n * n, sizeof(float));
	CheckCore(mf_center(&set->parallel, set->vectors, set->n, d, &centering, space));
	CheckCore(mf_pca_find(&set->parallel, set->vectors, set->n, d, &centering, components->variance, axes, space));
	CheckCore(mf_pca_project(&set->parallel, set->vectors, set->n, d, &centering, axes, n, components->coordinates, space));
	components->total = 0;
	for (int k = 0; k < d; k++)
		components->total += components->variance[k];
	pfree(axes);
	pfree(space);
}

/* The share of the variance that some components have; NaN where there is none. */
double
ShareOf(const Components *components, int first, int count)
{
	double		sum = 0;

	for (int k = first; k < first + count; k++)
		sum += components->variance[k];
	return components->total > 0 ? sum / components->total : NAN;
}
