/*
 * id_growth.c - ids whose column has become of another type: what still fits, what grows, what becomes what.
 *
 * Keys grow: integer becomes bigint, varchar(20) becomes text.  A model was trained on the old type.  Where
 * the values of one are those of the other it serves on, each id turned into the type of where it goes,
 * and its next training alters its tables.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"

#include "compat.h"
#include "ids/id_growth.h"

/* Whether values of a type are text in memory. */
static bool
IsText(const IdType *type)
{
	return type->base == TEXTOID || type->base == VARCHAROID;
}

/* Whether ids of both types are the same in memory, with the same hash and equality. */
bool
SameIds(const IdType *a, const IdType *b)
{
	return a->base == b->base || (a->is_int && b->is_int) || (IsText(a) && IsText(b));
}

/* The modifier of a type's values; a domain's is that of the type beneath. */
static int32
BaseTypmod(const IdType *type)
{
	int32		typmod = type->typmod;

	(void) getBaseTypeAndTypmod(type->type, &typmod);
	return typmod;
}

/*
 * Digits before and behind the point that a modifier of numeric leaves room for (see numeric.c: the scale is 11
 * bits, signed).
 */
static void
NumericDigits(int32 typmod, int *before, int *behind)
{
	*behind = (((typmod - VARHDRSZ) & 0x7ff) ^ 1024) - 1024;
	*before = (((typmod - VARHDRSZ) >> 16) & 0xffff) - *behind;
}

/* The most decimal digits that an integer of a type has. */
static int
IntegerDigits(const IdType *type)
{
	return type->base == INT2OID ? 5 : type->base == INT4OID ? 10 : 19;
}

/* Whether every value of a modifier `narrow` of a base type has room in `wide`; a negative modifier is none. */
static bool
TypmodHolds(Oid base, int32 wide, int32 narrow)
{
	int			wide_before;
	int			wide_behind;
	int			before;
	int			behind;

	if (wide < 0 || wide == narrow)
		return true;
	if (narrow < 0)
		return false;
	if (base != NUMERICOID)
		return (base == TEXTOID || base == VARCHAROID || base == BPCHAROID || base == VARBITOID) && wide > narrow;
	NumericDigits(wide, &wide_before, &wide_behind);
	NumericDigits(narrow, &before, &behind);
	return wide_before >= before && wide_behind >= behind;
}

/* Whether a column of the model's tables takes ids of a type as they are, without being altered. */
bool
IdTypeTakes(const IdType *column, const IdType *ids)
{
	if (column->type == ids->type && column->typmod == ids->typmod && column->collation == ids->collation)
		return true;
	if (HashCollation(column) != HashCollation(ids))
		return false;
	if (column->type != column->base)
		return column->type == ids->type;	/* a domain may refuse what another type has */
	if (column->is_int && ids->is_int)
		return column->typlen >= ids->typlen;
	return SameIds(column, ids) && TypmodHolds(column->base, column->typmod, BaseTypmod(ids));
}

/*
 * Whether every id of a column is one of a type, which must be no domain and to which ALTER TABLE can turn the
 * column.
 */
static bool
Holds(const IdType *wide, const IdType *column)
{
	int			before;
	int			behind;

	if (wide->type != wide->base || (wide->collation != column->collation && OidIsValid(HashCollation(wide))))
		return false;
	if (wide->base == NUMERICOID && column->is_int)
	{
		NumericDigits(wide->typmod, &before, &behind);
		return wide->typmod < 0 || (before >= IntegerDigits(column) && behind >= 0);
	}
	if (wide->is_int && column->is_int)
		return wide->typlen >= column->typlen;
	if (!SameIds(wide, column) && !(IsText(wide) && column->base == BPCHAROID))
		return false;
	return TypmodHolds(wide->base, wide->typmod, BaseTypmod(column));
}

/*
 * The type that a column of ids must become to take ids of a type and keep those that it has: that very type,
 * or what is beneath it; *grown.  False where there is none.
 */
bool
IdTypeGrows(const IdType *column, const IdType *ids, IdType *grown)
{
	if (Holds(ids, column))
		*grown = *ids;
	else
		InitIdType(grown, ids->base, -1, ids->collation);
	return Holds(grown, column);
}

/* Whether ids of either type can be turned into the other's by ConvertId(). */
bool
IdsConvert(const IdType *from, const IdType *to)
{
	bool		from_string = IsText(from) || from->base == BPCHAROID;
	bool		to_string = IsText(to) || to->base == BPCHAROID;

	return SameIds(from, to) || ((from->is_int || from_string) && (to->is_int || to_string)) ||
		(from->is_int && to->base == NUMERICOID) || (from->base == NUMERICOID && to->is_int);
}

/*
 * Turns an id of one type into the other's, for which IdsConvert() must hold; false where that has no such
 * value.  A value that is made is palloc'd.
 */
bool
ConvertId(const IdType *from, const IdType *to, int64 id, int64 *converted)
{
	*converted = id;
	if (SameIds(from, to))
		return true;
	if (to->base == NUMERICOID)
		*converted = (int64) NumericGetDatum(int64_to_numeric(id));
	else if (from->base == NUMERICOID)
		return IntegerFromNumeric((Datum) id, converted);
	else if (to->is_int)
		return IntegerFromString(StringDatumToCString((Datum) id, from->base), converted);
	else
		*converted = (int64) CStringGetTextDatum(from->is_int ? psprintf(INT64_FORMAT, id) :
												 StringDatumToCString((Datum) id, from->base));
	return true;
}
