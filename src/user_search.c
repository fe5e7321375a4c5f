/*
 * user_search.c - the best of all users of a version for an item, or by likeness to a user.
 *
 * There is no image of users: a search reads the model's table, as the caller may see it.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/best.h"
#include "factors.h"
#include "user_search.h"

/* A search that leaves nobody out; the caller sets what it looks for. */
void
InitUserSearch(UserSearch *search, const Recommender *r)
{
	memset(search, 0, sizeof(UserSearch));
	search->recommender = r;
	search->users = CreateIdMap(&r->image->user_type);
	search->left_out = CreateIdMap(&r->image->user_type);
	search->capacity = 1024;
	search->scores = palloc(sizeof(double) * search->capacity);
}

/* Scores one stored user. */
static void
ScoreUser(void *state, int64 id, int32 count, float bias, int factors, const float *vector,
		  const float *rating_vector)
{
	UserSearch *search = state;

	(void) count;
	(void) rating_vector;
	CHECK_FOR_INTERRUPTS();
	if (factors != search->recommender->image->objective.factors || FindId(search->left_out, id) >= 0)
		return;
	if (search->users->count >= search->capacity)
	{
		search->capacity *= 2;
		search->scores = repalloc_huge(search->scores, sizeof(double) * search->capacity);
	}
	search->scores[search->users->count] = search->cosine ? Cosine(search->target, vector, factors) :
		ShownScore(&search->recommender->image->objective, bias,
				   DotProduct(search->target, vector, factors) + search->offset);
	(void) AddId(search->users, id);
}

/*
 * The k best of all users, by decreasing score, of equal ones the smaller id first; returns how many
 * there are.  Ids live as long as the search.
 */
int
FindBestUsers(UserSearch *search, int k, int64 **ids, double **scores)
{
	const Recommender *r = search->recommender;
	MfBest		best;
	int32	   *rank;

	ReadFactors(r->model->user_relid, USER_ID, r->version, &r->image->user_type, ScoreUser, search);
	rank = SortIdMap(search->users);
	mf_best_start(&best, palloc(sizeof(MfScored) * k), k);
	for (int32 i = 0; i < search->users->count; i++)
		mf_best_offer(&best, rank ? rank[i] : i, search->scores[i]);
	mf_best_sort(&best);
	*ids = palloc(sizeof(int64) * k);
	*scores = palloc(sizeof(double) * k);
	for (int i = 0; i < best.count; i++)
	{
		(*ids)[i] = IdAt(search->users, best.entry[i].number);
		(*scores)[i] = best.entry[i].score;
	}
	return best.count;
}
