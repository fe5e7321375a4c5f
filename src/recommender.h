/*
 * recommender.h - lists, predictions and explanations from an opened model.
 */
#ifndef MFREC_RECOMMENDER_H
#define MFREC_RECOMMENDER_H

#include "image.h"
#include "model.h"

/* A model, one version of it and its items, opened for one call. */
typedef struct Recommender
{
	Model	   *model;
	int32		version;
	Image	   *image;
} Recommender;

/* Where a user's vector comes from. */
typedef enum Reason
{
	REASON_MODEL,				/* the stored vector */
	REASON_FRESH,				/* folded in from the user's present rows */
	REASON_POPULAR				/* nothing is known */
} Reason;

/* A user as a list needs him; vector has ld floats. */
typedef struct UserState
{
	Reason		reason;
	float	   *vector;
	float		bias;
	int32	   *seen;			/* items of the present rows, ascending; none unless they were read */
	int			nseen;
} UserState;

/* Which items may be in a list, as ids of the item type. */
typedef struct ListFilter
{
	int64	   *candidates;
	int			ncandidates;
	bool		has_candidates;
	int64	   *exclude;
	int			nexclude;
} ListFilter;

/* A list: item numbers and scores, best first. */
typedef struct TopList
{
	int			count;
	int32	   *item;
	float	   *score;
} TopList;

extern void OpenRecommender(Recommender *r, const char *model, int32 version);
extern void CloseRecommender(Recommender *r);

extern bool LoadUser(Recommender *r, int64 user, UserState *state);
extern void LookAtUser(Recommender *r, int64 user, bool known, UserState *state);
extern bool FoldInBasket(Recommender *r, const int64 *items, const float *ratings, int n, UserState *state);

extern void MakeList(Recommender *r, const UserState *user, const ListFilter *filter, bool leave_out_seen,
					 int k, TopList *list);
extern void MakePopularList(Recommender *r, const ListFilter *filter, int k, TopList *list);
extern void MakeSimilarItems(Recommender *r, int32 item, int k, TopList *list);
extern double DotProduct(const float *a, const float *b, int n);
extern double Cosine(const float *a, const float *b, int n);
extern double PredictRating(const Recommender *r, const UserState *user, int32 item);
extern double PredictInterest(const Recommender *r, const UserState *user, int32 item);
extern int	ExplainItem(Recommender *r, int64 user, int32 item, int k, int32 **items, double **contributions);

#endif
