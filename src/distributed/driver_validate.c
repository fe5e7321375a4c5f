/*
 * driver_validate.c - rows held out on their nodes: whose lists are measured, and errors of ratings.
 *
 * The users of the sample are those that one node would draw: so many, evenly spaced among those with a relevant row in
 * the order of ids, of which nodes send a bit of each user.
 */
#include "postgres.h"

#include "compat.h"
#include "core/base/padding.h"
#include "distributed/driver.h"
#include "distributed/driver_state.h"
#include "pg/alloc.h"

/* Rows that are held out on nodes. */
int64
HeldOutOnNodes(const Driver *driver)
{
	return driver->held_out;
}

/* wanted (of all users, by place): who has a relevant row held out; returns how many they are. */
static int64
MarkUsersOfNodes(Driver *driver, bool *wanted)
{
	char	  **bits = ReadOfUsers(driver, STEP_HELD_OUT, CHANNEL_HELD_OUT, 1);
	int64	   *next = palloc0(sizeof(int64) * driver->nnodes);
	int64		count = 0;

	for (int64 u = 0; u < driver->users; u++)
	{
		int			node = driver->user_order[u];
		int64		k = next[node]++;

		wanted[u] = bits[node][k / 8] >> k % 8 & 1;
		count += wanted[u];
	}
	FreeOfUsers(driver, bits);
	pfree(next);
	return count;
}

/* What is held out of users, on its way. */
typedef struct HeldReading
{
	int64		count;
	HeldUser   *held;			/* count; at -1: there is nothing of this user */
	int32	  **items;			/* count: relevant ones, then seen ones */
} HeldReading;

/* Takes a chunk of STEP_HELD_ROWS. */
static void
TakeHeldRows(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	HeldReading *reading = state;
	HeldUser	held;
	Size		items;

	if (header->channel != CHANNEL_HELD_ROWS || bytes < sizeof(HeldUser))
		NodesDisagree("Rows held out are not those that were asked for.");
	memcpy(&held, data, sizeof(HeldUser));
	items = sizeof(int32) * ((Size) held.nrelevant + held.nseen);
	if (held.at < 0 || held.at >= reading->count || held.nrelevant < 0 || held.nseen < 0 ||
		bytes != sizeof(HeldUser) + items)
		NodesDisagree("Rows held out are not those that were asked for.");
	reading->held[held.at] = held;
	reading->items[held.at] = palloc_extended(Max(items, 1), MCXT_ALLOC_HUGE);
	memcpy(reading->items[held.at], data + sizeof(HeldUser), items);
}

/* Makes the sample of what has come, of the users of driver->held_users in their order. */
static void
JoinHeldRows(Driver *driver, const HeldReading *reading, ValidationSample *sample)
{
	int64		relevant = 0;
	int64		seen = 0;
	int			s = 0;

	for (int64 u = 0; u < reading->count; u++)
	{
		relevant += reading->held[u].nrelevant;
		seen += reading->held[u].nseen;
	}
	sample->user = HugeArray(reading->count, sizeof(int32));
	sample->start = HugeZeroArray(reading->count + 1, sizeof(int64));
	sample->seen_start = HugeZeroArray(reading->count + 1, sizeof(int64));
	sample->relevant = HugeArray(relevant, sizeof(int32));
	sample->seen = HugeArray(seen, sizeof(int32));
	for (int64 u = 0; u < reading->count; u++)
	{
		const HeldUser *held = &reading->held[u];

		if (held->at < 0)
			continue;
		memcpy(sample->relevant + sample->start[s], reading->items[u], sizeof(int32) * held->nrelevant);
		memcpy(sample->seen + sample->seen_start[s], reading->items[u] + held->nrelevant, sizeof(int32) * held->nseen);
		driver->held_users[s] = driver->held_users[u];
		sample->user[s] = (int32) (driver->held_users[s] & PG_INT32_MAX);	/* by which a metric is grouped */
		sample->start[s + 1] = sample->start[s] + held->nrelevant;
		sample->seen_start[s + 1] = sample->seen_start[s] + held->nseen;
		s++;
	}
	sample->nusers = s;
}

/* As DrawSample(), of all nodes' users, in the current memory context. */
void
DrawHeldOutOnNodes(Driver *driver, int64 most_users, ValidationSample *sample)
{
	bool	   *wanted = HugeZeroArray(driver->users, sizeof(bool));
	int64		count = MarkUsersOfNodes(driver, wanted);
	int64		step = SampleStep(count, most_users);
	HeldReading reading = {0};
	ChosenUser *chosen;
	int64		met = 0;

	memset(sample, 0, sizeof(ValidationSample));
	driver->held_users = HugeArray(count / step + 1, sizeof(int64));
	for (int64 u = 0; u < driver->users; u++)
		if (wanted[u] && met++ % step == 0)
			driver->held_users[reading.count++] = u;
	pfree(wanted);
	chosen = ChooseUsers(driver, driver->held_users, reading.count);
	reading.held = palloc0(sizeof(HeldUser) * Max(reading.count, 1));
	reading.items = palloc0(sizeof(int32 *) * Max(reading.count, 1));
	for (int64 u = 0; u < reading.count; u++)
		reading.held[u].at = -1;
	RunStep(driver, STEP_HELD_ROWS, chosen, sizeof(ChosenUser) * reading.count, TakeHeldRows, &reading);
	JoinHeldRows(driver, &reading, sample);
	for (int64 u = 0; u < reading.count; u++)
		if (reading.items[u])
			pfree(reading.items[u]);
	pfree(reading.held);
	pfree(reading.items);
	pfree(chosen);
}

/* vectors (of the sample's users x given_ld): as their nodes have solved them last. */
void
ReadHeldOutUsers(Driver *driver, const MfProblem *problem, const ValidationSample *sample, float *vectors)
{
	UserRows	users;

	ReadUsers(driver, problem, driver->held_users, sample->nusers, false, &users);
	memcpy(vectors, users.vector, sizeof(float) * mf_padded(problem->factors) * sample->nusers);
}

/* Errors of nodes, by their number, as sums are made in that order. */
typedef struct ErrorsReading
{
	Driver	   *driver;
	MfErrorSums *of_node;
	double	  **groups;			/* nnodes times METRIC_GROUPS; NULL: they are not wanted */
} ErrorsReading;

/* Takes a chunk of STEP_HELD_ERRORS. */
static void
TakeErrors(void *state, const ChunkHeader *header, const char *data, Size bytes)
{
	ErrorsReading *reading = state;
	Size		groups = reading->groups ? sizeof(double) * METRIC_GROUPS : 0;

	CheckResult(header, bytes, sizeof(MfErrorSums) + groups);
	if (header->node < 0 || header->node >= reading->driver->nnodes)
		NodesDisagree("A node has an unknown number.");
	memcpy(&reading->of_node[header->node], data, sizeof(MfErrorSums));
	if (reading->groups)
	{
		reading->groups[header->node] = palloc(groups);
		memcpy(reading->groups[header->node], data + sizeof(MfErrorSums), groups);
	}
}

/* Adds what users of a node have in each group; they were added up there. */
static void
AddGroups(double *group, const double *of_node)
{
	for (int g = 0; of_node && g < METRIC_GROUPS; g++)
		group[g] += of_node[g];
}

/* As HeldOutErrors(), of all nodes, by the items that they were sent last. */
void
HeldOutErrorsOfNodes(Driver *driver, double *group, MfErrorSums *sums)
{
	ErrorsReading reading = {driver, palloc0(sizeof(MfErrorSums) * driver->nnodes), NULL};

	if (group)
		reading.groups = palloc0(sizeof(double *) * driver->nnodes);
	memset(sums, 0, sizeof(MfErrorSums));
	RunStep(driver, STEP_HELD_ERRORS, "1", group ? 1 : 0, TakeErrors, &reading);
	for (int n = 0; n < driver->nnodes; n++)
	{
		mf_error_merge(sums, &reading.of_node[n]);
		if (group)
			AddGroups(group, reading.groups[n]);
	}
	pfree(reading.of_node);
}
