/*
 * baseline.h - what is reached without a model: the most popular items, and biases alone.
 */
#ifndef MFREC_BASELINE_H
#define MFREC_BASELINE_H

#include "core/metrics/auc.h"
#include "image/image_cache.h"
#include "source/ratings.h"

/* A baseline, made of the rows that the model was trained on. */
typedef struct Baseline
{
	const Image *image;
	MfPopularity popularity;	/* of the image's items */
	double		mean;			/* of the ratings; this and the biases are there once SolveBiases has run */
	double	   *item_bias;		/* nitems of the image */
} Baseline;

extern void InitBaseline(Baseline *baseline, const Image *image);
extern void SolveBiases(Baseline *baseline, Ratings *train, const int32 *train_item);
extern double BaselineUserBias(double residual, int64 count);
extern double BaselineRating(const Baseline *baseline, double user_bias, int32 item);
extern int	PopularList(const Baseline *baseline, const int32 *seen, int64 nseen, int k, int32 *list);

#endif
