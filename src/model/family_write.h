/*
 * family_write.h - the bookkeeping of families is written: models of many tenants at a time.
 */
#ifndef MFREC_FAMILY_WRITE_H
#define MFREC_FAMILY_WRITE_H

#include "model/model_write.h"

/* A version of a tenant's model on its way in. */
typedef struct TenantVersion
{
	const char *tenant;
	const char *name;			/* of the model: see TenantModel() */
	const char *arguments;		/* JSON: mfrec.model.parameters */
	ModelVersion version;
} TenantVersion;

/* Versions that were removed from the bookkeeping, integers each, in the memory context that was current. */
typedef struct RemovedVersions
{
	Datum	   *version;
	int			n;
	int			room;
	MemoryContext context;
} RemovedVersions;

extern void RefuseSharedFamilies(const char *family);
extern char *TenantModel(const char *family, const char *tenant);
extern int32 FamilyVersion(const char *family);
extern void SetFamilyVersion(const char *family, int32 version);
extern void EnterFamily(const Model *family, bool is_new);
extern void EnterTenants(const Model *family, const TenantVersion *tenants, int n);
extern RemovedVersions *RemoveTenantVersions(const char *family, char *const *models, int n, int keep, bool keep_served);
extern void UpdateFamily(const Model *family);
extern void RenewFamilyImages(const char *family);
extern void DeleteFamily(const char *family);
extern char *AnyTenant(const char *family, int32 *version);
extern char **FamilyModels(const char *family, int *n);

#endif
