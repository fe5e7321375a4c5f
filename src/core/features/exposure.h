/*
 * exposure.h - by how much predicted vectors of items are longer or shorter than what is right for them.
 */
#ifndef MF_EXPOSURE_H
#define MF_EXPOSURE_H

#include <stddef.h>

#include "core/features/feature_map.h"

/* What exposure is found by: the map as it was fitted last, and what it is held against. */
typedef struct MfExposureFit
{
	MfMapFit	map;			/* matrix, scale, weight (0: cold, counts for nothing), ridge, and factors: d of the
								 * model; steps and tolerance are not looked at */
	const float *vector;		/* nitems x mf_padded(d): s_i; those of cold items are not looked at */
	const float *start;			/* nfeatures x mf_padded(d): the map from which fits start; NULL: 0 */
	int64_t		nusers;
	const float *user;			/* nusers x mf_padded(d): p_u */
	const double *gram;			/* d x d: sum over users of p p', as mf_gram_sums() makes it */
	MfPasses	cells;			/* nusers x nitems: the observed cells by user; ratings are not looked at */
	float		alpha;			/* an observed cell weighs unobserved[i] + alpha * weight */
	const float *unobserved;	/* nitems: weight of item i's cells where nothing is observed; NULL: 1 */
} MfExposureFit;

/*
 * After a training, on the vectors that will be stored.  A cold item's vector is the map's prediction times a number
 * between 1, which is best for the order among cold items, and gamma, which gives them the share of lists that the
 * objective says: its root is a compromise.  For `predicted` there is room where the items' priors were.
 */
extern size_t mf_exposure_size(const MfExposureFit *fit);
extern MfError mf_exposure_find(const MfExposureFit *fit, float *predicted, double *gamma, void *workspace);

#endif
