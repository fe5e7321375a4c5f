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
		factors->user_bias[number] = row->bias;
}

/* Room for the factors, users all the mean one. */
static void
AllocateFactors(ServedFactors *served, const float *mean_user, double mean_bias)
{
	MfFactors  *factors = &served->factors;
	int64		nusers = served->problem.nusers;
	int64		nitems = served->problem.nitems;
	int64		ld = mf_padded(served->problem.factors);

	factors->user = AlignedZeroArray(nusers * ld, sizeof(float));
	for (int64 u = 0; u < nusers; u++)
		memcpy(factors->user + u * ld, mean_user, sizeof(float) * served->problem.factors);
	if (!mf_ratings_alone(&served->objective))
		factors->interest = AlignedZeroArray(nitems * ld, sizeof(float));
	if (!mf_is_explicit(&served->objective))
		return;
	factors->rating = AlignedZeroArray(nitems * ld, sizeof(float));
	factors->item_bias = AlignedZeroArray(nitems, sizeof(float));
	factors->user_bias = AlignedZeroArray(nusers, sizeof(float));
	for (int64 u = 0; u < nusers; u++)
		factors->user_bias[u] = (float) mean_bias;
}

/* Reads one model table; the number of rows that the ratings have, too. */
static int64
LoadSide(const Model *model, int32 version, ServedFactors *served, const IdMap *ids, bool users)
{
	Oid			relid = users ? model->user_relid : model->item_relid;
	const char *id_column = users ? USER_ID : ITEM_ID;
	Loading		loading = {.served = served,.ids = ids,.users = users};

	FactorIdType(relid, id_column, &loading.stored);
	if (IdsConvert(&loading.stored, ids->type))
		(void) ReadFactors(relid, id_column, version, &loading.stored, 0, TakeRow, &loading);
	return loading.known;
}

/*
 * Reads the factors of a version, in the current memory context; false where there is nothing of it to be compared: no
 * such version, or none of the ratings' users and items are in it.
 */
bool
LoadServedFactors(const Model *model, int32 version, const Ratings *ratings, ServedFactors *served)
{
	Jsonb	   *parameters = VersionParameters(model, version);
	double		mean_bias;
	const float *mean_user;

	memset(served, 0, sizeof(ServedFactors));
	if (parameters == NULL)
		return false;
	ObjectiveFromJson(&served->objective, parameters);
	served->problem = mf_objective_problem(&served->objective, ratings->by_user.nrows, ratings->by_item.nrows);
	mean_user = MeanUserFromJson(parameters, served->problem.factors, &mean_bias);
	AllocateFactors(served, mean_user, mean_bias);
	return LoadSide(model, version, served, ratings->users, true) > 0 &&
		LoadSide(model, version, served, ratings->items, false) > 0;
}
