/*
 * update_state.h - an update on its way: what its steps read and write.
 */
#ifndef MFREC_UPDATE_STATE_H
#define MFREC_UPDATE_STATE_H

#include "core/als/objective.h"
#include "core/base/threads.h"
#include "model/model_catalog.h"
#include "rows/row_weight.h"
#include "source/ratings.h"
#include "source/source.h"
#include "update/side.h"

/* What attributes make of items that have changed; by place among these, ld = mf_padded(d). */
typedef struct ItemPriors
{
	float	   *list;			/* n x ld: of the vectors that lists go by, 0: nothing; NULL: the version has no
								 * attributes */
	float	   *rating;			/* n x ld: of second ones, NULL: there are none */
	float	   *bias;			/* n */
	bool	   *has_prior;		/* n: list is not 0 */
} ItemPriors;

/* An update of the version that serves.  Arrays live in the update's memory context. */
typedef struct Update
{
	const Model *model;
	Source		source;
	MfParallel	parallel;
	MfObjective objective;		/* of the version, like the next: constants stay as they were trained */
	float	   *mean_user;		/* mf_padded(d) */
	const float *served_mean;	/* d: the mean user as serving has it, of ratings alone, too */
	const float *cold_shift;	/* d: what cold items have beside the map; NULL: 0 */
	double		mean_bias;
	bool		draws;			/* items are drawn to the map of their attributes */
	bool		profiles;		/* users are drawn to points of their own */
	Side		users;
	Side		items;
	Ratings    *read;			/* the source: fingerprints, and rows that are no ratings */
	Triplets	rows;			/* its ratings, numbered as the sides are, duplicates too; by NarrowRows() those that
								 * matter */
	bool		by_time;		/* from the first these are not all: of users who have changed, and of items that are
								 * to be solved */
	int64		rows_read;
	double		late;			/* seconds by which rows may come late */
	double		read_until;		/* until what time the source is known, in seconds; not finite: it is not said */
	int32	   *counted;		/* by_time: by number, ratings that an item which stays has now, 0 of others */
	FadeSum    *more_left;		/* likewise: what is left of the rows that it has more; see TrendingOf() */
	Triplets	others;			/* and its other rows, by users there are; there may be users behind them */
	Triplets	cancelled;		/* of u->cells, by place: pairs whose values add up to 0 */
	int64		numbers;		/* all numbers of items, as users' rows mean them, are below */
	int64		ratings;		/* how many more there are, of users and items alike */

	bool		stores_seen;	/* the version says what users have */

	/* by SolveChanges */
	Selection	changed_users;	/* those that are stored anew, or for the first time */
	Selection	changed_items;
	ItemPriors	item_priors;
	Selection	their_items;	/* that changed users have rows of */
	Cells	   *cells;			/* of changed users: changed_users.count x their_items.count; NULL: there are none */
	float	   *priors;			/* by place among changed users, x mf_padded(d): where they are drawn to; NULL: to
								 * the mean user */
	bool	   *has_prior;		/* likewise */
} Update;

/* row_select.c */
extern void NarrowRows(Update *u);
extern Cells *SelectCells(Update *u, const Selection *users, const Selection *items, bool by_item, Triplets *cancelled);
extern void SelectItemsOf(Update *u, const Selection *users, Selection *items);
extern void SelectUsersOf(Update *u, const Selection *items, Selection *users);
extern Cells *SelectOthers(Update *u);

/* recent_rows.c */
extern bool ReadRecentRows(Update *u, const char **hint);

/* item_growth.c */
extern bool ItemStays(int64 before, int64 now);
extern bool FewUsersChanged(const Update *u, int64 changed);
extern void FindCountedItems(Update *u);

/* change_solve.c */
extern void SolveChanges(Update *u);

/* trend_count.c */
extern Trending TrendingOf(const Update *u);
extern bool HasTrends(const Update *u);
extern void CountTrends(Update *u);

/* change_store.c */
extern bool StoresSeen(const Update *u);
extern void StoreChanges(Update *u);

/* change_publish.c */
extern void PublishChanges(const Update *u);

#endif
