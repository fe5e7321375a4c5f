/*
 * csr_store.h - all observed cells in one orientation, in memory or spilled, handed out part by part.
 */
#ifndef MFREC_CSR_STORE_H
#define MFREC_CSR_STORE_H

#include "core/base/csr.h"
#include "rows/row_weight.h"
#include "storage/buffile.h"

/*
 * A sparse matrix in compressed sparse row format (CSR), of users x items or of items x users: cells of row r
 * are start[r] .. start[r + 1] - 1, columns ascending.  start[] (nrows + 1) is always in memory; columns,
 * ratings and weights are in the arrays of `matrix`, or spilled to one temporary file each.
 *
 * Cells are read in parts of whole rows, in order: RewindCells(), then NextCells() until it says that there are
 * no more.  Spilled ratings and weights are put on their scale on the way out, in memory once and for all.
 */
typedef struct Cells
{
	int64		nrows;
	int64	   *start;
	bool		spilled;
	MfMatrix	matrix;			/* all of it; of spilled cells the part handed out last */
	int64		next;			/* row with which the next part begins */

	/* of spilled cells alone */
	BufFile    *columns;
	BufFile    *ratings;		/* NULL without ratings */
	BufFile    *weights;		/* NULL without weights */
	int64		appended;		/* rows in the files so far */
	int64		part_cells;		/* cells that a part may have, unless a single row has more */
	int64		capacity;		/* cells that the arrays of matrix have room for */
	int64	   *part_start;		/* start[] of the part handed out last, from 0 */
	int64		part_rows;		/* rows that part_start[] has room for */
	double		mean;			/* ratings leave less the mean, divided by the deviation, */
	double		deviation;
	const float *spread;		/* and by what those of their user spread, the caller's; NULL: 1 */
	bool		users_are_rows; /* else they are columns */
	RowWeight	weighting;		/* and weights as made of the rows' numbers */
	bool		columns_only;	/* the current pass reads no ratings and weights */
} Cells;

extern void InitSpilledCells(Cells *cells, int64 nrows, bool with_ratings, bool with_weights, int64 part_cells);
extern void AppendCells(Cells *cells, const MfMatrix *part);
extern void RewindCells(Cells *cells);
extern void RewindColumns(Cells *cells);
extern bool CellsHaveWeights(const Cells *cells);
extern bool NextCells(Cells *cells, MfRows *rows);
extern void CountLikes(Cells *cells, int32 *counts);
extern int32 *CountCells(Cells *cells, int64 n, bool likes);
extern void FreeCells(Cells *cells);
extern float *UserSpreads(Cells *by_user, double variance);
extern void SpreadCells(Cells *cells, const float *spread, bool users_are_rows);
extern void StandardizeCells(Cells *cells, double mean, double deviation);
extern void WeightCells(Cells *cells, RowWeight weighting);
extern void DropWeights(Cells *cells);

#endif
