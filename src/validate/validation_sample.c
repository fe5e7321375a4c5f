/*
 * validation_sample.c - users with rows held out, by whose lists factors are measured.
 *
 * A list costs a search over all items, so some thousands of users stand for all.  They are evenly spaced among
 * those with a relevant row, so that the sample is the same for the same rows.
 */
#include "postgres.h"

#include <math.h>

#include "pg/alloc.h"
#include "validate/validation_sample.h"

/* A row held out: an item and its rating, or implicit value. */
typedef struct HeldOutItem
{
	int32		item;
	float		value;
} HeldOutItem;

/* A sample that is being drawn: first every user's rows are counted, then those of the sample are taken. */
typedef struct Drawing
{
	ValidationSample *sample;
	double		relevant_from;	/* NaN: every row held out is relevant */
	bool		sums;			/* several rows of an item add up, rather than being averaged */
	int64		wanted_users;
	int32	   *count;			/* of all users: rows held out, then those taken so far */
	bool	   *wanted;			/* of all users: they have a row that is relevant by itself */
	int32	   *slot;			/* of all users: their place in the sample, else -1 */
	HeldOutItem *item;			/* rows of the sample's users, as sample->start says */
} Drawing;

/* Calls a function for every held-out row. */
void
ForEachHeldOut(Ratings *ratings, HeldOutFunction function, void *state)
{
	Triplets   *held = &ratings->held_out;

	while (ReadTriplets(held))
	{
		const float *value = held->value ? held->value : held->weight;

		for (int64 i = 0; i < held->held; i++)
			function(state, held->user[i], held->item[i], value ? value[i] : 1);
	}
	EndTriplets(held);
}

/* Whether a rating or implicit value makes its item relevant: what users do not want never is. */
static inline bool
IsRelevant(const Drawing *d, double value)
{
	if (d->sums && value <= 0)
		return false;
	return isnan(d->relevant_from) || value >= d->relevant_from;
}

/* Counts a held-out row of a user, and users by whether one of theirs is relevant. */
static void
CountHeldOut(void *state, int32 user, int32 item, float value)
{
	Drawing    *d = state;

	(void) item;
	d->count[user]++;
	if (d->wanted[user] || !IsRelevant(d, value))
		return;
	d->wanted[user] = true;
	d->wanted_users++;
}

/* Chooses about most_users evenly spaced ones of the users that have relevant rows, and makes room for their rows. */
static void
ChooseUsers(Drawing *d, int32 nusers, int64 most_users)
{
	ValidationSample *sample = d->sample;
	int64		step = Max(1, d->wanted_users / most_users);
	int64		met = 0;

	sample->user = HugeArray(d->wanted_users / step + 1, sizeof(int32));
	sample->start = HugeArray(d->wanted_users / step + 2, sizeof(int64));
	sample->start[0] = 0;
	for (int32 u = 0; u < nusers; u++)
	{
		d->slot[u] = -1;
		if (!d->wanted[u] || met++ % step != 0)
			continue;
		d->slot[u] = sample->nusers;
		sample->user[sample->nusers++] = u;
		sample->start[sample->nusers] = sample->start[sample->nusers - 1] + d->count[u];
		d->count[u] = 0;
	}
	d->item = HugeArray(sample->start[sample->nusers], sizeof(HeldOutItem));
}

/* Takes a held-out row, if it is of a user of the sample. */
static void
TakeHeldOut(void *state, int32 user, int32 item, float value)
{
	Drawing    *d = state;
	int32		slot = d->slot[user];

	if (slot >= 0)
		d->item[d->sample->start[slot] + d->count[user]++] = (HeldOutItem) {item, value};
}

/* For qsort(): by item. */
static int
CompareItems(const void *a, const void *b)
{
	int32		x = ((const HeldOutItem *) a)->item;
	int32		y = ((const HeldOutItem *) b)->item;

	return (x > y) - (x < y);
}

/*
 * The relevant ones of a user's n rows, by item, once each; returns how many.  Several rows of an item
 * count as one with the mean of their ratings, or the sum of their implicit values, as in training.
 */
static int64
TakeRelevant(const Drawing *d, HeldOutItem *item, int64 n, int32 *relevant)
{
	int64		found = 0;
	int64		end;

	qsort(item, n, sizeof(HeldOutItem), CompareItems);
	for (int64 i = 0; i < n; i = end)
	{
		double		sum = 0;

		for (end = i; end < n && item[end].item == item[i].item; end++)
			sum += item[end].value;
		if (IsRelevant(d, d->sums ? sum : sum / (end - i)))
			relevant[found++] = item[i].item;
	}
	return found;
}

/* Fills in the relevant items of the sample's users; those who have none leave the sample. */
static void
KeepRelevant(const Drawing *d)
{
	ValidationSample *sample = d->sample;
	int32		kept = 0;
	int64		to = 0;
	int64		from = 0;

	sample->relevant = HugeArray(sample->start[sample->nusers], sizeof(int32));
	for (int s = 0; s < sample->nusers; s++)
	{
		int64		end = sample->start[s + 1];
		int64		found = TakeRelevant(d, d->item + from, end - from, sample->relevant + to);

		from = end;
		if (found == 0)
			continue;
		to += found;
		sample->user[kept++] = sample->user[s];
		sample->start[kept] = to;
	}
	sample->nusers = kept;
}

/* Fills in what the sample's users were trained on, which their lists leave out. */
static void
CollectSeen(ValidationSample *sample, Cells *by_user)
{
	MfRows		rows;
	int			s = 0;

	sample->seen_start = HugeArray(sample->nusers + 1, sizeof(int64));
	sample->seen_start[0] = 0;
	for (int i = 0; i < sample->nusers; i++)
		sample->seen_start[i + 1] = sample->seen_start[i] +
			by_user->start[sample->user[i] + 1] - by_user->start[sample->user[i]];
	sample->seen = HugeArray(sample->seen_start[sample->nusers], sizeof(int32));
	RewindCells(by_user);
	while (NextCells(by_user, &rows))
		for (; s < sample->nusers && sample->user[s] < rows.first + rows.nrows; s++)
			memcpy(sample->seen + sample->seen_start[s], rows.column + rows.start[sample->user[s] - rows.first],
				   sizeof(int32) * (sample->seen_start[s + 1] - sample->seen_start[s]));
}

/*
 * Leaves out of relevant items what the sample's users were trained on, as their lists leave it out: where the newest
 * rows are held out, there may be older ones of the same items.  Who has none left leaves the sample.
 */
static void
DropSeen(ValidationSample *sample)
{
	int32		kept = 0;
	int64		to = 0;
	int64		seen_to = 0;
	int64		from = 0;
	int64		seen_from = 0;

	for (int s = 0; s < sample->nusers; s++)
	{
		int64		end = sample->start[s + 1];
		int64		seen_end = sample->seen_start[s + 1];
		int64		seen = seen_from;
		int64		first = to;

		for (int64 i = from; i < end; i++)
		{
			while (seen < seen_end && sample->seen[seen] < sample->relevant[i])
				seen++;
			if (seen == seen_end || sample->seen[seen] != sample->relevant[i])
				sample->relevant[to++] = sample->relevant[i];
		}
		if (to > first)
		{
			memmove(sample->seen + seen_to, sample->seen + seen_from, sizeof(int32) * (seen_end - seen_from));
			seen_to += seen_end - seen_from;
			sample->user[kept++] = sample->user[s];
			sample->start[kept] = to;
			sample->seen_start[kept] = seen_to;
		}
		from = end;
		seen_from = seen_end;
	}
	sample->nusers = kept;
}

/*
 * Draws about most_users of the users with a relevant row held out, in the current memory context; there may be
 * none.  relevant_from: the least rating or implicit value of a relevant row; NaN: every row is.
 */
void
DrawSample(ValidationSample *sample, Ratings *ratings, double relevant_from, int64 most_users)
{
	int32		nusers = (int32) ratings->by_user.nrows;
	Drawing		drawing = {.sample = sample,.relevant_from = relevant_from,.sums = !ratings->is_explicit};

	memset(sample, 0, sizeof(ValidationSample));
	drawing.count = HugeZeroArray(nusers, sizeof(int32));
	drawing.wanted = HugeZeroArray(nusers, sizeof(bool));
	drawing.slot = HugeArray(nusers, sizeof(int32));
	ForEachHeldOut(ratings, CountHeldOut, &drawing);
	ChooseUsers(&drawing, nusers, most_users);
	ForEachHeldOut(ratings, TakeHeldOut, &drawing);
	KeepRelevant(&drawing);
	CollectSeen(sample, &ratings->by_user);
	if (ratings->newest_held_out)
		DropSeen(sample);
	pfree(drawing.count);
	pfree(drawing.wanted);
	pfree(drawing.slot);
	pfree(drawing.item);
}
