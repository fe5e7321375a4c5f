/*
 * image_cache.c - a version's items as serving reads them: one block of memory without pointers.
 *
 * The model tables are the truth; an image is derived from them and named by the version's uuid,
 * which no other training ever gets.  So an image can be old, but never wrong: every call reads the
 * model's row under its own snapshot and takes the image of that uuid.  A session keeps the images
 * that it used last, mapped from the file that all sessions share (image_file.c).  Where there is no file,
 * one session builds it while the others that need it wait.
 *
 * A role to which row security of the item table applies sees the items that policies show to it, which may
 * depend on anything, and so does every role where a view has taken the table's place.  They get an image
 * built for this one call.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "core/predict/predict.h"
#include "core/topk/directions.h"
#include "image/image_block.h"
#include "image/image_cache.h"
#include "image/image_file.h"
#include "image/image_patch.h"
#include "image/image_read.h"
#include "image/image_sweep.h"
#include "model/missing_rows.h"

static SessionCache images = {.places = 4};	/* of Image */
static SessionCache small_images = {.places = 64};	/* of those that have no file: see HasImageFile() */

/* Points the image's views into its block; false when the index in it is not what the header says. */
static bool
ViewBlock(Image *image)
{
	const char *block = image->block;
	const ImageHeader *header = (const ImageHeader *) block;
	bool		by_reference = !image->item_type.is_int && !image->item_type.typbyval;
	MfVectors	rows;

	image->objective = header->objective;
	image->mean_bias = header->mean_bias;
	image->mean_user = SectionStart(block, SECTION_MEAN_USER);
	image->cold_shift = SectionStart(block, SECTION_COLD_SHIFT);
	image->nitems = header->nitems;
	image->ids.type = &image->item_type;
	image->ids.count = header->nitems;
	image->ids.ids = SectionStart(block, SECTION_IDS);
	image->ids.base = by_reference ? SectionStart(block, SECTION_VALUES) : NULL;
	image->ids.slots = SectionStart(block, SECTION_SLOTS);
	image->ids.mask = header->slots - 1;
	image->counts = SectionStart(block, SECTION_COUNTS);
	image->popular = SectionStart(block, SECTION_POPULAR);
	image->trends = header->length[SECTION_TRENDS] > 0 ? SectionStart(block, SECTION_TRENDS) : NULL;
	image->trending = image->trends ? SectionStart(block, SECTION_TRENDING) : NULL;
	image->nnumbers = header->nnumbers;
	image->numbered = image->nnumbers > 0 ? SectionStart(block, SECTION_NUMBERED) : NULL;
	image->bias = SectionStart(block, SECTION_BIAS);
	image->gram = SectionStart(block, SECTION_GRAM);
	image->interest = header->length[SECTION_INTEREST] > 0 ? SectionStart(block, SECTION_INTEREST) : NULL;
	image->rating = header->length[SECTION_RATING] > 0 ? SectionStart(block, SECTION_RATING) : NULL;
	rows = ViewDirectionRows(&image->directions, block, &image->index);
	return mf_index_open(&image->index, SectionStart(block, SECTION_INDEX), header->length[SECTION_INDEX]) &&
		mf_directions_open(&image->similar, &image->index, &rows, SectionStart(block, SECTION_SIMILAR),
						   header->length[SECTION_SIMILAR]);
}

/* Reset callback of an image's context: memory that palloc() does not own. */
static void
UnmapImage(void *arg)
{
	Image	   *image = arg;

	if (image->mapped > 0)
		UnmapImageFile(image->block, image->mapped);
}

/* Whether ids of one type are found by a hash table of the other: the same base type, and the same ids equal. */
static bool
SameHash(const IdType *a, const IdType *b)
{
	return a->base == b->base && HashCollation(a) == HashCollation(b);
}

/* An error where a column of ids has got another type: what was looked at before a wait is read after it. */
static void
CheckSameType(const Model *model, const IdType *before, const IdType *now)
{
	if (!SameHash(before, now))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("ids of model \"%s\" are no longer of type %s", model->name, format_type_be(before->type)),
				 errdetail("Its tables were altered while this statement ran."),
				 errhint("Run the statement again.")));
}

/* An image without its block, in a context of its own below the current one, whose end also ends a map. */
static Image *
CreateImage(const CachedModel *cached, const pg_uuid_t *uuid)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec image", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Image	   *image = palloc0(sizeof(Image));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));

	image->entry.context = context;
	image->uuid = *uuid;
	FactorIdType(cached->model.user_relid, USER_ID, &image->user_type);
	FactorIdType(cached->model.item_relid, ITEM_ID, &image->item_type);
	CheckSameType(&cached->model, &cached->user_type, &image->user_type);
	CheckSameType(&cached->model, &cached->item_type, &image->item_type);
	callback->func = UnmapImage;
	callback->arg = image;
	MemoryContextRegisterResetCallback(context, callback);
	MemoryContextSwitchTo(old);
	return image;
}

/* Whether ids in the block are of the type that the item table has; integers of all widths are kept alike. */
static bool
HasType(const ImageHeader *header, const IdType *idtype)
{
	bool		is_int = header->id_type == INT2OID || header->id_type == INT4OID || header->id_type == INT8OID;

	if (is_int && idtype->is_int)
		return true;
	return header->id_type == idtype->base && header->id_collation == HashCollation(idtype);
}

/* Maps the version's file; false where there is none, or none that is sound. */
static bool
MapImage(Image *image)
{
	image->block = MapImageFile(&image->uuid, false, &image->mapped);
	if (image->block && HasType((const ImageHeader *) image->block, &image->item_type) && ViewBlock(image))
		return true;
	if (image->block)
		UnmapImageFile(image->block, image->mapped);
	image->block = NULL;
	image->mapped = 0;
	return false;
}

/*
 * Builds the block in memory of the image's own, from the model table as the caller sees it.  alone: it stays there, for
 * this session.
 */
static void
BuildImage(const CachedModel *cached, int32 version, bool alone, Image *image)
{
	MemoryContext workspace = AllocSetContextCreate(CurrentMemoryContext, "mfrec image source",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(workspace);
	ImageSource source;

	image->memory = AllocSetContextCreate(image->entry.context, "mfrec image block", ALLOCSET_SMALL_SIZES);
	ReadImageSource(&source, &cached->model, version, &image->uuid);
	source.alone = alone;
	CheckSameType(&cached->model, &image->item_type, source.ids->type);
	image->block = BuildImageBlock(&source, image->memory);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(workspace);
	if (!ViewBlock(image))
		elog(ERROR, "item index is damaged");
}

/*
 * Builds the image, leaves it to all sessions in a file, and maps that: then the memory is given back.  Where the
 * file cannot be written, or read again, the image stays in memory.
 */
static void
ShareImage(const CachedModel *cached, int32 version, Image *image)
{
	const char *built;

	BuildImage(cached, version, false, image);
	built = image->block;
	if (image->nitems == 0)
		CheckNoRows(&cached->model, version, false);
	if (!WriteImageFile(&image->uuid, (char *) built))
		return;
	if (MapImage(image))
	{
		MemoryContextDelete(image->memory);
		image->memory = NULL;
	}
	else
	{
		image->block = built;
		(void) ViewBlock(image);
	}
	SweepImages();
}

/*
 * The image of a version that the caller sees in full: mapped, or built by this session for all.  The tables are
 * locked before the image, so that the session that builds it, for which others wait, waits for no table.
 */
static Image *
GetImage(const CachedModel *cached, int32 version, const pg_uuid_t *uuid)
{
	Image	   *image = CreateImage(cached, uuid);

	if (!HasImageFile(&cached->model, VersionRows(&cached->model, version, false)))
	{
		LockModelTables(&cached->model);
		BuildImage(cached, version, true, image);
		if (image->nitems == 0)
			CheckNoRows(&cached->model, version, false);
		return image;
	}
	if (MapImage(image))
		return image;
	LockModelTables(&cached->model);
	LockImage(uuid);
	if (!MapImage(image))
		ShareImage(cached, version, image);
	UnlockImage(uuid);
	return image;
}

/* Keeps an image for the session; kept ones whose file has gone since, as is known only now, go first. */
static void
KeepImage(Image *image)
{
	for (int i = 0; i < images.places; i++)
	{
		Image	   *other = (Image *) images.entries[i];

		if (other && other->entry.pins == 0 && other->mapped > 0 && ImageFileBytes(&other->uuid) == 0)
			other->entry.stale = true;
	}
	KeepCacheEntry(image->mapped == 0 && image->nitems <= MOST_WITHOUT_FILE ? &small_images : &images, &image->entry);
}

/* An error for a version that is not kept, or never was. */
static void
NoSuchVersion(const Model *model, int32 version)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" has no version %d", model->name, version),
			 errhint("The view mf_models lists the versions that are kept.")));
}

/* The image of that uuid in a cache, or NULL; one that was made for ids of other types than now does not count. */
static Image *
FindIn(const SessionCache *cache, const CachedModel *cached, const pg_uuid_t *uuid)
{
	for (int i = 0; i < cache->places; i++)
	{
		Image	   *image = (Image *) cache->entries[i];

		if (image && memcmp(&image->uuid, uuid, sizeof(pg_uuid_t)) == 0 &&
			SameHash(&image->item_type, &cached->item_type) && SameHash(&image->user_type, &cached->user_type))
			return image;
	}
	return NULL;
}

/* The kept image of that uuid, or NULL. */
static Image *
FindKept(const CachedModel *cached, const pg_uuid_t *uuid)
{
	Image	   *image = FindIn(&images, cached, uuid);

	return image ? image : FindIn(&small_images, cached, uuid);
}

/*
 * Opens a version for reading; the caller has checked the model's tables and the right to read them.  Valid until
 * CloseImage, or the end of the transaction where that is not called.  Where the caller may see other items than
 * others do, the image is of this call alone: built from what they see, and never written.
 */
Image *
OpenImage(const CachedModel *cached, int32 version)
{
	const Model *model = &cached->model;
	bool		partial = !SeesAllRows(model->item_relid);
	pg_uuid_t	uuid;
	Image	   *image;

	if (version == model->version && cached->has_image)
		uuid = cached->image;
	else if (!FindVersionImage(model, version, &uuid))
		NoSuchVersion(model, version);
	if (partial)
	{
		image = CreateImage(cached, &uuid);
		LockModelTables(model);
		BuildImage(cached, version, true, image);
	}
	else
	{
		image = FindKept(cached, &uuid);
		if (image == NULL)
		{
			image = GetImage(cached, version, &uuid);
			KeepImage(image);
		}
	}
	PinCacheEntry(&image->entry);
	return image;
}

/* Ends a use of an image. */
void
CloseImage(Image *image)
{
	UnpinCacheEntry(&image->entry);
}

/* What lists multiply an item's vector by: see mf_item_recency(). */
float
ItemRecency(const Image *image, int32 item)
{
	return image->trends ? mf_item_recency(&image->objective, image->counts[item], image->trends[item]) : 1;
}

/* s_i, ld floats: what the interest part multiplies; needs an interest part.  It may be put together in workspace. */
const float *
InterestVector(const Image *image, int32 item, float *workspace)
{
	const MfIndex *index = &image->index;
	int32		at = index->position[item];
	int			ld = index->ld;
	const float *v;

	if (image->interest)
		return image->interest + (Size) at * ld;
	if (index->vector == NULL)
		return mf_index_part(index, 0, at, ld, workspace);
	v = mf_index_row(index, at, workspace);
	if (image->rating == NULL)
		return v;
	memset(workspace, 0, sizeof(float) * ld);
	mf_interest_vector(image->objective.factors, mf_item_taste(&image->objective, image->counts[item]), v,
					   image->rating + (Size) at * ld, workspace);
	return workspace;
}

/* q_i, likewise: what the rating part multiplies; needs a rating part. */
const float *
RatingVector(const Image *image, int32 item, float *workspace)
{
	const MfIndex *index = &image->index;
	int32		at = index->position[item];

	if (image->rating)
		return image->rating + (Size) at * index->ld;
	if (index->narrow.number[1])
		return mf_index_part(index, 1, at, index->ld, workspace);
	return mf_index_row(index, at, workspace);
}
