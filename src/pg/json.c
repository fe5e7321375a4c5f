/*
 * json.c - numbers and strings of a JSON object, as parameters are kept: written as text, read from jsonb.
 *
 * Keys are trusted: they are names of ours, written without escapes.  What is read is not: roles that may write
 * to mfrec.model decide on it, so a value of another type than wanted counts as missing.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/numeric.h"

#include "pg/json.h"

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
