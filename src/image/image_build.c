/*
 * image_build.c - the block of memory that serving reads: built from a version's items.
 *
 * In comments n is the number of items, d the length of vectors and ld = mf_padded(d) the floats from one vector
 * to the next.  The block is laid out for the most that its parts can take, then filled.  The indexes come last, so
 * that nothing else moves should one turn out smaller: codes are left out where they would not pay.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/linalg/gram.h"
#include "core/predict/predict.h"
#include "core/topk/directions.h"
#include "image/direction_rows.h"
#include "image/image_block.h"
#include "image/image_build.h"
#include "pg/alloc.h"
#include "pg/core_call.h"

/* d, the length of a vector. */
static int
Dimensions(const ImageSource *source)
{
	return mf_dimensions(&source->objective);
}

/* The bytes that an id takes among the values, a multiple of 8; 0 where it is held in its int64 itself. */
Size
IdValueBytes(const IdType *type, int64 id)
{
	if (type->is_int || type->typbyval)
		return 0;
	return MAXALIGN(type->typlen > 0 ? type->typlen : (int) VARSIZE_ANY(DatumGetPointer((Datum) id)));
}

/* The bytes of all ids among the values. */
static int64
AllValueBytes(const IdMap *ids)
{
	int64		bytes = 0;

	for (int64 i = 0; i < ids->count; i++)
		bytes += IdValueBytes(ids->type, ids->ids[i]);
	return bytes;
}

/* Whether lists go by how recent an item's rows are: see mf_item_recency(). */
static bool
GoesByRecency(const ImageSource *source)
{
	return source->trends && source->objective.trend_weight > 0;
}

/*
 * Whether list vectors and q_i do not give every s_i back, so that a block of floats has to have it: where lists go by
 * recency, or by a taste that is larger than any usual one.
 */
static bool
LosesInterest(const ImageSource *source)
{
	Size		ld = mf_padded(Dimensions(source));

	if (GoesByRecency(source))
		return source->interest != NULL;
	if (source->interest == NULL || source->rating == NULL)
		return false;
	for (int64 i = 0; i < source->ids->count; i++)
		if (mf_interest_is_lost(&source->objective, mf_item_taste(&source->objective, source->counts[i]),
								source->interest + i * ld, source->rating + i * ld))
			return true;
	return false;
}

/* Fills in all of the header but the sections and what seals it. */
static void
FillHeader(ImageHeader *header, const ImageSource *source)
{
	memset(header, 0, sizeof(ImageHeader));
	strlcpy(header->magic, IMAGE_MAGIC, sizeof(header->magic));
	header->format = IMAGE_FORMAT;
	header->order = IMAGE_BYTE_ORDER;
	header->header_size = sizeof(ImageHeader);
	header->objective_size = sizeof(MfObjective);
	header->uuid = source->uuid;
	header->database = MyDatabaseId;
	header->system = GetSystemIdentifier();
	header->id_type = source->ids->type->base;
	header->id_collation = HashCollation(source->ids->type);
	header->objective = source->objective;
	header->mean_bias = source->mean_bias;
	header->nitems = source->ids->count;
	header->room = source->alone ? header->nitems : mf_index_room(header->nitems);
	header->nnumbers = source->numbers ? source->nnumbers : 0;
	header->value_bytes = AllValueBytes(source->ids);
	header->slots = (int64) source->ids->mask + 1;
}

/*
 * The bytes of each section, of the index of these items the most that it can take; see Section for the shapes.  Where
 * the index has room for more items, the others have it too.
 */
static void
MeasureSections(ImageHeader *header, const ImageSource *source, const MfItems *items)
{
	int64		n = header->room;
	int			d = Dimensions(source);
	int64		ld = mf_padded(d);
	int64		spare = n - header->nitems;
	bool		both = source->interest && source->rating && items->parts == 0;
	int64	   *length = header->length;

	length[SECTION_IDS] = n * sizeof(int64);
	length[SECTION_VALUES] = header->value_bytes;
	if (header->value_bytes > 0 && spare > 0)
		length[SECTION_VALUES] += (header->value_bytes / header->nitems + 16) * spare;
	length[SECTION_SLOTS] = ((int64) source->ids->mask + 1) * sizeof(int32);
	length[SECTION_COUNTS] = n * sizeof(int32);
	length[SECTION_POPULAR] = n * sizeof(int32);
	length[SECTION_TRENDS] = source->trends ? n * sizeof(float) : 0;
	length[SECTION_TRENDING] = source->trends ? n * sizeof(int32) : 0;
	length[SECTION_NUMBERED] = source->numbers ? (source->nnumbers + spare) * sizeof(int32) : 0;
	length[SECTION_BIAS] = n * sizeof(float);
	length[SECTION_MEAN_USER] = ld * sizeof(float);
	length[SECTION_COLD_SHIFT] = ld * sizeof(float);
	length[SECTION_GRAM] = d * ld * sizeof(float);
	length[SECTION_INTEREST] = items->parts == 0 && LosesInterest(source) ? n * ld * sizeof(float) : 0;
	length[SECTION_RATING] = both ? n * ld * sizeof(float) : 0;
	length[SECTION_INDEX] = mf_index_size(items);
	length[SECTION_SIMILAR] = mf_directions_size(n, DirectionLength(&source->objective));
}

/* Lays the sections out behind the header, one after the other. */
static void
PlaceSections(ImageHeader *header)
{
	header->size = sizeof(ImageHeader);
	for (int s = 0; s < SECTIONS; s++)
	{
		header->offset[s] = TYPEALIGN(64, header->size);
		header->size = header->offset[s] + header->length[s];
	}
}

/* An id as the section of ids has it; its value, if it has one, goes to values + *at, which moves on. */
int64
PutIdValue(const IdType *type, int64 id, char *values, int64 *at)
{
	Size		bytes = IdValueBytes(type, id);
	int64		place = *at;

	if (bytes == 0)
		return id;
	memcpy(values + place, DatumGetPointer((Datum) id),
		   type->typlen > 0 ? type->typlen : (int) VARSIZE_ANY(DatumGetPointer((Datum) id)));
	*at += bytes;
	return place;
}

/* Copies the dictionary: integers as they are, other values behind one another; and its hash table. */
static void
FillIds(char *block, const ImageSource *source)
{
	int64	   *ids = SectionStart(block, SECTION_IDS);
	char	   *values = SectionStart(block, SECTION_VALUES);
	const IdType *type = source->ids->type;
	int64		at = 0;

	for (int64 i = 0; i < source->ids->count; i++)
		ids[i] = PutIdValue(type, source->ids->ids[i], values, &at);
	memcpy(SectionStart(block, SECTION_SLOTS), source->ids->slots,
		   sizeof(int32) * ((const ImageHeader *) block)->slots);
}

/* Copies the mean user, and what cold items have in common. */
void
FillMeans(char *block, const ImageSource *source)
{
	Size		bytes = sizeof(float) * Dimensions(source);

	memcpy(SectionStart(block, SECTION_MEAN_USER), source->mean_user, bytes);
	if (source->cold_shift)
		memcpy(SectionStart(block, SECTION_COLD_SHIFT), source->cold_shift, bytes);
	else
		memset(SectionStart(block, SECTION_COLD_SHIFT), 0, bytes);
}

/* What items are ordered by. */
typedef struct ItemKeys
{
	const float *trends;		/* NULL: by counts alone */
	const int32 *counts;
} ItemKeys;

/* qsort_arg() by decreasing trend, if there are trends, then by decreasing count, ties by increasing number. */
static int
CompareItems(const void *a, const void *b, void *arg)
{
	const ItemKeys *keys = arg;
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	if (keys->trends && keys->trends[x] != keys->trends[y])
		return keys->trends[x] < keys->trends[y] ? 1 : -1;
	if (keys->counts[x] != keys->counts[y])
		return keys->counts[x] < keys->counts[y] ? 1 : -1;
	return (x > y) - (x < y);
}

/*
 * items: the n items by decreasing faded count (trends NULL: none), then by decreasing number of ratings, ties by id.
 * Those without ratings come last, as theirs is 0.
 */
void
OrderItems(const float *trends, const int32 *counts, int64 n, int32 *items)
{
	ItemKeys	keys = {trends, counts};

	for (int32 i = 0; i < n; i++)
		items[i] = i;
	qsort_arg(items, n, sizeof(int32), CompareItems, &keys);
}

/*
 * The orders of what users get of whom nothing is known: the block's items by number of ratings, and by faded count
 * where it has them.
 */
void
FillOrders(char *block)
{
	const ImageHeader *header = (const ImageHeader *) block;
	const int32 *counts = SectionStart(block, SECTION_COUNTS);

	OrderItems(NULL, counts, header->nitems, SectionStart(block, SECTION_POPULAR));
	if (header->length[SECTION_TRENDS] > 0)
		OrderItems(SectionStart(block, SECTION_TRENDS), counts, header->nitems, SectionStart(block, SECTION_TRENDING));
}

/*
 * The item of each of the block's nnumbers numbers by which users' rows mean items; of several items with the same one
 * the first, -1 where there is none.  Item i's number is that of row order[i] of numbers, order NULL: of row i.
 */
void
FillNumbered(char *block, const int32 *numbers, const int32 *order)
{
	const ImageHeader *header = (const ImageHeader *) block;
	int32	   *numbered = SectionStart(block, SECTION_NUMBERED);

	if (numbers == NULL)
		return;
	memset(numbered, -1, sizeof(int32) * header->nnumbers);
	for (int32 i = header->nitems - 1; i >= 0; i--)
	{
		int32		number = numbers[order ? order[i] : i];

		if (number >= 0)
			numbered[number] = i;
	}
}

/*
 * What each of the block's items weighs in the Gram matrix of interest: cold ones nothing, as in training, which does
 * not know them; NULL where there are none.
 */
static float *
GramWeights(const char *block)
{
	const ImageHeader *header = (const ImageHeader *) block;
	const int32 *counts = SectionStart(block, SECTION_COUNTS);
	float	   *weights;

	if (!header->objective.item_map)
		return NULL;
	weights = HugeArray(header->nitems, sizeof(float));
	for (int64 i = 0; i < header->nitems; i++)
		weights[i] = mf_is_cold(&header->objective, counts[i]) ? 0 : 1;
	return weights;
}

/*
 * The Gram matrix of interest, d x ld, which fold-in begins with: of the block's items, whose s_i are rows order[i], or
 * NULL: i, of the source.
 */
void
FillGram(char *block, const ImageSource *source, const int32 *order)
{
	int			d = Dimensions(source);

	if (source->interest)
		CheckCore(mf_gram_in_order(&source->parallel, source->interest, order, ((const ImageHeader *) block)->nitems, d,
								   GramWeights(block), SectionStart(block, SECTION_GRAM),
								   HugeArray(mf_gram_size(d, &source->parallel), 1)));
}

/* Whether scores of a version's items have offsets, of which those without a rating part have none. */
static bool
HasOffsets(const MfObjective *objective)
{
	return mf_is_explicit(objective);
}

/* The share of q_i in each item's list vector. */
static float *
ItemTastes(const ImageSource *source)
{
	float	   *tastes = HugeArray(source->ids->count, sizeof(float));

	for (int64 i = 0; i < source->ids->count; i++)
		tastes[i] = mf_item_taste(&source->objective, source->counts[i]);
	return tastes;
}

/* What each item's list vector is multiplied by; NULL: 1. */
static float *
ItemRecencies(const ImageSource *source)
{
	float	   *recencies;

	if (!GoesByRecency(source))
		return NULL;
	recencies = HugeArray(source->ids->count, sizeof(float));
	for (int64 i = 0; i < source->ids->count; i++)
		recencies[i] = mf_item_recency(&source->objective, source->counts[i], source->trends[i]);
	return recencies;
}

/*
 * What the index for lists is of: v_i (n x ld) and an offset for each item, which with a user's vector make the score;
 * and what v_i is made of, which where all of it is whole numbers, as trainings leave it, the index has instead.
 */
static void
DescribeItems(const ImageSource *source, int64 room, MfItems *items)
{
	int64		n = source->ids->count;
	int			d = Dimensions(source);
	bool		both = source->interest && source->rating;
	float	   *bias = HugeZeroArray(n, sizeof(float));
	MfFactors	factors = {.interest = (float *) source->interest,.rating = (float *) source->rating,
	.item_bias = source->bias ? (float *) source->bias : bias};
	float	   *vectors = HugeZeroArray(n * mf_padded(d), sizeof(float));
	float	   *offsets = HugeZeroArray(n, sizeof(float));

	mf_list_vectors(&source->objective, &factors, source->counts, source->trends, n, vectors, offsets);
	*items = (MfItems) {n, d, vectors, HasOffsets(&source->objective) ? offsets : NULL, source->users, source->nusers,
		room, {source->interest ? source->interest : vectors, both ? source->rating : NULL},
		source->objective.factors, both ? ItemTastes(source) : NULL, 0, ItemRecencies(source)};
	items->parts = mf_index_parts(items);
}

/* The index for lists.  It may turn out smaller than planned, and the block with it. */
static void
FillIndex(char *block, const ImageSource *source, const MfItems *items)
{
	ImageHeader *header = (ImageHeader *) block;
	Size		size;

	size = mf_index_build(SectionStart(block, SECTION_INDEX),
						  AlignedArray(mf_index_workspace(items->nitems, items->factors, &source->parallel), 1),
						  items, MF_QUANTIZE_AUTO, &source->parallel);
	CheckCore(size == 0 ? MF_CANCELLED : MF_OK);
	header->length[SECTION_INDEX] = size;
	pfree(unconstify(float *, items->vector));
}

/* A view of a block's index for lists. */
static void
OpenIndex(const char *block, MfIndex *index)
{
	if (!mf_index_open(index, SectionStart(block, SECTION_INDEX),
					   ((const ImageHeader *) block)->length[SECTION_INDEX]))
		elog(ERROR, "item index is damaged");
}

/*
 * The vectors that lists do not go by, at the items' positions in the index from `first` on: q_i for predictions, s_i
 * where it cannot be taken from the others.  Item i's are rows order[i], or NULL: i, of the source.
 */
void
FillVectors(char *block, const ImageSource *source, const int32 *order, int64 first)
{
	const ImageHeader *header = (const ImageHeader *) block;
	Size		ld = mf_padded(Dimensions(source));
	float	   *interest = header->length[SECTION_INTEREST] > 0 ? SectionStart(block, SECTION_INTEREST) : NULL;
	float	   *rating = header->length[SECTION_RATING] > 0 ? SectionStart(block, SECTION_RATING) : NULL;
	MfIndex		index;

	OpenIndex(block, &index);
	for (int64 at = first; at < index.npacks * MF_PACK; at++)
	{
		int32		item = index.item[at];
		Size		row = item < 0 || order == NULL ? item : order[item];

		if (item >= 0 && interest)
			memcpy(interest + at * ld, source->interest + row * ld, sizeof(float) * ld);
		if (item >= 0 && rating)
			memcpy(rating + at * ld, source->rating + row * ld, sizeof(float) * ld);
	}
}

/*
 * The index for what is like an item, over directions; it follows that for lists, and is the end of the block.  All
 * other sections are there.
 */
static void
FillSimilar(char *block, const ImageSource *source)
{
	ImageHeader *header = (ImageHeader *) block;
	int64		planned = header->offset[SECTION_SIMILAR];
	int			d = DirectionLength(&source->objective);
	DirectionRows directions;
	MfVectors	rows;
	MfIndex		index;
	Size		size;

	header->offset[SECTION_SIMILAR] = TYPEALIGN(64, header->offset[SECTION_INDEX] + header->length[SECTION_INDEX]);
	memset(SectionStart(block, SECTION_SIMILAR), 0, planned - header->offset[SECTION_SIMILAR]);
	OpenIndex(block, &index);
	rows = ViewDirectionRows(&directions, block, &index);
	size = mf_directions_build(SectionStart(block, SECTION_SIMILAR),
							   AlignedZeroArray(mf_directions_workspace(header->nitems, d, &source->parallel), 1),
							   &index, &rows, &source->parallel);
	CheckCore(size == 0 ? MF_CANCELLED : MF_OK);
	header->length[SECTION_SIMILAR] = size;
	header->size = header->offset[SECTION_SIMILAR] + size;
}

/* A block for a header, zero behind that, aligned to 64 bytes; it cannot be freed by pfree(), only with its context. */
static char *
AllocateBlock(const ImageHeader *header, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	char	   *block = AlignedZeroArray(header->size, 1);

	MemoryContextSwitchTo(old);
	memcpy(block, header, sizeof(ImageHeader));
	return block;
}

/*
 * Builds a block, aligned to 64 bytes, in the given memory context, with which it goes.  Takes as much memory again
 * on the way, and source->parallel's threads.  Interrupts and lack of memory are errors.
 */
char *
BuildImageBlock(const ImageSource *source, MemoryContext context)
{
	MemoryContext workspace = AllocSetContextCreate(CurrentMemoryContext, "mfrec image build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(workspace);
	int64		n = source->ids->count;
	ImageHeader header;
	MfItems		items;
	char	   *block;

	FillHeader(&header, source);
	DescribeItems(source, header.room, &items);
	MeasureSections(&header, source, &items);
	PlaceSections(&header);
	block = AllocateBlock(&header, context);
	FillIds(block, source);
	memcpy(SectionStart(block, SECTION_COUNTS), source->counts, sizeof(int32) * n);
	FillMeans(block, source);
	if (source->bias)
		memcpy(SectionStart(block, SECTION_BIAS), source->bias, sizeof(float) * n);
	if (source->trends)
		memcpy(SectionStart(block, SECTION_TRENDS), source->trends, sizeof(float) * n);
	FillOrders(block);
	FillNumbered(block, source->numbers, NULL);
	FillGram(block, source, NULL);
	FillIndex(block, source, &items);
	FillVectors(block, source, NULL, 0);
	FillSimilar(block, source);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(workspace);
	return block;
}
