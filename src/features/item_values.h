/*
 * item_values.h - the features of one item, read from the relation after the training.
 */
#ifndef MFREC_ITEM_VALUES_H
#define MFREC_ITEM_VALUES_H

#include "features/feature_source.h"

/* One value that an item has.  What the training knows of the feature whoever asks fills in; then there is a cell. */
typedef struct ItemValue
{
	char	   *feature;		/* its name, as the training would call it */
	int			attribute;		/* of source->attribute */
	bool		word;			/* it is a word of a text, not a text as a whole */
	bool		number;			/* it is compared with others */
	double		value;			/* number, element of an embedding, or how often a word or category occurs */
	bool		known;			/* it is a feature of the training, and as such has */
	double		weight;			/* the next three: see FeatureWeight */
	double		mean;
	double		deviation;
	double		cell;
} ItemValue;

extern int	ReadItemValues(const FeatureSource *source, int64 id, ItemValue **values);
extern void MakeItemCells(ItemValue *values, int count);

#endif
