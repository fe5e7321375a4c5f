/*
 * tenant_batch.h - tenants whose rows have been read: solved and stored many at a time.
 */
#ifndef MFREC_TENANT_BATCH_H
#define MFREC_TENANT_BATCH_H

#include "nodes/pg_list.h"

#include "train/new_version.h"
#include "train/training.h"
#include "train/version_rows.h"

/* A tenant whose rows have been read. */
typedef struct Tenant
{
	char	   *name;			/* the tenant, as text */
	const char *model;
	Training	training;
	SeenRows	seen;
	StoredItems items;
	FactorRows	users;
	FactorRows	item_rows;
	char	   *arguments;		/* JSON */
	bool		solved;
	const char *failed;			/* why there is no version; NULL: there is */
} Tenant;

extern void SolveTenants(const List *tenants, const MfParallel *parallel);
extern TenantVersion *StoreTenants(const List *tenants, NewVersion *family, Feedback feedback, double seconds);

#endif
