/*
 * vector_set.c - vectors whose geometry is asked for: of a model's items or users, or of a relation.
 *
 * Of a model it is directions, vectors of length 1: how popular an item is, or how much a user has rated, is in the length
 * and would be the first thing to be seen in each map.  Items' directions are those that mf_similar_items compares, so
 * what is near on a map is what it lists: s_i, in a model of ratings alone q_i, in the dimensions that these have.  Of
 * users it is that of the vector that mf_similar_users compares.  Who has none, as nothing is known of them, is left out.
 *
 * A relation's vectors are taken as they are.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "core/base/padding.h"
#include "core/linalg/dot.h"
#include "geometry/vector_set.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "pg/memory_limit.h"
#include "pg/progress.h"
#include "read/vectors_read.h"

/* Users that there is room for at first. */
#define FIRST_USERS 1024

/* What vectors are of, for messages. */
const char *
SideName(VectorSide side)
{
	return side == SIDE_ITEMS ? "items" : side == SIDE_USERS ? "users" : "rows";
}

/* An error where vectors, and `more` bytes beside them, need more memory than there may be. */
void
CheckSetMemory(const VectorSet *set, int64 more)
{
	if (set->bytes + more > MemoryLimit())
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("vectors of %s need %lld MB of memory, but the limit is %lld MB", SideName(set->side),
						(long long) ((set->bytes + more) >> 20), (long long) (MemoryLimit() >> 20)),
				 errdetail("All vectors must be in memory."),
				 errhint("Raise mfrec.max_memory if the machine has the memory.")));
}

/* An error where there is nothing to look at. */
static void
CheckNotEmpty(const VectorSet *set)
{
	if (set->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA),
				 errmsg("model \"%s\" has no vectors of %s", set->name, SideName(set->side)),
				 errhint("Train it on more ratings, and check that row security does not hide its rows.")));
}

/* Bytes of a vector and what goes with it. */
static int64
RowBytes(const VectorSet *set)
{
	return sizeof(float) * mf_padded(set->d) + sizeof(int64) + sizeof(int32);
}

/* Puts a vector, divided by its length, into the ld floats of a set's row; false, and nothing, where it has no direction. */
static bool
PutDirection(const VectorSet *set, const float *vector, float *into)
{
	double		length = sqrt(mf_dot(vector, vector, set->d));

	if (length == 0)
		return false;
	memset(into, 0, sizeof(float) * mf_padded(set->d));
	for (int k = 0; k < set->d; k++)
		into[k] = (float) (vector[k] / length);
	return true;
}

/* The directions of items, by which the image says which are alike. */
static void
LoadItems(const Image *image, VectorSet *set)
{
	int64		ld;
	float	   *row;

	set->d = image->similar.factors;
	ld = mf_padded(set->d);
	set->id_type = &image->item_type;
	set->bytes = image->nitems * RowBytes(set);
	CheckSetMemory(set, 0);
	set->vectors = AlignedArray(image->nitems * ld, sizeof(float));
	set->ids = HugeArray(image->nitems, sizeof(int64));
	set->counts = HugeArray(image->nitems, sizeof(int32));
	row = AlignedArray(ld, sizeof(float));
	for (int32 item = 0; item < image->nitems; item++)
	{
		if (item % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
		if (!PutDirection(set, mf_index_row(&image->similar, image->index.position[item], row), set->vectors + set->n * ld))
			continue;
		set->ids[set->n] = IdAt(&image->ids, item);
		set->counts[set->n++] = image->counts[item];
	}
}

/* Users that are read. */
typedef struct UserVectors
{
	const Recommender *recommender;
	VectorSet  *set;
	IdMap	   *ids;
	int64		capacity;
	float	   *vectors;		/* capacity x mf_padded(d), not aligned */
	int32	   *counts;
} UserVectors;

/*
 * Makes room for twice as many users, if there may be so much memory: how many the caller may see is not known before
 * all are read.
 */
static void
GrowUsers(UserVectors *users)
{
	VectorSet  *set = users->set;

	users->capacity *= 2;
	set->bytes = users->capacity * RowBytes(set) + IdMapBytes(users->ids);
	CheckSetMemory(set, 0);
	users->vectors = repalloc_huge(users->vectors, users->capacity * mf_padded(set->d) * sizeof(float));
	users->counts = repalloc_huge(users->counts, users->capacity * sizeof(int32));
}

/* StoredRowFunction: takes a user, unless nothing but what they have is known of them. */
static void
TakeUser(void *state, const StoredRow *row)
{
	UserVectors *users = state;
	VectorSet  *set = users->set;

	CHECK_FOR_INTERRUPTS();
	if (row->factors == 0)
		return;
	CheckUserRow(users->recommender, row);
	if (users->ids->count >= users->capacity)
		GrowUsers(users);
	if (!PutDirection(set, row->vector, users->vectors + (int64) users->ids->count * mf_padded(set->d)))
		return;
	users->counts[users->ids->count] = row->count;
	(void) AddId(users->ids, row->id);
	if (users->ids->count % 1024 == 0)
		ReportRowsRead(users->ids->count);
}

/*
 * Sets the ids of a set from a dictionary, in their order, and its vectors, which lie in the dictionary's order.  So
 * results do not depend on the order in which rows were read.  Both are there twice until the caller frees the former.
 */
static void
OrderVectors(VectorSet *set, IdMap *ids, const float *vectors)
{
	int64		ld = mf_padded(set->d);
	int32	   *rank = SortIdMap(ids);

	set->n = ids->count;
	set->vectors = AlignedArray(set->n * ld, sizeof(float));
	set->ids = HugeArray(set->n, sizeof(int64));
	for (int64 i = 0; i < set->n; i++)
	{
		memcpy(set->vectors + (rank ? rank[i] : i) * ld, vectors + i * ld, sizeof(float) * ld);
		set->ids[i] = IdAt(ids, (int32) i);
	}
	if (set->counts && rank)
		set->counts = ReorderRows(set->counts, rank, set->n, 1);
}

/* The directions of users, as the caller may see them. */
static void
LoadUsers(const Recommender *r, VectorSet *set)
{
	UserVectors users = {.recommender = r,.set = set,.ids = CreateIdMap(&r->cached->user_type),.capacity = FIRST_USERS};

	set->d = mf_dimensions(&r->image->objective);
	users.vectors = HugeArray(users.capacity * mf_padded(set->d), sizeof(float));
	users.counts = HugeArray(users.capacity, sizeof(int32));
	set->id_type = &r->cached->user_type;
	(void) ReadAllUsers(r, false, TakeUser, &users);
	if (users.ids->count == 0)
		return;
	CheckSetMemory(set, users.ids->count * RowBytes(set));
	set->counts = users.counts;
	OrderVectors(set, users.ids, users.vectors);
	pfree(users.vectors);
}

/*
 * The vectors of one side of a model that is open, and stays so as long as the set is used.  Begins to report on a call
 * whose memory context is the current one, as does the next function.
 */
void
LoadModelVectors(const Recommender *r, VectorSide side, VectorSet *set)
{
	memset(set, 0, sizeof(VectorSet));
	InitParallel(&set->parallel);
	set->side = side;
	set->name = r->model->name;
	BeginProgress(set->name);
	if (side == SIDE_ITEMS)
		LoadItems(r->image, set);
	else
		LoadUsers(r, set);
	CheckNotEmpty(set);
}

/* Compares counts, the higher one first. */
static int
CompareCounts(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return x > y ? -1 : x < y;
}

/*
 * Leaves a set's `most` items with the most ratings; of those with as few as the last of them the first ids.  They stay
 * in the order of ids, and where they are: the array is not made smaller.
 */
void
KeepPopular(VectorSet *set, int64 most)
{
	int64		ld = mf_padded(set->d);
	int32	   *sorted;
	int64		spare = most;		/* places for items with `least` ratings */
	int32		least;
	int64		kept = 0;

	if (set->n <= most)
		return;
	sorted = HugeArray(set->n, sizeof(int32));
	memcpy(sorted, set->counts, sizeof(int32) * set->n);
	qsort(sorted, set->n, sizeof(int32), CompareCounts);
	least = sorted[most - 1];
	for (int64 i = 0; i < most; i++)
		spare -= sorted[i] > least;
	pfree(sorted);
	for (int64 i = 0; i < set->n; i++)
	{
		if (set->counts[i] < least || (set->counts[i] == least && spare-- <= 0))
			continue;
		memmove(set->vectors + kept * ld, set->vectors + i * ld, sizeof(float) * ld);
		set->ids[kept] = set->ids[i];
		set->counts[kept++] = set->counts[i];
	}
	set->n = kept;
}

/* The vectors of a relation, one a row, each with an id of its own; errors for everything that is none. */
void
LoadRelationVectors(Oid relid, char *vector_column, char *id_column, VectorSet *set)
{
	static const VectorPurpose purpose = {
		.side = "id",
		.refusal = "cannot read vectors from \"%s\"",
		.hint = "Name a table or view with a vector and an id in each row.",
		.argument = "vector_column",
		.length = "vectors must all have the same number of elements",
		.length_hint = "Leave out those of another length with a view.",
		.most = MOST_DIMENSIONS,
		.read_only = true
	};
	VectorColumns *columns = palloc0(sizeof(VectorColumns));
	Vectors    *v = palloc(sizeof(Vectors));

	memset(set, 0, sizeof(VectorSet));
	InitParallel(&set->parallel);
	columns->id = id_column;
	columns->factors = vector_column;
	OpenVectors(v, &purpose, relid, columns);
	BeginProgress(v->name);
	ReadVectors(v, 0, 0);
	set->side = SIDE_RELATION;
	set->name = v->name;
	set->id_type = &v->id_type;
	set->d = v->factors;
	set->bytes = VectorBytes(v);
	CheckSetMemory(set, v->ids->count * RowBytes(set));
	OrderVectors(set, v->ids, v->vector);
	pfree(v->vector);
}
