/*
 * source_lookup.c - the current rows of one user or one item in a source, or all of them.
 *
 * A source can be any relation, so a query looks, prepared once a session, with the caller's snapshot,
 * privileges and row security.  Its ids may have become of another type than the model has, such as bigint
 * for integer; they are converted on the way in and out, and ids that the other side cannot have are passed over.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "ids/id_growth.h"
#include "pg/placement.h"
#include "pg/spi_query.h"
#include "rows/row_time.h"
#include "source/relation.h"
#include "source/source_lookup.h"

/* Completes a lookup whose source is open: the queries, and the types of ids that the model has. */
void
PrepareSourceLookup(SourceLookup *lookup, const IdType *user_type, const IdType *item_type)
{
	lookup->user_type = user_type;
	lookup->item_type = item_type;
	lookup->item_sql = SourceReverseLookupSql(&lookup->source);
	lookup->user_sql = SourceLookupSql(&lookup->source);
}

/* Receives the rows of a lookup in the source. */
typedef struct LookupReceiver
{
	DestReceiver pub;
	const Source *source;
	int			column;			/* of the id that is handed on: 0 user, 1 item */
	const IdType *idtype;		/* of the id in the source */
	const IdType *model_type;	/* of the id that is handed on */
	CurrentRowFunction function;
	void	   *state;
} LookupReceiver;

/*
 * Hands a row on, unless its id is null or none of the model's type.  A row that is no observation has a weight
 * of NaN.
 */
static bool
ReceiveCurrentRow(TupleTableSlot *slot, DestReceiver *self)
{
	LookupReceiver *receiver = (LookupReceiver *) self;
	const Source *source = receiver->source;
	Observation row;
	RatingCheck check;
	int64		id;

	slot_getallattrs(slot);
	if (slot->tts_isnull[receiver->column])
		return true;
	check = RatingFromRow(source, slot->tts_values, slot->tts_isnull, slot->tts_tupleDescriptor->natts, &row);
	if (check != RATING_OK && check != RATING_ZERO)
		row.weight = NAN;
	row.bad_time = check == RATING_BAD_TIME;
	id = IdFromColumn(receiver->idtype, slot->tts_values[receiver->column]);
	if (ConvertId(receiver->idtype, receiver->model_type, id, &id))
		receiver->function(receiver->state, id, &row);
	return true;
}

/* The columns that the query delivers must be of the types that OpenSource() has found. */
static void
StartupLookupReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) operation;
	CheckSourceColumns(((LookupReceiver *) self)->source, typeinfo);
}

/*
 * Whether the source can have an id of the model; one that its column cannot have has no rows.  *id becomes the
 * source's.
 */
static bool
ToSourceId(const IdType *model_type, const IdType *idtype, int64 *id)
{
	return ConvertId(model_type, idtype, *id, id) && IdFits(idtype, *id);
}

/* Runs a prepared lookup of an id of the source's. */
static void
RunLookup(const char *sql, const IdType *idtype, int64 id, LookupReceiver *receiver)
{
	receiver->pub.receiveSlot = ReceiveCurrentRow;
	receiver->pub.rStartup = StartupLookupReceiver;
	RunPrepared(sql, idtype->base, IdToDatum(idtype, id), &receiver->pub);
}

/*
 * The query of a user's rows, whose id is of the source's type: of the source, or where that is Citus's and has them on
 * this node, of what they lie in here.
 */
static const char *
UserRowsSql(const SourceLookup *lookup, int64 id)
{
	Source		source = lookup->source;
	Oid			placement = PlacementOf(source.relid, source.user_column, source.user.base, IdToDatum(&source.user, id));

	if (!OidIsValid(placement) || placement == source.relid)
		return lookup->user_sql;
	source.name = get_rel_name(placement);
	return source.name ? SourceLookupSql(&source) : lookup->user_sql;
}

/* Hands a user's current rows in the source to a function, in no particular order; `user` is an id of the model. */
void
LookupUserRows(const SourceLookup *lookup, int64 user, CurrentRowFunction function, void *state)
{
	LookupReceiver receiver = {.source = &lookup->source,.column = 1,.idtype = &lookup->source.item,
	.model_type = lookup->item_type,.function = function,.state = state};

	if (ToSourceId(lookup->user_type, &lookup->source.user, &user))
		RunLookup(UserRowsSql(lookup, user), &lookup->source.user, user, &receiver);
}

/* The same for the current rows of an item, which come with the ids of their users. */
void
LookupItemRows(const SourceLookup *lookup, int64 item, CurrentRowFunction function, void *state)
{
	LookupReceiver receiver = {.source = &lookup->source,.column = 0,.idtype = &lookup->source.user,
	.model_type = lookup->user_type,.function = function,.state = state};

	if (ToSourceId(lookup->item_type, &lookup->source.item, &item))
		RunLookup(lookup->item_sql, &lookup->source.item, item, &receiver);
}

/* The same of all current rows, which come with the ids of their items: a scan of the whole source. */
void
ReadAllRows(const SourceLookup *lookup, CurrentRowFunction function, void *state)
{
	LookupReceiver receiver = {.pub = {.receiveSlot = ReceiveCurrentRow,.rStartup = StartupLookupReceiver},
	.source = &lookup->source,.column = 1,.idtype = &lookup->source.item,.model_type = lookup->item_type,
	.function = function,.state = state};
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, &lookup->source);
	RunQuery(sql.data, InvalidOid, (Datum) 0, true, &receiver.pub);
}

/* Receives a time. */
typedef struct TimeReceiver
{
	DestReceiver pub;
	Oid			type;
	double		time;
} TimeReceiver;

/* receiveSlot: keeps it, unless it is null. */
static bool
ReceiveTime(TupleTableSlot *slot, DestReceiver *self)
{
	TimeReceiver *receiver = (TimeReceiver *) self;

	slot_getallattrs(slot);
	if (!slot->tts_isnull[0])
		receiver->time = TimeFromDatum(slot->tts_values[0], receiver->type);
	return true;
}

/* rStartup: an error where the column is of another type than OpenSource() has found. */
static void
StartupTimeReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) operation;
	CheckDeliveredType(typeinfo, 0, ((TimeReceiver *) self)->type);
}

/*
 * The time of the newest row, in seconds, of a source with times: of an index on these where there is one.  It may be
 * of a row that is no rating, and infinite or NaN.  Without rows negative infinity.
 */
double
NewestTime(const SourceLookup *lookup)
{
	const Source *source = &lookup->source;
	TimeReceiver receiver = {.pub = {.receiveSlot = ReceiveTime,.rStartup = StartupTimeReceiver},.type = source->time_type,
	.time = -INFINITY};

	RunQuery(psprintf("SELECT pg_catalog.max(%s) FROM %s", quote_identifier(source->time_column),
					  SourceSql(source)),
			 InvalidOid, (Datum) 0, true, &receiver.pub);
	return receiver.time;
}
