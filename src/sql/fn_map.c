/*
 * fn_map.c - SQL functions that show where vectors lie: mf_map, mf_components, mf_clusters, mf_cluster_labels, mf_pca,
 * mf_kmeans.
 *
 * Ids come as bigint.  Of each there is a form that has one more argument, the first: of it only the type counts, which
 * is that of ids.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "compat.h"
#include "geometry/cluster_features.h"
#include "geometry/components.h"
#include "geometry/extremes.h"
#include "sql/args.h"
#include "sql/srf.h"

/* More clusters than this are no overview. */
#define MOST_CLUSTERS 10000
#define DEFAULT_CLUSTERS 20

/* Ids, or features, that stand for a cluster or the end of an axis. */
#define DEFAULT_NAMED 5
#define MOST_NAMED 1000

#define ID_TYPE_HINT "Name the type with one more argument: id_type => NULL::%s."

/* Vectors that a call looks at, and how it returns their ids. */
typedef struct Look
{
	FunctionCallInfo fcinfo;
	int			first;			/* argument behind that of the type: 0 or 1 */
	bool		is_open;		/* the model */
	Recommender r;
	VectorSet	set;
	Oid			id_type;		/* in which ids come */
	int16		id_length;
	bool		id_by_value;
	char		id_align;
	MemoryContext context;		/* of all this */
	MemoryContext caller;
} Look;

/* Prepares rows, and a context for what the call takes; first: 1 where an argument says of what type ids are. */
static void
BeginLook(FunctionCallInfo fcinfo, int first, Look *look)
{
	InitMaterializedSRF(fcinfo, 0);
	memset(look, 0, sizeof(Look));
	look->fcinfo = fcinfo;
	look->first = first;
	look->id_type = first > 0 ? ArgumentType(fcinfo, 0) : INT8OID;
	get_typlenbyvalalign(look->id_type, &look->id_length, &look->id_by_value, &look->id_align);
	look->context = AllocSetContextCreate(CurrentMemoryContext, "mfrec geometry", ALLOCSET_DEFAULT_SIZES);
	look->caller = MemoryContextSwitchTo(look->context);
}

/* Closes and frees everything; the report of progress ends with its context. */
static void
EndLook(Look *look)
{
	if (look->is_open)
		CloseRecommender(&look->r);
	MemoryContextSwitchTo(look->caller);
	MemoryContextDelete(look->context);
}

/* The argument of: whose vectors are meant. */
static VectorSide
SideArgument(FunctionCallInfo fcinfo, int n)
{
	char	   *of = TextArgument(fcinfo, n);

	if (of == NULL || strcmp(of, "items") == 0)
		return SIDE_ITEMS;
	if (strcmp(of, "users") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("of must be \"items\" or \"users\", not \"%s\"", of)));
	return SIDE_USERS;
}

/* An error unless ids of this type can be returned as the call wants them. */
static void
CheckIdType(const Look *look, const IdType *type, const char *what)
{
	if (!IdTypeFits(type, look->id_type))
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("ids of %s of \"%s\" are of type %s and cannot be returned as %s", what, look->set.name,
						format_type_be(type->type), format_type_be(look->id_type)),
				 errhint(ID_TYPE_HINT, format_type_be(type->type))));
}

/* Loads the vectors of the model that an argument names; `of`: that which says whose. */
static void
LookAtModel(Look *look, int of)
{
	VectorSide	side = SideArgument(look->fcinfo, of);
	const CachedModel *cached;

	OpenRecommender(&look->r, TextArgument(look->fcinfo, look->first), 0);
	look->is_open = true;
	cached = look->r.cached;
	look->set.name = look->r.model->name;
	CheckIdType(look, side == SIDE_ITEMS ? &cached->item_type : &cached->user_type, SideName(side));
	LoadModelVectors(&look->r, side, &look->set);
}

/* Loads the vectors of the relation and the column that arguments name; id_column: the argument. */
static void
LookAtRelation(Look *look, int id_column)
{
	FunctionCallInfo fcinfo = look->fcinfo;
	int			relation = look->first;

	RequireArgument(fcinfo, relation, "relation", "Name a table or view with a vector in each row: %s('documents', 'embedding').");
	LoadRelationVectors(PG_GETARG_OID(relation), TextArgument(fcinfo, relation + 1),
						PG_ARGISNULL(id_column) ? "id" : TextArgument(fcinfo, id_column), &look->set);
	CheckIdType(look, look->set.id_type, "rows");
}

/* The id of a vector, as the call wants it. */
static Datum
IdOf(const Look *look, int64 row)
{
	return IdToOutput(look->set.id_type, look->set.ids[row], look->id_type);
}

/* The ids of some vectors, as an array. */
static Datum
IdsOf(const Look *look, const int32 *rows, int count)
{
	Datum	   *ids = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		ids[i] = IdOf(look, rows[i]);
	return PointerGetDatum(construct_array(ids, count, look->id_type, look->id_length, look->id_by_value, look->id_align));
}

/* An array of n floats. */
static Datum
FloatArray(const float *values, int n)
{
	Size		size = ARR_OVERHEAD_NONULLS(1) + sizeof(float) * n;
	ArrayType  *array = palloc0(size);

	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = n;
	ARR_LBOUND(array)[0] = 1;
	memcpy(ARR_DATA_PTR(array), values, sizeof(float) * n);
	return PointerGetDatum(array);
}

/* Rows of id, coordinates and the share of the variance that these show. */
static void
PutMap(const Look *look, const Components *components)
{
	MemoryContext row = AllocSetContextCreate(look->context, "mfrec row", ALLOCSET_SMALL_SIZES);
	double		share = ShareOf(components, 0, components->n);
	MemoryContext old = MemoryContextSwitchTo(row);

	for (int64 i = 0; i < look->set.n; i++)
	{
		Datum		values[3] = {IdOf(look, i), FloatArray(components->coordinates + i * components->n, components->n),
		Float8GetDatum(share)};
		bool		nulls[3] = {false, false, isnan(share)};

		CHECK_FOR_INTERRUPTS();
		PutRow(look->fcinfo, values, nulls);
		MemoryContextReset(row);
	}
	MemoryContextSwitchTo(old);
}

/* The argument dimensions of a map, 2 where it is null. */
static int
MapDimensions(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? 2 : IntegerArgument(fcinfo, n, "dimensions", MOST_DIMENSIONS);
}

/* The rows of mf_map; first: see BeginLook(). */
static void
Map(FunctionCallInfo fcinfo, int first)
{
	Look		look;
	Components	components;
	int			dimensions = MapDimensions(fcinfo, first + 1);

	BeginLook(fcinfo, first, &look);
	LookAtModel(&look, first + 2);
	FindComponents(&look.set, dimensions, &components);
	PutMap(&look, &components);
	EndLook(&look);
}

/*
 * mf_map(model text, dimensions bigint, of text): where items or users lie along the first principal components of their
 * directions, as id, coordinates and the share of the variance that these show.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_map);
Datum
mf_map(PG_FUNCTION_ARGS)
{
	Map(fcinfo, 0);
	return (Datum) 0;
}

/* mf_map(id_type anyelement, ...): the same, ids in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_map_typed);
Datum
mf_map_typed(PG_FUNCTION_ARGS)
{
	Map(fcinfo, 1);
	return (Datum) 0;
}

/* The rows of mf_pca. */
static void
Pca(FunctionCallInfo fcinfo, int first)
{
	Look		look;
	Components	components;
	int			dimensions = MapDimensions(fcinfo, first + 2);

	BeginLook(fcinfo, first, &look);
	LookAtRelation(&look, first + 3);
	FindComponents(&look.set, dimensions, &components);
	PutMap(&look, &components);
	EndLook(&look);
}

/*
 * mf_pca(relation regclass, vector_column text, dimensions bigint, id_column text): the same of the vectors of a
 * relation.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_pca);
Datum
mf_pca(PG_FUNCTION_ARGS)
{
	Pca(fcinfo, 0);
	return (Datum) 0;
}

/* mf_pca(id_type anyelement, ...): the same, ids in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_pca_typed);
Datum
mf_pca_typed(PG_FUNCTION_ARGS)
{
	Pca(fcinfo, 1);
	return (Datum) 0;
}

/* The rows of mf_components. */
static void
ListComponents(FunctionCallInfo fcinfo, int first)
{
	Look		look;
	Components	components;
	int			dimensions = IntegerArgument(fcinfo, first + 1, "dimensions", MOST_DIMENSIONS);
	int			k = PG_ARGISNULL(first + 3) ? DEFAULT_NAMED : IntegerArgument(fcinfo, first + 3, "k", MOST_NAMED);

	BeginLook(fcinfo, first, &look);
	LookAtModel(&look, first + 2);
	FindComponents(&look.set, Max(dimensions, 0), &components);
	for (int c = 0; c < components.n; c++)
	{
		double		share = ShareOf(&components, c, 1);
		Extremes	ends = FindExtremes(&look.set, &components, c, k);
		Datum		values[5] = {Int32GetDatum(c + 1), Float8GetDatum(components.variance[c]), Float8GetDatum(share),
		IdsOf(&look, ends.lowest, ends.count), IdsOf(&look, ends.highest, ends.count)};
		bool		nulls[5] = {false, false, isnan(share), false, false};

		CHECK_FOR_INTERRUPTS();
		PutRow(fcinfo, values, nulls);
	}
	EndLook(&look);
}

/*
 * mf_components(model text, dimensions bigint, of text, k bigint): the principal components of items' or users'
 * directions, with the k ids at both ends of each, those farthest out first.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_components);
Datum
mf_components(PG_FUNCTION_ARGS)
{
	ListComponents(fcinfo, 0);
	return (Datum) 0;
}

/* mf_components(id_type anyelement, ...): the same, ids in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_components_typed);
Datum
mf_components_typed(PG_FUNCTION_ARGS)
{
	ListComponents(fcinfo, 1);
	return (Datum) 0;
}

/* Rows of id, cluster, distance from its center and rank within it. */
static void
PutClusters(const Look *look, const Clusters *clusters)
{
	MemoryContext row = AllocSetContextCreate(look->context, "mfrec row", ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(row);

	for (int64 i = 0; i < look->set.n; i++)
	{
		int32		at = clusters->order[i];
		int			cluster = clusters->cluster[at];
		Datum		values[4] = {IdOf(look, at), Int32GetDatum(cluster + 1), Float4GetDatum(clusters->distance[at]),
		Int32GetDatum((int32) (i - clusters->start[cluster] + 1))};
		bool		nulls[4] = {false};

		CHECK_FOR_INTERRUPTS();
		PutRow(look->fcinfo, values, nulls);
		MemoryContextReset(row);
	}
	MemoryContextSwitchTo(old);
}

/* The arguments clusters and seed. */
static int
ClustersArgument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? DEFAULT_CLUSTERS : IntegerArgument(fcinfo, n, "clusters", MOST_CLUSTERS);
}

static int64
SeedArgument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? 1 : Int64Argument(fcinfo, n);
}

/* The rows of mf_clusters. */
static void
ListClusters(FunctionCallInfo fcinfo, int first)
{
	Look		look;
	Clusters	clusters;
	int			count = ClustersArgument(fcinfo, first + 1);

	BeginLook(fcinfo, first, &look);
	LookAtModel(&look, first + 2);
	FindClusters(&look.set, count, SeedArgument(fcinfo, first + 3), &clusters);
	PutClusters(&look, &clusters);
	EndLook(&look);
}

/*
 * mf_clusters(model text, clusters bigint, of text, seed bigint): items or users in clusters by k-means of their
 * directions, as id, cluster from 1 by descending size, distance from its center, and rank by that.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_clusters);
Datum
mf_clusters(PG_FUNCTION_ARGS)
{
	ListClusters(fcinfo, 0);
	return (Datum) 0;
}

/* mf_clusters(id_type anyelement, ...): the same, ids in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_clusters_typed);
Datum
mf_clusters_typed(PG_FUNCTION_ARGS)
{
	ListClusters(fcinfo, 1);
	return (Datum) 0;
}

/* The rows of mf_kmeans. */
static void
Kmeans(FunctionCallInfo fcinfo, int first)
{
	Look		look;
	Clusters	clusters;
	int			count = ClustersArgument(fcinfo, first + 2);

	BeginLook(fcinfo, first, &look);
	LookAtRelation(&look, first + 4);
	FindClusters(&look.set, count, SeedArgument(fcinfo, first + 3), &clusters);
	PutClusters(&look, &clusters);
	EndLook(&look);
}

/*
 * mf_kmeans(relation regclass, vector_column text, clusters bigint, seed bigint, id_column text): the same of the vectors
 * of a relation.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_kmeans);
Datum
mf_kmeans(PG_FUNCTION_ARGS)
{
	Kmeans(fcinfo, 0);
	return (Datum) 0;
}

/* mf_kmeans(id_type anyelement, ...): the same, ids in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_kmeans_typed);
Datum
mf_kmeans_typed(PG_FUNCTION_ARGS)
{
	Kmeans(fcinfo, 1);
	return (Datum) 0;
}

/* An array of strings. */
static Datum
NameArray(const ClusterFeatures *features)
{
	Datum	   *names = palloc(sizeof(Datum) * Max(features->count, 1));

	for (int i = 0; i < features->count; i++)
		names[i] = CStringGetTextDatum(features->names[i]);
	return PointerGetDatum(construct_array(names, features->count, TEXTOID, -1, false, TYPALIGN_INT));
}

/* The rows of mf_cluster_labels. */
static void
LabelClusters(FunctionCallInfo fcinfo, int first)
{
	Look		look;
	Clusters	clusters;
	ClusterFeatures *features;
	int			count = ClustersArgument(fcinfo, first + 1);
	int			k = PG_ARGISNULL(first + 4) ? DEFAULT_NAMED : IntegerArgument(fcinfo, first + 4, "k", MOST_NAMED);

	BeginLook(fcinfo, first, &look);
	LookAtModel(&look, first + 2);
	FindClusters(&look.set, count, SeedArgument(fcinfo, first + 3), &clusters);
	features = FindClusterFeatures(&look.r, &look.set, &clusters, k);
	for (int c = 0; c < clusters.count; c++)
	{
		int32	   *nearest = palloc(sizeof(int32) * k);
		int			found = FindNearest(&look.set, &clusters, c, k, nearest);
		Datum		values[4] = {Int32GetDatum(c + 1), Int64GetDatum(clusters.size[c]), IdsOf(&look, nearest, found),
		features ? NameArray(&features[c]) : (Datum) 0};
		bool		nulls[4] = {false, false, false, features == NULL};

		PutRow(fcinfo, values, nulls);
	}
	EndLook(&look);
}

/*
 * mf_cluster_labels(model text, clusters bigint, of text, seed bigint, k bigint): what the clusters of mf_clusters with
 * the same arguments are: size, the k ids nearest to the center of those that are not rated less than most, and at most
 * k features that set it apart; null in a model without attributes.
 */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_cluster_labels);
Datum
mf_cluster_labels(PG_FUNCTION_ARGS)
{
	LabelClusters(fcinfo, 0);
	return (Datum) 0;
}

/* mf_cluster_labels(id_type anyelement, ...): the same, ids in that type. */
PGDLLEXPORT PG_FUNCTION_INFO_V1(mf_cluster_labels_typed);
Datum
mf_cluster_labels_typed(PG_FUNCTION_ARGS)
{
	LabelClusters(fcinfo, 1);
	return (Datum) 0;
}
