/*
 * fn_report.c - what mf_report needs of C: the model that its argument means, groups of its popular items, and text that
 * is safe in a page.
 *
 * The page itself is written by SQL: sql/mfrec_report.sql, and its charts by sql/mfrec_chart.sql.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "compat.h"
#include "geometry/cluster_features.h"
#include "geometry/extremes.h"
#include "model/model_catalog.h"
#include "pg/progress.h"
#include "sql/args.h"
#include "sql/srf.h"

/* Items and features that stand for a group. */
#define NAMED 5

/* What stands for a character that a page may not have. */
#define REPLACEMENT 0xFFFD

/* mfrec.model_name(model text): the name of the model that an argument means, which is an error where there is none. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_model_name);
Datum
mf_model_name(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(OpenModel(TextArgument(fcinfo, 0))->name));
}

/* Whether HTML and XML both have the character: no controls but white space, no surrogates, no noncharacters. */
static bool
IsPageCharacter(pg_wchar c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	return !(c >= 0x7F && c <= 0x9F) && !(c >= 0xD800 && c <= 0xDFFF) && !(c >= 0xFDD0 && c <= 0xFDEF) &&
		(c & 0xFFFE) != 0xFFFE && c <= 0x10FFFF;
}

/* Appends a character of Unicode: as it is, or as a reference by its number where it means something to HTML. */
static void
AppendPageCharacter(StringInfo page, pg_wchar c)
{
	if (!IsPageCharacter(c))
		c = REPLACEMENT;
	if (c < 0x80 && c != '&' && c != '<' && c != '>' && c != '"' && c != '\'')
		appendStringInfoCharMacro(page, (char) c);
	else
		appendStringInfo(page, "&#%u;", (unsigned int) c);
}

/*
 * mfrec.html(value text): the value as text of a page or of an attribute in quotes, whatever it says; empty for null.
 * All that is not ASCII becomes references, so that the page says the same in each encoding of client and file.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_html);
Datum
mf_html(PG_FUNCTION_ARGS)
{
	char	   *value = TextArgument(fcinfo, 0);
	int			encoding = GetDatabaseEncoding();
	StringInfoData page;
	const unsigned char *c;

	initStringInfo(&page);
	if (value == NULL)
		PG_RETURN_TEXT_P(cstring_to_text(""));
	if (encoding == PG_SQL_ASCII && !pg_verify_mbstr(PG_UTF8, value, strlen(value), true))
		encoding = PG_LATIN1;	/* nobody knows; a reference to something is better than an error */
	else if (encoding == PG_SQL_ASCII)
		encoding = PG_UTF8;
	value = (char *) pg_do_encoding_conversion((unsigned char *) value, strlen(value), encoding, PG_UTF8);
	for (c = (const unsigned char *) value; *c != '\0'; c += pg_utf_mblen(c))
		AppendPageCharacter(&page, utf8_to_unicode(c));
	PG_RETURN_TEXT_P(cstring_to_text_with_len(page.data, page.len));
}

/* Ids of a set, as an array of texts. */
static Datum
IdTexts(const VectorSet *set, const int32 *rows, int64 count)
{
	Datum	   *texts = palloc(sizeof(Datum) * Max(count, 1));

	for (int64 i = 0; i < count; i++)
		texts[i] = CStringGetTextDatum(IdToText(set->id_type, set->ids[rows[i]]));
	return PointerGetDatum(construct_array(texts, (int) count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* Names of features, as an array of texts. */
static Datum
FeatureTexts(const ClusterFeatures *features)
{
	Datum	   *texts = palloc(sizeof(Datum) * Max(features->count, 1));

	for (int i = 0; i < features->count; i++)
		texts[i] = CStringGetTextDatum(features->names[i]);
	return PointerGetDatum(construct_array(texts, features->count, TEXTOID, -1, false, TYPALIGN_INT));
}

/*
 * mfrec.item_groups(model text, clusters bigint, most bigint): the `most` items with the most ratings in clusters, as
 * mf_clusters and mf_cluster_labels put and describe all of them: cluster, members by their distance from its center,
 * nearest, features; fewer clusters where there are fewer items.  Both are found at once, and with so few items that a report takes little of what training took.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_item_groups);
Datum
mf_item_groups(PG_FUNCTION_ARGS)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec item groups", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller;
	Recommender r;
	VectorSet	set;
	Clusters	clusters;
	ClusterFeatures *features;

	InitMaterializedSRF(fcinfo, 0);
	caller = MemoryContextSwitchTo(context);
	OpenRecommender(&r, TextArgument(fcinfo, 0), 0);
	BeginProgress(r.model->name);
	LoadModelVectors(&r, SIDE_ITEMS, &set);
	KeepPopular(&set, Max(Int64Argument(fcinfo, 2), 1));
	FindClusters(&set, Min(IntegerArgument(fcinfo, 1, "clusters", PG_INT16_MAX), set.n), 1, &clusters);
	features = FindClusterFeatures(&r, &set, &clusters, NAMED);
	for (int c = 0; c < clusters.count; c++)
	{
		int32		nearest[NAMED];
		int			found = FindNearest(&set, &clusters, c, NAMED, nearest);
		Datum		values[4] = {Int32GetDatum(c + 1),
			IdTexts(&set, clusters.order + clusters.start[c], clusters.size[c]), IdTexts(&set, nearest, found),
		features ? FeatureTexts(&features[c]) : (Datum) 0};
		bool		nulls[4] = {false, false, false, features == NULL};

		CHECK_FOR_INTERRUPTS();
		PutRow(fcinfo, values, nulls);
	}
	EndProgress();
	CloseRecommender(&r);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(context);
	return (Datum) 0;
}
