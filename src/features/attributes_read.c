/*
 * attributes_read.c - all rows of the relation of items' attributes, as triplets of item, token and number.
 *
 * As the source of ratings, the relation is read once by a query with the caller's privileges and row security.
 * What its features are is known when all rows have been read: how many items have a word, whether a text's values
 * recur, what a number's mean is.  So rows become triplets first, in memory or spilled, and features then.
 *
 * Counts are of known items alone, those with ratings: cold ones have no say in what the features are.
 *
 * Texts become words here and not in the query: a table may have 1600 columns of text, and a query 1664, and a text is
 * wanted both whole and as words.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "mb/pg_wchar.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "features/attributes_read.h"
#include "features/token_list.h"
#include "pg/alloc.h"
#include "pg/memory_limit.h"
#include "pg/placement.h"
#include "pg/spi_query.h"

/*
 * Characters of a text that become words: those of the longest books' chapters, and few enough for what a tsvector
 * can hold, 1 MB of different words.
 */
#define MOST_CHARACTERS 200000

/* Elements of an embedding: as many as pgvector's vector can have. */
#define MOST_ELEMENTS 16000

/* Where an error is, and what helps. */
#define ROW_HINT "Correct the row, or leave it out with a view."

/* Receives the relation's rows. */
typedef struct AttributeReceiver
{
	DestReceiver pub;
	Attributes *attributes;
	TokenList	list;			/* of the value at hand */
	bool	   *seen;			/* items that have had a row */
	int64		seen_capacity;
	int64		memory;			/* bytes that dictionaries may take */
	MemoryContext row;			/* emptied after each row */
} AttributeReceiver;

/* A value on its way: the row's item and a column. */
typedef struct Place
{
	int64		id;
	int32		item;
	int			a;				/* of source->attribute */
} Place;

/* "item 42 in relation "movies"", for details. */
static char *
DescribeRow(const FeatureSource *source, int64 id)
{
	return psprintf("It is in the row of item %s in relation \"%s\".", IdToText(&source->key, id), source->name);
}

/* An error for a number that is none, or has no room in single precision. */
static void
CheckFinite(const FeatureSource *source, const Place *place, double number)
{
	if (!isfinite((float) number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("column \"%s\" has %g, which is not a finite number in single precision",
						source->attribute[place->a].name, number),
				 errdetail("%s", DescribeRow(source, place->id)),
				 errhint(ROW_HINT)));
}

/* Takes a number in two parts, see ReadNumber(): a time in microseconds needs more than a float. */
static void
TakeNumber(AttributeReceiver *receiver, const Place *place, double number)
{
	float		high = (float) number;

	CheckFinite(receiver->attributes->source, place, number);
	AddTriplet(&receiver->attributes->numbers, place->item, place->a, high, (float) (number - high));
}

/* Takes the tokens of the list, each of which a value has once, and counts them where the item is known. */
static void
TakeTokens(AttributeReceiver *receiver, const Place *place)
{
	Attributes *attributes = receiver->attributes;
	const TokenList *list = &receiver->list;
	bool		known = place->item < attributes->known;

	for (int32 i = 0; i < list->count; i++)
	{
		Token	   *token = &attributes->vocabulary->token[list->token[i]];

		AddTriplet(&attributes->tokens, place->item, list->token[i], list->times[i], 1);
		if (!known)
			continue;
		if (token->items == 0 && token->field == TokenField(place->a, false))
			attributes->column[place->a].distinct++;
		token->items++;
	}
}

/*
 * The words of a text by the configuration of text search, in the current memory context; of a long one those of its
 * beginning.
 */
static TSVector
WordsOfText(const FeatureSource *source, text *value)
{
	int			length = VARSIZE_ANY_EXHDR(value);

	if (length > MOST_CHARACTERS)
	{
		int			beginning = pg_mbcharcliplen(VARDATA_ANY(value), length, MOST_CHARACTERS);

		if (beginning < length)
			value = cstring_to_text_with_len(VARDATA_ANY(value), beginning);
	}
	return DatumGetTSVector(DirectFunctionCall2(to_tsvector_byid, ObjectIdGetDatum(source->text_configuration),
												PointerGetDatum(value)));
}

/*
 * Takes a text as a value and as words, one of which is used at last.  More than half of the known items cannot have
 * different values and these be categories, so then values are no longer kept.
 */
static void
TakeText(AttributeReceiver *receiver, const Place *place, text *value)
{
	Attributes *attributes = receiver->attributes;
	Vocabulary *v = attributes->vocabulary;
	ReadColumn *column = &attributes->column[place->a];

	if (!column->many)
	{
		ListText(&receiver->list, v, TokenField(place->a, false), VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
		TakeTokens(receiver, place);
		column->many = 2 * column->distinct > attributes->known;
	}
	ListWords(&receiver->list, v, TokenField(place->a, true), WordsOfText(attributes->source, value));
	TakeTokens(receiver, place);
}

/* An error for an array that is no embedding, or not as long as those before. */
static void
CheckVector(const FeatureSource *source, const ReadColumn *column, const Place *place, ArrayType *array)
{
	const char *name = source->attribute[place->a].name;
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));

	if (ARR_NDIM(array) != 1 || n > MOST_ELEMENTS)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("column \"%s\" has an array that is no embedding: it has %d dimensions and %d numbers", name,
						ARR_NDIM(array), n),
				 errdetail("%s", DescribeRow(source, place->id)),
				 errhint("An embedding is a one-dimensional array of at most %d numbers.", MOST_ELEMENTS)));
	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("column \"%s\" has an embedding with a null element", name),
				 errdetail("%s", DescribeRow(source, place->id)),
				 errhint(ROW_HINT)));
	if (column->dimension > 0 && n != column->dimension)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("column \"%s\" has embeddings of %d and of %d numbers", name, column->dimension, n),
				 errdetail("%s", DescribeRow(source, place->id)),
				 errhint("All must have as many. " ROW_HINT)));
}

/*
 * Takes an embedding; an empty array is none.  Elements are numbered among the tokens, so that both go one way; one
 * that is 0, if only in single precision, needs no cell.
 */
static void
TakeVector(AttributeReceiver *receiver, const Place *place, ArrayType *array)
{
	Attributes *attributes = receiver->attributes;
	ReadColumn *column = &attributes->column[place->a];
	const double *number = (const double *) ARR_DATA_PTR(array);

	if (ARR_NDIM(array) == 0)
		return;
	CheckVector(attributes->source, column, place, array);
	if (column->dimension == 0)
	{
		column->dimension = ARR_DIMS(array)[0];
		column->first = AddElements(attributes->vocabulary, TokenField(place->a, false), column->dimension);
	}
	for (int32 k = 0; k < column->dimension; k++)
	{
		CheckFinite(attributes->source, place, number[k]);
		if ((float) number[k] != 0)
			AddTriplet(&attributes->tokens, place->item, column->first + k, (float) number[k], 1);
	}
	if (place->item < attributes->known)
		attributes->vocabulary->token[column->first].items++;
}

/* Takes a value that is not null, of the type that the query delivers for its column's kind: see AttributeKind. */
static void
TakeValue(AttributeReceiver *receiver, const Place *place, Datum value)
{
	Vocabulary *v = receiver->attributes->vocabulary;
	TokenList  *list = &receiver->list;
	int32		field = TokenField(place->a, false);
	text	   *string;

	switch (receiver->attributes->source->attribute[place->a].kind)
	{
		case ATTRIBUTE_NUMBER:
			TakeNumber(receiver, place, DatumGetFloat8(value));
			return;
		case ATTRIBUTE_VECTOR:
			TakeVector(receiver, place, DatumGetArrayTypeP(value));
			return;
		case ATTRIBUTE_TEXT:
			TakeText(receiver, place, DatumGetTextPP(value));
			return;
		case ATTRIBUTE_CATEGORY:
			string = DatumGetTextPP(value);
			ListText(list, v, field, VARDATA_ANY(string), VARSIZE_ANY_EXHDR(string));
			break;
		case ATTRIBUTE_LIST:
			ListArray(list, v, field, DatumGetArrayTypeP(value));
			break;
		case ATTRIBUTE_DOCUMENT:
			ListDocument(list, v, field, DatumGetJsonbP(value));
			break;
		case ATTRIBUTE_WORDS:
			ListWords(list, v, TokenField(place->a, true), DatumGetTSVector(value));
			break;
	}
	TakeTokens(receiver, place);
}

/* Marks an item as one that has had a row; an error where it has had one before. */
static void
MarkSeen(AttributeReceiver *receiver, const Place *place)
{
	const FeatureSource *source = receiver->attributes->source;

	if (place->item >= receiver->seen_capacity)
	{
		int64		capacity = 2 * Max(receiver->seen_capacity, place->item);

		receiver->seen = repalloc_huge(receiver->seen, capacity * sizeof(bool));
		memset(receiver->seen + receiver->seen_capacity, 0, (capacity - receiver->seen_capacity) * sizeof(bool));
		receiver->seen_capacity = capacity;
	}
	if (receiver->seen[place->item])
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("relation \"%s\" has several rows of one %s", source->name, source->side->one),
				 errdetail("There is more than one row of %s %s.", source->side->one, IdToText(&source->key, place->id)),
				 errhint("Leave the others out, or bring them together in arrays, with a view.")));
	receiver->seen[place->item] = true;
	receiver->attributes->described += place->item < receiver->attributes->known;
}

/* An error where the dictionaries so far exceed the limit of memory. */
static void
CheckMemory(const AttributeReceiver *receiver)
{
	const Attributes *attributes = receiver->attributes;
	int64		needed = VocabularyBytes(attributes->vocabulary) + IdMapBytes(attributes->items) + receiver->seen_capacity;

	if (needed > receiver->memory)
		TrainingExceedsMemory(needed,
							  psprintf("The %d words and categories of relation \"%s\", so far, and the dictionary of %d %s must be in memory.",
									   attributes->vocabulary->count, attributes->source->name, attributes->items->count,
									   attributes->source->side->many));
}

/* Takes a row of the query; what it leaves behind is freed at once. */
static bool
ReceiveAttributes(TupleTableSlot *slot, DestReceiver *self)
{
	AttributeReceiver *receiver = (AttributeReceiver *) self;
	Attributes *attributes = receiver->attributes;
	MemoryContext old;
	Place		place;

	slot_getallattrs(slot);
	if (slot->tts_isnull[0])
	{
		attributes->null_rows++;
		return true;
	}
	old = MemoryContextSwitchTo(receiver->row);
	place.id = IdFromColumn(&attributes->source->key, slot->tts_values[0]);
	place.item = AddId(attributes->items, place.id);
	MarkSeen(receiver, &place);
	for (place.a = 0; place.a < attributes->source->nattributes; place.a++)
		if (!slot->tts_isnull[place.a + 1])
			TakeValue(receiver, &place, slot->tts_values[place.a + 1]);
	CheckMemory(receiver);
	MemoryContextSwitchTo(old);
	MemoryContextReset(receiver->row);
	return true;
}

/* The key that the query delivers must be of the type that OpenFeatureSource() has found. */
static void
StartupAttributeReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) operation;
	CheckDeliveredId(typeinfo, 0, &((AttributeReceiver *) self)->attributes->source->key);
}

/*
 * Reads the rows of a query, with one parameter (type InvalidOid: none), which sees what RunQuery() says; the rest is
 * as below.
 */
static void
ReadRows(Attributes *attributes, const FeatureSource *source, IdMap *items, int64 budget, const char *sql, Oid type,
		 Datum value, bool read_only)
{
	AttributeReceiver receiver = {.attributes = attributes,.memory = MemoryLimit()};

	memset(attributes, 0, sizeof(Attributes));
	attributes->source = source;
	attributes->items = items;
	attributes->known = items->count;
	attributes->vocabulary = CreateVocabulary();
	attributes->column = palloc0(sizeof(ReadColumn) * source->nattributes);
	InitTriplets(&attributes->tokens, true, false, 0, BLOCK_TRIPLETS);
	attributes->tokens.limit = Max(BLOCK_TRIPLETS, budget / 2 / TripletBytes(&attributes->tokens));
	InitTriplets(&attributes->numbers, true, true, 0, BLOCK_TRIPLETS);
	attributes->numbers.limit = Max(BLOCK_TRIPLETS, budget / 2 / TripletBytes(&attributes->numbers));
	receiver.pub.receiveSlot = ReceiveAttributes;
	receiver.pub.rStartup = StartupAttributeReceiver;
	receiver.seen_capacity = Max(items->count, 1);
	receiver.seen = HugeZeroArray(receiver.seen_capacity, sizeof(bool));
	receiver.row = AllocSetContextCreate(CurrentMemoryContext, "mfrec attributes", ALLOCSET_DEFAULT_SIZES);
	InitTokenList(&receiver.list);
	RunQuery(sql, type, value, read_only, &receiver.pub);
	MemoryContextDelete(receiver.row);
	EndTriplets(&attributes->tokens);
	EndTriplets(&attributes->numbers);
}

/*
 * Reads all rows into *attributes, in the current memory context; items that have no ratings are added to `items`.
 * Triplets take about `budget` bytes in memory, and temporary files beyond.  A relation that is read again, after the
 * training, is read as the calling query sees it.
 */
void
ReadAttributes(Attributes *attributes, const FeatureSource *source, IdMap *items, int64 budget)
{
	ReadRows(attributes, source, items, budget, FeatureQuery(source, NULL), InvalidOid, (Datum) 0, source->again);
}

/*
 * The same of some items, whose ids are an array of the key's type: all that their rows have, texts both as values and
 * as words.  Only those that have a row are added to `items`, which is empty.  read_only: see RunQuery().
 */
void
ReadSomeAttributes(Attributes *attributes, const FeatureSource *source, IdMap *items, Datum ids, bool read_only)
{
	char	   *sql = psprintf("%s WHERE %s %s ANY ($1)", FeatureQuery(source, RowsSql(source->relid)), quote_identifier(source->key_column),
							   IdEqualitySql(&source->key));

	ReadRows(attributes, source, items, 0, sql, get_array_type(source->key.base), ids, read_only);
}

/*
 * The same of one item, whose id is of the key's type, as the calling query sees the relation.  There may be no row.
 */
void
ReadItemAttributes(Attributes *attributes, const FeatureSource *source, int64 id)
{
	IdType	   *type = palloc(sizeof(IdType));
	IdMap	   *items;
	Datum		key = IdToDatum(&source->key, id);
	Oid			placement = PlacementOf(source->relid, source->key_column, source->key.base, key);
	char	   *sql;

	*type = source->key;
	items = CreateIdMap(type);
	(void) AddId(items, id);
	sql = psprintf("%s WHERE %s %s $1", FeatureQuery(source, OidIsValid(placement) ? RowsSql(placement) : NULL),
				   quote_identifier(source->key_column), IdEqualitySql(type));
	ReadRows(attributes, source, items, 0, sql, type->base, key, true);
}
