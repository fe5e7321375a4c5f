/*
 * tune_model.h - what the trials so far say of those to come.
 */
#ifndef MFREC_TUNE_MODEL_H
#define MFREC_TUNE_MODEL_H

#include "c.h"

/*
 * Where a trial lies among all that can be tried: a coordinate for each parameter that is searched, 0 where it is the
 * preset's, -1 and 1 at the ends of its range, and one of some levels of what has no order.
 */
#define MOST_PLACES 32

typedef struct TunePlace
{
	double		at[MOST_PLACES];
	int			level;
} TunePlace;

/* What is searched: so many coordinates, of which pairs of the first `crossed` may matter together, and levels. */
typedef struct TuneSpace
{
	int			coordinates;
	int			crossed;
	int			levels;			/* 1: there is nothing without an order */
} TuneSpace;

typedef struct TuneModel TuneModel;

extern TuneModel *FitModel(const TuneSpace *space, const TunePlace *places, const double *values, int count);
extern double ModelValue(const TuneModel *model, const TunePlace *place);
extern void DrawCurve(const TuneModel *model, uint64 seed, uint64 number, double doubt, double *curve);
extern double CurveValue(const TuneModel *model, const double *curve, const TunePlace *place);
extern int	ModelTerms(const TuneModel *model);
extern void ModelShares(const TuneModel *model, const TunePlace *places, int count, double *share);

#endif
