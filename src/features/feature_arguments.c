/*
 * feature_arguments.c - the arguments item_features, feature_categories and user_features, and how a model keeps them.
 *
 * A model keeps names, not oids, so that a dump can be restored without the relation, and so that a relation that was
 * dropped and created once more is the same one to mf_retrain.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_ts_config.h"
#include "tsearch/ts_cache.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/varlena.h"

#include "features/feature_arguments.h"
#include "guc.h"
#include "pg/json.h"

/* Whether a training goes by attributes of a side. */
bool
HasFeatures(const FeatureArguments *arguments)
{
	return OidIsValid(arguments->relid) || arguments->name;
}

/* An error for categories of no relation; the arguments of both sides have the same. */
void
CheckFeatureArguments(const FeatureArguments *items, const FeatureArguments *users)
{
	if (items->ncategories > 0 && !HasFeatures(items) && !HasFeatures(users))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("feature_categories needs item_features or user_features"),
				 errdetail("It lists columns of these relations."),
				 errhint("Name the table or view of items' attributes with the argument item_features.")));
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

/* What a configuration of text search is called in SQL, palloc'd. */
char *
TextConfigurationName(Oid configuration)
{
	HeapTuple	tuple = SearchSysCache1(TSCONFIGOID, ObjectIdGetDatum(configuration));
	Form_pg_ts_config form;
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for text search configuration %u", configuration);
	form = (Form_pg_ts_config) GETSTRUCT(tuple);
	name = quote_qualified_identifier(get_namespace_name(form->cfgnamespace), NameStr(form->cfgname));
	ReleaseSysCache(tuple);
	return name;
}

/* Has texts become words by the configuration of that name (NULL: none), whatever the session's is, if it is there. */
void
UseTextConfiguration(FeatureSource *source, const char *name)
{
	Oid			configuration = name ? get_ts_config_oid(textToQualifiedNameList(cstring_to_text(name)), true) : InvalidOid;

	if (OidIsValid(configuration))
		source->text_configuration = configuration;
}

/* The relation of attributes: the argument's, or of the name that the model keeps; InvalidOid where that has gone. */
Oid
FindFeatures(const FeatureArguments *arguments)
{
	Oid			schema;

	if (OidIsValid(arguments->relid))
		return arguments->relid;
	schema = LookupNamespaceNoError(arguments->schema);
	return OidIsValid(schema) ? get_relname_relid(arguments->name, schema) : InvalidOid;
}

/* The same; an error where it has gone. */
static Oid
FeaturesRelation(const FeatureArguments *arguments, const char *model)
{
	Oid			relid = FindFeatures(arguments);

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"%s.%s\" of attributes of %s of model \"%s\" does not exist",
						arguments->schema, arguments->name, arguments->side->many, model),
				 errdetail("It was dropped or renamed since the model was trained."),
				 errhint("Rename it back, or train with mf_train(..., model => %s, %s => ...) on another relation, or on none.",
						 quote_literal_cstr(model), arguments->side->argument)));
	return relid;
}

/*
 * Opens the relation of attributes of a model's items, or users, whose ids are of type `items`; all that can be wrong
 * before a row is read is an error here. id_column: how the source of ratings calls them; other: the arguments of the
 * other side, among whose columns there may be categories, too; NULL: there are none.
 */
void
OpenFeatures(FeatureSource *source, const FeatureArguments *arguments, const FeatureArguments *other, const char *id_column,
			 const char *model, const IdType *items)
{
	OpenFeatureSource(source, arguments->side, FeaturesRelation(arguments, model), id_column, arguments->categories,
					  arguments->ncategories, other && HasFeatures(other) ? FindFeatures(other) : InvalidOid,
					  TextConfiguration(), false);
	CheckFeatureKey(source, items);
}

/*
 * The same once more after a training, of a relation that FindFeatures() has found, and with the training's
 * configuration of text search.  Keys may be of any type; see OpenFeatureSource() for what is passed over.
 */
void
ReopenFeatures(FeatureSource *source, const FeatureArguments *arguments, Oid relid, const char *id_column,
			   const char *text_configuration)
{
	OpenFeatureSource(source, arguments->side, relid, id_column, arguments->categories, arguments->ncategories,
					  InvalidOid, TextConfiguration(), true);
	UseTextConfiguration(source, text_configuration);
}

/* Names the relation in arguments that are going to be kept, as it is called now. */
void
KeepFeatureArguments(FeatureArguments *arguments, const FeatureSource *source)
{
	arguments->schema = source->temporary ? "pg_temp" : source->schema;
	arguments->name = source->name;
}

/* Appends the keys of arguments that are named to an object's first keys; nothing where there is no relation. */
void
AppendFeatureArguments(StringInfo json, const FeatureArguments *arguments)
{
	if (arguments->name == NULL)
		return;
	AppendJsonString(json, arguments->side->schema_key, arguments->schema);
	AppendJsonString(json, arguments->side->argument, arguments->name);
	AppendJsonStrings(json, "feature_categories", arguments->categories, arguments->ncategories);
}

/* The inverse of AppendFeatureArguments(); strings are palloc'd. */
void
FeatureArgumentsFromJson(FeatureArguments *arguments, const FeatureSide *side, Jsonb *json)
{
	memset(arguments, 0, sizeof(FeatureArguments));
	arguments->side = side;
	arguments->schema = JsonString(json, side->schema_key);
	if (arguments->schema)
		arguments->name = JsonString(json, side->argument);
	if (arguments->name)
		arguments->categories = JsonStrings(json, "feature_categories", &arguments->ncategories);
}
