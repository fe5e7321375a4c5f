/*
 * new_version.h - a model's next version on its way: planned, stored, switched to.
 */
#ifndef MFREC_NEW_VERSION_H
#define MFREC_NEW_VERSION_H

#include "model/factor_rows.h"
#include "model/family_write.h"
#include "model/feature_table.h"
#include "model/model_write.h"

/*
 * A model's next version, or the first one of a new model.  Training and import fill in source, parameters and
 * fresh of the model, both_parts and has_features before they plan.
 */
typedef struct NewVersion
{
	Model		model;			/* as it will be */
	bool		is_new;			/* no such model yet */
	int32		version;
	bool		tables_lost;	/* a table of the model has gone: no older version can be served */
	int32		served;			/* the version that serves until this one does; 0: none */
	IdType	   *user;			/* types of ids, as the source has them now */
	IdType	   *item;
	bool		both_parts;		/* items have two vectors, s_i and q_i */
	bool		has_features;	/* it goes by attributes of items or users */
	bool		lacks_spreads;	/* its table of users, of 0.1.0, has no column for those yet */
	const char *withheld;		/* why it is stored without serving; NULL: it serves */
	bool		stores_seen;	/* its rows say what users have */
	bool		stores_trends;	/* and how items trend */
} NewVersion;

/* Stores a version's items in a way of its own; false where it cannot, and nothing is stored. */
typedef bool (*StoreItemsFunction) (void *state, Oid relid, const FactorRows *items, bool with_seen);

extern void BeginNewVersion(NewVersion *v, char *name, bool must_exist);
extern void BeginFamily(NewVersion *v, char *name, bool must_exist);
extern void PlanNewVersion(NewVersion *v, const char *schema, Oid relid, IdType *user, IdType *item);
extern void CreateTablesOnNodes(NewVersion *v);
extern void SetNewVersionParameters(NewVersion *v, const char *json);
extern void StoreNewVersion(NewVersion *v, FactorRows *users, FactorRows *items, const FeatureRows *const features[2],
							StoreItemsFunction function, void *state);
extern void StoreFamilyVersions(NewVersion *v, const VersionSide *users, const VersionSide *items, int n);
extern void DeleteRemovedVersions(const Model *model, const RemovedVersions *removed);
extern void WithholdNewVersion(NewVersion *v, const char *why);
extern void SwitchToNewVersion(NewVersion *v, ModelVersion *version, const LogLine *log, int log_lines);

#endif
