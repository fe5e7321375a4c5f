/*
 * train_each.h - a model for each tenant of a source.
 */
#ifndef MFREC_TRAIN_EACH_H
#define MFREC_TRAIN_EACH_H

#include "train/train.h"

/* What has become of a tenant; lives until the function that is told returns. */
typedef struct TenantResult
{
	const char *tenant;
	const char *model;
	const ModelVersion *version;	/* NULL: none was made */
	const char *failed;			/* why; NULL: it was */
} TenantResult;

typedef void (*TenantFunction) (void *state, const TenantResult *result);

extern void TrainEach(const TrainRequest *request, TenantFunction function, void *state);

#endif
