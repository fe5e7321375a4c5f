/*
 * user_scan.c - the best of all users of a version for an item, or by likeness to a user.
 *
 * There is no image of users: a search reads the model's table, as the caller may see it.  It takes one pass,
 * and memory for the users that were among the best when their row came: k * log(users / k) or so, where rows
 * come in no order.  Whether a user has the item is asked last, of those few alone.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/base/heap.h"
#include "core/linalg/dot.h"
#include "image/seen_items.h"
#include "pg/alloc.h"
#include "serve/user_scan.h"

/* A pass over all users: their ids, and a score of each one's vector. */
typedef struct UserSearch
{
	const Recommender *recommender;
	const float *target;		/* d floats: an item's list vector, or a user's to compare with */
	bool		cosine;			/* by cosine, else by the inner product */
	double		offset;			/* added to inner products */
	const IdMap *candidates;	/* users to look at; NULL: all */
	IdMap	   *left_out;		/* users to leave out, */
	int32		seen_number;	/* and those whose rows name the item of this number; -1: none */
	int			k;
	MfHeap		best;			/* the k best scores so far */
	IdMap	   *users;			/* that may be among the best */
	int64		capacity;
	double	   *scores;			/* of each of them; room for capacity */
	const Grouping *grouping;	/* of users; NULL: none */
	int32	   *taken;			/* of each group, by number; 0 but while users are cut */
	MemoryContext context;		/* where users are kept */
	double		threshold;		/* with groups, k users that may all be listed score at least this */
} UserSearch;

/* With groups, users are cut when there are so many besides the k best. */
#define MANY_USERS 4096

/* A user on the way to their place. */
typedef struct RankedUser
{
	double		score;
	int32		number;			/* the smaller, the smaller the id */
} RankedUser;

/*
 * Prepares a search for the k best users that a filter lets in, in the current memory context; the caller sets what it
 * looks for: target and cosine, or target and offset.
 */
static void
InitUserSearch(UserSearch *search, const Recommender *r, UserFilter *filter, int k)
{
	memset(search, 0, sizeof(UserSearch));
	search->recommender = r;
	search->users = CreateIdMap(&r->image->user_type);
	search->candidates = filter->candidates;
	search->left_out = filter->exclude ? filter->exclude : CreateIdMap(&r->image->user_type);
	search->seen_number = -1;
	search->k = k;
	mf_heap_start(&search->best, palloc(sizeof(MfScored) * k), k);
	search->capacity = 1024;
	search->scores = palloc(sizeof(double) * search->capacity);
	search->threshold = -INFINITY;
	search->context = CurrentMemoryContext;
	if (filter->grouping.per_group == 0)
		return;
	LoadUserGroups(&filter->grouping, &r->image->user_type, filter->candidates);
	search->grouping = &filter->grouping;
	search->taken = HugeZeroArray(filter->grouping.names->count + 1, sizeof(int32));
}

/* Whether a user is to be left out: by their id, or because their row says that they had the item at the training. */
static bool
IsLeftOut(const UserSearch *search, const StoredRow *row)
{
	bytea	   *seen;
	bool		has;

	if (FindId(search->left_out, row->id) >= 0)
		return true;
	if (search->seen_number < 0 || row->seen == (Datum) 0)
		return false;
	seen = DatumGetByteaPP(row->seen);
	has = HasSeen(search->recommender->image, row->id, seen, search->seen_number);
	if (PointerGetDatum(seen) != row->seen)
		pfree(seen);
	return has;
}

/* How good a stored user is: by likeness, or by the score that a list of theirs would show. */
static double
UserScore(const UserSearch *search, const StoredRow *row)
{
	if (search->cosine)
		return mf_cosine(search->target, row->vector, row->factors);
	return ShownScore(&search->recommender->image->objective, row->bias, row->spread,
					  mf_dot(search->target, row->vector, row->factors) + search->offset);
}

/* By decreasing score, of equal ones the smaller id first; for qsort. */
static int
CompareRankedUsers(const void *a, const void *b)
{
	const RankedUser *x = a;
	const RankedUser *y = b;

	if (x->score != y->score)
		return x->score > y->score ? -1 : 1;
	return (x->number > y->number) - (x->number < y->number);
}

/* The users gathered, sorted by rank; their numbers are those of the dictionary, which is sorted by id. */
static RankedUser *
RankUsers(UserSearch *search)
{
	int32		n = search->users->count;
	RankedUser *ranked = palloc_extended(sizeof(RankedUser) * Max(n, 1), MCXT_ALLOC_HUGE);
	int32	   *rank = SortIdMap(search->users);

	for (int32 i = 0; i < n; i++)
		ranked[i] = (RankedUser) {search->scores[i], rank ? rank[i] : i};
	if (rank)
		pfree(rank);
	qsort(ranked, n, sizeof(RankedUser), CompareRankedUsers);
	return ranked;
}

/* Keeps the k best of the users gathered with at most so many of each group, in order. */
static void
CutUsers(UserSearch *search)
{
	const Grouping *grouping = search->grouping;
	IdMap	   *users = search->users;
	int32		n = users->count;
	MemoryContext old = MemoryContextSwitchTo(search->context);
	RankedUser *ranked = RankUsers(search);

	search->users = CreateIdMap(&search->recommender->image->user_type);
	for (int32 i = 0; i < n && search->users->count < search->k; i++)
	{
		int64		user = IdAt(users, ranked[i].number);
		int32		group = GroupOfUser(grouping, user);

		if (group > 0 && search->taken[group]++ >= grouping->per_group)
			continue;
		search->scores[search->users->count] = ranked[i].score;
		(void) AddId(search->users, user);
	}
	for (int32 i = 0; i < n; i++)
		search->taken[GroupOfUser(grouping, IdAt(users, ranked[i].number))] = 0;
	if (search->users->count == search->k)
		search->threshold = search->scores[search->k - 1];
	pfree(ranked);
	MemoryContextDelete(users->context);
	MemoryContextSwitchTo(old);
}

/*
 * Scores one stored user, and keeps them where they may be among the best.  A score that equals the worst one
 * kept may win by its id, which counts at the end: so it is not turned away here.
 */
static void
ScoreUser(void *state, const StoredRow *row)
{
	UserSearch *search = state;
	MfHeap	   *best = &search->best;
	double		score;

	CHECK_FOR_INTERRUPTS();
	if (row->factors != mf_dimensions(&search->recommender->image->objective) ||
		(search->candidates && FindId(search->candidates, row->id) < 0))
		return;
	score = UserScore(search, row);
	if ((search->grouping ? score < search->threshold : best->count == best->k && score < best->entry[0].score) ||
		IsLeftOut(search, row))
		return;
	if (search->grouping == NULL)
		mf_heap_push(best, search->users->count, score);
	else if (search->users->count >= (int64) search->k + MANY_USERS)
		CutUsers(search);
	if (search->users->count >= search->capacity)
	{
		search->capacity *= 2;
		search->scores = repalloc_huge(search->scores, sizeof(double) * search->capacity);
	}
	search->scores[search->users->count] = score;
	(void) AddId(search->users, row->id);
}

/* Lists the users gathered, the k best with at most so many of each group. */
static void
ListCutUsers(UserSearch *search, UserList *list)
{
	CutUsers(search);
	list->count = search->users->count;
	list->user = palloc(sizeof(int64) * Max(list->count, 1));
	list->score = palloc(sizeof(float) * Max(list->count, 1));
	for (int32 i = 0; i < list->count; i++)
	{
		list->user[i] = IdAt(search->users, i);
		list->score[i] = (float) search->scores[i];
	}
}

/* Lists the k best of all users, by decreasing score, of equal ones the smaller id first. */
static void
ListBestUsers(UserSearch *search, UserList *list)
{
	MfHeap	   *best = &search->best;
	int32	   *rank;

	(void) ReadAllUsers(search->recommender, search->seen_number >= 0, ScoreUser, search);
	if (search->grouping)
	{
		ListCutUsers(search, list);
		return;
	}
	rank = SortIdMap(search->users);
	mf_heap_start(best, best->entry, search->k);
	for (int32 i = 0; i < search->users->count; i++)
		mf_heap_push(best, rank ? rank[i] : i, search->scores[i]);
	mf_heap_sort(best);
	list->user = palloc(sizeof(int64) * search->k);
	list->score = palloc(sizeof(float) * search->k);
	for (list->count = 0; list->count < best->count; list->count++)
	{
		list->user[list->count] = IdAt(search->users, best->entry[list->count].number);
		list->score[list->count] = (float) best->entry[list->count].score;
	}
}

/* Leaves out a user who has a row of the item; a CurrentRowFunction. */
static void
LeaveOutUser(void *state, int64 user, const Observation *row)
{
	(void) row;
	(void) AddId(state, user);
}

/*
 * The k best users for an item that a filter lets in, by the score that their lists would show, without those who have
 * it: had it at the training, or have rows of it in the source, where there is one.  None for an item that the model
 * does not know.
 */
void
MakeUserList(const Recommender *r, int64 item, UserFilter *filter, int k, UserList *list)
{
	const Image *image = r->image;
	int32		number = FindId(&image->ids, item);
	UserSearch	search;

	memset(list, 0, sizeof(UserList));
	if (number < 0)
		return;
	InitUserSearch(&search, r, filter, k);
	search.seen_number = ItemNumber(image, number);
	if (r->model->source && ReadsSource(r))
		LookupItemRows(OpenSourceOf(r, NULL), item, LeaveOutUser, search.left_out);
	search.target = mf_index_vector(&image->index, number, AlignedArray(image->index.ld, sizeof(float)));
	search.offset = image->index.offset ? image->index.offset[image->index.position[number]] : 0;
	ListBestUsers(&search, list);
}

/*
 * The k users that a filter lets in whose vectors are nearest to a user's, by cosine; never that user.  None for one
 * who is not in the model.
 */
void
MakeSimilarUsers(Recommender *r, int64 user, UserFilter *filter, int k, UserList *list)
{
	UserState	state;
	UserSearch	search;

	memset(list, 0, sizeof(UserList));
	if (!LoadUser(r, user, false, &state))
		return;
	InitUserSearch(&search, r, filter, k);
	search.target = state.vector;
	search.cosine = true;
	(void) AddId(search.left_out, user);
	ListBestUsers(&search, list);
}
