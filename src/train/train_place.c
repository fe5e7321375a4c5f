/*
 * train_place.c - whether a training goes on where the rows of a distributed table lie.
 *
 * Either way the model is the same but for rounding.  Here is best as long as ratings and factors fit: sums of items need
 * not travel.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "compat.h"
#include "distributed/driver.h"
#include "model/model_acl.h"
#include "pg/citus.h"
#include "source/view_table.h"
#include "train/train_place.h"

/* Why a training cannot go on where rows lie, as an error's detail; NULL where it can. */
static char *
WhyNotOnNodes(const TrainOptions *options, const Source *source, const Model *model)
{
	if (HasFeatures(&options->user_features) && HasFeatures(&options->features))
		return "Attributes of items and of users (item_features and user_features) are learned together on one node only.";
	if (source->tenant)
		return "Models of tenants are trained on one node only.";
	if (OidIsValid(model->user_relid) && RelationOwner(model->user_relid) != GetUserId())
		return "Who trains must be the model's owner.";
	return WhyNotDistributed(source, model->user_relid);
}

/* Says where a large table is trained, which the caller has left open; why: it cannot be where its rows are, or NULL. */
static void
SayPlace(const char *name, const char *why)
{
	if (why)
		ereport(NOTICE,
				(errmsg("the rows of \"%s\" are brought to this node for training", name),
				 errdetail_internal("%s", why),
				 errhint("Pass distribute => false if they are meant to be.")));
	else
		ereport(NOTICE,
				(errmsg("\"%s\" is trained on the nodes that have its rows", name),
				 errhint("Pass distribute => false to bring them to this node.")));
}

/*
 * Whether a training goes on where rows lie.  asked: what the caller says; an error where that cannot be.  model: as it is
 * before, of a new one without tables.
 */
bool
TrainsOnNodes(const TrainOptions *options, Distribute asked, const Source *source, const Model *model)
{
	char	   *why;

	if (asked == DISTRIBUTE_NEVER || (asked == DISTRIBUTE_DEFAULT && !IsCitusTable(RowTableOf(source))))
		return false;
	why = WhyNotOnNodes(options, source, model);
	if (why && asked == DISTRIBUTE_ALWAYS)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot train on the nodes that have the rows of \"%s\"", source->name),
				 errdetail_internal("%s", why),
				 errhint("Leave the argument distribute out, and the rows are brought to this node.")));
	if (asked == DISTRIBUTE_ALWAYS)
		return true;
	if (!CitusHasExtension("mfrec") || !IsLargeDistributed(source))
		return false;
	if (why == NULL && !SharesBookkeeping())
		why = "Models are served by one node only: see mf_citus().";
	SayPlace(source->name, why);
	return why == NULL;
}
