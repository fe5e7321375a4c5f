/*
 * features_choose.h - which words, categories, numbers and elements of embeddings become features.
 */
#ifndef MFREC_FEATURES_CHOOSE_H
#define MFREC_FEATURES_CHOOSE_H

#include "features/attributes_read.h"
#include "features/features.h"
#include "features/number_summary.h"

/* What a cell of a token is, before its block's cells are given length 1. */
typedef enum Weighting
{
	WEIGH_ONE,					/* categories */
	WEIGH_RARITY,				/* lists: log(items / items that have it) */
	WEIGH_WORDS,				/* words: that times 1 + log(how often) */
	WEIGH_VALUE					/* embeddings: the element */
} Weighting;

/* What becomes of a column. */
typedef struct Choice
{
	int32		field;			/* whose tokens are used, see TokenField() */
	Weighting	weighting;		/* unless it is a number */
	const char *taken_as;
	const char *passed_over;	/* why; NULL: it is a block */
	int32		first;			/* feature */
	int32		count;			/* 0: passed over */
} Choice;

/* All columns' choices, and where tokens go. */
typedef struct Choices
{
	Choice	   *column;			/* source->nattributes */
	int32	   *feature;		/* of each token of the vocabulary; -1: none */
	int32		frequent;		/* tokens that enough items have */
	int32		kept;			/* of these */
} Choices;

/* Names of features, by which a model knows them. */
extern const char *NameBeginning(const Attribute *attribute);
extern char *TokenName(const Attribute *attribute, const Token *token);
extern char *ElementName(const Attribute *attribute, int32 element);

extern double RareTokenWeight(const Token *token, int64 known);
extern void ChooseFeatures(Choices *choices, Features *features, const Attributes *attributes, const Numbers *numbers);

#endif
