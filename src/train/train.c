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
#include "features/feature_arguments.h"
#include "features/features_load.h"
#include "ids/id_growth.h"
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
#include "train/train.h"
#include "train/training.h"
#include "train/user_map.h"
#include "validate/guard.h"
#include "validate/validation.h"

/*
 * What is stored of n items, with ratings and without, in the order of their ids; ld = mf_padded(d).  It is the
 * training's own where there are no cold items, which the training has behind the others.
 */
typedef struct StoredItems
{
	IdMap	   *ids;
	int64		n;
	const int32 *counts;		/* n */
	const float *interest;		/* n x ld; NULL without an interest part */
	const float *rating;		/* n x ld; NULL without a rating part */
	const float *bias;			/* n; NULL without a rating part */
	const int32 *numbers;		/* n: by which users' rows name them, see NumberByRatings() */
	const float *prior;			/* n x ld: what attributes make of them; NULL without */
	const bool *has_prior;		/* n: see FindPriors() */
	const int64 *fingerprints;	/* n: of their rows */
	const float *trends;		/* n: their faded counts; NULL without times */
} StoredItems;

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

/* Items of the version before, whose ids may have been of another type. */
typedef struct FormerItems
{
	Training   *training;
	IdType		idtype;
} FormerItems;

/* Overwrites an item's random factors by those of the version before, if that had as many dimensions. */
static void
TakeItem(void *state, const StoredRow *row)
{
	const FormerItems *former = state;
	Training   *t = former->training;
	const IdMap *items = t->ratings->items;
	int64		id;
	int32		item = ConvertId(&former->idtype, items->type, row->id, &id) ? FindId(items, id) : -1;

	if (item >= 0 && item < t->problem.nitems && row->factors == t->problem.factors)
		CopyItemRow(row, item, &t->factors);
}

/*
 * For mf_retrain: starts where the version before is, as far as it knows the items and their features.  Users follow in
 * the first half-sweep.
 */
static void
WarmStart(Trainer *t)
{
	FormerItems former = {.training = &t->training};
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
	FactorIdType(relid, ITEM_ID, &former.idtype);
	if (IdsConvert(&former.idtype, &t->source.item))
		ReadFactors(relid, ITEM_ID, t->version.served, &former.idtype, 0, TakeItem, &former);
	PopActiveSnapshot();
}

/*
 * Which of the items, in the order of rank (NULL: as they are), have a prior: those with ratings where it is not 0, and
 * all of which validation has held out all rows.  New ones have their vectors of it; so they are told from these.
 */
static bool *
FindPriors(const Training *training, const int32 *rank)
{
	const float *prior = ListPrior(training->map);
	int64		ld = mf_padded(training->problem.factors);
	bool	   *has_prior = HugeZeroArray(training->nitems, sizeof(bool));

	for (int64 i = 0; i < training->problem.nitems; i++)
	{
		bool		has = training->item_counts[i] == 0;

		for (int64 k = i * ld; k < (i + 1) * ld && !has; k++)
			has = prior[k] != 0;
		has_prior[rank ? rank[i] : i] = has;
	}
	return has_prior;
}

/* Faded counts of the training's items, 0 of those without ratings; NULL without times. */
static float *
FindTrends(const Training *training)
{
	const FadeSum *left = training->ratings->trends;
	float	   *trends;

	if (left == NULL)
		return NULL;
	trends = HugeZeroArray(training->nitems, sizeof(float));
	for (int64 i = 0; i < training->problem.nitems; i++)
		trends[i] = (float) FadeTotal(left[i]);
	return trends;
}

/*
 * t->items: what the training has of items, in the order of their ids, which become the dictionary's numbers.  numbers:
 * by the training's.
 */
static void
SortItems(Trainer *t, const int32 *numbers)
{
	const Training *training = &t->training;
	const MfFactors *factors = &training->factors;
	int64		n = training->nitems;
	int64		ld = mf_padded(training->problem.factors);
	IdMap	   *ids = training->ratings->items;
	int32	   *rank = n > training->problem.nitems ? SortIdMap(ids) : NULL;
	int64	   *fingerprints = HugeZeroArray(n, sizeof(int64));

	memcpy(fingerprints, training->ratings->fingerprints->item, sizeof(int64) * training->problem.nitems);
	t->items = (StoredItems) {
		.ids = ids,
		.n = n,
		.counts = ReorderRows(training->item_counts, rank, n, 1),
		.interest = ReorderRows(factors->interest, rank, n, ld),
		.rating = ReorderRows(factors->rating, rank, n, ld),
		.bias = ReorderRows(factors->item_bias, rank, n, 1),
		.numbers = ReorderRows(numbers, rank, n, 1),
		.fingerprints = ReorderRows(fingerprints, rank, n, sizeof(int64) / 4),
		.trends = ReorderRows(FindTrends(training), rank, n, 1)
	};
	if (training->map)
	{
		t->items.prior = ReorderRows(ListPrior(training->map), rank, n, ld);
		t->items.has_prior = FindPriors(training, rank);
	}
}

/* Users' factors as they are stored. */
static FactorRows
UserRows(const Training *training, SeenRows *seen)
{
	FactorRows	rows = {
		.factors = training->problem.factors,
		.ids = training->ratings->users,
		.counts = training->user_counts,
		.bias = training->factors.user_bias,
		.vectors = training->factors.user,
		.seen = seen,
		.fingerprints = training->ratings->fingerprints->user,
		.nfingerprints = training->problem.nusers,
		.unknown = training->ratings->unknown
	};
	const UserMap *map = training->user_map;

	if (map)
	{
		rows.priors = map->used ? map->prior : NULL;
		rows.has_prior = map->has_prior;
		rows.shared = training->problem.shared;
		rows.rated = training->problem.nusers;
	}
	return rows;
}

/* The same of items. */
static FactorRows
ItemRows(const Trainer *t)
{
	const StoredItems *items = &t->items;
	FactorRows	rows = {
		.factors = t->training.problem.factors,
		.ids = items->ids,
		.counts = items->counts,
		.bias = items->bias,
		.vectors = items->interest ? items->interest : items->rating,
		.rating_vectors = items->interest ? items->rating : NULL,
		.numbers = items->numbers,
		.priors = items->prior,
		.has_prior = items->has_prior,
		.shared = t->training.problem.factors,
		.rated = items->n,
		.fingerprints = items->fingerprints,
		.nfingerprints = items->n,
		.trends = items->trends
	};

	return rows;
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
	OpenSeenRows(&seen, &ratings->by_user, ratings->others, numbers, training->nitems);
	SortItems(t, numbers);
	users = UserRows(training, &seen);
	items = ItemRows(t);
	if (training->map)
		MapRows(training, &item_features);
	if (training->user_map)
		UserMapRows(training, &user_features);
	StoreNewVersion(&t->version, &users, &items, (const FeatureRows *const[2])
					{training->map ? &item_features : NULL, training->user_map ? &user_features : NULL});
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
	result->feedback = FeedbackName(t->source.feedback);
	result->factors = training->problem.factors;
	result->users = training->problem.nusers + (training->user_map ? training->user_map->profiles : 0);
	result->items = training->nitems;
	result->ratings = training->ratings->rows;
	result->iterations = training->iterations;
	result->loss = training->loss;
	result->rmse = RatingError(training);
	result->seconds = SecondsSince(training->began);
	result->phase_seconds = PhaseSecondsToJson();
	if (training->factors.interest == NULL)	/* users were drawn to 0, but are not there */
		mf_mean_user(&training->problem, training->factors.user, NULL, training->mean_user);
	if (training->map)
		MapParameters(training, TextConfigurationName(t->attributes.text_configuration), &map);
	if (training->user_map)
		UserMapParameters(training, TextConfigurationName(t->profiles.text_configuration), &user_map);
	result->parameters = ObjectiveToJson(&training->objective, training->mean_user, MeanBias(training),
										 training->map ? &map : NULL, training->user_map ? &user_map : NULL);
	result->read_until = training->ratings->read_until;
	result->guard = NULL;
	if (t->request->guard > 0)
		result->guard = GuardToJson(ChooseHoldout(t).by_id ? t->request->guard : 0, &t->findings);
	if (t->request->withhold && t->version.withheld == NULL)
		WithholdNewVersion(&t->version, "trained with serve => false");
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
	source.nusers = training->problem.nusers;
	source.parallel = training->parallel;
	PublishImage(&source);
}

/* Reads attributes of items and users, where the training goes by some, and says what they were taken as. */
static void
LoadAttributes(Trainer *t)
{
	Training   *training = &t->training;

	if (HasFeatures(&t->request->options.features))
		training->features = LoadFeatures(&t->attributes, training->ratings->items, MaintenanceMemory(),
										  &training->parallel);
	if (HasFeatures(&t->request->options.user_features))
		training->user_features = LoadFeatures(&t->profiles, training->ratings->users, MaintenanceMemory(),
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
		.holdout = ChooseHoldout(t)};

	if (t->request->guard == 0)
		return;
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
	LoadAttributes(t);
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

/* Gives factors their first values, solves for them, and stops where rows held out say so. */
static void
SolveTraining(Trainer *t)
{
	Training   *training = &t->training;

	StartFactors(training);
	WarmStart(t);
	if (training->ratings->held_out.count > 0 && TrainHoldout(&training->options).fraction > 0)
		training->validation = CreateValidation(training->ratings, &training->problem, &training->objective,
												&training->parallel);
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
	LoadTraining(t);
	SolveTraining(t);
	GuardVersion(t);
	StoreVersion(t);
	SwitchVersion(t, result);
	FreeRatings(t->training.ratings);
	if (t->version.withheld == NULL)
		PublishVersion(t, result);
	EndProgress();
	name = MemoryContextStrdup(caller, t->version.model.name);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return name;
}
