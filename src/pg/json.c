/*
 * json.c - numbers and strings of a JSON object, as parameters are kept: written as text, read from jsonb.
 *
 * Keys are trusted: they are names of ours, written without escapes.  What is read is not: roles that may write
 * to mfrec.model decide on it, so a value of another type than wanted counts as missing.
 */
#include "postgres.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "compat.h"
#include "pg/json.h"
#include "pg/numeric.h"

/* Appends a key and a finite number, which all 17 digits bring back exactly, to the object's first keys. */
void
AppendJsonNumber(StringInfo json, const char *key, double value)
{
	appendStringInfo(json, ", \"%s\": %.17g", key, value);
}

/* Appends a key and a string, NULL as null, to the object's first keys. */
void
AppendJsonString(StringInfo json, const char *key, const char *value)
{
	appendStringInfo(json, ", \"%s\": ", key);
	if (value)
		escape_json(json, value);
	else
		appendStringInfoString(json, "null");
}

/* Appends a key and an array of strings to the object's first keys. */
void
AppendJsonStrings(StringInfo json, const char *key, char **values, int count)
{
	appendStringInfo(json, ", \"%s\": [", key);
	for (int i = 0; i < count; i++)
	{
		if (i > 0)
			appendStringInfoString(json, ", ");
		escape_json(json, values[i]);
	}
	appendStringInfoChar(json, ']');
}

/* The value of a key of an object, in *buffer; NULL where there is none. */
static JsonbValue *
JsonValue(Jsonb *json, const char *key, JsonbValue *buffer)
{
	return getKeyJsonValueFromContainer(&json->root, key, strlen(key), buffer);
}

/* Whether an object has a key, null or not. */
bool
JsonHasKey(Jsonb *json, const char *key)
{
	JsonbValue	buffer;

	return JsonValue(json, key, &buffer) != NULL;
}

/* The number of a key of an object; `missing` where there is none. */
double
JsonNumber(Jsonb *json, const char *key, double missing)
{
	JsonbValue	buffer;
	JsonbValue *value = JsonValue(json, key, &buffer);

	if (value == NULL || value->type != jbvNumeric)
		return missing;
	return DatumGetFloat8(DirectFunctionCall1(numeric_float8, NumericGetDatum(value->val.numeric)));
}

/* The same of an integer, of which a double may not have all digits; an error where it is none of 64 bits. */
int64
JsonInteger(Jsonb *json, const char *key, int64 missing)
{
	JsonbValue	buffer;
	JsonbValue *value = JsonValue(json, key, &buffer);

	if (value == NULL || value->type != jbvNumeric)
		return missing;
	return DatumGetInt64(DirectFunctionCall1(numeric_int8, NumericGetDatum(value->val.numeric)));
}

/* The string of a key of an object, palloc'd; NULL where there is none or it is null. */
char *
JsonString(Jsonb *json, const char *key)
{
	JsonbValue	buffer;
	JsonbValue *value = JsonValue(json, key, &buffer);

	if (value == NULL || value->type != jbvString)
		return NULL;
	return pnstrdup(value->val.string.val, value->val.string.len);
}

/* The object of a key of an object; NULL where there is none. */
JsonbContainer *
JsonObject(Jsonb *json, const char *key)
{
	JsonbValue	buffer;
	JsonbValue *value = JsonValue(json, key, &buffer);

	if (value == NULL || value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		return NULL;
	return value->val.binary.data;
}

/* What a value is, as JSON calls it; objects and arrays come as jbvBinary. */
static const char *
JsonKind(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvBool:
			return "a boolean";
		case jbvNumeric:
			return "a number";
		default:
			return JsonContainerIsArray(value->val.binary.data) ? "an array" : "an object";
	}
}

/*
 * All keys of an object in the order of jsonb, *count of them, with their numbers; palloc'd.  NULL for anything else
 * (NULL too).
 */
JsonEntry *
JsonEntries(JsonbContainer *json, int *count)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;
	JsonEntry  *entries;

	*count = 0;
	if (json == NULL || !JsonContainerIsObject(json))
		return NULL;
	entries = palloc(sizeof(JsonEntry) * Max(JsonContainerSize(json), 1));
	iterator = JsonbIteratorInit(json);
	(void) JsonbIteratorNext(&iterator, &key, true);	/* the object begins */
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		JsonEntry  *entry = &entries[(*count)++];

		(void) JsonbIteratorNext(&iterator, &value, true);
		entry->key = pnstrdup(key.val.string.val, key.val.string.len);
		entry->kind = JsonKind(&value);
		entry->number = value.type != jbvNumeric ? NAN :
			DoubleOfNumeric(NumericGetDatum(value.val.numeric));
	}
	return entries;
}

/* The strings in the array of a key of an object, palloc'd, *count of them; none where there is no array. */
char **
JsonStrings(Jsonb *json, const char *key, int *count)
{
	JsonbValue	buffer;
	JsonbValue *array = JsonValue(json, key, &buffer);
	char	  **strings;
	int			n;

	*count = 0;
	if (array == NULL || array->type != jbvBinary || !JsonContainerIsArray(array->val.binary.data))
		return NULL;
	n = JsonContainerSize(array->val.binary.data);
	strings = palloc(sizeof(char *) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		JsonbValue *value = getIthJsonbValueFromContainer(array->val.binary.data, i);

		if (value && value->type == jbvString)
			strings[(*count)++] = pnstrdup(value->val.string.val, value->val.string.len);
	}
	return strings;
}
