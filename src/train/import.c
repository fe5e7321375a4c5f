/*
 * import.c - from factors that were trained elsewhere to a new version of a model.
 *
 * Import() is the recipe.  Two relations hold the vectors; a source of ratings, if there is one, says what
 * users have, and with the objective that the factors were trained by their vectors follow new ratings.
 * The version is stored, switched to and published as a trained one is: see new_version.c.
 *
 * Other programs minimise the plain objectives of mf_objective_imported(): one part alone, with biases or
 * without, regularized by count or not.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/base/padding.h"
#include "core/predict/predict.h"
#include "image/image_publish.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "source/lookup_cost.h"
#include "read/pairs_read.h"
#include "read/ratings_read.h"
#include "source/source.h"
#include "train/als_loop.h"
#include "train/import.h"
#include "train/new_version.h"

/* What vectors of both sides have in common. */
#define IMPORTED(a_side) \
	{ \
		.side = (a_side), .refusal = "cannot import factors from \"%s\"", \
		.hint = "Name tables or views of vectors: mf_import('model', 'users', 'items').", .argument = "factors_column", \
		.length = "vectors of users and items must all have the same number of factors", \
		.length_hint = "Import vectors of one training, and leave the others out with a view.", .most = MF_MAX_FACTORS \
	}

static const VectorPurpose users_purpose = IMPORTED("user");
static const VectorPurpose items_purpose = IMPORTED("item");

/* An import on its way. */
typedef struct Importer
{
	const ImportRequest *request;
	instr_time	began;
	bool		explicit;		/* products of vectors are ratings */
	bool		folds;			/* the objective is known, so users can be folded in */
	bool		has_source;
	Source		source;
	Vectors		users;			/* nusers x factors */
	Vectors		items;			/* nitems x factors */
	NewVersion	version;
	MfObjective objective;
	int64		ratings;		/* of a user and an item with vectors */
} Importer;

/* The error of an argument that factors of implicit feedback have no use for. */
static void
RefuseArgument(const char *argument, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s has no meaning for factors of implicit feedback", argument),
			 errhint("%s", hint)));
}

/*
 * Values that are confidences need the rest of the objective, and something to be multiplied by: an error where
 * the arguments do not say so.
 */
static void
CheckConfidence(const ImportRequest *request)
{
	const TrainOptions *options = &request->options;

	if (!request->value_is_confidence)
		return;
	if (options->columns.feedback == FEEDBACK_EXPLICIT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("value_is_confidence has no meaning for factors of explicit feedback"),
				 errhint("If the products of vectors are not ratings, say feedback => 'implicit'.")));
	if (!(options->alpha > 0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("value_is_confidence needs regularization, and an alpha above 0"),
				 errdetail("An observed item weighs alpha * value."),
				 errhint("Pass both as they were in the training, with alpha => 1 where there was none.")));
}

/* The arguments must fit each other: an error for the first that does not. */
static void
CheckArguments(const ImportRequest *request)
{
	const TrainOptions *options = &request->options;
	bool		explicit = options->columns.feedback == FEEDBACK_EXPLICIT;

	CheckTrainOptions(options);
	if (!(request->regularization_exponent >= 0 && request->regularization_exponent <= 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("regularization_exponent must be between 0 and 1")));
	if (!explicit && request->columns.bias)
		RefuseArgument("bias_column", "If the products of vectors are ratings, say feedback => 'explicit'. An item's bias in a ranking can be a further factor, with a 1 in each user's vector.");
	if (!explicit && !isnan(request->mean))
		RefuseArgument("mean", "If the products of vectors are ratings, say feedback => 'explicit'.");
	if (explicit && !isnan(options->alpha))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("alpha has no meaning for factors of explicit feedback"),
				 errhint("If the products of vectors are not ratings, say feedback => 'implicit'.")));
	if (!explicit && isnan(options->regularization) != isnan(options->alpha))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("regularization and alpha must be given together"),
				 errdetail("A user's vector minimises the sum over all items of c (x - p.q)^2, plus regularization times |p|^2, where c = 1 + alpha * value, or alpha * value with value_is_confidence."),
				 errhint("Pass both as they were in the training, or neither.")));
	CheckConfidence(request);
}

/*
 * The source must have ids of the type that the vectors have, or of integers of another size: an error where it
 * has not.
 */
static void
CheckSourceIds(const Source *source, const char *column, const IdType *ids, const Vectors *v)
{
	if (ids->base == v->id_type.base || (ids->is_int && v->id_type.is_int))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of relation \"%s\" is of type %s, but column \"%s\" of relation \"%s\" is of type %s",
					column, source->name, format_type_be(ids->type), v->columns->id, v->name, format_type_be(v->id_type.type)),
			 errhint("Cast one of them in a view.")));
}

/*
 * Fills in the model's source, where there is one, and whether recommendations will follow it; notices of what
 * they will not do.
 */
static void
OpenRatings(Importer *m)
{
	Model	   *model = &m->version.model;

	model->fresh = false;
	model->source_schema = model->source = NULL;
	if (!m->has_source)
	{
		ereport(NOTICE,
				(errmsg("recommendations of model \"%s\" will go by the imported vectors alone", model->name),
				 errdetail("There is no source of ratings, so new ratings do not count and items that a user has are not left out."),
				 errhint("Name the table of ratings with the argument source.")));
		return;
	}
	model->source_schema = m->source.temporary ? "pg_temp" : m->source.schema;
	model->source = m->source.name;
	model->fresh = SourceServesFresh(&m->source, "import again");
	if (!m->folds)
		ereport(NOTICE,
				(errmsg("new ratings will not change the vectors of model \"%s\"", model->name),
				 errdetail("It is not known how they were trained, so a user's rows only say which items to leave out."),
				 m->explicit ? errhint("Pass regularization as it was in the training.")
				 : errhint("Pass regularization and alpha as they were in the training.")));
}

/* Checks everything that can be checked before a row is read, and plans the version. */
static void
BeginImport(Importer *m)
{
	const ImportRequest *request = m->request;
	NewVersion *version = &m->version;

	PreventCommandIfReadOnly("mf_import()");
	PreventCommandDuringRecovery("mf_import()");
	CheckArguments(request);
	m->explicit = request->options.columns.feedback == FEEDBACK_EXPLICIT;
	m->folds = !isnan(request->options.regularization);
	m->has_source = OidIsValid(request->source);
	OpenVectors(&m->users, &users_purpose, request->users, &request->columns);
	OpenVectors(&m->items, &items_purpose, request->items, &request->columns);
	if (m->has_source)
	{
		OpenSource(&m->source, request->source, &request->options.columns);
		m->source.keeps_zeros = !m->explicit;
		CheckSourceIds(&m->source, m->source.user_column, &m->source.user, &m->users);
		CheckSourceIds(&m->source, m->source.item_column, &m->source.item, &m->items);
	}
	BeginNewVersion(version, request->model, false);
	PlanNewVersion(version, request->schema, request->users, &m->users.id_type, &m->items.id_type);
	OpenRatings(m);
}

/* The objective as serving needs it: what is known of how the vectors came about, for folding users in. */
static void
SettleImported(Importer *m)
{
	const ImportRequest *request = m->request;
	MfObjective *objective = &m->objective;

	mf_objective_imported(objective, m->explicit, m->users.factors);
	objective->mean = isnan(request->mean) ? 0 : request->mean;
	objective->min = -FLT_MAX;
	objective->max = FLT_MAX;
	if (!m->folds)
		return;
	objective->fold = MF_FOLD_PLAIN;
	objective->regularization = request->options.regularization;
	objective->alpha = m->explicit ? 0 : request->options.alpha;
	objective->rating_exponent = objective->user_exponent = request->regularization_exponent;
	objective->value_is_confidence = request->value_is_confidence;
	objective->bias_regularization = request->columns.bias ? 1 : 0;
}

/* The row among the vectors of each id of a dictionary, -1 where there is none; as long as the dictionary. */
static int32 *
PlaceIds(const IdMap *ids, const Vectors *v)
{
	int32	   *places = HugeArray(ids->count, sizeof(int32));

	for (int32 i = 0; i < ids->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		places[i] = FindId(v->ids, IdAt(ids, i));
	}
	return places;
}

/*
 * Counts the cells of row `row`, which is that of user `user` among the vectors (-1: none), for both sides, dislikes of
 * users alone, and widens the range of ratings by it.  item_places: see PlaceIds().
 */
static void
CountRow(Importer *m, const MfRows *rows, int64 row, int32 user, const int32 *item_places)
{
	for (int64 c = rows->start[row]; c < rows->start[row + 1]; c++)
	{
		int32		item = item_places[rows->column[c]];

		if (m->explicit)
		{
			m->objective.min = Min(m->objective.min, rows->rating[c]);
			m->objective.max = Max(m->objective.max, rows->rating[c]);
		}
		if (item < 0 || user < 0)
			continue;
		m->ratings++;
		if (m->request->columns.ratings)
			continue;
		m->users.count[user]++;
		m->items.count[item] += rows->weight == NULL || rows->weight[c] >= 0;
	}
}

/*
 * Reads the source: the numbers of ratings, unless columns have them, and the range of ratings, in which
 * predictions must stay.
 */
static void
CountRatings(Importer *m, const MfParallel *parallel)
{
	Ratings    *ratings = ReadRatings(&m->source, MaintenanceMemory(), parallel);
	int32	   *user_places = PlaceIds(ratings->users, &m->users);
	int32	   *item_places = PlaceIds(ratings->items, &m->items);
	MfRows		rows;

	ReportSkippedRows(ratings);
	if (ratings->rows > 0)
	{
		m->objective.min = FLT_MAX;
		m->objective.max = -FLT_MAX;
		RewindCells(&ratings->by_user);
		while (NextCells(&ratings->by_user, &rows))
			for (int64 r = 0; r < rows.nrows; r++)
				CountRow(m, &rows, r, user_places[rows.first + r], item_places);
	}
	if (ratings->rows > 0 && m->ratings == 0)
		ereport(WARNING,
				(errmsg("no row of relation \"%s\" is of a user and an item with vectors", m->source.name),
				 errhint("Vectors must have the ids that the ratings have, not the numbers by which a training knew them.")));
	FreeRatings(ratings);
}

/*
 * The arguments that a retrain goes by, as JSON: the same kind of model, of the same size, from the same
 * columns.
 */
static char *
RetrainParameters(const Importer *m)
{
	TrainOptions options = m->request->options;

	options.factors = m->users.factors;
	options.regularization = options.alpha = NAN;	/* they mean something else to our objective */
	if (m->explicit)
		options.interest_weight = 0;
	if (m->has_source)
		options.columns.rating = m->source.value_column;
	return TrainOptionsToJson(&options);
}

/* One side's vectors as they are stored. */
static FactorRows
SideRows(const Vectors *v)
{
	return (FactorRows) {.ids = v->ids, .factors = v->factors, .counts = v->count, .bias = v->bias, .vectors = v->vector};
}

/*
 * Writes the version's rows.  With a source, it is read once more for what users have, whatever the values of
 * their rows are, by the places of the vectors; users without a vector among them.
 */
static void
StoreVectors(Importer *m, const MfParallel *parallel)
{
	FactorRows	users = SideRows(&m->users);
	FactorRows	items = SideRows(&m->items);
	IdMap	   *unknown = m->has_source ? CreateIdMap(&m->users.id_type) : NULL;
	Ratings    *pairs = m->has_source ? ReadPairs(&m->source, m->users.ids, m->items.ids, unknown, parallel) : NULL;
	int32	   *numbers;
	SeenRows	seen;

	if (pairs)
	{
		numbers = NumberByRatings(m->items.count, m->items.ids->count);
		OpenSeenRows(&seen, pairs->rows > 0 ? &pairs->by_user : NULL, NULL, numbers, m->items.ids->count);
		users.seen = &seen;
		users.unknown = unknown->count > 0 ? unknown : NULL;
		items.numbers = numbers;
	}
	StoreNewVersion(&m->version, &users, &items, (const FeatureRows *const[2]) {NULL, NULL}, NULL, NULL);
	if (pairs && pairs->rows > 0)
		FreeRatings(pairs);
}

/* Writes the version's rows, and enters it with what is known of it: *result. */
static void
StoreImported(Importer *m, const MfParallel *parallel, ModelVersion *result)
{
	MfProblem	problem = {.nusers = m->users.ids->count,.factors = m->users.factors};
	float	   *mean_user = palloc0(sizeof(float) * mf_padded(problem.factors));
	double		mean_bias = 0;

	StoreVectors(m, parallel);
	mf_mean_user(&problem, m->users.vector, NULL, mean_user);
	for (int64 u = 0; u < problem.nusers; u++)
		mean_bias += m->users.bias[u] / problem.nusers;
	memset(result, 0, sizeof(ModelVersion));
	result->feedback = FeedbackName(m->request->options.columns.feedback);
	result->factors = problem.factors;
	result->users = problem.nusers;
	result->items = m->items.ids->count;
	result->ratings = m->ratings;
	result->loss = result->rmse = result->read_until = NAN;
	result->guard = NULL;
	result->parameters = ObjectiveToJson(&m->objective, mean_user, mean_bias, NULL, NULL);
	SetNewVersionParameters(&m->version, RetrainParameters(m));
	ReportPhase(PHASE_SWITCH);
	result->seconds = SecondsSince(m->began);
	result->phase_seconds = PhaseSecondsToJson();
	SwitchToNewVersion(&m->version, result, NULL, 0);
}

/*
 * Imports a version of a model in the current transaction.  Returns the model's name, in the caller's memory
 * context, and fills in *result, whose strings are gone with the import.
 */
char *
Import(const ImportRequest *request, ModelVersion *result)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec import", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	Importer	importer = {.request = request};
	Importer   *m = &importer;
	MfParallel	parallel;
	char	   *name;

	INSTR_TIME_SET_CURRENT(m->began);
	InitParallel(&parallel);
	BeginImport(m);
	BeginProgress(m->version.model.name);
	ReadVectors(&m->users, 0, 0);
	ReadVectors(&m->items, m->users.factors, VectorBytes(&m->users));
	SettleImported(m);
	if (m->has_source)
		CountRatings(m, &parallel);
	else if (request->columns.ratings)
		for (int64 u = 0; u < m->users.ids->count; u++)
			m->ratings += m->users.count[u];
	ReportPhase(PHASE_STORE);
	StoreImported(m, &parallel, result);
	PublishStoredVersion(&m->version.model, result->version);
	EndProgress();
	name = MemoryContextStrdup(caller, m->version.model.name);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return name;
}
