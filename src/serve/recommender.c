/*
 * recommender.c - lists and predictions from an opened model.
 *
 * A call opens a model, one version of it and its image, which it may read by its own snapshot and privileges;
 * loads a user; and asks the image.  All vectors have ld floats, d of them and padding of 0, so that kernels need
 * not know where they end.  What a call allocates is in the current memory context, and goes with it.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "core/base/padding.h"
#include "core/linalg/dot.h"
#include "core/topk/diversify.h"
#include "core/topk/topk.h"
#include "image/seen_items.h"
#include "model/missing_rows.h"
#include "model/model_acl.h"
#include "model/model_source.h"
#include "model/user_vector.h"
#include "pg/alloc.h"
#include "serve/profile_encode.h"
#include "serve/recommender.h"

/* A larger workspace of a search is allocated for one call only. */
#define KEPT_WORKSPACE (1024 * 1024)

/*
 * A search's workspace of so many bytes, aligned to a cache line.  It is kept for the session, as a search must not
 * begin by asking the system for memory, and valid until the next call.
 */
void *
SearchWorkspace(Size size)
{
	static char *workspace = NULL;
	static Size capacity = 0;

	size += 64;
	if (size > KEPT_WORKSPACE)
		return (void *) TYPEALIGN(64, HugeArray(size, 1));
	if (size > capacity)
	{
		if (workspace)
			pfree(workspace);
		workspace = NULL;
		capacity = 0;
		workspace = MemoryContextAlloc(TopMemoryContext, size);
		capacity = size;
	}
	return (void *) TYPEALIGN(64, workspace);
}

/*
 * Opens a model (NULL: the default one) at a version (0: the one that serves).  An error for a model that is
 * not there, or that the caller may not read.
 */
void
OpenRecommender(Recommender *r, const char *model, int32 version)
{
	r->cached = OpenCachedModel(model);
	r->model = &r->cached->model;
	CheckModelReadable(r->model);
	r->version = version > 0 ? version : r->model->version;
	r->image = OpenImage(r->cached, r->version);
}

/* Closes it; what an error leaves open is closed at the end of the transaction. */
void
CloseRecommender(Recommender *r)
{
	CloseImage(r->image);
	CloseCachedModel(r->cached);
}

/*
 * Whether to look into the source for what users have where the caller has not said: if it is there.  Where the
 * version does not say what users have, it has to be: looking ends in an error if it is not.
 */
bool
ReadsSource(const Recommender *r)
{
	return SourceIsThere(r->model) || r->image->numbered == NULL;
}

/*
 * The source as this version reads it, with ratings or without; an error where it has gone or no longer fits,
 * whose hint says what answers until it is back (NULL: nothing).
 */
const SourceLookup *
OpenSourceOf(const Recommender *r, const char *until)
{
	return OpenModelSource(r->cached, mf_is_explicit(&r->image->objective), until);
}

/* A user of whom nothing is known yet: the vector is 0, and there are no seen items. */
void
InitUser(const Recommender *r, UserState *state, Reason reason)
{
	memset(state, 0, sizeof(UserState));
	state->reason = reason;
	state->spread = 1;
	state->vector = palloc0(sizeof(float) * r->image->index.ld);
}

/*
 * Calls a function with the row of each user of the version, as the caller may see them; with_seen: and what
 * they had at the training.  Returns how many there are; an error where there should be some.
 */
int64
ReadAllUsers(const Recommender *r, bool with_seen, StoredRowFunction function, void *state)
{
	int64		count = ReadFactors(r->model->user_relid, USER_ID, r->version, &r->image->user_type, with_seen ? READ_SEEN : 0,
									function, state);

	if (count == 0)
		CheckNoUsers(r->cached, r->version);
	return count;
}

/* An error for a user's row whose vector is not as long as those of the version. */
void
CheckUserRow(const Recommender *r, const StoredRow *row)
{
	int			d = mf_dimensions(&r->image->objective);

	if (row->factors != d)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("user %s has %d factors, but its model has %d", IdToText(&r->image->user_type, row->id),
						row->factors, d),
				 errhint("A model table was edited by hand; retrain the model.")));
}

/*
 * The user's stored vector, where they are drawn to, and what they had at the training where that is wanted; of one who
 * is not in the model what their attributes say now, and where these say nothing the mean user's vector, and false.
 */
bool
LoadUser(Recommender *r, int64 user, bool with_seen, UserState *state)
{
	const Image *image = r->image;
	StoredUser	stored = {0};
	bool		known;

	InitUser(r, state, REASON_MODEL);
	stored.vector = state->vector;
	stored.prior = palloc0(sizeof(float) * image->index.ld);
	known = LookupUser(r->cached, r->version, user, mf_dimensions(&image->objective), with_seen, &stored);
	state->seen = SeenItems(image, user, stored.seen, &state->nseen);
	state->bias = stored.bias;
	state->spread = stored.spread;
	state->count = stored.count;
	state->fingerprint = known ? stored.fingerprint : 0;
	if (known)
	{
		state->prior = stored.has_prior ? stored.prior : NULL;
		if (stored.has_prior && stored.count == 0)
			state->reason = REASON_PROFILE;
		return true;
	}
	state->bias = image->mean_bias;
	state->spread = 1;
	if (EncodeProfile(image, r->model, r->version, user, stored.prior))
	{
		state->reason = REASON_PROFILE;
		state->prior = stored.prior;
		memcpy(state->vector, stored.prior, sizeof(float) * mf_dimensions(&image->objective));
		return true;
	}
	state->reason = REASON_POPULAR;
	memcpy(state->vector, image->mean_user, sizeof(float) * mf_dimensions(&image->objective));
	return false;
}

/*
 * Marks n items in a bitmap, one bit each, or in a new one (NULL) in the current memory context; negative numbers are
 * passed over.
 */
uint64_t *
MarkItems(const Image *image, const int32 *items, int64 n, uint64_t *bitmap)
{
	if (bitmap == NULL)
		bitmap = palloc0(sizeof(uint64_t) * (image->nitems / 64 + 1));
	for (int64 i = 0; i < n; i++)
		if (items[i] >= 0)
			bitmap[items[i] / 64] |= UINT64CONST(1) << (items[i] % 64);
	return bitmap;
}

/*
 * How many items are not cold: the first so many of the popular ones, which come by decreasing number of ratings.
 * O(log n).
 */
int64
RatedItems(const Image *image)
{
	int64		rated = 0;
	int64		end = image->nitems;

	if (!image->objective.item_map)
		return end;
	while (rated < end)
	{
		int64		middle = rated + (end - rated) / 2;

		if (mf_is_cold(&image->objective, image->counts[image->popular[middle]]))
			end = middle;
		else
			rated = middle + 1;
	}
	return rated;
}

/* A bitmap of the cold items, in the current memory context; NULL where there are none. */
uint64_t *
MarkColdItems(const Image *image)
{
	int64		rated = RatedItems(image);

	return rated < image->nitems ? MarkItems(image, image->popular + rated, image->nitems - rated, NULL) : NULL;
}

/* A bitmap of the items that a filter excludes; NULL where it excludes none. */
uint64_t *
MarkExcluded(const Image *image, const ListFilter *filter)
{
	uint64_t   *excluded = filter->rated ? MarkColdItems(image) : NULL;

	if (filter->boosts)
		excluded = MarkItems(image, filter->boosts->item, filter->boosts->n, excluded);
	return filter->nexclude > 0 ? MarkItems(image, filter->exclude, filter->nexclude, excluded) : excluded;
}

/* Which boosted items a filter keeps out, as does what the user has (NULL: nothing does). */
static bool *
BoostedOut(const Image *image, const ListFilter *filter, const UserState *user)
{
	const Boosts *boosts = filter->boosts;
	bool	   *out = palloc(sizeof(bool) * Max(boosts->n, 1));

	memset(out, filter->candidates != NULL, boosts->n);
	if (filter->candidates)
		MarkBoosted(boosts, filter->candidates, filter->ncandidates, false, out);
	MarkBoosted(boosts, filter->exclude, filter->nexclude, true, out);
	if (user)
		MarkBoosted(boosts, user->seen, user->nseen, true, out);
	for (int32 i = 0; filter->rated && i < boosts->n; i++)
		if (mf_is_cold(&image->objective, image->counts[boosts->item[i]]))
			out[i] = true;
	return out;
}

/* The boosts of a filter (NULL: none) without those of items that it keeps out. */
const Boosts *
AllowedBoosts(const Image *image, const ListFilter *filter)
{
	const Boosts *boosts = filter->boosts;
	Boosts	   *allowed;
	bool	   *out;

	if (boosts == NULL)
		return NULL;
	allowed = palloc0(sizeof(Boosts));
	allowed->item = HugeArray(boosts->n, sizeof(int32));
	allowed->value = HugeArray(boosts->n, sizeof(double));
	out = BoostedOut(image, filter, NULL);
	for (int32 i = 0; i < boosts->n; i++)
		if (!out[i])
		{
			allowed->item[allowed->n] = boosts->item[i];
			allowed->value[allowed->n++] = boosts->value[i];
		}
	pfree(out);
	return allowed;
}

/*
 * The filter as the core takes it, which leaves boosted items out, without what the user has (NULL: with everything).
 */
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
	numbered->excluded = MarkExcluded(image, filter);
}

/* An empty list with room for k items, or for as many as there are, in the current memory context. */
void
InitList(const Image *image, int k, TopList *list)
{
	list->count = 0;
	list->item = palloc(sizeof(int32) * Max(1, Min(k, image->nitems)));
	list->score = palloc(sizeof(float) * Max(1, Min(k, image->nitems)));
}

/* The k best items for a user by score, exactly; of equal ones the smaller number first. */
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
									 SearchWorkspace(mf_topk_workspace(&image->index, k)),
									 list->item, list->score, NULL);
	if (k > 0 && filter->boosts)
	{
		MfHeap		heap;

		mf_heap_start(&heap, palloc(sizeof(MfScored) * k), k);
		RankBoosted(filter->boosts, BoostedOut(image, filter, leave_out_seen ? user : NULL), image, user->vector,
					BoostUnit(image, user->spread), list->item, list->count, &heap);
		list->count = ListRanked(&heap, list->item, list->score);
	}
}

/* How long a ranking must be from which a list of k items is chosen. */
int
PoolLength(double diversity, int k)
{
	return diversity > 0 ? mf_diversify_pool(k) : k;
}

/*
 * Makes a list of k items of that diversity of a ranking of PoolLength(); new_vectors has ld floats of each item from
 * image->nitems on (NULL: there are none).  Scores stay with their items.
 */
void
DiversifyList(const Image *image, const float *new_vectors, double diversity, int k, TopList *list)
{
	Size		ld = image->index.ld;
	const float **vector = palloc(sizeof(float *) * Max(list->count, 1));
	MfPool		pool = {list->count, image->index.ld, vector, list->item, list->score};
	float	   *space;

	if (diversity > 0)
	{
		space = AlignedArray(Max(list->count, 1) * ld, sizeof(float));
		for (int i = 0; i < list->count; i++)
			vector[i] = list->item[i] < image->nitems ? mf_index_vector(&image->index, list->item[i], space + i * ld) :
				new_vectors + (list->item[i] - image->nitems) * ld;
		mf_diversify(&pool, diversity, k, AlignedArray(mf_diversify_workspace(pool.n), 1));
	}
	list->count = Min(list->count, k);
}

/* Whether nothing is known of a user that a list could go by. */
bool
NothingKnown(const UserState *user)
{
	return user->reason == REASON_POPULAR || user->reason == REASON_TRENDING;
}

/*
 * By which order such a user's list goes: what is popular, or, for REASON_TRENDING where the version knows it, of late.
 */
ItemOrder
ColdStartOrder(const Image *image, Reason reason)
{
	if (reason == REASON_TRENDING && image->trending)
		return (ItemOrder) {image->trending, image->trends};
	return (ItemOrder) {image->popular, NULL};
}

/* The score that an order goes by. */
static double
OrderScore(const Image *image, ItemOrder order, int32 item)
{
	return order.trends ? order.trends[item] : image->counts[item];
}

/*
 * Merges boosted items into a list of popular ones, which has been made without.
 *
 * Here a boost is in the units of the order: numbers of ratings, or faded counts.  Of equal ones the smaller number
 * comes first, as in the order itself.
 */
static void
MergePopularBoosted(const Image *image, ItemOrder order, const UserState *user, const ListFilter *filter, int k, TopList *list)
{
	const Boosts *boosts = filter->boosts;
	const bool *out = BoostedOut(image, filter, user);
	MfHeap		heap;

	mf_heap_start(&heap, palloc(sizeof(MfScored) * k), k);
	for (int i = 0; i < list->count; i++)
		mf_heap_push(&heap, list->item[i], OrderScore(image, order, list->item[i]));
	for (int32 i = 0; i < boosts->n; i++)
		if (!out[i])
			mf_heap_push(&heap, boosts->item[i], OrderScore(image, order, boosts->item[i]) + boosts->value[i]);
	mf_heap_sort(&heap);
	list->count = ListRanked(&heap, list->item, list->score);
}

/*
 * The first k items of an order, with the scores that it goes by, without what the user has (NULL: with everything).
 * Few are passed over, so the order is gone through from its beginning.  Cold items, which have no ratings, come last.
 */
void
MakePopularList(Recommender *r, ItemOrder order, const UserState *user, const ListFilter *filter, int k, TopList *list)
{
	const Image *image = r->image;
	const uint64_t *allowed = filter->candidates ? MarkItems(image, filter->candidates, filter->ncandidates, NULL) : NULL;
	const uint64_t *excluded;
	const uint64_t *seen = user && user->nseen > 0 ? MarkItems(image, user->seen, user->nseen, NULL) : NULL;
	int64		nitems = filter->rated ? RatedItems(image) : image->nitems;
	uint64_t   *marked = filter->nexclude > 0 ? MarkItems(image, filter->exclude, filter->nexclude, NULL) : NULL;

	excluded = filter->boosts ? MarkItems(image, filter->boosts->item, filter->boosts->n, marked) : marked;
	k = (int) Min(k, Max(image->nitems, 1));
	InitList(image, k, list);
	for (int64 i = 0; i < nitems && list->count < k; i++)
	{
		int32		item = order.items[i];
		uint64_t	bit = UINT64CONST(1) << (item % 64);

		if ((allowed && !(allowed[item / 64] & bit)) || (excluded && (excluded[item / 64] & bit)) ||
			(seen && (seen[item / 64] & bit)))
			continue;
		list->item[list->count] = item;
		list->score[list->count++] = (float) OrderScore(image, order, item);
	}
	if (filter->boosts)
		MergePopularBoosted(image, order, user, filter, k, list);
}

/* The rating that a user would give an item of that vector, d floats, and bias, within the ratings' range. */
double
RatingOf(const MfObjective *objective, const UserState *user, const float *vector, double bias)
{
	double		z = user->bias + bias +
		objective->rating_gain * mf_dot(user->vector, vector, mf_dimensions(objective));

	return Min(Max(objective->mean + objective->deviation * user->spread * z, objective->min), objective->max);
}

/* The rating that a user would give an item, within the ratings' range; NaN without a rating part. */
double
PredictRating(const Recommender *r, const UserState *user, int32 item)
{
	const MfObjective *objective = &r->image->objective;
	float		space[MF_MAX_PADDED];

	if (!mf_is_explicit(objective))
		return NAN;
	return RatingOf(objective, user, RatingVector(r->image, item, space), r->image->bias[item]);
}

/*
 * A score as it is shown: in a model of ratings alone the predicted rating (not cut to the scale), else as
 * it is.
 */
double
ShownScore(const MfObjective *objective, double user_bias, double user_spread, double score)
{
	if (!mf_ratings_alone(objective))
		return score;
	return objective->mean + objective->deviation * user_spread * (user_bias + score);
}

/* Turns the scores of a user's list into those that are shown. */
void
ShowScores(const Recommender *r, const UserState *user, TopList *list)
{
	for (int i = 0; i < list->count; i++)
		list->score[i] = (float) ShownScore(&r->image->objective, user->bias, user->spread, list->score[i]);
}

/*
 * What a user makes of an item: the rating that they would give it; with implicit feedback how much they would
 * take it, about 1 yes, about 0 no.
 */
double
Predict(const Recommender *r, const UserState *user, int32 item)
{
	const Image *image = r->image;
	float		space[MF_MAX_PADDED];

	if (mf_is_explicit(&image->objective))
		return PredictRating(r, user, item);
	return mf_dot(user->vector, InterestVector(image, item, space), mf_dimensions(&image->objective));
}
