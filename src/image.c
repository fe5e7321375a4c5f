/*
 * image.c - a version's items as serving reads them: one block of memory without pointers.
 *
 * The model tables are the truth; an image is derived from them and named by the version's uuid,
 * which no other training ever gets.  So an image can be old, but never wrong: every call reads the
 * version row under its own snapshot and takes the image of that uuid.  A session keeps the images
 * that it used last.
 *
 * The block starts with a header of section offsets; every section is aligned to 64 bytes.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rls.h"

#include "compat.h"
#include "core/vec.h"
#include "factors.h"
#include "image.h"
#include "interrupt.h"
#include "objective_json.h"

#define KEPT_IMAGES 4

/* Sections of the block, in the order in which they lie there. */
typedef enum Section
{
	SECTION_IDS,				/* int64 each: id, or distance into the values */
	SECTION_VALUES,				/* ids of other types than integers, aligned to 8 bytes */
	SECTION_SLOTS,				/* hash table of item numbers */
	SECTION_COUNTS,
	SECTION_POPULAR,
	SECTION_BIAS,
	SECTION_GRAM,
	SECTION_RATING,
	SECTION_INDEX,
	SECTIONS
} Section;

typedef struct ImageHeader
{
	int64		size;			/* of the whole block */
	int64		nitems;
	int64		slots;			/* entries of the hash table, a power of two */
	int64		offset[SECTIONS];
	int64		length[SECTIONS];
} ImageHeader;

/* A version's rows as they are read, in the order of the table. */
typedef struct ItemRows
{
	const Image *image;
	IdMap	   *ids;
	int64		capacity;
	int			ld;
	float	   *interest;		/* s_i, or q_i of a rating model: the column factors */
	float	   *rating;			/* q_i of the joint model */
	float	   *bias;
	int32	   *counts;
} ItemRows;

static Image *kept[KEPT_IMAGES];
static uint64 uses = 0;

static void *
HugeArray(int64 count, Size width)
{
	return MemoryContextAllocExtended(CurrentMemoryContext, Max(count, 1) * width,
									  MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
}

static void
GrowRows(ItemRows *rows)
{
	int64		capacity = Max(1024, rows->capacity * 2);

	if (rows->capacity == 0)
	{
		rows->interest = HugeArray(capacity * rows->ld, sizeof(float));
		rows->rating = HugeArray(capacity * rows->ld, sizeof(float));
		rows->bias = HugeArray(capacity, sizeof(float));
		rows->counts = HugeArray(capacity, sizeof(int32));
	}
	else
	{
		rows->interest = repalloc_huge(rows->interest, capacity * rows->ld * sizeof(float));
		rows->rating = repalloc_huge(rows->rating, capacity * rows->ld * sizeof(float));
		rows->bias = repalloc_huge(rows->bias, capacity * sizeof(float));
		rows->counts = repalloc_huge(rows->counts, capacity * sizeof(int32));
	}
	rows->capacity = capacity;
}

/* Keeps one row of the item table. */
static void
TakeItemRow(void *state, int64 id, int32 count, float bias, int factors, const float *vector,
			const float *rating_vector)
{
	ItemRows   *rows = state;
	int32		item = AddId(rows->ids, id);
	float	   *into;

	if (factors != rows->image->objective.factors)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("item %s has %d factors, but its model has %d", IdToText(rows->ids->type, id),
						factors, rows->image->objective.factors),
				 errhint("A model table was edited by hand; retrain the model.")));
	if (item >= rows->capacity)
		GrowRows(rows);
	into = rows->interest + (Size) item * rows->ld;
	memset(into, 0, sizeof(float) * rows->ld);
	memcpy(into, vector, sizeof(float) * factors);
	into = rows->rating + (Size) item * rows->ld;
	memset(into, 0, sizeof(float) * rows->ld);
	if (rating_vector)
		memcpy(into, rating_vector, sizeof(float) * factors);
	rows->bias[item] = bias;
	rows->counts[item] = count;
}

/* Brings rows of `width` 4-byte values into the order of the sorted ids. */
static void *
Reorder(void *values, const int32 *rank, int64 nitems, int64 width)
{
	Size		bytes = width * 4;
	char	   *ordered;

	if (rank == NULL)
		return values;
	ordered = HugeArray(nitems, bytes);
	for (int64 i = 0; i < nitems; i++)
		memcpy(ordered + rank[i] * bytes, (char *) values + i * bytes, bytes);
	pfree(values);
	return ordered;
}

/* Reads the version's items, sorted by id. */
static void
ReadItems(const Model *model, int32 version, Image *image, ItemRows *rows)
{
	int32	   *rank;

	rows->image = image;
	rows->ids = CreateIdMap(&image->item_type);
	rows->ld = mf_padded(image->objective.factors);
	GrowRows(rows);
	ReadFactors(model->item_relid, ITEM_ID, version, &image->item_type, TakeItemRow, rows);
	rank = SortIdMap(rows->ids);
	image->nitems = rows->ids->count;
	rows->interest = Reorder(rows->interest, rank, image->nitems, rows->ld);
	rows->rating = Reorder(rows->rating, rank, image->nitems, rows->ld);
	rows->bias = Reorder(rows->bias, rank, image->nitems, 1);
	rows->counts = Reorder(rows->counts, rank, image->nitems, 1);
}

/* The bytes of an id that is not held in its int64 itself, rounded up to 8. */
static Size
ValueBytes(const IdType *type, int64 id)
{
	if (type->is_int || type->typbyval)
		return 0;
	return MAXALIGN(type->typlen > 0 ? type->typlen : VARSIZE_ANY(DatumGetPointer((Datum) id)));
}

/* Lays the sections out; the header's sizes are complete afterwards. */
static void
PlanSections(ImageHeader *header, const Image *image, const ItemRows *rows)
{
	int64		n = image->nitems;
	bool		both = image->objective.has_rating && image->objective.has_interest;

	memset(header, 0, sizeof(ImageHeader));
	header->nitems = n;
	header->slots = (int64) rows->ids->mask + 1;
	for (int64 i = 0; i < n; i++)
		header->length[SECTION_VALUES] += ValueBytes(&image->item_type, rows->ids->ids[i]);
	header->length[SECTION_IDS] = n * sizeof(int64);
	header->length[SECTION_SLOTS] = header->slots * sizeof(int32);
	header->length[SECTION_COUNTS] = n * sizeof(int32);
	header->length[SECTION_POPULAR] = n * sizeof(int32);
	header->length[SECTION_BIAS] = n * sizeof(float);
	header->length[SECTION_GRAM] = (int64) image->objective.factors * rows->ld * sizeof(float);
	header->length[SECTION_RATING] = both ? n * rows->ld * sizeof(float) : 0;
	header->length[SECTION_INDEX] = mf_index_size(n, image->objective.factors);
	header->size = sizeof(ImageHeader);
	for (int s = 0; s < SECTIONS; s++)
	{
		header->offset[s] = TYPEALIGN(64, header->size);
		header->size = header->offset[s] + header->length[s];
	}
}

static void *
SectionStart(const char *block, Section section)
{
	return (char *) block + ((const ImageHeader *) block)->offset[section];
}

/* Copies the dictionary: integers as they are, other values behind one another. */
static void
FillIds(char *block, const Image *image, const ItemRows *rows)
{
	int64	   *ids = SectionStart(block, SECTION_IDS);
	char	   *values = SectionStart(block, SECTION_VALUES);
	int64		at = 0;

	for (int64 i = 0; i < image->nitems; i++)
	{
		int64		id = rows->ids->ids[i];
		Size		bytes = ValueBytes(&image->item_type, id);

		ids[i] = bytes > 0 ? at : id;
		if (bytes > 0)
			memcpy(values + at, DatumGetPointer((Datum) id),
				   image->item_type.typlen > 0 ? image->item_type.typlen : VARSIZE_ANY(DatumGetPointer((Datum) id)));
		at += bytes;
	}
	memcpy(SectionStart(block, SECTION_SLOTS), rows->ids->slots,
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
FillPopular(char *block, const Image *image, const ItemRows *rows)
{
	int32	   *popular = SectionStart(block, SECTION_POPULAR);

	for (int32 i = 0; i < image->nitems; i++)
		popular[i] = i;
	qsort_arg(popular, image->nitems, sizeof(int32), CompareByCount, rows->counts);
}

/* The Gram matrix for fold-in and the index for lists. */
static void
FillVectors(char *block, const Image *image, const ItemRows *rows)
{
	int			d = image->objective.factors;
	int64		n = image->nitems;
	bool		interest = image->objective.has_interest;
	MfFactors	factors = {NULL, interest ? rows->rating : rows->interest,
	interest ? rows->interest : NULL, NULL, rows->bias};
	float	   *vectors = HugeArray(n * rows->ld, sizeof(float));
	float	   *offsets = HugeArray(n, sizeof(float));
	MfItems		items = {n, d, vectors, offsets};
	MfParallel	parallel;
	Size		size;

	InitParallel(&parallel);
	parallel.nthreads = 1;		/* a session that serves has one thread */
	if (interest)
		CheckCore(mf_gram(&parallel, rows->interest, n, d, NULL, SectionStart(block, SECTION_GRAM),
						  HugeArray(mf_gram_size(d, &parallel), 1)));
	if (((ImageHeader *) block)->length[SECTION_RATING] > 0)
		memcpy(SectionStart(block, SECTION_RATING), rows->rating, n * rows->ld * sizeof(float));
	mf_list_vectors(&image->objective, &factors, n, vectors, offsets);
	size = mf_index_build(SectionStart(block, SECTION_INDEX),
						  HugeArray(mf_index_workspace(n, d, &parallel), 1), &items, MF_CODES_AUTO, &parallel);
	CheckCore(size == 0 ? MF_CANCELLED : MF_OK);
	((ImageHeader *) block)->length[SECTION_INDEX] = size;
}

/* Points the image's views into a block. */
static void
MapSections(Image *image, const char *block)
{
	const ImageHeader *header = (const ImageHeader *) block;
	bool		by_reference = !image->item_type.is_int && !image->item_type.typbyval;

	image->size = header->size;
	image->nitems = header->nitems;
	image->ids.type = &image->item_type;
	image->ids.count = header->nitems;
	image->ids.ids = SectionStart(block, SECTION_IDS);
	image->ids.base = by_reference ? SectionStart(block, SECTION_VALUES) : NULL;
	image->ids.slots = SectionStart(block, SECTION_SLOTS);
	image->ids.mask = header->slots - 1;
	image->counts = SectionStart(block, SECTION_COUNTS);
	image->popular = SectionStart(block, SECTION_POPULAR);
	image->bias = SectionStart(block, SECTION_BIAS);
	image->gram = SectionStart(block, SECTION_GRAM);
	image->rating = header->length[SECTION_RATING] > 0 ? SectionStart(block, SECTION_RATING) : NULL;
	if (!mf_index_open(&image->index, SectionStart(block, SECTION_INDEX), header->length[SECTION_INDEX]))
		elog(ERROR, "item index is damaged");
}

/* Builds the block from the model table, in the image's own context. */
static void
BuildImage(const Model *model, int32 version, Image *image)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "mfrec image build",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(scratch);
	ItemRows	rows = {0};
	ImageHeader header;
	char	   *block;

	ReadItems(model, version, image, &rows);
	PlanSections(&header, image, &rows);
	block = MemoryContextAllocExtended(image->context, header.size + 64, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	block = (char *) TYPEALIGN(64, block);
	memcpy(block, &header, sizeof(ImageHeader));
	FillIds(block, image, &rows);
	memcpy(SectionStart(block, SECTION_COUNTS), rows.counts, sizeof(int32) * image->nitems);
	memcpy(SectionStart(block, SECTION_BIAS), rows.bias, sizeof(float) * image->nitems);
	FillPopular(block, image, &rows);
	FillVectors(block, image, &rows);
	MemoryContextSwitchTo(image->context);
	MapSections(image, block);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(scratch);
}

/* An image without its block: what the version row says. */
static Image *
CreateImage(const Model *model, int32 version, const pg_uuid_t *uuid)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec image", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Image	   *image = palloc0(sizeof(Image));
	Jsonb	   *parameters = VersionParameters(model, version);

	image->context = context;
	image->uuid = *uuid;
	ObjectiveFromJson(&image->objective, parameters);
	image->mean_user = MeanUserFromJson(parameters, image->objective.factors, &image->mean_bias);
	FactorIdType(model->user_relid, USER_ID, &image->user_type);
	FactorIdType(model->item_relid, ITEM_ID, &image->item_type);
	MemoryContextSwitchTo(old);
	return image;
}

/* Puts an image among the kept ones, in the place of one that nobody uses if there is none free. */
static void
KeepImage(Image *image)
{
	int			victim = -1;

	for (int i = 0; i < KEPT_IMAGES; i++)
	{
		if (kept[i] == NULL)
		{
			victim = i;
			break;
		}
		if (kept[i]->pins == 0 && (victim < 0 || kept[i]->last_use < kept[victim]->last_use))
			victim = i;
	}
	if (victim < 0)
		return;
	if (kept[victim])
		MemoryContextDelete(kept[victim]->context);
	kept[victim] = image;
	MemoryContextSetParent(image->context, CacheMemoryContext);
}

static void
NoSuchVersion(const Model *model, int32 version)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" has no version %d", model->name, version),
			 errhint("The view mf_models lists the versions that are kept.")));
}

/*
 * Opens a version for reading; the caller has checked the model's tables and the right to read
 * them.  Valid until CloseImage, or the end of the transaction where that is not called.  Where row
 * security hides items from the caller, the image is of this call alone.
 */
Image *
OpenImage(const Served *served, int32 version)
{
	const Model *model = &served->model;
	bool		partial = check_enable_rls(model->item_relid, InvalidOid, true) == RLS_ENABLED;
	pg_uuid_t	uuid;
	Image	   *image = NULL;

	if (version == model->version && served->has_image)
		uuid = served->image;
	else if (!FindVersionImage(model, version, &uuid))
		NoSuchVersion(model, version);
	for (int i = 0; i < KEPT_IMAGES && image == NULL && !partial; i++)
		if (kept[i] && memcmp(&kept[i]->uuid, &uuid, sizeof(uuid)) == 0)
			image = kept[i];
	if (image == NULL)
	{
		image = CreateImage(model, version, &uuid);
		BuildImage(model, version, image);
		if (!partial)
			KeepImage(image);
	}
	image->last_use = ++uses;
	image->pins++;
	return image;
}

/* Ends a use of an image. */
void
CloseImage(Image *image)
{
	image->pins--;
}

/*
 * s_i, ld floats: what the interest part multiplies; needs an interest part.  It may be put together
 * in space, ld floats, which a model without a rating part does not need.
 */
const float *
InterestVector(const Image *image, int32 item, float *space)
{
	const float *v = mf_index_vector(&image->index, item);
	int			ld = image->index.ld;

	if (image->rating == NULL)
		return v;
	memcpy(space, v, sizeof(float) * ld);
	mf_vec()->add(space, image->rating + (Size) item * ld, -(float) image->objective.taste, ld);
	return space;
}

/* q_i, ld floats: what the rating part multiplies; needs a rating part. */
const float *
RatingVector(const Image *image, int32 item)
{
	return image->rating ? image->rating + (Size) item * image->index.ld : mf_index_vector(&image->index, item);
}
