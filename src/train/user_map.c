/*
 * user_map.c - the map from users' features to the points that they are drawn to, which a training learns beside them.
 *
 * A user is drawn to m + U h_u rather than to the mean user m, where h_u are their features: one with many ratings
 * outvotes it, one with few follows it, and one without is it, and gets lists by it.  U = argmin sum_u |p_u - m - U
 * h_u|^2 + |U|^2 over the users with ratings, each with the same weight; it follows them by some steps of conjugate
 * gradients after each iteration.  All of that is in the dimensions that interest and ratings share, in which users are
 * drawn to their mean.
 *
 * How strongly columns are held is found as for items (map_trial.c), with the sides exchanged: by how well a map that
 * was fitted to two thirds of the users tells which users of the third an item has.  Columns that say nothing are off,
 * and where none says anything users are drawn to m, as without features.
 *
 * The points are stored with the users, so that who is folded in is drawn to the same one, whatever has become of the
 * relation of features.
 */
#include "postgres.h"

#include "distributed/driver.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "train/item_map.h"
#include "train/user_map.h"

#define TOLERANCE 1e-3

/* t->user_map: nothing yet, for t->user_features; the problem is stated. */
void
CreateUserMap(Training *t)
{
	UserMap    *map = palloc0(sizeof(UserMap));
	Features   *features = t->user_features;
	int64		ld = mf_padded(t->problem.factors);

	map->features = features;
	MatrixOfFeatures(features, &map->matrix);
	map->strength = palloc0(sizeof(float) * features->nblocks);
	map->scale = HugeZeroArray(features->nfeatures, sizeof(float));
	map->map = AlignedZeroArray(features->nfeatures * ld, sizeof(float));
	map->prior = AlignedZeroArray(features->nitems * ld, sizeof(float));
	map->has_prior = HugeZeroArray(features->nitems, sizeof(bool));
	map->weight = HugeZeroArray(features->nitems, sizeof(float));
	for (int64 u = 0; u < t->problem.nusers; u++)
		map->weight[u] = t->user_counts[u] > 0 ? 1 : 0;
	map->workspace = AlignedZeroArray(mf_map_size(features->nitems, features->nfeatures,
												  mf_map_columns(t->problem.factors), &t->parallel), 1);
	t->user_map = map;
}

/* map->prior: how far users are from the mean user, in shared dimensions, which is what the map is fitted to. */
void
TakeMeanFromUsers(Training *t)
{
	float	   *away = t->user_map->prior;
	int64		ld = mf_padded(t->problem.factors);

	if (t->driver)
		TakeUserVectors(t->driver, &t->problem, &t->factors);
	for (int64 u = 0; u < t->problem.nusers; u++)
		for (int k = 0; k < ld; k++)
			away[u * ld + k] = k < t->problem.shared ? t->factors.user[u * ld + k] - t->mean_user[k] : 0;
}

/*
 * Lets the map follow the users, by so many steps of conjugate gradients from where it was, and has the next half-sweep
 * draw them to it.
 */
void
FollowUsers(Training *t, int steps)
{
	UserMap    *map = t->user_map;
	int64		ld = mf_padded(t->problem.factors);
	MfMapFit	fit = {.matrix = &map->matrix,.parallel = &t->parallel,.scale = map->scale,.weight = map->weight,
		.ridge = 1,.factors = mf_map_columns(t->problem.factors),.steps = steps,.tolerance = TOLERANCE};

	TakeMeanFromUsers(t);
	CheckCore(mf_map_fit(&fit, map->prior, map->map, map->workspace));
	CheckCore(mf_map_apply(&fit, map->map, map->prior));
	for (int64 u = 0; u < map->matrix.nitems; u++)
		for (int k = 0; k < t->problem.shared; k++)
			map->prior[u * ld + k] += t->mean_user[k];
	t->problem.user_prior = map->prior;
	if (t->driver)
		DrawUsersOnNodes(t->driver, &t->problem, map->map, map->scale, t->mean_user);
}

/*
 * Users are solved for the last time: says whose point is not the mean user, and gives users without ratings that have
 * one their vectors, and a bias.  Nodes that have users do the same with theirs, which they store.
 */
void
MakeProfileUsers(Training *t, float bias)
{
	UserMap    *map = t->user_map;
	int64		ld = mf_padded(t->problem.factors);

	for (int64 u = 0; u < t->nusers && map->used; u++)
	{
		map->has_prior[u] = memcmp(map->prior + u * ld, t->mean_user, sizeof(float) * t->problem.shared) != 0;
		if (u < t->problem.nusers || !map->has_prior[u])
			continue;
		map->profiles++;
		memcpy(t->factors.user + u * ld, map->prior + u * ld, sizeof(float) * ld);
		if (t->factors.user_bias)
			t->factors.user_bias[u] = bias;
	}
}
