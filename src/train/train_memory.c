/*
 * train_memory.c - what a training needs of memory for its factors, and whether it may have it.
 *
 * Factors must be in memory because every half-sweep reads those of the fixed side in any order.
 */
#include "postgres.h"

#include "common/int.h"

#include "pg/memory_limit.h"
#include "core/features/feature_map.h"
#include "core/features/strength.h"
#include "train/train_memory.h"

/* Adds count * width bytes to a sum; a sum beyond an int64 is the largest one. */
static void
AddBytes(int64 *sum, int64 count, int64 width)
{
	int64		product;

	if (pg_mul_s64_overflow(count, width, &product) || pg_add_s64_overflow(*sum, product, sum))
		*sum = PG_INT64_MAX;
}

/* Bytes of the dictionaries of ids, those of users without factors included. */
static int64
DictionaryBytes(const Ratings *ratings)
{
	return IdMapBytes(ratings->users) + IdMapBytes(ratings->items) +
		(ratings->unknown ? IdMapBytes(ratings->unknown) : 0);
}

/*
 * Bytes of everything that grows with the numbers of users and items, dictionaries apart: factors and what each
 * row has besides, and the solver's workspace.  validation: the best iteration's items are kept, too.
 */
int64
FactorBytes(const MfProblem *problem, bool validation, const MfParallel *parallel)
{
	int64		vector = sizeof(float) * mf_padded(problem->factors);
	int			parts = problem->has_rating + problem->has_interest;
	int64		bytes = 0;

	AddBytes(&bytes, problem->nusers, vector);
	AddBytes(&bytes, problem->nitems, parts * vector);
	if (validation)
		AddBytes(&bytes, problem->nitems, parts * vector);

	/* Row starts, counts, regularization, pull and biases; users' spreads. */
	AddBytes(&bytes, problem->nusers, sizeof(int64) + 5 * sizeof(float));
	AddBytes(&bytes, problem->nitems, sizeof(int64) + 4 * sizeof(float));
	AddBytes(&bytes, 1, mf_als_size(problem, parallel));
	return bytes;
}

/*
 * Bytes of the search for the strengths of features: its copy of some of them, and its map; apart from the sample of
 * users, which is small.
 */
static int64
SearchBytes(const MfProblem *problem, const Features *features, const MfParallel *parallel)
{
	int64		none = 0;
	MfFeatureMatrix matrix = {.nitems = features->nitems,.nfeatures = features->nfeatures,.nblocks = features->nblocks,
	.block_start = features->block_start,.ncells = features->by_item.start[features->nitems]};
	MfStrengthSearch search = {.matrix = &matrix,.parallel = parallel,.factors = problem->factors,.items = {.start = &none}};

	return mf_strength_size(&search);
}

/*
 * Bytes of the trial whether known items are better drawn to the map: copies of all factors, what items are drawn to,
 * and a solver's workspace.  Models of ratings alone have none.
 */
static int64
TrialBytes(const MfProblem *problem, const Features *features, const MfParallel *parallel)
{
	int64		vector = sizeof(float) * mf_padded(problem->factors);
	int64		bytes = 0;

	if (!problem->has_interest)
		return 0;
	AddBytes(&bytes, problem->nusers, vector + (problem->has_rating ? sizeof(float) : 0));
	AddBytes(&bytes, problem->nitems, vector + (problem->has_rating ? vector + sizeof(float) : 0));
	AddBytes(&bytes, features->nitems, vector);
	AddBytes(&bytes, 1, mf_als_size(problem, parallel));
	return bytes;
}

/*
 * Bytes of a map of `rows` items or users with ratings to so many parts of their vectors, with what it makes of them,
 * the vectors of those without ratings, and what finding its strengths takes; the cells of its features apart.
 */
static int64
MapBytes(const MfProblem *problem, int parts, int64 rows, const Features *features, const MfParallel *parallel)
{
	int64		vectors = features->nfeatures + 2 * features->nitems - rows;

	return parts * vectors * mf_padded(problem->factors) * sizeof(float) +
		mf_map_size(features->nitems, features->nfeatures, mf_map_columns(problem->factors), parallel) +
		SearchBytes(problem, features, parallel);
}

/* The same of the map of items, of which each part of the problem has one, and which is tried. */
int64
ItemMapBytes(const MfProblem *problem, const Features *features, const MfParallel *parallel)
{
	int64		bytes = TrialBytes(problem, features, parallel);

	AddBytes(&bytes, 1, MapBytes(problem, problem->has_rating + problem->has_interest, problem->nitems, features, parallel));
	return bytes;
}

/*
 * Before factors are allocated: an error unless they fit beside the dictionaries of their ids.  problem: without
 * its arrays.  features, user_features: of items and users, of which maps are learned; NULL: none.
 */
void
CheckFactorMemory(const MfProblem *problem, const Ratings *ratings, const Features *features,
				  const Features *user_features, const MfParallel *parallel)
{
	int64		dictionaries = DictionaryBytes(ratings);
	int64		factors = FactorBytes(problem, ratings->held_out.count > 0, parallel);
	int64		map = (features ? ItemMapBytes(problem, features, parallel) : 0) +
		(user_features ? MapBytes(problem, 1, problem->nusers, user_features, parallel) : 0);
	int64		needed = factors;

	AddBytes(&needed, 1, dictionaries);
	AddBytes(&needed, 1, map);
	elog(DEBUG1, "mfrec: factors take %lld bytes, dictionaries %lld", (long long) factors, (long long) dictionaries);
	if (needed > MemoryLimit())
		TrainingExceedsMemory(needed,
							  psprintf("%d factors of %lld users and %lld items take %lld MB, the dictionaries of their ids %lld MB%s; all of it must be in memory.",
									   problem->factors, (long long) problem->nusers, (long long) problem->nitems,
									   (long long) (factors >> 20), (long long) (dictionaries >> 20),
									   map > 0 ? psprintf(", the map of %d features %lld MB",
																	   (features ? features->nfeatures : 0) + (user_features ? user_features->nfeatures : 0),
																	   (long long) (map >> 20)) : ""));
}
