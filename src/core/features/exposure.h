/*
 * exposure.h - how often lists show items that nobody has rated: what is added to the vectors that a map makes of them.
 */
#ifndef MF_EXPOSURE_H
#define MF_EXPOSURE_H

#include <stdbool.h>
#include <stddef.h>

#include "core/features/feature_map.h"

/* What exposure is found by: the lists of some users as they would be without it. */
typedef struct MfExposureFit
{
	MfMapFit	map;			/* matrix, scale, weight (0: cold), ridge, and factors: d of the model; steps and
								 * tolerance are not looked at */
	const float *vector;		/* nitems x mf_padded(d): s_i; those of cold items are not looked at */
	const float *start;			/* nfeatures x mf_padded(d): the map from which a fit starts; NULL: 0 */
	const float *list_vector;	/* nitems x mf_padded(d): what lists are sorted by, of cold items what the map makes of them; 0:
								 * it knows nothing of one, which stays out of lists */
	const float *list_offset;	/* nitems: what is added to that; not looked at of cold items */
	int			shared;			/* dimensions of the shift: those of s_i that are not always 0, at most d */
	int64_t		nusers;
	const float *user;			/* nusers x mf_padded(d): p_u */
	int64_t		ncells;			/* of all users */
	MfPasses	cells;			/* nusers x nitems: what users have, by user; columns alone are looked at */
	bool		drawn;			/* users are the sample already: mf_exposure_users() of them, by mf_exposure_cell() */
} MfExposureFit;

/*
 * After a training, on the vectors that will be stored.  shift: mf_padded(d) floats, to be added to each cold item's.
 */
extern int64_t mf_exposure_users(int64_t nitems, int64_t ncells);
extern int64_t mf_exposure_cell(int64_t s, int64_t nusers, int64_t ncells);
extern size_t mf_exposure_size(const MfExposureFit *fit);
extern MfError mf_exposure_find(const MfExposureFit *fit, float *shift, void *workspace);

#endif
