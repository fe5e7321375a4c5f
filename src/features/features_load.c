/*
 * features_load.c - from a relation of items' attributes to features, and what is told of them.
 *
 * LoadFeatures() is the recipe: rows are read, numbers summed up, features chosen, cells made.
 *
 * What was found is said in one notice, because a type says little of a column: a person sees there that a key is
 * taken for a number, titles as words, and that nothing is left of a third column.  Who asks for debugging sees cells
 * as well, and a hash of all, by which tests know that two trainings had the same.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/memutils.h"

#include "compat.h"
#include "core/base/rng.h"
#include "features/feature_cells.h"
#include "features/features_load.h"
#include "source/source.h"

/* Cells that are shown to who asks for debugging, which tests do: the first ones, item by item. */
#define MOST_SHOWN 500

/* Appends what columns were taken as, and how many features each has. */
static void
AppendTaken(StringInfo text, const Features *features)
{
	for (int b = 0; b < features->nblocks; b++)
	{
		const FeatureColumn *block = &features->block[b];

		appendStringInfo(text, "%s%s as %s", b > 0 ? ", " : "", block->name, block->taken_as);
		if (strcmp(block->taken_as, "categories") == 0 || block->count > 1)
			appendStringInfo(text, " (%d)", block->count);
	}
}

/* Appends the columns of which nothing is left, and why. */
static void
AppendPassedOver(StringInfo text, const FeatureSource *source, const Choices *choices)
{
	bool		first = true;

	for (int a = 0; a < source->nattributes; a++)
		if (choices->column[a].passed_over)
		{
			appendStringInfo(text, "%s%s (%s)", first ? "" : ", ", source->attribute[a].name, choices->column[a].passed_over);
			first = false;
		}
}

/*
 * An error where nothing is known of items, or nothing that tells them apart: whoever names attributes wants a training
 * that goes by them, and not one without.
 */
static void
CheckFeatures(const Features *features, const Attributes *attributes, const Choices *choices)
{
	const FeatureSource *source = attributes->source;
	StringInfoData passed;

	initStringInfo(&passed);
	AppendPassedOver(&passed, source, choices);
	if (attributes->described == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no row of %s with ratings", source->name,
						source->side == &item_side ? "an item" : "a user"),
				 errhint("Check that its column \"%s\" has the %s' ids, and that row security does not hide its rows.",
						 source->key_column, source->side->many)));
	if (features->nfeatures == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("relation \"%s\" has no attribute that tells %s apart", source->name, source->side->many),
				 errdetail("Passed over: %s.", passed.data),
				 errhint("A value is of use where at least 3 %s with ratings have it, and others do not.", source->side->many)));
	pfree(passed.data);
}

/* One notice: what each column was taken as. */
static void
NoticeFeatures(const Features *features, const Attributes *attributes, const Choices *choices)
{
	StringInfoData taken;
	StringInfoData passed;
	StringInfoData limit;

	initStringInfo(&taken);
	initStringInfo(&passed);
	initStringInfo(&limit);
	AppendTaken(&taken, features);
	AppendPassedOver(&passed, attributes->source, choices);
	if (choices->kept < choices->frequent)
		appendStringInfo(&limit, " Of %d words and categories the %d most frequent are kept.", choices->frequent, choices->kept);
	ereport(NOTICE,
			(passed.len > 0 ? errmsg("features of \"%s\": %s; passed over: %s", attributes->source->name, taken.data, passed.data)
			 : errmsg("features of \"%s\": %s", attributes->source->name, taken.data),
			 errdetail("It has rows of %lld of %lld %s with ratings, and of %lld without.%s",
					   (long long) attributes->described, (long long) features->known, attributes->source->side->many,
					   (long long) (features->nitems - features->known), limit.data)));
	if (attributes->null_rows > 0)
		ereport(NOTICE,
				(errmsg_plural("skipped %lld row of \"%s\" with a null key",
							   "skipped %lld rows of \"%s\" with a null key",
							   attributes->null_rows, (long long) attributes->null_rows, attributes->source->name)));
}

/* A hash of all cells in their order, to the bit. */
static uint64
HashCells(Cells *cells)
{
	MfRows		rows;
	uint64		hash = 0;

	RewindCells(cells);
	while (NextCells(cells, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
			for (int64 c = rows.start[r]; c < rows.start[r + 1]; c++)
			{
				uint32		bits;

				memcpy(&bits, &rows.rating[c], sizeof(bits));
				hash = mf_mix64(hash + (uint64) (rows.first + r)) + mf_mix64(((uint64) rows.column[c] << 32) | bits);
			}
	return hash;
}

/* For debugging: how many cells there are, where, and a hash of them and of their transpose; and the first of them. */
static void
ShowCells(const FeatureSide *side, Features *features)
{
	const IdMap *ids = features->ids;
	MfRows		rows;
	int64		shown = 0;

	if (!message_level_is_interesting(DEBUG1))
		return;
	elog(DEBUG1, "mfrec: %lld cells of %lld %s and %d features, %s: %016llx %016llx",
		 (long long) features->by_item.start[features->nitems], (long long) features->nitems, side->many, features->nfeatures,
		 features->by_item.spilled ? "spilled" : "in memory", (unsigned long long) HashCells(&features->by_item),
		 (unsigned long long) HashCells(&features->by_feature));
	if (!message_level_is_interesting(DEBUG2))
		return;
	RewindCells(&features->by_item);
	while (shown < MOST_SHOWN && NextCells(&features->by_item, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
			for (int64 c = rows.start[r]; c < rows.start[r + 1] && shown < MOST_SHOWN; c++, shown++)
				elog(DEBUG2, "mfrec: %s %s has %s = %.3f", side->one, IdToText(ids->type, IdAt(ids, (int32) (rows.first + r))),
					 features->names[rows.column[c]], rows.rating[c]);
}

/*
 * Reads the relation, whose rows belong to items of the ratings, in the current memory context; items that are not in
 * `items` are appended to it, in the order of their ids.  An error for what cannot be a feature, for two rows of an
 * item, and where there are no features; then NULL where the relation is read again, after the training.
 *
 * budget: bytes of memory for what grows with the cells, which goes to temporary files beyond it.  FreeFeatures()
 * closes these.
 */
Features *
LoadFeatures(const FeatureSource *source, IdMap *items, int64 budget, const MfParallel *parallel)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(caller, "mfrec features", ALLOCSET_DEFAULT_SIZES);
	Features   *features = palloc0(sizeof(Features));
	Attributes	attributes;
	Numbers		numbers;
	Choices		choices;
	int32	   *rank;

	features->ids = items;
	features->known = items->count;
	MemoryContextSwitchTo(context);
	if (!source->quiet)
		NoteQueryRowSecurity(FeatureQuery(source, NULL), source->name);
	ReadAttributes(&attributes, source, items, budget / 2);
	features->nitems = items->count;
	features->described = attributes.described;
	rank = SortIdsFrom(items, (int32) features->known);
	SortNumbers(&numbers, &attributes, rank, budget / 4, parallel);
	MemoryContextSwitchTo(caller);
	ChooseFeatures(&choices, features, &attributes, &numbers);
	if (source->again && (attributes.described == 0 || features->nfeatures == 0))
		features = NULL;
	else
	{
		CheckFeatures(features, &attributes, &choices);
		MakeFeatureCells(features, &attributes, &numbers, &choices, rank, budget / 2, parallel);
		if (!source->quiet)
			NoticeFeatures(features, &attributes, &choices);
		ShowCells(source->side, features);
	}
	FreeTriplets(&attributes.tokens);
	FreeCells(&numbers.cells);
	pfree(choices.column);
	pfree(choices.feature);
	MemoryContextDelete(context);
	return features;
}
