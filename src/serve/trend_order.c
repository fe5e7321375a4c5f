/*
 * trend_order.c - what is popular of late, by the current rows and any half-life.
 *
 * A version knows how its items trend by one half-life.  For another one the source is read, as the caller sees it.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "image/image_build.h"
#include "pg/alloc.h"
#include "rows/row_weight.h"
#include "serve/trend_order.h"

#define BATCH_ROWS 1024

/* Rows on their way from the source to sums by item. */
typedef struct TrendCounter
{
	const Source *source;
	const Image *image;
	Trending	trending;		/* from what may be the newest row */
	double		newest;			/* that has been counted */
	FadeSum    *left;			/* by item */
	int			batch;			/* rows below, whose items have no numbers yet */
	int64		id[BATCH_ROWS];
	double		time[BATCH_ROWS];
} TrendCounter;

/* Adds the rows that wait, but those of items that the version does not know. */
static void
FlushRows(TrendCounter *counter)
{
	int32		number[BATCH_ROWS];

	FindIds(&counter->image->ids, counter->id, counter->batch, number);
	for (int i = 0; i < counter->batch; i++)
		if (number[i] >= 0)
			AddFade(&counter->left[number[i]], TrendOfTime(counter->trending, counter->time[i]));
	counter->batch = 0;
}

/* An error for a row with a time that training would not take, either. */
static void
BadTime(const TrendCounter *counter, int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("the time of a row of item %s is not finite", IdToText(counter->image->ids.type, id)),
			 errdetail("Rows count by their age, by column \"%s\" of relation \"%s\".", counter->source->time_column,
					   counter->source->name),
			 errhint("Correct the row, or leave it out with a view.")));
}

/*
 * Takes a row; a CurrentRowFunction.  One that training would pass over does not count.  An id that is not an integer
 * is gone when it returns, so it is looked up at once.
 */
static void
CountRow(void *state, int64 id, const Observation *row)
{
	TrendCounter *counter = state;

	if (row->bad_time)
		BadTime(counter, id);
	if (!(row->weight > 0))
		return;
	counter->newest = Max(counter->newest, row->time);
	counter->id[counter->batch] = id;
	counter->time[counter->batch++] = row->time;
	if (counter->batch == BATCH_ROWS || !counter->image->ids.type->is_int)
		FlushRows(counter);
}

/* Counts all rows, which fade from that time on; returns the time of the newest one that counts. */
static double
CountRows(const SourceLookup *lookup, double half_life, double newest, TrendCounter *counter)
{
	counter->trending = (Trending) {half_life, newest, newest};
	counter->newest = -INFINITY;
	memset(counter->left, 0, sizeof(FadeSum) * counter->image->nitems);
	ReadAllRows(lookup, CountRow, counter);
	FlushRows(counter);
	return counter->newest;
}

/* An error for a source whose rows have no times. */
static void
CheckTimes(const Recommender *r, const Source *source)
{
	if (source->time_column)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model \"%s\" does not know when rows of its source came to be", r->model->name),
			 errhint("Train it with the argument time_column.")));
}

/*
 * The version's items by what is left of all rows that there are now and that training would take, half of one that is
 * half_life seconds old; in the current memory context.  An error where rows have no times.
 */
ItemOrder
TrendOrder(const Recommender *r, double half_life)
{
	const SourceLookup *lookup = OpenSourceOf(r, NULL);
	const Image *image = r->image;
	TrendCounter *counter = palloc0(sizeof(TrendCounter));
	float	   *trends = HugeArray(image->nitems, sizeof(float));
	double		newest;
	double		counted;
	int32	   *items = HugeArray(image->nitems, sizeof(int32));

	CheckTimes(r, &lookup->source);
	counter->source = &lookup->source;
	counter->image = image;
	counter->left = HugeArray(image->nitems, sizeof(FadeSum));
	newest = NewestTime(lookup);
	counted = CountRows(lookup, half_life, newest, counter);
	if (counted != newest && isfinite(counted))
		(void) CountRows(lookup, half_life, counted, counter);	/* the newest row is none that training would take */
	for (int64 i = 0; i < image->nitems; i++)
		trends[i] = image->counts[i] > 0 ? (float) FadeTotal(counter->left[i]) : 0;
	OrderItems(trends, image->counts, image->nitems, items);
	return (ItemOrder) {items, trends};
}
