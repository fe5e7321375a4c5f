/*
 * row_batch.h - rows of a source on their way into memory, a batch at a time, and what is found in passing.
 */
#ifndef MFREC_ROW_BATCH_H
#define MFREC_ROW_BATCH_H

#include "read/row_filter.h"
#include "source/source.h"

#define BATCH_ROWS 1024

/*
 * Rows by their ids: ratings from the start of the arrays, and from their end those that only say that a user has an
 * item, of which nothing is kept but ids.  No pointers, so that it can lie in shared memory, but ids that are no
 * integers are Datums.
 */
typedef struct RowBatch
{
	int			ratings;
	int			unrated;
	int64		user[BATCH_ROWS];
	int64		item[BATCH_ROWS];
	float		value[BATCH_ROWS];
	float		weight[BATCH_ROWS];
	double		time[BATCH_ROWS];	/* undefined where a source has no times */
	uint64		hash[BATCH_ROWS];	/* see HashRows(); undefined where it is not wanted */
} RowBatch;

/* What has been found in passing, as Ratings has it. */
typedef struct RowTally
{
	int64		null_rows;
	int64		null_times;
	int64		other_events;
	int64		zero_rows;
	int64		negative_rows;
	int64		dislike_rows;
	double		newest;			/* time; -infinity before the first */
	int			distinct;
	float		value[2];
} RowTally;

/* A row that training cannot take. */
typedef struct BadRow
{
	RatingCheck check;			/* RATING_OK: there is none */
	int64		user;
	int64		item;
	float		number;			/* the one at fault, where it is no time */
} BadRow;

/* Takes rows into a batch. */
typedef struct RowTaker
{
	const Source *source;
	bool		marks;			/* values say whether rows are relevant */
	bool		with_others;	/* hashes and rows that are no ratings are wanted */
	bool		pairs;			/* ids are, and nothing else: every row counts as a rating */
	const RowFilter *filter;	/* of rows that may be wanted; NULL: all are */
	RowBatch   *batch;
	RowTally   *tally;
	int64	   *event_rows;		/* rows of each kind of event; NULL without */
	BadRow		bad;
} RowTaker;

extern void InitTally(RowTally *tally);
extern void AddTally(RowTally *to, const RowTally *from);
extern bool TakeRow(RowTaker *taker, const Datum *values, const bool *nulls, int natts);
extern void EndBatch(RowTaker *taker);
extern const RowBatch *ChooseRows(const WantedRows *wanted, const RowBatch *batch, RowBatch *chosen);
pg_noreturn extern void ReportBadRow(const Source *source, const BadRow *bad);

/* Makes the batch an empty one. */
static inline void
BeginBatch(RowTaker *taker)
{
	taker->batch->ratings = taker->batch->unrated = 0;
}

/* Whether the batch has no more room. */
static inline bool
BatchIsFull(const RowBatch *batch)
{
	return batch->ratings + batch->unrated == BATCH_ROWS;
}

#endif
