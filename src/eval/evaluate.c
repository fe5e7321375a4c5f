/*
 * evaluate.c - how good a model is on rows that it was not trained on.
 *
 * The full catalogue is ranked for every user with a relevant row in the test relation; what the user
 * has in the training rows is left out of the list, and of the test rows.  Beside each metric stands
 * what a baseline reaches: the most popular items for lists, biases alone for ratings.
 *
 * Both relations are read once, by user, spilled where they are large, and so are the vectors of the
 * test relation's users, which stay in memory as in training.  Then block after block of users gets
 * its cells from both relations, and is tallied by threads; sums run in the order of the users, so
 * they are the same for any number of threads.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "eval/evaluate.h"
#include "eval/evaluate_block.h"
#include "eval/evaluate_lists.h"
#include "model/user_vector.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "read/ratings_read.h"

/* Of metrics for which relevant items that the model does not know are misses. */
#define OPEN_PREFIX "all_"

/* Bytes that a block of users may take at least, however small maintenance_work_mem is. */
#define LEAST_BLOCK (INT64CONST(8) * 1024 * 1024)

/*
 * An error unless a relation's ids can be looked up among the model's: integers of any width, or values whose
 * bytes mean the same in both types.
 */
static void
CheckIdTypes(const Source *source, const char *what, const char *column, const IdType *idtype, const IdType *model)
{
	if ((idtype->is_int && model->is_int) || IsBinaryCoercible(idtype->base, model->base))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of relation \"%s\" is of type %s, but the model's %s ids are of type %s", column,
					source->name, format_type_be(idtype->type), what, format_type_be(model->type)),
			 errhint("Cast the column in a view, or name another column.")));
}

/* The same for both ids of a relation. */
static void
CheckSource(const Evaluation *e, const Source *source)
{
	CheckIdTypes(source, "user", source->user_column, &source->user, &e->r.image->user_type);
	CheckIdTypes(source, "item", source->item_column, &source->item, &e->r.image->item_type);
}

/*
 * Has rows of the kind alone count that the request asks for, by the column of the training; else of all kinds, by
 * their weights, where the test relation has the column.
 */
static void
ChooseEvents(const Evaluation *e, const EvaluationRequest *request, SourceColumns *columns)
{
	if (request->relevant_event == NULL)
	{
		if (columns->event && get_attnum(request->test, columns->event) == InvalidAttrNumber)
			columns->event = NULL;
		return;
	}
	if (columns->event == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("relevant_event needs a model that was trained with event_column"),
				 errdetail("Model \"%s\" was trained without.", e->r.model->name),
				 errhint("Evaluate on a view of the rows that are relevant.")));
	if (get_attnum(request->test, columns->event) == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("relation \"%s\" has no column \"%s\", which says the kind of an event", get_rel_name(request->test),
						columns->event),
				 errhint("Leave relevant_event out where all rows are relevant, or evaluate on a view with that column.")));
	columns->events = OneEvent(request->relevant_event);
}

/*
 * Resolves the test relation.  Its columns are called as those of the training unless named; without the rating
 * column lists alone are measured, and a notice says so.  Weights do not count: a row is a row.
 */
static void
OpenTest(Evaluation *e, const EvaluationRequest *request)
{
	bool		explicit = mf_is_explicit(&e->r.image->objective);
	SourceColumns columns;

	SourceColumnsFromJson(&columns, e->r.model->parameters);
	if (request->user_column)
		columns.user = request->user_column;
	if (request->item_column)
		columns.item = request->item_column;
	if (request->rating_column)
		columns.rating = request->rating_column;
	columns.rating_named = request->rating_column != NULL;
	columns.kept = false;
	columns.weight = columns.time = NULL;
	ChooseEvents(e, request, &columns);
	columns.feedback = FEEDBACK_IMPLICIT;
	if (explicit && columns.rating &&
		(columns.rating_named || get_attnum(request->test, columns.rating) != InvalidAttrNumber))
		columns.feedback = FEEDBACK_EXPLICIT;
	OpenSource(&e->test_source, request->test, &columns);
	e->test_source.keeps_zeros = mf_observes_zeros(&e->r.image->objective);
	CheckSource(e, &e->test_source);
	e->with_ratings = columns.feedback == FEEDBACK_EXPLICIT;
	if (e->test_source.value_column == NULL && e->test_source.event_column == NULL && !isnan(request->relevant_from))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("relevant_from needs a column of ratings or values"),
				 explicit ? errdetail("Relation \"%s\" has no column \"%s\".", e->test_source.name, columns.rating)
				 : errdetail("Model \"%s\" was trained without one.", e->r.model->name),
				 errhint("Name the column of relation \"%s\" with the argument rating_column.", e->test_source.name)));
	if (explicit && !e->with_ratings)
		ereport(NOTICE,
				(errmsg("relation \"%s\" has no rating column: evaluating lists only", e->test_source.name),
				 errhint("If it has ratings, name their column with the argument rating_column.")));
}

/* Resolves the relation of training rows: the one given, else the source of the model. */
static void
OpenTrain(Evaluation *e, Oid train)
{
	bool		explicit = mf_is_explicit(&e->r.image->objective);
	SourceColumns columns;

	if (OidIsValid(train))
	{
		SourceColumnsFromJson(&columns, e->r.model->parameters);
		columns.feedback = explicit ? FEEDBACK_EXPLICIT : FEEDBACK_IMPLICIT;
		columns.time = NULL;
		if (explicit || (columns.event && get_attnum(train, columns.event) == InvalidAttrNumber))
			columns.event = NULL;
		OpenSource(&e->train_source, train, &columns);
	}
	else
		e->train_source = OpenSourceOf(&e->r, "mf_evaluate answers with the argument train")->source;
	e->train_source.time_column = NULL;
	e->train_source.keeps_zeros = mf_observes_zeros(&e->r.image->objective);
	CheckSource(e, &e->train_source);
}

/* The numbers in the image of a relation's items; -1 where the model does not know one. */
static int32 *
NumberItems(const Image *image, const IdMap *items)
{
	int32	   *numbers = HugeZeroArray(items->count, sizeof(int32));

	for (int32 i = 0; i < items->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		numbers[i] = FindId(&image->ids, IdAt(items, i));
	}
	return numbers;
}

/* Links the ids of test relation, training rows and image by their numbers. */
static void
LinkIds(Evaluation *e)
{
	e->test_item = NumberItems(e->r.image, e->test->items);
	e->train_item = NumberItems(e->r.image, e->train->items);
	e->train_user = HugeZeroArray(e->test->users->count, sizeof(int32));
	for (int32 u = 0; u < e->test->users->count; u++)
	{
		CHECK_FOR_INTERRUPTS();
		e->train_user[u] = FindId(e->train->users, IdAt(e->test->users, u));
	}
	e->slot = HugeZeroArray(e->train->users->count, sizeof(int32));
	for (int32 u = 0; u < e->train->users->count; u++)
		e->slot[u] = -1;
}

/*
 * Prepares what lists are measured by: which items are ranked among themselves, the baseline of these lists, how
 * popular each item is, and how often items appear in lists, which is counted for both.
 */
static void
InitExposure(Evaluation *e)
{
	const Image *image = e->r.image;
	EvaluationSums *total = &e->total[PART_ALL];

	e->nparts = InitParts(e->part, image, e->test_item, e->test->items->count);
	e->counts = HugeZeroArray(image->nitems, sizeof(int64));
	for (int64 i = 0; i < image->nitems; i++)
		e->counts[i] = image->counts[i];
	total->model.exposure.nitems = total->baseline.exposure.nitems = image->nitems;
	total->model.exposure.count = HugeZeroArray(image->nitems, sizeof(int32));
	total->baseline.exposure.count = HugeZeroArray(image->nitems, sizeof(int32));
}

/* Keeps vector and bias of a user, if they are in the test relation; one without a vector is unknown. */
static void
TakeUser(void *state, const StoredRow *row)
{
	Evaluation *e = state;
	int32		user = FindId(e->test->users, row->id);

	CHECK_FOR_INTERRUPTS();
	if (user < 0 || row->factors == 0)
		return;
	CheckUserRow(&e->r, row);
	e->known[user] = true;
	e->bias[user] = row->bias;
	e->spread[user] = row->spread;
	memcpy(e->vector + (Size) user * e->r.image->index.ld, row->vector, sizeof(float) * row->factors);
}

/*
 * Reads the vectors of the test relation's users, which stay in memory: blocks take users in the relation's
 * order, the model's table has them in its own.  All of its users are counted, as novelty is by the share that
 * has an item.
 */
static void
ReadUsers(Evaluation *e)
{
	int64		n = e->test->users->count;

	e->known = HugeZeroArray(n, sizeof(bool));
	e->bias = HugeZeroArray(n, sizeof(float));
	e->spread = HugeZeroArray(n, sizeof(float));
	e->vector = AlignedZeroArray(n * e->r.image->index.ld, sizeof(float));
	e->model_users = ReadAllUsers(&e->r, false, TakeUser, e);
}

/*
 * Reads both relations, each sorted by user.  Each has a quarter of maintenance_work_mem and is spilled beyond
 * that, a block has another one; the last is for what is not counted.
 */
static void
ReadRelations(Evaluation *e)
{
	int64		budget = (int64) maintenance_work_mem * 1024;

	e->test = ReadRatings(&e->test_source, budget / 4, &e->parallel);
	if (e->test->rows == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no rows to evaluate on", e->test_source.name),
				 errhint("Insert some, and check that row security does not hide them.")));
	e->train = ReadRatings(&e->train_source, budget / 4, &e->parallel);
	e->block_bytes = Max(budget / 4, LEAST_BLOCK);
}

/*
 * Adds a user's lists to those that are held against all that users took: relevant items that the model does not know
 * are misses.
 */
static void
AddOpenLists(Evaluation *e, const UserTally *tally)
{
	UserTally	open = {.list = tally->list,.baseline_list = tally->baseline_list};

	open.rows.relevant = tally->rows.relevant + tally->rows.unknown_relevant;
	open.list.k = open.baseline_list.k = e->k;	/* of users without a list, too */
	open.list.length = Max(open.list.length, 1);	/* of whose items nothing is known */
	open.baseline_list.length = Max(open.baseline_list.length, 1);
	mf_list_miss(&open.list, tally->rows.unknown_relevant);
	mf_list_miss(&open.baseline_list, tally->rows.unknown_relevant);
	AddUserTally(&e->open, &open);
}

/* Adds the block's users to the totals, in their order: sums of floats depend on it. */
static void
AddBlock(Evaluation *e)
{
	Block	   *b = &e->block;

	for (int u = 0; u < b->n; u++)
	{
		bool		known = e->known[b->first + u];

		e->unknown_users += !known;
		e->irrelevant_users += known && b->tally[PART_ALL][u].rows.relevant == 0;
		for (int p = 0; p < e->nparts; p++)
			AddUserTally(&e->total[p], &b->tally[p][u]);
		AddOpenLists(e, &b->tally[PART_ALL][u]);
	}
}

/*
 * Reports user u of the block: the metrics that the user has, and how many rows they stand on.  Without such rows:
 * nothing.
 */
static void
ReportUser(const Evaluation *e, int u, ReportFunction report, void *state)
{
	char	   *user = IdToText(&e->test_source.user, IdAt(e->test->users, e->block.first + u));

	for (int p = 0; p < e->nparts; p++)
	{
		const char *prefix = e->part[p].prefix;
		EvaluationSums sums = {0};

		AddUserTally(&sums, &e->block.tally[p][u]);
		if (sums.rows.counted == 0)
			continue;
		ReportMetrics(&sums, prefix, user, report, state);
		if (p == PART_CONTENT)
			continue;			/* its rows are those of cold items */
		ReportCount(sums.rows.counted, prefix, "rows", user, report, state);
		ReportCount(sums.rows.relevant, prefix, "rows_relevant", user, report, state);
	}
}

/* Reports the block user by user. */
static void
ReportBlock(const Evaluation *e, ReportFunction report, void *state)
{
	for (int u = 0; u < e->block.n; u++)
	{
		CHECK_FOR_INTERRUPTS();
		if (e->block.tally[PART_ALL][u].rows.counted > 0)
			ReportUser(e, u, report, state);
	}
}

/* The share of places in lists of all items that are of cold ones. */
static double
ColdShare(const Image *image, const MfExposure *exposure)
{
	double		places = 0;
	double		cold = 0;

	for (int32 i = 0; i < image->nitems; i++)
	{
		places += exposure->count[i];
		cold += PartOfItem(image, i) == PART_COLD ? exposure->count[i] : 0;
	}
	return cold / places;
}

/* Reports a part of the items that has rows: its metrics, and what they stand on. */
static void
ReportPart(const Evaluation *e, ItemPartId id, ReportFunction report, void *state)
{
	const EvaluationSums *total = &e->total[id];
	const char *prefix = e->part[id].prefix;

	if (total->rows.counted == 0)
		return;
	ReportMetrics(total, prefix, NULL, report, state);
	if (id == PART_CONTENT)
		return;					/* its rows are those of cold items */
	ReportCount(total->ranked, prefix, "users", NULL, report, state);
	ReportCount(total->rows.counted, prefix, "rows", NULL, report, state);
	ReportCount(total->rows.relevant, prefix, "rows_relevant", NULL, report, state);
}

/* Reports what the metrics stand on and what was left out. */
static void
ReportCounts(const Evaluation *e, ReportFunction report, void *state)
{
	const RowCounts *rows = &e->total[PART_ALL].rows;

	ReportCount(e->total[PART_ALL].ranked, "", "users", NULL, report, state);
	ReportCount(e->unknown_users, "", "users_unknown", NULL, report, state);
	ReportCount(e->irrelevant_users, "", "users_without_relevant", NULL, report, state);
	ReportCount(rows->counted, "", "rows", NULL, report, state);
	ReportCount(rows->relevant, "", "rows_relevant", NULL, report, state);
	ReportCount(rows->unknown_user, "", "rows_unknown_user", NULL, report, state);
	ReportCount(rows->unknown_item, "", "rows_unknown_item", NULL, report, state);
	ReportCount(rows->trained, "", "rows_trained", NULL, report, state);
	ReportCount(e->test->null_rows + e->test->zero_rows, "", "rows_null", NULL, report, state);
}

/*
 * Reports all users together: metrics and counts, and then, where cold items are measured, those of each part of the
 * items, and how often cold ones come in lists of all.
 */
static void
ReportTotals(Evaluation *e, ReportFunction report, void *state)
{
	EvaluationSums *total = &e->total[PART_ALL];
	double		share = e->nparts > 1 ? ColdShare(e->r.image, &total->model.exposure) : 0;
	double		baseline_share = e->nparts > 1 ? ColdShare(e->r.image, &total->baseline.exposure) : 0;

	/* from here on it is not known whose counts these are */
	mf_exposure_sort(&total->model.exposure);
	mf_exposure_sort(&total->baseline.exposure);
	ReportMetrics(total, "", NULL, report, state);
	ReportCounts(e, report, state);
	if (e->open.rows.relevant > total->rows.relevant)
	{
		ReportMetrics(&e->open, OPEN_PREFIX, NULL, report, state);
		ReportCount(e->open.ranked, OPEN_PREFIX, "users", NULL, report, state);
		ReportCount(e->open.rows.relevant, OPEN_PREFIX, "rows_relevant", NULL, report, state);
	}
	for (int p = PART_COLD; p < e->nparts; p++)
		ReportPart(e, (ItemPartId) p, report, state);
	if (e->nparts > 1)
		report(state, NULL, "cold_share", share, baseline_share);
}

/* An error where nothing could be measured, which says why: no row that counts, or none that is relevant. */
static void
CheckTotals(const Evaluation *e)
{
	const RowCounts *rows = &e->total[PART_ALL].rows;

	if (rows->counted == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("no row of relation \"%s\" can be evaluated with model \"%s\"", e->test_source.name,
						e->r.model->name),
				 errdetail("Rows of users that the model does not know: %lld; of items that it does not know: %lld; that are in \"%s\", on which it was trained: %lld.",
						   (long long) rows->unknown_user, (long long) rows->unknown_item,
						   e->train_source.name, (long long) rows->trained),
				 rows->trained > 0
				 ? errhint("Hold rows out with mf_holdout and train on the others; if rows were added since the training, name those it was trained on with the argument train.")
				 : errhint("Test rows must be of users and items that the model was trained on.")));
	if (rows->relevant == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("no row of relation \"%s\" is relevant", e->test_source.name),
				 errdetail("The largest value of its rows that can be evaluated is %g.", e->largest),
				 errhint("Lower the argument relevant_from.")));
}

/*
 * Allocates lists, of as many users at a time as a block may take: item and score for the model, item for the
 * baseline.  8-bit codes of the items make them faster where there are many users, if they fit.
 */
static void
AllocateLists(Evaluation *e)
{
	const Image *image = e->r.image;
	int64		users = e->test->users->count;
	int64		bytes = Max(1, Min(PoolLength(e->diversity, e->k), image->nitems)) * 3 * (int64) sizeof(int32);
	int64		sq8 = Sq8Bytes(image, users);

	InitLists(&e->lists, image, NULL, e->k, e->diversity, NULL, Min(users, Max(1, e->block_bytes / bytes)),
			  sq8 > 0 && sq8 <= MemoryLimit(), &e->parallel);
}

/* Evaluates block after block; a block's memory goes before the next one is cut off. */
static void
RunBlocks(Evaluation *e, bool per_user, ReportFunction report, void *state)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec evaluation",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = CurrentMemoryContext;

	for (int32 first = 0; first < e->test->users->count; first += e->block.n)
	{
		MemoryContextSwitchTo(scratch);
		StartBlock(e, first);
		/* buffers of spilled cells outlive the block */
		MemoryContextSwitchTo(outer);
		CollectBlock(e);
		MemoryContextSwitchTo(scratch);
		JudgeRatings(e);
		JudgeLists(e);
		AddBlock(e);
		if (per_user)
			ReportBlock(e, report, state);
		EndBlock(e);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
}

/* Evaluates a model on a test relation, and reports metrics and counts to a function. */
void
Evaluate(const EvaluationRequest *request, ReportFunction report, void *state)
{
	Evaluation *e = palloc0(sizeof(Evaluation));

	e->k = request->k;
	e->diversity = request->diversity;
	e->relevant_from = request->relevant_from;
	e->largest = -INFINITY;
	InitParallel(&e->parallel);
	OpenRecommender(&e->r, request->model, request->version);
	OpenTest(e, request);
	OpenTrain(e, request->train);
	ReadRelations(e);
	LinkIds(e);
	ReadUsers(e);
	InitExposure(e);
	if (e->nparts > 1 && (e->content = LoadContent(&e->r, &e->parallel)) != NULL)
		e->nparts = PARTS;
	if (e->with_ratings)
		SolveBiases(&e->baseline, e->r.image, e->train, e->train_item);
	AllocateLists(e);
	RunBlocks(e, request->per_user, report, state);
	CheckTotals(e);
	if (!request->per_user)
		ReportTotals(e, report, state);
	FreeRatings(e->test);
	FreeRatings(e->train);
	CloseRecommender(&e->r);
}
