/*
 * attributes_read.h - all rows of the relation of items' attributes, as triplets of item, token and number.
 */
#ifndef MFREC_ATTRIBUTES_READ_H
#define MFREC_ATTRIBUTES_READ_H

#include "features/feature_source.h"
#include "features/vocabulary.h"
#include "source/coo_store.h"

/* What was found in a column. */
typedef struct ReadColumn
{
	int64		distinct;		/* of categories and texts: different values of known items */
	bool		many;			/* of texts: so many that they are no categories; further ones are not kept */
	int32		dimension;		/* of an embedding: elements, 0 until a row has said it */
	int32		first;			/* of an embedding: token of its first element */
} ReadColumn;

/* All rows.  Items have numbers of `items`, those behind `known` in the order of reading. */
typedef struct Attributes
{
	const FeatureSource *source;
	IdMap	   *items;
	int64		known;			/* items that have ratings */
	int64		described;		/* known items that have a row */
	int64		null_rows;		/* rows without a key, passed over */
	Vocabulary *vocabulary;
	ReadColumn *column;			/* source->nattributes */
	Triplets	tokens;			/* item, token, how often or an element's value; an item's are together */
	Triplets	numbers;		/* item, column, its number in two parts: see ReadNumber() */
} Attributes;

/* A number that a triplet has in two floats: what the first leaves of 53 bits is in the second, but for 5 of them. */
static inline double
ReadNumber(float high, float low)
{
	return (double) high + low;
}

extern void ReadAttributes(Attributes *attributes, const FeatureSource *source, IdMap *items, int64 budget);
extern void ReadSomeAttributes(Attributes *attributes, const FeatureSource *source, IdMap *items, Datum ids,
							   bool read_only);
extern void ReadItemAttributes(Attributes *attributes, const FeatureSource *source, int64 id);

#endif
