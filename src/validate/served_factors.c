/*
 * served_factors.c - the factors of a stored version, in the numbering of other ratings.
 *
 * So two versions are measured alike: on the users and items with ratings, which come first in that numbering.  Users whom the
 * version does not know are its mean user, as serving has it; items that it does not know are nothing to anybody.
 */
#include "postgres.h"

#include "core/base/padding.h"
#include "ids/id_growth.h"
#include "model/factor_columns.h"
#include "model/factor_rows.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "validate/served_factors.h"

/* Rows of one side on their way into arrays. */
typedef struct Loading
{
	ServedFactors *served;
	const IdMap *ids;			/* of the ratings */
	IdType		stored;			/* ids as the table has them */
	int64		known;			/* rows that the ratings have, too */
	bool		users;
} Loading;

/*
 * The number that the ratings have for a stored row; negative: it has no rating, being known by its attributes alone at
 * most, or no vector of the version's length.
 */
static int32
NumberOf(const Loading *loading, const StoredRow *row)
{
	const MfProblem *problem = &loading->served->problem;
	int64		id;
	int32		number;

	if (row->factors != problem->factors || !ConvertId(&loading->stored, loading->ids->type, row->id, &id))
		return -1;
	number = FindId(loading->ids, id);
	return number < (loading->users ? problem->nusers : problem->nitems) ? number : -1;
}

/* Takes the vectors of a stored user or item. */
static void
TakeRow(void *state, const StoredRow *row)
{
	Loading    *loading = state;
	MfFactors  *factors = &loading->served->factors;
	int32		number = NumberOf(loading, row);

	if (number < 0)
		return;
	loading->known++;
	if (!loading->users)
	{
		CopyItemRow(row, number, factors);
		return;
	}
	memcpy(factors->user + (Size) number * mf_padded(row->factors), row->vector, sizeof(float) * row->factors);
	if (factors->user_bias)
	{
		factors->user_bias[number] = row->bias;
		loading->served->user_spread[number] = row->spread;
	}
}

/* The problem of the version's objective, and room for its factors, users all the mean one. */
void
MakeServedFactors(ServedFactors *served, int64 nusers, int64 nitems)
{
	MfFactors  *factors = &served->factors;
	int64		ld;

	served->problem = mf_objective_problem(&served->objective, nusers, nitems);
	ld = mf_padded(served->problem.factors);
	factors->user = AlignedZeroArray(nusers * ld, sizeof(float));
	for (int64 u = 0; u < nusers; u++)
		memcpy(factors->user + u * ld, served->mean_user, sizeof(float) * served->problem.factors);
	if (!mf_ratings_alone(&served->objective))
		factors->interest = AlignedZeroArray(nitems * ld, sizeof(float));
	if (!mf_is_explicit(&served->objective))
		return;
	factors->rating = AlignedZeroArray(nitems * ld, sizeof(float));
	factors->item_bias = AlignedZeroArray(nitems, sizeof(float));
	factors->user_bias = AlignedZeroArray(nusers, sizeof(float));
	factors->user_spread = served->user_spread = AlignedArray(nusers, sizeof(float));
	for (int64 u = 0; u < nusers; u++)
	{
		factors->user_bias[u] = (float) served->mean_bias;
		served->user_spread[u] = 1;
	}
}

/* Reads a model table of users or items, or a part of one; returns how many of its rows are among the ids. */
int64
LoadServedSide(Oid relid, int32 version, ServedFactors *served, const IdMap *ids, bool users)
{
	const char *id_column = users ? USER_ID : ITEM_ID;
	Loading		loading = {.served = served,.ids = ids,.users = users};

	FactorIdType(relid, id_column, &loading.stored);
	if (IdsConvert(&loading.stored, ids->type))
		(void) ReadFactors(relid, id_column, version, &loading.stored, 0, TakeRow, &loading);
	return loading.known;
}

/*
 * What a version's parameters say of it, and room for its factors, in the current memory context, of so many users and
 * items of other ratings; false: there is no such version.
 */
bool
OpenServedFactors(const Model *model, int32 version, int64 nusers, int64 nitems, ServedFactors *served)
{
	Jsonb	   *parameters = VersionParameters(model, version);

	memset(served, 0, sizeof(ServedFactors));
	if (parameters == NULL)
		return false;
	ObjectiveFromJson(&served->objective, parameters);
	served->mean_user = MeanUserFromJson(parameters, mf_dimensions(&served->objective), &served->mean_bias);
	MakeServedFactors(served, nusers, nitems);
	return true;
}
