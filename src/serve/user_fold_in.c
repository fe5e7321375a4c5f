/*
 * user_fold_in.c - a user as their current rows say: folded in, or known from these to be as stored.
 *
 * With the items' factors fixed a user's vector is the solution of one small system, so who signed up after the
 * training, or has rated since, need not wait for the next one (fold-in; Hu, Koren and Volinsky 2008, section 4).
 * Rows are merged and weighed as training does, and the core solves by the objective of the version: so the rows
 * that a user was trained on fold in to the vector that is stored, but for rounding.
 *
 * Where nothing has changed the stored vector stays, whose list a retrain or another session gives, too: that is
 * found out by the fingerprint of the rows that are stored with it, for an update moves items without touching whoever
 * has them; without one by the gradient, which takes a look at each row, or else by comparing the two vectors.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "compat.h"
#include "core/base/heap.h"
#include "core/base/spread.h"
#include "core/predict/explain.h"
#include "image/seen_items.h"
#include "model/model_source.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "serve/row_merge.h"
#include "serve/user_fold_in.h"
#include "rows/row_weight.h"
#include "source/row_hash.h"
#include "source/source_lookup.h"

/*
 * A gradient at the stored vector as small as this, relative to the terms that cancel in it, says that
 * the vector solves the current rows: what solving in floats leaves is ten times smaller.
 */
#define SAME_GRADIENT 1e-5

/*
 * A folded-in vector as close as this to the stored one, relative to its length, says the same:
 * floats differ by 1e-5 or so, a changed row by far more.
 */
#define SAME_VECTOR 1e-3

/* Ids of rows are looked up so many at a time. */
#define BATCH_ROWS 256

/* Rows on their way from the source; those of items that the model does not know are left out. */
typedef struct RowCollector
{
	MemoryContext context;		/* rows come in one that ends with the lookup */
	const Image *image;
	bool		zeros;			/* an implicit value of 0 is an observation */
	Fading		fading;
	bool		explicit;
	int64		count;
	int64		capacity;
	NumberedRow *rows;
	int64		user;			/* whose rows they are, */
	uint64		fingerprint;	/* as trainings sum up what these say */
	int64		nothers;		/* rows of which training could make nothing, but the user has the item */
	int64		others_room;
	int32	   *others;
	int			batch;			/* rows below, whose items have no numbers yet */
	int64		id[BATCH_ROWS];
	float		rating[BATCH_ROWS];
	float		weight[BATCH_ROWS];
} RowCollector;

/* Prepares to collect rows of a user, in the current memory context. */
static void
InitCollector(RowCollector *collector, const Image *image, int64 user)
{
	collector->context = CurrentMemoryContext;
	collector->image = image;
	collector->zeros = mf_observes_zeros(&image->objective);
	collector->fading = (Fading) {image->objective.half_life, image->objective.newest};
	collector->explicit = mf_is_explicit(&image->objective);
	collector->count = 0;
	collector->capacity = BATCH_ROWS;
	collector->rows = HugeArray(collector->capacity, sizeof(NumberedRow));
	collector->user = user;
	collector->fingerprint = 0;
	collector->nothers = collector->others_room = 0;
	collector->others = NULL;
	collector->batch = 0;
}

/* Adds an item that the user has, but that says nothing about their taste: training would have left the row out. */
static void
AddOther(RowCollector *collector, int32 item)
{
	if (collector->nothers == collector->others_room)
	{
		collector->others_room = Max(BATCH_ROWS, 2 * collector->others_room);
		collector->others = collector->others == NULL ?
			MemoryContextAllocHuge(collector->context, sizeof(int32) * collector->others_room) :
			repalloc_huge(collector->others, sizeof(int32) * collector->others_room);
	}
	collector->others[collector->nothers++] = item;
}

/* Looks up the numbers of the items of the rows that wait, and keeps those that the model knows. */
static void
FlushRows(RowCollector *collector)
{
	int32		number[BATCH_ROWS];

	FindIds(&collector->image->ids, collector->id, collector->batch, number);
	if (collector->count + collector->batch > collector->capacity)
	{
		collector->capacity *= 2;
		collector->rows = repalloc_huge(collector->rows, sizeof(NumberedRow) * collector->capacity);
	}
	for (int i = 0; i < collector->batch; i++)
	{
		float		weight = collector->weight[i];

		if (number[i] < 0)
			continue;
		if (fabsf(weight) > 0 || (weight == 0 && collector->zeros))
			collector->rows[collector->count++] = (NumberedRow) {number[i], collector->rating[i], weight};
		else
			AddOther(collector, number[i]);
	}
	collector->batch = 0;
}

/* Adds a row to the fingerprint, as a training does; one of which it could make nothing is not in it. */
static void
AddFingerprint(RowCollector *collector, int64 item, const Observation *row)
{
	const Image *image = collector->image;
	uint64		hash;

	if (!(row->weight > 0 || (row->weight == 0 && collector->zeros)))
		return;
	HashRows(&image->user_type, &image->item_type, 1, &collector->user, &item, collector->explicit ? &row->rating : NULL,
			 &row->weight, isfinite(row->time) ? &row->time : NULL, &hash);
	collector->fingerprint += hash;
}

/*
 * Takes a row; a CurrentRowFunction.  One that fades has less weight, or, of implicit feedback, what is left of its
 * value in the place of a rating, until rows are merged: as in training.  An id that is not an integer is gone when it
 * returns, so it is looked up at once.
 */
static void
CollectRow(void *state, int64 id, const Observation *row)
{
	RowCollector *collector = state;
	float	   *rating = &collector->rating[collector->batch];
	float	   *weight = &collector->weight[collector->batch];

	AddFingerprint(collector, id, row);
	collector->id[collector->batch++] = id;
	*rating = row->rating;
	*weight = row->weight;
	if (RowsFade(collector->fading) && fabsf(row->weight) > 0)
	{
		float		fade = FadeOfTime(collector->fading, row->time);

		if (collector->explicit)
			*weight = FadeWeight(row->weight, fade);
		else
			*rating = fade;
	}
	if (collector->batch == BATCH_ROWS || !collector->image->ids.type->is_int)
		FlushRows(collector);
}

/* How the model's training makes weights of the numbers of rows. */
static RowWeight
TrainedWeighting(const MfObjective *objective)
{
	if (mf_is_explicit(objective))
		return LinearWeight(objective->weight_scale);
	if (objective->half_life > 0)
		return LinearWeight(objective->value_scale);
	return objective->fold == MF_FOLD_TRAINED ? LogWeight(objective->value_scale) : LinearWeight(1);
}

/*
 * Which cells are of cold items, which the image's Gram matrix does not have, in the current memory context; NULL where
 * none is.
 */
static const bool *
FindColdCells(const Image *image, const CurrentCells *cells)
{
	bool	   *cold = NULL;

	for (int c = 0; c < cells->n; c++)
		if (mf_is_cold(&image->objective, image->counts[cells->item[c]]))
		{
			if (cold == NULL)
				cold = HugeZeroArray(cells->n, sizeof(bool));
			cold[c] = true;
		}
	return cold;
}

/* How widely the ratings of cells spread beside those that were trained on. */
static double
SpreadOf(const MfObjective *objective, const CurrentCells *cells)
{
	return (float) mf_user_spread(mf_squares_around_mean(cells->rating, cells->n) / (objective->deviation * objective->deviation),
								  cells->n, objective->user_variance);
}

/*
 * Sets up the core's structures for the cells: vectors of their items, ld floats each, and what is left of each
 * rating for p . q_i to explain, on the standardized scale and brought to one spread; with_ratings: the rating part counts, too.  prior: where
 * the user is drawn to; NULL: to the mean user.
 */
static void
PrepareFold(const Image *image, CurrentCells *cells, const float *prior, bool with_ratings)
{
	const MfObjective *objective = &image->objective;
	RowWeight	weighting = TrainedWeighting(objective);
	int			ld = image->index.ld;
	const float **interest = mf_ratings_alone(objective) ? NULL : HugeArray(cells->n, sizeof(float *));
	const float **rating = with_ratings ? HugeArray(cells->n, sizeof(float *)) : NULL;
	float	   *residual = HugeArray(cells->n, sizeof(float));
	float	   *space = HugeArray((int64) cells->n * ld * 2, sizeof(float));
	int			likes = 0;

	cells->spread = with_ratings ? SpreadOf(objective, cells) : 1;
	for (int c = 0; c < cells->n; c++)
	{
		likes += cells->weight[c] >= 0;
		cells->weight[c] = WeightFromNumber(weighting, cells->weight[c]);
		if (interest)
			interest[c] = InterestVector(image, cells->item[c], space + (Size) c * 2 * ld);
		if (rating)
		{
			rating[c] = RatingVector(image, cells->item[c], space + (Size) (c * 2 + 1) * ld);
			residual[c] = (float) ((cells->rating[c] - objective->mean) / (objective->deviation * cells->spread)) -
				image->bias[cells->item[c]];
		}
	}
	cells->fold.factors = mf_dimensions(objective);
	cells->fold.shared = objective->factors;
	cells->fold.interest_weight = (float) objective->interest_weight;
	cells->fold.alpha = (float) mf_observed_alpha(objective);
	cells->fold.fade = mf_observed_fade(objective);
	cells->fold.rating_roots = (int) objective->rating_roots;
	cells->fold.user_bias_regularization = (float) mf_user_bias_regularization(objective);
	cells->fold.whole = objective->value_is_confidence;
	cells->fold.gram = interest ? image->gram : NULL;
	cells->fold.user_mean = interest ? (prior ? prior : image->mean_user) : NULL;
	cells->cells.n = cells->n;
	cells->cells.interest = interest;
	cells->cells.rating = rating;
	cells->cells.residual = residual;
	cells->cells.weight = cells->weight;
	cells->cells.outside = FindColdCells(image, cells);
	cells->cells.regularization = (float) mf_user_regularization(objective, likes);
	cells->cells.rating_regularization = (float) mf_user_rating_regularization(objective, likes);
	cells->cells.pull = (float) mf_user_pull(objective, likes);
}

/* An error for a model that cannot fold in, because it is not known how its users were solved. */
static void
CheckFoldRule(const Recommender *r)
{
	if (r->image->objective.fold == MF_FOLD_NONE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" cannot make a user's vector from rows", r->model->name),
				 errdetail("Its factors were imported without the objective that they were trained by."),
				 errhint("Import them again with the argument regularization, and alpha with implicit feedback.")));
}

/* Solves vector and bias of a user with these cells, exactly; they also say the spread. */
static void
FoldIn(const CurrentCells *cells, UserState *state)
{
	CheckCore(mf_fold_in(&cells->fold, &cells->cells, state->vector, &state->bias,
						 HugeArray(mf_fold_size(&cells->fold), 1)));
	state->spread = (float) cells->spread;
}

/*
 * Reads the user's current rows from the source, as cells, in the current memory context; prior: where the user is
 * drawn to, or NULL.
 */
static void
ReadCells(Recommender *r, int64 user, const float *prior, CurrentCells *cells)
{
	const Image *image = r->image;
	bool		explicit = mf_is_explicit(&image->objective);
	RowCollector collector;

	memset(cells, 0, sizeof(CurrentCells));
	InitCollector(&collector, image, user);
	LookupUserRows(OpenSourceOf(r, UNTIL_LISTS), user, CollectRow, &collector);
	FlushRows(&collector);
	cells->others = collector.others;
	cells->nothers = (int) collector.nothers;
	cells->fingerprint = (int64) collector.fingerprint;
	MergeRows(collector.rows, collector.count, image, cells);
	if (image->objective.fold != MF_FOLD_NONE)
		PrepareFold(image, cells, prior, explicit);
}

/* The squared distance of two vectors of n floats, and the squared length of the second one. */
static double
SquaredDistance(const float *a, const float *b, int n, double *length)
{
	double		sum = 0;

	*length = 0;
	for (int k = 0; k < n; k++)
	{
		sum += ((double) a[k] - b[k]) * ((double) a[k] - b[k]);
		*length += (double) b[k] * b[k];
	}
	return sum;
}

/*
 * Whether the stored vector was made from these cells, or solves them already, which costs no more than a look at each.
 */
static bool
IsCurrent(const CurrentCells *cells, const UserState *state)
{
	if (cells->n != state->count)
		return false;
	return (state->fingerprint != 0 && cells->fingerprint == state->fingerprint) ||
		mf_fold_gradient(&cells->fold, &cells->cells, state->vector, state->bias,
							HugeArray(mf_fold_size(&cells->fold), 1)) <= SAME_GRADIENT;
}

/*
 * Replaces what LoadUser found (known: a stored vector) by what the user's current rows say, and
 * adds their items to what the user has.  A user without any known row stays as they are, or becomes the mean
 * user, or what their attributes say, when their rows have gone.  A model that cannot fold in learns no more than what
 * the user has.
 */
void
RefreshUser(Recommender *r, int64 user, bool known, UserState *state)
{
	const Image *image = r->image;
	int			d = mf_dimensions(&image->objective);
	CurrentCells cells;
	UserState	folded;
	double		length;

	ReadCells(r, user, state->prior, &cells);
	state->seen = JoinItems(state->seen, state->nseen, cells.item, cells.n, &state->nseen);
	state->seen = JoinItems(state->seen, state->nseen, cells.others, cells.nothers, &state->nseen);
	state->seen = JoinItems(state->seen, state->nseen, cells.cancelled, cells.ncancelled, &state->nseen);
	if (image->objective.fold == MF_FOLD_NONE)
		return;
	if (cells.n == 0)
	{
		if (known)
		{
			state->reason = state->prior ? REASON_PROFILE : REASON_POPULAR;
			memcpy(state->vector, state->prior ? state->prior : image->mean_user, sizeof(float) * d);
			state->bias = image->mean_bias;
			state->spread = 1;
		}
		return;
	}
	if (known && IsCurrent(&cells, state))
		return;
	InitUser(r, &folded, REASON_FRESH);
	FoldIn(&cells, &folded);
	if (known && SquaredDistance(folded.vector, state->vector, d, &length) <= SAME_VECTOR * SAME_VECTOR * length)
		return;
	state->reason = REASON_FRESH;
	state->vector = folded.vector;
	state->bias = folded.bias;
	state->spread = folded.spread;
}

/* An error unless the model can make something of a basket of n items: of ratings, or of none (NULL). */
static void
CheckBasket(const Recommender *r, const float *ratings, int n)
{
	const MfObjective *objective = &r->image->objective;

	if (mf_ratings_alone(objective) && ratings == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" knows ratings only, and the items come without", r->model->name),
				 errhint("Pass ratings => ARRAY[...], one for each item.")));
	for (int i = 0; ratings && !mf_is_explicit(objective) && i < n; i++)
		if (ratings[i] == 0 && objective->fold == MF_FOLD_TRAINED)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("values of implicit feedback must not be zero"),
					 errdetail("A positive one says how much an item is liked, a negative one how much it is not.")));
}

/*
 * A vector for an anonymous basket: items by id, ratings or NULL.  False when the model knows none
 * of the items.
 */
bool
FoldInBasket(Recommender *r, const int64 *items, const float *ratings, int n, UserState *state)
{
	const Image *image = r->image;
	bool		explicit = mf_is_explicit(&image->objective);
	NumberedRow *rows = HugeArray(n, sizeof(NumberedRow));
	CurrentCells cells = {0};
	int			known = 0;

	CheckBasket(r, ratings, n);
	CheckFoldRule(r);
	for (int i = 0; i < n; i++)
	{
		int32		item = FindId(&image->ids, items[i]);

		if (item < 0)
			continue;
		rows[known].item = item;
		rows[known].rating = explicit && ratings ? ratings[i] : 1;
		/* explicit: the weight that counts as 1 */
		rows[known++].weight = explicit ? image->objective.weight_scale : ratings ? ratings[i] : 1;
	}
	MergeRows(rows, known, image, &cells);
	InitUser(r, state, REASON_FRESH);
	state->seen = JoinItems(cells.item, cells.n, cells.cancelled, cells.ncancelled, &state->nseen);
	if (cells.n == 0)
		return false;
	PrepareFold(image, &cells, NULL, explicit && ratings);
	FoldIn(&cells, state);
	return true;
}

/*
 * The k items among the user's current ones that add most to an item's score, by decreasing
 * contribution; returns how many.  All of them together give what the user makes of the score that lists
 * show: p . v, and of a rating, in its unit, the user's bias too.
 */
int
ExplainItem(Recommender *r, int64 user, int32 item, int k, int32 **items, double **contributions)
{
	const MfObjective *objective = &r->image->objective;
	bool		alone = mf_ratings_alone(objective);
	UserState	state;
	CurrentCells cells;
	double	   *all;
	MfHeap		best;

	CheckFoldRule(r);
	(void) LoadUser(r, user, false, &state);
	ReadCells(r, user, state.prior, &cells);
	if (cells.n == 0)
		return 0;
	all = HugeArray(cells.n, sizeof(double));
	CheckCore(mf_explain_cells(&cells.fold, &cells.cells,
							   mf_index_vector(&r->image->index, item, AlignedArray(r->image->index.ld, sizeof(float))),
							   alone ? 1 : 0, all, HugeArray(mf_explain_size(&cells.fold), 1)));
	k = Min(k, cells.n);
	mf_heap_start(&best, palloc(sizeof(MfScored) * k), k);
	for (int c = 0; c < cells.n; c++)
		mf_heap_push(&best, cells.item[c], alone ? objective->deviation * cells.spread * all[c] : all[c]);
	mf_heap_sort(&best);
	*items = palloc(sizeof(int32) * k);
	*contributions = palloc(sizeof(double) * k);
	for (int i = 0; i < best.count; i++)
	{
		(*items)[i] = (int32) best.entry[i].number;
		(*contributions)[i] = best.entry[i].score;
	}
	return best.count;
}
