/*
 * row_time.h - when a row came to be: the types of columns that can say so, and their values as seconds.
 */
#ifndef MFREC_ROW_TIME_H
#define MFREC_ROW_TIME_H

#include "catalog/pg_attribute.h"
#include "utils/timestamp.h"

extern Oid	TimeColumnType(const FormData_pg_attribute *att, const char *relation, const char *argument);
extern double TimeFromDatum(Datum value, Oid type);
extern char *TimeLiteral(double seconds, Oid type);
extern double TimeReadUntil(double newest, Oid type);
extern double SecondsOfInterval(const Interval *interval);
extern void NoteFuture(double newest, Oid type, const char *column, const char *relation);

#endif
