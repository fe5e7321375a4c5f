/*
 * recent_rows.c - what has come to a source, found by its time.
 *
 * Where an index finds rows by their time, an update needs not read all of them.  It reads those that are not much
 * older than the newest one that was read so far, for some come late, then all rows of their users, and of their items
 * that are to be solved: in one query, which PostgreSQL answers through indexes or in one fast pass, or, where they are
 * many, by looking through the tables directly (read/row_filter.c).  A user's fingerprint says which of the rows are
 * new: the newest ones, whose hashes add up to what the stored fingerprint lacks.  So nothing is counted twice, however
 * often a row is read, and what is stored is what a scan of all rows would have stored.  Where older rows have become a
 * user's, as with two accounts that are merged, items do not count them: those of the account that is left have not
 * been looked at.
 *
 * Items with many ratings, which stay as they are for a few more (item_growth.c), are not read: the new rows' hashes
 * are added, and the new pairs counted.  Where it turns out that more is needed, it is read in another round: items of
 * rows read by time where it is unclear which are new, for older ones have come, gone or changed; and users whom the
 * version does not know.
 *
 * All of it is one snapshot of the source.  What cannot be found like this, or would cost as much as a scan, is left to
 * one.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "model/model_write.h"
#include "pg/alloc.h"
#include "pg/memory_limit.h"
#include "pg/plan_scans.h"
#include "pg/snapshot.h"
#include "read/ratings_read.h"
#include "read/row_filter.h"
#include "source/row_hash.h"
#include "source/unrated.h"
#include "update/update_state.h"

/* The part of all ratings up to which looking rows up costs less than reading all of them. */
#define MOST_ROWS 0.25

/*
 * From this part on looking through a table costs less than looking rows up: an index leads to nearly each of its
 * pages, for more than reading it in order takes, by several processes.
 */
#define SCANNED_ROWS 0.03

/* So often at most rows are looked up. */
#define MOST_ROUNDS 3

/* A row of a user, on its way into the order of time. */
typedef struct UserRow
{
	double		time;
	uint64		hash;
	int32		item;
	bool		like;			/* no dislike */
} UserRow;

/* What is found out of the users and items of rows that were read by their time; arrays go by number. */
typedef struct Recent
{
	Update	   *u;
	double		since;			/* the rows from that time on, in seconds, */
	Triplets	rows;			/* read by their time */
	bool	   *user;			/* all rows of the user are read */
	bool	   *item;
	int64		nusers;			/* elements of these, for there may be more users and items by now */
	int64		nitems;

	/* what the rows of the last round say */
	int64	   *start;			/* of users, in the next: ascending by number */
	UserRow    *of_users;		/* all rows of marked ones */
	int64	   *current;		/* users' fingerprints */
	bool	   *unclear;		/* it is not known which rows of a user are new */
	int64		changed;		/* users with other rows */
	bool	   *more;			/* an item has new rows, */
	uint64	   *hashes;			/* which add so much to its fingerprint, */
	int32	   *pairs;			/* and are of so many users who have not had it, but for dislikes, */
	FadeSum    *left;			/* and of which so much is left at the time of the newest row */
} Recent;

/* Whether some index of a table, or of each of its partitions, begins with a column. */
static bool
HasIndexOn(Oid relid, const char *column)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	AttrNumber	attnum = get_attnum(relid, column);
	bool		found = false;
	ListCell   *cell;

	foreach(cell, RelationGetIndexList(rel))
	{
		HeapTuple	tuple = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(cell)));

		found |= HeapTupleIsValid(tuple) && ((Form_pg_index) GETSTRUCT(tuple))->indkey.values[0] == attnum;
		if (HeapTupleIsValid(tuple))
			ReleaseSysCache(tuple);
	}
	if (!found && rel->rd_rel->relkind == RELKIND_PARTITIONED_TABLE)
	{
		List	   *partitions = find_inheritance_children(relid, AccessShareLock);

		found = partitions != NIL;
		foreach(cell, partitions)
			found &= HasIndexOn(lfirst_oid(cell), column);
	}
	relation_close(rel, NoLock);
	return found;
}

/* A hint to create an index on a column, unless there is one already: then it would not be of use. */
static const char *
IndexHint(const Source *source, const char *column)
{
	if (get_rel_relkind(source->relid) == RELKIND_VIEW)
		return psprintf("An index on what column \"%s\" of the view comes from may spare that.", column);
	if (HasIndexOn(source->relid, column))
		return NULL;
	return psprintf("An index on column \"%s\" would spare that, once the table is large.", column);
}

/* Whether what is stored of a side says which rows it has seen. */
static bool
KnowsRows(const Side *side)
{
	for (int64 i = 0; i < side->stored; i++)
		if (side->counts[i] > 0 && side->fingerprints[i] == 0)
			return false;
	return true;
}

/*
 * The query of rows that may be new; NULL where there is none, or indexes do not help: then *hint tells which would, or
 * is NULL. Only the newest version goes by it: the source is opened by the columns of the last training.
 */
static char *
RecentSql(const Update *u, const char **hint)
{
	const Source *source = &u->source;
	char	   *sql;

	if (source->time_column == NULL || !isfinite(u->read_until) || LatestServed(u->model->name) != u->model->version)
		return NULL;
	if (!OidIsValid(get_array_type(source->user.base)) || !OidIsValid(get_array_type(source->item.base)) ||
		!KnowsRows(&u->users) || !KnowsRows(&u->items))
		return NULL;
	sql = SourceSinceSql(source, u->read_until - u->late);
	if (!FindsByIndex(sql, InvalidOid))
		*hint = IndexHint(source, source->time_column);
	else if (!FindsByIndex(SourceLookupSql(source), source->user.base))
		*hint = IndexHint(source, source->user_column);
	else if (!FindsByIndex(SourceReverseLookupSql(source), source->item.base))
		*hint = IndexHint(source, source->item_column);
	else
		return sql;
	return NULL;
}

/* The ratings of marked users, or items, that were stored; of all where `marked` is NULL. */
static int64
StoredRatings(const Side *side, const bool *marked)
{
	int64		ratings = 0;

	for (int64 i = 0; i < side->stored; i++)
		if (marked == NULL || marked[i])
			ratings += side->counts[i];
	return ratings;
}

/* Whether the rows of marked users and items are few enough to be looked up. */
static bool
AreFew(const Recent *r)
{
	const Update *u = r->u;
	int64		of_users = StoredRatings(&u->users, r->user);
	int64		of_items = StoredRatings(&u->items, r->item);

	return of_users + of_items <= MOST_ROWS * StoredRatings(&u->users, NULL) &&
		of_users <= MaintenanceMemory() / (int64) sizeof(UserRow);
}

/* An array of marked ids, for a query. */
static Datum
MarkedIds(const IdType *type, const IdMap *ids, const bool *marked)
{
	Datum	   *values = HugeArray(ids->count, sizeof(Datum));
	ArrayType  *array;
	int			n = 0;

	for (int32 i = 0; i < ids->count; i++)
		if (marked[i])
			values[n++] = IdToDatum(type, IdAt(ids, i));
	array = construct_array(values, n, type->base, type->typlen, type->typbyval, type->typalign);
	pfree(values);
	return PointerGetDatum(array);
}

/* An array of marks with room for n; what is new is not marked. */
static bool *
GrowMarks(bool *marks, int64 before, int64 n)
{
	marks = marks ? repalloc_huge(marks, n) : HugeArray(n, sizeof(bool));
	memset(marks + before, 0, n - before);
	return marks;
}

/* Makes room for marks of all users and items that there are by now. */
static void
GrowRecent(Recent *r)
{
	int64		nusers = r->u->users.ids->count;
	int64		nitems = r->u->items.ids->count;

	r->user = GrowMarks(r->user, r->nusers, nusers);
	r->item = GrowMarks(r->item, r->nitems, nitems);
	r->nusers = nusers;
	r->nitems = nitems;
}

/*
 * Looks the rows of marked users and items up.  Bitmaps of them may take what building an index may: in work_mem they
 * would be of pages, of which each row is checked.
 */
static void
LookUpByIndex(Recent *r)
{
	Update	   *u = r->u;
	const Source *source = &u->source;
	RowQuery	query = {.sql = SourceManySql(source),.nargs = 2};
	int			settings = NewGUCNestLevel();

	if (maintenance_work_mem > work_mem)
		(void) set_config_option("work_mem", GetConfigOption("maintenance_work_mem", false, false), PGC_USERSET,
								 PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	query.type[0] = get_array_type(source->user.base);
	query.type[1] = get_array_type(source->item.base);
	query.value[0] = MarkedIds(&source->user, u->users.ids, r->user);
	query.value[1] = MarkedIds(&source->item, u->items.ids, r->item);
	u->read = ReadRows(source, &query, u->users.ids, u->items.ids, MaintenanceMemory(), &u->parallel, &u->rows);
	AtEOXact_GUC(true, settings);
	pfree(DatumGetPointer(query.value[0]));
	pfree(DatumGetPointer(query.value[1]));
}

/* Looks through the tables for them, where they are many and it can; whether it has. */
static bool
LookThroughTables(Recent *r)
{
	Update	   *u = r->u;
	WantedRows	wanted = {u->users.ids, r->user, r->nusers, u->items.ids, r->item, r->nitems};
	int64		rows = StoredRatings(&u->users, r->user) + StoredRatings(&u->items, r->item);

	if (rows < SCANNED_ROWS * StoredRatings(&u->users, NULL))
		return false;
	u->read = ReadWantedRows(&u->source, &wanted, u->users.ids, u->items.ids, MaintenanceMemory(), &u->parallel, &u->rows);
	return u->read != NULL;
}

/* Reads all rows of marked users and items: u->rows. */
static void
ReadMarked(Recent *r)
{
	if (!LookThroughTables(r))
		LookUpByIndex(r);
	r->u->rows_read += r->u->rows.count;
	GrowRecent(r);
}

/* By time, the newest first. */
static int
CompareUserRows(const void *a, const void *b)
{
	const UserRow *x = a;
	const UserRow *y = b;

	if (x->time != y->time)
		return x->time > y->time ? -1 : 1;
	return (x->hash > y->hash) - (x->hash < y->hash);
}

/* Adds the rows of a block to those of marked users; next[]: where, by user. */
static void
KeepBlock(Recent *r, const Triplets *rows, int64 *next)
{
	const Update *u = r->u;

	for (int64 i = 0; i < rows->held; i++)
	{
		int64		user;
		int64		item;
		UserRow    *kept;

		if (i % BLOCK_TRIPLETS == 0)
			CHECK_FOR_INTERRUPTS();
		if (!r->user[rows->user[i]])
			continue;
		user = IdAt(u->users.ids, rows->user[i]);
		item = IdAt(u->items.ids, rows->item[i]);
		kept = &r->of_users[next[rows->user[i]]++];
		kept->time = rows->time[i];
		kept->item = rows->item[i];
		kept->like = IsLike(rows, i);
		HashRows(&u->source.user, &u->source.item, 1, &user, &item, rows->value ? &rows->value[i] : NULL,
				 rows->weight ? &rows->weight[i] : NULL, &rows->time[i], &kept->hash);
	}
}

/* Brings the rows of marked users together. */
static void
GroupByUser(Recent *r)
{
	Update	   *u = r->u;
	Triplets   *rows = &u->rows;
	int64		n = u->users.ids->count;
	int64	   *next = HugeArray(n, sizeof(int64));

	r->start = HugeZeroArray(n + 1, sizeof(int64));
	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
			r->start[rows->user[i] + 1] += r->user[rows->user[i]];
	EndTriplets(rows);
	for (int64 i = 0; i < n; i++)
	{
		r->start[i + 1] += r->start[i];
		next[i] = r->start[i];
	}
	r->of_users = HugeArray(r->start[n], sizeof(UserRow));
	while (ReadTriplets(rows))
		KeepBlock(r, rows, next);
	EndTriplets(rows);
	pfree(next);
}

/*
 * Which rows of a user are new: the newest n, whose hashes add up to what was missing.  Returns n; -1 where these do
 * not, or are older than what is read by its time: such rows may have been another user's, with whom they still count.
 * Where rows of one time are among them it may be -1 too, for their order is not known.
 */
static int64
CountNewRows(UserRow *rows, int64 n, uint64 missing, double since)
{
	qsort(rows, n, sizeof(UserRow), CompareUserRows);
	for (int64 i = 0; i <= n; i++)
	{
		if (missing == 0)
			return i;
		if (i == n || rows[i].time < since)
			break;
		missing -= rows[i].hash;
	}
	return -1;
}

/* Adds the first `new` of a user's n rows to their items; stamp: by item, who had it last. */
static void
AddNewRows(Recent *r, int32 user, const UserRow *rows, int64 new, int64 n, int32 *stamp)
{
	Trending	trending = TrendingOf(r->u);

	for (int64 i = new; i < n; i++)
		if (rows[i].like)
			stamp[rows[i].item] = user;
	for (int64 i = 0; i < new; i++)
	{
		int32		item = rows[i].item;

		r->more[item] = true;
		r->hashes[item] += rows[i].hash;
		if (!rows[i].like)
			continue;
		r->pairs[item] += stamp[item] != user;
		stamp[item] = user;
		if (trending.half_life > 0)
			AddFade(&r->left[item], TrendOfTime(trending, rows[i].time));
	}
}

/* Finds out which rows of marked users are new, and what that is for their items. */
static void
CompareUsers(Recent *r)
{
	const Side *users = &r->u->users;
	int32	   *stamp = HugeArray(r->u->items.ids->count, sizeof(int32));

	memset(stamp, -1, sizeof(int32) * r->u->items.ids->count);
	for (int32 i = 0; i < users->ids->count; i++)
	{
		UserRow    *rows = &r->of_users[r->start[i]];
		int64		n = r->start[i + 1] - r->start[i];
		uint64		before = i < users->stored ? users->fingerprints[i] : 0;
		int64		new;

		if (!r->user[i] || (uint64) r->current[i] == before)
			continue;
		if (r->changed++ % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		new = CountNewRows(rows, n, (uint64) r->current[i] - before, r->since);
		r->unclear[i] = new < 0;
		if (new >= 0)
			AddNewRows(r, i, rows, new, n, stamp);
	}
	pfree(stamp);
}

/*
 * The fingerprints that a side has now, by number: of marked ones those of which nread have been read, else as they
 * were.
 */
static int64 *
CurrentPrints(const Side *side, const bool *marked, const int64 *read, int64 nread)
{
	int64		n = side->ids->count;
	int64	   *current = HugeZeroArray(n, sizeof(int64));

	for (int64 i = 0; i < n; i++)
		if (marked[i])
			current[i] = i < nread ? read[i] : 0;
		else
			current[i] = i < side->stored ? side->fingerprints[i] : 0;
	return current;
}

/* Marks an item, or a user, whose rows are needed; whether they have not been read. */
static inline bool
Need(bool *marked, int32 number)
{
	bool		missing = !marked[number];

	marked[number] = true;
	return missing;
}

/*
 * Marks what is needed besides: items that change and do not stay, those of which rows may have changed, and what the
 * version does not know of a row's user and item, as both are solved by the other.  Whether there is any.
 */
static bool
MarkMissing(Recent *r)
{
	const Side *users = &r->u->users;
	const Side *items = &r->u->items;
	Triplets   *rows = &r->rows;
	bool		missing = false;

	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
			if (r->unclear[rows->user[i]])
				missing |= Need(r->item, rows->item[i]);
	EndTriplets(rows);
	rows = &r->u->rows;
	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
		{
			if (rows->item[i] >= items->stored || items->counts[rows->item[i]] == 0)
				missing |= Need(r->item, rows->item[i]);
			if (rows->user[i] >= users->stored || users->counts[rows->user[i]] == 0)
				missing |= Need(r->user, rows->user[i]);
		}
	EndTriplets(rows);
	for (int32 i = 0; i < items->stored; i++)
		if (r->more[i] && !ItemStays(items->counts[i], items->counts[i] + r->pairs[i]))
			missing |= Need(r->item, i);
	return missing;
}

/* Marks users of rows that were read by their time, and items that will probably be solved. */
static void
MarkRecent(Recent *r)
{
	const Side *items = &r->u->items;
	Triplets   *rows = &r->rows;
	int32	   *new;

	GrowRecent(r);
	new = HugeZeroArray(r->nitems, sizeof(int32));
	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
		{
			int32		item = rows->item[i];

			r->user[rows->user[i]] = true;
			new[item] += rows->time[i] > r->u->read_until;
			if (item >= items->stored || (new[item] > 0 && !ItemStays(items->counts[item], items->counts[item] + new[item])))
				r->item[item] = true;
		}
	EndTriplets(rows);
	pfree(new);
}

/* Reads rows of marked users and items, and finds out what is new. */
static void
ReadRound(Recent *r)
{
	Update	   *u = r->u;

	ReadMarked(r);
	r->current = CurrentPrints(&u->users, r->user, u->read->fingerprints->user, u->read->fingerprints->nusers);
	r->unclear = HugeZeroArray(r->nusers, sizeof(bool));
	r->more = HugeZeroArray(r->nitems, sizeof(bool));
	r->hashes = HugeZeroArray(r->nitems, sizeof(uint64));
	r->pairs = HugeZeroArray(r->nitems, sizeof(int32));
	r->left = HugeZeroArray(r->nitems, sizeof(FadeSum));
	r->changed = 0;
	GroupByUser(r);
	CompareUsers(r);
	pfree(r->of_users);
}

/* Both sides' fingerprints as they are now, and ratings of items that stay. */
static void
TakeRound(Recent *r)
{
	Update	   *u = r->u;
	Side	   *items = &u->items;
	int64	   *current = CurrentPrints(items, r->item, u->read->fingerprints->item, u->read->fingerprints->nitems);

	u->counted = HugeZeroArray(r->nitems, sizeof(int32));
	u->more_left = r->left;
	for (int64 i = 0; i < items->stored; i++)
		if (r->more[i] && !r->item[i])
		{
			current[i] = (int64) ((uint64) items->fingerprints[i] + r->hashes[i]);
			u->counted[i] = items->counts[i] + r->pairs[i];
		}
	GrowSide(&u->users, r->current);
	GrowSide(items, current);
}

/* Gives back what a round has read, if any. */
static void
FreeRound(Update *u)
{
	FreeTriplets(&u->rows);
	if (u->read)
		FreeUnrated(u->read->unrated);
	u->read = NULL;
}

/* Reads all that is needed, in as many rounds as that takes; false where a scan is to do it. */
static bool
ReadRounds(Recent *r)
{
	Update	   *u = r->u;

	MarkRecent(r);
	for (int round = 0; round < MOST_ROUNDS && AreFew(r); round++)
	{
		ReadRound(r);
		if (!FewUsersChanged(u, r->changed))
			break;
		if (!MarkMissing(r))
		{
			TakeRound(r);
			return true;
		}
		FreeRound(u);
	}
	return false;
}

/*
 * Reads what has come to the source since it was last read, and all rows of users and items that change by it: fills in
 * what ReadRows() of all rows would.  False where that cannot be done, or a scan is cheaper; *hint: what would help, or
 * NULL.
 */
bool
ReadRecentRows(Update *u, const char **hint)
{
	RowQuery	query = {.sql = RecentSql(u, hint)};
	Recent		r = {.u = u,.since = u->read_until - u->late};
	Ratings    *read;

	if (query.sql == NULL)
		return false;
	PushLatestSnapshot();
	read = ReadRows(&u->source, &query, u->users.ids, u->items.ids, MaintenanceMemory(), &u->parallel, &r.rows);
	FreeUnrated(read->unrated);
	u->rows_read = r.rows.count;
	u->by_time = ReadRounds(&r);
	PopActiveSnapshot();
	FreeTriplets(&r.rows);
	if (u->by_time)
		u->read_until = fmax(u->read_until, read->read_until);
	else
		FreeRound(u);
	return u->by_time;
}
