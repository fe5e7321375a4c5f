/*
 * train_options.h - the arguments of a training.
 */
#ifndef MFREC_TRAIN_OPTIONS_H
#define MFREC_TRAIN_OPTIONS_H

#include "core/base/padding.h"
#include "features/feature_arguments.h"
#include "source/ratings.h"
#include "source/source_columns.h"

/* Which rows validation holds out. */
typedef enum ValidationBy
{
	VALIDATION_DEFAULT,			/* the newest where there is a time column, else by chance */
	VALIDATION_BY_TIME,
	VALIDATION_RANDOM
} ValidationBy;

/*
 * What mf_train was asked for.  A number that was not given is NaN (or -1 where it is an integer)
 * and replaced by the preset's default once the data is known; text that was not given is NULL.
 */
typedef struct TrainOptions
{
	SourceColumns columns;
	int			factors;
	int			rating_factors; /* further ones, of ratings alone */
	int			iterations;
	double		regularization;
	double		alpha;
	double		interest_weight;
	double		taste;
	double		feature_strength;
	double		trend_weight;	/* see mf_item_recency() */
	double		user_exponent;
	double		item_exponent;
	double		tolerance;
	double		validation;
	ValidationBy validation_by;
	double		validation_from;	/* no argument: where in 0 .. 1 the rows to hold out begin, see Holdout */
	bool		reread;			/* no argument either, see Holdout */
	int64		seed;
	FeatureArguments features;	/* of items */
	FeatureArguments user_features;
} TrainOptions;

#define MFREC_MAX_ITERATIONS 10000

extern void InitTrainOptions(TrainOptions *options);
extern void CheckTrainOptions(const TrainOptions *options);
extern bool HasBothParts(const TrainOptions *options, Feedback feedback);
extern void CheckRatingFactors(const TrainOptions *options, Feedback feedback);
extern void CheckUserFeatures(const TrainOptions *options, Feedback feedback);
extern ValidationBy ParseValidationBy(const char *name);
extern double TrainHalfLife(const TrainOptions *options);
extern Holdout TrainHoldout(const TrainOptions *options);
extern char *TrainOptionsToJson(const TrainOptions *options);
extern void TrainOptionsFromJson(TrainOptions *options, Jsonb *json);

#endif
