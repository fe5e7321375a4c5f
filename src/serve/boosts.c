/*
 * boosts.c - numbers that a call adds to items' scores before their list is made: sponsored, fresh, in stock.
 *
 * A boost is added to the score as it is shown, so the list is that of ORDER BY score + boost DESC, exactly: the best
 * of the items without a boost are found as ever, those with one are scored one by one, and the two are merged, all in
 * double.  That costs a scan of the items that have a boost, besides the search among the others.
 *
 * Boosts come from an array beside the candidates, or from a column of a relation with a row for each item that has
 * one. What a call sees of that is what its snapshot, privileges and row security show.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "core/topk/topk.h"
#include "ids/id_array.h"
#include "ids/id_growth.h"
#include "pg/alloc.h"
#include "pg/placement.h"
#include "pg/spi_query.h"
#include "serve/boosts.h"
#include "source/relation.h"

/* No boost is larger: sums with scores, which are floats, must be numbers. */
#define MOST_BOOST 1e30

/* A boost of an item while they are gathered. */
typedef struct ItemBoost
{
	int32		item;
	double		value;
} ItemBoost;

/* Boosts on their way from an array or a relation. */
typedef struct Gathered
{
	DestReceiver pub;			/* first */
	const Image *image;
	Boosts	   *boosts;
	ItemBoost  *known;
	int64		nknown;
	int64		capacity;		/* of known */
	int32		unknown_capacity;
	const char *what;			/* for errors: the argument or column */
	IdType		id_type;		/* of the relation's ids */
	Oid			type;			/* of its boosts */
} Gathered;

/* An error unless a number can be added to scores. */
static void
CheckBoost(const char *what, double value)
{
	if (!(fabs(value) <= MOST_BOOST))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s must be finite numbers of at most %g, not %g", what, MOST_BOOST, value),
				 errhint("To keep items out of the list, use the argument exclude.")));
}

/* An error about an item with two boosts that differ. */
static void
RefuseTwoBoosts(const Gathered *g, int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_CARDINALITY_VIOLATION),
			 errmsg("item %s has more than one boost", IdToText(&g->image->item_type, id)),
			 errhint("Give each item one, such as the sum or the largest of several.")));
}

/* Begins to gather boosts. */
static void
StartGathering(Gathered *g, const Image *image, const char *what)
{
	memset(g, 0, sizeof(Gathered));
	g->image = image;
	g->what = what;
	g->boosts = palloc0(sizeof(Boosts));
	g->boosts->unknown = CreateIdMap((IdType *) &image->item_type);
	g->capacity = 64;
	g->known = palloc(sizeof(ItemBoost) * g->capacity);
	g->unknown_capacity = 16;
	g->boosts->unknown_value = palloc(sizeof(double) * g->unknown_capacity);
}

/* Takes the boost of an item that the image does not know. */
static void
GatherUnknown(Gathered *g, int64 id, double value)
{
	Boosts	   *boosts = g->boosts;
	int32		before = boosts->unknown->count;
	int32		number = AddId(boosts->unknown, id);

	if (number < before && boosts->unknown_value[number] != value)
		RefuseTwoBoosts(g, id);
	if (number >= g->unknown_capacity)
	{
		g->unknown_capacity *= 2;
		boosts->unknown_value = repalloc_huge(boosts->unknown_value, sizeof(double) * g->unknown_capacity);
	}
	boosts->unknown_value[number] = value;
}

/* Takes the boost of an item, by its id. */
static void
GatherBoost(Gathered *g, int64 id, double value)
{
	int32		item = FindId(&g->image->ids, id);

	CheckBoost(g->what, value);
	if (item < 0)
	{
		GatherUnknown(g, id, value);
		return;
	}
	if (g->nknown == g->capacity)
	{
		g->capacity *= 2;
		g->known = repalloc_huge(g->known, sizeof(ItemBoost) * g->capacity);
	}
	g->known[g->nknown++] = (ItemBoost) {item, value};
}

/* By item; for qsort. */
static int
CompareBoosts(const void *a, const void *b)
{
	int32		x = ((const ItemBoost *) a)->item;
	int32		y = ((const ItemBoost *) b)->item;

	return (x > y) - (x < y);
}

/* All boosts, sorted by item, when they are gathered. */
static Boosts *
FinishGathering(Gathered *g)
{
	Boosts	   *boosts = g->boosts;
	const ItemBoost *known = g->known;

	qsort(g->known, g->nknown, sizeof(ItemBoost), CompareBoosts);
	boosts->item = HugeArray(g->nknown, sizeof(int32));
	boosts->value = HugeArray(g->nknown, sizeof(double));
	for (int64 i = 0; i < g->nknown; i++)
	{
		if (i > 0 && known[i].item == known[i - 1].item)
		{
			if (known[i].value != known[i - 1].value)
				RefuseTwoBoosts(g, IdAt(&g->image->ids, known[i].item));
			continue;
		}
		if (known[i].value == 0)
			continue;
		boosts->item[boosts->n] = known[i].item;
		boosts->value[boosts->n++] = known[i].value;
	}
	pfree(g->known);
	return boosts;
}

/*
 * Boosts from an array of double precision that runs parallel to an array of candidates, and must be as long; a null is
 * 0. An item that is there twice must have one boost.
 */
Boosts *
BoostsByArray(const Image *image, ArrayType *candidates, ArrayType *values)
{
	int			n;
	int			nvalues;
	int64	   *ids = IdsFromArray(&image->item_type, candidates, "candidates", &n);
	Gathered	gathered;
	Datum	   *value;
	bool	   *nulls;

	deconstruct_array(values, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE, &value, &nulls, &nvalues);
	if (ARR_NDIM(values) > 1 || nvalues != n)
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("boosts must have one element for each of candidates"),
				 errdetail("There are %d boosts and %d candidates.", nvalues, n),
				 errhint("Let a boost be null, or 0, where nothing is to be added.")));
	StartGathering(&gathered, image, "boosts");
	for (int i = 0; i < n; i++)
		GatherBoost(&gathered, ids[i], nulls[i] ? 0 : DatumGetFloat8(value[i]));
	return FinishGathering(&gathered);
}

/* A number of any accepted type. */
static double
DoubleFromDatum(Datum value, Oid type)
{
	return type == FLOAT8OID ? DatumGetFloat8(value) : type == NUMERICOID ? DoubleOfNumeric(value) :
		type == INT8OID ? (double) DatumGetInt64(value) : type == INT4OID ? DatumGetInt32(value) :
		NumberFromDatum(value, type);
}

/* Takes a row of the relation: an id and a boost. */
static bool
ReceiveBoost(TupleTableSlot *slot, DestReceiver *self)
{
	Gathered   *g = (Gathered *) self;

	slot_getallattrs(slot);
	if (!slot->tts_isnull[0] && !slot->tts_isnull[1])
		GatherBoost(g, IdFromColumn(&g->id_type, slot->tts_values[0]), DoubleFromDatum(slot->tts_values[1], g->type));
	return true;
}

/* The ids must be of the model's type, and both columns of the types that BoostsByTable has found. */
static void
StartupBoostReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	const Gathered *g = (const Gathered *) self;

	(void) operation;
	if (!SameIds(&g->id_type, &g->image->item_type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("boost_id_column \"%s\" is of type %s, but the model's items are of type %s",
						NameStr(TupleDescAttr(typeinfo, 0)->attname), format_type_be(g->id_type.type),
						format_type_be(g->image->item_type.type)),
				 errhint("Cast the column in a view.")));
	CheckDeliveredId(typeinfo, 0, &g->id_type);
	CheckDeliveredType(typeinfo, 1, g->type);
}

/*
 * Boosts from a column of numbers of a relation with a row for each item that has one, found by its id; a null is 0, as
 * is no row.  All of its rows are read, by SQL.
 */
Boosts *
BoostsByTable(const Image *image, Oid relid, const char *id_column, const char *column)
{
	Relation	rel = OpenRows(relid, "cannot take boosts from \"%s\"",
							   "Name a table or view of items and their boosts with the argument boost_table.");
	Gathered	gathered;
	StringInfoData sql;

	StartGathering(&gathered, image, psprintf("boosts in column \"%s\"", column));
	IdColumn(rel, id_column, "boost_id_column", &gathered.id_type);
	gathered.type = NumberColumn(rel, column, "boost_column");
	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT %s, ", quote_identifier(id_column));
	appendStringInfo(&sql, "%s FROM %s", quote_identifier(column), RowsSql(relid));
	relation_close(rel, NoLock);
	gathered.pub.receiveSlot = ReceiveBoost;
	gathered.pub.rStartup = StartupBoostReceiver;
	RunPrepared(sql.data, InvalidOid, (Datum) 0, &gathered.pub);
	return FinishGathering(&gathered);
}

/* The boost of an item that the image does not know; 0 where it has none. */
double
BoostOfUnknown(const Boosts *boosts, int64 id)
{
	int32		number = boosts->unknown->count > 0 ? FindId(boosts->unknown, id) : -1;

	return number < 0 ? 0 : boosts->unknown_value[number];
}

/* Sets the marks, one for each boosted item, of those that are among n items in any order. */
void
MarkBoosted(const Boosts *boosts, const int32 *items, int64 n, bool mark, bool *marks)
{
	for (int64 i = 0; i < n; i++)
	{
		int32		low = 0;
		int32		high = boosts->n;

		while (low < high)
		{
			int32		middle = low + (high - low) / 2;

			if (boosts->item[middle] < items[i])
				low = middle + 1;
			else
				high = middle;
		}
		if (low < boosts->n && boosts->item[low] == items[i])
			marks[low] = mark;
	}
}

/*
 * What a boost of 1 is worth in a user's scores as a search gives them: of ratings alone, these are in standard
 * deviations times the user's spread.
 */
double
BoostUnit(const Image *image, double user_spread)
{
	return mf_ratings_alone(&image->objective) ? 1 / (image->objective.deviation * user_spread) : 1;
}

/*
 * Ranks all boosted items that are not marked as out, and `count` items without a boost, by their scores for a query
 * plus boosts, in an empty heap, which then is sorted; unit: BoostUnit().  For threads.
 */
void
RankBoosted(const Boosts *boosts, const bool *out, const Image *image, const float *query, double unit,
			const int32 *item, int count, MfHeap *heap)
{
	for (int i = 0; i < count; i++)
		mf_heap_push(heap, item[i], mf_topk_exact_score(&image->index, query, item[i]));
	for (int32 i = 0; i < boosts->n; i++)
		if (!out[i])
			mf_heap_push(heap, boosts->item[i],
						 mf_topk_exact_score(&image->index, query, boosts->item[i]) + boosts->value[i] * unit);
	mf_heap_sort(heap);
}

/* Makes a list of a sorted heap; item and score have room for its entries.  Returns how many there are. */
int
ListRanked(const MfHeap *heap, int32 *item, float *score)
{
	for (int i = 0; i < heap->count; i++)
	{
		item[i] = (int32) heap->entry[i].number;
		score[i] = (float) heap->entry[i].score;
	}
	return heap->count;
}
