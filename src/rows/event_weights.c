/*
 * event_weights.c - what kinds of events, such as views and purchases, weigh.
 *
 * Kinds are the keys of a jsonb object, read once as values of the column's type, so that a row costs a few
 * comparisons.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/json.h"
#include "utils/lsyscache.h"

#include "pg/json.h"
#include "rows/event_weights.h"

/* An error for an object that says no weights, with the argument's form as a hint. */
static void
BadEventWeights(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("event_weights must be an object of kinds of events and their weights"),
			 errdetail("%s", detail),
			 errhint("Write event_weights => '{\"view\": 1, \"purchase\": 5}'.")));
}

/*
 * The argument event_weights, palloc'd, negative of what says that an item is not wanted; an error for anything but an
 * object of finite numbers.
 */
EventWeights *
EventWeightsFromJson(JsonbContainer *json)
{
	EventWeights *weights = palloc0(sizeof(EventWeights));
	JsonEntry  *entries = JsonEntries(json, &weights->count);

	if (weights->count == 0)
		BadEventWeights("It has no kinds of events.");
	weights->name = palloc(sizeof(char *) * weights->count);
	weights->weight = palloc(sizeof(double) * weights->count);
	for (int i = 0; i < weights->count; i++)
	{
		if (!(fabs(entries[i].number) <= FLT_MAX))
			BadEventWeights(psprintf("The weight of \"%s\" is no finite number in single precision.", entries[i].key));
		weights->name[i] = entries[i].key;
		weights->weight[i] = entries[i].number;
	}
	return weights;
}

/* Whether two weigh the same kinds, in the same order, alike. */
bool
SameEventWeights(const EventWeights *a, const EventWeights *b)
{
	return a->count == b->count && memcmp(a->weight, b->weight, sizeof(double) * a->count) == 0;
}

/* The number of a kind by its name; -1 for one that is not there. */
int
FindEventName(const EventWeights *weights, const char *name)
{
	for (int i = 0; i < weights->count; i++)
		if (strcmp(weights->name[i], name) == 0)
			return i;
	return -1;
}

/* A single kind, whose rows count as they are; palloc'd. */
EventWeights *
OneEvent(char *name)
{
	EventWeights *weights = palloc0(sizeof(EventWeights));

	weights->count = 1;
	weights->name = palloc(sizeof(char *));
	weights->weight = palloc(sizeof(double));
	weights->name[0] = name;
	weights->weight[0] = 1;
	return weights;
}

/* The object that EventWeightsFromJson() reads, palloc'd. */
char *
EventWeightsToJson(const EventWeights *weights)
{
	StringInfoData json;

	initStringInfo(&json);
	appendStringInfoChar(&json, '{');
	for (int i = 0; i < weights->count; i++)
	{
		appendStringInfoString(&json, i > 0 ? ", " : "");
		escape_json(&json, weights->name[i]);
		appendStringInfo(&json, ": %.17g", weights->weight[i]);
	}
	appendStringInfoChar(&json, '}');
	return json.data;
}

/* Appends a key and that object to an object's first keys. */
void
AppendEventWeights(StringInfo json, const char *key, const EventWeights *weights)
{
	appendStringInfo(json, ", \"%s\": %s", key, EventWeightsToJson(weights));
}

/* Whether a type is compared by its text. */
static bool
IsTextual(Oid type)
{
	return type == TEXTOID || type == VARCHAROID || type == BPCHAROID || type == NAMEOID;
}

/* An integer or the OID of an enum's label as one number. */
static int64
NumberOfEvent(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		default:
			return DatumGetObjectId(value);
	}
}

/* The column that kinds of events are read for. */
typedef struct EventColumn
{
	const char *name;
	const char *relation;
} EventColumn;

/* An ErrorContextCallback's: where a name that is no value of the column's type comes from. */
static void
TellEventColumn(void *argument)
{
	const EventColumn *column = argument;

	errcontext("kinds of events in column \"%s\" of relation \"%s\"", column->name, column->relation);
}

/* The names of kinds as values of their type; what is none is an error of that type. */
static void
ReadEventNames(EventKinds *kinds, EventColumn *column)
{
	const EventWeights *weights = kinds->weights;
	ErrorContextCallback context = {error_context_stack, TellEventColumn, column};
	Oid			input;
	Oid			ioparam;

	getTypeInputInfo(kinds->type, &input, &ioparam);
	kinds->value = palloc(sizeof(int64) * weights->count);
	error_context_stack = &context;
	for (int i = 0; i < weights->count; i++)
		kinds->value[i] = NumberOfEvent(OidInputFunctionCall(input, weights->name[i], ioparam, -1), kinds->type);
	error_context_stack = context.previous;
}

/*
 * Prepares to tell kinds apart by a column of that name and type; an error for a type that is no text, integer or enum,
 * and for a kind that is none of its values. argument: what names another column, for the hint.
 */
void
OpenEventKinds(EventKinds *kinds, const char *name, Oid type, const EventWeights *weights, const char *relation,
			   const char *argument)
{
	EventColumn column = {name, relation};

	kinds->type = getBaseType(type);
	kinds->weights = weights;
	kinds->value = NULL;
	if (IsTextual(kinds->type))
		return;
	if (kinds->type != INT2OID && kinds->type != INT4OID && kinds->type != INT8OID && !type_is_enum(kinds->type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s, which cannot be a kind of event", name,
						relation, format_type_be(type)),
				 errdetail("It can be text, an enum or an integer."),
				 errhint("Name another column with the argument %s, or cast it in a view.", argument)));
	ReadEventNames(kinds, &column);
}

/* The number of a kind among the weights, -1 for one that is not there; value: of the column, not null. */
int
FindEventKind(const EventKinds *kinds, Datum value)
{
	const char *text;
	int			length;

	if (kinds->value)
	{
		int64		number = NumberOfEvent(value, kinds->type);

		for (int i = 0; i < kinds->weights->count; i++)
			if (kinds->value[i] == number)
				return i;
		return -1;
	}
	if (kinds->type == NAMEOID)
	{
		text = NameStr(*DatumGetName(value));
		length = (int) strlen(text);
	}
	else
	{
		struct varlena *packed = PG_DETOAST_DATUM_PACKED(value);

		text = VARDATA_ANY(packed);
		length = (int) VARSIZE_ANY_EXHDR(packed);
	}
	while (kinds->type == BPCHAROID && length > 0 && text[length - 1] == ' ')
		length--;
	for (int i = 0; i < kinds->weights->count; i++)
		if (strncmp(kinds->weights->name[i], text, length) == 0 && kinds->weights->name[i][length] == '\0')
			return i;
	return -1;
}
