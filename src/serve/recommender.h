/*
 * recommender.h - lists and predictions from an opened model.
 */
#ifndef MFREC_RECOMMENDER_H
#define MFREC_RECOMMENDER_H

#include "image/image_cache.h"
#include "model/factor_rows.h"
#include "model/model_cache.h"
#include "serve/boosts.h"

/* A model, one version of it and its items, opened for one call. */
typedef struct Recommender
{
	CachedModel *cached;
	const Model *model;			/* of cached */
	int32		version;
	Image	   *image;
} Recommender;

/* Where a user's vector comes from; the column reason of mf_recommend. */
typedef enum Reason
{
	REASON_MODEL,				/* the stored vector */
	REASON_FRESH,				/* folded in from the user's current rows */
	REASON_POPULAR,				/* nothing is known */
	REASON_PROFILE,				/* no ratings; the stored vector is what attributes of the user say */
	REASON_TRENDING				/* nothing is known, and the list is of what is popular of late */
} Reason;

/* A user as a list needs them; the vector has ld floats, padding 0. */
typedef struct UserState
{
	Reason		reason;
	float	   *vector;
	float		bias;
	float		spread;			/* by what their ratings were divided, see core/base/spread.c */
	int32		count;			/* ratings in the training; of a stored vector */
	int64		fingerprint;	/* of the rows that a stored vector was made from; 0: not known */
	const float *prior;			/* ld floats: where attributes of the user draw them; NULL: to the mean user */
	int32	   *seen;			/* items that they had at the training and by the current rows, where these
								 * were read; numbers in any order, some twice */
	int			nseen;
} UserState;

/*
 * Which items may be in a list, by their numbers in the image; negative ones are of items that the model does
 * not know.  And what is added to their scores.
 */
typedef struct ListFilter
{
	int32	   *candidates;		/* only these; NULL: all */
	int			ncandidates;
	int32	   *exclude;		/* none of these */
	int			nexclude;
	bool		rated;			/* only items that somebody has rated: no cold ones */
	const int32 *group;			/* by item, 1 or more; NULL: no groups */
	int			per_group;		/* at most so many of each; not beside boosts, see group_cap.c */
	const Boosts *boosts;		/* NULL: none */
} ListFilter;

/* An order of all items of an image, best first, for users of whom nothing is known. */
typedef struct ItemOrder
{
	const int32 *items;
	const float *trends;		/* by item, the scores: faded counts; NULL: they are numbers of ratings */
} ItemOrder;

/* A list: numbers and scores of items, best first. */
typedef struct TopList
{
	int			count;
	int32	   *item;
	float	   *score;			/* as the search gives it: see ShowScores */
} TopList;

extern void OpenRecommender(Recommender *r, const char *model, int32 version);
extern void CloseRecommender(Recommender *r);

extern bool ReadsSource(const Recommender *r);
extern const SourceLookup *OpenSourceOf(const Recommender *r, const char *until);
extern void InitUser(const Recommender *r, UserState *state, Reason reason);
extern int64 ReadAllUsers(const Recommender *r, bool with_seen, StoredRowFunction function, void *state);
extern void CheckUserRow(const Recommender *r, const StoredRow *row);
extern bool LoadUser(Recommender *r, int64 user, bool with_seen, UserState *state);

extern int64 RatedItems(const Image *image);
extern void *SearchWorkspace(Size size);
extern uint64_t *MarkItems(const Image *image, const int32 *items, int64 n, uint64_t *bitmap);
extern uint64_t *MarkColdItems(const Image *image);
extern uint64_t *MarkExcluded(const Image *image, const ListFilter *filter);
extern const Boosts *AllowedBoosts(const Image *image, const ListFilter *filter);
extern void InitList(const Image *image, int k, TopList *list);
extern void MakeList(Recommender *r, const UserState *user, const ListFilter *filter, bool leave_out_seen,
					 int k, TopList *list);
extern int	PoolLength(double diversity, int k);
extern void DiversifyList(const Image *image, const float *new_vectors, double diversity, int k, TopList *list);
extern bool NothingKnown(const UserState *user);
extern ItemOrder ColdStartOrder(const Image *image, Reason reason);
extern void MakePopularList(Recommender *r, ItemOrder order, const UserState *user, const ListFilter *filter, int k,
							TopList *list);
extern double RatingOf(const MfObjective *objective, const UserState *user, const float *vector, double bias);
extern double PredictRating(const Recommender *r, const UserState *user, int32 item);
extern void ShowScores(const Recommender *r, const UserState *user, TopList *list);
extern double ShownScore(const MfObjective *objective, double user_bias, double user_spread, double score);
extern double Predict(const Recommender *r, const UserState *user, int32 item);

#endif
