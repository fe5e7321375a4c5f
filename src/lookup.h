/*
 * lookup.h - one user's stored vector and one user's present rows, by queries prepared once a session.
 */
#ifndef MFREC_LOOKUP_H
#define MFREC_LOOKUP_H

#include "idmap.h"
#include "model.h"
#include "source.h"

/* A row of the source as serving needs it. */
typedef struct PresentRow
{
	int64		id;				/* of the other side; lives in the caller's context */
	float		rating;
	float		weight;
} PresentRow;

extern bool LookupVector(Oid relid, const char *id_column, int32 version, const IdType *idtype, int64 id,
						 int factors, float *vector, float *bias, int32 *count);
extern void OpenModelSource(const Model *model, bool has_rating, Source *source);
extern PresentRow *LookupUserRows(const Source *source, int64 user, int *count);
extern int64 *LookupItemUsers(const Source *source, int64 item, int *count);

#endif
