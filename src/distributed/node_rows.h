/*
 * node_rows.h - how many rows nodes have read of a training.
 */
#ifndef MFREC_NODE_ROWS_H
#define MFREC_NODE_ROWS_H

#include "postgres.h"

extern int64 RowsReadHere(int64 job);
extern int64 RowsReadThere(int64 job);

#endif
