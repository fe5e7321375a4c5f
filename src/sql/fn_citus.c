/*
 * fn_citus.c - SQL function that has all nodes of a Citus cluster serve: mf_citus.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

#include "compat.h"
#include "model/model_acl.h"
#include "model/model_write.h"
#include "pg/citus.h"
#include "train/table_distribute.h"

/*
 * An error where the call makes no sense: without Citus, on a worker, or, for the first time, for others than who owns
 * the bookkeeping.
 */
static void
CheckCanDistribute(void)
{
	PreventCommandIfReadOnly("mf_citus()");
	PreventCommandDuringRecovery("mf_citus()");
	if (!HasCitus())
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("Citus is not in this database"),
				 errhint("Run CREATE EXTENSION citus, or leave models as they are: one server needs nothing of this.")));
	if (!SharesBookkeeping() && !OwnsRelation(ModelRelation()))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of extension mfrec"),
				 errdetail("The bookkeeping of all models is given to Citus.")));
	if (!IsCitusCoordinator())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("mf_citus() must be called on the coordinator"),
				 errdetail("Citus distributes tables there only.")));
}

/* The model of a name as it is committed by now. */
static Model *
LatestModel(char *name)
{
	Model	   *model;

	PushBookkeepingSnapshot();
	model = FindModel(name);
	PopBookkeepingSnapshot();
	return model;
}

/* An error where one of the models is that of a tenant: RefuseSharedFamilies(). */
static void
CheckNoFamilies(const List *names)
{
	ListCell   *cell;

	foreach(cell, names)
	{
		const Model *model = LatestModel(lfirst(cell));

		if (model && model->family)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("models of tenants cannot be given to Citus"),
					 errdetail("\"%s\" was trained by mf_train_each.", model->family),
					 errhint("Remove them with mf_drop(%s), or let the coordinator alone serve all models.", quote_literal_cstr(model->family))));
	}
}

/* Whether Citus has all tables that a model has. */
static bool
IsDistributed(const Model *model)
{
	return (!OidIsValid(model->user_relid) || IsCitusTable(model->user_relid)) &&
		(!OidIsValid(model->item_relid) || IsCitusTable(model->item_relid)) &&
		(!OidIsValid(model->feature_relid) || IsCitusTable(model->feature_relid));
}

/*
 * Gives the tables of a model that Citus does not have to it; returns how many these are.  Only its owner does that:
 * as rows are copied, whatever computes an index of the tables runs as who copies them.
 */
static int
DistributeModel(char *name)
{
	Model	   *model = LatestModel(name);

	if (model == NULL || !OidIsValid(model->user_relid) || IsDistributed(model))
		return 0;
	if (RelationOwner(model->user_relid) != GetUserId())
	{
		ereport(NOTICE,
				(errmsg("model \"%s\" is left on this node", name),
				 errdetail("It belongs to \"%s\".", GetUserNameFromId(RelationOwner(model->user_relid), false)),
				 errhint("Call mf_citus() as that role, too.")));
		return 0;
	}
	LockModel(name);
	model = LatestModel(name);
	return model == NULL ? 0 : DistributeUsers(model) + DistributeWhole(model->item_relid) +
		DistributeWhole(model->feature_relid);
}

/*
 * mf_citus(): gives the bookkeeping and the tables of all models to Citus, so that every node serves, and has models
 * that come later do so, too.  Then other roles do the same for theirs.  Returns how many tables that were; again, 0.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_citus);
Datum
mf_citus(PG_FUNCTION_ARGS)
{
	int64		given;
	List	   *names;
	ListCell   *cell;

	(void) fcinfo;
	CheckCanDistribute();
	given = DistributeBookkeeping();
	PushBookkeepingSnapshot();
	names = AllModelNames();
	PopBookkeepingSnapshot();
	CheckNoFamilies(names);
	foreach(cell, names)
		given += DistributeModel(lfirst(cell));
	PG_RETURN_INT64(given);
}
