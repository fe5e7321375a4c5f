/*
 * feature_source.h - the relation of items' attributes: its key, its columns, and how each is taken.
 */
#ifndef MFREC_FEATURE_SOURCE_H
#define MFREC_FEATURE_SOURCE_H

#include "ids/id_map.h"

/* What the query of the relation delivers of a column, and what becomes of it. */
typedef enum AttributeKind
{
	ATTRIBUTE_NUMBER,			/* double precision: one feature, standardized */
	ATTRIBUTE_VECTOR,			/* double precision[]: a feature an element */
	ATTRIBUTE_CATEGORY,			/* text: a feature a value */
	ATTRIBUTE_LIST,				/* text[]: a feature an element's value */
	ATTRIBUTE_DOCUMENT,			/* jsonb: a feature a key and value */
	ATTRIBUTE_TEXT,				/* text: a feature a value, or a word where most values differ */
	ATTRIBUTE_WORDS				/* tsvector: a feature a word */
} AttributeKind;

/* A column that is an attribute. */
typedef struct Attribute
{
	char	   *name;
	AttributeKind kind;
	const char *taken_as;		/* as people read it: "a number", "categories", "words" ... */
	const char *before;			/* the query has the column between these two */
	const char *after;
} Attribute;

/* Whose attributes they are, for messages and for what a model keeps of the argument. */
typedef struct FeatureSide
{
	const char *one;			/* "item" */
	const char *many;
	const char *argument;		/* of mf_train, which names the relation */
	const char *schema_key;		/* under which a model keeps its schema; its name is under `argument` */
	const char *id_argument;	/* which names the column of ids in ratings, and so here */
} FeatureSide;

extern const FeatureSide item_side;
extern const FeatureSide user_side;

/* A relation with a row an item, or a user: `items` stands for both. */
typedef struct FeatureSource
{
	const FeatureSide *side;
	Oid			relid;
	char	   *schema;
	char	   *name;
	bool		temporary;		/* a temporary table, or a view of one */
	char	   *key_column;
	IdType		key;
	Oid			text_configuration; /* of PostgreSQL's text search, by which texts become words */
	bool		quiet;			/* what columns are taken as has been said */
	bool		again;			/* a training has known the relation: nothing that has become of it is an error */
	int			nattributes;	/* at least 1, in training */
	Attribute  *attribute;		/* in the order of the relation's columns */
} FeatureSource;

extern void OpenFeatureSource(FeatureSource *source, const FeatureSide *side, Oid relid, const char *id_column,
							  char **categories, int ncategories, Oid other, Oid text_configuration, bool again);
extern void CheckFeatureKey(const FeatureSource *source, const IdType *items);
extern char *FeatureQuery(const FeatureSource *source, const char *from);

#endif
