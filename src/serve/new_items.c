/*
 * new_items.c - items that came after the training, in lists that ask for them by id.
 *
 * The image does not have them, and lists from it are made without.  Those that a call names as candidates, or whose
 * rating it wants to know, are read from the relation of attributes, with the caller's snapshot, privileges and row
 * security, and encoded by the version's table of features: what costs a query of each.  They are few, so they are
 * scored one by one and merged with the list.
 */
#include "postgres.h"

#include <math.h>

#include "core/linalg/dot.h"
#include "core/predict/predict.h"
#include "model/model_source.h"
#include "pg/alloc.h"
#include "serve/new_items.h"
#include "serve/user_fold_in.h"

/*
 * *new: those of n items, none of which the model knows, that have a row in the relation of attributes.  False where
 * there are none, or the caller cannot know: see OpenEncoder().
 */
bool
FindNewItems(const Recommender *r, const int64 *ids, int n, NewItems *new)
{
	ItemEncoder encoder;

	if (n == 0 || !r->image->objective.item_map ||
		!OpenEncoder(&encoder, &item_side, r->model, r->version, &r->image->item_type))
		return false;
	EncodeItems(&encoder, ids, n, true, &new->items);
	RoundEncodedItems(&encoder, &new->items);
	new->had = palloc0(sizeof(bool) * Max(new->items.ids->count, 1));
	new->boost = NULL;
	new->vectors = NULL;
	return new->items.ids->count > 0;
}

/* CurrentRowFunction: the user has a row of that item. */
static void
TakeHad(void *state, int64 id, const Observation *row)
{
	NewItems   *new = state;
	int32		item = FindId(new->items.ids, id);

	(void) row;
	if (item >= 0)
		new->had[item] = true;
}

/* Keeps items out of the user's list of which the source has a row of theirs. */
void
LeaveOutHad(const Recommender *r, int64 user, NewItems *new)
{
	LookupUserRows(OpenSourceOf(r, UNTIL_LISTS), user, TakeHad, new);
}

/* A new item on its way into a list. */
typedef struct Scored
{
	int32		item;			/* its number there */
	float		score;
} Scored;

/* The best first, of equal ones the smaller id. */
static int
CompareScored(const void *a, const void *b)
{
	const Scored *x = a;
	const Scored *y = b;

	return x->score != y->score ? (x->score < y->score ? 1 : -1) : (x->item > y->item) - (x->item < y->item);
}

/* scored: the new items that may be in a user's list, best first; returns how many. */
static int
ScoreNewItems(const Recommender *r, const UserState *user, NewItems *new, Scored *scored)
{
	const EncodedItems *items = &new->items;
	const MfObjective *objective = &r->image->objective;
	bool		joint = mf_is_joint(objective);
	int			n = items->ids->count;
	int			ld = r->image->index.ld;
	MfFactors	factors = {.interest = mf_ratings_alone(objective) ? NULL : items->vectors,
		.rating = mf_ratings_alone(objective) ? items->vectors : joint ? items->rating_vectors : NULL,.item_bias = items->bias};
	double		unit = NothingKnown(user) ? 1 : BoostUnit(r->image, user->spread);
	float	   *offsets = HugeArray(n, sizeof(float));
	int			count = 0;

	new->vectors = HugeArray((int64) n * ld, sizeof(float));
	mf_list_vectors(objective, &factors, HugeZeroArray(n, sizeof(int32)), NULL, n, new->vectors, offsets);
	for (int j = 0; j < n; j++)
	{
		float		score = NothingKnown(user) ? 0 :
			(float) mf_dot(user->vector, new->vectors + (Size) j * ld, ld) + offsets[j];

		if (new->boost)
			score = (float) (score + new->boost[j] * unit);
		if (!new->had[j])
			scored[count++] = (Scored) {(int32) r->image->nitems + j, score};
	}
	qsort(scored, count, sizeof(Scored), CompareScored);
	return count;
}

/*
 * Merges new items into a user's list, whose scores are not those that are shown yet, by score: the k best.  Of equal
 * ones those that the model knows come first; in a list of popular items all of them do.
 */
void
MergeNewItems(const Recommender *r, const UserState *user, NewItems *new, int k, TopList *list)
{
	Scored	   *scored = palloc(sizeof(Scored) * new->items.ids->count);
	int			n = ScoreNewItems(r, user, new, scored);
	TopList		both = {.item = palloc(sizeof(int32) * Max(n + list->count, 1)),
		.score = palloc(sizeof(float) * Max(n + list->count, 1))};

	for (int known = 0, next = 0; both.count < k && (known < list->count || next < n); both.count++)
	{
		bool		takes_new = known == list->count || (next < n && scored[next].score > list->score[known]);

		both.item[both.count] = takes_new ? scored[next].item : list->item[known];
		both.score[both.count] = takes_new ? scored[next++].score : list->score[known++];
	}
	*list = both;
}

/* PredictRating() of new item j. */
double
PredictNewRating(const Recommender *r, const UserState *user, const NewItems *new, int j)
{
	const MfObjective *objective = &r->image->objective;
	const float *vectors = mf_is_joint(objective) ? new->items.rating_vectors : new->items.vectors;

	if (!mf_is_explicit(objective))
		return NAN;
	return RatingOf(objective, user, vectors + (Size) j * r->image->index.ld, new->items.bias[j]);
}

/* Predict() of new item j. */
double
PredictNew(const Recommender *r, const UserState *user, const NewItems *new, int j)
{
	if (mf_is_explicit(&r->image->objective))
		return PredictNewRating(r, user, new, j);
	return mf_dot(user->vector, new->items.vectors + (Size) j * r->image->index.ld, mf_dimensions(&r->image->objective));
}
