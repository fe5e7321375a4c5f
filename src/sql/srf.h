/*
 * srf.h - result rows of functions.
 */
#ifndef MFREC_SRF_H
#define MFREC_SRF_H

#include "fmgr.h"
#include "image/image_cache.h"
#include "nodes/execnodes.h"

/* Shapes of results; the first column is an id of a type that the call decides. */
typedef enum RowShape
{
	ROWS_RECOMMENDED,			/* id, score, rank, predicted_rating, reason */
	ROWS_RANKED,				/* id, score or similarity, rank */
	ROWS_COUNTED,				/* id, ratings, rank */
	ROWS_EXPLAINED,				/* id, contribution */
	ROWS_OF_FEATURES,			/* feature in the place of an id, contribution */
	ROW_SHAPES
} RowShape;

/* The most columns that a shape has, the id among them. */
#define MAX_ROW_COLUMNS 5

/* A row in a sink. */
typedef struct SinkRow
{
	Datum		values[MAX_ROW_COLUMNS];
	bool		nulls[MAX_ROW_COLUMNS];
} SinkRow;

/*
 * Where a list's rows go in the place of a tuplestore, in a call whose resultinfo this is (list_scan.c): they, and
 * what they point to, are in the memory context of the call.
 */
typedef struct RowSink
{
	ReturnSetInfo info;			/* must be first */
	bool		wanted[MAX_ROW_COLUMNS];	/* columns that anybody looks at */
	SinkRow    *row;
	int			count;
	int			room;
} RowSink;

/* Sets the columns of entry i of a list (from 0) that stand behind the id: values[1] and on. */
typedef void (*FillRow) (const void *state, int i, Datum *values, bool *nulls);

extern bool RowsHaveColumns(RowShape shape, TupleDesc desc);
extern void StartSink(RowSink *sink, ExprContext *econtext, RowShape shape, Oid id_type);
extern void ClearSink(RowSink *sink);
extern bool WantsColumn(FunctionCallInfo fcinfo, int column);
extern void BeginRows(FunctionCallInfo fcinfo, RowShape shape, Oid id_type);
extern void PutRow(FunctionCallInfo fcinfo, Datum *values, bool *nulls);
extern void PutIdList(FunctionCallInfo fcinfo, const IdType *idtype, const int64 *ids, int count, FillRow fill,
					  const void *state);
extern void PutItemList(FunctionCallInfo fcinfo, const Image *image, const int32 *items, int count, FillRow fill,
						const void *state);
extern void FillRanked(const void *scores, int i, Datum *values, bool *nulls);
extern Datum ResultRow(FunctionCallInfo fcinfo, Datum *values, bool *nulls);

#endif
