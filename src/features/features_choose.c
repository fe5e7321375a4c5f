/*
 * features_choose.c - which words, categories, numbers and elements of embeddings become features.
 *
 * A word or category is a feature where enough known items have it, so that something can be learned of it, but not
 * all of them, as it tells them apart from none; of very many the most frequent ones.  A column of which nothing is
 * left is passed over.  All this goes by counts and texts, and not by the order of rows.
 *
 * A text's values are categories where they recur: where there are at most half as many as there are items with a
 * value.  Else it is words.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/builtins.h"

#include "compat.h"
#include "features/features_choose.h"
#include "pg/alloc.h"

/*
 * Items with ratings that must have a word or category: of fewer a training learns their items, not the word.  With
 * 10 for a threshold, titles that name a series of a few items found a third less of the new ones (on Anime).
 */
#define LEAST_ITEMS 3

/* Words and categories that are kept, of all columns together: the map from features has a row of factors for each. */
#define MOST_TOKENS 100000

/* Tokens of a field that known items have. */
typedef struct FieldSum
{
	int64		distinct;
	int64		items;			/* sum of their items */
	int64		everywhere;		/* of the distinct ones: those that all items have */
} FieldSum;

/* Sums up the tokens of each field; palloc'd. */
static FieldSum *
SumFields(const Attributes *attributes)
{
	const Vocabulary *v = attributes->vocabulary;
	FieldSum   *sums = palloc0(sizeof(FieldSum) * TokenField(attributes->source->nattributes, false));

	for (int32 t = 0; t < v->count; t++)
	{
		FieldSum   *sum = &sums[v->token[t].field];

		if (v->token[t].items == 0)
			continue;
		sum->distinct++;
		sum->items += v->token[t].items;
		sum->everywhere += v->token[t].items == attributes->known;
	}
	return sums;
}

/* Whether the values of a text are categories: at most half as many as items with one. */
static bool
ValuesRecur(const ReadColumn *column, const FieldSum *values)
{
	return !column->many && 2 * values->distinct <= values->items;
}

/* Chooses which tokens of column `a` are used, and what their cells are; sums: of all fields. */
static void
ChooseField(Choice *choice, const Attribute *attribute, int a, const ReadColumn *column, const FieldSum *sums)
{
	choice->taken_as = attribute->taken_as;
	choice->field = TokenField(a, false);
	switch (attribute->kind)
	{
		case ATTRIBUTE_NUMBER:
		case ATTRIBUTE_VECTOR:
			choice->weighting = WEIGH_VALUE;
			return;
		case ATTRIBUTE_CATEGORY:
			choice->weighting = WEIGH_ONE;
			return;
		case ATTRIBUTE_LIST:
		case ATTRIBUTE_DOCUMENT:
			choice->weighting = WEIGH_RARITY;
			return;
		case ATTRIBUTE_TEXT:
			if (ValuesRecur(column, &sums[choice->field]))
			{
				choice->weighting = WEIGH_ONE;
				choice->taken_as = "categories";
				return;
			}
			break;
		case ATTRIBUTE_WORDS:
			break;
	}
	choice->weighting = WEIGH_WORDS;
	choice->field = TokenField(a, true);
}

/*
 * Why a column of tokens or an embedding is passed over before any token is looked at; NULL where it is not.  A
 * value that is the only one tells items that have it from those that have none, which is rather a matter of who
 * filled in the column; of lists it may be all there is, as a mark, and is kept unless all items have it.
 */
static const char *
TokensPassedOver(const Choice *choice, const FieldSum *sum)
{
	if (sum->items == 0)
		return "no value";
	if (choice->weighting == WEIGH_ONE && sum->distinct == 1)
		return "one value";
	if (choice->weighting != WEIGH_ONE && choice->weighting != WEIGH_VALUE && sum->distinct == sum->everywhere)
		return "one value";
	return NULL;
}

/* The same of a column of numbers. */
static const char *
NumberPassedOver(const NumberColumn *number)
{
	return number->count == 0 ? "no value" : number->deviation == 0 ? "one value" : NULL;
}

/* Chooses for each column what it is taken as, if it is. */
static void
ChooseColumns(Choices *choices, const Attributes *attributes, const Numbers *numbers)
{
	const FeatureSource *source = attributes->source;
	FieldSum   *sums = SumFields(attributes);

	choices->column = palloc0(sizeof(Choice) * source->nattributes);
	for (int a = 0; a < source->nattributes; a++)
	{
		Choice	   *choice = &choices->column[a];

		ChooseField(choice, &source->attribute[a], a, &attributes->column[a], sums);
		if (source->attribute[a].kind == ATTRIBUTE_NUMBER)
			choice->passed_over = NumberPassedOver(&numbers->column[a]);
		else
			choice->passed_over = TokensPassedOver(choice, &sums[choice->field]);
	}
	pfree(sums);
}

/* Whether a token can be a feature: it is of a field that is used, and of enough items but not of all. */
static bool
IsCandidate(const Choices *choices, const Attributes *attributes, const Token *token)
{
	const Choice *choice = &choices->column[token->field / 2];

	if (token->text == NULL || token->field != choice->field || choice->passed_over || token->items < LEAST_ITEMS)
		return false;
	return choice->weighting == WEIGH_ONE || token->items < attributes->known;
}

/*
 * By column, then by text: bytes, whatever the collation, as names of features must not be in another order elsewhere.
 * For qsort_arg(), of numbers of tokens.
 */
static int
CompareByText(const void *a, const void *b, void *vocabulary)
{
	const Token *x = &((const Vocabulary *) vocabulary)->token[*(const int32 *) a];
	const Token *y = &((const Vocabulary *) vocabulary)->token[*(const int32 *) b];
	int			order;

	CHECK_FOR_INTERRUPTS();
	if (x->field != y->field)
		return x->field < y->field ? -1 : 1;
	order = memcmp(x->text, y->text, Min(x->length, y->length));
	return order != 0 ? order : (x->length > y->length) - (x->length < y->length);
}

/* By the number of items, the most first, then as CompareByText(). */
static int
CompareByItems(const void *a, const void *b, void *vocabulary)
{
	const Token *x = &((const Vocabulary *) vocabulary)->token[*(const int32 *) a];
	const Token *y = &((const Vocabulary *) vocabulary)->token[*(const int32 *) b];

	if (x->items != y->items)
		return x->items > y->items ? -1 : 1;
	return CompareByText(a, b, vocabulary);
}

/*
 * The tokens that become features, by column and text, choices->kept of them; palloc'd.  Where there are too many,
 * those of the most items are kept, and of as many items those that come first by column and text.
 */
static int32 *
KeepTokens(Choices *choices, const Attributes *attributes)
{
	Vocabulary *v = attributes->vocabulary;
	int32	   *tokens = HugeArray(v->count, sizeof(int32));

	for (int32 t = 0; t < v->count; t++)
		if (IsCandidate(choices, attributes, &v->token[t]))
			tokens[choices->frequent++] = t;
	choices->kept = Min(choices->frequent, MOST_TOKENS);
	if (choices->kept < choices->frequent)
		qsort_arg(tokens, choices->frequent, sizeof(int32), CompareByItems, v);
	qsort_arg(tokens, choices->kept, sizeof(int32), CompareByText, v);
	return tokens;
}

/*
 * What a feature's name begins with: the column's, quoted where it has what ends it in a name, or begins as a quoted
 * one. So features of different columns never have the same name.
 */
const char *
NameBeginning(const Attribute *attribute)
{
	const char *name = attribute->name;

	return name[0] == '"' || strpbrk(name, ":.[") ? quote_identifier(name) : name;
}

/* The name of a token's feature, palloc'd: a document's keys go on from the column's name. */
char *
TokenName(const Attribute *attribute, const Token *token)
{
	return psprintf("%s%s%.*s", NameBeginning(attribute), attribute->kind == ATTRIBUTE_DOCUMENT ? "" : ": ", token->length,
					token->text);
}

/* The name of the feature of an element of an embedding, from 0, palloc'd. */
char *
ElementName(const Attribute *attribute, int32 element)
{
	return psprintf("%s[%d]", NameBeginning(attribute), element + 1);
}

/* Adds a feature of that name, and what makes its cells; returns its number. */
static int32
AddFeature(Features *features, char *name, FeatureWeight weight)
{
	features->names[features->nfeatures] = name;
	features->weight[features->nfeatures] = weight;
	return features->nfeatures++;
}

/* How much a word or a category of a list says that few of the known items have. */
double
RareTokenWeight(const Token *token, int64 known)
{
	return log((double) known / token->items);
}

/* What makes the cells of a token: see RareTokenWeight(). */
static FeatureWeight
TokenCells(const Choice *choice, const Token *token, int64 known)
{
	double		weight = choice->weighting == WEIGH_ONE ? 1 : RareTokenWeight(token, known);

	return (FeatureWeight) {.items = token->items,.weight = (float) weight,.mean = NAN,.deviation = NAN};
}

/* The one feature of a column of numbers. */
static void
AddNumberFeature(Features *features, const Attribute *attribute, const NumberColumn *number)
{
	AddFeature(features, pstrdup(NameBeginning(attribute)), (FeatureWeight) {
		.items = (int32) number->count,.weight = NAN,.mean = number->mean,.deviation = number->deviation
	});
}

/* The features of an embedding's elements, each of which the items have that have the embedding. */
static void
AddElementFeatures(Choices *choices, Features *features, const Attribute *attribute, const ReadColumn *read,
				   const Token *first)
{
	FeatureWeight weight = {.items = first->items,.weight = 1,.mean = NAN,.deviation = NAN};

	for (int32 k = 0; k < read->dimension; k++)
		choices->feature[read->first + k] = AddFeature(features, ElementName(attribute, k), weight);
}

/* Numbers the features of a column that is not passed over; the next of its tokens is *next of `tokens`. */
static void
NumberColumnFeatures(Choices *choices, Features *features, const Attributes *attributes, const NumberColumn *number,
					 int a, const int32 *tokens, int32 *next)
{
	const Attribute *attribute = &attributes->source->attribute[a];
	const ReadColumn *read = &attributes->column[a];
	const Token *token = attributes->vocabulary->token;
	Choice	   *choice = &choices->column[a];

	choice->first = features->nfeatures;
	if (attribute->kind == ATTRIBUTE_NUMBER)
		AddNumberFeature(features, attribute, number);
	else if (attribute->kind == ATTRIBUTE_VECTOR)
		AddElementFeatures(choices, features, attribute, read, &token[read->first]);
	else
		for (; *next < choices->kept && token[tokens[*next]].field == choice->field; ++*next)
			choices->feature[tokens[*next]] = AddFeature(features, TokenName(attribute, &token[tokens[*next]]),
														 TokenCells(choice, &token[tokens[*next]], attributes->known));
	choice->count = features->nfeatures - choice->first;
	if (choice->count == 0)
		choice->passed_over = "each value in fewer than 3 items";
}

/* Features that there can be at most. */
static int64
MostFeatures(const Choices *choices, const Attributes *attributes)
{
	int64		most = choices->kept;

	for (int a = 0; a < attributes->source->nattributes; a++)
		most += Max(attributes->column[a].dimension, 1);
	return most;
}

/* Makes a block of each column that has features. */
static void
MakeBlocks(const Choices *choices, Features *features, const FeatureSource *source)
{
	features->block = palloc(sizeof(FeatureColumn) * source->nattributes);
	features->block_start = palloc0(sizeof(int32) * (source->nattributes + 1));
	for (int a = 0; a < source->nattributes; a++)
	{
		const Choice *choice = &choices->column[a];

		if (choice->count == 0)
			continue;
		features->block[features->nblocks++] = (FeatureColumn) {
			pstrdup(source->attribute[a].name), choice->taken_as, choice->first, choice->count
		};
		features->block_start[features->nblocks] = choice->first + choice->count;
	}
}

/*
 * Chooses and numbers the features: fills in their names and blocks, and *choices for who makes the cells.  There may
 * be none.
 */
void
ChooseFeatures(Choices *choices, Features *features, const Attributes *attributes, const Numbers *numbers)
{
	int32	   *tokens;
	int32		next = 0;

	memset(choices, 0, sizeof(Choices));
	ChooseColumns(choices, attributes, numbers);
	tokens = KeepTokens(choices, attributes);
	choices->feature = HugeArray(attributes->vocabulary->count, sizeof(int32));
	memset(choices->feature, -1, sizeof(int32) * attributes->vocabulary->count);
	features->names = HugeArray(MostFeatures(choices, attributes), sizeof(char *));
	features->weight = HugeArray(MostFeatures(choices, attributes), sizeof(FeatureWeight));
	for (int a = 0; a < attributes->source->nattributes; a++)
		if (choices->column[a].passed_over == NULL)
			NumberColumnFeatures(choices, features, attributes, &numbers->column[a], a, tokens, &next);
	MakeBlocks(choices, features, attributes->source);
	pfree(tokens);
}
