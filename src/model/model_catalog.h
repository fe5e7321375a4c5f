/*
 * model_catalog.h - the bookkeeping is read: which models and versions there are.
 */
#ifndef MFREC_MODEL_CATALOG_H
#define MFREC_MODEL_CATALOG_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/relcache.h"
#include "utils/uuid.h"

#include "compat.h"

/* The columns of ids in model tables. */
#define USER_ID "user_id"
#define ITEM_ID "item_id"

/* And that of tenants, in tables that a family shares. */
#define TENANT "tenant"

/*
 * A row of mfrec.model, and the oids of what it names (InvalidOid where that has gone).  Strings are as in the row:
 * not quoted.
 */
typedef struct Model
{
	char	   *name;
	bool		is_default;
	int32		version;		/* the current one */
	char	   *schema;
	char	   *user_table;
	char	   *item_table;
	char	   *feature_table;	/* NULL: no training has gone by attributes */
	char	   *source_schema;	/* NULL, like the next: there is none */
	char	   *source;
	bool		fresh;			/* default of mf_recommend's argument fresh */
	Jsonb	   *parameters;		/* what mf_train was asked for */
	char	   *family;			/* the models of a source's tenants, which share tables; NULL: of none, see below */
	char	   *tenant;			/* whose model it is; NULL with a family: it is the family itself */
	char	   *owner;			/* of the table of users, when that was last seen; NULL: not known, or it is there */
	Oid			user_relid;
	Oid			item_relid;
	Oid			feature_relid;
	ItemPointerData tid;		/* where the row is, and the transaction that wrote it */
	TransactionId xmin;
} Model;

/*
 * The models that mf_train_each makes are a family: a row for each tenant's, and one of the family's name, which has no
 * versions and serves nothing.  It says what they have in common, and which number their versions have come to: those
 * are counted together, for in their tables the number alone says whose a row is.
 */
static inline bool
IsFamily(const Model *model)
{
	return model->family && model->tenant == NULL;
}

/* Under what name a model is locked: a family as a whole, for tenants are too many for a lock each. */
static inline const char *
LockName(const Model *model)
{
	return model->family ? model->family : model->name;
}

extern Oid	ModelRelation(void);
extern Oid	VersionRelation(void);
extern Relation OpenBookkeeping(const char *name);
extern bool SharesBookkeeping(void);

extern const char *ModelSetting(void);
extern List *AllModelNames(void);
extern Model *FindDefaultModel(void);
extern Model *FindModel(const char *name);
extern Model *OpenModel(const char *name);
extern void RefuseFamily(const Model *model);
pg_noreturn extern void ModelTableHasGone(const Model *model, const char *table);
extern void LockModelTables(const Model *model);
extern void CheckTablesVisible(const Model *model);
extern void CheckModelTables(const Model *model);
extern Oid	FindFeatureTable(const Model *model);
extern Oid	ModelFeatureTable(const Model *model);
extern bool LockIfThere(Oid relid);

/* The key of a version's parameters for VersionItemNumbers(). */
#define ITEM_NUMBERS "item_numbers"

/* Key of a version's parameters: until what time its source was read, in seconds; see rows/row_time.h. */
#define READ_UNTIL "read_until"

/*
 * The same: the share of the pairs that the training has kept from learning to measure versions on; see
 * validate/guard.c.
 */
#define GUARD "guard"
#define GUARD_CHANCE "guard_chance"

extern bool FindVersionImage(const Model *model, int32 version, pg_uuid_t *image);
extern int64 VersionRows(const Model *model, int32 version, bool users);
extern int64 VersionRatings(const Model *model, int32 version, bool *updated);
extern int64 VersionItemNumbers(const Model *model, int32 version);
extern Jsonb *VersionParameters(const Model *model, int32 version);
extern void VersionImage(HeapTuple tuple, TupleDesc desc, pg_uuid_t *image);
extern int	VersionImages(const char *name, pg_uuid_t **images);

#endif
