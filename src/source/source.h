/*
 * source.h - the relation that a model is trained on: its columns, and the queries that read it.
 */
#ifndef MFREC_SOURCE_H
#define MFREC_SOURCE_H

#include "lib/stringinfo.h"

#include "ids/id_map.h"
#include "source/source_columns.h"

/* A source of ratings: the relation, and which of its columns mean what. */
typedef struct Source
{
	Oid			relid;
	char	   *schema;
	char	   *name;
	bool		temporary;		/* a temporary table, or a view of one */
	Feedback	feedback;		/* explicit or implicit, not auto */
	char	   *user_column;
	char	   *item_column;
	char	   *value_column;	/* rating, or implicit strength; NULL: none */
	char	   *weight_column;	/* NULL: none */
	char	   *time_column;	/* NULL: none, or it is not wanted */
	char	   *tenant_column;	/* NULL: all rows are of one tenant */
	char	   *tenant;			/* only the rows of this one are read, as text; NULL: of all */
	char	   *event_column;	/* of kinds of events that weigh differently; NULL: none */
	bool		keeps_zeros;	/* implicit values of 0 are observations, as other programs take them whose factors
								 * are imported */
	bool		keeps_spreads;	/* users' ratings are not brought to one spread, for which there is no room in the
								 * model's table of users */
	IdType		user;
	IdType		item;
	IdType		tenant_type;	/* undefined without a column of tenants */
	Oid			value_type;
	Oid			weight_type;
	Oid			time_type;
	EventKinds	events;
	int			relevant;		/* number of the kind of event that lists are for; -1: all are */
} Source;

/* What a row of the source says of its user and item. */
typedef struct Observation
{
	float		rating;
	float		weight;			/* of an implicit value below 0, a dislike, negative */
	int			event;			/* number of its kind; undefined without an event column */
	double		time;			/* in seconds, see rows/row_time.h; without a time column infinite: new */
	bool		bad_time;		/* of a lookup: it would be an observation, but for its time, which is not finite */
} Observation;

/* What a row of the source is: an observation, or why not. */
typedef enum RatingCheck
{
	RATING_OK,
	RATING_NULL,				/* a null user, item or number: skipped */
	RATING_NULL_TIME,			/* nothing else is null: skipped, too, as it has no age */
	RATING_OTHER_EVENT,			/* of a kind that has no weight: skipped */
	RATING_ZERO,				/* an implicit value or a weight of zero: skipped by trainings */
	RATING_BAD_VALUE,			/* not finite */
	RATING_BAD_WEIGHT,
	RATING_BAD_PRODUCT,			/* an implicit value times its weight */
	RATING_BAD_TIME				/* not finite */
} RatingCheck;

/* Whether ids are integers, on both sides: then a row needs no memory of its own. */
static inline bool
HasIntegerIds(const Source *source)
{
	return source->user.is_int && source->item.is_int;
}

extern void OpenSource(Source *source, Oid relid, const SourceColumns *columns);
extern void NoteQueryRowSecurity(const char *sql, const char *relation);
extern void NoteRowSecurity(const Source *source);
extern void AppendSourceColumnList(StringInfo sql, const Source *source);
extern const char *SourceSql(const Source *source);
extern void AppendSourceQuery(StringInfo sql, const Source *source);
extern void CheckSourceColumns(const Source *source, TupleDesc desc);
extern char *SourceLookupSql(const Source *source);
extern char *SourceReverseLookupSql(const Source *source);
extern char *SourceSinceSql(const Source *source, double seconds);
extern char *SourceManySql(const Source *source);
extern RatingCheck RatingFromRow(const Source *source, const Datum *values, const bool *nulls, int natts,
								 Observation *observation);

#endif
