/*
 * number_summary.h - numbers of items sorted by item, and what is typical of each column.
 */
#ifndef MFREC_NUMBER_SUMMARY_H
#define MFREC_NUMBER_SUMMARY_H

#include "core/base/threads.h"
#include "features/attributes_read.h"
#include "source/csr_store.h"

/* Numbers of known items in a column. */
typedef struct NumberColumn
{
	int64		count;			/* 0: none */
	double		min;
	double		max;
	double		sum;
	double		squares;		/* of differences to the mean */
	double		mean;
	double		deviation;		/* of the population; 0 where all are the same */
} NumberColumn;

/* Numbers of all items. */
typedef struct Numbers
{
	NumberColumn *column;		/* source->nattributes */
	Cells		cells;			/* items x columns: ratings and weights are a number's parts, see ReadNumber(); no rows where
								 * there are none */
} Numbers;

extern void SortNumbers(Numbers *numbers, Attributes *attributes, const int32 *rank, int64 budget,
						const MfParallel *parallel);

#endif
