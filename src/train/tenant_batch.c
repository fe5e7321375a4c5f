/*
 * tenant_batch.c - tenants whose rows have been read: solved and stored many at a time.
 *
 * Each is solved by one thread (core/als/als_train.c).  Then one load of each table takes the rows of all, and a few
 * statements enter all versions: what a training of its own would do once a model, in a thousand tenants is a second.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "compat.h"
#include "core/als/als_train.h"
#include "core/predict/predict.h"
#include "guc.h"
#include "image/image_publish.h"
#include "model/family_write.h"
#include "model/model_acl.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "train/als_loop.h"
#include "train/tenant_batch.h"

/* follow of MfTraining. */
static void
FollowUsersMean(const MfTraining *task)
{
	if (task->factors->interest)
		mf_mean_user(task->problem, task->factors->user, task->problem->user_pull, task->mean_user);
}

/* All cells of one orientation, which are in memory. */
static MfRows
WholeRows(Cells *cells)
{
	MfRows		rows = {0};

	RewindCells(cells);
	(void) NextCells(cells, &rows);
	return rows;
}

/* A waiting tenant as the core's loop takes it. */
static MfTraining
TaskOf(Tenant *tenant)
{
	Training   *t = &tenant->training;

	return (MfTraining) {
		.follow = FollowUsersMean,
		.problem = &t->problem,
		.factors = &t->factors,
		.mean_user = t->mean_user,
		.users = WholeRows(&t->ratings->by_user),
		.items = WholeRows(&t->ratings->by_item),
		.iterations = t->objective.iterations,
		.tolerance = isnan(t->options.tolerance) ? 0 : t->options.tolerance
	};
}

/*
 * Solves for tenants that have been settled, each by one thread, and says in tenant->failed of which that was not
 * possible.  Nothing where it is one that was solved by all threads.
 */
void
SolveTenants(const List *tenants, const MfParallel *parallel)
{
	int			n = list_length(tenants);
	MfTraining *tasks = palloc(sizeof(MfTraining) * n);
	void	   *workspace;

	if (n == 1 && ((Tenant *) linitial(tenants))->solved)
		return;
	for (int i = 0; i < n; i++)
		tasks[i] = TaskOf(list_nth(tenants, i));
	workspace = AlignedArray(mf_als_train_size(tasks, n, parallel), 1);
	if (!mf_als_train(tasks, n, workspace, parallel))
		CheckCore(MF_CANCELLED);
	for (int i = 0; i < n; i++)
	{
		Tenant	   *tenant = list_nth(tenants, i);
		Training   *training = &tenant->training;

		CheckCore(tasks[i].error == MF_NOT_FINITE ? MF_OK : tasks[i].error);
		if (tasks[i].error == MF_NOT_FINITE)
			tenant->failed = "factors grew beyond the range of single precision";
		training->iterations = tasks[i].done;
		training->loss = tasks[i].loss;
		DropTinyFactors(training);
	}
}

/* What a solved tenant stores; its cells are not to be read for anything else before they are stored. */
static void
MakeRows(Tenant *tenant)
{
	Training   *training = &tenant->training;
	Ratings    *ratings = training->ratings;
	int32	   *numbers = NumberByRatings(training->item_counts, training->nitems);

	OpenSeenRows(&tenant->seen, &ratings->by_user, ratings->others, numbers, training->nitems);
	SortItems(training, numbers, &tenant->items);
	tenant->users = UserFactorRows(training, &tenant->seen);
	tenant->item_rows = ItemFactorRows(training, &tenant->items);
	tenant->users.tenant = tenant->item_rows.tenant = tenant->name;
}

/* The version of a solved tenant, for the bookkeeping; seconds: that it has taken. */
static TenantVersion
MakeVersion(Tenant *tenant, int32 number, Feedback feedback, double seconds)
{
	Training   *training = &tenant->training;
	TenantVersion entry = {.tenant = tenant->name,.name = tenant->model,.arguments = tenant->arguments};
	ModelVersion *version = &entry.version;

	DescribeVersion(training, feedback, version);
	version->version = number;
	version->seconds = seconds;
	version->parameters = ObjectiveToJson(&training->objective, training->mean_user, MeanBias(training), NULL, NULL);
	MakeVersionId(&version->image);
	return entry;
}

/* Enters n versions in the bookkeeping, and removes those that are too old for them, there and from the tables. */
static void
EnterVersions(Model *family, const TenantVersion *entries, int n)
{
	char	  **models = palloc(sizeof(char *) * n);
	RemovedVersions *removed;

	for (int i = 0; i < n; i++)
	{
		models[i] = (char *) entries[i].name;
		SupersedeImages(models[i], NULL);
	}
	family->owner = GetUserNameFromId(RelationOwner(family->user_relid), false);
	removed = RemoveTenantVersions(family->name, models, n, mfrec_keep_versions - 1, mfrec_keep_versions > 1);
	EnterTenants(family, entries, n);
	DeleteRemovedVersions(family, removed);
}

/*
 * Stores the versions of solved tenants, 1 or more, whose numbers begin with family->version, which moves on.  seconds:
 * that they have taken together.  Returns them, in the order of the list.
 */
TenantVersion *
StoreTenants(const List *tenants, NewVersion *family, Feedback feedback, double seconds)
{
	int			n = list_length(tenants);
	VersionSide *users = palloc(sizeof(VersionSide) * n);
	VersionSide *items = palloc(sizeof(VersionSide) * n);
	TenantVersion *entries = palloc(sizeof(TenantVersion) * n);

	for (int i = 0; i < n; i++)
	{
		Tenant	   *tenant = list_nth(tenants, i);

		entries[i] = MakeVersion(tenant, family->version++, feedback, seconds / n);
		MakeRows(tenant);
		users[i] = (VersionSide) {entries[i].version.version, &tenant->users};
		items[i] = (VersionSide) {entries[i].version.version, &tenant->item_rows};
	}
	StoreFamilyVersions(family, users, items, n);
	EnterVersions(&family->model, entries, n);
	return entries;
}
