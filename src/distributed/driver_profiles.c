/*
 * driver_profiles.c - attributes of users, of which the driver learns a map, and what their nodes get of them.
 *
 * The map is learned from all users' vectors, so items are solved from these, too (driver_items.c), and both are what they
 * are on one node, to the bit.  Each node gets the attributes of its users once, and after each iteration the map, by
 * which it knows the points that its users are drawn to: vectors of users never go to nodes.  Users without ratings
 * belong to the nodes whose shards their ids hash to.
 */
#include "postgres.h"

#include "compat.h"
#include "core/base/padding.h"
#include "distributed/driver.h"
#include "distributed/driver_state.h"
#include "pg/alloc.h"

/*
 * Lets nodes know, with what is sent next, before they sort their rows, of users without ratings, who are in `users`
 * behind those with.
 */
void
SendProfiles(Driver *driver, const IdMap *users)
{
	int64		n = users->count - driver->users;
	NodeNumber *owner = HugeArray(n, sizeof(NodeNumber));

	for (int64 i = 0; i < n; i++)
		owner[i] = (NodeNumber) NodeOfUser(driver, IdAt(users, (int32) (driver->users + i)));
	if (n > 0)
		AddArray(driver, CHANNEL_PROFILE_OWNERS, owner, sizeof(NodeNumber), n);
	SendIds(driver, CHANNEL_PROFILE_IDS, users, driver->users, users->count);
}

/*
 * Sends nodes what is known of users: cells of all users by feature, those without ratings behind the others.  Cells stay as
 * they are.
 */
void
SendUserFeatures(Driver *driver, Cells *cells, int64 nfeatures)
{
	ProfilesArgument argument = {nfeatures};

	RunStep(driver, STEP_PROFILES, &argument, sizeof(argument), NULL, NULL);
	driver->nfeatures = nfeatures;
	RewindCells(cells);
	memset(&driver->sending.part, 0, sizeof(MfRows));
	AddArray(driver, CHANNEL_USER_FEATURES, cells, sizeof(int32) + sizeof(float), cells->nrows);
	SendArrays(driver);
}

/*
 * From the next half-sweep on nodes draw users to what a map makes of their attributes, from this mean user.  map
 * (nfeatures x given_ld) and scale (nfeatures) are the caller's, and as they are until then.
 */
void
DrawUsersOnNodes(Driver *driver, const MfProblem *problem, const float *map, const float *scale, const float *mean)
{
	Size		bytes = sizeof(float) * mf_padded(problem->factors);

	if (driver->map_mean == NULL)
		driver->map_mean = MemoryContextAlloc(driver->context, bytes);
	memcpy(driver->map_mean, mean, bytes);
	driver->map = map;
	driver->map_scale = scale;
	driver->map_sent = false;
}

/* Adds the map to what is sent next, unless nodes have it; width: bytes of a vector. */
void
SendMap(Driver *driver, Size width)
{
	if (driver->map == NULL || driver->map_sent)
		return;
	AddArray(driver, CHANNEL_MAP, driver->map, width, driver->nfeatures);
	AddArray(driver, CHANNEL_MAP_SCALE, driver->map_scale, sizeof(float), driver->nfeatures);
	driver->map_sent = true;
}
