/*
 * fn_pack.c - mfrec.pack_row() and mfrec.packed_rows(), by which nodes of a cluster send rows to those who read a source.
 *
 * They do something only together, in a query that pg/packed_chunks.c shows; read/packed_read.c runs it.
 */
#include "postgres.h"

#include "fmgr.h"

#include "compat.h"
#include "pg/packed_chunks.h"

PG_FUNCTION_INFO_V1(mfrec_pack_row);
PG_FUNCTION_INFO_V1(mfrec_packed_rows);

/* What takes the rows of this call in this execution of its query, opened by its first row. */
static PackedChunks *
ChunksOfCall(FunctionCallInfo fcinfo)
{
	FmgrInfo   *flinfo = fcinfo->flinfo;
	Oid			types[FUNC_MAX_ARGS];

	if (flinfo->fn_extra)
		return flinfo->fn_extra;
	if (get_fn_expr_variadic(flinfo))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("arrays cannot be packed"),
				 errhint("Pass columns one by one, without VARIADIC.")));
	for (int i = 0; i < PG_NARGS(); i++)
	{
		types[i] = get_fn_expr_argtype(flinfo, i);
		if (!OidIsValid(types[i]))
			ereport(ERROR,
					(errcode(ERRCODE_INDETERMINATE_DATATYPE),
					 errmsg("could not determine the type of argument %d", i + 1)));
	}
	flinfo->fn_extra = OpenPackedChunks(flinfo->fn_mcxt, PG_NARGS(), types);
	return flinfo->fn_extra;
}

/* Takes a row; the number of the chunk that it begins, else null. */
Datum
mfrec_pack_row(PG_FUNCTION_ARGS)
{
	PackedChunks *chunks = ChunksOfCall(fcinfo);
	Datum		values[PACKED_COLUMNS];
	bool		nulls[PACKED_COLUMNS];
	int64		number;

	for (int i = 0; i < PG_NARGS(); i++)
	{
		nulls[i] = PG_ARGISNULL(i);
		values[i] = PG_GETARG_DATUM(i);
	}
	number = PackRow(chunks, values, nulls);
	if (number == 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(number);
}

/* The rows of a chunk. */
Datum
mfrec_packed_rows(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(TakePackedChunk(fcinfo->flinfo->fn_mcxt, PG_GETARG_INT64(0)));
}
