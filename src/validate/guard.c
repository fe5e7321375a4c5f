/*
 * guard.c - whether a version that has been trained may serve, or would make things worse.
 *
 * A night's training goes by what the source has that night.  Where that is not what it should be, lists would be worse
 * until somebody notices.  So a version does not serve where
 *
 * 1. the source has lost most of its rows;
 * 2. its lists are worse than those of the most popular items, or no better although those of the version that serves
 *    clearly were: it has not learned who takes what, as where ids of rows have been mixed up;
 * 3. it is clearly worse than the version that serves.
 *
 * The latter two are measured on rows that no version learns from: a share of the pairs of user and item, chosen by a
 * hash of their ids, which are the same pairs at every training.  Both versions are measured as they are stored, on the
 * same users, and by lists that do not go by recency: the pairs are of all times, and so are popular items, with which
 * lists of now would not compare well.  What chance explains counts for nothing (core/metrics/paired_test.c).  3 needs a
 * version that has kept these pairs from learning, too, and was not updated since: mf_update() learns from all rows.
 *
 * So good rows are not refused, but by chance, and not again the next night.  What a night has found is kept with its
 * version.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "compat.h"
#include "model/model_write.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/json.h"
#include "validate/guard.h"
#include "validate/served_factors.h"
#include "validate/validation.h"

/* The pairs that are held out must be the same at every training, whatever its seed. */
#define GUARD_SEED UINT64CONST(0x6775617264)

/* Below this share of the ratings of the version that serves, most have gone. */
#define MOST_ROWS 0.5

/* So many users are measured at most, and fewer than so many say nothing. */
#define MOST_USERS 10000
#define LEAST_USERS 50

/* What is worse than the baseline beyond this chance is; and than the version that serves, by this share besides. */
#define BASELINE_CHANCE 0.05
#define CLEAR_CHANCE 0.001
#define CLEAR_SHARE 0.02

/* A metric of one of those that are compared: its value, and users' parts of it (see CollectMetric). */
typedef struct Measured
{
	double		value;
	double	   *group;
} Measured;

/* Which rows are held out for a guard: this share of the pairs. */
Holdout
GuardHoldout(double share)
{
	return (Holdout) {.fraction = share,.seed = GUARD_SEED,.by_id = true};
}

/* Prepares to collect a metric. */
static Measured
BeginMeasuring(Validation *validation)
{
	Measured	measured = {.group = palloc0(sizeof(double) * METRIC_GROUPS)};

	CollectMetric(validation, measured.group);
	return measured;
}

/* How likely chance alone makes `a` better than `b` by as much as it is. */
static double
ChanceOfLead(const Validation *validation, const Measured *a, const Measured *b)
{
	double	   *difference = palloc(sizeof(double) * METRIC_GROUPS);

	for (int g = 0; g < METRIC_GROUPS; g++)
		difference[g] = LowerIsBetter(validation) ? b->group[g] - a->group[g] : a->group[g] - b->group[g];
	return ChanceOfGroups(difference, GUARD_SEED);
}

/* Whether `a` is better than `b` by a share of it, and by more than chance explains. */
static bool
IsAhead(const Validation *validation, const Measured *a, const Measured *b, double share, double chance)
{
	double		lead = LowerIsBetter(validation) ? b->value - a->value : a->value - b->value;

	return lead > share * b->value && ChanceOfLead(validation, a, b) < chance;
}

/* What measures factors of a problem on the rows held out. */
static Validation *
ValidationOf(const GuardedVersion *v, const MfProblem *problem, const MfObjective *objective, MfMetricId metric)
{
	Validation *validation = v->rows ? CreateValidationOf(v->rows, problem, objective, v->parallel) :
		CreateValidation(v->ratings, problem, objective, v->parallel);

	SetMetric(validation, metric, NAN, MOST_USERS);
	return validation;
}

/* Reason 1; NULL: it is none. */
static char *
WhyRows(const GuardedVersion *v)
{
	bool		updated;
	int64		before = VersionRatings(v->model, v->served, &updated);
	int64		now = v->ratings->rows + v->held_out;

	if (now >= MOST_ROWS * before)
		return NULL;
	return psprintf("the source has lost most of its rows: it has %lld ratings now, and had %lld in version %d",
					(long long) now, (long long) before, v->served);
}

/* Whether the version that serves was clearly ahead of the most popular items when it was trained. */
static bool
WasAhead(const GuardedVersion *v)
{
	Jsonb	   *parameters = v->served > 0 ? VersionParameters(v->model, v->served) : NULL;

	return parameters && JsonNumber(parameters, GUARD_CHANCE, 1) < CLEAR_CHANCE;
}

/* Reason 2, of lists; NULL: it is none. */
static char *
WhyBaseline(const GuardedVersion *v, Validation *validation, const Measured *new, GuardFindings *findings)
{
	Measured	popular;

	if (LowerIsBetter(validation))
		return NULL;
	popular = BeginMeasuring(validation);
	popular.value = findings->baseline = ValidatePopular(validation, v->item_counts);
	findings->chance = ChanceOfLead(validation, new, &popular);
	if (!IsAhead(validation, &popular, new, 0, BASELINE_CHANCE) && !(findings->chance > BASELINE_CHANCE && WasAhead(v)))
		return NULL;
	return psprintf("%s on rows that it has not learned from is %.4f, not above the %.4f of the most popular items beyond chance",
					ValidationMetric(validation), new->value, popular.value);
}

/* Whether the version that serves has not learned from the rows held out either. */
static bool
IsComparable(const GuardedVersion *v)
{
	Jsonb	   *parameters = VersionParameters(v->model, v->served);
	bool		updated;

	(void) VersionRatings(v->model, v->served, &updated);
	return parameters && !updated && JsonNumber(parameters, GUARD, 0) >= v->holdout.fraction;
}

/* The factors of the version that serves; false where there is nothing of it to be compared. */
static bool
LoadServed(const GuardedVersion *v, ServedFactors *served)
{
	const Model *model = v->model;
	const Ratings *ratings = v->ratings;
	int64		nusers = v->rows ? 0 : ratings->by_user.nrows;

	if (!OpenServedFactors(model, v->served, nusers, ratings->by_item.nrows, served) ||
		LoadServedSide(model->item_relid, v->served, served, ratings->items, false) == 0)
		return false;
	return (v->rows ? v->rows->served(v->rows->state, v->served, served) :
			LoadServedSide(model->user_relid, v->served, served, ratings->users, true)) > 0;
}

/* Reason 3; NULL: it is none. */
static char *
WhyServed(const GuardedVersion *v, const Validation *validation, MfMetricId metric, const Measured *new)
{
	ServedFactors served;
	Validation *other;
	Measured	old = {.value = NAN};

	if (!v->holdout.by_id || v->served == 0 || !IsComparable(v))
		return NULL;
	if (LoadServed(v, &served))
	{
		other = ValidationOf(v, &served.problem, &served.objective, metric);
		old = BeginMeasuring(other);
		old.value = Validate(other, &served.factors);
	}
	if (v->rows)
		v->rows->trained(v->rows->state);
	if (isnan(old.value) || !IsAhead(validation, &old, new, CLEAR_SHARE, CLEAR_CHANCE))
		return NULL;
	return psprintf("%s on rows that neither has learned from is %.4f, that of version %d %.4f",
					ValidationMetric(validation), new->value, v->served, old.value);
}

/* Reasons 2 and 3; NULL: there are none. */
static char *
WhyMeasured(const GuardedVersion *v, GuardFindings *findings)
{
	MfMetricId	metric = mf_ratings_alone(v->objective) ? MF_METRIC_RMSE : MF_METRIC_NDCG;
	Validation *validation;
	Measured	new;
	char	   *why;

	if (v->held_out == 0)
		return NULL;
	validation = ValidationOf(v, v->problem, v->objective, metric);
	if (!LowerIsBetter(validation) && ValidationUsers(validation) < LEAST_USERS)
		return NULL;
	new = BeginMeasuring(validation);
	new.value = findings->value = Validate(validation, v->factors);
	why = WhyBaseline(v, validation, &new, findings);
	return why ? why : WhyServed(v, validation, metric, &new);
}

/*
 * Finds out whether a version may serve: *findings, whose reason is palloc'd.  Where none serves yet there is nothing
 * to make worse, and what is measured is for the next one.  Takes the factors of the version that serves into memory.
 */
void
InspectVersion(const GuardedVersion *version, GuardFindings *findings)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec guard", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(scratch);
	char	   *why;

	*findings = (GuardFindings) {NULL, NAN, NAN, NAN};
	PushBookkeepingSnapshot();
	why = version->served > 0 ? WhyRows(version) : NULL;
	if (why == NULL)
		why = WhyMeasured(version, findings);
	PopBookkeepingSnapshot();
	MemoryContextSwitchTo(caller);
	if (why && version->served > 0)
		findings->why = pstrdup(why);
	MemoryContextDelete(scratch);
}

/* What a version's parameters keep of its guard, a JSON object, palloc'd. */
char *
GuardToJson(double share, const GuardFindings *findings)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	appendStringInfo(&json, "\"%s\": %g", GUARD, share);
	if (!isnan(findings->value))
		AppendJsonNumber(&json, "guard_value", findings->value);
	if (!isnan(findings->baseline))
		AppendJsonNumber(&json, "guard_baseline", findings->baseline);
	if (!isnan(findings->chance))
		AppendJsonNumber(&json, GUARD_CHANCE, findings->chance);
	appendStringInfoChar(&json, '}');
	return json.data;
}
