/*
 * baseline.h - what is reached without a model: the most popular items, and biases alone.
 */
#ifndef MFREC_BASELINE_H
#define MFREC_BASELINE_H

#include "core/metrics/auc.h"
#include "image/image_cache.h"
#include "source/ratings.h"

/* A baseline of ratings, made of the rows that the model was trained on. */
typedef struct Baseline
{
	const Image *image;
	double		mean;			/* of the ratings */
	double	   *item_bias;		/* nitems of the image */
} Baseline;

extern void InitPopularity(MfPopularity *popularity, const Image *image, int64 nitems);
extern void SolveBiases(Baseline *baseline, const Image *image, Ratings *train, const int32 *train_item);
extern double BaselineUserBias(double residual, int64 count);
extern double BaselineRating(const Baseline *baseline, double user_bias, int32 item);
extern int	PopularList(const Image *image, int64 nitems, const int32 *seen, int64 nseen, int k, int32 *list);

#endif
