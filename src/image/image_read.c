/*
 * image_read.c - a version's items, read from its model table for an image.
 *
 * The table belongs to the user, who may have edited it: what comes in is checked, so that an image is whole
 * or there is an error.  Rows come in any order and are sorted by id at the end.
 */
#include "postgres.h"

#include <math.h>

#include "compat.h"
#include "image/image_read.h"
#include "model/factor_rows.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/core_call.h"

/* A version's rows as they are read, in the order of the table; arrays have room for `capacity` items. */
typedef struct ItemRows
{
	const MfObjective *objective;
	IdMap	   *ids;
	int64		capacity;
	int			ld;				/* floats from one vector to the next: mf_padded(d) */
	float	   *vectors;		/* ld an item, the column factors: s_i, or q_i of a model of ratings alone */
	float	   *rating_vectors; /* ld an item, the column rating_factors: q_i; NULL unless there are both parts */
	float	   *bias;
	int32	   *counts;
	int32	   *numbers;		/* negative: none */
	int64		nnumbers;		/* numbers are below: see VersionItemNumbers() */
	bool		has_numbers;	/* some item has one */
	float	   *trends;			/* faded counts, 0 where there is none */
	bool		has_trends;		/* some item has one */
} ItemRows;

/* An array, or NULL, with room for more elements; what is new is not initialized. */
static void *
GrowArray(void *array, int64 count, Size width)
{
	return array ? repalloc_huge(array, count * width) : HugeArray(count, width);
}

/* Makes room for twice as many items. */
static void
GrowRows(ItemRows *rows)
{
	int64		capacity = Max(1024, rows->capacity * 2);

	rows->vectors = GrowArray(rows->vectors, capacity * rows->ld, sizeof(float));
	if (mf_is_joint(rows->objective))
		rows->rating_vectors = GrowArray(rows->rating_vectors, capacity * rows->ld, sizeof(float));
	rows->bias = GrowArray(rows->bias, capacity, sizeof(float));
	rows->counts = GrowArray(rows->counts, capacity, sizeof(int32));
	rows->numbers = GrowArray(rows->numbers, capacity, sizeof(int32));
	rows->trends = GrowArray(rows->trends, capacity, sizeof(float));
	rows->capacity = capacity;
}

/* An error that says what is wrong with an item; the message has a place for its id. */
pg_noreturn static void
BadItem(const ItemRows *rows, const StoredRow *row, const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg(message, IdToText(rows->ids->type, row->id)),
			 errhint("A model table was edited by hand; retrain the model.")));
}

/* An error unless an item's vectors are as the model's must be: d finite floats each. */
static void
CheckItemVectors(const ItemRows *rows, const StoredRow *row)
{
	if (row->factors != mf_dimensions(rows->objective))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("item %s has %d factors, but its model has %d", IdToText(rows->ids->type, row->id),
						row->factors, mf_dimensions(rows->objective)),
				 errhint("A model table was edited by hand; retrain the model.")));
	for (int k = 0; k < row->factors; k++)
		if (!isfinite(row->vector[k]) || (row->rating_vector && !isfinite(row->rating_vector[k])))
			BadItem(rows, row, "the factors of item %s are not finite");
}

/* Keeps a vector of d floats as row `item` of an array with ld floats a row, padded with 0. */
static void
KeepVector(const ItemRows *rows, float *vectors, int32 item, const float *vector)
{
	int			d = mf_dimensions(rows->objective);
	float	   *row = vectors + (Size) item * rows->ld;

	memcpy(row, vector, sizeof(float) * d);
	memset(row + d, 0, sizeof(float) * (rows->ld - d));
}

/* Keeps one row of the item table; a StoredRowFunction. */
static void
TakeItemRow(void *state, const StoredRow *row)
{
	ItemRows   *rows = state;
	int32		item = AddId(rows->ids, row->id);

	CheckItemVectors(rows, row);
	if (row->rating_vector == NULL && mf_is_joint(rows->objective))
		BadItem(rows, row, "item %s has no rating_factors");
	if (row->number >= rows->nnumbers)
		BadItem(rows, row, "the number of item %s is larger than there are items");
	if (item >= rows->capacity)
		GrowRows(rows);
	KeepVector(rows, rows->vectors, item, row->vector);
	if (row->rating_vector && rows->rating_vectors)
		KeepVector(rows, rows->rating_vectors, item, row->rating_vector);
	rows->bias[item] = row->bias;
	rows->counts[item] = row->count;
	rows->numbers[item] = row->number;
	rows->has_numbers |= row->number >= 0;
	rows->trends[item] = isfinite(row->trend) ? row->trend : 0;
	rows->has_trends |= !isnan(row->trend) && rows->objective->trend_half_life > 0;
}

/* ReorderRows(), after which the array as it was read is not needed any more. */
static void *
Reorder(void *values, const int32 *rank, int64 n, int64 width)
{
	void	   *ordered = ReorderRows(values, rank, n, width);

	if (ordered != values)
		pfree(values);
	return ordered;
}

/* Brings all that was read into the order of ids, and hands it on; see ImageSource for the shapes. */
static void
SortRows(ImageSource *source, ItemRows *rows)
{
	int32	   *rank = SortIdMap(rows->ids);
	int64		n = rows->ids->count;
	float	   *vectors = Reorder(rows->vectors, rank, n, rows->ld);

	source->ids = rows->ids;
	if (mf_ratings_alone(&source->objective))
		source->rating = vectors;
	else
	{
		source->interest = vectors;
		source->rating = Reorder(rows->rating_vectors, rank, n, rows->ld);
	}
	source->bias = Reorder(rows->bias, rank, n, 1);
	source->counts = Reorder(rows->counts, rank, n, 1);
	source->numbers = rows->has_numbers ? Reorder(rows->numbers, rank, n, 1) : NULL;
	source->nnumbers = rows->nnumbers;
	source->trends = rows->has_trends ? Reorder(rows->trends, rank, n, 1) : NULL;
}

/*
 * Reads a version's items, sorted by id, under the active snapshot and with the caller's rights, into arrays of
 * the current memory context.  `uuid` is the version's identity.  Errors say what is wrong with an item.
 */
void
ReadImageSource(ImageSource *source, const Model *model, int32 version, const pg_uuid_t *uuid)
{
	Jsonb	   *parameters = VersionParameters(model, version);
	IdType	   *idtype = palloc(sizeof(IdType));
	ItemRows	rows = {0};

	memset(source, 0, sizeof(ImageSource));
	source->uuid = *uuid;
	ObjectiveFromJson(&source->objective, parameters);
	source->mean_user = MeanUserFromJson(parameters, mf_dimensions(&source->objective), &source->mean_bias);
	source->cold_shift = ColdShiftFromJson(parameters, mf_dimensions(&source->objective));
	InitParallel(&source->parallel);
	source->parallel.nthreads = 1;	/* a session that serves has one thread */
	FactorIdType(model->item_relid, ITEM_ID, idtype);
	rows.objective = &source->objective;
	rows.nnumbers = VersionItemNumbers(model, version);
	rows.ids = CreateIdMap(idtype);
	rows.ld = mf_padded(mf_dimensions(&source->objective));
	GrowRows(&rows);
	ReadFactors(model->item_relid, ITEM_ID, version, idtype, READ_TRENDS, TakeItemRow, &rows);
	SortRows(source, &rows);
}
