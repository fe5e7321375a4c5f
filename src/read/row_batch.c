/*
 * row_batch.c - rows of a source on their way into memory, a batch at a time, and what is found in passing.
 *
 * Whoever reads a source, by a query or from its tables, in this process or in a parallel worker, takes its rows by
 * TakeRow(): so what counts, what is skipped and what is an error is the same.  Whoever has the dictionaries then
 * numbers a batch at once.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"

#include "compat.h"
#include "read/row_batch.h"
#include "source/row_hash.h"

/* The error of a number that training cannot take, which names the row by its ids. */
pg_noreturn static void
BadValue(const Source *source, const BadRow *bad, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("%s of user %s and item %s is %g", what, IdToText(&source->user, bad->user),
					IdToText(&source->item, bad->item), bad->number),
			 errdetail(isfinite(bad->number) ? "It must not be negative." : "It must be a finite number in single precision."),
			 errhint("Correct the row, or leave it out with a view.")));
}

/* The same of a time that is not finite. */
pg_noreturn static void
BadTime(const Source *source, const BadRow *bad)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("time of user %s and item %s is not finite", IdToText(&source->user, bad->user),
					IdToText(&source->item, bad->item)),
			 errdetail(source->time_type == NUMERICOID || source->time_type == FLOAT8OID || source->time_type == FLOAT4OID ?
					   "Rows count by their age, and column \"%s\" must be a finite number of seconds in double precision." :
					   "Rows count by their age, and column \"%s\" must say when they came to be.", source->time_column),
			 errhint("Correct the row, or leave it out with a view.")));
}

/* The error of a row that training cannot take. */
void
ReportBadRow(const Source *source, const BadRow *bad)
{
	switch (bad->check)
	{
		case RATING_BAD_WEIGHT:
			BadValue(source, bad, "weight");
		case RATING_BAD_PRODUCT:
			BadValue(source, bad, "value times weight");
		case RATING_BAD_TIME:
			BadTime(source, bad);
		default:
			BadValue(source, bad, source->feedback == FEEDBACK_IMPLICIT ? "value" : "rating");
	}
}

/* Nothing found yet. */
void
InitTally(RowTally *tally)
{
	memset(tally, 0, sizeof(RowTally));
	tally->newest = -INFINITY;
}

/* Counts different ratings, as far as the third: whether they are two values or more is all that matters. */
static inline void
CountValue(RowTally *tally, float rating)
{
	if (tally->distinct > 2)
		return;
	for (int i = 0; i < tally->distinct; i++)
		if (tally->value[i] == rating)
			return;
	if (tally->distinct < 2)
		tally->value[tally->distinct] = rating;
	tally->distinct++;
}

/* Adds what was found in other rows. */
void
AddTally(RowTally *to, const RowTally *from)
{
	to->null_rows += from->null_rows;
	to->null_times += from->null_times;
	to->other_events += from->other_events;
	to->zero_rows += from->zero_rows;
	to->negative_rows += from->negative_rows;
	to->dislike_rows += from->dislike_rows;
	to->newest = Max(to->newest, from->newest);
	for (int i = 0; i < Min(from->distinct, 2); i++)
		CountValue(to, from->value[i]);
	if (from->distinct > 2)
		to->distinct = from->distinct;
}

/* Adds a rating to the batch. */
static inline void
AddRating(RowTaker *taker, const Datum *values, const Observation *row)
{
	const Source *source = taker->source;
	RowBatch   *batch = taker->batch;
	int			at = batch->ratings++;

	taker->tally->negative_rows += source->feedback == FEEDBACK_IMPLICIT && row->rating < 0;
	taker->tally->dislike_rows += row->weight < 0;
	CountValue(taker->tally, row->rating);
	batch->user[at] = IdFromColumn(&source->user, values[0]);
	batch->item[at] = IdFromColumn(&source->item, values[1]);
	batch->value[at] = taker->marks ? row->event == source->relevant : row->rating;
	batch->weight[at] = row->weight;
	if (source->time_column == NULL)
		return;
	batch->time[at] = row->time;
	taker->tally->newest = Max(taker->tally->newest, row->time);
}

/* Adds a row that is no rating but says that a user has an item, where such rows are wanted. */
static void
AddOther(RowTaker *taker, const Datum *values, const bool *nulls)
{
	RowBatch   *batch = taker->batch;

	if (!taker->with_others || nulls[0] || nulls[1])
		return;
	batch->unrated++;
	batch->user[BATCH_ROWS - batch->unrated] = IdFromColumn(&taker->source->user, values[0]);
	batch->item[BATCH_ROWS - batch->unrated] = IdFromColumn(&taker->source->item, values[1]);
}

/* Takes who has what of a row, which says so unless an id is null. */
static void
AddPairOfIds(RowTaker *taker, const Datum *values, const bool *nulls)
{
	RowBatch   *batch = taker->batch;

	if (nulls[0] || nulls[1])
		return;
	batch->user[batch->ratings] = IdFromColumn(&taker->source->user, values[0]);
	batch->item[batch->ratings++] = IdFromColumn(&taker->source->item, values[1]);
}

/*
 * Takes a row of the source, whose columns are those of its query, into the batch, which has room for it: an
 * observation, or one to pass over.  False where it is an error: taker->bad.
 */
bool
TakeRow(RowTaker *taker, const Datum *values, const bool *nulls, int natts)
{
	const Source *source = taker->source;
	RowTally   *tally = taker->tally;
	Observation row;
	RatingCheck check;

	if (taker->pairs)
	{
		AddPairOfIds(taker, values, nulls);
		return true;
	}
	if (taker->filter && (nulls[0] || nulls[1] ||
						  !MayBeWanted(taker->filter, IdFromColumn(&source->user, values[0]), IdFromColumn(&source->item, values[1]))))
		return true;
	check = RatingFromRow(source, values, nulls, natts, &row);
	switch (check)
	{
		case RATING_OK:
		case RATING_ZERO:
			if (source->event_column)
				taker->event_rows[row.event]++;
			if (check == RATING_OK || source->keeps_zeros)
			{
				AddRating(taker, values, &row);
				return true;
			}
			tally->zero_rows++;
			break;
		case RATING_NULL:
			tally->null_rows++;
			break;
		case RATING_NULL_TIME:
			tally->null_times++;
			break;
		case RATING_OTHER_EVENT:
			tally->other_events++;
			break;
		default:
			taker->bad = (BadRow) {check, IdFromColumn(&source->user, values[0]), IdFromColumn(&source->item, values[1]),
			check == RATING_BAD_VALUE ? row.rating : row.weight};
			return false;
	}
	AddOther(taker, values, nulls);
	return true;
}

/* The batch is complete: what is computed of all of its rows at once. */
void
EndBatch(RowTaker *taker)
{
	const Source *source = taker->source;
	RowBatch   *batch = taker->batch;

	if (taker->with_others)
		HashRows(&source->user, &source->item, batch->ratings, batch->user, batch->item,
				 source->feedback == FEEDBACK_EXPLICIT ? batch->value : NULL, batch->weight,
				 source->time_column ? batch->time : NULL, batch->hash);
}

/* What is wanted of a batch: *chosen, which is returned. */
const RowBatch *
ChooseRows(const WantedRows *wanted, const RowBatch *batch, RowBatch *chosen)
{
	chosen->ratings = chosen->unrated = 0;
	for (int i = 0; i < batch->ratings; i++)
	{
		int			at = chosen->ratings;

		if (!IsWanted(wanted, batch->user[i], batch->item[i]))
			continue;
		chosen->user[at] = batch->user[i];
		chosen->item[at] = batch->item[i];
		chosen->value[at] = batch->value[i];
		chosen->weight[at] = batch->weight[i];
		chosen->time[at] = batch->time[i];
		chosen->hash[at] = batch->hash[i];
		chosen->ratings++;
	}
	for (int i = BATCH_ROWS - 1; i >= BATCH_ROWS - batch->unrated; i--)
		if (IsWanted(wanted, batch->user[i], batch->item[i]))
		{
			chosen->unrated++;
			chosen->user[BATCH_ROWS - chosen->unrated] = batch->user[i];
			chosen->item[BATCH_ROWS - chosen->unrated] = batch->item[i];
		}
	return chosen;
}
