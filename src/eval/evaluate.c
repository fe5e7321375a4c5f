/*
 * evaluate.c - how good a model is on rows that it was not trained on.
 *
 * The full catalogue is ranked for every user with a relevant row in the test relation; what the user
 * has in the training rows is left out of the list, and of the test rows.  Beside each figure stands
 * what a baseline reaches: the most popular items for lists, biases alone for ratings.
 *
 * Both relations are read once, by user, spilled where they are large, and so are the vectors of the
 * test relation's users, which stay in memory as in training.  Then block after block of users gets
 * its cells from both relations, and its figures from threads; sums run in the order of the users, so
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
#include "model/user_vector.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "source/ratings_read.h"

/* A block of users takes at least this much. */
#define LEAST_BLOCK (INT64CONST(8) * 1024 * 1024)

/* How often the biases of the baseline are solved from each other. */
#define BIAS_SWEEPS 5

/* An error unless a relation's ids can be looked up among the model's. */
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

static void
CheckSource(const Evaluation *e, const Source *source)
{
	CheckIdTypes(source, "user", source->user_column, &source->user, &e->r.image->user_type);
	CheckIdTypes(source, "item", source->item_column, &source->item, &e->r.image->item_type);
}

/* Resolves the test relation: its columns are called as those of the training unless named. */
static void
OpenTest(Evaluation *e)
{
	const EvaluationRequest *request = e->request;
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
	columns.weight = NULL;
	columns.feedback = FEEDBACK_IMPLICIT;
	if (explicit && columns.rating &&
		(columns.rating_named || get_attnum(request->test, columns.rating) != InvalidAttrNumber))
		columns.feedback = FEEDBACK_EXPLICIT;
	OpenSource(&e->test_source, request->test, &columns);
	e->test_source.keeps_zeros = mf_observes_zeros(&e->r.image->objective);
	CheckSource(e, &e->test_source);
	e->with_ratings = columns.feedback == FEEDBACK_EXPLICIT;
	if (e->test_source.value_column == NULL && !isnan(request->relevant_from))
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

/* Resolves the relation whose rows the model has seen. */
static void
OpenTrain(Evaluation *e)
{
	bool		explicit = mf_is_explicit(&e->r.image->objective);
	SourceColumns columns;

	if (OidIsValid(e->request->train))
	{
		SourceColumnsFromJson(&columns, e->r.model->parameters);
		columns.feedback = explicit ? FEEDBACK_EXPLICIT : FEEDBACK_IMPLICIT;
		OpenSource(&e->train_source, e->request->train, &columns);
	}
	else
		e->train_source = OpenServedSource(e->r.served, explicit, "mf_evaluate answers with the argument train")->source;
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

/* Links the ids of test relation, training rows and model. */
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

/* Prepares the baseline of lists. */
static void
RankPopularity(Evaluation *e)
{
	const Image *image = e->r.image;

	e->popularity.nitems = image->nitems;
	e->popularity.count = image->counts;
	e->popularity.fewer = HugeZeroArray(image->nitems, sizeof(int32));
	e->popularity.equal = HugeZeroArray(image->nitems, sizeof(int32));
	mf_auc_rank_counts(&e->popularity, image->popular);
	e->counts = HugeZeroArray(image->nitems, sizeof(int64));
	for (int64 i = 0; i < image->nitems; i++)
		e->counts[i] = image->counts[i];
	e->covered = HugeZeroArray(image->nitems / 64 + 1, sizeof(uint64_t));
	e->popular_covered = HugeZeroArray(image->nitems / 64 + 1, sizeof(uint64_t));
}

/* One pass over the training rows: users' biases from the items' (per number), and these from them. */
static void
SweepBiases(Evaluation *e, double *item_bias, double *sum, int64 *count)
{
	Ratings    *train = e->train;
	MfRows		rows;

	memset(sum, 0, sizeof(double) * train->items->count);
	memset(count, 0, sizeof(int64) * train->items->count);
	RewindCells(&train->by_user);
	while (NextCells(&train->by_user, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			double		bias = 0;

			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
				bias += rows.rating[c] - e->mean - item_bias[rows.column[c]];
			bias /= rows.start[r + 1] - rows.start[r] + BIAS_DAMPING;
			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
			{
				sum[rows.column[c]] += rows.rating[c] - e->mean - bias;
				count[rows.column[c]]++;
			}
		}
	for (int32 i = 0; i < train->items->count; i++)
		item_bias[i] = sum[i] / (count[i] + BIAS_DAMPING);
}

/* Prepares the baseline of ratings: mean + user bias + item bias, by damped least squares. */
static void
SolveBiases(Evaluation *e)
{
	int32		nitems = e->train->items->count;
	double	   *item_bias = HugeZeroArray(nitems, sizeof(double));
	double	   *sum = HugeZeroArray(nitems, sizeof(double));
	int64	   *count = HugeZeroArray(nitems, sizeof(int64));
	double		total = 0;
	MfRows		rows;

	RewindCells(&e->train->by_user);
	while (NextCells(&e->train->by_user, &rows))
		for (int64 c = rows.start[0]; c < rows.start[rows.nrows]; c++)
			total += rows.rating[c];
	e->mean = e->train->rows > 0 ? total / e->train->rows : e->r.image->objective.mean;
	for (int s = 0; s < BIAS_SWEEPS; s++)
		SweepBiases(e, item_bias, sum, count);
	e->item_bias = HugeZeroArray(e->r.image->nitems, sizeof(double));
	for (int32 i = 0; i < nitems; i++)
		if (e->train_item[i] >= 0)
			e->item_bias[e->train_item[i]] = item_bias[i];
	pfree(item_bias);
	pfree(sum);
	pfree(count);
}

/* Keeps the vector of a user of the test relation. */
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
	memcpy(e->vector + (Size) user * e->r.image->index.ld, row->vector, sizeof(float) * row->factors);
}

/* Reads the vectors of the test relation's users. */
static void
ReadUsers(Evaluation *e)
{
	int64		n = e->test->users->count;

	e->known = HugeZeroArray(n, sizeof(bool));
	e->bias = HugeZeroArray(n, sizeof(float));
	e->vector = AlignedZeroArray(n * e->r.image->index.ld, sizeof(float));
	e->model_users = ReadAllUsers(&e->r, false, TakeUser, e);
}

/* Reads both relations. */
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

/* Adds the block's users to the totals, in their order. */
static void
AddBlock(Evaluation *e)
{
	Block	   *b = &e->block;

	for (int u = 0; u < b->n; u++)
	{
		bool		known = e->known[b->first + u];

		e->unknown_users += !known;
		e->irrelevant_users += known && !b->figures[u].ranked;
		AddUserFigures(&e->total, &b->figures[u]);
	}
}

/* Hands out the block user by user. */
static void
PutBlock(const Evaluation *e)
{
	const Block *b = &e->block;

	for (int u = 0; u < b->n; u++)
	{
		UserFigures figures = b->figures[u];
		char	   *user;

		CHECK_FOR_INTERRUPTS();
		if (figures.rows.counted == 0)
			continue;
		figures.list.aucs = figures.popular.aucs = 1;
		user = IdToText(&e->test_source.user, IdAt(e->test->users, b->first + u));
		PutRatingFigures(&figures, user, e->put, e->put_state);
		if (figures.ranked)
			PutListFigures(&figures, user, e->put, e->put_state);
		e->put(e->put_state, user, "rows", (double) figures.rows.counted, NAN);
		e->put(e->put_state, user, "rows_relevant", (double) figures.rows.relevant, NAN);
	}
}

/* Hands out the totals. */
static void
PutTotals(const Evaluation *e)
{
	const UserFigures *total = &e->total;
	double		nitems = (double) e->r.image->nitems;
	void	   *state = e->put_state;

	PutRatingFigures(total, NULL, e->put, state);
	PutListFigures(total, NULL, e->put, state);
	e->put(state, NULL, "coverage", total->list.covered / nitems, total->popular.covered / nitems);
	e->put(state, NULL, "users", (double) total->ranked, NAN);
	e->put(state, NULL, "users_unknown", (double) e->unknown_users, NAN);
	e->put(state, NULL, "users_without_relevant", (double) e->irrelevant_users, NAN);
	e->put(state, NULL, "rows", (double) total->rows.counted, NAN);
	e->put(state, NULL, "rows_relevant", (double) total->rows.relevant, NAN);
	e->put(state, NULL, "rows_unknown_user", (double) total->rows.unknown_user, NAN);
	e->put(state, NULL, "rows_unknown_item", (double) total->rows.unknown_item, NAN);
	e->put(state, NULL, "rows_trained", (double) total->rows.trained, NAN);
	e->put(state, NULL, "rows_null", (double) (e->test->null_rows + e->test->zero_rows), NAN);
}

/* Stops where nothing could be measured, and says why. */
static void
CheckTotals(const Evaluation *e)
{
	const RowCounts *rows = &e->total.rows;

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

/* Room for lists, of as many users at a time as a block may take. */
static void
AllocateLists(Evaluation *e)
{
	const Image *image = e->r.image;
	int64		users = e->test->users->count;
	int64		bytes = Max(1, Min(e->request->k, image->nitems)) * 3 * (int64) sizeof(int32);
	int64		fine = FineListBytes(image, users);

	InitLists(&e->lists, image, e->request->k, Min(users, Max(1, e->block_bytes / bytes)),
			  fine > 0 && fine <= MemoryLimit(), &e->parallel);
}

/* Evaluates block after block. */
static void
RunBlocks(Evaluation *e)
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
		JudgeBlock(e);
		AddBlock(e);
		if (e->request->per_user)
			PutBlock(e);
		EndBlock(e);
		MemoryContextSwitchTo(outer);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
}

/* Evaluates a model on a test relation and hands the figures to a function. */
void
Evaluate(const EvaluationRequest *request, FigureFunction put, void *state)
{
	Evaluation *e = palloc0(sizeof(Evaluation));

	e->request = request;
	e->put = put;
	e->put_state = state;
	e->largest = -INFINITY;
	InitParallel(&e->parallel);
	OpenRecommender(&e->r, request->model, request->version);
	OpenTest(e);
	OpenTrain(e);
	ReadRelations(e);
	LinkIds(e);
	ReadUsers(e);
	RankPopularity(e);
	if (e->with_ratings)
		SolveBiases(e);
	AllocateLists(e);
	RunBlocks(e);
	CheckTotals(e);
	if (!request->per_user)
		PutTotals(e);
	FreeRatings(e->test);
	FreeRatings(e->train);
	CloseRecommender(&e->r);
}
