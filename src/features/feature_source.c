/*
 * feature_source.c - the relation of attributes of items, or of users: its key, its columns, and how each is taken.
 *
 * The key is the column named as the source's item column, else the primary key, where that is one column.  Every
 * other column is an attribute, and its type says of what kind:
 *
 *     boolean, enum                                  categories
 *     text, varchar, char, citext, name              categories where values recur, else words
 *     text[] and the like, arrays of enum            a list of categories
 *     jsonb, json                                    categories: a key and its value
 *     tsvector                                       words
 *     numbers; dates, times and intervals            a number: in seconds
 *     real[], double precision[], and what has a     an embedding
 *       cast to real[], as pgvector's vector
 *
 * A number may stand for something else, such as the key of another table: the columns that feature_categories lists
 * are categories, whatever their type.  The query casts each column to the one type by which its kind is read, so
 * whoever reads rows knows seven types, and a column that is altered in between cannot be taken for another.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_cast.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "compat.h"
#include "features/feature_source.h"
#include "ids/id_growth.h"
#include "source/relation.h"

#define POSSIBLE_TYPES "Attributes can be text, tsvector, text[], boolean, enum, jsonb, a number, a date or time, real[], double precision[], and a type with a cast to real[]; any other column can be listed in the argument feature_categories."

/* How a column of a type is read. */
typedef struct AttributeRule
{
	Oid			type;
	AttributeKind kind;
	const char *taken_as;
	const char *before;
	const char *after;
} AttributeRule;

static const AttributeRule rules[] = {
	{INT2OID, ATTRIBUTE_NUMBER, "a number", "", "::pg_catalog.float8"},
	{INT4OID, ATTRIBUTE_NUMBER, "a number", "", "::pg_catalog.float8"},
	{INT8OID, ATTRIBUTE_NUMBER, "a number", "", "::pg_catalog.float8"},
	{FLOAT4OID, ATTRIBUTE_NUMBER, "a number", "", "::pg_catalog.float8"},
	{FLOAT8OID, ATTRIBUTE_NUMBER, "a number", "", "::pg_catalog.float8"},
	{NUMERICOID, ATTRIBUTE_NUMBER, "a number", "", "::pg_catalog.float8"},
	{DATEOID, ATTRIBUTE_NUMBER, "a date", "pg_catalog.date_part('epoch', ", ")"},
	{TIMESTAMPOID, ATTRIBUTE_NUMBER, "a date", "pg_catalog.date_part('epoch', ", ")"},
	{TIMESTAMPTZOID, ATTRIBUTE_NUMBER, "a date", "pg_catalog.date_part('epoch', ", ")"},
	{TIMEOID, ATTRIBUTE_NUMBER, "a time", "pg_catalog.date_part('epoch', ", ")"},
	{TIMETZOID, ATTRIBUTE_NUMBER, "a time", "pg_catalog.date_part('epoch', ", ")"},
	{INTERVALOID, ATTRIBUTE_NUMBER, "an interval", "pg_catalog.date_part('epoch', ", ")"},
	{FLOAT4ARRAYOID, ATTRIBUTE_VECTOR, "an embedding", "", "::pg_catalog.float8[]"},
	{FLOAT8ARRAYOID, ATTRIBUTE_VECTOR, "an embedding", "", "::pg_catalog.float8[]"},
	{BOOLOID, ATTRIBUTE_CATEGORY, "categories", "", "::pg_catalog.text"},
	{JSONOID, ATTRIBUTE_DOCUMENT, "categories", "", "::pg_catalog.jsonb"},
	{JSONBOID, ATTRIBUTE_DOCUMENT, "categories", "", "::pg_catalog.jsonb"},
	{TSVECTOROID, ATTRIBUTE_WORDS, "words", "", "::pg_catalog.tsvector"}
};

/* Kinds of which there are more types than can be listed. */
static const AttributeRule category_rule = {InvalidOid, ATTRIBUTE_CATEGORY, "categories", "", "::pg_catalog.text"};
static const AttributeRule list_rule = {InvalidOid, ATTRIBUTE_LIST, "categories", "", "::pg_catalog.text[]"};
static const AttributeRule text_rule = {InvalidOid, ATTRIBUTE_TEXT, "words", "", "::pg_catalog.text"};
static const AttributeRule vector_rule = {InvalidOid, ATTRIBUTE_VECTOR, "an embedding", "", "::pg_catalog.float4[]::pg_catalog.float8[]"};

/* The rule of a base type in the table; NULL where it has none. */
static const AttributeRule *
ListedRule(Oid base)
{
	for (int i = 0; i < (int) lengthof(rules); i++)
		if (rules[i].type == base)
			return &rules[i];
	return NULL;
}

/* The rule of a type, perhaps a domain; NULL where it cannot be an attribute. category: it is to be one, or a list. */
static const AttributeRule *
FindRule(Oid type, bool category)
{
	Oid			base = getBaseType(type);
	Oid			element = get_base_element_type(base);
	const AttributeRule *rule = ListedRule(base);

	if (category && (rule == NULL || (rule->kind != ATTRIBUTE_DOCUMENT && rule->kind != ATTRIBUTE_WORDS)))
		return OidIsValid(element) ? &list_rule : &category_rule;
	if (rule)
		return rule;
	if (type_is_enum(base))
		return &category_rule;
	if (OidIsValid(element))
		return IsStringType(getBaseType(element)) || type_is_enum(getBaseType(element)) ? &list_rule : NULL;
	if (IsStringType(base))
		return &text_rule;
	if (SearchSysCacheExists2(CASTSOURCETARGET, ObjectIdGetDatum(base), ObjectIdGetDatum(FLOAT4ARRAYOID)))
		return &vector_rule;
	return NULL;
}

/* Whether a column is in a list of names. */
static bool
IsListed(const char *column, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], column) == 0)
			return true;
	return false;
}

/*
 * Whether a name is a column of the relation of the other side (InvalidOid: there is none), and no attribute of this
 * one.
 */
static bool
IsOfOther(Relation rel, const char *key, const char *name, Oid other)
{
	return OidIsValid(other) && get_attnum(other, name) > 0 &&
		(strcmp(name, key) == 0 || get_attnum(RelationGetRelid(rel), name) <= 0);
}

/*
 * An error for a name in feature_categories that is no column of the relation, or its key, nor one of the other side's.
 */
static void
CheckCategories(Relation rel, const char *key, char **categories, int ncategories, Oid other)
{
	for (int i = 0; i < ncategories; i++)
	{
		if (IsOfOther(rel, key, categories[i], other))
			continue;
		(void) NamedColumn(rel, categories[i], "feature_categories");
		if (strcmp(categories[i], key) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" of relation \"%s\" is its key, not an attribute", key, RelationGetRelationName(rel)),
					 errhint("Leave it out of the argument feature_categories.")));
	}
}

/* The column number of the primary key, where that is one column; else InvalidAttrNumber, as of a view. */
static AttrNumber
PrimaryKeyColumn(Relation rel)
{
	Oid			index;
	Relation	key;
	AttrNumber	column = InvalidAttrNumber;

	(void) RelationGetIndexList(rel);	/* finds the primary key */
	index = PrimaryKeyIndex(rel);
	if (!OidIsValid(index))
		return InvalidAttrNumber;
	key = relation_open(index, AccessShareLock);
	if (key->rd_index->indnkeyatts == 1)
		column = key->rd_index->indkey.values[0];
	relation_close(key, NoLock);
	return column;
}

const FeatureSide item_side = {"item", "items", "item_features", "item_features_schema", "item_column"};
const FeatureSide user_side = {"user", "users", "user_features", "user_features_schema", "user_column"};

/* The name of the key, palloc'd; an error where the relation has none. */
static char *
KeyColumn(Relation rel, const FeatureSide *side, const char *id_column)
{
	AttrNumber	column = get_attnum(RelationGetRelid(rel), id_column);

	if (column <= 0)
		column = PrimaryKeyColumn(rel);
	if (column <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("relation \"%s\" has neither a column \"%s\" nor a primary key of one column",
						RelationGetRelationName(rel), id_column),
				 errdetail("Its rows are found by the ids of %s, in a column of that name or in the primary key.", side->many),
				 errhint("Use a view that has the %s' ids in a column %s.", side->many, quote_identifier(id_column))));
	return pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel), column - 1)->attname));
}

/* Fills in an attribute of a column; an error where its type cannot be one. category: feature_categories lists it. */
static void
FillAttribute(Attribute *attribute, Relation rel, Form_pg_attribute att, bool category)
{
	const AttributeRule *rule = FindRule(att->atttypid, category);

	if (rule == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s, which cannot be an attribute", NameStr(att->attname),
						RelationGetRelationName(rel), format_type_be(att->atttypid)),
				 errdetail(POSSIBLE_TYPES),
				 errhint("Leave the column out, or cast it, with a view, or take it as categories: feature_categories => '{%s}'.",
						 NameStr(att->attname))));
	attribute->name = pstrdup(NameStr(att->attname));
	attribute->kind = rule->kind;
	attribute->taken_as = rule->taken_as;
	attribute->before = rule->before;
	attribute->after = rule->after;
}

/*
 * Fills in the attributes: all columns but the key, and of a relation that is opened once more those that cannot be
 * any.
 */
static void
FillAttributes(FeatureSource *source, Relation rel, char **categories, int ncategories, bool again)
{
	TupleDesc	desc = RelationGetDescr(rel);

	source->attribute = palloc(sizeof(Attribute) * Max(desc->natts, 1));
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		bool		category = IsListed(NameStr(att->attname), categories, ncategories);

		if (att->attisdropped || strcmp(NameStr(att->attname), source->key_column) == 0 ||
			(again && FindRule(att->atttypid, category) == NULL))
			continue;
		FillAttribute(&source->attribute[source->nattributes++], rel, att, category);
	}
	if (source->nattributes == 0 && !again)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("relation \"%s\" has no attributes of %s", source->name, source->side->many),
				 errdetail("It has no column beside its key, \"%s\".", source->key_column),
				 errhint("Name a table or view with a row of each %s and attributes in further columns.", source->side->one)));
}

/*
 * Resolves the relation of attributes into *source, before a row is read: an error for a relation without key or
 * attributes, a column of a type that cannot be one, a name in categories (ncategories of them) that is no column.
 * Locks the relation until the end of the transaction; strings are palloc'd. other: the relation of the other side,
 * InvalidOid: none; text_configuration: of text search.
 *
 * again: a training has known the relation, so that columns that have come since do not matter, nor those that have
 * gone: they are passed over where they would be an error.
 */
void
OpenFeatureSource(FeatureSource *source, const FeatureSide *side, Oid relid, const char *id_column, char **categories,
				  int ncategories, Oid other, Oid text_configuration, bool again)
{
	Relation	rel = OpenRows(relid, psprintf("cannot read attributes of %s from \"%%s\"", side->many),
							   psprintf("Name a table or view of %s with the argument %s.", side->many, side->argument));

	memset(source, 0, sizeof(FeatureSource));
	source->side = side;
	source->relid = relid;
	source->name = pstrdup(RelationGetRelationName(rel));
	source->schema = get_namespace_name(RelationGetNamespace(rel));
	source->temporary = isAnyTempNamespace(RelationGetNamespace(rel));
	source->text_configuration = text_configuration;
	source->quiet = source->again = again;
	source->key_column = KeyColumn(rel, side, id_column);
	IdColumn(rel, source->key_column, side->id_argument, &source->key);
	if (!again)
		CheckCategories(rel, source->key_column, categories, ncategories, other);
	FillAttributes(source, rel, categories, ncategories, again);
	relation_close(rel, NoLock);
}

/* An error where the relation's keys are no ids of the source's items: of another type than `items`. */
void
CheckFeatureKey(const FeatureSource *source, const IdType *items)
{
	if (SameIds(&source->key, items))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of relation \"%s\" is of type %s, but the %s' ids are of type %s",
					source->key_column, source->name, format_type_be(source->key.type), source->side->many,
					format_type_be(items->type)),
			 errdetail("Attributes belong to the %s whose id is in that column.", source->side->one),
			 errhint("Cast it in a view: %s::%s.", quote_identifier(source->key_column), format_type_be(items->type))));
}

/*
 * The query that reads the relation, palloc'd: the key, then all attributes, each of the type of its kind.  from: the
 * relation for SQL, NULL for itself.
 */
char *
FeatureQuery(const FeatureSource *source, const char *from)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s", quote_identifier(source->key_column));
	for (int a = 0; a < source->nattributes; a++)
		appendStringInfo(&sql, ", %s%s%s", source->attribute[a].before, quote_identifier(source->attribute[a].name),
						 source->attribute[a].after);
	appendStringInfo(&sql, " FROM %s", from ? from : quote_qualified_identifier(source->schema, source->name));
	return sql.data;
}
