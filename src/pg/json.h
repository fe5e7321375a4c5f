/*
 * json.h - numbers and strings of a JSON object, as parameters are kept: written as text, read from jsonb.
 */
#ifndef MFREC_JSON_H
#define MFREC_JSON_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* A key of an object of numbers, such as weights, and what it has. */
typedef struct JsonEntry
{
	char	   *key;
	double		number;			/* NaN where the value is none; infinite where a double cannot hold it */
	const char *kind;			/* of the value, as JSON calls it */
} JsonEntry;

extern void AppendJsonNumber(StringInfo json, const char *key, double value);
extern void AppendJsonString(StringInfo json, const char *key, const char *value);
extern void AppendJsonStrings(StringInfo json, const char *key, char **values, int count);
extern bool JsonHasKey(Jsonb *json, const char *key);
extern double JsonNumber(Jsonb *json, const char *key, double missing);
extern int64 JsonInteger(Jsonb *json, const char *key, int64 missing);
extern char *JsonString(Jsonb *json, const char *key);
extern JsonbContainer *JsonObject(Jsonb *json, const char *key);
extern JsonEntry *JsonEntries(JsonbContainer *json, int *count);
extern char **JsonStrings(Jsonb *json, const char *key, int *count);

#endif
