/*
 * numeric.c - values of type numeric as numbers that the machine has.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "pg/numeric.h"

/*
 * A numeric as double precision; infinite where that cannot hold it, so that who reads a row can say which one it is: a
 * cast in the query would end in an error of its own.  Leaves nothing behind in memory, for rows come by the million.
 */
double
DoubleOfNumeric(Datum value)
{
	Numeric		number = DatumGetNumeric(value);
	double		result = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(number)));

	if ((char *) number != (char *) DatumGetPointer(value))
		pfree(number);
	return result;
}
