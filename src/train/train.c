/*
 * train.c - from a source of ratings to a new version of a model.
 *
 * Train() is the recipe.  Everything happens in the caller's transaction: the new version's rows,
 * the switch to it and the removal of old ones become visible together at commit, or never.
 *
 * Solving is als_loop.c's, storing new_version.c's; here the two meet, and a retraining starts from the
 * factors of the version before.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "core/predict/predict.h"
#include "distributed/driver.h"
#include "features/feature_arguments.h"
#include "features/features_load.h"
#include "ids/id_growth.h"
#include "image/image_cache.h"
#include "image/image_publish.h"
#include "model/factor_rows.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "pg/snapshot.h"
#include "source/lookup_cost.h"
#include "read/ratings_read.h"
#include "train/als_loop.h"
#include "train/item_map.h"
#include "train/new_version.h"
#include "train/shown.h"
#include "train/table_distribute.h"
#include "train/train.h"
#include "train/train_place.h"
#include "train/training.h"
#include "train/user_map.h"
#include "train/validation_there.h"
#include "train/version_rows.h"
#include "validate/guard.h"
#include "validate/validation.h"
#include "source/others_sort.h"

/* A training of a model's next version. */
typedef struct Trainer
{
	const TrainRequest *request;
	Source		source;
	FeatureSource attributes;	/* with item_features alone */
	FeatureSource profiles;		/* with user_features alone */
	NewVersion	version;
	Training	training;
	StoredItems items;
	GuardFindings findings;		/* with a guard alone */
} Trainer;

/*
 * An error where a model's name was not given, but is that of the source, and another relation's model has it:
 * it must not be taken over by accident.
 */
static void
CheckSameSource(const Trainer *t, const Model *model)
{
	const char *schema = t->source.temporary ? "pg_temp" : t->source.schema;

	if (t->request->model ||
		(model->source && strcmp(schema, model->source_schema) == 0 && strcmp(t->source.name, model->source) == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 model->source == NULL ? errmsg("model \"%s\" was imported, not trained on \"%s.%s\"", model->name, schema, t->source.name) :
			 errmsg("model \"%s\" is trained on \"%s.%s\", not \"%s.%s\"", model->name,
					model->source_schema, model->source, schema, t->source.name),
			 errhint("Give the new model a name with the argument model, or pass model => %s to train that one on other rows.",
					 quote_literal_cstr(model->name))));
}

/*
 * Gives the version the arguments that mfrec.model.parameters keeps.  Retraining and folding in go by the columns that
 * this training found, whatever columns are added later, and by its vectors' dimensions, whatever becomes their
 * default.
 */
static void
KeepArguments(Trainer *t)
{
	TrainOptions options = t->request->options;

	options.columns.feedback = t->source.feedback;
	options.columns.rating = t->source.value_column;
	if (mf_is_joint(&t->training.objective))
		options.rating_factors = t->training.objective.rating_factors;
	if (HasFeatures(&options.features))
		KeepFeatureArguments(&options.features, &t->attributes);
	if (HasFeatures(&options.user_features))
		KeepFeatureArguments(&options.user_features, &t->profiles);
	SetNewVersionParameters(&t->version, TrainOptionsToJson(&options));
}

/* Takes the model's lock, until the end of the transaction, and plans its next version. */
static void
PlanVersion(Trainer *t)
{
	const TrainRequest *request = t->request;
	const Source *source = &t->source;
	NewVersion *version = &t->version;

	BeginNewVersion(version, request->model ? request->model : source->name, request->warm);
	if (!version->is_new)
		CheckSameSource(t, &version->model);
	version->has_features = HasFeatures(&request->options.features) || HasFeatures(&request->options.user_features);
	version->both_parts = HasBothParts(&request->options, source->feedback);
	CheckRatingFactors(&request->options, source->feedback);
	CheckUserFeatures(&request->options, source->feedback);
	PlanNewVersion(version, request->schema, source->relid, &t->source.user, &t->source.item);
	version->model.source_schema = source->temporary ? "pg_temp" : t->source.schema;
	version->model.source = t->source.name;
	version->model.fresh = SourceServesFresh(source, "train again");
	t->source.keeps_spreads = version->lacks_spreads;
}

/* Checks everything that can be checked before a row is read, and plans the version. */
static void
BeginTraining(Trainer *t)
{
	const TrainRequest *request = t->request;
	const FeatureArguments *items = &request->options.features;
	const FeatureArguments *users = &request->options.user_features;
	const char *command = request->warm ? "mf_retrain()" : "mf_train()";

	t->training.options = request->options;
	INSTR_TIME_SET_CURRENT(t->training.began);
	InitParallel(&t->training.parallel);
	PreventCommandIfReadOnly(command);
	PreventCommandDuringRecovery(command);
	CheckTrainOptions(&request->options);
	OpenSource(&t->source, request->source, &request->options.columns);
	PlanVersion(t);
	if (HasFeatures(items))
		OpenFeatures(&t->attributes, items, users, t->source.item_column, t->version.model.name, &t->source.item);
	if (HasFeatures(users))
		OpenFeatures(&t->profiles, users, items, t->source.user_column, t->version.model.name, &t->source.user);
}

/*
 * For mf_retrain: starts where the version before is, as far as it knows the items and their features.  Users follow in
 * the first half-sweep.
 */
static void
WarmStart(Trainer *t)
{
	const Model *model = &t->version.model;
	Oid			relid = model->item_relid;

	if (!t->request->warm || !OidIsValid(relid))
		return;
	LockRelationOid(relid, AccessShareLock);
	if (OidIsValid(model->feature_relid))
		LockRelationOid(model->feature_relid, AccessShareLock);
	PushLatestSnapshot();
	if (t->training.map && OidIsValid(model->feature_relid))
		TakeMap(&t->training, model->feature_relid, t->version.served);
	TakeVersionItems(&t->training, relid, t->version.served, &t->source.item);
	PopActiveSnapshot();
}

/* StoreItemsFunction: items by the nodes, which know no more of them than vectors of those that have ratings. */
static bool
StoreItemsThere(void *state, Oid relid, const FactorRows *items, bool with_seen)
{
	const Training *training = state;

	return training->map == NULL && training->nitems == training->problem.nitems &&
		StoreItemsOnNodes(training->driver, relid, &training->problem, &training->factors, items, with_seen);
}

/* Writes the new version's rows, and what users have. */
static void
StoreVersion(Trainer *t)
{
	Training   *training = &t->training;
	Ratings    *ratings = training->ratings;
	int32	   *numbers = NumberByRatings(training->item_counts, training->nitems);
	SeenRows	seen;
	FactorRows	users;
	FactorRows	items;
	FeatureRows item_features;
	FeatureRows user_features;

	ReportPhase(PHASE_STORE);
	OpenSeenRows(&seen, training->driver ? NULL : &ratings->by_user, ratings->others, numbers, training->nitems);
	SortItems(training, numbers, &t->items);
	users = UserFactorRows(training, &seen);
	items = ItemFactorRows(training, &t->items);
	if (training->map)
		MapRows(training, &item_features);
	if (training->user_map)
		UserMapRows(training, &user_features);
	StoreNewVersion(&t->version, &users, &items, (const FeatureRows *const[2])
					{training->map ? &item_features : NULL, training->user_map ? &user_features : NULL},
					training->driver ? StoreItemsThere : NULL, training);
	if (training->driver)
		(void) StoreOnNodes(training->driver, t->version.stores_seen, (float) MeanBias(training));
}

/* Which rows are kept from learning: those of validation, else those of a guard. */
static Holdout
ChooseHoldout(const Trainer *t)
{
	Holdout		validation = TrainHoldout(&t->request->options);

	return validation.fraction > 0 || t->request->guard == 0 ? validation : GuardHoldout(t->request->guard);
}

/* Enters the version with what training found, *result, and points the model at it. */
static void
SwitchVersion(Trainer *t, ModelVersion *result)
{
	Training   *training = &t->training;
	MapSummary	map;
	MapSummary	user_map;

	ReportPhase(PHASE_SWITCH);
	DescribeVersion(training, t->source.feedback, result);
	result->phase_seconds = PhaseSecondsToJson();
	if (training->map)
		MapParameters(training, TextConfigurationName(t->attributes.text_configuration), &map);
	if (training->user_map)
		UserMapParameters(training, TextConfigurationName(t->profiles.text_configuration), &user_map);
	result->parameters = ObjectiveToJson(&training->objective, training->mean_user, MeanBias(training),
										 training->map ? &map : NULL, training->user_map ? &user_map : NULL);
	result->guard = NULL;
	if (t->request->guard > 0)
		result->guard = GuardToJson(ChooseHoldout(t).by_id ? t->request->guard : 0, &t->findings);
	if (t->request->withhold && t->version.withheld == NULL)
		WithholdNewVersion(&t->version, "trained with serve => false");
	if (training->driver)
		CloseDriver(training->driver);
	SwitchToNewVersion(&t->version, result, training->log, training->iterations);
}

/* Writes the image of the new version, which other sessions map once this commits. */
static void
PublishVersion(const Trainer *t, const ModelVersion *version)
{
	const Training *training = &t->training;
	const StoredItems *items = &t->items;
	ImageSource source = {.uuid = version->image, .objective = training->objective};

	source.mean_user = training->mean_user;
	source.cold_shift = training->map ? training->map->shift : NULL;
	source.mean_bias = MeanBias(training);
	source.ids = items->ids;
	source.interest = items->interest;
	source.rating = items->rating;
	source.bias = items->bias;
	source.counts = items->counts;
	source.numbers = t->version.stores_seen ? items->numbers : NULL;
	source.nnumbers = items->n;
	source.trends = t->version.stores_trends ? items->trends : NULL;
	source.users = training->factors.user;
	source.nusers = training->driver ? 0 : training->problem.nusers;
	source.parallel = training->parallel;
	PublishImage(&source);
}

/* Reads attributes of items and of these users, where the training goes by some, and says what they were taken as. */
static void
LoadAttributes(Trainer *t, IdMap *users)
{
	Training   *training = &t->training;

	if (HasFeatures(&t->request->options.features))
		training->features = LoadFeatures(&t->attributes, training->ratings->items, MaintenanceMemory(),
										  &training->parallel);
	if (HasFeatures(&t->request->options.user_features))
		training->user_features = LoadFeatures(&t->profiles, users, MaintenanceMemory(),
											   &training->parallel);
}

/* Withholds the version where it would make things worse, with a warning; there must be one that serves. */
static void
GuardVersion(Trainer *t)
{
	Training   *training = &t->training;
	NewVersion *version = &t->version;
	GuardedVersion guarded = {.ratings = training->ratings,.problem = &training->problem,
		.objective = &training->objective,.factors = &training->factors,.item_counts = training->item_counts,
		.parallel = &training->parallel,.model = &version->model,.served = version->tables_lost ? 0 : version->served,
		.holdout = ChooseHoldout(t),.rows = RowsThere(training)};

	if (t->request->guard == 0)
		return;
	guarded.held_out = training->driver ? HeldOutOnNodes(training->driver) : training->ratings->held_out.count;
	InspectVersion(&guarded, &t->findings);
	version->withheld = t->findings.why;
	if (version->withheld)
		ereport(WARNING,
				(errmsg("version %d of model \"%s\" is stored, but does not serve", version->version, version->model.name),
				 errdetail("It was withheld, as %s.", version->withheld),
				 errhint("Version %d goes on. To let the new one serve all the same, run: SELECT mf_serve(%s, %d)",
						 version->served, quote_literal_cstr(version->model.name), version->version)));
}

/* Reads the source, and settles what is to be minimised on it. */
static void
LoadTraining(Trainer *t)
{
	Training   *training = &t->training;

	BeginProgress(t->version.model.name);
	training->ratings = LoadRatings(&t->source, TrainHalfLife(&training->options), ChooseHoldout(t), true,
									&training->parallel);
	LoadAttributes(t, training->ratings->users);
	SortOthers(&t->source, training->ratings, &training->parallel);
	SettleObjective(training);
	KeepArguments(t);
	StateProblem(training);
	if (training->features)
		CreateItemMap(training);
	if (training->user_features)
		CreateUserMap(training);
	if (!t->request->warm)
		NoticeShown(training, t->source.name);
}

/*
 * Reads attributes of items and users where users are on nodes, and has these know the order of all users where somebody
 * goes by it: some of them will be asked for, or ranked: rows will be held out.
 */
static void
LoadAttributesOfNodes(Trainer *t, bool ranked)
{
	Training   *training = &t->training;
	IdMap	   *users = CreateIdMap(&t->source.user);

	if (HasFeatures(&t->request->options.user_features))
		RankUsersOnNodes(training->driver, users);
	LoadAttributes(t, users);
	if (training->features || training->user_features || ranked)
	{
		RankUsersOnNodes(training->driver, NULL);
		SendUserOrder(training->driver);
	}
	if (training->user_features)
		SendProfiles(training->driver, users);
}

/* LoadTraining() where the rows stay on their nodes. */
static void
LoadOnNodes(Trainer *t)
{
	Training   *training = &t->training;
	NewVersion *version = &t->version;
	Holdout		holdout = ChooseHoldout(t);
	int			settings = BeginNodeSettings();

	BeginProgress(version->model.name);
	KeepArguments(t);			/* by which tables of users are distributed */
	CreateTablesOnNodes(version);
	training->driver = OpenDriver(&t->source, version->model.user_relid, version->version, settings);
	training->ratings = TakeOnNodes(training->driver, version->model.name, TrainHalfLife(&training->options));
	LoadAttributesOfNodes(t, holdout.fraction > 0);
	SortOnNodes(training->driver, holdout, &training->item_counts);
	SettleObjective(training);
	KeepArguments(t);
	StateProblem(training);
	if (training->features)
		CreateItemMap(training);
	if (training->user_features)
	{
		SendUserFeatures(training->driver, &training->user_features->by_item, training->user_features->nfeatures);
		CreateUserMap(training);
	}
}

/* Has iterations measured on rows that are held out for it; those of a guard say nothing until the end. */
static void
BeginValidation(Training *training)
{
	if (TrainHoldout(&training->options).fraction <= 0)
		return;
	if (training->driver)
		ValidateThere(training);
	else if (training->ratings->held_out.count > 0)
		training->validation = CreateValidation(training->ratings, &training->problem, &training->objective,
												&training->parallel);
}

/* Gives factors their first values, solves for them, and stops where rows held out say so. */
static void
SolveTraining(Trainer *t)
{
	Training   *training = &t->training;

	StartFactors(training);
	WarmStart(t);
	BeginValidation(training);
	if (training->validation)
		SetItemCounts(training->validation, training->item_counts, training->item_trends);
	ReportPhase(PHASE_SWEEP);
	RunSweeps(training);
	NoticeMaps(training, t->attributes.name, t->profiles.name);
	if (training->features)
		FreeFeatures(training->features);
	if (training->user_features)
		FreeFeatures(training->user_features);
}

/*
 * Trains a version of a model in the current transaction.  Returns the model's name, in the caller's memory
 * context, and fills in *result, whose strings are gone with the training.
 */
char *
Train(const TrainRequest *request, ModelVersion *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec training",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Trainer		trainer = {.request = request};
	Trainer    *t = &trainer;
	char	   *name;

	BeginTraining(t);
	if (TrainsOnNodes(&request->options, request->distribute, &t->source, &t->version.model))
		LoadOnNodes(t);
	else
		LoadTraining(t);
	SolveTraining(t);
	GuardVersion(t);
	StoreVersion(t);
	SwitchVersion(t, result);
	FreeRatings(t->training.ratings);
	if (t->version.withheld == NULL && HasImageFile(&t->version.model, t->items.n))
		PublishVersion(t, result);
	EndProgress();
	name = MemoryContextStrdup(caller, t->version.model.name);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return name;
}
