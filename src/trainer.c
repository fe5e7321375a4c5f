/*
 * trainer.c - from a source of ratings to a new version of a model.
 *
 * Train() is the recipe.  Everything happens in the caller's transaction: the new version's rows,
 * the switch to it and the removal of old ones become visible together at commit, or never.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/namespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "budget.h"
#include "factors.h"
#include "image.h"
#include "interrupt.h"
#include "objective_json.h"
#include "progress.h"
#include "trainer.h"
#include "validation.h"
#include "training.h"

/* A model that gets a version. */
typedef struct Trainer
{
	const TrainRequest *request;
	Source		source;
	Model		model;			/* as it will be */
	bool		is_new;			/* no such model yet */
	int32		version;
	int32		served;			/* the version that serves until this one does; 0: none */
	Training	training;
} Trainer;

/* The schema for new model tables, where the caller must be able to create. */
static char *
ChooseSchema(const Trainer *t)
{
	const char *name = t->request->schema;
	Oid			schema;
	AclResult	result;

	if (name)
		schema = get_namespace_oid(name, false);
	else if (t->source.temporary)
		schema = RangeVarGetCreationNamespace(makeRangeVar(NULL, "mfrec", -1));
	else
		schema = get_rel_namespace(t->source.relid);
	result = SchemaAclCheck(schema, ACL_CREATE);
	if (result != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for schema %s", get_namespace_name(schema)),
				 errdetail("Training creates the model's tables there."),
				 errhint("Name a schema in which you may create tables with the argument schema.")));
	return get_namespace_name(schema);
}

/* A model that is not there yet: names for its tables, which nothing may have taken. */
static void
PlanNewModel(Trainer *t, char *name)
{
	Model	   *model = &t->model;

	if (strlen(name) == 0 || strlen(name) + strlen("_user_factors") >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_NAME_TOO_LONG),
				 errmsg("model name \"%s\" is empty or too long", name),
				 errdetail("Its tables are called after it; it can have 1 to %d bytes.",
						   NAMEDATALEN - 1 - (int) strlen("_user_factors")),
				 errhint("Name the model with the argument model.")));
	model->name = name;
	model->schema = ChooseSchema(t);
	model->user_table = psprintf("%s_user_factors", name);
	model->item_table = psprintf("%s_item_factors", name);
	CheckTableInTheWay(get_namespace_oid(model->schema, false), model->user_table, name);
	CheckTableInTheWay(get_namespace_oid(model->schema, false), model->item_table, name);
	model->is_default = true;		/* if there is none yet */
	t->is_new = true;
	t->version = 1;
}

/* A model's name that was not given, but is that of the source, must not take over another relation's model. */
static void
CheckSameSource(const Trainer *t, const Model *model)
{
	const char *schema = t->source.temporary ? "pg_temp" : t->source.schema;

	if (t->request->model ||
		(strcmp(schema, model->source_schema) == 0 && strcmp(t->source.name, model->source) == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("model \"%s\" is trained on \"%s.%s\", not \"%s.%s\"", model->name,
					model->source_schema, model->source, schema, t->source.name),
			 errhint("Give the new model a name with the argument model, or pass model => '%s' to train that one on other rows.",
					 model->name)));
}

/* A model that gets another version: the caller's own, with tables that can take it. */
static void
PlanNextVersion(Trainer *t, Model *model)
{
	t->model = *model;
	CheckModelOwner(model);
	CheckSameSource(t, model);
	if (t->request->schema && strcmp(t->request->schema, model->schema) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has its tables in schema \"%s\", not \"%s\"", model->name,
						model->schema, t->request->schema),
				 errhint("Drop it with mf_drop first, or train under another name with the argument model.")));
	if (OidIsValid(model->user_relid))
		CheckFactorTable(model->user_relid, USER_ID, &t->source.user);
	if (OidIsValid(model->item_relid))
		CheckFactorTable(model->item_relid, ITEM_ID, &t->source.item);
	t->version = LatestVersion(model->name) + 1;
	t->served = model->version;
}

/*
 * The model as this transaction sees it; NULL, or an error, where there is none.  What a training that
 * we waited for has committed must be seen; where the transaction's snapshot hides it, there is no
 * next version to make.
 */
static Model *
FindLatestModel(const char *name, bool must_exist)
{
	Model	   *model;
	Model	   *latest;

	PushActiveSnapshot(GetLatestSnapshot());
	latest = must_exist ? OpenModel(name) : FindModel(name);
	PopActiveSnapshot();
	if (!IsolationUsesXactSnapshot())
		return latest;
	PushActiveSnapshot(GetTransactionSnapshot());
	model = FindModel(name);
	PopActiveSnapshot();
	if ((model == NULL) != (latest == NULL) || (model && model->version != latest->version))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent training of model \"%s\"", name),
				 errhint("Run the transaction again.")));
	return model;
}

/* Checks everything that can be checked before a row is read, and takes the model's lock. */
static void
BeginTraining(Trainer *t)
{
	const TrainRequest *request = t->request;
	TrainOptions settled = request->options;
	char	   *name;
	Model	   *model;

	PreventCommandIfReadOnly("mf_train()");
	PreventCommandDuringRecovery("mf_train()");
	CheckTrainOptions(&request->options);
	OpenSource(&t->source, request->source, &request->options);
	name = request->model ? request->model : t->source.name;
	LockModel(name);
	model = FindLatestModel(name, request->warm);
	if (model)
		PlanNextVersion(t, model);
	else
		PlanNewModel(t, name);
	t->model.version = t->version;
	t->model.source_schema = t->source.temporary ? "pg_temp" : t->source.schema;
	t->model.source = t->source.name;

	/* Retraining and folding in go by what this training found, whatever columns are added later. */
	settled.feedback = t->source.feedback;
	settled.rating_column = t->source.value_column;
	t->model.parameters = DatumGetJsonbP(DirectFunctionCall1(jsonb_in,
															 CStringGetDatum(TrainOptionsToJson(&settled))));
}

/* Overwrites an item's random factors by those of the current version. */
static void
TakeItem(void *state, int64 id, int32 count, float bias, int factors, const float *vector,
		 const float *rating_vector)
{
	Training   *t = state;
	int32		item = FindId(t->ratings->items, id);
	Size		at = (Size) item * mf_padded(t->problem.factors);
	Size		bytes = sizeof(float) * factors;

	if (item < 0 || factors != t->problem.factors)
		return;
	if (!t->problem.has_interest)
		rating_vector = vector;
	else
		memcpy(t->factors.interest + at, vector, bytes);
	if (t->problem.has_rating && rating_vector)
	{
		memcpy(t->factors.rating + at, rating_vector, bytes);
		t->factors.item_bias[item] = bias;
	}
}

/* Starts where the current version is, as far as it knows the items. */
static void
WarmStart(Trainer *t)
{
	if (t->request->warm && OidIsValid(t->model.item_relid))
		ReadFactors(t->model.item_relid, ITEM_ID, t->served, &t->source.item, TakeItem, &t->training);
}

static void
StoreSide(Oid relid, const char *id_column, int32 version, const Trainer *t, bool items)
{
	const Training *training = &t->training;
	const MfFactors *factors = &training->factors;
	FactorRows	rows = {items ? training->ratings->items : training->ratings->users, training->problem.factors};

	rows.counts = items ? training->item_counts : training->user_counts;
	rows.bias = items ? factors->item_bias : factors->user_bias;
	rows.vectors = !items ? factors->user : factors->interest ? factors->interest : factors->rating;
	if (items && factors->interest)
		rows.rating_vectors = factors->rating;
	StoreFactors(relid, id_column, version, &rows);
}

/* Writes the new version's rows, into new tables where there are none. */
static void
StoreVersion(Trainer *t)
{
	Model	   *model = &t->model;

	if (!OidIsValid(model->user_relid))
		model->user_relid = CreateFactorTable(model->schema, model->user_table, USER_ID, &t->source.user, false);
	if (!OidIsValid(model->item_relid))
		model->item_relid = CreateFactorTable(model->schema, model->item_table, ITEM_ID, &t->source.item, true);
	StoreSide(model->user_relid, USER_ID, t->version, t, false);
	StoreSide(model->item_relid, ITEM_ID, t->version, t, true);
}

/* Enters the version, switches to it and removes what is older than the setting wants kept. */
static void
SwitchVersion(Trainer *t, ModelVersion *result)
{
	Model	   *model = &t->model;
	Training   *training = &t->training;
	int32		oldest = t->version - mfrec_keep_versions + 1;

	if (mfrec_keep_versions > 1 && t->served > 0)
		oldest = Min(oldest, t->served);
	result->version = t->version;
	if (!pg_strong_random(&result->image, sizeof(pg_uuid_t)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate random values")));
	result->image.data[6] = (result->image.data[6] & 0x0f) | 0x40;
	result->image.data[8] = (result->image.data[8] & 0x3f) | 0x80;
	result->feedback = FeedbackName(t->source.feedback);
	result->factors = training->problem.factors;
	result->users = training->problem.nusers;
	result->items = training->problem.nitems;
	result->ratings = training->ratings->rows;
	result->iterations = training->iterations;
	result->loss = training->loss;
	result->rmse = RatingError(training);
	result->seconds = SecondsSince(training->began);
	if (!training->problem.has_interest)	/* users were drawn to 0, but are not there */
		mf_mean_user(&training->problem, training->factors.user, NULL, training->mean_user);
	result->parameters = ObjectiveToJson(&training->objective, training->mean_user, MeanBias(training));
	SupersedeImages(model->name, NULL);
	InsertVersion(model, result, training->log, training->iterations);
	if (t->is_new)
		InsertModel(model);
	else
	{
		UpdateModel(model);
		ForgetVersions(model->name, oldest);
		if (oldest > 1)
		{
			DeleteVersionsBefore(model->user_relid, oldest);
			DeleteVersionsBefore(model->item_relid, oldest);
		}
	}
}

/* Leaves what serving reads of the new version to all sessions, for when this commits. */
static void
PublishVersion(const Trainer *t, const ModelVersion *version)
{
	const Training *training = &t->training;
	const MfFactors *factors = &training->factors;
	ImageSource source = {version->image, training->objective, training->mean_user, MeanBias(training)};

	source.ids = training->ratings->items;
	source.interest = factors->interest ? factors->interest : factors->rating;
	source.rating = factors->rating;
	source.bias = factors->item_bias;
	source.counts = training->item_counts;
	source.users = factors->user;
	source.nusers = training->problem.nusers;
	source.parallel = training->parallel;
	PublishImage(&source);
}

/* Decides whether mf_recommend reads a user's rows by default, and says so where it will not. */
static void
DecideFresh(Trainer *t)
{
	t->model.fresh = SourceLookupIsCheap(&t->source);
	if (t->model.fresh)
		return;
	if (t->source.temporary)
		ereport(NOTICE,
				(errmsg("recommendations will not look at \"%s\" again, because it is a temporary table", t->source.name)));
	else
		ereport(NOTICE,
				(errmsg("recommendations will not look at a user's present rows in \"%s\" unless asked to", t->source.name),
				 errdetail("There is no index that makes them cheap to find, so new ratings do not count at once and items that a user has rated are not left out."),
				 errhint("Create an index on column \"%s\" and train again, or call mf_recommend with fresh => true.",
						 t->source.user_column)));
}

/* Trains a version of a model in the current transaction; returns the model's name. */
char *
Train(const TrainRequest *request, ModelVersion *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec training",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Trainer		trainer = {request};
	Trainer    *t = &trainer;
	Training   *training = &t->training;
	char	   *name;

	training->options = request->options;
	INSTR_TIME_SET_CURRENT(training->began);
	InitParallel(&training->parallel);
	BeginTraining(t);
	DecideFresh(t);
	BeginProgress(t->model.name);
	training->ratings = LoadRatings(&t->source, &training->options, &training->parallel);
	SettleObjective(training);
	StateProblem(training);
	StartFactors(training);
	WarmStart(t);
	if (training->ratings->held_out.count > 0)
		training->validation = CreateValidation(training->ratings, &training->problem, &training->objective,
												&training->parallel);
	ReportPhase(PHASE_SWEEP);
	RunSweeps(training);
	ReportPhase(PHASE_STORE);
	StoreVersion(t);
	ReportPhase(PHASE_SWITCH);
	SwitchVersion(t, result);
	FreeRatings(training->ratings);
	PublishVersion(t, result);
	EndProgress();
	name = MemoryContextStrdup(caller, t->model.name);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return name;
}
