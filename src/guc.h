/*
 * guc.h - the settings, and the arguments of a training.
 */
#ifndef MFREC_GUC_H
#define MFREC_GUC_H

#include "nodes/pg_list.h"
#include "utils/jsonb.h"

typedef enum ColdStart
{
	COLD_START_POPULAR,
	COLD_START_EMPTY,
	COLD_START_ERROR
} ColdStart;

/* Settings: see the README's table, which uses the same words. */
extern char *mfrec_model;
extern int	mfrec_threads;
extern int	mfrec_max_memory;
extern int	mfrec_keep_versions;
extern int	mfrec_cold_start;
extern bool mfrec_verbose;

typedef enum Feedback
{
	FEEDBACK_AUTO,				/* explicit if there is a rating column */
	FEEDBACK_EXPLICIT,
	FEEDBACK_IMPLICIT
} Feedback;

/*
 * What mf_train was asked for.  A number that was not given is NaN (or -1 where it is an integer)
 * and replaced by the preset's default once the data is known; text that was not given is NULL.
 */
typedef struct TrainOptions
{
	bool		kept;			/* of an earlier call, which mfrec.model keeps */
	Feedback	feedback;
	int			factors;
	int			iterations;
	double		regularization;
	double		alpha;
	double		interest_weight;
	double		taste;
	double		tolerance;
	double		validation;
	double		validation_from;	/* no argument: where in 0 .. 1 the rows to hold out begin; of one seed, rows are disjoint where these ranges are */
	int64		seed;
	char	   *user_column;
	char	   *item_column;
	char	   *rating_column;	/* NULL: none */
	bool		rating_named;	/* false: "rating" if there is such a column */
	char	   *weight_column;	/* NULL: none */
} TrainOptions;

#define MFREC_MAX_FACTORS 1000
#define MFREC_MAX_ITERATIONS 10000

extern void DefineSettings(void);
extern int	ThreadCount(void);
extern void InitTrainOptions(TrainOptions *options);
extern void CheckTrainOptions(const TrainOptions *options);
extern Feedback ParseFeedback(const char *name);
extern const char *FeedbackName(Feedback feedback);
extern char *TrainOptionsToJson(const TrainOptions *options);
extern void TrainOptionsFromJson(TrainOptions *options, Jsonb *json);
extern double JsonNumber(Jsonb *json, const char *key, double missing);
extern char *JsonString(Jsonb *json, const char *key);

#endif
