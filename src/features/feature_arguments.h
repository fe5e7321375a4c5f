/*
 * feature_arguments.h - the arguments item_features, feature_categories and user_features, and how a model keeps them.
 */
#ifndef MFREC_FEATURE_ARGUMENTS_H
#define MFREC_FEATURE_ARGUMENTS_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "features/feature_source.h"

/* What a training was asked for: the relation by its oid, or by the name that a model keeps of it. */
typedef struct FeatureArguments
{
	const FeatureSide *side;	/* whose attributes they are */
	Oid			relid;			/* InvalidOid: none, or it is named */
	char	   *schema;			/* "pg_temp" of a temporary one; NULL: none */
	char	   *name;
	char	  **categories;		/* columns that are categories, whatever their type */
	int			ncategories;
} FeatureArguments;

extern bool HasFeatures(const FeatureArguments *arguments);
extern Oid	FindFeatures(const FeatureArguments *arguments);
extern void CheckFeatureArguments(const FeatureArguments *items, const FeatureArguments *users);
extern void OpenFeatures(FeatureSource *source, const FeatureArguments *arguments, const FeatureArguments *other,
						 const char *id_column, const char *model, const IdType *items);
extern void ReopenFeatures(FeatureSource *source, const FeatureArguments *arguments, Oid relid, const char *id_column,
						   const char *text_configuration);
extern char *TextConfigurationName(Oid configuration);
extern void UseTextConfiguration(FeatureSource *source, const char *name);
extern void KeepFeatureArguments(FeatureArguments *arguments, const FeatureSource *source);
extern void AppendFeatureArguments(StringInfo json, const FeatureArguments *arguments);
extern void FeatureArgumentsFromJson(FeatureArguments *arguments, const FeatureSide *side, Jsonb *json);

#endif
