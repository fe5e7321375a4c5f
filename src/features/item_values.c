/*
 * item_values.c - the features of one item, or of some, read from the relation after the training.
 *
 * An item's row is read as it is now, in the way in which the training reads all rows, and its words, categories and
 * numbers get the names that the training gives them.  What a feature weighs is not in the row: the model has it.
 *
 * Of one item each value has all of that.  Of some, whose rows are read together, many have the same features: these
 * are named once, the model is asked for them, and then each item gets its values of them.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "compat.h"
#include "features/attributes_read.h"
#include "features/feature_cells.h"
#include "features/features_choose.h"
#include "features/item_values.h"
#include "pg/alloc.h"

/* By name, and a text as such before its words. */
static int
CompareValues(const void *a, const void *b)
{
	const ItemValue *x = a;
	const ItemValue *y = b;
	int			order = strcmp(x->feature, y->feature);

	return order != 0 ? order : x->word - y->word;
}

/* Sorts values by the names of their features. */
void
SortItemValues(ItemValue *values, int count)
{
	qsort(values, count, sizeof(ItemValue), CompareValues);
}

/* The first of sorted values whose name is not before this one; count where there is none. */
int
FirstItemValue(const ItemValue *values, int count, const char *feature)
{
	int			low = 0;
	int			high = count;

	while (low < high)
	{
		int			middle = low + (high - low) / 2;

		if (strcmp(values[middle].feature, feature) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The names of the features of some values, as a text[]. */
Datum
ItemValueNames(const ItemValue *values, int count)
{
	Datum	   *names = palloc_extended(sizeof(Datum) * Max(count, 1), MCXT_ALLOC_HUGE);

	for (int i = 0; i < count; i++)
		names[i] = CStringGetTextDatum(values[i].feature);
	return PointerGetDatum(construct_array(names, count, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * Fills in what the training knows of the feature of a value's name, see FeatureWeight.  False where the value is not
 * what its column was taken as: of a text the training has had values or words, and never both.
 */
bool
KnowValue(const FeatureSource *source, ItemValue *value, const char *taken_as, double weight, double mean, double deviation)
{
	if (source->attribute[value->attribute].kind == ATTRIBUTE_TEXT && value->word != (strcmp(taken_as, "words") == 0))
		return false;
	value->known = true;
	value->weight = weight;
	value->mean = mean;
	value->deviation = deviation;
	return true;
}

/* Adds the item's numbers, of which there are `count` values so far; returns how many there are then. */
static int
AddNumbers(const FeatureSource *source, Triplets *numbers, ItemValue *values, int count)
{
	while (ReadTriplets(numbers))
		for (int64 i = 0; i < numbers->held; i++)
			values[count++] = (ItemValue) {
				.feature = pstrdup(NameBeginning(&source->attribute[numbers->item[i]])),
				.attribute = numbers->item[i],
				.number = true,
				.value = ReadNumber(numbers->value[i], numbers->weight[i])
			};
	return count;
}

/* A word, category or element as a feature, without a value. */
static ItemValue
TokenFeature(const FeatureSource *source, const Token *token)
{
	int			a = token->field / 2;
	const Attribute *attribute = &source->attribute[a];

	return (ItemValue) {
		.feature = token->text ? TokenName(attribute, token) : ElementName(attribute, token->length),
		.attribute = a,
		.word = token->field == TokenField(a, true)
	};
}

/* The same of words, categories and elements. */
static int
AddTokens(const FeatureSource *source, Attributes *attributes, ItemValue *values, int count)
{
	Triplets   *tokens = &attributes->tokens;

	while (ReadTriplets(tokens))
		for (int64 i = 0; i < tokens->held; i++)
		{
			values[count] = TokenFeature(source, &attributes->vocabulary->token[tokens->item[i]]);
			values[count++].value = tokens->value[i];
		}
	return count;
}

/*
 * *values: what an item has, palloc'd, in no particular order; returns how many.  None where the relation has no row of
 * it, or a text as such and by its words where the training has one of the two; errors as in training.
 */
int
ReadItemValues(const FeatureSource *source, int64 id, ItemValue **values)
{
	Attributes	attributes;
	int64		most;
	int			count;

	ReadItemAttributes(&attributes, source, id);
	most = attributes.tokens.count + attributes.numbers.count;
	*values = palloc_extended(sizeof(ItemValue) * Max(most, 1), MCXT_ALLOC_HUGE);
	count = AddNumbers(source, &attributes.numbers, *values, 0);
	count = AddTokens(source, &attributes, *values, count);
	FreeTriplets(&attributes.tokens);
	FreeTriplets(&attributes.numbers);
	return count;
}

/* The cells of all values that are features of the training: see feature_cells.c. */
void
MakeItemCells(ItemValue *values, int count)
{
	int			nattributes = 0;
	double	   *squares;

	for (int i = 0; i < count; i++)
		nattributes = Max(nattributes, values[i].attribute + 1);
	squares = palloc0(sizeof(double) * Max(nattributes, 1));
	for (int i = 0; i < count; i++)
	{
		ItemValue  *value = &values[i];

		if (!value->known)
			value->cell = 0;
		else if (value->number)
			value->cell = NumberCell(value->value, value->mean, value->deviation);
		else
			value->cell = value->weight * (value->word ? TimesWeight(value->value) : value->value);
		if (!value->number)
			squares[value->attribute] += value->cell * value->cell;
	}
	for (int i = 0; i < count; i++)
		if (!values[i].number && values[i].cell != 0)
			values[i].cell /= sqrt(squares[values[i].attribute]);
	pfree(squares);
}

/* n ids of the key's type as an array of it; what a column of the key's type cannot have is left out. */
static Datum
IdArray(const IdType *key, const int64 *ids, int n)
{
	Datum	   *elements = palloc_extended(sizeof(Datum) * Max(n, 1), MCXT_ALLOC_HUGE);
	int			count = 0;

	for (int i = 0; i < n; i++)
		if (IdFits(key, ids[i]))
			elements[count++] = IdToDatum(key, ids[i]);
	return PointerGetDatum(construct_array(elements, count, key->base, key->typlen, key->typbyval, key->typalign));
}

/* Names the features: tokens, and a number of each column. */
static void
NameFeatures(DescribedItems *items)
{
	const FeatureSource *source = items->attributes.source;
	int			ntokens = items->attributes.vocabulary->count;

	items->nfeatures = ntokens + source->nattributes;
	items->feature = HugeArray(items->nfeatures, sizeof(ItemValue));
	items->place = HugeArray(items->nfeatures, sizeof(int));
	for (int t = 0; t < ntokens; t++)
		items->feature[t] = TokenFeature(source, &items->attributes.vocabulary->token[t]);
	for (int a = 0; a < source->nattributes; a++)
		items->feature[ntokens + a] = (ItemValue) {
			.feature = pstrdup(NameBeginning(&source->attribute[a])),
			.attribute = a,
			.number = true
		};
	for (int i = 0; i < items->nfeatures; i++)
		items->feature[i].place = i;
	SortItemValues(items->feature, items->nfeatures);
	for (int i = 0; i < items->nfeatures; i++)
	{
		items->place[items->feature[i].place] = i;
		items->feature[i].place = i;
	}
}

/*
 * Reads those of n items, by ids of the key's type, that have a row, and names their features, in the current memory
 * context.  read_only: see RunQuery().  Errors as in training.
 */
void
DescribeItems(DescribedItems *items, const FeatureSource *source, const int64 *ids, int n, bool read_only)
{
	IdType	   *type = palloc(sizeof(IdType));

	*type = source->key;
	items->ids = CreateIdMap(type);
	ReadSomeAttributes(&items->attributes, source, items->ids, IdArray(type, ids, n), read_only);
	NameFeatures(items);
}

/* Hands on the cells of numbers, one by one: they do not depend on each other. */
static void
MakeNumberCells(DescribedItems *items, ItemCellsFunction function, void *state)
{
	Triplets   *numbers = &items->attributes.numbers;
	const int  *place = items->place + items->attributes.vocabulary->count;

	while (ReadTriplets(numbers))
		for (int64 i = 0; i < numbers->held; i++)
		{
			ItemValue	value = items->feature[place[numbers->item[i]]];

			value.value = ReadNumber(numbers->value[i], numbers->weight[i]);
			MakeItemCells(&value, 1);
			function(state, numbers->user[i], &value, 1);
		}
}

/*
 * Hands on the cells of words, categories and elements, of which an item's, which are together, have length 1 a column.
 */
static void
MakeTokenCells(DescribedItems *items, ItemCellsFunction function, void *state)
{
	Triplets   *tokens = &items->attributes.tokens;
	int			capacity = 1024;
	ItemValue  *values = palloc(sizeof(ItemValue) * capacity);
	int			count = 0;
	int32		item = -1;

	while (ReadTriplets(tokens))
		for (int64 i = 0; i < tokens->held; i++)
		{
			if (tokens->user[i] != item && count > 0)
			{
				MakeItemCells(values, count);
				function(state, item, values, count);
				count = 0;
			}
			if (count == capacity)
				values = repalloc_huge(values, sizeof(ItemValue) * (capacity *= 2));
			item = tokens->user[i];
			values[count] = items->feature[items->place[tokens->item[i]]];
			values[count++].value = tokens->value[i];
		}
	MakeItemCells(values, count);
	if (count > 0)
		function(state, item, values, count);
	pfree(values);
}

/*
 * Hands the cells of all items to a function, once it has been filled in what the training knows of features; each
 * item's in up to two parts and more.  Nothing is left of the items but their ids.
 */
void
MakeCellsOfItems(DescribedItems *items, ItemCellsFunction function, void *state)
{
	MakeTokenCells(items, function, state);
	MakeNumberCells(items, function, state);
	FreeTriplets(&items->attributes.tokens);
	FreeTriplets(&items->attributes.numbers);
}
