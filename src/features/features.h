/*
 * features.h - what is known of items beside their ratings: a sparse matrix of items x features.
 */
#ifndef MFREC_FEATURES_H
#define MFREC_FEATURES_H

#include "ids/id_map.h"
#include "source/csr_store.h"

/* A block: a column of the relation whose features have one strength. */
typedef struct FeatureColumn
{
	char	   *name;
	const char *taken_as;		/* "a number", "categories", "words" ... */
	int32		first;			/* feature */
	int32		count;
} FeatureColumn;

/* What makes an item's cell of its value, and how many items with ratings have one. */
typedef struct FeatureWeight
{
	int32		items;
	float		weight;			/* before the cells of a column have length 1; NaN of a number */
	double		mean;			/* of a number; else NaN */
	double		deviation;		/* likewise */
} FeatureWeight;

/*
 * Features of all items, or of all users, those with ratings and those without, which are cold.  A row's cells of one
 * block have length 1, or are the one standardized number, at most 3 from 0; where nothing is known there are none.
 * Features are numbered column by column, within a column by their names, so that nothing depends on the order of rows.
 */
typedef struct Features
{
	IdMap	   *ids;			/* not owned: items of the ratings, behind them the relation's other ones by id */
	int64		known;			/* items that have ratings: numbers below it */
	int64		nitems;			/* all: ids->count */
	int64		described;		/* known items that the relation has a row of */
	int32		nfeatures;		/* at least 1 */
	char	  **names;			/* nfeatures, all different: as a person reads them: "genres: Horror", "year" */
	FeatureWeight *weight;		/* nfeatures */
	int			nblocks;		/* at least 1 */
	FeatureColumn *block;		/* nblocks */
	int32	   *block_start;	/* nblocks + 1: block b has features block_start[b] .. block_start[b + 1] - 1 */
	Cells		by_item;		/* nitems x nfeatures: ratings are the values */
	Cells		by_feature;		/* its transpose */
} Features;

extern void FreeFeatures(Features *features);

#endif
