/*
 * ratings.h - the rows of a source as a sparse matrix in two orientations, and what was found in passing.
 */
#ifndef MFREC_RATINGS_H
#define MFREC_RATINGS_H

#include "ids/id_map.h"
#include "rows/row_weight.h"
#include "source/coo_store.h"
#include "source/csr_store.h"
#include "source/unrated.h"

/*
 * Which rows are kept from training, by a place in 0 .. 1: those from `from` to `from` + fraction.  Of one seed, rows
 * are disjoint where these ranges are.  The place is a hash of seed, user and item, by their ranks or by their ids,
 * which are the same at the next training; or, by time, that of the row among all, the newest first: then what is newer
 * than the rows held out is kept from training, too.
 */
typedef struct Holdout
{
	double		fraction;		/* 0: none */
	double		from;
	uint64		seed;
	bool		by_time;
	bool		by_id;
	bool		reread;			/* the source was read before: nothing is said of it again */
} Holdout;


/*
 * What rows users and items have: sums of hashes of them, over ids and numbers as they are read.  Where rows are the
 * same, in any order, so are the sums; 0 where there is none.
 */
typedef struct Fingerprints
{
	int64		nusers;			/* elements of the next, at least as many as there are users by now */
	int64	   *user;
	int64		nitems;
	int64	   *item;
} Fingerprints;

/*
 * The rows of a source as a sparse matrix of users x items.  Users and items are numbered in the order of their
 * ids, so that nothing depends on the order in which rows are read.
 */
typedef struct Ratings
{
	IdMap	   *users;
	IdMap	   *items;
	int64		rows;			/* cells of the matrix, after duplicates were merged and rows held out, */
	int64		dislikes;		/* and of these the ones of weights below 0 */
	Cells		by_user;		/* users x items: ratings standardized, weights with a mean of 1 */
	Cells		by_item;		/* items x users, the same cells; empty where it was not asked for */
	bool		is_explicit;	/* cells have ratings, else weights at most */

	/* of explicit ratings */
	int			distinct;		/* different values, counted up to 3 */
	float		value[2];		/* the first two of them */
	double		min;
	double		max;
	double		mean;			/* weighted, as training weighs them */
	double		deviation;
	double		user_variance;	/* see UserSpreads(); 0: users' ratings keep the spread that they have */
	const float *spread;		/* by user, what their ratings are divided by; NULL: 1 */
	double		weight_scale;	/* the mean of the weights that were given, see LinearWeight() */
	bool		weights_given;	/* there is a column of weights: they say more than how far rows have faded */

	/* of implicit feedback */
	double		value_scale;	/* see LogWeight(); 0: all weights are 1 */

	/* of rows that fade */
	Fading		fading;
	int64		faded;			/* rows that are trained on, */
	FadeSum		left;			/* and what is left of all of them */

	/* of rows with times, where items' trends are wanted */
	double		trend_half_life;	/* seconds, see TrendHalfLife(); 0: they are not wanted */
	FadeSum    *trends;			/* by item, what is left of its rows that are trained on; or NULL */

	/* found in passing */
	double		read_until;		/* see TimeReadUntil(): by all rows, those held out too; not finite without a column
								 * of times */
	int64		null_rows;		/* rows passed over because user, item or value is null */
	int64		null_times;		/* rows passed over because their time alone is null */
	int64		other_events;	/* rows passed over because their kind of event has no weight */
	int64	   *event_rows;		/* rows of each kind that has one; NULL without */
	int64		zero_rows;		/* rows passed over because an implicit value of 0 is no observation */
	int64		negative_rows;	/* rows with an implicit value below 0 */
	int64		dislike_rows;	/* the same of values by their weights, such as those of kinds of events */
	int64		merged;			/* rows merged into others of the same user and item */
	int64		memory;			/* bytes that sorting took, about, */
	int64		temporary;		/* and bytes of its temporary files */

	Fingerprints *fingerprints; /* of all ratings, those held out too, by user and item; NULL: they are not wanted */

	/* what is left out of the matrix */
	bool		newest_held_out;	/* rows are held out by time: users may have older ones of the same items */
	Triplets	held_out;		/* rows kept from training for validation: numbers as given, not standardized */
	Triplets	cancelled;		/* users and items of rows whose values add up to 0: they are no ratings */
	Unrated    *unrated;		/* while rows are read: those that are no ratings; NULL: they are not wanted */
	Cells	   *others;			/* by user, what they have besides their ratings; NULL: nothing, or not wanted */
	IdMap	   *unknown;		/* users behind the last one in others; NULL: none */
} Ratings;

/*
 * What explicit ratings come to, as training weighs them or not: sums over how far they are from the first one, so that
 * squares do not cancel.
 */
typedef struct RatingSums
{
	double		shift;			/* the first rating; NaN: there is none */
	double		weights;
	double		sum;
	double		squares;
	double		within;			/* squares around users' own means, never weighted, */
	double		free;			/* and how many of them are free: one less than ratings, of each user */
	double		min;
	double		max;
} RatingSums;

/* What weights come to: given ones of explicit ratings, or values of implicit feedback. */
typedef struct WeightSums
{
	bool		present;		/* else cells have no weights */
	int64		likes;			/* cells, but for */
	int64		dislikes;		/* those of weights below 0 */
	double		weights;		/* sum over likes */
	double		values;			/* the same of log(1 + weight) */
	float		min;			/* of all, without their sign */
	float		max;
} WeightSums;

struct Source;

extern void CheckDictionaries(const IdMap *users, const IdMap *items, int64 others);
extern void StandardizeRatings(Ratings *ratings, const struct Source *source);
extern double TrendHalfLife(double half_life);
extern double MeanTrend(const Ratings *ratings);
extern float *ItemTrends(const Ratings *ratings, int64 nitems);
extern double MeanFade(const Ratings *ratings);
extern void SumWeights(Ratings *ratings, WeightSums *sums);
extern void AddWeightSums(WeightSums *to, const WeightSums *from);
extern void ChooseScales(Ratings *ratings, const WeightSums *sums);
extern void RescaleWeights(Ratings *ratings, const WeightSums *sums);
extern void SettleWeights(Ratings *ratings);
extern void SumRatings(Ratings *ratings, bool weighted, RatingSums *sums);
extern void AddRatingSums(RatingSums *to, const RatingSums *from);
extern void SummarizeRatings(Ratings *ratings, const RatingSums *weighted, const RatingSums *plain,
							 const struct Source *source);
extern void RescaleRatings(Ratings *ratings);
extern void ReportSkippedRows(const Ratings *ratings);
extern void ReportEvents(const struct Source *source, const Ratings *ratings);
extern void FreeRatings(Ratings *ratings);
extern void CheckLikes(const Ratings *ratings, const char *name);

#endif
