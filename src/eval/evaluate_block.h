/*
 * evaluate_block.h - the users of an evaluation, so many at a time.
 */
#ifndef MFREC_EVALUATE_BLOCK_H
#define MFREC_EVALUATE_BLOCK_H

#include "eval/baseline.h"
#include "eval/content_profile.h"
#include "eval/item_part.h"
#include "eval/metrics_report.h"
#include "serve/recommend_batch.h"
#include "serve/recommender.h"
#include "source/ratings.h"

/* A test row of a user in a block, of an item that the model knows and the user was not trained on. */
typedef struct TestCell
{
	int32		item;			/* number in the image */
	float		value;
	bool		relevant;
} TestCell;

/* A block: users first .. first + n - 1 of the test relation. */
typedef struct Block
{
	int32		first;
	int			n;
	double	   *residual;		/* n: sum of the user's training ratings less mean and item biases */
	int64	   *seen_start;		/* n: seen items of user u are seen[seen_start[u] ..], ascending */
	int64	   *seen_count;
	int32	   *seen;
	int64	   *cell_start;		/* n: the counted test rows likewise, by item */
	int64	   *cell_count;
	TestCell   *cell;
	UserTally  *tally[PARTS];	/* n each; as many parts as the evaluation has.  What became of rows that are left
								 * out is in that of all items */
} Block;

/*
 * An evaluation at work.  Users and items have numbers of three kinds: in the test relation, in the training
 * rows, and items in the image.  Tables lead from the first two to others, -1 where there is no such user or
 * item.
 */
typedef struct Evaluation
{
	Recommender r;
	int			k;				/* as it was asked for; lists may be shorter */
	double		diversity;		/* of the model's lists */
	double		relevant_from;	/* NaN: every row is relevant */
	Source		test_source;
	Source		train_source;
	Ratings    *test;
	Ratings    *train;
	MfParallel	parallel;
	int64		block_bytes;
	bool		with_ratings;	/* predicted ratings are compared */
	int32	   *test_item;		/* item numbers of both relations to numbers in the image, or -1 */
	int32	   *train_item;
	int32	   *train_user;		/* users of the test relation to users of the training rows, or -1 */
	int32	   *slot;			/* users of the training rows to users of the block, or -1 */
	bool	   *known;			/* of the test relation's users: whether they are in the model */
	float	   *vector;			/* and their vectors, ld floats each */
	float	   *bias;
	float	   *spread;			/* likewise: of users' ratings */
	Baseline	baseline;
	ItemPart	part[PARTS];	/* all items, and where cold ones are measured these and the others */
	int			nparts;
	ContentItems *content;		/* of cold items, which are PART_CONTENT then; NULL: they are not measured by that */
	int64	   *counts;			/* of the image's items: ratings */
	int64		model_users;
	double		largest;		/* value of a counted row */
	EvaluationSums total[PARTS];
	EvaluationSums open;		/* lists of all items, against all that users took: also what the model does not know */
	int64		unknown_users;
	int64		irrelevant_users;
	Lists		lists;
	Block		block;
} Evaluation;

extern void StartBlock(Evaluation *e, int32 first);
extern void CollectBlock(Evaluation *e);
extern void JudgeRatings(Evaluation *e);
extern void EndBlock(Evaluation *e);

#endif
