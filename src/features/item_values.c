/*
 * item_values.c - the features of one item, read from the relation after the training.
 *
 * The item's row is read as it is now, in the way in which the training reads all rows, and its words, categories and
 * numbers get the names that the training gives them.  What a feature weighs is not in the row: the model has it.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "features/attributes_read.h"
#include "features/feature_cells.h"
#include "features/features_choose.h"
#include "features/item_values.h"

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

/* The same of words, categories and elements. */
static int
AddTokens(const FeatureSource *source, Attributes *attributes, ItemValue *values, int count)
{
	Triplets   *tokens = &attributes->tokens;

	while (ReadTriplets(tokens))
		for (int64 i = 0; i < tokens->held; i++)
		{
			const Token *token = &attributes->vocabulary->token[tokens->item[i]];
			int			a = token->field / 2;
			const Attribute *attribute = &source->attribute[a];

			values[count++] = (ItemValue) {
				.feature = token->text ? TokenName(attribute, token) : ElementName(attribute, token->length),
				.attribute = a,
				.word = token->field == TokenField(a, true),
				.value = tokens->value[i]
			};
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
