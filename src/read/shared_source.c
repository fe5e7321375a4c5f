/*
 * shared_source.c - what parallel workers must know of a source, as bytes.
 *
 * That is all by which RatingFromRow() goes, of a source whose ids are integers: not what the relation and its columns
 * are called.
 */
#include "postgres.h"

#include "compat.h"
#include "read/shared_source.h"

/*
 * A source without its pointers; behind it come the kinds of events: weights, values where there are some, and names.
 */
typedef struct PackedSource
{
	Source		source;			/* pointers say only whether there is something */
	int			nevents;
	bool		by_value;		/* kinds are told apart by EventKinds.value */
} PackedSource;

/* Bytes of the names of kinds. */
static Size
NamesSize(const EventWeights *weights)
{
	Size		size = 0;

	for (int i = 0; i < weights->count; i++)
		size += strlen(weights->name[i]) + 1;
	return size;
}

/* Bytes that a source takes. */
Size
PackedSourceSize(const Source *source)
{
	const EventWeights *weights = source->events.weights;
	Size		size = MAXALIGN(sizeof(PackedSource));

	if (source->event_column)
		size += weights->count * (sizeof(double) + sizeof(int64)) + NamesSize(weights);
	return size;
}

/* Writes a source to `packed`, which is aligned. */
void
PackSource(const Source *source, char *packed)
{
	const EventWeights *weights = source->events.weights;
	PackedSource *head = (PackedSource *) packed;
	double	   *weight = (double *) (packed + MAXALIGN(sizeof(PackedSource)));
	int64	   *value;
	char	   *name;

	memset(head, 0, sizeof(PackedSource));
	head->source = *source;
	if (source->event_column == NULL)
		return;
	head->nevents = weights->count;
	head->by_value = source->events.value != NULL;
	value = (int64 *) (weight + weights->count);
	name = (char *) (value + weights->count);
	for (int i = 0; i < weights->count; i++)
	{
		weight[i] = weights->weight[i];
		value[i] = head->by_value ? source->events.value[i] : 0;
		strcpy(name, weights->name[i]);
		name += strlen(name) + 1;
	}
}

/* A name that is not wanted, but whether there is one. */
static char *
Presence(const char *name)
{
	return name ? "" : NULL;
}

/* The kinds of events, palloc'd but for what stays in shared memory. */
static void
UnpackEvents(EventKinds *events, const PackedSource *head, const char *packed)
{
	EventWeights *weights = palloc0(sizeof(EventWeights));
	const double *weight = (const double *) (packed + MAXALIGN(sizeof(PackedSource)));
	const int64 *value = (const int64 *) (weight + head->nevents);
	const char *name = (const char *) (value + head->nevents);

	weights->count = head->nevents;
	weights->weight = unconstify(double *, weight);
	weights->name = palloc(sizeof(char *) * head->nevents);
	for (int i = 0; i < head->nevents; i++)
	{
		weights->name[i] = unconstify(char *, name);
		name += strlen(name) + 1;
	}
	events->weights = weights;
	events->value = head->by_value ? unconstify(int64 *, value) : NULL;
}

/* The inverse of PackSource(): enough to take rows, and no more. */
void
UnpackSource(Source *source, const char *packed)
{
	const PackedSource *head = (const PackedSource *) packed;

	*source = head->source;
	source->schema = source->name = NULL;
	source->user_column = source->item_column = "";
	source->value_column = Presence(source->value_column);
	source->weight_column = Presence(source->weight_column);
	source->time_column = Presence(source->time_column);
	source->event_column = Presence(source->event_column);
	if (source->event_column)
		UnpackEvents(&source->events, head, packed);
}
