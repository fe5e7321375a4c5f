/*
 * content_profile.c - what is reached by content alone: cold items by how much they are like what the user has.
 *
 * The oldest recommender of new items needs no model: the features of what a user has are summed up to a profile, and
 * items go by the cosine of their features with it (Lops, de Gemmis and Semeraro, "Content-based recommender systems",
 * 2011, section 3.3.1.1).  Whoever has rich attributes should know what that reaches before they trust a model.
 *
 * Attributes are read as a training reads them, from the relation as it is now: all columns with the same say, a
 * column's cells of length 1 in each row, and then the row.  Nothing of the model is used, but for the names of its
 * arguments.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/base/heap.h"
#include "eval/content_profile.h"
#include "features/feature_arguments.h"
#include "features/features_load.h"
#include "pg/alloc.h"
#include "pg/memory_limit.h"
#include "serve/item_encode.h"

/* The image's items, those with ratings first, as a dictionary that features are read for. */
static IdMap *
ItemsByRatings(const Image *image)
{
	IdType	   *type = palloc(sizeof(IdType));
	IdMap	   *items;

	*type = image->item_type;
	items = CreateIdMap(type);
	for (int32 i = 0; i < image->nitems; i++)
		if (!mf_is_cold(&image->objective, image->counts[i]))
			(void) AddId(items, IdAt(&image->ids, i));
	return items;
}

/* content->cold: the numbers of the image's cold items. */
static void
ListColdItems(ContentItems *content, const Image *image)
{
	content->cold = HugeArray(image->nitems, sizeof(int32));
	for (int32 i = 0; i < image->nitems; i++)
		if (mf_is_cold(&image->objective, image->counts[i]))
			content->cold[content->ncold++] = i;
}

/* The number in the image of each item of the features; -1: the version does not have it. */
static int32 *
NumbersInImage(const Features *features, const Image *image)
{
	int32	   *number = HugeArray(features->nitems, sizeof(int32));

	for (int64 i = 0; i < features->nitems; i++)
		number[i] = FindId(&image->ids, IdAt(features->ids, (int32) i));
	return number;
}

/* Copies an item's cells, made a row of length 1. */
static void
CopyRow(ContentItems *content, int64 to, const MfRows *rows, int64 row)
{
	double		squares = 0;

	for (int64 c = rows->start[row]; c < rows->start[row + 1]; c++)
		squares += (double) rows->rating[c] * rows->rating[c];
	for (int64 c = rows->start[row]; c < rows->start[row + 1]; c++, to++)
	{
		content->feature[to] = rows->column[c];
		content->value[to] = squares > 0 ? (float) (rows->rating[c] / sqrt(squares)) : 0;
	}
}

/* Takes the cells of the image's items out of the features. */
static void
CopyCells(ContentItems *content, Features *features, const Image *image)
{
	const int64 *start = features->by_item.start;
	int32	   *number = NumbersInImage(features, image);
	MfRows		rows;

	content->nfeatures = features->nfeatures;
	content->start = HugeZeroArray(image->nitems + 1, sizeof(int64));
	for (int64 i = 0; i < features->nitems; i++)
		if (number[i] >= 0)
			content->start[number[i] + 1] = start[i + 1] - start[i];
	for (int64 i = 0; i < image->nitems; i++)
		content->start[i + 1] += content->start[i];
	content->feature = HugeArray(content->start[image->nitems], sizeof(int32));
	content->value = HugeArray(content->start[image->nitems], sizeof(float));
	RewindCells(&features->by_item);
	while (NextCells(&features->by_item, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
			if (number[rows.first + r] >= 0)
				CopyRow(content, content->start[number[rows.first + r]], &rows, r);
	pfree(number);
}

/*
 * What attributes say of the version's items, in the current memory context; NULL, with a notice, where they cannot be
 * read: the relation has gone or is not for the current user, or says nothing of items any more.
 */
ContentItems *
LoadContent(const Recommender *r, const MfParallel *parallel)
{
	FeatureSource source;
	ContentItems *content = NULL;
	Features   *features = NULL;
	Jsonb	   *parameters = VersionParameters(r->model, r->version);

	if (parameters && OpenAttributes(&source, &item_side, r->model, parameters, &r->image->item_type))
		features = LoadFeatures(&source, ItemsByRatings(r->image), MaintenanceMemory(), parallel);
	if (features)
	{
		content = palloc0(sizeof(ContentItems));
		ListColdItems(content, r->image);
		CopyCells(content, features, r->image);
		FreeFeatures(features);
	}
	else
		ereport(NOTICE,
				(errmsg("what content alone reaches is not measured: the attributes of items of model \"%s\" cannot be read", r->model->name),
				 errdetail("The relation that the model was trained with has gone, you may not read it, or it says nothing of items with ratings now.")));
	return content;
}

/* Spaces for so many threads, in the current memory context. */
ContentSpace *
CreateContentSpaces(const ContentItems *content, int workers)
{
	ContentSpace *space = palloc(sizeof(ContentSpace) * workers);

	for (int w = 0; w < workers; w++)
		space[w] = (ContentSpace) {
			.profile = HugeZeroArray(content->nfeatures, sizeof(float)),
			.relevant = HugeArray(content->ncold, sizeof(float)),
			.other = HugeArray(content->ncold, sizeof(float))
		};
	return space;
}

/* Adds the rows of what a user had to the profile, or makes it 0 again. */
static void
SumProfile(const ContentItems *content, float *profile, const ContentQuery *query, bool clear)
{
	for (int64 h = 0; h < query->nhad; h++)
		for (int64 c = content->start[query->had[h]]; c < content->start[query->had[h] + 1]; c++)
			profile[content->feature[c]] = clear ? 0 : profile[content->feature[c]] + content->value[c];
}

/* The score of an item: its cosine with the profile, but for the profile's length. */
static float
ContentScore(const ContentItems *content, const float *profile, int32 item)
{
	double		sum = 0;

	for (int64 c = content->start[item]; c < content->start[item + 1]; c++)
		sum += (double) content->value[c] * profile[content->feature[c]];
	return (float) sum;
}

/* The share of pairs of a relevant and another item that the scores order rightly, ties counting half. */
static double
AreaUnderCurve(const float *relevant, int64 nrelevant, const float *other, int64 nother)
{
	int64		halves = 0;

	for (int64 i = 0; i < nrelevant; i++)
		for (int64 j = 0; j < nother; j++)
			halves += (relevant[i] > other[j]) + (relevant[i] >= other[j]);
	return nother > 0 ? halves / (2.0 * nrelevant * nother) : NAN;
}

/*
 * Ranks the cold items that a user has not had by their content; of equal ones the smaller number comes first.  For a
 * thread, whose space it is.
 */
void
RankByContent(const ContentItems *content, ContentSpace *space, ContentQuery *query)
{
	int64		had = 0;
	int64		nrelevant = 0;
	int64		nother = 0;

	SumProfile(content, space->profile, query, false);
	for (int32 c = 0; c < content->ncold; c++)
	{
		int32		item = content->cold[c];
		float		score;

		while (had < query->nhad && query->had[had] < item)
			had++;
		if (had < query->nhad && query->had[had] == item)
			continue;
		score = ContentScore(content, space->profile, item);
		mf_heap_push(&query->best, item, score);
		if (nrelevant < query->nrelevant && query->relevant[nrelevant] == item)
			space->relevant[nrelevant++] = score;
		else
			space->other[nother++] = score;
	}
	mf_heap_sort(&query->best);
	query->auc = AreaUnderCurve(space->relevant, nrelevant, space->other, nother);
	SumProfile(content, space->profile, query, true);
}
