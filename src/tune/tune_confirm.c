/*
 * tune_confirm.c - whether the best trial is better than the preset on rows that the search has not seen.
 *
 * The best of many is the one that the rows held out happened to favour most, so it has to prove itself on others: it
 * and the preset are trained again, from the beginning and with all iterations, on further splits, and it wins only if
 * chance alone would hardly give such differences by user: see core/metrics/paired_test.c.  As one trial alone is
 * tested, on rows that had no part in its choice, how many there were to choose from needs no correction.  So tuning on
 * little data, or on noise, ends with the defaults rather than with luck.
 */
#include "postgres.h"

#include "guc.h"
#include "tune/tune_confirm.h"
#include "tune/tune_run.h"
#include "tune/tune_split.h"

/*
 * Splits on which the best trial is confirmed; the next one is taken only where the ones before leave it open.  Each holds
 * out few rows, fewer than the search mostly, as what is best with three quarters of the rows need not be with all of them.
 * The newest rows are those of few users, and of a time like no other: of these more are held out than the search has.
 */
#define CONFIRMATIONS 3
#define CONFIRMATION_SHARE 0.1
#define NEWEST_SHARE 0.25
#define CONFIRMATION_USERS 10000

/* After each of them: how likely chance may be for the trial to win, all in all one in 100, and to go on. */
static const double win_below[CONFIRMATIONS] = {0.003, 0.003, 0.004};

/* A trial that chance beats more often than this after a split, but the last one, is given up. */
static const double go_on_below[CONFIRMATIONS - 1] = {0.25, 0.1};

/* A gain below this share is not worth other parameters, however sure it is. */
#define LEAST_GAIN 0.005

/* What the confirmations of a trial have found so far. */
typedef struct Confirmation
{
	double	   *preset_groups;	/* see CollectMetric */
	double	   *trial_groups;
	double	   *difference;		/* of the two, positive where the trial is better */
	int			splits;
	double		preset_value;	/* sums over the splits */
	double		trial_value;
	double		chance;			/* how likely it alone gives such differences */
} Confirmation;

/* The metric of a trial on the current split; adds those of its users to `groups`, of METRIC_GROUPS sums. */
static double
Confirm(Tuner *t, Trial *trial, double *groups)
{
	WeighSplit(t, trial);
	memset(groups, 0, sizeof(double) * METRIC_GROUPS);
	CollectMetric(t->validation, groups);
	return TrainTrial(t, trial, t->preset.iterations);
}

/*
 * Trains the preset and the best trial on a split that begins at `from`, and compares them on all splits so
 * far.
 */
static void
ConfirmOnSplit(Tuner *t, Trial *best, Confirmation *c, double from, double fraction)
{
	Trial	   *preset = &t->trials[0];

	LoadSplit(t, from, fraction, CONFIRMATION_USERS);
	c->preset_value += Confirm(t, preset, c->preset_groups);
	c->trial_value += Confirm(t, best, c->trial_groups);
	for (int g = 0; g < METRIC_GROUPS; g++)
		c->difference[g] += LowerIsBetter(t->validation) ? c->preset_groups[g] - c->trial_groups[g] :
			c->trial_groups[g] - c->preset_groups[g];
	c->splits++;
	c->chance = ChanceOfGroups(c->difference, (uint64) t->request->options.seed);
	preset->confirmed = c->preset_value / c->splits;
	best->confirmed = c->trial_value / c->splits;
	ereport(mfrec_verbose ? NOTICE : DEBUG1,
			(errmsg("trial %d on rows that the search has not seen: %s %.5f, of the defaults %.5f", best->number,
					ValidationMetric(t->validation), best->confirmed, preset->confirmed),
			 errdetail("Chance alone would do as well with probability %.4f.", c->chance)));
}

/* Whether the trial is better than the preset by a share that is worth other parameters. */
static bool
IsWorthIt(const Tuner *t, const Confirmation *c)
{
	double		gain = LowerIsBetter(t->validation) ? c->preset_value - c->trial_value : c->trial_value - c->preset_value;

	return gain > 0 && gain >= LEAST_GAIN * c->preset_value;
}

/*
 * Whether the best trial is better than the preset beyond chance, on rows that the search has not seen;
 * searched: the fraction that it has.
 */
bool
IsConfirmed(Tuner *t, Trial *best, double searched)
{
	double		fraction = Min(CONFIRMATION_SHARE, 1 - searched);
	int			splits;
	Confirmation c = {0};

	if (t->training.ratings->newest_held_out)	/* older rows must be left to train on */
		fraction = Min(Max(searched, Min(2 * searched, NEWEST_SHARE)), (1 - searched) / 2);
	splits = Max(1, (int) ((1 - searched) / fraction + 1e-9) - t->training.ratings->newest_held_out);
	c.preset_groups = palloc(sizeof(double) * METRIC_GROUPS);
	c.trial_groups = palloc(sizeof(double) * METRIC_GROUPS);
	c.difference = palloc0(sizeof(double) * METRIC_GROUPS);
	for (int i = 0; i < CONFIRMATIONS && i < splits; i++)
	{
		FreeSplit(t);
		ConfirmOnSplit(t, best, &c, searched + i * fraction, fraction);
		if (c.chance <= win_below[i])
			return IsWorthIt(t, &c);
		if (i < CONFIRMATIONS - 1 && c.chance > go_on_below[i])
			return false;
	}
	return false;
}
