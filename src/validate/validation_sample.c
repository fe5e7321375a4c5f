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

/* A sample that is being drawn. */
typedef struct Drawing
{
	ValidationSample *sample;
	double		relevant_from;	/* NaN: every row held out is relevant */
	bool		sums;			/* several rows of an item add up, rather than being averaged */
	int64		wanted_users;
	bool	   *wanted;			/* of all users: they have a row that is relevant by itself */
	int32	   *slot;			/* of all users: their place in the sample, else -1 */
	int32	   *count;			/* of the sample's users: rows held out, then those taken so far */
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

/* Takes note of users with a relevant row held out. */
static void
MarkHeldOut(void *state, int32 user, int32 item, float value)
{
	Drawing    *d = state;

	(void) item;
	if (d->wanted[user] || !IsRelevant(d, value))
		return;
	d->wanted[user] = true;
	d->wanted_users++;
}

/* Counts a held-out row, if it is of a user of the sample. */
static void
CountHeldOut(void *state, int32 user, int32 item, float value)
{
	Drawing    *d = state;

	(void) item;
	(void) value;
	if (d->slot[user] >= 0)
		d->count[d->slot[user]]++;
}

/* Takes a held-out row, if it is of a user of the sample. */
static void
TakeHeldOut(void *state, int32 user, int32 item, float value)
{
	Drawing    *d = state;
	int32		slot = d->slot[user];

	if (slot >= 0)
		d->item[d->sample->start[slot] + d->count[slot]++] = (HeldOutItem) {item, value};
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

/* Sets wanted[] of users who have a relevant row held out, and returns how many they are; of others it stays as it is. */
int64
MarkUsers(Ratings *ratings, double relevant_from, bool *wanted)
{
	Drawing		drawing = {.relevant_from = relevant_from,.sums = !ratings->is_explicit,.wanted = wanted};

	ForEachHeldOut(ratings, MarkHeldOut, &drawing);
	return drawing.wanted_users;
}

/* Of so many users with a relevant row, in their order, each so manieth is in a sample, the first one too. */
int64
SampleStep(int64 wanted_users, int64 most_users)
{
	return Max(1, wanted_users / most_users);
}

/*
 * Fills in what a sample's users, who are chosen, have held out, and what they were trained on; who has nothing relevant
 * leaves it.
 */
void
FillSample(ValidationSample *sample, Ratings *ratings, double relevant_from)
{
	int32		nusers = (int32) ratings->by_user.nrows;
	Drawing		drawing = {.sample = sample,.relevant_from = relevant_from,.sums = !ratings->is_explicit};

	drawing.count = HugeZeroArray(sample->nusers, sizeof(int32));
	drawing.slot = HugeArray(nusers, sizeof(int32));
	memset(drawing.slot, 0xff, sizeof(int32) * nusers);
	for (int s = 0; s < sample->nusers; s++)
		drawing.slot[sample->user[s]] = s;
	ForEachHeldOut(ratings, CountHeldOut, &drawing);
	sample->start = HugeArray(sample->nusers + 1, sizeof(int64));
	sample->start[0] = 0;
	for (int s = 0; s < sample->nusers; s++)
		sample->start[s + 1] = sample->start[s] + drawing.count[s];
	memset(drawing.count, 0, sizeof(int32) * sample->nusers);
	drawing.item = HugeArray(sample->start[sample->nusers], sizeof(HeldOutItem));
	ForEachHeldOut(ratings, TakeHeldOut, &drawing);
	KeepRelevant(&drawing);
	CollectSeen(sample, &ratings->by_user);
	if (ratings->newest_held_out)
		DropSeen(sample);
	pfree(drawing.count);
	pfree(drawing.slot);
	pfree(drawing.item);
}

/*
 * Draws about most_users of the users with a relevant row held out, evenly spaced, in the current memory context; there
 * may be none.  relevant_from: the least rating or implicit value of a relevant row; NaN: every row is.
 */
void
DrawSample(ValidationSample *sample, Ratings *ratings, double relevant_from, int64 most_users)
{
	int32		nusers = (int32) ratings->by_user.nrows;
	bool	   *wanted = HugeZeroArray(nusers, sizeof(bool));
	int64		count = MarkUsers(ratings, relevant_from, wanted);
	int64		step = SampleStep(count, most_users);
	int64		met = 0;

	memset(sample, 0, sizeof(ValidationSample));
	sample->user = HugeArray(count / step + 1, sizeof(int32));
	for (int32 u = 0; u < nusers; u++)
		if (wanted[u] && met++ % step == 0)
			sample->user[sample->nusers++] = u;
	pfree(wanted);
	FillSample(sample, ratings, relevant_from);
}
