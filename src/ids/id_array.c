/*
 * id_array.c - arrays of ids, as arguments bring them.
 *
 * ARRAY(SELECT id FROM products WHERE ...) may have 100,000 elements, so integers are taken as they
 * lie in the array.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "ids/id_array.h"

/* Ids that are sought at once. */
#define BATCH_IDS 1024

/* An error for an array of more than one dimension. */
static void
CheckDimensions(ArrayType *array, const char *argument)
{
	if (ARR_NDIM(array) > 1)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("%s must be a one-dimensional array", argument)));
}

/* Widens n integers from element `from` of an array's data on; false for elements of any other type. */
static bool
WidenIntegers(const void *data, Oid type, int from, int n, int64 *ids)
{
	switch (type)
	{
		case INT2OID:
			for (int i = 0; i < n; i++)
				ids[i] = ((const int16 *) data)[from + i];
			return true;
		case INT4OID:
			for (int i = 0; i < n; i++)
				ids[i] = ((const int32 *) data)[from + i];
			return true;
		case INT8OID:
			memcpy(ids, (const int64 *) data + from, sizeof(int64) * n);
			return true;
		default:
			return false;
	}
}

/* IdsFromArray() for arrays of any type, with nulls; returns how many ids there are. */
static int
DeconstructIds(const IdType *idtype, ArrayType *array, const char *argument, int64 *ids)
{
	Oid			element = ARR_ELEMTYPE(array);
	int16		typlen;
	bool		typbyval;
	char		typalign;
	Datum	   *values;
	bool	   *nulls;
	int			n;
	int			count = 0;

	get_typlenbyvalalign(element, &typlen, &typbyval, &typalign);
	deconstruct_array(array, element, typlen, typbyval, typalign, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			continue;
		if (!IdFromDatum(idtype, values[i], element, &ids[count]))
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("%s is an array of %s, but the model's ids are of type %s",
							argument, format_type_be(element), format_type_be(idtype->type))));
		count++;
	}
	return count;
}

/*
 * The elements of an array argument as ids, palloc'd; nulls are left out, *count is how many are left.  An
 * array of another type, or of more than one dimension, is an error that names the argument.
 */
int64 *
IdsFromArray(const IdType *idtype, ArrayType *array, const char *argument, int *count)
{
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	int64	   *ids;

	CheckDimensions(array, argument);
	ids = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int64) * Max(n, 1));
	*count = n;
	if (!idtype->is_int || array_contains_nulls(array) ||
		!WidenIntegers(ARR_DATA_PTR(array), ARR_ELEMTYPE(array), 0, n, ids))
		*count = DeconstructIds(idtype, array, argument, ids);
	return ids;
}

/*
 * The numbers of an array argument's elements in an image's dictionary, palloc'd; -1 for unknown ones, *count
 * with them.  Else as IdsFromArray().
 */
int32 *
NumbersFromArray(const IdMap *map, ArrayType *array, const char *argument, int *count)
{
	int			n = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
	int32	   *numbers = palloc(sizeof(int32) * Max(n, 1));
	int64		batch[BATCH_IDS];
	int64	   *ids;

	CheckDimensions(array, argument);
	*count = n;
	if (map->type->is_int && !array_contains_nulls(array) &&
		WidenIntegers(ARR_DATA_PTR(array), ARR_ELEMTYPE(array), 0, 0, batch))
	{
		for (int from = 0; from < n; from += BATCH_IDS)
		{
			int			some = Min(BATCH_IDS, n - from);

			(void) WidenIntegers(ARR_DATA_PTR(array), ARR_ELEMTYPE(array), from, some, batch);
			FindIds(map, batch, some, numbers + from);
		}
		return numbers;
	}
	ids = IdsFromArray(map->type, array, argument, count);
	FindIds(map, ids, *count, numbers);
	return numbers;
}
