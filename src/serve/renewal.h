/*
 * renewal.h - the items and the profiles of a version, brought up to date with the relations of attributes.
 */
#ifndef MFREC_RENEWAL_H
#define MFREC_RENEWAL_H

#include "model/model_catalog.h"

/* Who wants to know which items have come, with what is stored of them, and gone: called for each. */
typedef struct ItemNews
{
	void	   *state;
	void		(*came) (void *state, int64 id, const float *vector, const float *rating_vector, float bias, int32 number);
	void		(*gone) (void *state, int64 id);
} ItemNews;

extern void RenewItems(const Model *model, const ItemNews *news, int64 *added, int64 *removed);
extern void RenewProfiles(const Model *model, int64 *added, int64 *removed);

#endif
