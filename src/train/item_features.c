/*
 * item_features.c - the arguments of a training about attributes of items, and the relation that they name.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "tsearch/ts_cache.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/varlena.h"

#include "guc.h"
#include "train/item_features.h"

/* Whether a training goes by attributes of items. */
bool
HasItemFeatures(const TrainOptions *options)
{
	return OidIsValid(options->item_features) || options->features_name;
}

/*
 * The configuration of text search that mfrec.text_search_config names, or else default_text_search_config; an error
 * where there is none of that name.
 */
static Oid
TextConfiguration(void)
{
	Oid			configuration;

	if (mfrec_text_search_config == NULL || *mfrec_text_search_config == '\0')
		return getTSCurrentConfig(true);
	configuration = get_ts_config_oid(textToQualifiedNameList(cstring_to_text(mfrec_text_search_config)), true);
	if (!OidIsValid(configuration))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("text search configuration \"%s\" does not exist", mfrec_text_search_config),
				 errdetail("The setting mfrec.text_search_config names it."),
				 errhint("SELECT cfgname FROM pg_ts_config lists those that there are; an empty setting means default_text_search_config.")));
	return configuration;
}

/* The relation of attributes: the argument's, or of the name that the model keeps; an error where that has gone. */
static Oid
FeaturesRelation(const TrainOptions *options, const char *model)
{
	Oid			schema;
	Oid			relid;

	if (OidIsValid(options->item_features))
		return options->item_features;
	schema = LookupNamespaceNoError(options->features_schema);
	relid = OidIsValid(schema) ? get_relname_relid(options->features_name, schema) : InvalidOid;
	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" of attributes of items of model \"%s\" does not exist",
						options->features_schema, options->features_name, model),
				 errdetail("It was dropped or renamed since the model was trained."),
				 errhint("Rename it back, or train with mf_train(..., model => %s, item_features => ...) on another relation, or on none.",
						 quote_literal_cstr(model))));
	return relid;
}

/*
 * Opens the relation of attributes of a model's items, whose ids are of type `items`; all that can be wrong before a
 * row is read is an error here.
 */
void
OpenItemFeatures(FeatureSource *source, const TrainOptions *options, const char *model, const IdType *items)
{
	OpenFeatureSource(source, FeaturesRelation(options, model), options->columns.item, options->feature_categories,
					  options->ncategories, TextConfiguration());
	CheckFeatureKey(source, items);
}

/* Names the relation in arguments that are going to be kept: names, not oids, so that a dump can be restored. */
void
KeepItemFeatures(TrainOptions *options, const FeatureSource *source)
{
	options->features_schema = source->temporary ? "pg_temp" : source->schema;
	options->features_name = source->name;
}
