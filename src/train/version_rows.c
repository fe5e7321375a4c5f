/*
 * version_rows.c - what a training has found, as rows of the model tables and as an image.
 */
#include "postgres.h"

#include "core/predict/predict.h"
#include "distributed/driver.h"
#include "ids/id_growth.h"
#include "pg/alloc.h"
#include "train/als_loop.h"
#include "train/item_map.h"
#include "train/user_map.h"
#include "train/version_rows.h"

/*
 * Which of the items, in the order of rank (NULL: as they are), have a prior: those with ratings where it is not 0, and
 * all of which validation has held out all rows.  New ones have their vectors of it; so they are told from these.
 */
static bool *
FindPriors(const Training *training, const int32 *rank)
{
	const float *prior = ListPrior(training->map);
	int64		ld = mf_padded(training->problem.factors);
	bool	   *has_prior = HugeZeroArray(training->nitems, sizeof(bool));

	for (int64 i = 0; i < training->problem.nitems; i++)
	{
		bool		has = training->item_counts[i] == 0;

		for (int64 k = i * ld; k < (i + 1) * ld && !has; k++)
			has = prior[k] != 0;
		has_prior[rank ? rank[i] : i] = has;
	}
	return has_prior;
}

/*
 * *items: what the training has of items, in the order of their ids, which become the dictionary's numbers.  numbers:
 * by the training's.
 */
void
SortItems(const Training *training, const int32 *numbers, StoredItems *items)
{
	const MfFactors *factors = &training->factors;
	int64		n = training->nitems;
	int64		ld = mf_padded(training->problem.factors);
	IdMap	   *ids = training->ratings->items;
	int32	   *rank = n > training->problem.nitems ? SortIdMap(ids) : NULL;
	int64	   *fingerprints = HugeZeroArray(n, sizeof(int64));

	memcpy(fingerprints, training->ratings->fingerprints->item, sizeof(int64) * training->problem.nitems);
	*items = (StoredItems) {
		.ids = ids,
		.n = n,
		.counts = ReorderRows(training->item_counts, rank, n, 1),
		.interest = ReorderRows(factors->interest, rank, n, ld),
		.rating = ReorderRows(factors->rating, rank, n, ld),
		.bias = ReorderRows(factors->item_bias, rank, n, 1),
		.numbers = ReorderRows(numbers, rank, n, 1),
		.fingerprints = ReorderRows(fingerprints, rank, n, sizeof(int64) / 4),
		.trends = ReorderRows(training->item_trends, rank, n, 1)
	};
	if (training->map)
	{
		items->prior = ReorderRows(ListPrior(training->map), rank, n, ld);
		items->has_prior = FindPriors(training, rank);
	}
}

/* Users' factors as they are stored. */
FactorRows
UserFactorRows(const Training *training, SeenRows *seen)
{
	FactorRows	rows = {
		.factors = training->problem.factors,
		.ids = training->ratings->users,
		.counts = training->user_counts,
		.bias = training->factors.user_bias,
		.spread = training->factors.user_spread,
		.vectors = training->factors.user,
		.seen = seen,
		.fingerprints = training->ratings->fingerprints->user,
		.nfingerprints = training->problem.nusers,
		.unknown = training->ratings->unknown
	};
	const UserMap *map = training->user_map;

	if (map)
	{
		rows.priors = map->used ? map->prior : NULL;
		rows.has_prior = map->has_prior;
		rows.shared = training->problem.shared;
		rows.rated = training->problem.nusers;
	}
	return rows;
}

/* The same of items. */
FactorRows
ItemFactorRows(const Training *training, const StoredItems *items)
{
	FactorRows	rows = {
		.factors = training->problem.factors,
		.ids = items->ids,
		.counts = items->counts,
		.bias = items->bias,
		.vectors = items->interest ? items->interest : items->rating,
		.rating_vectors = items->interest ? items->rating : NULL,
		.numbers = items->numbers,
		.priors = items->prior,
		.has_prior = items->has_prior,
		.shared = training->problem.factors,
		.rated = items->n,
		.fingerprints = items->fingerprints,
		.nfingerprints = items->n,
		.trends = items->trends
	};

	return rows;
}

/* What the bookkeeping says of a version with these factors: all but its number, its identity and its parameters. */
void
DescribeVersion(Training *training, Feedback feedback, ModelVersion *version)
{
	version->feedback = FeedbackName(feedback);
	version->factors = training->problem.factors;
	version->users = training->ratings->by_user.nrows + (training->user_map ? training->user_map->profiles : 0);
	version->items = training->nitems;
	version->ratings = training->ratings->rows;
	version->iterations = training->iterations;
	version->loss = training->loss;
	version->rmse = RatingError(training);
	version->seconds = SecondsSince(training->began);
	version->read_until = training->ratings->read_until;
	if (training->driver && training->factors.interest == NULL)
		MeanUserOfNodes(training->driver, &training->problem, training->mean_user);
	else if (training->factors.interest == NULL)	/* users were drawn to 0, but are not there */
		mf_mean_user(&training->problem, training->factors.user, NULL, training->mean_user);
}

/* Items of the version before, whose ids may have been of another type. */
typedef struct FormerItems
{
	Training   *training;
	IdType		idtype;
} FormerItems;

/* Overwrites an item's random factors by those of the version before, if that had as many dimensions. */
static void
TakeItem(void *state, const StoredRow *row)
{
	const FormerItems *former = state;
	Training   *t = former->training;
	const IdMap *items = t->ratings->items;
	int64		id;
	int32		item = ConvertId(&former->idtype, items->type, row->id, &id) ? FindId(items, id) : -1;

	if (item >= 0 && item < t->problem.nitems && row->factors == t->problem.factors)
		CopyItemRow(row, item, &t->factors);
}

/*
 * Begins with the items of a stored version, as far as it knows them, in the place of random ones; item: the type of ids in
 * the source.  By the active snapshot; the caller has locked the table.
 */
void
TakeVersionItems(Training *training, Oid relid, int32 version, const IdType *item)
{
	FormerItems former = {.training = training};

	FactorIdType(relid, ITEM_ID, &former.idtype);
	if (IdsConvert(&former.idtype, item))
		ReadFactors(relid, ITEM_ID, version, &former.idtype, 0, TakeItem, &former);
}
