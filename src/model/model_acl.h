/*
 * model_acl.h - what the caller may do with a model, and acting as its owner.
 */
#ifndef MFREC_MODEL_ACL_H
#define MFREC_MODEL_ACL_H

#include "model/model_catalog.h"

/* What a call was before it acted as the owner of a model. */
typedef struct Acting
{
	Oid			user;			/* see GetUserIdAndSecContext() */
	int			context;
	int			settings;		/* nesting of settings; 0: nothing was changed */
} Acting;

extern void CheckModelOwner(const Model *model);
extern Oid	RelationOwner(Oid relid);
extern bool MayReadRelation(Oid relid);
extern void CheckModelReadable(const Model *model);
extern void ActAsModelOwner(const Model *model, Acting *acting);
extern void StopActing(const Acting *acting);

#endif
