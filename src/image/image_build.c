/*
 * image_build.c - the block of memory that serving reads: built from a version's items.
 */
#include "postgres.h"

#include <math.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/als/predict.h"
#include "core/base/padding.h"
#include "core/topk/index.h"
#include "core/linalg/gram.h"
#include "image/image_build.h"
#include "model/factor_rows.h"
#include "model/objective_json.h"
#include "pg/alloc.h"
#include "pg/core_call.h"

#define BYTE_ORDER_MARK 0x01020304

/* A version's rows as they are read, in the order of the table. */
typedef struct ItemRows
{
	const MfObjective *objective;
	IdMap	   *ids;
	int64		capacity;
	int			ld;
	float	   *interest;		/* the column factors */
	float	   *rating;			/* the column rating_factors; 0 where it is null and not needed */
	float	   *bias;
	int32	   *counts;
	int32	   *numbers;
	int64		nnumbers;		/* items that the version was made with: numbers are below */
	bool		has_numbers;	/* some item has one */
} ItemRows;

static void
GrowRows(ItemRows *rows)
{
	int64		capacity = Max(1024, rows->capacity * 2);

	if (rows->capacity == 0)
	{
		rows->interest = HugeZeroArray(capacity * rows->ld, sizeof(float));
		rows->rating = HugeZeroArray(capacity * rows->ld, sizeof(float));
		rows->bias = HugeZeroArray(capacity, sizeof(float));
		rows->counts = HugeZeroArray(capacity, sizeof(int32));
		rows->numbers = HugeZeroArray(capacity, sizeof(int32));
	}
	else
	{
		rows->interest = repalloc_huge(rows->interest, capacity * rows->ld * sizeof(float));
		rows->rating = repalloc_huge(rows->rating, capacity * rows->ld * sizeof(float));
		rows->bias = repalloc_huge(rows->bias, capacity * sizeof(float));
		rows->counts = repalloc_huge(rows->counts, capacity * sizeof(int32));
		rows->numbers = repalloc_huge(rows->numbers, capacity * sizeof(int32));
	}
	rows->capacity = capacity;
}

/* An error that says what is wrong with an item. */
static void
BadItem(const ItemRows *rows, const StoredRow *row, const char *message)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg(message, IdToText(rows->ids->type, row->id)),
			 errhint("A model table was edited by hand; retrain the model.")));
}

/* An error unless an item's vectors are as the model's must be. */
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

/* Keeps one row of the item table. */
static void
TakeItemRow(void *state, const StoredRow *row)
{
	ItemRows   *rows = state;
	int32		item = AddId(rows->ids, row->id);
	Size		bytes = sizeof(float) * row->factors;
	float	   *into;

	CheckItemVectors(rows, row);
	if (row->rating_vector == NULL && rows->objective->has_rating && rows->objective->has_interest)
		BadItem(rows, row, "item %s has no rating_factors");
	if (row->number >= rows->nnumbers)
		BadItem(rows, row, "the number of item %s is larger than there are items");
	if (item >= rows->capacity)
		GrowRows(rows);
	into = rows->interest + (Size) item * rows->ld;
	memset(into, 0, sizeof(float) * rows->ld);
	memcpy(into, row->vector, bytes);
	into = rows->rating + (Size) item * rows->ld;
	memset(into, 0, sizeof(float) * rows->ld);
	if (row->rating_vector)
		memcpy(into, row->rating_vector, bytes);
	rows->bias[item] = row->bias;
	rows->counts[item] = row->count;
	rows->numbers[item] = row->number;
	rows->has_numbers |= row->number >= 0;
}

/* Brings rows of `width` 4-byte values into the order of the sorted ids. */
static void *
Reorder(void *values, const int32 *rank, int64 nitems, int64 width)
{
	Size		bytes = width * 4;
	char	   *ordered;

	if (rank == NULL)
		return values;
	ordered = HugeZeroArray(nitems, bytes);
	for (int64 i = 0; i < nitems; i++)
		memcpy(ordered + rank[i] * bytes, (char *) values + i * bytes, bytes);
	pfree(values);
	return ordered;
}

/* Reads a version's items, sorted by id, under the active snapshot and with the caller's rights. */
void
ReadImageSource(ImageSource *source, const Model *model, int32 version, const pg_uuid_t *uuid)
{
	Jsonb	   *parameters = VersionParameters(model, version);
	IdType	   *idtype = palloc(sizeof(IdType));
	ItemRows	rows = {0};
	int32	   *rank;
	int64		n;

	memset(source, 0, sizeof(ImageSource));
	source->uuid = *uuid;
	ObjectiveFromJson(&source->objective, parameters);
	source->mean_user = MeanUserFromJson(parameters, mf_dimensions(&source->objective), &source->mean_bias);
	InitParallel(&source->parallel);
	source->parallel.nthreads = 1;	/* a session that serves has one thread */
	FactorIdType(model->item_relid, ITEM_ID, idtype);
	rows.objective = &source->objective;
	rows.nnumbers = Max(VersionRows(model, version, false), 0);
	rows.ids = CreateIdMap(idtype);
	rows.ld = mf_padded(mf_dimensions(&source->objective));
	GrowRows(&rows);
	ReadFactors(model->item_relid, ITEM_ID, version, idtype, false, TakeItemRow, &rows);
	rank = SortIdMap(rows.ids);
	n = rows.ids->count;
	source->ids = rows.ids;
	source->interest = Reorder(rows.interest, rank, n, rows.ld);
	source->rating = Reorder(rows.rating, rank, n, rows.ld);
	source->bias = Reorder(rows.bias, rank, n, 1);
	source->counts = Reorder(rows.counts, rank, n, 1);
	source->numbers = rows.has_numbers ? Reorder(rows.numbers, rank, n, 1) : NULL;
	source->nnumbers = rows.nnumbers;
}

/* The bytes of an id that is not held in its int64 itself, rounded up to 8. */
static Size
ValueBytes(const IdType *type, int64 id)
{
	if (type->is_int || type->typbyval)
		return 0;
	return MAXALIGN(type->typlen > 0 ? type->typlen : (int) VARSIZE_ANY(DatumGetPointer((Datum) id)));
}

/*
 * Whether list vectors and q_i do not give every s_i back, so that the block has to have it, which no usual
 * taste is large enough for.
 */
static bool
LosesInterest(const ImageSource *source)
{
	const MfObjective *objective = &source->objective;
	Size		ld = mf_padded(mf_dimensions(objective));

	for (int64 i = 0; i < source->ids->count; i++)
		if (mf_interest_is_lost(objective, source->interest + i * ld, source->rating + i * ld))
			return true;
	return false;
}

/* Fills in the header and lays the sections out; index and size are the largest they can be. */
static void
PlanBlock(ImageHeader *header, const ImageSource *source)
{
	const MfObjective *objective = &source->objective;
	int64		n = source->ids->count;
	int64		vectors = n * mf_padded(mf_dimensions(objective)) * sizeof(float);
	bool		both = objective->has_rating && objective->has_interest;

	memset(header, 0, sizeof(ImageHeader));
	strlcpy(header->magic, IMAGE_MAGIC, sizeof(header->magic));
	header->format = IMAGE_FORMAT;
	header->order = BYTE_ORDER_MARK;
	header->header_size = sizeof(ImageHeader);
	header->objective_size = sizeof(MfObjective);
	header->uuid = source->uuid;
	header->database = MyDatabaseId;
	header->system = GetSystemIdentifier();
	header->id_type = source->ids->type->base;
	header->id_collation = HashCollation(source->ids->type);
	header->objective = *objective;
	header->mean_bias = source->mean_bias;
	header->nitems = n;
	header->slots = (int64) source->ids->mask + 1;
	for (int64 i = 0; i < n; i++)
		header->length[SECTION_VALUES] += ValueBytes(source->ids->type, source->ids->ids[i]);
	header->length[SECTION_IDS] = n * sizeof(int64);
	header->length[SECTION_SLOTS] = header->slots * sizeof(int32);
	header->length[SECTION_COUNTS] = n * sizeof(int32);
	header->length[SECTION_POPULAR] = n * sizeof(int32);
	header->length[SECTION_NUMBERED] = source->numbers ? source->nnumbers * sizeof(int32) : 0;
	header->length[SECTION_BIAS] = n * sizeof(float);
	header->length[SECTION_MEAN_USER] = mf_padded(mf_dimensions(objective)) * sizeof(float);
	header->length[SECTION_GRAM] = (int64) mf_dimensions(objective) * mf_padded(mf_dimensions(objective)) * sizeof(float);
	header->length[SECTION_INTEREST] = both && LosesInterest(source) ? vectors : 0;
	header->length[SECTION_RATING] = both ? vectors : 0;
	header->length[SECTION_INDEX] = mf_index_size(n, mf_dimensions(objective));
	header->size = sizeof(ImageHeader);
	for (int s = 0; s < SECTIONS; s++)
	{
		header->offset[s] = TYPEALIGN(64, header->size);
		header->size = header->offset[s] + header->length[s];
	}
}

/* Copies the dictionary: integers as they are, other values behind one another. */
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

static int
CompareByCount(const void *a, const void *b, void *counts)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;
	int32		nx = ((const int32 *) counts)[x];
	int32		ny = ((const int32 *) counts)[y];

	return nx != ny ? (nx < ny) - (nx > ny) : (x > y) - (x < y);
}

/* Items by decreasing number of ratings, ties by id. */
static void
FillPopular(char *block, const ImageSource *source)
{
	int32	   *popular = SectionStart(block, SECTION_POPULAR);

	for (int32 i = 0; i < source->ids->count; i++)
		popular[i] = i;
	qsort_arg(popular, source->ids->count, sizeof(int32), CompareByCount, (void *) source->counts);
}

/* The item of each number; of several items with the same one the first, -1 where there is none. */
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

/* The Gram matrix for fold-in and the index for lists, which may turn out smaller than planned. */
static void
FillVectors(char *block, const ImageSource *source)
{
	ImageHeader *header = (ImageHeader *) block;
	const MfObjective *objective = &source->objective;
	int			d = mf_dimensions(objective);
	int			ld = mf_padded(d);
	int64		n = header->nitems;
	bool		interest = objective->has_interest;
	float	   *bias = SectionStart(block, SECTION_BIAS);
	MfFactors	factors = {.item_bias = bias};
	float	   *vectors = HugeZeroArray(n * ld, sizeof(float));
	float	   *offsets = HugeZeroArray(n, sizeof(float));
	MfItems		items = {n, d, vectors, offsets, source->users, source->nusers};
	Size		size;

	factors.interest = interest ? (float *) source->interest : NULL;
	factors.rating = !interest ? (float *) source->interest : objective->has_rating ? (float *) source->rating : NULL;
	if (interest)
		CheckCore(mf_gram(&source->parallel, source->interest, n, d, NULL, SectionStart(block, SECTION_GRAM),
						  HugeZeroArray(mf_gram_size(d, &source->parallel), 1)));
	if (header->length[SECTION_INTEREST] > 0)
		memcpy(SectionStart(block, SECTION_INTEREST), source->interest, n * ld * sizeof(float));
	if (header->length[SECTION_RATING] > 0)
		memcpy(SectionStart(block, SECTION_RATING), source->rating, n * ld * sizeof(float));
	mf_list_vectors(objective, &factors, n, vectors, offsets);
	size = mf_index_build(SectionStart(block, SECTION_INDEX),
						  (void *) TYPEALIGN(64, HugeZeroArray(mf_index_workspace(n, d, &source->parallel) + 64, 1)),
						  &items, MF_QUANTIZE_AUTO, &source->parallel);
	CheckCore(size == 0 ? MF_CANCELLED : MF_OK);
	header->length[SECTION_INDEX] = size;
	header->size = header->offset[SECTION_INDEX] + size;
}

/* Builds a block, aligned to 64 bytes, in the given memory context. */
char *
BuildImageBlock(const ImageSource *source, MemoryContext context)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec image build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	int64		n = source->ids->count;
	ImageHeader header;
	char	   *block;

	PlanBlock(&header, source);
	block = MemoryContextAllocExtended(context, header.size + 64, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	block = (char *) TYPEALIGN(64, block);
	memcpy(block, &header, sizeof(ImageHeader));
	FillIds(block, source);
	memcpy(SectionStart(block, SECTION_COUNTS), source->counts, sizeof(int32) * n);
	memcpy(SectionStart(block, SECTION_MEAN_USER), source->mean_user, sizeof(float) * mf_dimensions(&source->objective));
	if (source->bias)
		memcpy(SectionStart(block, SECTION_BIAS), source->bias, sizeof(float) * n);
	FillPopular(block, source);
	FillNumbered(block, source);
	FillVectors(block, source);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
	return block;
}

static uint32
Checksum(const char *data, int64 size)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, data, size);
	FIN_CRC32C(crc);
	return crc;
}

/* The checksum of all behind the header. */
uint32
ImageBodyChecksum(const char *block)
{
	return Checksum(block + sizeof(ImageHeader), ((const ImageHeader *) block)->size - sizeof(ImageHeader));
}

/* Enters what a file is recognised by: the checksums, and the stamp that follows from them. */
void
SealImageBlock(char *block)
{
	ImageHeader *header = (ImageHeader *) block;

	header->body_checksum = ImageBodyChecksum(block);

	/* long ago, so that whoever writes to the file changes its time */
	header->stamp = INT64CONST(1000000000) + header->body_checksum % (1 << 28);
	header->header_checksum = Checksum(block, offsetof(ImageHeader, header_checksum));
}

/* Whether this is the header, whole and of our making, of that version's image of so many bytes. */
bool
ImageHeaderFits(const ImageHeader *header, const pg_uuid_t *uuid, int64 size)
{
	return memcmp(header->magic, IMAGE_MAGIC, sizeof(header->magic)) == 0 &&
		header->format == IMAGE_FORMAT && header->order == BYTE_ORDER_MARK &&
		header->header_size == sizeof(ImageHeader) && header->objective_size == sizeof(MfObjective) &&
		header->size == size && memcmp(&header->uuid, uuid, sizeof(pg_uuid_t)) == 0 &&
		header->database == MyDatabaseId && header->system == GetSystemIdentifier() &&
		header->header_checksum == Checksum((const char *) header, offsetof(ImageHeader, header_checksum));
}
