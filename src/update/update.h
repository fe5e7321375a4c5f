/*
 * update.h - what has come since a version was trained, taken into it without training.
 */
#ifndef MFREC_UPDATE_H
#define MFREC_UPDATE_H

#include "model/model_catalog.h"

/* What an update did. */
typedef struct UpdateResult
{
	int64		rows;			/* of the source that were read */
	int64		users_added;
	int64		users_changed;
	int64		users_removed;
	int64		items_added;
	int64		items_changed;
	int64		items_removed;
	double		seconds;
} UpdateResult;

extern void UpdateVersion(const Model *model, bool all_rows, double late, UpdateResult *result);

#endif
