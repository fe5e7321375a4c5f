/*
 * model_catalog.h - the bookkeeping: which models and versions there are, and the switch between them.
 */
#ifndef MFREC_MODEL_CATALOG_H
#define MFREC_MODEL_CATALOG_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "nodes/pg_list.h"
#include "storage/itemptr.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#include "compat.h"

#define USER_ID "user_id"
#define ITEM_ID "item_id"

/* A row of mfrec.model, and the oids of what it names (InvalidOid where that has gone). */
typedef struct Model
{
	char	   *name;
	bool		is_default;
	int32		version;		/* the current one */
	char	   *schema;
	char	   *user_table;
	char	   *item_table;
	char	   *source_schema;	/* NULL, like the next: there is none */
	char	   *source;
	bool		fresh;			/* default of mf_recommend's argument fresh */
	Jsonb	   *parameters;		/* what mf_train was asked for */
	char	   *owner;			/* who owned the table of users when last seen; NULL: not known, or it is there to tell */
	Oid			user_relid;
	Oid			item_relid;
	ItemPointerData tid;		/* where the row is, and the transaction that wrote it */
	TransactionId xmin;
} Model;

/* A row of mfrec.model_version; see the table's comments. */
typedef struct ModelVersion
{
	int32		version;
	pg_uuid_t	image;
	const char *feedback;
	int32		factors;
	int64		users;
	int64		items;
	int64		ratings;
	int32		iterations;
	double		loss;			/* NaN: none */
	double		rmse;			/* NaN: none */
	double		seconds;
	char	   *parameters;		/* JSON: all that training settled on, see ScoringFromJson */
} ModelVersion;

/* One line of mfrec.training_log. */
typedef struct LogLine
{
	int32		iteration;
	double		loss;
	double		validation;		/* NaN: none */
	double		seconds;
} LogLine;

extern Oid	ModelRelation(void);
extern Oid	VersionRelation(void);
extern void VersionImage(HeapTuple tuple, TupleDesc desc, pg_uuid_t *image);
extern int64 VersionRows(const Model *model, int32 version, bool users);
extern int	VersionImages(const char *name, pg_uuid_t **images);
extern void RenewVersionImages(const char *name);
extern Model *FindModel(const char *name);
extern Model *OpenModel(const char *name);
pg_noreturn extern void ModelTableHasGone(const Model *model, const char *table);
extern void LockModelTables(const Model *model);
extern void CheckTablesAreSeen(const Model *model);
extern void CheckModelTables(const Model *model);
extern bool SourceIsThere(const Model *model);

/* For ModelSourceRelation: the calls that need no source. */
#define UNTIL_LISTS "mf_recommend answers with fresh => false"

extern Oid	ModelSourceRelation(const Model *model, const char *until);
extern void CountForgottenUser(const char *name, const List *versions);
extern bool FindVersionImage(const Model *model, int32 version, pg_uuid_t *image);
extern Jsonb *VersionParameters(const Model *model, int32 version);
extern void LockModel(const char *name);

extern void InsertModel(const Model *model);
extern void InsertVersion(const Model *model, const ModelVersion *version, const LogLine *log,
						  int log_lines);
extern void UpdateModel(const Model *model);
extern void RecordOwner(const char *name, const char *owner);
extern void ForgetVersions(const char *name, int32 before);
extern void DeleteModel(const char *name);
extern void EnterPresent(void);
extern void LeavePresent(void);
extern Model *LockDefaultModel(void);
extern void SetDefaultModel(const char *name);
extern int32 LatestVersion(const char *name);
extern int32 VersionBefore(const Model *model);

#endif
