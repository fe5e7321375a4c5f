/*
 * recent_rows.c - what has come to a source, found by its time.
 *
 * Where an index finds rows by their time, an update needs not read all of them.  It reads those that are not older than
 * OVERLAP before the newest one that was read so far, and then all rows of their users, whose fingerprints say which of the
 * rows are new: the newest ones of a user, whose hashes add up to what the stored fingerprint lacks.  So nothing is counted
 * twice, however often a row is read, and what is stored is what a scan of all rows would have stored.
 *
 * Items that are to be solved have all their rows read.  Those with many ratings, which stay as they are for a few more
 * (item_growth.c), get the new rows' hashes added, and the new pairs counted.  Where rows of a user were changed or
 * deleted, or have come that are not the newest ones, items of the rows that were read by time have all of theirs read.
 *
 * All of it is one snapshot of the source.  What cannot be found like this, or would cost as much as a scan, is left to one.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/array.h"
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
#include "source/ratings_read.h"
#include "source/unrated.h"
#include "update/update_state.h"

/* Seconds by which a row can be late: so long a transaction may take that inserts rows with the time of its start. */
#define OVERLAP 3600.0

/* The part of all ratings up to which looking rows up costs less than reading all of them. */
#define MOST_ROWS 0.25

/* A row of a user, on its way into the order of time. */
typedef struct UserRow
{
	double		time;
	uint64		hash;
	int32		item;
} UserRow;

/* What is found out of the users and items of rows that were read by their time; arrays go by number. */
typedef struct Recent
{
	Update	   *u;
	Triplets	rows;			/* read by their time */
	bool	   *user;			/* has such rows, so that all rows were read */
	bool	   *unclear;		/* a user of whom it is not known which rows are new */
	int64		changed;		/* users with other rows */
	int64	   *start;			/* of users, in the next: ascending by number */
	UserRow    *of_users;		/* all their rows */
	bool	   *item;			/* is to be looked at */
	bool	   *whole;			/* an item all of whose rows are to be read */
	uint64	   *more;			/* of an item: hashes of new rows, */
	int32	   *pairs;			/* and users who have not had it */
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

/* The query of rows that may be new; NULL where there is none, or indexes do not help: then *hint tells which would, or is NULL. */
static char *
RecentSql(const Update *u, const char **hint)
{
	const Source *source = &u->source;
	Oid			users = get_array_type(source->user.base);
	Oid			items = get_array_type(source->item.base);
	char	   *sql;

	if (source->time_column == NULL || !isfinite(u->read_until) || !OidIsValid(users) || !OidIsValid(items) ||
		LatestVersion(u->model->name) != u->model->version || !KnowsRows(&u->users) || !KnowsRows(&u->items))
		return NULL;
	sql = SourceSinceSql(source, u->read_until - OVERLAP);
	if (!FindsByIndex(sql, InvalidOid))
		*hint = IndexHint(source, source->time_column);
	else if (!FindsByIndex(SourceManySql(source, false), users))
		*hint = IndexHint(source, source->user_column);
	else if (!FindsByIndex(SourceManySql(source, true), items))
		*hint = IndexHint(source, source->item_column);
	else
		return sql;
	return NULL;
}

/* Whether the rows of marked users or items, by what was stored, are few enough to be looked up. */
static bool
AreFew(const Update *u, const Side *side, const bool *marked)
{
	int64		ratings = 0;
	int64		all = 0;

	for (int64 i = 0; i < side->stored; i++)
	{
		ratings += marked[i] ? side->counts[i] : 0;
		all += side->counts[i];
	}
	return ratings <= MOST_ROWS * all && ratings <= MaintenanceMemory() / (int64) sizeof(UserRow);
}

/* Reads all rows of marked users, or items: *rows.  The result has their fingerprints. */
static Ratings *
LookUpRows(Update *u, const bool *marked, bool items, Triplets *rows)
{
	const IdType *type = items ? &u->source.item : &u->source.user;
	const Side *side = items ? &u->items : &u->users;
	Datum	   *ids = HugeArray(side->ids->count, sizeof(Datum));
	RowQuery	query = {.sql = SourceManySql(&u->source, items),.type = get_array_type(type->base)};
	Ratings    *read;
	int			n = 0;

	for (int32 i = 0; i < side->ids->count; i++)
		if (marked[i])
			ids[n++] = IdToDatum(type, IdAt(side->ids, i));
	query.value = PointerGetDatum(construct_array(ids, n, type->base, type->typlen, type->typbyval, type->typalign));
	read = ReadRows(&u->source, &query, u->users.ids, u->items.ids, MaintenanceMemory(), &u->parallel, rows);
	pfree(DatumGetPointer(query.value));
	pfree(ids);
	u->rows_read += rows->count;
	return read;
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

/* Adds the rows of a block to those of their users; next[]: where, by user. */
static void
KeepBlock(Recent *r, const Triplets *rows, int64 *next)
{
	const Update *u = r->u;

	for (int64 i = 0; i < rows->held; i++)
	{
		int64		user = IdAt(u->users.ids, rows->user[i]);
		int64		item = IdAt(u->items.ids, rows->item[i]);
		UserRow    *kept = &r->of_users[next[rows->user[i]]++];

		kept->time = rows->time[i];
		kept->item = rows->item[i];
		HashRows(&u->source, 1, &user, &item, rows->value ? &rows->value[i] : NULL, rows->weight ? &rows->weight[i] : NULL,
				 &rows->time[i], &kept->hash);
		if (i % BLOCK_TRIPLETS == 0)
			CHECK_FOR_INTERRUPTS();
	}
}

/* Brings the rows of users together. */
static void
GroupByUser(Recent *r)
{
	Update	   *u = r->u;
	Triplets   *rows = &u->rows;
	int64		n = u->users.ids->count;
	int64	   *next = HugeArray(n, sizeof(int64));

	r->start = HugeZeroArray(n + 1, sizeof(int64));
	r->of_users = HugeArray(rows->count, sizeof(UserRow));
	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
			r->start[rows->user[i] + 1]++;
	EndTriplets(rows);
	for (int64 i = 0; i < n; i++)
	{
		r->start[i + 1] += r->start[i];
		next[i] = r->start[i];
	}
	while (ReadTriplets(rows))
		KeepBlock(r, rows, next);
	EndTriplets(rows);
	pfree(next);
}

/*
 * Which rows of a user are new: the newest n, whose hashes add up to what was missing.  Returns n; -1 where these do not.
 * Where rows of one time are among them it may be -1 too, for their order is not known.
 */
static int64
CountNewRows(UserRow *rows, int64 n, uint64 missing)
{
	qsort(rows, n, sizeof(UserRow), CompareUserRows);
	for (int64 i = 0; i <= n; i++)
	{
		if (missing == 0)
			return i;
		if (i < n)
			missing -= rows[i].hash;
	}
	return -1;
}

/* Adds the first `new` of a user's n rows to their items; stamp: by item, who had it last. */
static void
AddNewRows(Recent *r, int32 user, const UserRow *rows, int64 new, int64 n, int32 *stamp)
{
	for (int64 i = new; i < n; i++)
		stamp[rows[i].item] = user;
	for (int64 i = 0; i < new; i++)
	{
		int32		item = rows[i].item;

		r->item[item] = true;
		r->more[item] += rows[i].hash;
		r->pairs[item] += stamp[item] != user;
		stamp[item] = user;
	}
}

/* Finds out which rows of users are new, and what that is for their items; current: users' fingerprints. */
static void
CompareUsers(Recent *r, const int64 *current)
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

		if (!r->user[i] || (uint64) current[i] == before)
			continue;
		if (r->changed++ % 1024 == 0)
			CHECK_FOR_INTERRUPTS();
		new = CountNewRows(rows, n, (uint64) current[i] - before);
		r->unclear[i] = new < 0;
		if (new >= 0)
			AddNewRows(r, i, rows, new, n, stamp);
	}
	pfree(stamp);
}

/* Marks items all of whose rows are needed: what there are new rows of, but for items that stay. */
static void
MarkItems(Recent *r)
{
	const Update *u = r->u;
	const Side *items = &u->items;
	Triplets   *rows = &r->rows;

	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
			if (r->unclear[rows->user[i]])
				r->whole[rows->item[i]] = true;
	EndTriplets(rows);
	for (int64 i = 0; i < r->start[u->users.ids->count]; i++)
	{
		int32		item = r->of_users[i].item;

		if (item >= items->stored || items->counts[item] == 0)
			r->whole[item] = true;	/* a user who has changed may be solved by it */
	}
	for (int64 i = 0; i < items->stored; i++)
		if (r->item[i] && !ItemStays(items->counts[i], items->counts[i] + r->pairs[i]))
			r->whole[i] = true;
}

/* Whether rows of items are of users whom the version knows, or all of whose rows were read. */
static bool
KnowsUsers(Recent *r, Triplets *rows, int32 known)
{
	const Side *users = &r->u->users;
	bool		all = true;

	while (ReadTriplets(rows))
		for (int64 i = 0; i < rows->held; i++)
		{
			int32		user = rows->user[i];

			all &= user < known && (r->user[user] || (user < users->stored && users->counts[user] > 0));
		}
	EndTriplets(rows);
	return all;
}

/* The fingerprints that a side has now, by number: of marked ones those of which nread have been read, else as they were. */
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

/* Reads rows of items that are to be solved; false where a scan is to do it.  users: their fingerprints now. */
static bool
ReadItems(Recent *r, const int64 *users)
{
	Update	   *u = r->u;
	Side	   *items = &u->items;
	int32		known = u->users.ids->count;
	int64	   *current;
	Ratings    *read;

	MarkItems(r);
	if (!AreFew(u, items, r->whole))
		return false;
	read = LookUpRows(u, r->whole, true, &u->of_items);
	FreeUnrated(read->unrated);
	if (!KnowsUsers(r, &u->of_items, known))
		return false;
	current = CurrentPrints(items, r->whole, read->fingerprints->item, read->fingerprints->nitems);
	u->counted = HugeZeroArray(items->ids->count, sizeof(int32));
	for (int64 i = 0; i < items->stored; i++)
		if (r->item[i] && !r->whole[i])
		{
			current[i] = (int64) ((uint64) items->fingerprints[i] + r->more[i]);
			u->counted[i] = items->counts[i] + r->pairs[i];
		}
	GrowSide(&u->users, users);
	GrowSide(items, current);
	return true;
}

/* Reads all rows of users who have some that may be new, and then of items; false where a scan is to do it. */
static bool
ReadUsers(Recent *r)
{
	Update	   *u = r->u;
	int64		n = u->users.ids->count;
	int64	   *current;
	bool		done;

	r->user = HugeZeroArray(n, sizeof(bool));
	while (ReadTriplets(&r->rows))
		for (int64 i = 0; i < r->rows.held; i++)
			r->user[r->rows.user[i]] = true;
	EndTriplets(&r->rows);
	if (!AreFew(u, &u->users, r->user))
		return false;
	u->read = LookUpRows(u, r->user, false, &u->rows);
	current = CurrentPrints(&u->users, r->user, u->read->fingerprints->user, u->read->fingerprints->nusers);
	r->unclear = HugeZeroArray(n, sizeof(bool));
	r->item = HugeZeroArray(u->items.ids->count, sizeof(bool));
	r->whole = HugeZeroArray(u->items.ids->count, sizeof(bool));
	r->more = HugeZeroArray(u->items.ids->count, sizeof(uint64));
	r->pairs = HugeZeroArray(u->items.ids->count, sizeof(int32));
	GroupByUser(r);
	CompareUsers(r, current);
	done = FewUsersChanged(u, r->changed) && ReadItems(r, current);
	pfree(r->of_users);
	return done;
}

/*
 * Reads what has come to the source since it was last read, and all rows of users and items that change by it: fills in what
 * ReadRows() of all rows would, with u->of_items.  False where that cannot be done, or a scan is cheaper; *hint: what would
 * help, or NULL.
 */
bool
ReadRecentRows(Update *u, const char **hint)
{
	RowQuery	query = {.sql = RecentSql(u, hint),.type = InvalidOid};
	Recent		r = {.u = u};
	Ratings    *read;

	if (query.sql == NULL)
		return false;
	PushLatestSnapshot();
	read = ReadRows(&u->source, &query, u->users.ids, u->items.ids, MaintenanceMemory(), &u->parallel, &r.rows);
	FreeUnrated(read->unrated);
	u->rows_read = r.rows.count;
	u->by_time = ReadUsers(&r);
	PopActiveSnapshot();
	FreeTriplets(&r.rows);
	if (u->by_time)
		u->read_until = fmax(u->read_until, read->read_until);
	else
	{
		FreeTriplets(&u->rows);
		FreeTriplets(&u->of_items);
	}
	return u->by_time;
}
