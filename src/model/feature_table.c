/*
 * feature_table.c - the third model table: what each feature of items, or of users, adds to their factors.
 *
 * It is there to be read: which words pull where.  A row also says all that makes a cell of an item's value: the column
 * that it comes from, as what that was taken, and what the value is multiplied by or compared with.  So a row of the
 * relation of attributes is encoded, and an item has its vector, by this table alone.  Lists do not need it;
 * explanations read it, and the next training starts from it.
 *
 * It is filled as the tables of users and items are, by the same rules of what is refused: see factor_table.c.
 */
#include "postgres.h"

#include <math.h>

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "model/factor_columns.h"
#include "model/factor_rows.h"
#include "model/factor_table.h"
#include "model/feature_table.h"
#include "pg/bulk_load.h"
#include "pg/placement.h"
#include "pg/spi_query.h"

/* The columns, in the order of the list below. */
enum
{
	VERSION, THE_SIDE, FEATURE, ITEMS, FACTORS, RATING_FACTORS, BIAS, ATTRIBUTE, TAKEN_AS, WEIGHT, MEAN, DEVIATION,
	COLUMNS
};

static const struct
{
	const char *name;
	Oid			type;
	const char *definition;
	const char *comment;
}			columns[COLUMNS] = {
	{"version", INT4OID, "integer NOT NULL", "version of the model"},
	{"side", TEXTOID, "pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL", "whose feature it is: item or user"},
	{"feature", TEXTOID, "pg_catalog.text COLLATE pg_catalog.\"C\" NOT NULL",
	"what they have: the column, and its word, category, key and value or element"},
	{"items", INT4OID, "integer NOT NULL", "items, or users, with ratings that have it"},
	{"factors", FLOAT4ARRAYOID, "real[] NOT NULL", "what one unit of the feature adds to the item's factors, or to the user's"},
	{"rating_factors", FLOAT4ARRAYOID, "real[]", "what it adds to the item's rating_factors; null where there are none"},
	{"bias", FLOAT4OID, "real NOT NULL", "what it adds to the item's bias"},
	{"attribute", TEXTOID, "pg_catalog.text NOT NULL", "column of the relation of attributes"},
	{"taken_as", TEXTOID, "pg_catalog.text NOT NULL", "as what the column was taken: words, categories, a number ..."},
	{"weight", FLOAT4OID, "real",
	"what a word, category or element is multiplied by before those of an item and column are divided by their length; null for numbers"},
	{"mean", FLOAT8OID, "double precision", "of a number: what is subtracted; null for all else"},
	{"deviation", FLOAT8OID, "double precision", "of a number: what it is then divided by; null for all else"}
};

/* Creates the table in the named schema, as the current user, and returns its oid. */
Oid
CreateFeatureTable(const char *schema, const char *table)
{
	const char *name = quote_qualified_identifier(schema, table);
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CREATE TABLE %s (", name);
	for (int i = 0; i < COLUMNS; i++)
		appendStringInfo(&sql, "%s %s, ", columns[i].name, columns[i].definition);
	appendStringInfoString(&sql, "PRIMARY KEY (version, side, feature))");
	(void) RunSql(sql.data, 0, NULL, NULL, false);

	/* as in the other tables */
	(void) RunSql(psprintf("ALTER TABLE %s ALTER COLUMN factors SET STORAGE PLAIN, ALTER COLUMN factors SET STATISTICS 0,"
						   " ALTER COLUMN rating_factors SET STORAGE PLAIN, ALTER COLUMN rating_factors SET STATISTICS 0", name),
				  0, NULL, NULL, false);
	CommentModelTable(name, NULL, "what attributes of items and users add to their factors, by version: written by mfrec");
	for (int i = 0; i < COLUMNS; i++)
		CommentModelTable(name, columns[i].name, columns[i].comment);
	return get_relname_relid(table, get_namespace_oid(schema, false));
}

/* Whether a column of ours may be without a value, so that it must take nulls. */
static bool
MayBeNull(int column)
{
	return column == RATING_FACTORS || column >= WEIGHT;
}

/* An error unless rows can be bulk-loaded into an open table; else where its columns are. */
static void
CheckTarget(Relation rel, AttrNumber *attnum)
{
	Oid			relid = RelationGetRelid(rel);
	const char *own[COLUMNS];

	for (int i = 0; i < COLUMNS; i++)
		own[i] = columns[i].name;
	CheckBulkTarget(rel, own, COLUMNS);
	for (int i = 0; i < COLUMNS; i++)
	{
		RequireColumn(relid, columns[i].name, columns[i].type);
		attnum[i] = get_attnum(relid, columns[i].name);
		if (MayBeNull(i) && TupleDescAttr(RelationGetDescr(rel), attnum[i] - 1)->attnotnull)
			RefuseTable(rel, psprintf("Its column \"%s\" is not null, and not every feature has one.", columns[i].name));
	}
}

/* An error unless the table can take another version; the caller has locked it. */
void
CheckFeatureTable(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	AttrNumber	attnum[COLUMNS];

	CheckTarget(rel, attnum);
	table_close(rel, NoLock);
}

/* Rows on their way into the table. */
typedef struct Storing
{
	const FeatureRows *rows;
	int32		version;
	AttrNumber	attnum[COLUMNS];
} Storing;

/* BulkRowFunction */
static void
FillRow(void *state, int64 row, TupleTableSlot *slot)
{
	const Storing *storing = state;
	const AttrNumber *attnum = storing->attnum;
	FeatureRow	made = {0};

	storing->rows->make(storing->rows->state, row, &made);
	SetBulkColumn(slot, attnum[VERSION], Int32GetDatum(storing->version));
	SetBulkColumn(slot, attnum[THE_SIDE], CStringGetTextDatum(storing->rows->side));
	SetBulkColumn(slot, attnum[FEATURE], CStringGetTextDatum(made.feature));
	SetBulkColumn(slot, attnum[ITEMS], Int32GetDatum(made.items));
	SetBulkColumn(slot, attnum[FACTORS], MakeVector(made.vector, made.factors));
	if (made.rating_vector)
		SetBulkColumn(slot, attnum[RATING_FACTORS], MakeVector(made.rating_vector, made.factors));
	SetBulkColumn(slot, attnum[BIAS], Float4GetDatum(made.bias));
	SetBulkColumn(slot, attnum[ATTRIBUTE], CStringGetTextDatum(made.attribute));
	SetBulkColumn(slot, attnum[TAKEN_AS], CStringGetTextDatum(made.taken_as));
	if (!isnan(made.weight))
		SetBulkColumn(slot, attnum[WEIGHT], Float4GetDatum(made.weight));
	if (!isnan(made.mean))
		SetBulkColumn(slot, attnum[MEAN], Float8GetDatum(made.mean));
	if (!isnan(made.deviation))
		SetBulkColumn(slot, attnum[DEVIATION], Float8GetDatum(made.deviation));
}

/* Inserts the rows as the given version; an error where the table cannot take them.  The lock stays. */
void
StoreFeatureRows(Oid relid, int32 version, const FeatureRows *rows)
{
	Relation	rel = table_open(relid, RowExclusiveLock);
	Storing		storing = {.rows = rows,.version = version};

	CheckTarget(rel, storing.attnum);
	BulkLoad(rel, rows->count, FillRow, &storing);
	table_close(rel, NoLock);
}

/* Receives a scan of the table and hands each row to a function. */
typedef struct FeatureReceiver
{
	DestReceiver pub;
	FeatureRowFunction function;
	void	   *state;
	MemoryContext row;			/* emptied after each row */
} FeatureReceiver;

/*
 * receiveSlot: takes a row apart, and hands it on.  One that was edited, so that there is no name or its vectors differ
 * in length, is left out.
 */
static bool
ReceiveFeatureRow(TupleTableSlot *slot, DestReceiver *self)
{
	FeatureReceiver *receiver = (FeatureReceiver *) self;
	MemoryContext old;
	FeatureRow	row = {0};
	int			d;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
		return true;
	old = MemoryContextSwitchTo(receiver->row);
	row.feature = TextDatumGetCString(slot->tts_values[0]);
	row.bias = DatumGetFloat4(slot->tts_values[1]);
	row.vector = VectorValues(slot->tts_values[2], slot->tts_isnull[2], false, &row.factors);
	d = row.factors;
	if (!slot->tts_isnull[3])
		row.rating_vector = VectorValues(slot->tts_values[3], false, false, &d);
	row.taken_as = slot->tts_isnull[4] ? "" : TextDatumGetCString(slot->tts_values[4]);
	row.weight = slot->tts_isnull[5] ? NAN : DatumGetFloat4(slot->tts_values[5]);
	row.mean = slot->tts_isnull[6] ? NAN : DatumGetFloat8(slot->tts_values[6]);
	row.deviation = slot->tts_isnull[7] ? NAN : DatumGetFloat8(slot->tts_values[7]);
	if (d == row.factors)
		receiver->function(receiver->state, &row);
	MemoryContextSwitchTo(old);
	MemoryContextReset(receiver->row);
	return true;
}

/* rStartup: an error unless the query delivers the types that ReceiveFeatureRow takes for granted. */
static void
StartupFeatureReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	static const int read[] = {FEATURE, BIAS, FACTORS, RATING_FACTORS, TAKEN_AS, WEIGHT, MEAN, DEVIATION};

	(void) self;
	(void) operation;
	for (int i = 0; i < (int) lengthof(read); i++)
		CheckFactorColumn(typeinfo, i, columns[read[i]].type);
}

/*
 * Hands rows of one side of a version to a function, with the current user's privileges and row security: all of them,
 * or those of the features in a text[] (0: none).  How many items have a feature, and its column, are left out.
 */
void
ReadFeatureRows(Oid relid, int32 version, const char *side, Datum features, FeatureRowFunction function, void *state)
{
	FeatureReceiver receiver = {.function = function,.state = state};
	const char *sql = psprintf("SELECT feature, bias, factors, rating_factors, taken_as, weight, mean, deviation FROM %s"
							   " WHERE version OPERATOR(pg_catalog.=) %d AND side OPERATOR(pg_catalog.=) '%s'::pg_catalog.text%s",
							   RowsSql(relid), version, side,
							   features ? " AND feature OPERATOR(pg_catalog.=) ANY ($1)" : "");

	receiver.pub.receiveSlot = ReceiveFeatureRow;
	receiver.pub.rStartup = StartupFeatureReceiver;
	receiver.row = AllocSetContextCreate(CurrentMemoryContext, "mfrec features of before", ALLOCSET_DEFAULT_SIZES);
	RunQuery(sql, features ? TEXTARRAYOID : InvalidOid, features, true, &receiver.pub);
	MemoryContextDelete(receiver.row);
}
