/*
 * row_time.c - when a row came to be: the types of columns that can say so, and their values as seconds.
 *
 * Times are seconds since 1970 in double precision, which has microseconds for the next 280 years.  Only differences
 * count, so a timestamp without time zone is taken as it is written, and a number can count from anywhere.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "pg/numeric.h"
#include "rows/row_time.h"

/* Seconds from 1970, where numbers mostly count from, to 2000, where PostgreSQL does. */
#define EPOCH_SECONDS ((double) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

/* A time without a zone can be ahead by so much and yet be past where it was written. */
#define ZONE_SECONDS ((double) SECS_PER_DAY)

/*
 * The type of a column of times, domains resolved; an error for any other.  argument: what names another column, for
 * the hint.
 */
Oid
TimeColumnType(const FormData_pg_attribute *att, const char *relation, const char *argument)
{
	Oid			base = getBaseType(att->atttypid);

	switch (base)
	{
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
		case DATEOID:
		case INT2OID:
		case INT4OID:
		case INT8OID:
		case FLOAT4OID:
		case FLOAT8OID:
		case NUMERICOID:
			return base;
		default:
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" of relation \"%s\" is of type %s, which is not a time", NameStr(att->attname),
							relation, format_type_be(att->atttypid)),
					 errdetail("It can be timestamp with or without time zone, date, or a number of seconds: smallint, integer, bigint, real, double precision or numeric."),
					 errhint("Name another column with the argument %s, or cast it in a view.", argument)));
			return InvalidOid;	/* keep the compiler quiet */
	}
}

/* Microseconds since 2000 as seconds since 1970. */
static double
SecondsOfTimestamp(int64 microseconds)
{
	return (double) microseconds / USECS_PER_SEC + EPOCH_SECONDS;
}

/*
 * A time as seconds, infinite where it is, or beyond what double precision holds; of a type that
 * TimeColumnType() has returned.
 */
double
TimeFromDatum(Datum value, Oid type)
{
	switch (type)
	{
		case TIMESTAMPTZOID:
		case TIMESTAMPOID:
			return TIMESTAMP_NOT_FINITE(DatumGetTimestamp(value)) ? INFINITY : SecondsOfTimestamp(DatumGetTimestamp(value));
		case DATEOID:
			return DATE_NOT_FINITE(DatumGetDateADT(value)) ? INFINITY :
				(double) DatumGetDateADT(value) * SECS_PER_DAY + EPOCH_SECONDS;
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case NUMERICOID:
			return DoubleOfNumeric(value);
		default:
			return DatumGetFloat8(value);
	}
}

/* A time in microseconds since 2000, or the first that there is. */
static Timestamp
TimestampOfSeconds(double seconds)
{
	double		microseconds = floor((seconds - EPOCH_SECONDS) * USECS_PER_SEC);

	return microseconds < (double) MIN_TIMESTAMP ? MIN_TIMESTAMP : (Timestamp) microseconds;
}

/* A whole number of seconds, or the first one that a type has. */
static int64
WholeSeconds(double seconds, int64 first)
{
	return floor(seconds) < (double) first ? first : (int64) floor(seconds);
}

/*
 * The value of a type of times at some seconds, no later than those of finite rows, or the last one before, as SQL;
 * palloc'd.
 */
char *
TimeLiteral(double seconds, Oid type)
{
	Datum		value = Float8GetDatum(seconds);
	Oid			written = type;
	Oid			output;
	bool		is_varlena;

	switch (type)
	{
		case TIMESTAMPTZOID:	/* as text it may have an abbreviated zone, which is read as another one */
			return psprintf("pg_catalog.to_timestamp(%.6f)", SecondsOfTimestamp(TimestampOfSeconds(seconds)));
		case TIMESTAMPOID:
			value = TimestampGetDatum(TimestampOfSeconds(seconds));
			break;
		case DATEOID:
			value = DateADTGetDatum((DateADT) WholeSeconds((seconds - EPOCH_SECONDS) / SECS_PER_DAY,
														   DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE));
			break;
		case INT2OID:
			value = Int16GetDatum((int16) WholeSeconds(seconds, PG_INT16_MIN));
			break;
		case INT4OID:
			value = Int32GetDatum((int32) WholeSeconds(seconds, PG_INT32_MIN));
			break;
		case INT8OID:
			value = Int64GetDatum(WholeSeconds(seconds, PG_INT64_MIN));
			break;
		default:				/* real is compared in double precision */
			written = FLOAT8OID;
			break;
	}
	getTypeOutputInfo(written, &output, &is_varlena);
	return psprintf("%s::%s", quote_literal_cstr(OidOutputFunctionCall(output, value)),
					format_type_be_qualified(type == FLOAT4OID ? FLOAT8OID : type));
}

/*
 * Until when rows have been read, the newest of which has a time: no longer than until now, by the clock, since what
 * comes later is new whatever a wrong time says.  Of numbers it is not known where now is.
 */
double
TimeReadUntil(double newest, Oid type)
{
	if (type != TIMESTAMPTZOID && type != TIMESTAMPOID && type != DATEOID)
		return newest;
	return Min(newest, SecondsOfTimestamp(GetCurrentTransactionStartTimestamp()));
}

/*
 * An interval in seconds, as extract(epoch from ...) has them: a month is 30 days, a year 365.25.  Infinite where it
 * is.
 */
double
SecondsOfInterval(const Interval *interval)
{
	int			years = interval->month / MONTHS_PER_YEAR;

	if (INTERVAL_NOT_FINITE(interval))
		return INFINITY;
	return (double) interval->time / USECS_PER_SEC + (double) SECS_PER_DAY *
		(interval->day + DAYS_PER_YEAR * years + DAYS_PER_MONTH * (interval->month % MONTHS_PER_YEAR));
}

/* A warning where the newest row has yet to come: others fade from it on, and one wrong row makes all of them old. */
void
NoteFuture(double newest, Oid type, const char *column, const char *relation)
{
	bool		number = type != TIMESTAMPTZOID && type != TIMESTAMPOID && type != DATEOID;

	if (newest <= SecondsOfTimestamp(GetCurrentTimestamp()) + (type == TIMESTAMPTZOID ? 0 : ZONE_SECONDS))
		return;
	ereport(WARNING,
			(errmsg("the newest row of relation \"%s\" is in the future, by its column \"%s\"", relation, column),
			 errdetail("Rows fade by their age before the newest one, so a single wrong time makes all others old."),
			 number ? errhint("Numbers are taken as seconds since 1970: divide milliseconds by 1000 in a view, and correct or leave out wrong rows.") :
			 errhint("Correct the row, or leave it out with a view.")));
}
