/*
 * srf.h - result rows of set-returning functions.
 */
#ifndef MFREC_SRF_H
#define MFREC_SRF_H

#include "fmgr.h"

/* Shapes of results; the first column is an id of a type that the call decides. */
typedef enum RowShape
{
	ROWS_RECOMMENDED,			/* id, score, rank, predicted_rating, reason */
	ROWS_RANKED,				/* id, score or similarity, rank */
	ROWS_COUNTED,				/* id, ratings, rank */
	ROWS_EXPLAINED,				/* id, contribution */
	ROW_SHAPES
} RowShape;

extern void BeginRows(FunctionCallInfo fcinfo, RowShape shape, Oid id_type);
extern void PutRow(FunctionCallInfo fcinfo, Datum *values, bool *nulls);
extern void PutRankedRow(FunctionCallInfo fcinfo, Datum id, float score, int rank);
extern Oid	IdRowType(FunctionCallInfo fcinfo);

#endif
