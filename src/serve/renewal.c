/*
 * renewal.c - the items and the profiles of a version, brought up to date with the relations of attributes.
 *
 * Items that have come to the relation since the training get the vectors that it would have given them
 * (item_encode.c), as rows of the version's table; cold items that have gone from it lose theirs.  Items of the ratings
 * stay as they are, with a row there or without, also those of which validation has held out all rows: these have a
 * prior.  Who calls this publishes the version's image anew, so that all of it is seen at once.
 *
 * Of users these are profiles: who has no ratings, but a row that says something, becomes the point that they are drawn
 * to (profile_encode.c).  Whom the table has stays as they are until their row has gone; those with ratings, if only
 * held out, were made from rows, and have a fingerprint of these.
 *
 * Numbers by which users' rows mean items are never given twice in a version: new items get those behind all that there
 * have been, and those of items that have gone stay free.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "compat.h"
#include "core/als/problem.h"
#include "core/base/padding.h"
#include "features/feature_arguments.h"
#include "model/factor_rows.h"
#include "model/missing_rows.h"
#include "model/model_acl.h"
#include "model/model_write.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/spi_query.h"
#include "serve/profile_encode.h"
#include "serve/renewal.h"

/* Items, or users, that are encoded and stored, or deleted, together. */
#define BATCH_ROWS 10000

/* A side of a version, and what the relation says of it: items, or users likewise. */
typedef struct Renewal
{
	const Model *model;
	const FeatureSide *side;
	Oid			relid;			/* of the model table */
	const char *id_column;
	ItemEncoder encoder;
	IdType		type;			/* of the table's ids */
	IdMap	   *ids;			/* known ones, and behind them new ones of the relation */
	int32		known;			/* how many there are of these */
	int64		rated;			/* and of those with ratings */
	int64		capacity;		/* of the next */
	bool	   *cold;			/* by number: known, and made from attributes alone */
	bool	   *described;		/* known, with a row in the relation */
	int64		numbers;		/* all numbers of items are below */
	const float *mean_user;		/* of users */
	double		mean_bias;
	const ItemNews *news;		/* of items; NULL: nobody wants to know */
	int64		added;
	int64		removed;
} Renewal;

/*
 * Receives ids, and of the version's how many ratings they have, and whether they could be made from attributes alone.
 */
typedef struct IdReceiver
{
	DestReceiver pub;
	Renewal    *renewal;
	const IdType *type;
} IdReceiver;

/* rStartup: an error unless the ids are of the type that was found before. */
static void
StartupIdReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) operation;
	CheckDeliveredId(typeinfo, 0, ((IdReceiver *) self)->type);
	if (typeinfo->natts > 1)
		CheckFactorColumn(typeinfo, 1, INT4OID);
}

/* receiveSlot: one of the version's. */
static bool
ReceiveKnown(TupleTableSlot *slot, DestReceiver *self)
{
	Renewal    *renewal = ((IdReceiver *) self)->renewal;
	int32		number;

	slot_getallattrs(slot);
	number = AddId(renewal->ids, IdFromColumn(&renewal->type, slot->tts_values[0]));
	if (number >= renewal->capacity)
	{
		renewal->capacity *= 2;
		renewal->cold = repalloc_huge(renewal->cold, renewal->capacity * sizeof(bool));
	}
	renewal->cold[number] = DatumGetInt32(slot->tts_values[1]) == 0 && DatumGetBool(slot->tts_values[2]);
	renewal->rated += DatumGetInt32(slot->tts_values[1]) != 0;
	return true;
}

/* receiveSlot: a key of the relation; null is none, and what the table's column has no room for has to wait. */
static bool
ReceiveKey(TupleTableSlot *slot, DestReceiver *self)
{
	Renewal    *renewal = ((IdReceiver *) self)->renewal;
	int64		id;
	int32		number;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		return true;
	id = IdFromColumn(&renewal->encoder.source.key, slot->tts_values[0]);
	if (!IdFits(&renewal->type, id))
		return true;
	number = AddId(renewal->ids, id);
	if (number < renewal->known)
		renewal->described[number] = true;
	return true;
}

/* What tells in SQL that a row without ratings was made from attributes alone. */
static const char *
MadeOfAttributes(const Renewal *renewal)
{
	if (renewal->side == &item_side)
		return PriorColumn(renewal->relid) != InvalidAttrNumber ? "prior IS NULL" : "true";
	return FingerprintColumn(renewal->relid) != InvalidAttrNumber ? "prior IS NOT NULL AND fingerprint IS NULL" : "prior IS NOT NULL";
}

/* Reads the version's items, or users. */
static void
ReadKnown(Renewal *renewal)
{
	IdReceiver	receiver = {.pub = {.receiveSlot = ReceiveKnown,.rStartup = StartupIdReceiver},.renewal = renewal,
	.type = &renewal->type};

	renewal->ids = CreateIdMap(&renewal->type);
	renewal->capacity = 1024;
	renewal->cold = HugeArray(renewal->capacity, sizeof(bool));
	RunQuery(psprintf("SELECT %s, ratings, %s FROM %s WHERE version OPERATOR(pg_catalog.=) $1", renewal->id_column,
					  MadeOfAttributes(renewal), FactorTableSql(renewal->relid)),
			 INT4OID, Int32GetDatum(renewal->model->version), false, &receiver.pub);
	renewal->known = renewal->ids->count;
	renewal->described = HugeZeroArray(renewal->known, sizeof(bool));
}

/* Reads the relation's keys. */
static void
ReadKeys(Renewal *renewal)
{
	const FeatureSource *source = &renewal->encoder.source;
	IdReceiver	receiver = {.pub = {.receiveSlot = ReceiveKey,.rStartup = StartupIdReceiver},.renewal = renewal,
	.type = &source->key};

	RunQuery(psprintf("SELECT %s FROM %s", quote_identifier(source->key_column),
					  quote_qualified_identifier(source->schema, source->name)),
			 InvalidOid, (Datum) 0, false, &receiver.pub);
}

/* Deletes cold items, or profiles, that are no longer in the relation. */
static void
RemoveGone(Renewal *renewal)
{
	Datum	   *ids = palloc(sizeof(Datum) * BATCH_ROWS);
	int32		version = renewal->model->version;
	int			n = 0;

	for (int32 i = 0; i < renewal->known; i++)
	{
		if (!renewal->cold[i] || renewal->described[i])
			continue;
		ids[n++] = IdToDatum(&renewal->type, IdAt(renewal->ids, i));
		if (renewal->news)
			renewal->news->gone(renewal->news->state, IdAt(renewal->ids, i));
		if (n < BATCH_ROWS)
			continue;
		renewal->removed += DeleteVersionRows(renewal->relid, renewal->id_column, version, &renewal->type, ids, n);
		n = 0;
	}
	renewal->removed += DeleteVersionRows(renewal->relid, renewal->id_column, version, &renewal->type, ids, n);
	pfree(ids);
}

/* Says what has been stored of new items. */
static void
TellItems(const ItemNews *news, const FactorRows *rows)
{
	int64		ld = mf_padded(rows->factors);

	for (int32 i = 0; i < rows->ids->count; i++)
		news->came(news->state, IdAt(rows->ids, i), rows->vectors + i * ld,
				   rows->rating_vectors ? rows->rating_vectors + i * ld : NULL, rows->bias ? rows->bias[i] : 0,
				   rows->numbers[i]);
}

/* Stores n of the new items, from number `first` on, in the current memory context. */
static void
StoreItems(Renewal *renewal, int32 first, int n)
{
	EncodedItems items;
	FactorRows	rows = {.factors = mf_dimensions(&renewal->encoder.objective)};
	int32	   *numbers;

	EncodeItems(&renewal->encoder, renewal->ids->ids + first, n, false, &items);
	RoundEncodedItems(&renewal->encoder, &items);
	n = items.ids->count;
	numbers = palloc(sizeof(int32) * Max(n, 1));
	for (int i = 0; i < n; i++)
		numbers[i] = (int32) (renewal->numbers + i);
	items.ids->type = &renewal->type;
	rows.ids = items.ids;
	rows.counts = HugeZeroArray(n, sizeof(int32));
	rows.bias = items.bias;
	rows.vectors = items.vectors;
	rows.rating_vectors = items.rating_vectors;
	rows.numbers = numbers;
	StoreFactors(renewal->model->item_relid, ITEM_ID, renewal->model->version, &rows, true);
	if (renewal->news)
		TellItems(renewal->news, &rows);
	renewal->numbers += n;
	renewal->added += n;
}

/* Puts the profiles that attributes say something of before all others; returns how many there are. */
static int
KeepMoved(EncodedItems *users, const bool *moved, IdType *type, IdMap **ids, int ld)
{
	int			kept = 0;

	*ids = CreateIdMap(type);
	for (int i = 0; i < users->ids->count; i++)
	{
		if (!moved[i])
			continue;
		(void) AddId(*ids, IdAt(users->ids, i));
		memmove(users->vectors + (int64) kept++ * ld, users->vectors + (int64) i * ld, sizeof(float) * ld);
	}
	return kept;
}

/* Stores those of n new users, from number `first` on, of whom attributes say something, likewise. */
static void
StoreProfiles(Renewal *renewal, int32 first, int n)
{
	const MfObjective *objective = &renewal->encoder.objective;
	int			d = mf_dimensions(objective);
	EncodedItems users;
	FactorRows	rows = {.factors = d,.shared = objective->factors};
	SeenRows	nothing;
	bool	   *moved = EncodeProfiles(&renewal->encoder, renewal->mean_user, renewal->ids->ids + first, n, false, &users);
	float	   *bias;

	n = KeepMoved(&users, moved, &renewal->type, &rows.ids, mf_padded(d));
	bias = palloc(sizeof(float) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		bias[i] = (float) renewal->mean_bias;
		moved[i] = true;
	}
	OpenSeenRows(&nothing, NULL, NULL, NULL, 0);
	rows.counts = HugeZeroArray(n, sizeof(int32));
	rows.bias = bias;
	rows.vectors = rows.priors = users.vectors;
	rows.has_prior = moved;
	rows.seen = &nothing;
	StoreFactors(renewal->relid, renewal->id_column, renewal->model->version, &rows, true);
	renewal->added += n;
}

/* Stores all that are new, batch by batch. */
static void
AddNew(Renewal *renewal)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "mfrec new rows", ALLOCSET_DEFAULT_SIZES);

	for (int32 first = renewal->known; first < renewal->ids->count; first += BATCH_ROWS)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);
		int			n = Min(BATCH_ROWS, renewal->ids->count - first);

		if (renewal->side == &item_side)
			StoreItems(renewal, first, n);
		else
			StoreProfiles(renewal, first, n);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
}

/*
 * Opens what a side of the version is renewed from, as the model's owner.  False where there is nothing to renew it
 * from: for a version without attributes silently, as for one that is not the newest, for the relation is that of the
 * last training, and for users whose table has lost the column by which profiles are known; with a notice where the
 * owner cannot read the relation or the table of features.
 */
static bool
OpenRenewal(Renewal *renewal, bool newest)
{
	const Model *model = renewal->model;
	FeatureArguments arguments;

	FeatureArgumentsFromJson(&arguments, renewal->side, model->parameters);
	if (!newest || !HasFeatures(&arguments) || !SeesAllRows(renewal->relid) ||
		(renewal->side == &user_side && PriorColumn(renewal->relid) == InvalidAttrNumber))
		return false;
	FactorIdType(renewal->relid, renewal->id_column, &renewal->type);
	if (OpenEncoder(&renewal->encoder, renewal->side, model, model->version, &renewal->type))
		return true;
	ereport(NOTICE,
			(errmsg("%s of model \"%s\" stay as they are: relation \"%s.%s\" of their attributes, or the table of features, cannot be read",
					renewal->side->many, model->name, arguments.schema, arguments.name),
			 errdetail("It has gone, its owner may not read it, or its keys are of another type than the %s' ids.",
					   renewal->side->many),
			 errhint("Rename or grant it back, or train with mf_train(..., model => %s, %s => ...) on another relation, or on none.",
					 quote_literal_cstr(model->name), renewal->side->argument)));
	return false;
}

/* Takes over what users of the version are without attributes. */
static void
ReadMeanUser(Renewal *renewal)
{
	Jsonb	   *parameters = VersionParameters(renewal->model, renewal->model->version);

	renewal->mean_user = MeanUserFromJson(parameters, mf_dimensions(&renewal->encoder.objective), &renewal->mean_bias);
}

/*
 * Brings a side of the version that serves up to date with the relation of attributes, as the model's owner, by what is
 * committed by now.  The caller has locked the model.  A table that has lost its rows stays as it is.
 */
static void
Renew(Renewal *renewal)
{
	const Model *model = renewal->model;
	Acting		acting;
	bool		newest = LatestServed(model->name) == model->version;

	LockModelTables(model);
	PushBookkeepingSnapshot();
	renewal->numbers = VersionItemNumbers(model, model->version);
	ActAsModelOwner(model, &acting);
	if (OpenRenewal(renewal, newest))
	{
		if (renewal->side == &user_side)
			ReadMeanUser(renewal);
		ReadKnown(renewal);
		ReadKeys(renewal);
		if (renewal->rated > 0)
		{
			RemoveGone(renewal);
			AddNew(renewal);
		}
	}
	StopActing(&acting);
	PopBookkeepingSnapshot();
	elog(DEBUG1, "mfrec: " INT64_FORMAT " new %s, " INT64_FORMAT " have gone", renewal->added, renewal->side->many,
		 renewal->removed);
}

/* Renews the items: *added, *removed: how many of them have come and gone; news: who is told which, or NULL. */
void
RenewItems(const Model *model, const ItemNews *news, int64 *added, int64 *removed)
{
	Renewal		renewal = {.model = model,.side = &item_side,.relid = model->item_relid,.id_column = ITEM_ID,.news = news};

	Renew(&renewal);
	*added = renewal.added;
	*removed = renewal.removed;
	if (*added + *removed > 0)
		SetVersionItems(model->name, model->version, renewal.known + *added - *removed, renewal.numbers);
}

/* Renews the profiles, likewise. */
void
RenewProfiles(const Model *model, int64 *added, int64 *removed)
{
	Renewal		renewal = {.model = model,.side = &user_side,.relid = model->user_relid,.id_column = USER_ID};

	Renew(&renewal);
	*added = renewal.added;
	*removed = renewal.removed;
	if (*added + *removed > 0)
		AddVersionUsers(model->name, model->version, *added - *removed);
}
