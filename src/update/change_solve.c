/*
 * change_solve.c - vectors of users and items whose rows have changed: rows of the half-sweeps of a training.
 *
 * A half-sweep solves each row of one side for itself, with the other side fixed (core/als/als.c).  So the rows that
 * have changed are solved alone, by the constants of the version:
 *
 * 1. users who are new, by the items that there are: these have something to say of new items;
 * 2. items that are new or have other rows, by the users as they are stored and those of step 1;
 * 3. users who are new or have other rows, by the items as they are now: as folding in at serving finds them.
 *
 * Of items with many ratings most need not be solved for a few more: see item_growth.c.
 *
 * What nobody's rows have changed stays as it is, but for rounding that a list does not show.  All current rows count,
 * those too that the training held out for validation.
 */
#include "postgres.h"

#include <math.h>

#include "core/als/als.h"
#include "core/base/narrow.h"
#include "core/linalg/gram.h"
#include "model/factor_rows.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "update/item_priors.h"
#include "update/user_priors.h"

/* MfFloats: an array of the update's. */
static float *
TakeFloats(int64_t n)
{
	return HugeArray(n, sizeof(float));
}

/* The number of cells in each row, without dislikes: see CountLikes(). */
static int32 *
CountLiked(Cells *cells)
{
	int32	   *counts = HugeArray(cells->nrows, sizeof(int32));

	CountLikes(cells, counts);
	return counts;
}

/* The problem of the version, for so many users and items of so many ratings each. */
static MfProblem
StateProblem(const Update *u, int64 nusers, const int32 *user_counts, int64 nitems, const int32 *item_counts)
{
	MfProblem	problem = mf_objective_problem(&u->objective, nusers, nitems);

	problem.user_mean = u->mean_user;
	mf_objective_regularize(&u->objective, user_counts, item_counts, TakeFloats, &problem);
	return problem;
}

/* The vectors of items, n of them, as the core has them: an array of vectors, and one of second ones or NULL. */
static void
ItemFactors(const MfProblem *problem, float *vectors, float *rating_vectors, float *bias, MfFactors *factors)
{
	factors->interest = problem->has_interest ? vectors : NULL;
	factors->rating = problem->has_interest ? rating_vectors : vectors;
	factors->item_bias = problem->has_rating ? bias : NULL;
}

/*
 * The Gram matrix of a side in the dimensions that both parts share, over those that a training would have; NULL
 * without an interest part.  in: in the side's order, whether each is.
 */
static double *
GramOf(const Update *u, const Side *side, const float *in)
{
	int			d = u->objective.factors;
	double	   *gram = HugeZeroArray((int64) d * d, sizeof(double));

	if (mf_ratings_alone(&u->objective))
		return NULL;
	CheckCore(mf_gram_sums(&u->parallel, side->vectors, mf_padded(side->factors), side->order, side->ids->count, d, in,
						   gram, AlignedZeroArray(mf_gram_sums_size(d), 1)));
	return gram;
}

/* One half-sweep over the rows of `cells`, solved exactly. */
static void
SolveRows(const Update *u, const MfProblem *problem, const MfFactors *factors, MfSide side, Cells *cells, const double *gram)
{
	MfAls	   *als = mf_als_init(AlignedArray(mf_als_size(problem, &u->parallel), 1), problem, factors, &u->parallel);
	MfRows		rows;

	CheckCore(mf_als_begin(als, side, true, gram));
	RewindCells(cells);
	while (NextCells(cells, &rows))
		CheckCore(mf_als_rows(als, &rows));
	CheckCore(mf_als_end(als, NULL));
}

/* Puts vectors of selected ones, by place, in their places of a side; NULL: there are none. */
static void
PutVectors(const Update *u, const Side *side, const Selection *selection, float *to, float *from)
{
	int64		ld = mf_padded(side->factors);

	if (from == NULL)
		return;
	if (side == &u->items)
		mf_narrow_round_rows(from, selection->count, side->factors, (int) ld);
	DropTiny(from, selection->count * ld);
	for (int64 i = 0; i < selection->count; i++)
		memcpy(to + selection->number[i] * ld, from + i * ld, sizeof(float) * ld);
}

/* The same of biases, NULL: all 0, and numbers of ratings. */
static void
PutNumbers(Side *side, const Selection *selection, float *bias, const int32 *counts)
{
	if (bias)
		DropTiny(bias, selection->count);
	for (int64 i = 0; i < selection->count; i++)
	{
		int32		number = selection->number[i];

		side->bias[number] = bias ? bias[i] : 0;
		side->counts[number] = counts[i];
	}
}

/*
 * In the side's order, 1 for those whose vectors a half-sweep of the other side goes by, as those of a training do:
 * users who have rows, if only held out, and items with ratings that are not.
 */
static float *
MarkRated(const Update *u, const Side *side)
{
	float	   *in = HugeArray(side->ids->count, sizeof(float));

	for (int64 i = 0; i < side->ids->count; i++)
	{
		int32		number = side->order[i];

		in[i] = side->current[number] != 0 && (side == &u->users || side->counts[number] > 0);
	}
	return in;
}

/* Brings the ratings of users x items to one spread of each user, by these cells of theirs, which then is the side's. */
static void
TakeSpreads(Update *u, const Selection *users, Cells *cells)
{
	float	   *spread;

	if (!(u->objective.user_variance > 0))
		return;
	spread = UserSpreads(cells, u->objective.user_variance);
	SpreadCells(cells, spread, true);
	for (int64 i = 0; i < users->count; i++)
		u->users.spread[users->number[i]] = spread[i];
}

/*
 * Solves selected users, by cells of them x selected items, which are all that they have, and takes the vectors over;
 * priors: by place, or NULL.
 */
static void
SolveUsers(Update *u, const Selection *users, const Selection *items, Cells *cells, const float *priors)
{
	Side	   *side = &u->users;
	int64		ld = mf_padded(side->factors);
	int32	   *counts = CountCells(cells, cells->nrows, false);
	MfProblem	problem = StateProblem(u, users->count, CountLiked(cells), items->count,
										 GatherValues(items, u->items.counts, sizeof(int32)));
	MfFactors	factors = {.user = AlignedZeroArray(users->count * ld, sizeof(float))};

	problem.user_prior = priors;
	TakeSpreads(u, users, cells);
	ItemFactors(&problem, GatherVectors(&u->items, items, u->items.vectors),
				GatherVectors(&u->items, items, u->items.rating_vectors),
				GatherValues(items, u->items.bias, sizeof(float)), &factors);
	if (problem.has_rating)
		factors.user_bias = HugeZeroArray(users->count, sizeof(float));
	SolveRows(u, &problem, &factors, MF_USERS, cells, GramOf(u, &u->items, MarkRated(u, &u->items)));
	PutVectors(u, side, users, side->vectors, factors.user);
	PutNumbers(side, users, factors.user_bias, counts);
}

/* Step 1: users who are new, by items that are not. */
static void
SolveNewUsers(Update *u)
{
	const Side *side = &u->items;
	bool	   *known = HugeZeroArray(side->ids->count, sizeof(bool));
	Selection	users;
	Selection	items;
	Cells	   *cells;

	Select(&u->users, CHANGE_BIT(CHANGE_ADDED), &users);
	if (users.count == 0)
		return;
	SelectItemsOf(u, &users, &items);
	for (int64 i = 0; i < items.count; i++)
		known[items.number[i]] = side->counts[items.number[i]] > 0;
	SelectMarked(side, known, &items);
	cells = SelectCells(u, &users, &items, false, NULL);
	SolveUsers(u, &users, &items, cells, GatherPriors(u, &users));
	FreeCells(cells);
}

/* Step 2: items that are new or have other rows. */
static void
SolveItems(Update *u, const Selection *items)
{
	Side	   *side = &u->items;
	int64		ld = mf_padded(side->factors);
	Selection	users;
	Cells	   *cells;
	int32	   *counts;
	MfProblem	problem;
	MfFactors	factors = {0};
	float	   *vectors = AlignedZeroArray(items->count * ld, sizeof(float));
	float	   *second = side->rating_vectors ? AlignedZeroArray(items->count * ld, sizeof(float)) : NULL;
	float	   *bias = HugeZeroArray(items->count, sizeof(float));

	SelectUsersOf(u, items, &users);
	cells = SelectCells(u, &users, items, true, NULL);
	if (u->objective.user_variance > 0)
		SpreadCells(cells, GatherValues(&users, u->users.spread, sizeof(float)), false);
	counts = CountLiked(cells);
	problem = StateProblem(u, users.count, GatherValues(&users, u->users.counts, sizeof(int32)), items->count, counts);
	factors.user = GatherVectors(&u->users, &users, u->users.vectors);
	factors.user_bias = problem.has_rating ? GatherValues(&users, u->users.bias, sizeof(float)) : NULL;
	DrawToPriors(u, items, &problem);
	ItemFactors(&problem, vectors, second, bias, &factors);
	SolveRows(u, &problem, &factors, MF_ITEMS, cells, GramOf(u, &u->users, MarkRated(u, &u->users)));
	PutVectors(u, side, items, side->vectors, vectors);
	PutVectors(u, side, items, side->rating_vectors, second);
	PutNumbers(side, items, factors.item_bias, counts);
	FreeCells(cells);
}

/* Users who have lost all rows, and have a point of their own: they are that, with the mean bias, as profiles are. */
static void
PutProfileBias(Update *u)
{
	const Selection *users = &u->changed_users;

	for (int64 i = 0; i < users->count; i++)
		if (u->users.change[users->number[i]] == CHANGE_PROFILED)
			u->users.bias[users->number[i]] = (float) u->mean_bias;
}

/* How many ratings there are of a side. */
static int64
SumCounts(const Side *side)
{
	int64		sum = 0;

	for (int64 i = 0; i < side->ids->count; i++)
		sum += side->counts[i];
	return sum;
}

/* Items without rows have no vector any more, and weigh nothing. */
static void
EmptySide(Side *side)
{
	for (int64 i = 0; i < side->ids->count; i++)
		if (side->change[i] == CHANGE_EMPTIED)
			side->counts[i] = 0;
}

/* Solves all that has changed; see above.  Fills in what Update says. */
void
SolveChanges(Update *u)
{
	int64		before = SumCounts(&u->users);
	Selection	solved;

	SelectUsers(u);
	CoolItems(u);
	Select(&u->items, CHANGE_BIT(CHANGE_ADDED) | CHANGE_BIT(CHANGE_SOLVED) | CHANGE_BIT(CHANGE_COUNTED) |
		   CHANGE_BIT(CHANGE_COOLED), &u->changed_items);
	ReadItemPriors(u);
	SolveNewUsers(u);
	Select(&u->items, CHANGE_BIT(CHANGE_ADDED) | CHANGE_BIT(CHANGE_SOLVED), &solved);
	if (solved.count > 0)
		SolveItems(u, &solved);
	EmptySide(&u->items);
	EmptySide(&u->users);
	if (u->changed_users.count > 0)
	{
		SelectItemsOf(u, &u->changed_users, &u->their_items);
		u->cells = SelectCells(u, &u->changed_users, &u->their_items, false, &u->cancelled);
		SolveUsers(u, &u->changed_users, &u->their_items, u->cells, u->priors);
	}
	PutProfileBias(u);
	u->ratings = SumCounts(&u->users) - before;
}
