/*
 * csr_store.h - all observed cells in one orientation, in memory or spilled, handed out part by part.
 */
#ifndef MFREC_CSR_STORE_H
#define MFREC_CSR_STORE_H

#include "core/base/csr.h"
#include "source/row_weight.h"
#include "storage/buffile.h"

/*
 * Rows of one orientation in ascending order.  start[] (nrows + 1) is always in memory; columns,
 * ratings and weights are in `matrix`, or in one temporary file each.
 */
typedef struct Cells
{
	int64		nrows;
	int64	   *start;
	int64		appended;		/* rows in the files so far */
	bool		spilled;
	MfMatrix	matrix;			/* all of it; of spilled cells the part handed out last */
	BufFile    *columns;
	BufFile    *ratings;		/* NULL without ratings */
	BufFile    *weights;		/* NULL without weights */
	int64		part_cells;		/* of spilled cells: how many a part may have */
	int64		room;			/* cells that matrix has room for */
	int64	   *part_start;		/* start[] of the spilled part handed out last */
	int64		part_rows;		/* rows that it has room for */
	double		mean;			/* spilled ratings are standardized on their way out */
	double		deviation;
	RowWeight	weighting;		/* and their numbers become weights */
	bool		columns_only;	/* no more is wanted, nor read of spilled cells */
	int64		next;			/* row with which the next part begins */
} Cells;

extern void InitSpilledCells(Cells *cells, int64 nrows, bool has_rating, bool has_weight, int64 part_cells);
extern void AppendCells(Cells *cells, const MfMatrix *part);
extern void RewindCells(Cells *cells);
extern void RewindColumns(Cells *cells);
extern bool CellsHaveWeights(const Cells *cells);
extern bool NextCells(Cells *cells, MfRows *rows);
extern void FreeCells(Cells *cells);
extern void StandardizeCells(Cells *cells, double mean, double deviation);
extern void WeightCells(Cells *cells, RowWeight weighting);
extern void DropWeights(Cells *cells);

#endif
