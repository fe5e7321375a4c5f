/*
 * model_write.h - the bookkeeping is written: models and versions, and the switch between them.
 */
#ifndef MFREC_MODEL_WRITE_H
#define MFREC_MODEL_WRITE_H

#include "nodes/pg_list.h"

#include "model/model_catalog.h"

/* A row of mfrec.model_version on its way in; see the comments on the table's columns. */
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
	char	   *phase_seconds;	/* JSON, see PhaseSecondsToJson */
	double		read_until;		/* READ_UNTIL; not finite: none */
	char	   *guard;			/* JSON, which becomes a part of parameters: what a guard has found; NULL: there was
								 * none */
	char	   *parameters;		/* JSON: all that training settled on, see ObjectiveToJson */
} ModelVersion;

/* One line of mfrec.training_log. */
typedef struct LogLine
{
	int32		iteration;
	double		loss;
	double		validation;		/* NaN: none */
	double		seconds;
} LogLine;

/* Who writes takes the model's lock, checks its owner, and writes; see OwnModel in sql/fn_model.c. */
extern void LockModel(const char *name);
extern void PushBookkeepingSnapshot(void);
extern void PopBookkeepingSnapshot(void);

extern void InsertModel(const Model *model);
extern void UpdateModel(const Model *model);
extern void RecordOwner(const char *name, const char *owner);
extern void RecordFeatureTable(const char *name, const char *table);
extern void DeleteModel(const char *name);
extern Model *LockDefaultModel(void);
extern void SetDefaultModel(const char *name);

/* Versions count from 1; 0 stands for none. */
extern int32 LatestVersion(const char *name);
extern int32 LatestServed(const char *name);
extern int32 VersionBefore(const Model *model);
extern void InsertVersion(const Model *model, const ModelVersion *version, const LogLine *log, int log_lines);
extern void WithholdVersion(const Model *model, int32 version, const char *why);
extern void ReleaseVersion(const char *name, int32 version);
extern void SetVersionItems(const char *name, int32 version, int64 items, int64 numbers);
extern void AddVersionUsers(const char *name, int32 version, int64 more);
extern void RecordUpdate(const Model *model, int64 users, int64 items, int64 more_ratings, int64 numbers,
						 double read_until);
extern void RecordRenewal(const Model *model);
extern void MakeVersionId(pg_uuid_t *id);
extern void RenewVersionImage(const char *name, int32 version);
extern void RenewVersionImages(const char *name);
extern void CountForgottenUser(const char *name, const List *versions);
extern void ForgetVersions(const char *name, int32 before, int32 except);

#endif
