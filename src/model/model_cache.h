/*
 * model_cache.h - backend-local cache of models' catalog rows and what is derived from them.
 */
#ifndef MFREC_MODEL_CACHE_H
#define MFREC_MODEL_CACHE_H

#include "fmgr.h"
#include "storage/buf.h"

#include "model/factor_columns.h"
#include "model/model_catalog.h"
#include "pg/session_cache.h"
#include "source/source_lookup.h"

/* How to find a row of a model table by version and id through its primary key. */
typedef struct VectorPath
{
	Oid			relid;
	bool		resolved;		/* what follows has been found out, and the table has not changed since */
	Oid			index;			/* InvalidOid: there is none that serves, ask by SQL */
	FactorColumns columns;
	Oid			collation;		/* of the id in the index */
	FmgrInfo	equal;			/* of the index's operator class for ids */
} VectorPath;

/*
 * A model as one row of mfrec.model describes it, with what follows from it.  Sources are opened when a call needs
 * them first.  Users of it may write has_users and, by LookupUser, users.
 */
typedef struct CachedModel
{
	CacheEntry	entry;			/* first */
	Model		model;
	Buffer		buffer;			/* in which the model's row was last, or InvalidBuffer */
	bool		has_image;		/* model.version has a row, and this in it: */
	pg_uuid_t	image;
	IdType		user_type;
	IdType		item_type;
	VectorPath	users;
	List	   *placements;		/* of VectorPath: the placements of the table of users that calls have looked at */
	int32		has_users;		/* a version of which the table is known to have users; 0: none */
	Oid			source_relid;	/* the last source opened, whose changes make this stale; or InvalidOid */
	SourceLookup source[2];		/* as versions of implicit and of explicit feedback read it */
} CachedModel;

extern CachedModel *OpenCachedModel(const char *name);
extern void CloseCachedModel(CachedModel *cached);
extern const SourceLookup *OpenModelSource(CachedModel *cached, bool is_explicit, const char *until);

#endif
