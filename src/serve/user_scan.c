/*
 * user_scan.c - the best of all users of a version for an item, or by likeness to a user.
 *
 * There is no image of users: a search reads the model's table, as the caller may see it.  It takes one pass,
 * and memory for the users that were among the best when their row came: k * log(users / k) or so, where rows
 * come in no order.  Whether a user has the item is asked last, of those few alone.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/linalg/dot.h"
#include "image/seen_items.h"
#include "serve/user_scan.h"

/*
 * Prepares a search for the k best users, in the current memory context.  It leaves no user out yet; the caller sets
 * what it looks for: target and cosine, or target and offset.
 */
void
InitUserSearch(UserSearch *search, const Recommender *r, int k)
{
	memset(search, 0, sizeof(UserSearch));
	search->recommender = r;
	search->users = CreateIdMap(&r->image->user_type);
	search->left_out = CreateIdMap(&r->image->user_type);
	search->seen_number = -1;
	search->k = k;
	mf_heap_start(&search->best, palloc(sizeof(MfScored) * k), k);
	search->capacity = 1024;
	search->scores = palloc(sizeof(double) * search->capacity);
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

/*
 * Scores one stored user, and keeps them where they may be among the best.  A score that equals the worst one kept may
 * win by its id, which counts at the end: so it is not turned away here.
 */
static void
ScoreUser(void *state, const StoredRow *row)
{
	UserSearch *search = state;
	MfHeap	   *best = &search->best;
	double		score;

	CHECK_FOR_INTERRUPTS();
	if (row->factors != mf_dimensions(&search->recommender->image->objective))
		return;
	score = search->cosine ? mf_cosine(search->target, row->vector, row->factors) :
		ShownScore(&search->recommender->image->objective, row->bias,
				   mf_dot(search->target, row->vector, row->factors) + search->offset);
	if ((best->count == best->k && score < best->entry[0].score) || IsLeftOut(search, row))
		return;
	mf_heap_push(best, search->users->count, score);
	if (search->users->count >= search->capacity)
	{
		search->capacity *= 2;
		search->scores = repalloc_huge(search->scores, sizeof(double) * search->capacity);
	}
	search->scores[search->users->count] = score;
	(void) AddId(search->users, row->id);
}

/*
 * The k best of all users, by decreasing score, of equal ones the smaller id first; returns how many
 * there are.  Ids live as long as the search.
 */
int
FindBestUsers(UserSearch *search, int64 **ids, float **scores)
{
	const Recommender *r = search->recommender;
	MfHeap	   *best = &search->best;
	int32	   *rank;

	(void) ReadAllUsers(r, search->seen_number >= 0, ScoreUser, search);
	rank = SortIdMap(search->users);
	mf_heap_start(best, best->entry, search->k);
	for (int32 i = 0; i < search->users->count; i++)
		mf_heap_push(best, rank ? rank[i] : i, search->scores[i]);
	mf_heap_sort(best);
	*ids = palloc(sizeof(int64) * search->k);
	*scores = palloc(sizeof(float) * search->k);
	for (int i = 0; i < best->count; i++)
	{
		(*ids)[i] = IdAt(search->users, best->entry[i].number);
		(*scores)[i] = (float) best->entry[i].score;
	}
	return best->count;
}
