/*
 * model_source.c - the relation that a model was trained on, which the bookkeeping names, and what to do where it has gone.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "model/model_source.h"
#include "pg/citus.h"

/* The relation of the source's name; InvalidOid where there is none. */
static Oid
FindSource(const Model *model)
{
	Oid			schema = model->source ? LookupNamespaceNoError(model->source_schema) : InvalidOid;

	return OidIsValid(schema) ? get_relname_relid(model->source, schema) : InvalidOid;
}

/* Whether the model has a source, which is still there. */
bool
SourceIsThere(const Model *model)
{
	return OidIsValid(FindSource(model));
}

/* What to do where the source of a model has gone, and what answers until then; NULL: nothing. */
static int
SourceHint(const Model *model, const char *until)
{
	const char *name = quote_literal_cstr(LockName(model));
	StringInfoData hint;

	initStringInfo(&hint);
	appendStringInfo(&hint, "Say what it is called now with mf_relink(%s, ...), or train on another relation with %s(..., model => %s).",
					 name, model->family ? "mf_train_each" : "mf_train", name);
	if (until)
		appendStringInfo(&hint, " Until then, %s.", until);
	return errhint("%s", hint.data);
}

/* The error of a source that has gone, or that Citus does not have on this node; until: see ModelSourceRelation(). */
pg_noreturn static void
NoSuchSource(const Model *model, const char *until)
{
	bool		elsewhere = SharesBookkeeping() && !IsCitusCoordinator();

	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("source \"%s.%s\" of model \"%s\" does not exist", model->source_schema, model->source, model->name),
			 elsewhere ? errdetail("This node is a worker, and has what was given to Citus.") :
			 errdetail("It was dropped or renamed since the model was trained."),
			 !elsewhere ? SourceHint(model, until) :
			 until ? errhint("Make it a reference or a distributed table. Until then, %s.", until) :
			 errhint("Make it a reference or a distributed table, or call on the coordinator.")));
}

/*
 * The relation that a model was trained on, locked, for else it could go before it is read; an error when
 * there is none, or it has gone.  Its hint ends with what answers until there is one; NULL: nothing.
 */
Oid
ModelSourceRelation(const Model *model, const char *until)
{
	const char *name = quote_literal_cstr(model->name);
	Oid			relid = FindSource(model);

	if (model->source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no source of ratings", model->name),
				 errdetail("Its factors were imported without one."),
				 until ? errhint("Import them again with the argument source, or train with mf_train(..., model => %s). Until then, %s.", name, until)
				 : errhint("Import them again with the argument source, or train with mf_train(..., model => %s).", name)));
	if (!LockIfThere(relid))
		NoSuchSource(model, until);
	return relid;
}
