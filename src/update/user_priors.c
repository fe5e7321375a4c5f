/*
 * user_priors.c - the points that users who have changed are drawn to.
 *
 * Who is stored with one keeps it, whatever has become of the relation of attributes, and who is stored with a vector
 * and none is drawn to the mean user, as long as they have rows.  Others get theirs from their row in the relation,
 * where that says something.  So it is when lists are made (serve/recommender.c, LoadUser), and folding in finds what
 * is stored.
 */
#include "postgres.h"

#include "catalog/pg_type.h"

#include "core/base/padding.h"
#include "model/factor_rows.h"
#include "model/factor_table.h"
#include "pg/alloc.h"
#include "pg/spi_query.h"
#include "serve/profile_encode.h"
#include "update/user_priors.h"

/* Users who are encoded together. */
#define BATCH_USERS 10000

/* Receives the points that users are drawn to. */
typedef struct PriorReceiver
{
	DestReceiver pub;
	Update	   *update;
} PriorReceiver;

/* rStartup: an error unless the query delivers what ReceivePrior takes for granted. */
static void
StartupPriorReceiver(DestReceiver *self, int operation, TupleDesc typeinfo)
{
	(void) operation;
	CheckDeliveredId(typeinfo, 0, &((PriorReceiver *) self)->update->users.type);
	CheckFactorColumn(typeinfo, 1, FLOAT4ARRAYOID);
}

/* receiveSlot: keeps the point of a user who has changed. */
static bool
ReceivePrior(TupleTableSlot *slot, DestReceiver *self)
{
	Update	   *u = ((PriorReceiver *) self)->update;
	int64		ld = mf_padded(u->users.factors);
	int32		number;
	int32		place;
	int			d;
	const float *prior;

	slot_getallattrs(slot);
	number = FindId(u->users.ids, IdFromColumn(&u->users.type, slot->tts_values[0]));
	place = number >= 0 ? u->changed_users.place[number] : -1;
	if (place < 0)
		return true;
	prior = VectorValues(slot->tts_values[1], slot->tts_isnull[1], false, &d);
	if (d > u->users.factors)
		return true;
	memset(u->priors + place * ld, 0, sizeof(float) * ld);
	memcpy(u->priors + place * ld, prior, sizeof(float) * d);
	u->has_prior[place] = true;
	return true;
}

/*
 * Users who get their point from what is known of them now: without a vector so far, or without rows and a point from
 * now on. Ids of those from place *from on, as many as are encoded together, and their places.
 */
static int
NextUnknown(const Update *u, int64 *from, int64 *ids, int32 *places)
{
	const Selection *users = &u->changed_users;
	int			n = 0;

	for (; *from < users->count && n < BATCH_USERS; (*from)++)
	{
		int32		number = users->number[*from];

		if (u->has_prior[*from] || (u->users.known[number] && u->users.change[number] != CHANGE_EMPTIED))
			continue;
		ids[n] = IdAt(u->users.ids, number);
		places[n++] = (int32) *from;
	}
	return n;
}

/* Takes the points of n users, by their places. */
static void
EncodeUsers(Update *u, const ItemEncoder *encoder, const int64 *ids, const int32 *places, int n)
{
	int64		ld = mf_padded(u->users.factors);
	EncodedItems encoded;
	const bool *moved = EncodeProfiles(encoder, u->mean_user, ids, n, false, &encoded);

	for (int i = 0; i < n; i++)
	{
		int32		row = FindId(encoded.ids, ids[i]);

		if (row < 0 || !moved[row])
			continue;
		memcpy(u->priors + places[i] * ld, encoded.vectors + row * ld, sizeof(float) * ld);
		u->has_prior[places[i]] = true;
	}
}

/* The same of all of them; none where their attributes cannot be read. */
static void
EncodeUnknown(Update *u)
{
	MemoryContext batch;
	ItemEncoder encoder;
	int64	   *ids = palloc(sizeof(int64) * BATCH_USERS);
	int32	   *places = palloc(sizeof(int32) * BATCH_USERS);
	int64		from = 0;
	int			n;

	if (!OpenEncoder(&encoder, &user_side, u->model, u->model->version, &u->users.type))
		return;
	batch = AllocSetContextCreate(CurrentMemoryContext, "mfrec user priors", ALLOCSET_DEFAULT_SIZES);
	while ((n = NextUnknown(u, &from, ids, places)) > 0)
	{
		MemoryContext old = MemoryContextSwitchTo(batch);

		EncodeUsers(u, &encoder, ids, places, n);
		MemoryContextSwitchTo(old);
		MemoryContextReset(batch);
	}
	MemoryContextDelete(batch);
}

/* u->priors, of changed users: their own where they have one, else the mean user. */
static void
ReadUserPriors(Update *u)
{
	int64		ld = mf_padded(u->users.factors);
	int64		n = u->changed_users.count;
	PriorReceiver receiver = {.pub = {.receiveSlot = ReceivePrior,.rStartup = StartupPriorReceiver},.update = u};

	if (!u->profiles || PriorColumn(u->users.relid) == InvalidAttrNumber)
		return;
	u->priors = AlignedZeroArray(n * ld, sizeof(float));
	u->has_prior = HugeZeroArray(n, sizeof(bool));
	for (int64 i = 0; i < n; i++)
		memcpy(u->priors + i * ld, u->mean_user, sizeof(float) * u->objective.factors);
	RunQuery(psprintf("SELECT " USER_ID ", prior FROM %s WHERE version OPERATOR(pg_catalog.=) $1 AND prior IS NOT NULL",
					  FactorTableSql(u->users.relid)),
			 INT4OID, Int32GetDatum(u->model->version), true, &receiver.pub);
	EncodeUnknown(u);
}

/* Of users who have lost all rows those with a point of their own stay: they are not counted as emptied any more. */
static void
KeepProfiles(Update *u)
{
	const Selection *users = &u->changed_users;
	int64		ld = mf_padded(u->users.factors);
	int64		kept = 0;

	for (int64 i = 0; i < users->count; i++)
	{
		uint8	   *change = &u->users.change[users->number[i]];

		if (*change == CHANGE_EMPTIED && !u->has_prior[i])
			continue;
		if (*change == CHANGE_EMPTIED)
			*change = CHANGE_PROFILED;
		memmove(u->priors + kept * ld, u->priors + i * ld, sizeof(float) * ld);
		u->has_prior[kept++] = u->has_prior[i];
	}
}

/* u->changed_users: those with rows, and those without who have a point of their own; and these points. */
void
SelectUsers(Update *u)
{
	uint32		stored = CHANGE_BIT(CHANGE_ADDED) | CHANGE_BIT(CHANGE_SOLVED);

	Select(&u->users, stored | CHANGE_BIT(CHANGE_EMPTIED), &u->changed_users);
	ReadUserPriors(u);
	if (u->priors)
		KeepProfiles(u);
	Select(&u->users, stored | CHANGE_BIT(CHANGE_PROFILED), &u->changed_users);
}

/* The points of selected users, who are among the changed ones, by place; NULL: all are drawn to the mean user. */
float *
GatherPriors(const Update *u, const Selection *users)
{
	int64		ld = mf_padded(u->users.factors);
	float	   *gathered;

	if (u->priors == NULL)
		return NULL;
	gathered = AlignedArray(users->count * ld, sizeof(float));
	for (int64 i = 0; i < users->count; i++)
		memcpy(gathered + i * ld, u->priors + u->changed_users.place[users->number[i]] * ld, sizeof(float) * ld);
	return gathered;
}
