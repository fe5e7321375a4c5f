/*
 * cluster_features.c - the attributes that set clusters apart from the other items, or users.
 *
 * A word or category sets a cluster apart if more of its members have it than would by chance.  How surely, says the
 * ratio of likelihoods (Dunning 1993): with O members that have it where E would be expected of n,
 * 2 (O ln (O / E) + (n - O) ln ((n - O) / (n - E))), which is squared deviations for large numbers, and is not taken in
 * by two members of a small cluster as these are.  A number is compared by the square of how many standard errors the
 * mean of the members is off, which is the same for means.  Elements of embeddings mean nothing to people.
 *
 * Attributes are not stored: they are read anew, as the caller may see them.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "core/base/heap.h"
#include "features/feature_arguments.h"
#include "features/features_load.h"
#include "geometry/cluster_features.h"
#include "pg/memory_limit.h"
#include "serve/item_encode.h"

/* Less is chance, once in a thousand times: chi-squared of one degree of freedom. */
#define LEAST_EVIDENCE 10.83

/* What a number's name gets behind it. */
#define HIGH " (high)"
#define LOW " (low)"

/* Members of clusters, and what they have of one feature. */
typedef struct Tally
{
	const VectorSet *set;
	const Clusters *clusters;
	double	   *members;		/* count: with a row of attributes */
	double		all;			/* of all clusters */
	double	   *having;			/* count: with the feature */
	double	   *sum;			/* count: of a number's cells */
	double		all_having;
	double		all_sum;
	double		all_squares;
	MfHeap	   *best;			/* count: features, a low number as -1 - its number */
} Tally;

/* x ln (x / y), 0 for 0. */
static double
Surprise(double x, double y)
{
	return x > 0 && y > 0 ? x * log(x / y) : 0;
}

/*
 * How surely members of a cluster have a word or category more often than others; 0 where it is not more often, as the
 * lack of a word says little to people.
 */
static double
CategoryEvidence(const Tally *t, int cluster)
{
	double		expected = t->members[cluster] * t->all_having / t->all;
	double		having = t->having[cluster];
	double		without = t->members[cluster] - having;

	if (having <= expected)
		return 0;
	return 2 * (Surprise(having, expected) + Surprise(without, t->members[cluster] - expected));
}

/*
 * How surely a number of members differs from that of all; *low: it is less.  The squared difference of the means over
 * the squared standard error, so chi-squared of one degree of freedom as categories' evidence is; 0 where all have the
 * same.
 */
static double
NumberEvidence(const Tally *t, int cluster, bool *low)
{
	double		mean = t->all_sum / t->all_having;
	double		variance = t->all_squares / t->all_having - mean * mean;
	double		off;

	if (t->having[cluster] == 0 || variance <= 0)
		return 0;
	off = t->sum[cluster] / t->having[cluster] - mean;
	*low = off < 0;
	return off * off * t->having[cluster] / variance;
}

/* Whether a feature is a number, a date or the like, rather than one of many words or categories. */
static bool
IsNumber(const Features *features, int32 feature)
{
	return isnan(features->weight[feature].weight);
}

/* Whether a block means something to people. */
static bool
IsReadable(const FeatureColumn *block)
{
	return strcmp(block->taken_as, "an embedding") != 0;
}

/* Counts the members that have a row of attributes: any cell. */
static void
CountMembers(Tally *t, Features *features)
{
	MfRows		rows;

	RewindCells(&features->by_item);
	while (NextCells(&features->by_item, &rows))
		for (int64 i = 0; i < rows.nrows && rows.first + i < t->set->n; i++)
			if (rows.start[i + 1] > rows.start[i])
			{
				t->members[t->clusters->cluster[rows.first + i]]++;
				t->all++;
			}
}

/*
 * Counts who has a feature, the one of row r of `rows`, by cluster and in all.  Columns ascend, and those behind the
 * last vector are of others than the set's.
 */
static void
CountFeature(Tally *t, const MfRows *rows, int64 r)
{
	memset(t->having, 0, sizeof(double) * t->clusters->count);
	memset(t->sum, 0, sizeof(double) * t->clusters->count);
	t->all_having = t->all_sum = t->all_squares = 0;
	for (int64 c = rows->start[r]; c < rows->start[r + 1] && rows->column[c] < t->set->n; c++)
	{
		int			cluster = t->clusters->cluster[rows->column[c]];
		double		cell = rows->rating[c];

		t->having[cluster]++;
		t->sum[cluster] += cell;
		t->all_having++;
		t->all_sum += cell;
		t->all_squares += cell * cell;
	}
}

/* Keeps what each feature says of each cluster, where that is among the most that is said of it. */
static void
WeighFeatures(Tally *t, Features *features)
{
	MfRows		rows;
	int			block = 0;

	RewindCells(&features->by_feature);
	while (NextCells(&features->by_feature, &rows))
		for (int64 r = 0; r < rows.nrows; r++)
		{
			int32		feature = (int32) (rows.first + r);

			CHECK_FOR_INTERRUPTS();
			while (feature >= features->block_start[block + 1])
				block++;
			if (!IsReadable(&features->block[block]))
				continue;
			CountFeature(t, &rows, r);
			for (int c = 0; c < t->clusters->count && t->all_having > 0; c++)
			{
				bool		low = false;
				double		evidence = IsNumber(features, feature) ? NumberEvidence(t, c, &low) : CategoryEvidence(t, c);

				if (evidence >= LEAST_EVIDENCE)
					mf_heap_push(&t->best[c], low ? -1 - (int64) feature : feature, evidence);
			}
		}
}

/* The names of the features that a cluster has kept. */
static void
NameFeatures(MfHeap *best, const Features *features, ClusterFeatures *found)
{
	mf_heap_sort(best);
	found->count = best->count;
	found->names = palloc(sizeof(char *) * Max(best->count, 1));
	for (int i = 0; i < best->count; i++)
	{
		int64		number = best->entry[i].number;
		int32		feature = (int32) (number < 0 ? -1 - number : number);

		found->names[i] = IsNumber(features, feature) ?
			psprintf("%s%s", features->names[feature], number < 0 ? LOW : HIGH) : pstrdup(features->names[feature]);
	}
}

/* The features of all items of a set, whose numbers are those of its vectors; NULL: there are none, see OpenAttributes(). */
static Features *
ReadFeatures(const Recommender *r, const VectorSet *set)
{
	const FeatureSide *side = set->side == SIDE_ITEMS ? &item_side : &user_side;
	Jsonb	   *parameters = VersionParameters(r->model, r->version);
	FeatureSource source;
	IdType	   *type = palloc(sizeof(IdType));
	IdMap	   *ids;

	if (parameters == NULL || !OpenAttributes(&source, side, r->model, parameters, set->id_type))
		return NULL;
	*type = *set->id_type;
	ids = CreateIdMap(type);
	for (int64 i = 0; i < set->n; i++)
		(void) AddId(ids, set->ids[i]);
	return LoadFeatures(&source, ids, MaintenanceMemory(), &set->parallel);
}

/*
 * For each cluster, at most k features that set it apart, in the current memory context.  NULL where the model does not
 * go by attributes of that side, or the caller cannot read these.
 */
ClusterFeatures *
FindClusterFeatures(const Recommender *r, const VectorSet *set, const Clusters *clusters, int k)
{
	Features   *features = ReadFeatures(r, set);
	ClusterFeatures *found;
	Tally		t = {.set = set,.clusters = clusters};

	if (features == NULL)
		return NULL;
	t.members = palloc0(sizeof(double) * clusters->count);
	t.having = palloc(sizeof(double) * clusters->count);
	t.sum = palloc(sizeof(double) * clusters->count);
	t.best = palloc(sizeof(MfHeap) * clusters->count);
	for (int c = 0; c < clusters->count; c++)
		mf_heap_start(&t.best[c], palloc(sizeof(MfScored) * k), k);
	CountMembers(&t, features);
	WeighFeatures(&t, features);
	found = palloc(sizeof(ClusterFeatures) * clusters->count);
	for (int c = 0; c < clusters->count; c++)
		NameFeatures(&t.best[c], features, &found[c]);
	FreeFeatures(features);
	return found;
}
