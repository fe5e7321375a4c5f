/*
 * source_lookup.h - the current rows of one user or one item in a source.
 */
#ifndef MFREC_SOURCE_LOOKUP_H
#define MFREC_SOURCE_LOOKUP_H

#include "source/source.h"

/* A source, the queries that look into it, and the model's types of ids, which it may have been trained with. */
typedef struct SourceLookup
{
	Source		source;
	const IdType *user_type;
	const IdType *item_type;
	char	   *user_sql;		/* reads one user's rows; NULL: nothing is resolved yet */
	char	   *item_sql;		/* reads one item's rows */
} SourceLookup;

/*
 * Takes a current row: the id of the other side and its numbers, which live until it returns.  A weight of
 * 0 is a row that training would pass over, NaN one of which it could make nothing: a number is null, or is
 * none that it takes.
 */
typedef void (*CurrentRowFunction) (void *state, int64 id, const Observation *row);

extern void PrepareSourceLookup(SourceLookup *lookup, const IdType *user_type, const IdType *item_type);
extern void LookupUserRows(const SourceLookup *lookup, int64 user, CurrentRowFunction function, void *state);
extern void ReadAllRows(const SourceLookup *lookup, CurrentRowFunction function, void *state);
extern double NewestTime(const SourceLookup *lookup);
extern void LookupItemRows(const SourceLookup *lookup, int64 item, CurrentRowFunction function, void *state);

#endif
