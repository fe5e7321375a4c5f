/*
 * recommender.c - lists, predictions and explanations from an opened model.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/best.h"
#include "core/explain.h"
#include "core/topk.h"
#include "factors.h"
#include "interrupt.h"
#include "lookup.h"
#include "recommender.h"

/*
 * A folded-in vector as close as this to the stored one, relative to its length, says that the
 * user's rows are those of the training: floats differ by 1e-5 or so, a changed row by far more.
 */
#define SAME_VECTOR 1e-3

/* The cells of a user as the core folds them in. */
typedef struct Cells
{
	int			n;
	int32	   *item;			/* ascending, distinct */
	float	   *rating;			/* on the ratings' scale */
	float	   *weight;
	bool		has_rating;
	MfFold		fold;
	MfFoldCells cells;
} Cells;

static void *
HugeArray(int64 count, Size width)
{
	return MemoryContextAllocHuge(CurrentMemoryContext, Max(count, 1) * width);
}

/* Opens a model (NULL: the default one) at a version (0: the current one) that the caller may read. */
void
OpenRecommender(Recommender *r, const char *model, int32 version)
{
	r->model = OpenModel(model);
	CheckModelReadable(r->model);
	r->version = version > 0 ? version : r->model->version;
	r->image = OpenImage(r->model, r->version);
}

void
CloseRecommender(Recommender *r)
{
	CloseImage(r->image);
}

static void
InitUser(const Recommender *r, UserState *state, Reason reason)
{
	memset(state, 0, sizeof(UserState));
	state->reason = reason;
	state->vector = palloc0(sizeof(float) * r->image->index.ld);
}

/*
 * The user's stored vector; of one who is not in the model the mean user's, and false.
 */
bool
LoadUser(Recommender *r, int64 user, UserState *state)
{
	int32		count;
	const Image *image = r->image;

	InitUser(r, state, REASON_MODEL);
	if (LookupVector(r->model->user_relid, USER_ID, r->version, &image->user_type, user,
					 image->objective.factors, state->vector, &state->bias, &count))
		return true;
	state->reason = REASON_POPULAR;
	memcpy(state->vector, image->mean_user, sizeof(float) * image->objective.factors);
	state->bias = image->mean_bias;
	return false;
}

/* One row of a user, by the item's number. */
typedef struct NumberedRow
{
	int32		item;
	float		rating;
	float		weight;
} NumberedRow;

/* By item; equal ones by value, so that their mean does not depend on the order of rows. */
static int
CompareRows(const void *a, const void *b)
{
	const NumberedRow *x = a;
	const NumberedRow *y = b;

	if (x->item != y->item)
		return x->item < y->item ? -1 : 1;
	if (x->rating != y->rating)
		return x->rating < y->rating ? -1 : 1;
	return (x->weight > y->weight) - (x->weight < y->weight);
}

/* Merges rows as training does (explicit: mean, implicit: sum) into distinct cells. */
static void
MergeRows(NumberedRow *rows, int n, bool explicit, Cells *cells)
{
	cells->item = HugeArray(n, sizeof(int32));
	cells->rating = HugeArray(n, sizeof(float));
	cells->weight = HugeArray(n, sizeof(float));
	cells->n = 0;
	qsort(rows, n, sizeof(NumberedRow), CompareRows);
	for (int from = 0, to; from < n; from = to)
	{
		float		rating = 0;
		float		weight = 0;

		for (to = from; to < n && rows[to].item == rows[from].item; to++)
		{
			rating += rows[to].rating;
			weight += rows[to].weight;
		}
		cells->item[cells->n] = rows[from].item;
		cells->rating[cells->n] = rating / (to - from);
		cells->weight[cells->n++] = explicit ? weight / (to - from) : weight;
	}
}

/* Points the core's structures at the items' vectors. */
static void
PrepareFold(const Image *image, Cells *cells, bool with_ratings)
{
	const MfObjective *objective = &image->objective;
	int			ld = image->index.ld;
	const float **interest = objective->has_interest ? HugeArray(cells->n, sizeof(float *)) : NULL;
	const float **rating = with_ratings ? HugeArray(cells->n, sizeof(float *)) : NULL;
	float	   *residual = HugeArray(cells->n, sizeof(float));
	float	   *space = interest ? HugeArray((int64) cells->n * ld + 16, sizeof(float)) : NULL;

	for (int c = 0; c < cells->n; c++)
	{
		int32		item = cells->item[c];

		if (!objective->has_rating)
			cells->weight[c] = mf_observation_weight(objective, cells->weight[c]);

		if (interest)
		{
			InterestVector(image, item, space + (Size) c * ld);
			interest[c] = space + (Size) c * ld;
		}
		if (rating)
		{
			rating[c] = RatingVector(image, item);
			residual[c] = (float) ((cells->rating[c] - objective->mean) / objective->deviation) - image->bias[item];
		}
	}
	cells->fold.factors = objective->factors;
	cells->fold.interest_weight = (float) objective->interest_weight;
	cells->fold.alpha = (float) objective->alpha;
	cells->fold.user_bias_regularization = (float) (objective->regularization * objective->bias_regularization);
	cells->fold.gram = interest ? image->gram : NULL;
	cells->fold.user_mean = interest ? image->mean_user : NULL;
	cells->cells.n = cells->n;
	cells->cells.interest = interest;
	cells->cells.rating = rating;
	cells->cells.residual = residual;
	cells->cells.weight = cells->weight;
	cells->cells.regularization = (float) mf_user_regularization(objective, cells->n);
	cells->cells.pull = (float) mf_user_pull(objective, cells->n);
}

/* Solves the vector of a user with these cells. */
static void
FoldIn(const Image *image, const Cells *cells, UserState *state)
{
	CheckCore(mf_fold_in(&cells->fold, &cells->cells, state->vector, &state->bias,
						 HugeArray(mf_fold_size(&cells->fold), 1)));
}

/* The user's present rows in the source, as cells; items that the model does not know are left out. */
static void
ReadCells(Recommender *r, int64 user, Cells *cells)
{
	const Image *image = r->image;
	bool		explicit = image->objective.has_rating;
	Source		source;
	PresentRow *rows;
	NumberedRow *numbered;
	int			nrows;
	int			known = 0;

	memset(cells, 0, sizeof(Cells));
	OpenModelSource(r->model, explicit, &source);
	rows = LookupUserRows(&source, user, &nrows);
	numbered = HugeArray(nrows, sizeof(NumberedRow));
	for (int i = 0; i < nrows; i++)
	{
		int32		item = FindId(&image->ids, rows[i].id);

		if (item >= 0)
			numbered[known++] = (NumberedRow) {item, rows[i].rating, rows[i].weight};
	}
	MergeRows(numbered, known, explicit, cells);
	cells->has_rating = explicit;
	PrepareFold(image, cells, explicit);
}

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
 * Replaces what LoadUser found (known: a stored vector) by what the user's present rows say, and
 * notes the items in them.  A user without any known row stays as he is, or becomes the mean user
 * when his rows have gone.
 */
void
LookAtUser(Recommender *r, int64 user, bool known, UserState *state)
{
	const Image *image = r->image;
	int			d = image->objective.factors;
	Cells		cells;
	UserState	present;
	double		length;

	ReadCells(r, user, &cells);
	state->seen = cells.item;
	state->nseen = cells.n;
	if (cells.n == 0)
	{
		if (known)
		{
			state->reason = REASON_POPULAR;
			memcpy(state->vector, image->mean_user, sizeof(float) * d);
			state->bias = image->mean_bias;
		}
		return;
	}
	InitUser(r, &present, REASON_FRESH);
	FoldIn(image, &cells, &present);
	if (known && SquaredDistance(present.vector, state->vector, d, &length) <= SAME_VECTOR * SAME_VECTOR * length)
		return;
	state->reason = REASON_FRESH;
	state->vector = present.vector;
	state->bias = present.bias;
}

/*
 * A vector for an anonymous basket: items by id, ratings or NULL.  False when the model knows none
 * of the items.
 */
bool
FoldInBasket(Recommender *r, const int64 *items, const float *ratings, int n, UserState *state)
{
	const Image *image = r->image;
	bool		explicit = image->objective.has_rating;
	NumberedRow *rows = HugeArray(n, sizeof(NumberedRow));
	Cells		cells = {0};
	int			known = 0;

	for (int i = 0; i < n; i++)
	{
		int32		item = FindId(&image->ids, items[i]);

		if (item < 0)
			continue;
		rows[known].item = item;
		rows[known].rating = explicit && ratings ? ratings[i] : 1;
		rows[known++].weight = !explicit && ratings ? ratings[i] : 1;
	}
	MergeRows(rows, known, explicit, &cells);
	InitUser(r, state, REASON_FRESH);
	state->seen = cells.item;
	state->nseen = cells.n;
	if (cells.n == 0)
		return false;
	PrepareFold(image, &cells, explicit && ratings);
	FoldIn(image, &cells, state);
	return true;
}

static void
SetBit(uint64_t *bitmap, int32 item)
{
	bitmap[item / 64] |= UINT64CONST(1) << (item % 64);
}

/* Turns a filter of ids into one of item numbers. */
static void
NumberFilter(const Image *image, const ListFilter *filter, const UserState *user, bool leave_out_seen,
			 MfFilter *numbered)
{
	memset(numbered, 0, sizeof(MfFilter));
	if (leave_out_seen && user)
	{
		numbered->seen = user->seen;
		numbered->nseen = user->nseen;
	}
	if (filter->has_candidates)
	{
		int32	   *items = HugeArray(filter->ncandidates, sizeof(int32));

		for (int i = 0; i < filter->ncandidates; i++)
			items[i] = FindId(&image->ids, filter->candidates[i]);
		numbered->candidates = items;
		numbered->ncandidates = filter->ncandidates;
	}
	if (filter->nexclude > 0)
	{
		uint64_t   *excluded = palloc0(sizeof(uint64_t) * (image->nitems / 64 + 1));

		for (int i = 0; i < filter->nexclude; i++)
		{
			int32		item = FindId(&image->ids, filter->exclude[i]);

			if (item >= 0)
				SetBit(excluded, item);
		}
		numbered->excluded = excluded;
	}
}

static void
InitList(const Image *image, int k, TopList *list)
{
	list->count = 0;
	list->item = palloc(sizeof(int32) * Max(1, Min(k, image->nitems)));
	list->score = palloc(sizeof(float) * Max(1, Min(k, image->nitems)));
}

/* The k best items for a user, exactly. */
void
MakeList(Recommender *r, const UserState *user, const ListFilter *filter, bool leave_out_seen, int k,
		 TopList *list)
{
	const Image *image = r->image;
	MfFilter	numbered;

	NumberFilter(image, filter, user, leave_out_seen, &numbered);
	k = Min(k, image->nitems);
	InitList(image, k, list);
	if (k > 0)
		list->count = mf_topk_search(&image->index, user->vector, k, &numbered,
									 HugeArray(mf_topk_workspace(&image->index, k), 1),
									 list->item, list->score, NULL);
}

/* The k items with the most ratings, which are their scores. */
void
MakePopularList(Recommender *r, const ListFilter *filter, int k, TopList *list)
{
	const Image *image = r->image;
	uint64_t   *allowed = NULL;
	MfFilter	numbered;

	NumberFilter(image, filter, NULL, false, &numbered);
	InitList(image, k, list);
	if (filter->has_candidates)
	{
		allowed = palloc0(sizeof(uint64_t) * (image->nitems / 64 + 1));
		for (int64 i = 0; i < numbered.ncandidates; i++)
			if (numbered.candidates[i] >= 0)
				SetBit(allowed, numbered.candidates[i]);
	}
	for (int64 i = 0; i < image->nitems && list->count < k; i++)
	{
		int32		item = image->popular[i];
		uint64_t	bit = UINT64CONST(1) << (item % 64);

		if ((allowed && !(allowed[item / 64] & bit)) ||
			(numbered.excluded && (numbered.excluded[item / 64] & bit)))
			continue;
		list->item[list->count] = item;
		list->score[list->count++] = image->counts[item];
	}
}

/* The vector by which items resemble each other: s_i, or q_i of a rating model. */
static void
SimilarityVector(const Image *image, int32 item, float *vector)
{
	if (image->objective.has_interest)
		InterestVector(image, item, vector);
	else
		memcpy(vector, RatingVector(image, item), sizeof(float) * image->index.ld);
}

/* The inner product in double. */
double
DotProduct(const float *a, const float *b, int n)
{
	double		sum = 0;

	for (int k = 0; k < n; k++)
		sum += (double) a[k] * b[k];
	return sum;
}

/* The cosine of two vectors; 0 where one of them is zero. */
double
Cosine(const float *a, const float *b, int n)
{
	double		lengths = DotProduct(a, a, n) * DotProduct(b, b, n);

	return lengths > 0 ? DotProduct(a, b, n) / sqrt(lengths) : 0;
}

/* The k items whose vectors point most in the direction of an item's: cosine, never itself. */
void
MakeSimilarItems(Recommender *r, int32 item, int k, TopList *list)
{
	const Image *image = r->image;
	int			ld = image->index.ld;
	float	   *target = palloc(sizeof(float) * ld);
	float	   *vector = palloc(sizeof(float) * ld);
	MfBest		best;

	k = Max(1, Min(k, image->nitems));
	mf_best_start(&best, palloc(sizeof(MfScored) * k), k);
	SimilarityVector(image, item, target);
	for (int32 other = 0; other < image->nitems; other++)
	{
		if (other % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (other == item)
			continue;
		SimilarityVector(image, other, vector);
		mf_best_offer(&best, other, Cosine(target, vector, ld));
	}
	mf_best_sort(&best);
	InitList(image, k, list);
	for (list->count = 0; list->count < best.count; list->count++)
	{
		list->item[list->count] = (int32) best.entry[list->count].number;
		list->score[list->count] = (float) best.entry[list->count].score;
	}
}

/* The rating that a user would give an item, within the ratings' range; NaN without a rating part. */
double
PredictRating(const Recommender *r, const UserState *user, int32 item)
{
	const MfObjective *objective = &r->image->objective;
	double		z;

	if (!objective->has_rating)
		return NAN;
	z = user->bias + r->image->bias[item] +
		DotProduct(user->vector, RatingVector(r->image, item), objective->factors);
	return Min(Max(objective->mean + objective->deviation * z, objective->min), objective->max);
}

/* How much a user would take an item: about 1 yes, about 0 no; needs an interest part. */
double
PredictInterest(const Recommender *r, const UserState *user, int32 item)
{
	float	   *vector = palloc(sizeof(float) * r->image->index.ld);

	InterestVector(r->image, item, vector);
	return DotProduct(user->vector, vector, r->image->objective.factors);
}

/*
 * The k items among the user's present ones that add most to an item's score, by decreasing
 * contribution; returns how many.  All of them together give the personal part of the score.
 */
int
ExplainItem(Recommender *r, int64 user, int32 item, int k, int32 **items, double **contributions)
{
	Cells		cells;
	double	   *all;
	MfBest		best;

	ReadCells(r, user, &cells);
	if (cells.n == 0)
		return 0;
	all = HugeArray(cells.n, sizeof(double));
	CheckCore(mf_explain_cells(&cells.fold, &cells.cells, mf_index_vector(&r->image->index, item), all,
						 HugeArray(mf_explain_size(&cells.fold), 1)));
	k = Min(k, cells.n);
	mf_best_start(&best, palloc(sizeof(MfScored) * k), k);
	for (int c = 0; c < cells.n; c++)
		mf_best_offer(&best, cells.item[c], all[c]);
	mf_best_sort(&best);
	*items = palloc(sizeof(int32) * k);
	*contributions = palloc(sizeof(double) * k);
	for (int i = 0; i < best.count; i++)
	{
		(*items)[i] = (int32) best.entry[i].number;
		(*contributions)[i] = best.entry[i].score;
	}
	return best.count;
}
