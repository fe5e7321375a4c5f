/*
 * items_renew.c - the items of a version, brought up to date with the relation of attributes.
 *
 * Items that have come to the relation since the training get the vectors that it would have given them (item_encode.c), as
 * rows of the version's table; cold items that have gone from it lose theirs.  Items of the ratings stay as they are, with a
 * row there or without, also those of which validation has held out all rows: these have a prior.  Who calls this publishes the version's image anew, so that all of it is seen at once.
 *
 * Numbers by which users' rows mean items are never given twice in a version: new items get those behind all that there
 * have been, and those of items that have gone stay free.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"

#include "compat.h"
#include "core/als/problem.h"
#include "features/feature_arguments.h"
#include "model/factor_rows.h"
#include "model/missing_rows.h"
#include "model/model_acl.h"
#include "model/model_write.h"
#include "pg/alloc.h"
#include "pg/spi_query.h"
#include "serve/item_encode.h"
#include "serve/items_renew.h"

/* Items that are encoded and stored, or deleted, together. */
#define BATCH_ITEMS 10000

/* A version's items, and what the relation says of them. */
typedef struct Renewal
{
	const Model *model;
	ItemEncoder encoder;
	IdType		type;			/* of the table's ids */
	IdMap	   *items;			/* known ones, and behind them new ones of the relation */
	int32		known;			/* how many there are of these */
	int64		rated;			/* and of those with ratings */
	int64		capacity;		/* of the next */
	bool	   *cold;			/* by item: known, and none of the ratings */
	bool	   *described;		/* known, with a row in the relation */
	int64		numbers;		/* all numbers of items are below */
	int64		added;
	int64		removed;
} Renewal;

/* Receives ids, and of the version's items how many ratings they have, and whether there is no prior. */
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

/* receiveSlot: one of the version's items. */
static bool
ReceiveItem(TupleTableSlot *slot, DestReceiver *self)
{
	Renewal    *renewal = ((IdReceiver *) self)->renewal;
	int32		item;

	slot_getallattrs(slot);
	item = AddId(renewal->items, IdFromColumn(&renewal->type, slot->tts_values[0]));
	if (item >= renewal->capacity)
	{
		renewal->capacity *= 2;
		renewal->cold = repalloc_huge(renewal->cold, renewal->capacity * sizeof(bool));
	}
	renewal->cold[item] = DatumGetInt32(slot->tts_values[1]) == 0 && DatumGetBool(slot->tts_values[2]);
	renewal->rated += DatumGetInt32(slot->tts_values[1]) != 0;
	return true;
}

/* receiveSlot: a key of the relation; null is none, and an item that the table's column has no room for has to wait. */
static bool
ReceiveKey(TupleTableSlot *slot, DestReceiver *self)
{
	Renewal    *renewal = ((IdReceiver *) self)->renewal;
	int64		id;
	int32		item;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		return true;
	id = IdFromColumn(&renewal->encoder.source.key, slot->tts_values[0]);
	if (!IdFits(&renewal->type, id))
		return true;
	item = AddId(renewal->items, id);
	if (item < renewal->known)
		renewal->described[item] = true;
	return true;
}

/* Reads the version's items. */
static void
ReadItems(Renewal *renewal)
{
	IdReceiver	receiver = {.pub = {.receiveSlot = ReceiveItem,.rStartup = StartupIdReceiver},.renewal = renewal,
	.type = &renewal->type};

	renewal->capacity = 1024;
	renewal->cold = HugeArray(renewal->capacity, sizeof(bool));
	RunQuery(psprintf("SELECT " ITEM_ID ", ratings, %s FROM %s WHERE version OPERATOR(pg_catalog.=) $1",
					  PriorColumn(renewal->model->item_relid) != InvalidAttrNumber ? "prior IS NULL" : "true",
					  FactorTableSql(renewal->model->item_relid)),
			 INT4OID, Int32GetDatum(renewal->model->version), false, &receiver.pub);
	renewal->known = renewal->items->count;
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

/* Deletes cold items that are no longer in the relation. */
static void
RemoveItems(Renewal *renewal)
{
	const Model *model = renewal->model;
	Datum	   *ids = palloc(sizeof(Datum) * BATCH_ITEMS);
	int			n = 0;

	for (int32 item = 0; item < renewal->known; item++)
	{
		if (!renewal->cold[item] || renewal->described[item])
			continue;
		ids[n++] = IdToDatum(&renewal->type, IdAt(renewal->items, item));
		if (n < BATCH_ITEMS)
			continue;
		renewal->removed += DeleteVersionRows(model->item_relid, ITEM_ID, model->version, &renewal->type, ids, n);
		n = 0;
	}
	renewal->removed += DeleteVersionRows(model->item_relid, ITEM_ID, model->version, &renewal->type, ids, n);
	pfree(ids);
}

/* Stores n of the new items, from number `first` on, in the current memory context. */
static void
StoreItems(Renewal *renewal, int32 first, int n)
{
	EncodedItems items;
	FactorRows	rows = {.factors = mf_dimensions(&renewal->encoder.objective)};
	int32	   *numbers;

	EncodeItems(&renewal->encoder, renewal->items->ids + first, n, false, &items);
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
	renewal->numbers += n;
	renewal->added += n;
}

/* Stores all new items, batch by batch. */
static void
AddItems(Renewal *renewal)
{
	MemoryContext batch = AllocSetContextCreate(CurrentMemoryContext, "mfrec new items", ALLOCSET_DEFAULT_SIZES);

	for (int32 first = renewal->known; first < renewal->items->count; first += BATCH_ITEMS)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);

		StoreItems(renewal, first, Min(BATCH_ITEMS, renewal->items->count - first));
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
}

/*
 * Opens what the version's items are renewed from, as the model's owner.  False where there is nothing to renew them from:
 * for a version without attributes silently, as for one that is not the newest, for the relation is that of the last
 * training; with a notice where the owner cannot read the relation or the table of features.
 */
static bool
OpenRenewal(Renewal *renewal, bool newest)
{
	const Model *model = renewal->model;
	FeatureArguments arguments;

	FeatureArgumentsFromJson(&arguments, &item_side, model->parameters);
	if (!newest || !HasFeatures(&arguments) || !SeesAllRows(model->item_relid))
		return false;
	FactorIdType(model->item_relid, ITEM_ID, &renewal->type);
	if (OpenEncoder(&renewal->encoder, &item_side, model, model->version, &renewal->type))
		return true;
	ereport(NOTICE,
			(errmsg("items of model \"%s\" stay as they are: relation \"%s.%s\" of their attributes, or the table of features, cannot be read",
					model->name, arguments.schema, arguments.name),
			 errdetail("It has gone, its owner may not read it, or its keys are of another type than the items' ids."),
			 errhint("Rename or grant it back, or train with mf_train(..., model => %s, item_features => ...) on another relation, or on none.",
					 quote_literal_cstr(model->name))));
	return false;
}

/*
 * Brings the items of the version that serves up to date with the relation of attributes, as the model's owner, by what is
 * committed by now.  The caller has locked the model.  A table of items that has lost its rows stays as it is.
 * *added, *removed: how many items have come and gone.
 */
void
RenewItems(const Model *model, int64 *added, int64 *removed)
{
	Renewal		renewal = {.model = model};
	Acting		acting;
	bool		newest = LatestVersion(model->name) == model->version;

	LockModelTables(model);
	PushBookkeepingSnapshot();
	renewal.numbers = VersionItemNumbers(model, model->version);
	ActAsModelOwner(model, &acting);
	if (OpenRenewal(&renewal, newest))
	{
		renewal.items = CreateIdMap(&renewal.type);
		ReadItems(&renewal);
		ReadKeys(&renewal);
		if (renewal.rated > 0)
		{
			RemoveItems(&renewal);
			AddItems(&renewal);
		}
	}
	StopActing(&acting);
	PopBookkeepingSnapshot();
	*added = renewal.added;
	*removed = renewal.removed;
	elog(DEBUG1, "mfrec: " INT64_FORMAT " new items, " INT64_FORMAT " have gone", renewal.added, renewal.removed);
	if (renewal.added + renewal.removed > 0)
		SetVersionItems(model->name, model->version, renewal.known + renewal.added - renewal.removed, renewal.numbers);
}
