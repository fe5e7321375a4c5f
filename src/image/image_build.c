/*
 * image_build.c - the block of memory that serving reads: built from a version's items.
 *
 * In comments n is the number of items, d the length of vectors and ld = mf_padded(d) the floats from one vector
 * to the next.  The block is laid out for the most that its parts can take, then filled.  The index comes last, so
 * that nothing moves should it turn out smaller: codes are left out where they would not pay.
 */
#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/als/predict.h"
#include "core/linalg/gram.h"
#include "core/topk/index.h"
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
static Size
ValueBytes(const IdType *type, int64 id)
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
		bytes += ValueBytes(ids->type, ids->ids[i]);
	return bytes;
}

/*
 * Whether list vectors and q_i do not give every s_i back, so that the block has to have it, which no usual
 * taste is large enough for.
 */
static bool
LosesInterest(const ImageSource *source)
{
	Size		ld = mf_padded(Dimensions(source));

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
	header->slots = (int64) source->ids->mask + 1;
}

/* The bytes of each section, of the index the most that it can take; see Section for the shapes. */
static void
MeasureSections(int64 *length, const ImageSource *source)
{
	int64		n = source->ids->count;
	int			d = Dimensions(source);
	int64		ld = mf_padded(d);
	bool		both = source->interest && source->rating;

	length[SECTION_IDS] = n * sizeof(int64);
	length[SECTION_VALUES] = AllValueBytes(source->ids);
	length[SECTION_SLOTS] = ((int64) source->ids->mask + 1) * sizeof(int32);
	length[SECTION_COUNTS] = n * sizeof(int32);
	length[SECTION_POPULAR] = n * sizeof(int32);
	length[SECTION_TRENDS] = source->trends ? n * sizeof(float) : 0;
	length[SECTION_TRENDING] = source->trends ? n * sizeof(int32) : 0;
	length[SECTION_NUMBERED] = source->numbers ? source->nnumbers * sizeof(int32) : 0;
	length[SECTION_BIAS] = n * sizeof(float);
	length[SECTION_MEAN_USER] = ld * sizeof(float);
	length[SECTION_COLD_SHIFT] = ld * sizeof(float);
	length[SECTION_GRAM] = d * ld * sizeof(float);
	length[SECTION_INTEREST] = both && LosesInterest(source) ? n * ld * sizeof(float) : 0;
	length[SECTION_RATING] = both ? n * ld * sizeof(float) : 0;
	length[SECTION_INDEX] = mf_index_size(n, d);
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

/* Copies the dictionary: integers as they are, other values behind one another; and its hash table. */
static void
FillIds(char *block, const ImageSource *source)
{
	int64	   *ids = SectionStart(block, SECTION_IDS);
	char	   *values = SectionStart(block, SECTION_VALUES);
	const IdType *type = source->ids->type;
	int64		at = 0;

	for (int64 i = 0; i < source->ids->count; i++)
	{
		int64		id = source->ids->ids[i];
		Size		bytes = ValueBytes(type, id);

		ids[i] = bytes > 0 ? at : id;
		if (bytes > 0)
			memcpy(values + at, DatumGetPointer((Datum) id),
				   type->typlen > 0 ? type->typlen : (int) VARSIZE_ANY(DatumGetPointer((Datum) id)));
		at += bytes;
	}
	memcpy(SectionStart(block, SECTION_SLOTS), source->ids->slots,
		   sizeof(int32) * ((const ImageHeader *) block)->slots);
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
 * items: the n items by decreasing faded count (trends NULL: none), then by decreasing number of ratings, ties by id.  Those
 * without ratings come last, as theirs is 0.
 */
void
OrderItems(const float *trends, const int32 *counts, int64 n, int32 *items)
{
	ItemKeys	keys = {trends, counts};

	for (int32 i = 0; i < n; i++)
		items[i] = i;
	qsort_arg(items, n, sizeof(int32), CompareItems, &keys);
}

/* The orders of what users get of whom nothing is known: by number of ratings, and by faded count where there is one. */
static void
FillOrders(char *block, const ImageSource *source)
{
	int64		n = source->ids->count;

	OrderItems(NULL, source->counts, n, SectionStart(block, SECTION_POPULAR));
	if (source->trends == NULL)
		return;
	memcpy(SectionStart(block, SECTION_TRENDS), source->trends, sizeof(float) * n);
	OrderItems(source->trends, source->counts, n, SectionStart(block, SECTION_TRENDING));
}

/*
 * The item of each of the nnumbers numbers by which users' rows mean items; of several items with the same one the
 * first, -1 where there is none.
 */
static void
FillNumbered(char *block, const ImageSource *source)
{
	int32	   *numbered = SectionStart(block, SECTION_NUMBERED);

	if (source->numbers == NULL)
		return;
	memset(numbered, -1, sizeof(int32) * source->nnumbers);
	for (int32 i = source->ids->count - 1; i >= 0; i--)
		if (source->numbers[i] >= 0)
			numbered[source->numbers[i]] = i;
}

/*
 * What each item weighs in the Gram matrix of interest: cold ones nothing, as in training, which does not know them; NULL
 * where there are none.
 */
static float *
GramWeights(const ImageSource *source)
{
	float	   *weights;

	if (!source->objective.item_map)
		return NULL;
	weights = HugeArray(source->ids->count, sizeof(float));
	for (int64 i = 0; i < source->ids->count; i++)
		weights[i] = mf_is_cold(&source->objective, source->counts[i]) ? 0 : 1;
	return weights;
}

/*
 * The Gram matrix of interest, d x ld, which fold-in begins with, and the vectors, n x ld, that lists do not go by:
 * q_i for predictions, s_i where it cannot be taken from the others.
 */
static void
FillVectors(char *block, const ImageSource *source)
{
	const ImageHeader *header = (const ImageHeader *) block;
	int			d = Dimensions(source);
	int64		n = header->nitems;

	if (source->interest)
		CheckCore(mf_gram(&source->parallel, source->interest, n, d, GramWeights(source), SectionStart(block, SECTION_GRAM),
						  HugeZeroArray(mf_gram_size(d, &source->parallel), 1)));
	if (header->length[SECTION_INTEREST] > 0)
		memcpy(SectionStart(block, SECTION_INTEREST), source->interest, header->length[SECTION_INTEREST]);
	if (header->length[SECTION_RATING] > 0)
		memcpy(SectionStart(block, SECTION_RATING), source->rating, header->length[SECTION_RATING]);
}

/*
 * The index for lists, over v_i (n x ld) and an offset for each item, which with a user's vector make the score.  It
 * may turn out smaller than planned, and the block with it.
 */
static void
FillIndex(char *block, const ImageSource *source)
{
	ImageHeader *header = (ImageHeader *) block;
	int			d = Dimensions(source);
	int64		n = header->nitems;
	MfFactors	factors = {.interest = (float *) source->interest,.rating = (float *) source->rating,
	.item_bias = SectionStart(block, SECTION_BIAS)};
	float	   *vectors = HugeZeroArray(n * mf_padded(d), sizeof(float));	/* n x ld: v_i */
	float	   *offsets = HugeZeroArray(n, sizeof(float));
	MfItems		items = {n, d, vectors, offsets, source->users, source->nusers};
	Size		size;

	mf_list_vectors(&source->objective, &factors, source->counts, n, vectors, offsets);
	size = mf_index_build(SectionStart(block, SECTION_INDEX),
						  AlignedZeroArray(mf_index_workspace(n, d, &source->parallel), 1),
						  &items, MF_QUANTIZE_AUTO, &source->parallel);
	CheckCore(size == 0 ? MF_CANCELLED : MF_OK);
	header->length[SECTION_INDEX] = size;
	header->size = header->offset[SECTION_INDEX] + size;
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
	char	   *block;

	FillHeader(&header, source);
	MeasureSections(header.length, source);
	PlaceSections(&header);
	block = AllocateBlock(&header, context);
	FillIds(block, source);
	memcpy(SectionStart(block, SECTION_COUNTS), source->counts, sizeof(int32) * n);
	memcpy(SectionStart(block, SECTION_MEAN_USER), source->mean_user, sizeof(float) * Dimensions(source));
	if (source->cold_shift)
		memcpy(SectionStart(block, SECTION_COLD_SHIFT), source->cold_shift, sizeof(float) * Dimensions(source));
	if (source->bias)
		memcpy(SectionStart(block, SECTION_BIAS), source->bias, sizeof(float) * n);
	FillOrders(block, source);
	FillNumbered(block, source);
	FillVectors(block, source);
	FillIndex(block, source);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(workspace);
	return block;
}
