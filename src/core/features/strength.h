/*
 * strength.h - how strongly each block of features is held: found on items that the map has not seen.  See strength.c
 * for how.
 */
#ifndef MF_STRENGTH_H
#define MF_STRENGTH_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/sparse_rows.h"
#include "core/base/threads.h"
#include "core/features/feature_matrix.h"

/* What strengths are found by.  Arrays belong to the caller and stay while they are looked for. */
typedef struct MfStrengthSearch
{
	const MfFeatureMatrix *matrix;
	const MfParallel *parallel;
	int			factors;		/* d */
	const float *vector;		/* nitems x mf_padded(d): the items' vectors, made without any prior; those of items
								 * that do not count are not looked at */
	const float *weight;		/* nitems: weight in the regression; 0: the item counts for nothing (cold) */
	float		ridge;			/* of the regression, above 0 */
	int64_t		nusers;			/* users sampled: 1,000 are plenty */
	const float *user;			/* nusers x mf_padded(d): their vectors */
	MfRows		items;			/* their nusers rows: each one's items, of all that have cells */
	int			evaluations;	/* settings tried at most, each of which fits a map; 0: as many as it takes */
} MfStrengthSearch;

/*
 * Once in a training, when vectors have taken shape and no prior holds them yet.  It takes some dozen fits of 10 steps
 * and, for each of them, scores of the held-out items for all users of the sample; for every block that is judged the
 * latter two dozen times, without the products.  The lambdas serve all maps: of ratings' vectors and biases, too.
 */
extern size_t mf_strength_size(const MfStrengthSearch *search);
extern MfError mf_strength_find(const MfStrengthSearch *search, float *lambda, int *evaluations, void *workspace);
extern void mf_strength_scale(const MfFeatureMatrix *matrix, const float *lambda, float *scale);

#endif
