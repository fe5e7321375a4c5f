/*
 * image_renew.c - the image of a version in which some items have changed, made from the image that it had.
 *
 * In comments n is the number of items now, m of those before.  The file of the image before is mapped as a copy, and
 * in that copy the block is brought up to date: what is small is written anew, in the index and among vectors only what
 * is of items that have changed (core/topk/index_renew.c).  Then the pages that differ become the file of the new image
 * (image_patch.c).  It says to the bit what a block says that is built from the same items, so lists are the same.
 *
 * Whatever does not fit is no error: then the block is built.
 */
#include "postgres.h"

#include "compat.h"
#include "core/base/padding.h"
#include "core/predict/predict.h"
#include "core/topk/directions.h"
#include "image/direction_rows.h"
#include "image/image_block.h"
#include "image/image_patch.h"
#include "image/image_renew.h"
#include "pg/alloc.h"
#include "pg/core_call.h"

/* A renewal on its way. */
typedef struct Renewal
{
	const ImageChanges *changes;
	ImageCopy	copy;
	IdMap		ids;			/* of the image before, then of this one */
	int64		n;
	int32	   *order;			/* n: the number of each item among changes' ids */
	int32	   *before;			/* n: what was its number in the image; -1 of those that have changed or come */
} Renewal;

/* Reset callback of a renewal's context: its maps. */
static void
CloseRenewal(void *arg)
{
	CloseImageCopy(&((Renewal *) arg)->copy);
}

static ImageHeader *
HeaderOf(const Renewal *renewal)
{
	return (ImageHeader *) renewal->copy.block;
}

/*
 * Whether the image is of the same kind, so that what it has of items that are kept is what it would have of them now.
 */
static bool
SameKind(const Renewal *renewal)
{
	const ImageHeader *header = HeaderOf(renewal);
	const ImageSource *source = &renewal->changes->source;
	const IdType *type = source->ids->type;

	/* where padding alone differs, the image is built anew */
	/* NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-exp42-c,cert-flp37-c) */
	return memcmp(&header->objective, &source->objective, sizeof(MfObjective)) == 0 &&
		header->id_type == type->base && header->id_collation == HashCollation(type) &&
		header->length[SECTION_INTEREST] == 0 && (header->length[SECTION_NUMBERED] > 0) == (source->numbers != NULL) &&
		(header->length[SECTION_TRENDS] > 0) == (source->trends != NULL);
}

/* Whether cold items have in common what they had, which is in the directions of all of them. */
static bool
SameShift(const Renewal *renewal)
{
	const ImageSource *source = &renewal->changes->source;
	const float *shift = SectionStart(renewal->copy.block, SECTION_COLD_SHIFT);
	int			d = mf_dimensions(&source->objective);

	for (int j = 0; j < d; j++)
		if (shift[j] != (source->cold_shift ? source->cold_shift[j] : 0))
			return false;
	return true;
}

/* A view of the block's dictionary. */
static void
ViewIds(Renewal *renewal)
{
	char	   *block = renewal->copy.block;
	IdType	   *type = renewal->changes->source.ids->type;
	IdMap	   *ids = &renewal->ids;

	memset(ids, 0, sizeof(IdMap));
	ids->type = type;
	ids->count = HeaderOf(renewal)->nitems;
	ids->ids = SectionStart(block, SECTION_IDS);
	ids->base = !type->is_int && !type->typbyval ? SectionStart(block, SECTION_VALUES) : NULL;
	ids->slots = SectionStart(block, SECTION_SLOTS);
	ids->mask = HeaderOf(renewal)->slots - 1;
}

/* number (m): of each item of the image among changes' ids, -1 where they do not have it. */
static void
FindNumbers(const Renewal *renewal, int32 *number)
{
	const IdMap *ids = &renewal->ids;
	int64		id[256];

	for (int64 from = 0; from < ids->count; from += lengthof(id))
	{
		int			k = Min(ids->count - from, (int64) lengthof(id));

		for (int i = 0; i < k; i++)
			id[i] = IdAt(ids, from + i);
		FindHashedIds(renewal->changes->source.ids, id, k, number + from);
	}
}

/*
 * The items that have come, in the order of their ids: *came, with their numbers among changes' ids; -1 where the image
 * has not all items that it must have.
 */
static int64
FindNewcomers(const Renewal *renewal, const int32 *number, int32 **came)
{
	const ImageChanges *changes = renewal->changes;
	const IdMap *ids = changes->source.ids;
	bool	   *had = HugeZeroArray(ids->count, sizeof(bool));
	IdMap	   *newcomers = CreateIdMap(ids->type);
	int64		k = 0;

	for (int64 i = 0; i < renewal->ids.count; i++)
	{
		if (number[i] < 0)
			return -1;
		had[number[i]] = true;
	}
	for (int32 i = 0; i < ids->count; i++)
	{
		if (had[i] || changes->fate[i] == ITEM_GONE)
			continue;
		if (changes->fate[i] == ITEM_KEPT)
			return -1;
		(void) AddId(newcomers, IdAt(ids, i));
	}
	(void) SortIdMap(newcomers);
	*came = HugeArray(newcomers->count, sizeof(int32));
	for (k = 0; k < newcomers->count; k++)
		(*came)[k] = FindId(ids, IdAt(newcomers, k));
	return k;
}

/* The number of ids of the image, from `from` on, that come before an id: by steps that double, then halve. */
static int64
CountBefore(const Renewal *renewal, int64 from, int64 id)
{
	const IdMap *ids = &renewal->ids;
	int64		low = from;
	int64		high = ids->count;

	while (low < high)
	{
		int64		middle = (low + high) / 2;

		if (CompareIds(ids->type, IdAt(ids, middle), id) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Puts the items of the image that are still there, and those that have come, in order: renewal->order, before and n.
 */
static void
MergeItems(Renewal *renewal, const int32 *number, const int32 *came, int64 ncame)
{
	const ImageChanges *changes = renewal->changes;
	int64		m = renewal->ids.count;
	int64		next = 0;

	renewal->n = 0;
	renewal->order = HugeArray(m + ncame, sizeof(int32));
	renewal->before = HugeArray(m + ncame, sizeof(int32));
	for (int64 k = 0; k <= ncame; k++)
	{
		int64		until = k == ncame ? m : CountBefore(renewal, next, IdAt(changes->source.ids, came[k]));

		for (; next < until; next++)
		{
			uint8		fate = changes->fate[number[next]];

			if (fate == ITEM_GONE)
				continue;
			renewal->order[renewal->n] = number[next];
			renewal->before[renewal->n++] = fate == ITEM_KEPT ? (int32) next : -1;
		}
		if (k < ncame)
		{
			renewal->order[renewal->n] = came[k];
			renewal->before[renewal->n++] = -1;
		}
	}
}

/* Whether all that there is has room in the sections, and a hash table that is at most half full. */
static bool
HasRoom(const Renewal *renewal, const int32 *came, int64 ncame)
{
	const ImageHeader *header = HeaderOf(renewal);
	const ImageSource *source = &renewal->changes->source;
	int64		values = header->value_bytes;

	for (int64 k = 0; k < ncame; k++)
		values += IdValueBytes(source->ids->type, IdAt(source->ids, came[k]));
	return renewal->n > 0 && renewal->n <= header->room && 2 * renewal->n <= header->slots &&
		values <= header->length[SECTION_VALUES] &&
		(source->numbers == NULL || source->nnumbers * (int64) sizeof(int32) <= header->length[SECTION_NUMBERED]);
}

/* Writes the dictionary, in which values only come to those that there are; and its hash table. */
static void
RenewIds(Renewal *renewal)
{
	ImageHeader *header = HeaderOf(renewal);
	const IdMap *from = renewal->changes->source.ids;
	int64	   *ids = HugeArray(renewal->n, sizeof(int64));
	char	   *values = SectionStart(renewal->copy.block, SECTION_VALUES);

	for (int64 i = 0; i < renewal->n; i++)
	{
		int64		id = IdAt(from, renewal->order[i]);
		int32		known = renewal->before[i] >= 0 ? renewal->before[i] : FindId(&renewal->ids, id);

		ids[i] = known >= 0 ? renewal->ids.ids[known] : PutIdValue(from->type, id, values, &header->value_bytes);
	}
	memcpy(renewal->ids.ids, ids, sizeof(int64) * renewal->n);
	renewal->ids.count = renewal->n;
	FillSlots(&renewal->ids);
}

/* Writes counts, faded and not, biases, and what follows from them and from numbers. */
static void
RenewColumns(Renewal *renewal)
{
	const ImageSource *source = &renewal->changes->source;
	char	   *block = renewal->copy.block;
	int32	   *counts = SectionStart(block, SECTION_COUNTS);
	float	   *bias = SectionStart(block, SECTION_BIAS);
	float	   *trends = SectionStart(block, SECTION_TRENDS);

	for (int64 i = 0; i < renewal->n; i++)
	{
		if (source->trends)
			trends[i] = source->trends[renewal->order[i]];
		counts[i] = source->counts[renewal->order[i]];
		bias[i] = source->bias ? source->bias[renewal->order[i]] : 0;
	}
	FillOrders(block);
	FillNumbered(block, source->numbers, renewal->order);
	FillGram(block, source, renewal->order);
}

/*
 * What the index needs to know of the items that have changed: their list vectors.  False where the block would need
 * more.
 */
static bool
DescribeChanges(const Renewal *renewal, MfRenewal *index)
{
	const ImageSource *source = &renewal->changes->source;
	const MfObjective *objective = &source->objective;
	int64		ld = mf_padded(mf_dimensions(objective));
	Size		row = sizeof(float) * ld;
	bool		both = source->interest && source->rating;
	int32	   *item = HugeArray(renewal->n, sizeof(int32));
	int64		k = 0;
	float	   *vector;
	float	   *offset;
	float	   *part[2] = {NULL, NULL};
	float	   *taste;
	float	   *recency;

	for (int64 i = 0; i < renewal->n; i++)
		if (renewal->before[i] < 0)
			item[k++] = (int32) i;
	vector = AlignedArray(k, row);
	offset = HugeArray(k, sizeof(float));
	taste = HugeArray(k, sizeof(float));
	recency = HugeArray(k, sizeof(float));
	for (int p = 0; p < 2 && source->interest; p++)
		part[p] = p == 0 || both ? AlignedArray(k, row) : NULL;
	for (int64 c = 0; c < k; c++)
	{
		int64		number = renewal->order[item[c]];
		const float *interest = source->interest ? source->interest + number * ld : NULL;
		const float *rating = source->rating ? source->rating + number * ld : NULL;
		float		bias = source->bias ? source->bias[number] : 0;
		MfFactors	factors = {.interest = unconstify(float *, interest),.rating = unconstify(float *, rating),.item_bias = &bias};

		taste[c] = mf_item_taste(objective, source->counts[number]);
		if (both && HeaderOf(renewal)->length[SECTION_RATING] > 0 &&
			mf_interest_is_lost(objective, taste[c], interest, rating))
			return false;
		recency[c] = source->trends ? mf_item_recency(objective, source->counts[number], source->trends[number]) : 1;
		for (int p = 0; p < 2 && part[p]; p++)
			memcpy(part[p] + c * ld, p == 0 ? interest : rating, row);
		mf_list_vectors(objective, &factors, &source->counts[number], source->trends ? &source->trends[number] : NULL, 1,
						vector + c * ld, offset + c);
	}
	*index = (MfRenewal) {renewal->n, renewal->before, k, item, vector, offset, {part[0] ? part[0] : vector, part[1]}, taste,
	recency};
	return true;
}

/*
 * Renews the index for lists and vectors that lie as it has its own, then that of directions.  False where there is no
 * room.
 */
static bool
RenewIndexes(Renewal *renewal)
{
	char	   *block = renewal->copy.block;
	const int64 *length = HeaderOf(renewal)->length;
	void	   *space = SectionStart(block, SECTION_INDEX);
	MfRenewal	changes;
	DirectionRows directions;
	MfIndex		index;
	MfVectors	rows;

	if (!DescribeChanges(renewal, &changes) || !mf_index_open(&index, space, length[SECTION_INDEX]) ||
		!mf_index_renew(space, length[SECTION_INDEX],
						AlignedArray(mf_index_renew_workspace(&index, &changes), 1), &changes) ||
		!mf_index_open(&index, space, length[SECTION_INDEX]))
		return false;
	FillVectors(block, &renewal->changes->source, renewal->order, mf_index_base_rows(&index));
	rows = ViewDirectionRows(&directions, block, &index);
	return mf_directions_renew(SectionStart(block, SECTION_SIMILAR), length[SECTION_SIMILAR],
							   AlignedArray(mf_directions_renew_workspace(rows.factors), 1), &index, &rows);
}

/* The codes of an index, of those that it has, that lie in the block as the base has them. */
static ImageSpan
SameCodes(const char *block, const MfIndex *index)
{
	return (ImageSpan) {(const char *) index->sq4.code - block,
		mf_index_base_rows(index) / MF_PACK * index->sq4.dims * 8};
}

/* Writes the file: a patch, for which vectors and codes that lie where the base has them need not be looked at. */
static bool
WriteRenewal(const Renewal *renewal, const pg_uuid_t *uuid)
{
	ImageHeader *header = HeaderOf(renewal);
	char	   *block = renewal->copy.block;
	ImageSpan	same[5];
	int			n = 0;
	int64		base;
	DirectionRows directions;
	MfVectors	vectors;
	MfIndex		index;
	MfIndex		similar;

	header->uuid = *uuid;
	SealImageHeader(header);
	vectors = ViewDirectionRows(&directions, block, &index);
	if (!mf_index_open(&index, SectionStart(block, SECTION_INDEX), header->length[SECTION_INDEX]) ||
		!mf_directions_open(&similar, &index, &vectors, SectionStart(block, SECTION_SIMILAR), header->length[SECTION_SIMILAR]))
		return false;
	base = mf_index_base_rows(&index);
	if (header->length[SECTION_RATING] > 0)
		same[n++] = (ImageSpan) {header->offset[SECTION_RATING], base * index.ld * sizeof(float)};
	if (index.vector)
		same[n++] = (ImageSpan) {(const char *) index.vector - block, base * index.ld * sizeof(float)};
	for (int p = 0; p < mf_index_narrow_parts(&index); p++)
		same[n++] = (ImageSpan) {(const char *) index.narrow.number[p] - block,
			base * index.narrow.stride[p] * sizeof(int16)};
	if (index.sq4.dims > 0)
		same[n++] = SameCodes(block, &index);
	if (similar.sq4.dims > 0)
		same[n++] = SameCodes(block, &similar);
	return WriteImagePatch(uuid, &renewal->copy, same, n);
}

/* Writes what is not of items. */
static void
RenewConstants(const Renewal *renewal)
{
	const ImageSource *source = &renewal->changes->source;

	HeaderOf(renewal)->nitems = renewal->n;
	if (source->numbers)
		HeaderOf(renewal)->nnumbers = source->nnumbers;
	HeaderOf(renewal)->mean_bias = source->mean_bias;
	FillMeans(renewal->copy.block, source);
}

/* Brings the copy of the block up to date, and writes it; false where it cannot be. */
static bool
RenewBlock(Renewal *renewal, const pg_uuid_t *uuid)
{
	int32	   *number;
	int32	   *came;
	int64		ncame;

	if (!SameKind(renewal) || !SameShift(renewal))
		return false;
	ViewIds(renewal);
	number = HugeArray(renewal->ids.count, sizeof(int32));
	FindNumbers(renewal, number);
	ncame = FindNewcomers(renewal, number, &came);
	if (ncame < 0)
		return false;
	MergeItems(renewal, number, came, ncame);
	if (!HasRoom(renewal, came, ncame))
		return false;
	RenewIds(renewal);
	RenewConstants(renewal);
	RenewColumns(renewal);
	return RenewIndexes(renewal) && WriteRenewal(renewal, uuid);
}

/*
 * Writes the file of a version's image from that of the image that it had before, which nobody else is about to unlink,
 * and what has changed since.  False where there is none, or it does not go with the changes, or has no room for them;
 * then the image has to be built.
 */
bool
RenewImageFile(const pg_uuid_t *before, const pg_uuid_t *uuid, const ImageChanges *changes)
{
	MemoryContext workspace = AllocSetContextCreate(CurrentMemoryContext, "mfrec image renewal", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(workspace);
	Renewal    *renewal = palloc0(sizeof(Renewal));
	MemoryContextCallback *callback = palloc0(sizeof(MemoryContextCallback));
	bool		renewed;

	renewal->changes = changes;
	callback->func = CloseRenewal;
	callback->arg = renewal;
	MemoryContextRegisterResetCallback(workspace, callback);
	renewed = OpenImageCopy(before, &renewal->copy) && RenewBlock(renewal, uuid);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(workspace);
	return renewed;
}
