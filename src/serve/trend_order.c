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
	const Image *image;
	Fading		fading;
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
			AddFade(&counter->left[number[i]], FadeOfTime(counter->fading, counter->time[i]));
	counter->batch = 0;
}

/*
 * Takes a row; a CurrentRowFunction.  One that training would pass over does not count.  An id that is not an integer is
 * gone when it returns, so it is looked up at once.
 */
static void
CountRow(void *state, int64 id, const Observation *row)
{
	TrendCounter *counter = state;

	if (!(row->weight > 0))
		return;
	counter->id[counter->batch] = id;
	counter->time[counter->batch++] = row->time;
	if (counter->batch == BATCH_ROWS || !counter->image->ids.type->is_int)
		FlushRows(counter);
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
 * The version's items by what is left of all rows that there are now and that training would take, which halve in half_life
 * seconds of age; in the current memory context.  An error where rows have no times.
 */
ItemOrder
TrendOrder(const Recommender *r, double half_life)
{
	const SourceLookup *lookup = OpenSourceOf(r, NULL);
	const Image *image = r->image;
	TrendCounter *counter = palloc0(sizeof(TrendCounter));
	float	   *trends = HugeArray(image->nitems, sizeof(float));
	int32	   *items = HugeArray(image->nitems, sizeof(int32));

	CheckTimes(r, &lookup->source);
	counter->image = image;
	counter->fading = (Fading) {half_life, NewestTime(lookup)};
	counter->left = HugeZeroArray(image->nitems, sizeof(FadeSum));
	ReadAllRows(lookup, CountRow, counter);
	FlushRows(counter);
	for (int64 i = 0; i < image->nitems; i++)
		trends[i] = image->counts[i] > 0 ? (float) FadeTotal(counter->left[i]) : 0;
	OrderItems(trends, image->counts, image->nitems, items);
	return (ItemOrder) {items, trends};
}
