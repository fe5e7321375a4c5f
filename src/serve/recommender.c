/*
 * recommender.c - lists, predictions and explanations from an opened model.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "core/linalg/dot.h"
#include "core/topk/topk.h"
#include "image/seen_items.h"
#include "model/model_acl.h"
#include "model/user_vector.h"
#include "pg/alloc.h"
#include "serve/recommender.h"

/*
 * Scratch space of searches, kept for the session: a search must not begin by asking the system for
 * memory.  More than KEPT_SPACE is taken for one call only.
 */
#define KEPT_SPACE (1024 * 1024)

static void *
SearchSpace(Size size)
{
	static char *space = NULL;
	static Size room = 0;

	size += 64;
	if (size > KEPT_SPACE)
		return (void *) TYPEALIGN(64, HugeArray(size, 1));
	if (size > room)
	{
		if (space)
			pfree(space);
		space = NULL;
		room = 0;
		space = MemoryContextAlloc(TopMemoryContext, size);
		room = size;
	}
	return (void *) TYPEALIGN(64, space);
}

/* Opens a model (NULL: the default one) at a version (0: the current one) that the caller may read. */
void
OpenRecommender(Recommender *r, const char *model, int32 version)
{
	r->served = OpenServed(model);
	r->model = &r->served->model;
	CheckModelReadable(r->model);
	r->version = version > 0 ? version : r->model->version;
	r->image = OpenImage(r->served, r->version);
}

/* What an error leaves open is closed at the end of the transaction. */
void
CloseRecommender(Recommender *r)
{
	CloseImage(r->image);
	CloseServed(r->served);
}

/*
 * Whether to look into the source for what users have, where nobody has said: if it is there; and if the
 * version does not say it either, which ends in the error that it is not.
 */
bool
ReadsSource(const Recommender *r)
{
	return SourceIsThere(r->model) || r->image->numbered == NULL;
}

/* A user of whom nothing is known yet. */
void
InitUser(const Recommender *r, UserState *state, Reason reason)
{
	memset(state, 0, sizeof(UserState));
	state->reason = reason;
	state->vector = palloc0(sizeof(float) * r->image->index.ld);
}

/*
 * The user's stored vector, and what they had at the training where that is wanted; of one who is not in
 * the model the mean user's vector, and false.
 */
bool
LoadUser(Recommender *r, int64 user, bool with_seen, UserState *state)
{
	const Image *image = r->image;
	StoredUser	stored = {0};
	bool		known;

	InitUser(r, state, REASON_MODEL);
	stored.vector = state->vector;
	known = LookupUser(r->served, r->version, user, mf_dimensions(&image->objective), with_seen, &stored);
	state->seen = SeenItems(image, user, stored.seen, &state->nseen);
	state->bias = stored.bias;
	state->count = stored.count;
	if (known)
		return true;
	state->reason = REASON_POPULAR;
	memcpy(state->vector, image->mean_user, sizeof(float) * mf_dimensions(&image->objective));
	state->bias = image->mean_bias;
	return false;
}

/* A bitmap of items; negative ones are passed over. */
static uint64_t *
MarkItems(const Image *image, const int32 *items, int64 n)
{
	uint64_t   *bitmap = palloc0(sizeof(uint64_t) * (image->nitems / 64 + 1));

	for (int64 i = 0; i < n; i++)
		if (items[i] >= 0)
			bitmap[items[i] / 64] |= UINT64CONST(1) << (items[i] % 64);
	return bitmap;
}

/* The filter as the core takes it; user NULL: nothing is left out because somebody has it. */
static void
CoreFilter(const Image *image, const ListFilter *filter, const UserState *user, MfFilter *numbered)
{
	memset(numbered, 0, sizeof(MfFilter));
	if (user)
	{
		numbered->seen = user->seen;
		numbered->nseen = user->nseen;
	}
	numbered->candidates = filter->candidates;
	numbered->ncandidates = filter->ncandidates;
	numbered->group = filter->group;
	numbered->per_group = filter->per_group;
	if (filter->nexclude > 0)
		numbered->excluded = MarkItems(image, filter->exclude, filter->nexclude);
}

/* An empty list with room for k items, or for as many as there are, in the current memory context. */
void
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

	CoreFilter(image, filter, leave_out_seen ? user : NULL, &numbered);
	k = Min(k, image->nitems);
	InitList(image, k, list);
	if (k > 0)
		list->count = mf_topk_search(&image->index, user->vector, k, &numbered,
									 SearchSpace(mf_topk_workspace(&image->index, k)),
									 list->item, list->score, NULL);
}

/* The k items with the most ratings, which are their scores, without what the user (NULL: nobody) has. */
void
MakePopularList(Recommender *r, const UserState *user, const ListFilter *filter, int k, TopList *list)
{
	const Image *image = r->image;
	const uint64_t *allowed = filter->candidates ? MarkItems(image, filter->candidates, filter->ncandidates) : NULL;
	const uint64_t *excluded = filter->nexclude > 0 ? MarkItems(image, filter->exclude, filter->nexclude) : NULL;
	const uint64_t *seen = user && user->nseen > 0 ? MarkItems(image, user->seen, user->nseen) : NULL;

	InitList(image, k, list);
	for (int64 i = 0; i < image->nitems && list->count < k; i++)
	{
		int32		item = image->popular[i];
		uint64_t	bit = UINT64CONST(1) << (item % 64);

		if ((allowed && !(allowed[item / 64] & bit)) || (excluded && (excluded[item / 64] & bit)) ||
			(seen && (seen[item / 64] & bit)))
			continue;
		list->item[list->count] = item;
		list->score[list->count++] = image->counts[item];
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
		mf_dot(user->vector, RatingVector(r->image, item), mf_dimensions(objective));
	return Min(Max(objective->mean + objective->deviation * z, objective->min), objective->max);
}

/*
 * A score as it is shown: in a model of ratings alone the predicted rating (not cut to the scale), else as
 * it is.
 */
double
ShownScore(const MfObjective *objective, double user_bias, double score)
{
	if (!objective->has_rating || objective->has_interest)
		return score;
	return objective->mean + objective->deviation * (user_bias + score);
}

/* Turns the scores of a user's list into those that are shown. */
void
ShowScores(const Recommender *r, const UserState *user, TopList *list)
{
	for (int i = 0; i < list->count; i++)
		list->score[i] = (float) ShownScore(&r->image->objective, user->bias, list->score[i]);
}

/* How much a user would take an item: about 1 yes, about 0 no; needs an interest part. */
double
PredictInterest(const Recommender *r, const UserState *user, int32 item)
{
	const float *vector = InterestVector(r->image, item, palloc(sizeof(float) * r->image->index.ld));

	return mf_dot(user->vector, vector, mf_dimensions(&r->image->objective));
}
