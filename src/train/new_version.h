/*
 * new_version.h - a model's next version on its way: planned, stored, switched to.
 */
#ifndef MFREC_NEW_VERSION_H
#define MFREC_NEW_VERSION_H

#include "model/factor_rows.h"
#include "model/model_write.h"

/* A model that gets a version.  Who makes it fills in the model's source, parameters and fresh. */
typedef struct Release
{
	Model		model;			/* as it will be */
	bool		is_new;			/* no such model yet */
	int32		version;
	bool		is_anew;		/* a table of it has gone: no older version can be served */
	int32		served;			/* the version that serves until this one does; 0: none */
	IdType	   *user;
	IdType	   *item;
	bool		both_parts;		/* items have two vectors */
	bool		says_seen;		/* its rows say what users have */
} Release;

extern void BeginRelease(Release *r, char *name, bool must_exist);
extern void PlanRelease(Release *r, const char *schema, Oid relid, IdType *user, IdType *item);
extern void SetReleaseParameters(Release *r, const char *json);
extern void StoreRelease(Release *r, const FactorRows *users, const FactorRows *items);
extern void SwitchToRelease(Release *r, ModelVersion *version, const LogLine *log, int log_lines);

#endif
