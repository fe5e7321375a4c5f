/*
 * item_values.h - the features of one item, or of some, read from the relation after the training.
 */
#ifndef MFREC_ITEM_VALUES_H
#define MFREC_ITEM_VALUES_H

#include "features/attributes_read.h"

/* One value that an item has.  What the training knows of the feature KnowValue() fills in; then there is a cell. */
typedef struct ItemValue
{
	char	   *feature;		/* its name, as the training would call it */
	int			attribute;		/* of source->attribute */
	bool		word;			/* it is a word of a text, not a text as a whole */
	bool		number;			/* it is compared with others */
	int32		place;			/* of some items: see DescribedItems */
	double		value;			/* number, element of an embedding, or how often a word or category occurs */
	bool		known;			/* it is a feature of the training, and as such has */
	double		weight;			/* the next three: see FeatureWeight */
	double		mean;
	double		deviation;
	double		cell;
} ItemValue;

/* Some items that have a row in the relation, and the features of all of them. */
typedef struct DescribedItems
{
	IdMap	   *ids;			/* the items, in the order of reading */
	Attributes	attributes;
	int			nfeatures;
	ItemValue  *feature;		/* nfeatures, by name: without value and cell, feature[i].place is i */
	int		   *place;			/* of each token, and behind these of each column of numbers: in feature */
} DescribedItems;

/* Takes what an item has of one column or several, as values with cells. */
typedef void (*ItemCellsFunction) (void *state, int32 item, const ItemValue *values, int count);

extern void SortItemValues(ItemValue *values, int count);
extern int	FirstItemValue(const ItemValue *values, int count, const char *feature);
extern Datum ItemValueNames(const ItemValue *values, int count);
extern bool KnowValue(const FeatureSource *source, ItemValue *value, const char *taken_as, double weight, double mean,
					  double deviation);
extern int	ReadItemValues(const FeatureSource *source, int64 id, ItemValue **values);
extern void MakeItemCells(ItemValue *values, int count);

extern void DescribeItems(DescribedItems *items, const FeatureSource *source, const int64 *ids, int n, bool read_only);
extern void MakeCellsOfItems(DescribedItems *items, ItemCellsFunction function, void *state);

#endif
