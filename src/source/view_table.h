/*
 * view_table.h - the table whose rows a view shows.
 */
#ifndef MFREC_VIEW_TABLE_H
#define MFREC_VIEW_TABLE_H

#include "source/source.h"

extern bool FindRowTable(Oid relid, const char *column, Oid *table, AttrNumber *attnum);
extern Oid	RowTableOf(const Source *source);

#endif
