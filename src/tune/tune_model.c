/*
 * tune_model.c - what the trials so far say of those to come: a quadratic function of their parameters.
 *
 * Near the preset the metric is a hill with one top, so a response surface of the second order (Box and Wilson 1951) says
 * with some twenty trials where that is, and is not misled by luck, as the best of them is: rows held out favour one
 * trial, but not all of its neighbours.  Its terms are 1, x and x^2 of each coordinate, x y of pairs of the first ones,
 * and one for each level of what has no order.  All are drawn to 0 (ridge regression), as strongly as predicts each
 * trial best by the others (leave-one-out, which the inverse gives in closed form).  Trials far below the best count
 * less: how deep the valley is says nothing of the top.
 *
 * What is not known yet is a normal distribution of the coefficients, and a function drawn from that is one that they
 * could be: trials at the top of such a function look both where it is high and where little is known (Thompson
 * sampling, Russo et al. 2018).
 */
#include "postgres.h"

#include <math.h>

#include "core/base/rng.h"
#include "tune/tune_model.h"

/* What coefficients' prior deviation may be, in deviations of noise; the one that predicts best is taken. */
static const double looseness[] = {0.1, 0.3, 1, 3};

/* A trial that is so many deviations of all below the best one counts half. */
#define HALF_WEIGHT_AT 1.0

/* So much of the values' variance is noise at least. */
#define LEAST_NOISE 1e-3

/* Terms of the second order are smaller than those of the first, as a rule. */
#define SECOND_ORDER 0.7

struct TuneModel
{
	TuneSpace	space;
	int			terms;
	double	   *mean;			/* terms: of the coefficients */
	double	   *root;			/* terms x terms, lower triangle: L of A = L L', whose inverse is their covariance over
								 * that of noise */
	double		noise;			/* deviation of a value of weight 1 */
};

/* How many terms a space has. */
static int
CountTerms(const TuneSpace *space)
{
	return 1 + 2 * space->coordinates + space->crossed * (space->crossed - 1) / 2 + (space->levels > 1 ? space->levels : 0);
}

/* The terms of a place, each in the unit that makes its prior deviation the same. */
static void
FillTerms(const TuneSpace *space, const TunePlace *place, double *term)
{
	int			n = 0;

	term[n++] = 10;				/* which is hardly drawn to 0 */
	for (int k = 0; k < space->coordinates; k++)
	{
		term[n++] = place->at[k];
		term[n++] = SECOND_ORDER * place->at[k] * place->at[k];
	}
	for (int k = 0; k < space->crossed; k++)
		for (int l = 0; l < k; l++)
			term[n++] = SECOND_ORDER * place->at[k] * place->at[l];
	for (int l = 0; l < space->levels && space->levels > 1; l++)
		term[n++] = place->level == l;
}

/* Replaces the lower triangle of a (n x n), positive definite, by its root L, of which a = L L'. */
static void
TakeRoot(double *a, int n)
{
	for (int i = 0; i < n; i++)
		for (int j = 0; j <= i; j++)
		{
			double		sum = a[i * n + j];

			for (int k = 0; k < j; k++)
				sum -= a[i * n + k] * a[j * n + k];
			a[i * n + j] = i == j ? sqrt(Max(sum, 1e-12)) : sum / a[j * n + j];
		}
}

/* x = L^-1 x, and x = L^-T x. */
static void
SolveForward(const double *root, int n, double *x)
{
	for (int i = 0; i < n; i++)
	{
		for (int k = 0; k < i; k++)
			x[i] -= root[i * n + k] * x[k];
		x[i] /= root[i * n + i];
	}
}

static void
SolveBackward(const double *root, int n, double *x)
{
	for (int i = n - 1; i >= 0; i--)
	{
		for (int k = i + 1; k < n; k++)
			x[i] -= root[k * n + i] * x[k];
		x[i] /= root[i * n + i];
	}
}

/* What each trial counts, by how far below the best one it is. */
static void
FillWeights(const double *values, int count, double *weight)
{
	double		best = -INFINITY;
	double		sum = 0;
	double		squares = 0;
	double		deviation;

	for (int i = 0; i < count; i++)
	{
		best = Max(best, values[i]);
		sum += values[i];
	}
	for (int i = 0; i < count; i++)
		squares += (values[i] - sum / count) * (values[i] - sum / count);
	deviation = sqrt(squares / count);
	for (int i = 0; i < count; i++)
	{
		double		below = deviation > 0 ? (best - values[i]) / (HALF_WEIGHT_AT * deviation) : 0;

		weight[i] = 1 / (1 + below * below);
	}
}

/*
 * Fits the coefficients to weighted values with a prior deviation of `loose` deviations of noise; returns the weighted
 * mean of squares by which each value is missed by the others.
 */
static double
FitLoosely(TuneModel *m, const double *terms, const double *values, const double *weight, int count, double loose)
{
	int			n = m->terms;
	double	   *row = palloc(sizeof(double) * n);
	double		squares = 0;
	double		weights = 0;
	double		residuals = 0;

	memset(m->root, 0, sizeof(double) * n * n);
	memset(m->mean, 0, sizeof(double) * n);
	for (int k = 0; k < n; k++)
		m->root[k * n + k] = 1 / (loose * loose);
	for (int i = 0; i < count; i++)
		for (int k = 0; k < n; k++)
		{
			for (int l = 0; l <= k; l++)
				m->root[k * n + l] += weight[i] * terms[i * n + k] * terms[i * n + l];
			m->mean[k] += weight[i] * terms[i * n + k] * values[i];
		}
	TakeRoot(m->root, n);
	SolveForward(m->root, n, m->mean);
	SolveBackward(m->root, n, m->mean);
	for (int i = 0; i < count; i++)
	{
		double		miss = values[i];
		double		leverage = 0;

		for (int k = 0; k < n; k++)
			miss -= terms[i * n + k] * m->mean[k];
		memcpy(row, terms + i * n, sizeof(double) * n);
		SolveForward(m->root, n, row);
		for (int k = 0; k < n; k++)
			leverage += weight[i] * row[k] * row[k];
		residuals += weight[i] * miss * miss;
		miss /= Max(1 - leverage, 0.05);
		squares += weight[i] * miss * miss;
		weights += weight[i];
	}
	pfree(row);
	m->noise = sqrt(sqrt(residuals * squares) / weights);
	return squares / weights;
}

/* Brings values to a mean of 0 and a deviation of 1, so that priors are in their unit; NULL where all are the same. */
static double *
StandardValues(const double *values, int count, double *mean, double *deviation)
{
	double	   *standard = palloc(sizeof(double) * count);
	double		squares = 0;

	*mean = 0;
	for (int i = 0; i < count; i++)
		*mean += values[i] / count;
	for (int i = 0; i < count; i++)
		squares += (values[i] - *mean) * (values[i] - *mean);
	*deviation = sqrt(squares / count);
	for (int i = 0; i < count; i++)
		standard[i] = *deviation > 0 ? (values[i] - *mean) / *deviation : 0;
	return standard;
}

/* A model, palloc'd, of so many trials' values, the larger the better, by where they lie. */
TuneModel *
FitModel(const TuneSpace *space, const TunePlace *places, const double *values, int count)
{
	TuneModel  *m = palloc0(sizeof(TuneModel));
	int			n = m->terms = CountTerms(space);
	double	   *terms = palloc(sizeof(double) * n * count);
	double	   *weight = palloc(sizeof(double) * count);
	double		mean;
	double		deviation;
	double	   *standard = StandardValues(values, count, &mean, &deviation);
	double		least = INFINITY;
	int			best = 0;

	m->space = *space;
	m->mean = palloc(sizeof(double) * n);
	m->root = palloc(sizeof(double) * n * n);
	for (int i = 0; i < count; i++)
		FillTerms(space, &places[i], terms + i * n);
	FillWeights(standard, count, weight);
	for (int l = 0; l < (int) lengthof(looseness); l++)
	{
		double		missed = FitLoosely(m, terms, standard, weight, count, looseness[l]);

		if (missed < least)
		{
			least = missed;
			best = l;
		}
	}
	FitLoosely(m, terms, standard, weight, count, looseness[best]);
	m->noise = Max(m->noise, sqrt(LEAST_NOISE)) * deviation;
	for (int k = 0; k < n; k++)
		m->mean[k] *= deviation;
	m->mean[0] += mean / 10;
	return m;
}

/* How many numbers a curve has, see DrawCurve(). */
int
ModelTerms(const TuneModel *model)
{
	return model->terms;
}

/* What a function of the model's has at a place. */
double
CurveValue(const TuneModel *model, const double *curve, const TunePlace *place)
{
	double		term[1 + 2 * MOST_PLACES + MOST_PLACES * MOST_PLACES];
	double		value = 0;

	FillTerms(&model->space, place, term);
	for (int k = 0; k < model->terms; k++)
		value += curve[k] * term[k];
	return value;
}

/* What the model expects at a place. */
double
ModelValue(const TuneModel *model, const TunePlace *place)
{
	return CurveValue(model, model->mean, place);
}

/*
 * Draws a function that values may be of, by what is known of them: ModelTerms() numbers.  doubt: what is not known
 * counts so much; 0: the function is what is expected.
 */
void
DrawCurve(const TuneModel *model, uint64 seed, uint64 number, double doubt, double *curve)
{
	uint64		stream = mf_random_bits(seed, number);

	for (int k = 0; k < model->terms; k++)
		curve[k] = mf_random_normal(stream, k);
	SolveBackward(model->root, model->terms, curve);
	for (int k = 0; k < model->terms; k++)
		curve[k] = model->mean[k] + doubt * model->noise * curve[k];
}

/* The variance over some trials of what the model makes of one coordinate, or of the level (coordinates). */
static double
EffectVariance(const TuneModel *model, const TunePlace *places, int count, int coordinate)
{
	double		sum = 0;
	double		squares = 0;

	for (int i = 0; i < count; i++)
	{
		TunePlace	place = {.level = 0};
		double		value;

		if (coordinate < model->space.coordinates)
			place.at[coordinate] = places[i].at[coordinate];
		else
			place.level = places[i].level;
		value = ModelValue(model, &place);
		sum += value;
		squares += value * value;
	}
	return Max(squares / count - (sum / count) * (sum / count), 0);
}

/*
 * How much each coordinate matters, and the level behind them: the shares that they have of the variance that they
 * explain one by one, over these trials; all 0 where nothing is explained.
 */
void
ModelShares(const TuneModel *model, const TunePlace *places, int count, double *share)
{
	int			n = model->space.coordinates + 1;
	double		sum = 0;

	for (int k = 0; k < n; k++)
		sum += share[k] = EffectVariance(model, places, count, k);
	for (int k = 0; k < n; k++)
		share[k] = sum > 0 ? share[k] / sum : 0;
}
