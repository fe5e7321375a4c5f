/*
 * source_columns.h - which columns of a source mean what, and what kind of feedback they are.
 */
#ifndef MFREC_SOURCE_COLUMNS_H
#define MFREC_SOURCE_COLUMNS_H

#include "lib/stringinfo.h"
#include "utils/jsonb.h"

#include "rows/event_weights.h"

typedef enum Feedback
{
	FEEDBACK_AUTO,				/* explicit if there is a rating column */
	FEEDBACK_EXPLICIT,
	FEEDBACK_IMPLICIT
} Feedback;

/* The arguments by which mf_train and others name columns. */
typedef struct SourceColumns
{
	bool		kept;			/* of an earlier call, which mfrec.model keeps */
	Feedback	feedback;
	char	   *user;
	char	   *item;
	char	   *rating;			/* rating, or implicit strength; NULL: none */
	bool		rating_named;	/* false: "rating" if there is such a column */
	char	   *weight;			/* NULL: none */
	char	   *time;			/* NULL: none */
	char	   *event;			/* NULL: none */
	EventWeights *events;		/* NULL: all kinds of events count the same */
	char	   *by;				/* the column of tenants; NULL: all rows are of one */
	char	   *tenant;			/* only the rows of this one, as text; NULL: of all */
	double		half_life;		/* of a row's weight, in seconds; 0: rows do not fade; NaN: not given, which is the
								 * same */
} SourceColumns;

extern void InitSourceColumns(SourceColumns *columns);
extern void NameRatingColumn(SourceColumns *columns, char *rating);
extern Feedback ParseFeedback(const char *name);
extern const char *FeedbackName(Feedback feedback);
extern void AppendSourceColumns(StringInfo json, const SourceColumns *columns);
extern void SourceColumnsFromJson(SourceColumns *columns, Jsonb *json);

#endif
