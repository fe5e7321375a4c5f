/*
 * event_weights.h - what kinds of events, such as views and purchases, weigh.
 */
#ifndef MFREC_EVENT_WEIGHTS_H
#define MFREC_EVENT_WEIGHTS_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

/* Kinds of events by name, in the order of jsonb. */
typedef struct EventWeights
{
	int			count;
	char	  **name;			/* count */
	double	   *weight;			/* count; negative: of dislikes */
} EventWeights;

/* The same as values of a column. */
typedef struct EventKinds
{
	Oid			type;			/* of the column, domains resolved */
	const EventWeights *weights;
	int64	   *value;			/* weights->count: of integers and enums; NULL of text, which goes by name */
} EventKinds;

extern EventWeights *EventWeightsFromJson(JsonbContainer *json);
extern bool SameEventWeights(const EventWeights *a, const EventWeights *b);
extern int	FindEventName(const EventWeights *weights, const char *name);
extern EventWeights *OneEvent(char *name);
extern void AppendEventWeights(StringInfo json, const char *key, const EventWeights *weights);
extern char *EventWeightsToJson(const EventWeights *weights);
extern void OpenEventKinds(EventKinds *kinds, const char *name, Oid type, const EventWeights *weights,
						   const char *relation, const char *argument);
extern int	FindEventKind(const EventKinds *kinds, Datum value);

#endif
