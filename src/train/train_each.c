/*
 * train_each.c - a model for each tenant of a source.
 *
 * One query reads the source in the order of tenants.  When a tenant's rows end, they become ratings, as those of a
 * training of its own would (settled here); tenants that wait for it are solved together, each by one thread
 * (core/als/als_train.c), and stored by one load of the tables and a few statements on the bookkeeping.  A tenant whose
 * ratings are many has all threads, one after another.  What waits takes half of maintenance_work_mem.
 *
 * A tenant's factors are those that mf_train would find on its rows alone, to the bit.  One whose rows cannot be trained
 * on, as they are one rating, keeps the version that it has: rows are settled in subtransactions, whose errors are the
 * tenant's.  So is a name that another model has.  Anything else that goes wrong ends the statement, of which nothing
 * is left then.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "model/family_write.h"
#include "model/model_acl.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "pg/snapshot.h"
#include "pg/spi_query.h"
#include "pg/subtransaction.h"
#include "read/ratings_read.h"
#include "source/lookup_cost.h"
#include "source/others_sort.h"
#include "source/relation.h"
#include "train/als_loop.h"
#include "train/new_version.h"
#include "train/tenant_batch.h"
#include "train/train_each.h"
#include "train/version_rows.h"

/* From so many ratings on a tenant is trained by all threads at once. */
#define MANY_RATINGS 100000

/* Tenants that are solved and stored together, at most. */
#define MANY_TENANTS 1000

/* The training of all tenants. */
typedef struct EachTrainer
{
	DestReceiver pub;
	const TrainRequest *request;
	TenantFunction function;	/* is told what has become of each */
	void	   *state;
	Source		source;
	NewVersion	family;			/* family.version: the number of the next version */
	MfParallel	parallel;

	MemoryContext batch;		/* of the tenants that wait */
	List	   *waiting;		/* Tenant */
	MemoryContext reading;		/* of the tenant whose rows come now, a child of it */
	RatingStream *stream;		/* NULL: of none */
	bool		bad;			/* a row has come that cannot be trained on: further ones are passed over */
	int64		id;				/* of the tenant, like ids of users */

	int64		rows;			/* that have become ratings */
	int64		without;		/* rows without a tenant */
	int64		null_rows;		/* that were passed over for another null */
	double		newest;			/* time */
	int64		trained;		/* tenants */
	int64		failed;
	char	   *first_failed;	/* of these the first, and why */
	char	   *first_reason;
} EachTrainer;

/* Whether an error is a tenant's own, as its rows are at fault: data exceptions, and no data. */
static bool
IsTenantsError(int code)
{
	int			category = ERRCODE_TO_CATEGORY(code);

	return category == ERRCODE_DATA_EXCEPTION || category == ERRCODE_NO_DATA;
}

/* Tells of a tenant that got no version. */
static void
TellFailed(EachTrainer *t, const char *tenant, const char *why)
{
	TenantResult result = {.tenant = tenant,.model = TenantModel(t->family.model.name, tenant),.failed = why};

	if (t->failed++ == 0)
	{
		t->first_failed = MemoryContextStrdup(MemoryContextGetParent(t->batch), tenant);
		t->first_reason = MemoryContextStrdup(MemoryContextGetParent(t->batch), why);
	}
	t->function(t->state, &result);
}

/* Stores those that wait and were solved, which took so many seconds, and tells of all of them. */
static void
StoreSolved(EachTrainer *t, double seconds)
{
	List	   *solved = NIL;
	TenantVersion *entries;
	ListCell   *cell;

	foreach(cell, t->waiting)
	{
		Tenant	   *tenant = lfirst(cell);

		if (tenant->failed)
			TellFailed(t, tenant->name, tenant->failed);
		else
			solved = lappend(solved, tenant);
	}
	if (solved == NIL)
		return;
	entries = StoreTenants(solved, &t->family, t->source.feedback, seconds);
	for (int i = 0; i < list_length(solved); i++)
	{
		TenantResult result = {.tenant = entries[i].tenant,.model = entries[i].name,.version = &entries[i].version};

		t->function(t->state, &result);
	}
	t->trained += list_length(solved);
}

/* Solves and stores those that wait. */
static void
FlushWaiting(EachTrainer *t)
{
	MemoryContext old = MemoryContextSwitchTo(t->batch);
	ListCell   *cell;
	instr_time	began;

	if (t->waiting != NIL)
	{
		INSTR_TIME_SET_CURRENT(began);
		ReportPhase(PHASE_SWEEP);
		SolveTenants(t->waiting, &t->parallel);
		ReportPhase(PHASE_STORE);
		StoreSolved(t, SecondsSince(began));
		ReportPhase(PHASE_READ);
		foreach(cell, t->waiting)
			FreeRatings(((Tenant *) lfirst(cell))->training.ratings);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(t->batch);
	t->waiting = NIL;
}

/* What mfrec.model.parameters of a tenant's model is to keep: as KeepArguments() of a training of its own. */
static char *
ArgumentsOf(const EachTrainer *t, const Tenant *tenant)
{
	TrainOptions options = t->request->options;

	options.columns.feedback = t->source.feedback;
	options.columns.rating = t->source.value_column;
	options.columns.tenant = tenant->name;
	if (mf_is_joint(&tenant->training.objective))
		options.rating_factors = tenant->training.objective.rating_factors;
	return TrainOptionsToJson(&options);
}

/* For mf_retrain_each: begins with the items of the version that serves the tenant, where there is one. */
static void
WarmTenant(EachTrainer *t, Tenant *tenant)
{
	const Model *model;

	if (!t->request->warm)
		return;
	PushBookkeepingSnapshot();
	model = FindModel(tenant->model);
	if (model)
		TakeVersionItems(&tenant->training, t->family.model.item_relid, model->version, &t->source.item);
	PopBookkeepingSnapshot();
}

/* Makes ratings of a tenant's rows, and settles what is to be minimised on them. */
static void
SettleTenant(EachTrainer *t, Tenant *tenant, int threads)
{
	Training   *training = &tenant->training;

	training->options = t->request->options;
	training->parallel = t->parallel;
	training->parallel.nthreads = threads;
	training->ratings = SettleRatingStream(t->stream, &training->parallel);
	SortOthers(&t->source, training->ratings, &training->parallel);
	SettleObjective(training);
	StateProblem(training);
	tenant->arguments = ArgumentsOf(t, tenant);
	StartFactors(training);
	WarmTenant(t, tenant);
}

/* A tenant whose rows are settled, and how. */
typedef struct Settling
{
	EachTrainer *trainer;
	Tenant	   *tenant;
	int			threads;
	ResourceOwner owner;		/* of temporary files, which are to outlive the subtransaction; NULL: there are none */
} Settling;

/* Settles a tenant in a subtransaction. */
static void
SettleInside(void *state)
{
	const Settling *settling = state;

	if (settling->owner)
		CurrentResourceOwner = settling->owner;
	SettleTenant(settling->trainer, settling->tenant, settling->threads);
}

/* The same; false where the rows are at fault: then tenant->failed says how. */
static bool
TrySettle(EachTrainer *t, Tenant *tenant, int threads, bool files)
{
	Settling	settling = {t, tenant, threads, files ? CurrentResourceOwner : NULL};
	ErrorData  *error = TryInSubtransaction(SettleInside, &settling);

	if (error == NULL)
		return true;
	if (!IsTenantsError(error->sqlerrcode))
		ReThrowError(error);
	tenant->failed = error->message;
	return false;
}

/* Solves for a tenant of many ratings with all threads. */
static void
SolveLarge(Tenant *tenant)
{
	ReportPhase(PHASE_SWEEP);
	RunSweeps(&tenant->training);
	tenant->solved = true;
}

/* Whether what waits has come to as much as may. */
static bool
IsBatchFull(const EachTrainer *t)
{
	return list_length(t->waiting) >= MANY_TENANTS ||
		(int64) MemoryContextMemAllocated(t->batch, true) > MaintenanceMemory() / 2;
}

/*
 * Why a tenant can have no model, as the name that it would have is that of another one; NULL where it can.  Names are
 * free to all roles, so whoever has taken one is not to keep the other tenants from their models.
 */
static char *
WhyNameIsTaken(const EachTrainer *t, const Tenant *tenant)
{
	const Model *model;

	PushBookkeepingSnapshot();
	model = FindModel(tenant->model);
	PopBookkeepingSnapshot();
	if (model == NULL || (model->family && strcmp(model->family, t->family.model.name) == 0))
		return NULL;
	return psprintf("a model \"%s\" exists that is not of family \"%s\"", tenant->model, t->family.model.name);
}

/* Has a tenant whose rows have been settled wait, or solves it where it is large. */
static void
AddTenant(EachTrainer *t, const Tenant *settled, bool large)
{
	MemoryContext old = MemoryContextSwitchTo(t->batch);
	Tenant	   *tenant = palloc(sizeof(Tenant));

	*tenant = *settled;
	MemoryContextSwitchTo(t->reading);
	if (large)
		SolveLarge(tenant);
	MemoryContextSwitchTo(t->batch);
	t->waiting = lappend(t->waiting, tenant);
	MemoryContextSwitchTo(old);
	if (large || IsBatchFull(t))
		FlushWaiting(t);
}

/* The tenant whose rows have come has no more. */
static void
EndTenant(EachTrainer *t)
{
	MemoryContext old = MemoryContextSwitchTo(t->reading);
	Tenant		tenant = {.name = IdToText(&t->source.tenant_type, t->id)};
	int64		rows = CloseRatingStream(t->stream)->rows;
	bool		files = RatingStreamSpilled(t->stream);
	bool		large = rows >= MANY_RATINGS || files;

	tenant.model = TenantModel(t->family.model.name, tenant.name);
	tenant.failed = WhyNameIsTaken(t, &tenant);
	t->rows += rows;
	if (tenant.failed || !TrySettle(t, &tenant, large ? t->parallel.nthreads : 1, files))
	{
		TellFailed(t, tenant.name, tenant.failed);
		MemoryContextSwitchTo(old);
		MemoryContextDelete(t->reading);
	}
	else
	{
		t->null_rows += tenant.training.ratings->null_rows + tenant.training.ratings->null_times;
		t->newest = Max(t->newest, tenant.training.ratings->fading.newest);
		MemoryContextSwitchTo(old);
		if (large && t->waiting != NIL)
		{
			MemoryContextSetParent(t->reading, MemoryContextGetParent(t->batch));
			FlushWaiting(t);
			MemoryContextSetParent(t->reading, t->batch);
		}
		AddTenant(t, &tenant, large);
	}
	t->stream = NULL;
}

/* Whether lists are to look for a tenant's rows in the source: known by the first tenant, for the others are like it. */
static void
ChooseFresh(EachTrainer *t)
{
	t->source.tenant = IdToText(&t->source.tenant_type, t->id);
	t->family.model.fresh = SourceServesFresh(&t->source, "train again");
	t->source.tenant = NULL;
}

/* Rows of another tenant come now. */
static void
BeginTenant(EachTrainer *t, int64 id)
{
	const IdType *type = &t->source.tenant_type;
	MemoryContext old;

	t->reading = AllocSetContextCreate(t->batch, "mfrec tenant", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(t->reading);
	t->id = type->is_int ? id : (int64) datumCopy((Datum) id, type->typbyval, type->typlen);
	t->bad = false;
	if (t->trained + t->failed == 0 && t->waiting == NIL)
		ChooseFresh(t);
	t->stream = OpenRatingStream(&t->source, TrainHalfLife(&t->request->options), t->rows);
	MemoryContextSwitchTo(old);
}

/* receiveSlot: a row, whose first column is its tenant; the others are those of a training. */
static bool
ReceiveTenantRow(TupleTableSlot *slot, DestReceiver *self)
{
	EachTrainer *t = (EachTrainer *) self;
	MemoryContext old;
	int64		id;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
	{
		t->without++;
		return true;
	}
	id = IdFromColumn(&t->source.tenant_type, slot->tts_values[0]);
	if (t->stream && !EqualIds(&t->source.tenant_type, t->id, id))
		EndTenant(t);
	if (t->stream == NULL)
		BeginTenant(t, id);
	if (t->bad)
		return true;
	old = MemoryContextSwitchTo(t->reading);
	t->bad = !AddStreamRow(t->stream, slot->tts_values + 1, slot->tts_isnull + 1, slot->tts_tupleDescriptor->natts - 1);
	MemoryContextSwitchTo(old);
	return true;
}

/* The columns that the query delivers must be of the types that OpenSource() has found. */
static void
StartupTenantReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	Source	   *source = &((EachTrainer *) self)->source;
	TupleDesc	desc = CreateTemplateTupleDesc(typeinfo->natts - 1);

	(void) operation;
	CheckDeliveredId(typeinfo, 0, &source->tenant_type);
	for (int i = 1; i < typeinfo->natts; i++)
		TupleDescCopyEntry(desc, i, typeinfo, i + 1);
	TupleDescFinalize(desc);
	CheckSourceColumns(source, desc);
}

/* The query of all rows, in the order of tenants. */
static char *
TenantsSql(const Source *source)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, ", quote_identifier(source->tenant_column));
	AppendSourceColumnList(&sql, source);
	appendStringInfo(&sql, " FROM %s ORDER BY 1", SourceSql(source));
	return sql.data;
}

/* Reads all rows, and trains the tenants on the way; sorting takes the other half of maintenance_work_mem. */
static void
ReadTenants(EachTrainer *t)
{
	char	   *sql = TenantsSql(&t->source);
	int			settings = NewGUCNestLevel();

	NoteQueryRowSecurity(sql, t->source.name);
	(void) set_config_option("work_mem", psprintf("%d", Max(64, maintenance_work_mem / 2)), PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	t->pub.receiveSlot = ReceiveTenantRow;
	t->pub.rStartup = StartupTenantReceiver;
	RunQueryAlone(sql, &t->pub);
	if (t->stream)
		EndTenant(t);
	FlushWaiting(t);
	AtEOXact_GUC(true, settings);
}

/* An error where the family, whose name was not given, is trained on another relation, or by another column. */
static void
CheckSameFamily(const EachTrainer *t)
{
	const Model *model = &t->family.model;
	const char *schema = t->source.temporary ? "pg_temp" : t->source.schema;

	if (t->family.is_new || t->request->model ||
		(strcmp(schema, model->source_schema) == 0 && strcmp(t->source.name, model->source) == 0))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("family \"%s\" is trained on \"%s.%s\", not \"%s.%s\"", model->name, model->source_schema,
					model->source, schema, t->source.name),
			 errhint("Give the new family a name with the argument model, or pass model => %s to train that one on other rows.",
					 quote_literal_cstr(model->name))));
}

/* Checks everything that can be checked before a row is read, and plans the family's next versions. */
static void
BeginEach(EachTrainer *t)
{
	const TrainRequest *request = t->request;
	const char *command = request->warm ? "mf_retrain_each()" : "mf_train_each()";
	NewVersion *family = &t->family;

	PreventCommandIfReadOnly(command);
	PreventCommandDuringRecovery(command);
	CheckTrainOptions(&request->options);
	OpenSource(&t->source, request->source, &request->options.columns);
	InitParallel(&t->parallel);
	BeginFamily(family, request->model ? request->model : t->source.name, request->warm);
	CheckSameFamily(t);
	family->both_parts = HasBothParts(&request->options, t->source.feedback);
	CheckRatingFactors(&request->options, t->source.feedback);
	PlanNewVersion(family, request->schema, t->source.relid, &t->source.user, &t->source.item);
	t->source.keeps_spreads = family->lacks_spreads;
	family->model.source_schema = t->source.temporary ? "pg_temp" : t->source.schema;
	family->model.source = t->source.name;
	SetNewVersionParameters(family, TrainOptionsToJson(&request->options));
	t->newest = -INFINITY;
	BeginProgress(family->model.name);
}

/* An error where no tenant could be trained and the family would be empty. */
static void
CheckSomeTrained(const EachTrainer *t)
{
	if (t->trained > 0 || !t->family.is_new)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA),
			 errmsg("relation \"%s\" has no tenant to train a model for", t->source.name),
			 t->first_failed ? errdetail("Tenant \"%s\" could not be trained: %s.", t->first_failed, t->first_reason) :
			 errdetail("It has no rows, or column \"%s\" is null in all of them.", t->source.tenant_column),
			 errhint("At least one tenant must have ratings that mf_train could train on, and a name that is free.")));
}

/* Notices and warnings about all tenants. */
static void
ReportTenants(const EachTrainer *t)
{
	Ratings		skipped = {.null_rows = t->null_rows};

	if (t->without > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row without a tenant", "skipped %lld rows without a tenant", t->without,
							   (long long) t->without),
				 errdetail("Their column \"%s\" is null.", t->source.tenant_column)));
	ReportSkippedRows(&skipped);
	if (t->failed > 0)
		ereport(WARNING,
				(errmsg_plural("%lld tenant could not be trained", "%lld tenants could not be trained", t->failed,
							   (long long) t->failed),
				 errdetail("The first one is \"%s\": %s.", t->first_failed, t->first_reason),
				 errhint("They keep the versions that they have. The column failed of the result says why.")));
}

/*
 * Trains a model for each tenant, the column of which is request->options.columns.by, in the current transaction, and
 * tells a function of each what has become of it, in the order of tenants where they are trained.
 */
void
TrainEach(const TrainRequest *request, TenantFunction function, void *state)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec training", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(context);
	EachTrainer *t = palloc0(sizeof(EachTrainer));
	Model	   *model = &t->family.model;

	t->request = request;
	t->function = function;
	t->state = state;
	t->batch = AllocSetContextCreate(context, "mfrec tenants", ALLOCSET_DEFAULT_SIZES);
	BeginEach(t);
	ReadTenants(t);
	CheckSomeTrained(t);
	ReportPhase(PHASE_SWITCH);
	model->version = t->family.version - 1;
	EnterFamily(model, t->family.is_new);
	RecordOwner(model->name, GetUserNameFromId(RelationOwner(model->user_relid), false));
	ReportTenants(t);
	EndProgress();
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
}
