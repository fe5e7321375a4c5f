/*
 * shown.c - whether users rated what they chose, or what they were shown.
 *
 * A model with both parts learns from what people chose to rate.  Where they did not choose, as with swipes,
 * thumbs and surveys, lists by it show what people answered rather than what they like.
 */
#include "postgres.h"

#include <math.h>

#include "core/base/rng.h"
#include "core/metrics/choice.h"
#include "train/shown.h"

/*
 * Users are compared in pairs: so many at most, and so that all pairs take about so many steps, a few for
 * each rating.  Very long rows, which take most steps, are left out.
 */
#define MOST_USERS 512
#define MOST_STEPS 4000000.0
#define STEPS_PER_RATING 20.0
#define LONGEST_ROW 10000

/* Of fewer users nothing is said about choice. */
#define LEAST_USERS 30

/* An excess of shared items above that of chance (see core/metrics/choice.c) below which users did not choose. */
#define NO_CHOICE 0.03

/* Copies the rows of users drawn by chance out of the first part of the cells, in the current memory context. */
static void
DrawUsers(Ratings *ratings, MfChoices *choices)
{
	MfRows		rows;
	int64	   *start;
	int32	   *item;
	double		share;

	RewindCells(&ratings->by_user);
	if (!NextCells(&ratings->by_user, &rows))
		return;
	share = sqrt(Min(MOST_STEPS, STEPS_PER_RATING * ratings->rows) * ratings->by_user.nrows / ratings->rows);
	share = Min(share, MOST_USERS) / rows.nrows;
	start = palloc0(sizeof(int64) * (2 * MOST_USERS + 1));
	item = NULL;
	for (int pass = 0; pass < 2; pass++)
	{
		choices->nusers = 0;
		for (int64 u = 0; u < rows.nrows && choices->nusers < 2 * MOST_USERS; u++)
		{
			int64		n = rows.start[u + 1] - rows.start[u];

			if (n == 0 || n > LONGEST_ROW || mf_random_uniform(1, rows.first + u) >= share)
				continue;
			if (item)
				memcpy(item + start[choices->nusers], rows.column + rows.start[u], sizeof(int32) * n);
			start[choices->nusers + 1] = start[choices->nusers] + n;
			choices->nusers++;
		}
		if (item == NULL)
			item = palloc(sizeof(int32) * (start[choices->nusers] + 1));
	}
	choices->start = start;
	choices->item = item;
}

/*
 * Whether users share no more items than chance makes them share, as far as a sample can tell: with two
 * standard errors to spare.
 */
static bool
IsByChance(const Training *t)
{
	MfChoices	choices = {.nitems = t->problem.nitems, .count = t->item_counts};
	double		excess;
	double		error;

	DrawUsers(t->ratings, &choices);
	if (choices.nusers < LEAST_USERS)
		return false;
	excess = mf_choice_excess(&choices, palloc(mf_choice_workspace(choices.nusers, choices.nitems)), &error);
	ereport(DEBUG1,
			(errmsg("users share items by an excess of %.4f, with a standard error of %.4f", excess, error)));
	return excess + 2 * error < NO_CHOICE;
}

/*
 * Whether the ratings are two values, as of likes and dislikes.  Two kinds of stars of a handful of users may
 * be all that there is yet.
 */
static bool
AreTwoValues(const Ratings *ratings)
{
	return ratings->distinct == 2 &&
		(Min(ratings->value[0], ratings->value[1]) <= 0 || ratings->by_user.nrows >= LEAST_USERS);
}

/*
 * A notice where ratings look like answers rather than choices, unless an argument has said how to weigh
 * choices.  source: the relation's name.
 */
void
NoticeShown(const Training *t, const char *source)
{
	const Ratings *ratings = t->ratings;
	bool		two = AreTwoValues(ratings);

	if (!mf_is_joint(&t->objective) || !isnan(t->options.interest_weight))
		return;
	if (!two && !IsByChance(t))
		return;
	ereport(NOTICE,
			(two ? errmsg("ratings of \"%s\" have two values, %g and %g", source,
						 Min(ratings->value[0], ratings->value[1]), Max(ratings->value[0], ratings->value[1])) :
			 errmsg("who has rated what in \"%s\" says nothing about taste", source),
			 two ? errdetail("Lists go by what people chose to rate, too. If they were shown what they rated, such lists show what they answer, not what they like.") :
			 errdetail("Pairs of users share as many items as chance alone makes them share, and lists go by what people chose to rate, too."),
			 errhint("If people rated what they were shown, as in swipes or surveys, train with interest_weight => 0: then lists go by the predicted rating. If they chose, pass interest_weight => %.3g, and this notice is not given.",
					 t->objective.interest_weight)));
}
