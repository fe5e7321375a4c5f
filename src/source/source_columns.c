/*
 * source_columns.c - which columns of a source mean what: their defaults, and their way through
 * mfrec.model.parameters, from which later calls read them back.
 */
#include "postgres.h"

#include <math.h>

#include "pg/json.h"
#include "source/source_columns.h"

/* Nothing named: user_id, item_id, and rating if there is such a column. */
void
InitSourceColumns(SourceColumns *columns)
{
	memset(columns, 0, sizeof(SourceColumns));
	columns->feedback = FEEDBACK_AUTO;
	columns->user = "user_id";
	columns->item = "item_id";
	columns->rating = "rating";
	columns->half_life = NAN;
}

/* The argument rating_column: NULL for none; its default names a column that need not be there. */
void
NameRatingColumn(SourceColumns *columns, char *rating)
{
	columns->rating = rating;
	columns->rating_named = rating && strcmp(rating, "rating") != 0;
}

/* The feedback that an argument means; NULL leaves the choice to the columns, and anything else is an error. */
Feedback
ParseFeedback(const char *name)
{
	if (name == NULL)
		return FEEDBACK_AUTO;
	if (strcmp(name, "explicit") == 0)
		return FEEDBACK_EXPLICIT;
	if (strcmp(name, "implicit") == 0)
		return FEEDBACK_IMPLICIT;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized feedback \"%s\"", name),
			 errhint("Use \"explicit\" for ratings such as stars, \"implicit\" for purchases, clicks or views.")));
	return FEEDBACK_AUTO;		/* keep the compiler quiet */
}

/* The argument that stands for a kind of feedback; NULL for the choice by the columns. */
const char *
FeedbackName(Feedback feedback)
{
	return feedback == FEEDBACK_EXPLICIT ? "explicit" :
		feedback == FEEDBACK_IMPLICIT ? "implicit" : NULL;
}

/* Appends the keys of the columns, and of the feedback that was asked for, to an object's first keys. */
void
AppendSourceColumns(StringInfo json, const SourceColumns *columns)
{
	if (columns->feedback != FEEDBACK_AUTO)
		AppendJsonString(json, "feedback", FeedbackName(columns->feedback));
	AppendJsonString(json, "user_column", columns->user);
	AppendJsonString(json, "item_column", columns->item);
	if (columns->rating_named || columns->rating == NULL)
		AppendJsonString(json, "rating_column", columns->rating);
	if (columns->weight)
		AppendJsonString(json, "weight_column", columns->weight);
	if (columns->time)
		AppendJsonString(json, "time_column", columns->time);
	if (columns->event)
		AppendJsonString(json, "event_column", columns->event);
	if (columns->events)
		AppendEventWeights(json, "event_weights", columns->events);
	if (columns->by)
		AppendJsonString(json, "by", columns->by);
	if (columns->tenant)
		AppendJsonString(json, "tenant", columns->tenant);
	if (!isnan(columns->half_life))
		AppendJsonNumber(json, "half_life", columns->half_life);
}

/* The inverse of AppendSourceColumns; strings are palloc'd. */
void
SourceColumnsFromJson(SourceColumns *columns, Jsonb *json)
{
	InitSourceColumns(columns);
	columns->kept = true;
	columns->feedback = ParseFeedback(JsonString(json, "feedback"));
	columns->user = JsonString(json, "user_column");
	columns->item = JsonString(json, "item_column");
	columns->weight = JsonString(json, "weight_column");
	columns->time = JsonString(json, "time_column");
	columns->half_life = JsonNumber(json, "half_life", NAN);
	columns->event = JsonString(json, "event_column");
	columns->by = JsonString(json, "by");
	columns->tenant = JsonString(json, "tenant");
	if (JsonObject(json, "event_weights"))
		columns->events = EventWeightsFromJson(JsonObject(json, "event_weights"));
	if (JsonHasKey(json, "rating_column"))
	{
		columns->rating = JsonString(json, "rating_column");
		columns->rating_named = columns->rating != NULL;
	}
}
