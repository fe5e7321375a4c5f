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
#include "portability/instr_time.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "core/als.h"
#include "core/objective.h"
#include "factors.h"
#include "interrupt.h"
#include "objective_json.h"
#include "progress.h"
#include "ratings.h"
#include "trainer.h"
#include "validation.h"

/* A training on its way. */
typedef struct Trainer
{
	const TrainRequest *request;
	instr_time	began;
	MfParallel	parallel;
	Source		source;
	Model		model;			/* as it will be */
	bool		is_new;			/* no such model yet */
	int32		version;
	int32		served;			/* the version that serves until this one does; 0: none */
	Ratings    *ratings;
	MfObjective objective;
	MfProblem	problem;
	MfFactors	factors;
	int32	   *user_counts;
	int32	   *item_counts;
	MfAls	   *als;
	Validation *validation;		/* NULL: none */
	float	   *mean_user;		/* to whom users are drawn, mf_padded(d) floats */
	LogLine    *log;
	int			iterations;		/* done */
	double		loss;
} Trainer;

static double
SecondsSince(instr_time began)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, began);
	return INSTR_TIME_GET_DOUBLE(now);
}

/* Room for floats that the core's kernels want: zeroed, on a cache line. */
static float *
FloatArray(int64 count)
{
	char	   *space = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(float) * count + 64);
	float	   *array = (float *) TYPEALIGN(64, space);

	memset(array, 0, sizeof(float) * count);
	return array;
}

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

static void
Override(double *value, double option)
{
	if (!isnan(option))
		*value = option;
}

/* The preset for this data, and what the caller wants otherwise. */
static void
SettleObjective(Trainer *t)
{
	const TrainOptions *options = &t->request->options;
	const Ratings *ratings = t->ratings;
	MfObjective *objective = &t->objective;
	MfDataShape shape = {ratings->users->count, ratings->items->count, ratings->rows};
	bool		explicit = t->source.feedback == FEEDBACK_EXPLICIT;

	mf_objective_preset(objective, explicit, !explicit || options->interest_weight != 0, &shape);
	objective->value_scale = ratings->value_scale;
	if (options->factors > 0)
		objective->factors = options->factors;
	if (options->iterations > 0)
		objective->iterations = options->iterations;
	Override(&objective->regularization, options->regularization);
	Override(&objective->alpha, options->alpha);
	if (explicit)
	{
		Override(&objective->interest_weight, options->interest_weight);
		if (objective->has_interest)
			Override(&objective->taste, options->taste);
		objective->mean = ratings->mean;
		objective->deviation = ratings->deviation;
		objective->min = ratings->min;
		objective->max = ratings->max;
	}
	mf_objective_settle(objective);
}

/* Row lengths of one orientation. */
static int32 *
CountRows(const Cells *cells)
{
	int32	   *counts = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int32) * Max(cells->nrows, 1));

	for (int64 i = 0; i < cells->nrows; i++)
		counts[i] = (int32) (cells->start[i + 1] - cells->start[i]);
	return counts;
}

static float *
Regularization(const MfObjective *objective, const int32 *counts, int64 n,
			   double (*rule) (const MfObjective *, int64))
{
	float	   *values = FloatArray(n);

	for (int64 i = 0; i < n; i++)
		values[i] = (float) rule(objective, counts[i]);
	return values;
}

/* The objective as the core minimises it. */
static void
StateProblem(Trainer *t)
{
	const MfObjective *objective = &t->objective;
	MfProblem  *problem = &t->problem;

	t->user_counts = CountRows(&t->ratings->by_user);
	t->item_counts = CountRows(&t->ratings->by_item);
	problem->nusers = t->ratings->users->count;
	problem->nitems = t->ratings->items->count;
	problem->factors = objective->factors;
	problem->has_rating = objective->has_rating;
	problem->has_interest = objective->has_interest;
	problem->interest_weight = objective->interest_weight;
	problem->alpha = objective->alpha;
	problem->user_regularization = Regularization(objective, t->user_counts, problem->nusers,
												  mf_user_regularization);
	problem->user_mean = t->mean_user = FloatArray(mf_padded(objective->factors));
	problem->user_pull = Regularization(objective, t->user_counts, problem->nusers, mf_user_pull);
	if (objective->has_rating)
		problem->rating_regularization = Regularization(objective, t->item_counts, problem->nitems,
														mf_rating_regularization);
	if (objective->has_interest)
		problem->interest_regularization = Regularization(objective, t->item_counts, problem->nitems,
														  mf_interest_regularization);
	problem->user_bias_regularization = objective->regularization * objective->bias_regularization;
	problem->item_bias_regularization = problem->user_bias_regularization;
}

/* Room for the factors; the items', from which the first half-sweep starts, are random. */
static void
StartFactors(Trainer *t)
{
	const MfProblem *problem = &t->problem;
	int64		ld = mf_padded(problem->factors);
	uint64		seed = (uint64) t->request->options.seed;

	t->factors.user = FloatArray(problem->nusers * ld);
	if (problem->has_rating)
	{
		t->factors.rating = FloatArray(problem->nitems * ld);
		t->factors.user_bias = FloatArray(problem->nusers);
		t->factors.item_bias = FloatArray(problem->nitems);
		mf_random_factors(t->factors.rating, problem->nitems, problem->factors, 2 * seed);
	}
	if (problem->has_interest)
	{
		t->factors.interest = FloatArray(problem->nitems * ld);
		mf_random_factors(t->factors.interest, problem->nitems, problem->factors, 2 * seed + 1);
	}
}

/* Overwrites an item's random factors by those of the current version. */
static void
TakeItem(void *state, int64 id, int32 count, float bias, int factors, const float *vector,
		 const float *rating_vector)
{
	Trainer    *t = state;
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
		ReadFactors(t->model.item_relid, ITEM_ID, t->served, &t->source.item, TakeItem, t);
}

/* One half-sweep: every row of one side solved, the other side fixed; returns the loss. */
static double
HalfSweep(Trainer *t, MfSide side, bool exact)
{
	Cells	   *cells = side == MF_USERS ? &t->ratings->by_user : &t->ratings->by_item;
	MfRows		rows;
	double		loss;

	CheckCore(mf_als_begin(t->als, side, exact));
	RewindCells(cells);
	while (NextCells(cells, &rows))
		CheckCore(mf_als_rows(t->als, &rows));
	CheckCore(mf_als_end(t->als, &loss));
	return loss;
}

static void
LogIteration(Trainer *t, double validation)
{
	LogLine    *line = &t->log[t->iterations - 1];

	line->iteration = t->iterations;
	line->loss = t->loss;
	line->validation = validation;
	line->seconds = SecondsSince(t->began);
	ReportIteration(t->iterations, t->objective.iterations, t->loss);
	if (mfrec_verbose)
		ereport(NOTICE,
				(errmsg("iteration %d of %d: loss %.6g", t->iterations, t->objective.iterations, t->loss),
				 isnan(validation) ? 0 :
				 errdetail("%s on the rows held out: %.4f", ValidationMeasure(t->validation), validation)));
}

/* The point to which users are drawn follows them. */
static void
UpdateMeanUser(Trainer *t)
{
	if (t->problem.has_interest)
		mf_mean_user(&t->problem, t->factors.user, t->problem.user_pull, t->mean_user);
}

/* Measures the factors on the held-out rows; false when the last iterations brought nothing better. */
static bool
ValidateIteration(Trainer *t, double *validation)
{
	UpdateMeanUser(t);
	HalfSweep(t, MF_USERS, true);
	*validation = Validate(t->validation, &t->factors);
	return KeepBest(t->validation, *validation, &t->factors, t->mean_user, t->iterations);
}

/*
 * Alternates until the loss settles, the held-out rows say to stop, or the iterations are used up;
 * then solves the users once more, exactly, so that a stored user equals what folding the same rows
 * in gives.
 */
static void
Sweep(Trainer *t)
{
	double		tolerance = isnan(t->request->options.tolerance) ? 0 : t->request->options.tolerance;
	bool		go_on = true;

	t->log = palloc0(sizeof(LogLine) * t->objective.iterations);
	t->als = mf_als_init(MemoryContextAllocHuge(CurrentMemoryContext, mf_als_size(&t->problem, &t->parallel)),
						 &t->problem, &t->factors, &t->parallel);
	while (go_on && t->iterations < t->objective.iterations)
	{
		double		before = t->loss;
		double		validation = NAN;

		HalfSweep(t, MF_USERS, false);
		t->loss = HalfSweep(t, MF_ITEMS, false);
		t->iterations++;
		if (t->validation)
			go_on = ValidateIteration(t, &validation);
		LogIteration(t, validation);
		if (t->iterations > 1 && before - t->loss <= tolerance * before)
			go_on = false;
		UpdateMeanUser(t);
	}
	if (t->validation)
		t->iterations = RestoreBest(t->validation, &t->factors, t->mean_user);
	t->loss = HalfSweep(t, MF_USERS, true);
}

static void
StoreSide(Oid relid, const char *id_column, int32 version, const Trainer *t, bool items)
{
	FactorRows	rows = {items ? t->ratings->items : t->ratings->users, t->problem.factors};

	rows.counts = items ? t->item_counts : t->user_counts;
	rows.bias = items ? t->factors.item_bias : t->factors.user_bias;
	rows.vectors = !items ? t->factors.user : t->factors.interest ? t->factors.interest : t->factors.rating;
	if (items && t->factors.interest)
		rows.rating_vectors = t->factors.rating;
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

/* The mean bias of users, for predictions to users of whom nothing is known. */
static double
MeanBias(const Trainer *t)
{
	double		sum = 0;

	for (int64 u = 0; t->factors.user_bias && u < t->problem.nusers; u++)
		sum += t->factors.user_bias[u];
	return sum / t->problem.nusers;
}

/* The rmse to report: of the best iteration on the rows held out, else on those trained on. */
static double
RatingError(const Trainer *t)
{
	MfRows		rows;
	double		squares = 0;

	if (!t->problem.has_rating)
		return NAN;
	if (t->validation)
		return HeldOutError(t->validation, &t->factors);
	RewindCells(&t->ratings->by_user);
	while (NextCells(&t->ratings->by_user, &rows))
		squares = mf_squared_error(&t->problem, &t->factors, &rows, squares);
	return t->objective.deviation * sqrt(squares / t->ratings->rows);
}

/*
 * Enters the version, switches to it and removes what is older than the setting wants kept.  The one
 * that served until now stays, even where newer ones were rolled back: it is what to go back to.
 */
static void
SwitchVersion(Trainer *t, ModelVersion *result)
{
	Model	   *model = &t->model;
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
	result->factors = t->problem.factors;
	result->users = t->problem.nusers;
	result->items = t->problem.nitems;
	result->ratings = t->ratings->rows;
	result->iterations = t->iterations;
	result->loss = t->loss;
	result->rmse = RatingError(t);
	result->seconds = SecondsSince(t->began);
	if (!t->problem.has_interest)	/* users were drawn to 0, but are not there */
		mf_mean_user(&t->problem, t->factors.user, NULL, t->mean_user);
	result->parameters = ObjectiveToJson(&t->objective, t->mean_user, MeanBias(t));
	InsertVersion(model, result, t->log, t->iterations);
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
	char	   *name;

	INSTR_TIME_SET_CURRENT(t->began);
	InitParallel(&t->parallel);
	BeginTraining(t);
	DecideFresh(t);
	BeginProgress(t->model.name);
	t->ratings = LoadRatings(&t->source, isnan(request->options.validation) ? 0 : request->options.validation,
							 (uint64) request->options.seed, maintenance_work_mem * INT64CONST(1024), &t->parallel);
	SettleObjective(t);
	StateProblem(t);
	StartFactors(t);
	WarmStart(t);
	if (t->ratings->held_out.count > 0)
		t->validation = CreateValidation(t->ratings, &t->problem, &t->objective, &t->parallel);
	ReportPhase(PHASE_SWEEP);
	Sweep(t);
	ReportPhase(PHASE_STORE);
	StoreVersion(t);
	ReportPhase(PHASE_SWITCH);
	SwitchVersion(t, result);
	FreeRatings(t->ratings);
	EndProgress();
	name = MemoryContextStrdup(caller, t->model.name);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return name;
}
