/*
 * side.c - the users or the items of a version: as they are stored, and what becomes of them.
 *
 * A row of a model table has a fingerprint of the rows of the source that it was made from, a sum of hashes of them
 * (source/row_hash.c).  So one pass over the source, without sorting and without looking anything up, says whose rows
 * are others now: some came, went, or changed their rating.
 *
 * Both sides are in memory as a whole, for whoever is solved meets many of the other side.  What is stored keeps its
 * number, by which all arrays go; ids that the source has besides come behind, and arrays grow.
 */
#include "postgres.h"

#include <math.h>

#include "core/base/padding.h"
#include "model/factor_rows.h"
#include "pg/alloc.h"
#include "update/side.h"

/* Room for `count` elements in an array, NULL: of none; what is new is not initialized. */
static void *
GrowArray(void *array, int64 count, Size width)
{
	return array ? repalloc_huge(array, count * width) : HugeArray(count, width);
}

/* Room for more vectors, aligned as the core wants them, those from `count` on not initialized. */
static float *
GrowVectors(const Side *side, const float *vectors, int64 count, int64 capacity)
{
	Size		row = sizeof(float) * mf_padded(side->factors);
	float	   *grown = AlignedArrayIn(side->ids->context, capacity, row);	/* rows come in a context that ends */

	if (vectors)
		memcpy(grown, vectors, count * row);
	return grown;
}

/* Makes room for so many users or items, of which there are `count`. */
static void
ReserveSide(Side *side, int64 count, int64 capacity, bool both)
{
	side->vectors = GrowVectors(side, side->vectors, count, capacity);
	if (both)
		side->rating_vectors = GrowVectors(side, side->rating_vectors, count, capacity);
	side->bias = GrowArray(side->bias, capacity, sizeof(float));
	side->spread = GrowArray(side->spread, capacity, sizeof(float));
	side->counts = GrowArray(side->counts, capacity, sizeof(int32));
	side->numbers = GrowArray(side->numbers, capacity, sizeof(int32));
	if (side->trends || count == 0)
		side->trends = GrowArray(side->trends, capacity, sizeof(float));
	side->known = GrowArray(side->known, capacity, sizeof(bool));
	side->fingerprints = GrowArray(side->fingerprints, capacity, sizeof(int64));
	if (side->change)
	{
		side->change = repalloc_huge(side->change, capacity);
		memset(side->change + count, CHANGE_NONE, capacity - count);
	}
	side->capacity = capacity;
}

/* Row `at` of an array of vectors = d floats, padded with 0; NULL: zeros. */
static void
KeepVector(const Side *side, float *vectors, int64 at, const float *vector)
{
	int			ld = mf_padded(side->factors);

	memset(vectors + at * ld, 0, sizeof(float) * ld);
	if (vector)
		memcpy(vectors + at * ld, vector, sizeof(float) * side->factors);
}

/* Keeps a row of the model table; a StoredRowFunction. */
static void
TakeRow(void *state, const StoredRow *row)
{
	Side	   *side = state;
	int32		at = AddId(side->ids, row->id);

	if (row->factors != side->factors && row->factors != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("%s %s has %d factors, but its model has %d", side->id_column, IdToText(&side->type, row->id),
						row->factors, side->factors),
				 errhint("A model table was edited by hand; retrain the model.")));
	if (at >= side->capacity)
		ReserveSide(side, at, 2 * side->capacity, side->rating_vectors != NULL);
	KeepVector(side, side->vectors, at, row->factors > 0 ? row->vector : NULL);
	if (side->rating_vectors)
		KeepVector(side, side->rating_vectors, at, row->rating_vector);
	side->bias[at] = row->bias;
	side->spread[at] = row->spread;
	side->counts[at] = row->factors > 0 ? row->count : 0;
	side->numbers[at] = row->number;
	side->trends[at] = isfinite(row->trend) ? row->trend : 0;
	side->known[at] = row->factors > 0;
	side->fingerprints[at] = row->fingerprint;
}

/*
 * Reads one side of a version, whose vectors have d = factors floats; both: items have two of them.  rows: how many
 * there probably are; for some more there is room at once.
 */
void
ReadSide(Side *side, Oid relid, const char *id_column, int32 version, int factors, bool both, int64 rows)
{
	memset(side, 0, sizeof(Side));
	side->relid = relid;
	side->id_column = id_column;
	side->factors = factors;
	FactorIdType(relid, id_column, &side->type);
	side->ids = CreateIdMap(&side->type);
	ReserveSide(side, 0, rows + rows / 32 + 1024, both);
	(void) ReadFactors(relid, id_column, version, &side->type, READ_FINGERPRINTS | READ_TRENDS, TakeRow, side);
	side->stored = side->ids->count;
}

/*
 * The source has been read: what it has besides what is stored gets places in all arrays.  current: the fingerprints of
 * the rows that there are, by number, which are copied.
 */
void
GrowSide(Side *side, const int64 *current)
{
	int64		n = side->ids->count;

	if (n > side->capacity)
		ReserveSide(side, side->stored, n, side->rating_vectors != NULL);
	for (int64 i = side->stored; i < n; i++)
	{
		KeepVector(side, side->vectors, i, NULL);
		if (side->rating_vectors)
			KeepVector(side, side->rating_vectors, i, NULL);
		side->bias[i] = 0;
		side->spread[i] = 1;
		side->counts[i] = 0;
		side->numbers[i] = -1;
		side->trends[i] = 0;
		side->known[i] = false;
		side->fingerprints[i] = 0;
	}
	side->current = HugeArray(n, sizeof(int64));
	memcpy(side->current, current, sizeof(int64) * n);
	side->change = HugeZeroArray(side->capacity, sizeof(uint8));
	side->order = SettledOrder(side->ids);
}

/*
 * Takes an item without ratings that has come to the version, once all else is stored, by its vector(s) of d floats.
 * What has been read of the source does not know it.
 */
void
AddColdItem(Side *side, int64 id, const float *vector, const float *rating_vector, float bias, int32 number)
{
	int32		at = AddId(side->ids, id);

	if (at >= side->capacity)
		ReserveSide(side, at, 2 * side->capacity, side->rating_vectors != NULL);
	KeepVector(side, side->vectors, at, vector);
	if (side->rating_vectors)
		KeepVector(side, side->rating_vectors, at, rating_vector);
	side->bias[at] = bias;
	side->spread[at] = 1;
	side->counts[at] = 0;
	side->numbers[at] = number;
	if (side->trends)
		side->trends[at] = 0;
	side->known[at] = true;
	side->change[at] = CHANGE_ADDED;
}

/* Finds what becomes of each: where the fingerprint is not known, rows count as changed. */
void
FindChanges(Side *side)
{
	for (int64 i = 0; i < side->ids->count; i++)
	{
		if (side->current[i] == side->fingerprints[i] && (side->current[i] != 0 || side->counts[i] == 0))
			continue;
		if (side->current[i] == 0)
			side->change[i] = CHANGE_EMPTIED;
		else
			side->change[i] = side->counts[i] == 0 ? CHANGE_ADDED : CHANGE_SOLVED;
	}
}

/* How many there are with a vector, once all has been solved. */
int64
CountSide(const Side *side)
{
	int64		count = 0;

	for (int64 i = 0; i < side->ids->count; i++)
		count += side->change[i] == CHANGE_NONE ? side->known[i] : side->change[i] != CHANGE_EMPTIED;
	return count;
}

/* *selection: all that are marked, in the current memory context. */
void
SelectMarked(const Side *side, const bool *marked, Selection *selection)
{
	int64		n = side->ids->count;

	selection->count = 0;
	selection->number = HugeArray(n, sizeof(int32));
	selection->place = HugeArray(n, sizeof(int32));
	for (int64 i = 0; i < n; i++)
	{
		int32		number = side->order[i];

		selection->place[number] = marked[number] ? (int32) selection->count : -1;
		if (marked[number])
			selection->number[selection->count++] = number;
	}
}

/* *selection: all of which the change is in a set, likewise. */
void
Select(const Side *side, uint32 changes, Selection *selection)
{
	bool	   *marked = HugeArray(side->ids->count, sizeof(bool));

	for (int64 i = 0; i < side->ids->count; i++)
		marked[i] = (changes & CHANGE_BIT(side->change[i])) != 0;
	SelectMarked(side, marked, selection);
	pfree(marked);
}

/* What a side's array has of selected ones, by place; width: bytes of each.  NULL remains NULL. */
void *
GatherValues(const Selection *selection, const void *values, Size width)
{
	char	   *gathered;

	if (values == NULL)
		return NULL;
	gathered = HugeArray(selection->count, width);
	for (int64 i = 0; i < selection->count; i++)
		memcpy(gathered + i * width, (const char *) values + selection->number[i] * width, width);
	return gathered;
}

/* Vectors of selected ones, likewise, aligned as the core wants them. */
float *
GatherVectors(const Side *side, const Selection *selection, const float *vectors)
{
	int64		ld = mf_padded(side->factors);
	float	   *gathered;

	if (vectors == NULL)
		return NULL;
	gathered = AlignedArray(selection->count * ld, sizeof(float));
	for (int64 i = 0; i < selection->count; i++)
		memcpy(gathered + i * ld, vectors + selection->number[i] * ld, sizeof(float) * ld);
	return gathered;
}
