/*
 * holdout_split.c - on which side of a split a row is, by its two ids.
 *
 * The hash is that of core/metrics/holdout.c; here is how values of PostgreSQL's types come to be the numbers
 * and bytes that it takes.  Views and papers refer to splits, so none of this may ever change.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/lsyscache.h"
#include "utils/numeric.h"
#include "utils/uuid.h"

#include "compat.h"
#include "core/metrics/holdout.h"
#include "eval/holdout_split.h"

/*
 * Finds out how ids of a type are hashed, `lower`: in lower case.  A type whose text depends on settings is an
 * error.  What is looked up lives in `context`.
 */
void
InitHoldoutId(HoldoutId *id, Oid type, bool lower, MemoryContext context)
{
	Oid			output;
	bool		varlena;

	id->base = getBaseType(type);
	id->lower = lower;
	if (id->base == UNKNOWNOID)
		return;
	getTypeOutputInfo(id->base, &output, &varlena);
	if (func_volatile(output) != PROVOLATILE_IMMUTABLE)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("cannot split by ids of type %s", format_type_be(type)),
				 errdetail("How its values read depends on settings, so a row would not always fall on the same side."),
				 errhint("Cast it to a type that always reads the same, such as bigint or text.")));
	fmgr_info_cxt(output, &id->output, context);
}

/* A string in lower case by the database's collation, as citext compares it; equal ones are on the same side. */
static uint64
HashLower(HoldoutId *id, Datum value)
{
	char	   *text = OutputFunctionCall(&id->output, value);
	char	   *lower = str_tolower(text, strlen(text), DEFAULT_COLLATION_OID);

	return mf_holdout_text(lower, strlen(lower));
}

/* The bytes of a string or bytea; padded: without the blanks behind a character(n), which do not count there. */
static uint64
HashBytes(Datum value, bool padded)
{
	struct varlena *bytes = PG_DETOAST_DATUM_PACKED(value);
	Size		length = VARSIZE_ANY_EXHDR(bytes);

	while (padded && length > 0 && VARDATA_ANY(bytes)[length - 1] == ' ')
		length--;
	return mf_holdout_text(VARDATA_ANY(bytes), length);
}

/* A uuid as it reads: lower case, with hyphens. */
static uint64
HashUuid(const pg_uuid_t *uuid)
{
	static const char digits[] = "0123456789abcdef";
	char		text[2 * UUID_LEN + 4];
	int			n = 0;

	for (int i = 0; i < UUID_LEN; i++)
	{
		if (i == 4 || i == 6 || i == 8 || i == 10)
			text[n++] = '-';
		text[n++] = digits[uuid->data[i] >> 4];
		text[n++] = digits[uuid->data[i] & 15];
	}
	return mf_holdout_text(text, n);
}

/*
 * The hash of an id.  Equal values hash alike, whatever their type: numbers as numbers, all else as it reads (see
 * core/metrics/holdout.c).  A quoted literal without a type is text.
 */
uint64
HashHoldoutId(HoldoutId *id, Datum value)
{
	char	   *text;

	if (id->lower)
		return HashLower(id, value);
	switch (id->base)
	{
		case INT2OID:
			return mf_holdout_integer(DatumGetInt16(value));
		case INT4OID:
			return mf_holdout_integer(DatumGetInt32(value));
		case INT8OID:
			return mf_holdout_integer(DatumGetInt64(value));
		case FLOAT4OID:
			return mf_holdout_number(DatumGetFloat4(value));
		case FLOAT8OID:
			return mf_holdout_number(DatumGetFloat8(value));
		case UUIDOID:
			return HashUuid(DatumGetUUIDP(value));
		case TEXTOID:
		case VARCHAROID:
		case BYTEAOID:
			return HashBytes(value, false);
		case BPCHAROID:
			return HashBytes(value, true);
		case UNKNOWNOID:
			return mf_holdout_text(DatumGetCString(value), strlen(DatumGetCString(value)));
		case NUMERICOID:		/* 1.0 equals 1.00 */
			value = DirectFunctionCall1(numeric_trim_scale, value);
			break;
		default:
			break;
	}
	text = OutputFunctionCall(&id->output, value);
	return mf_holdout_text(text, strlen(text));
}

/*
 * Where a row falls in [0, 1), by its ids and the seed alone, evenly over all rows: it is held out by every fraction
 * above that.  So a larger fraction holds out the same rows and more, and another seed is another split.
 */
double
HoldoutPlace(int64 seed, HoldoutId *user, Datum user_id, HoldoutId *item, Datum item_id)
{
	return mf_holdout_place((uint64) seed, HashHoldoutId(user, user_id), HashHoldoutId(item, item_id));
}
