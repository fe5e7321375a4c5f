/*
 * evaluate_lists.c - the lists of a block's users, and the order of all items.
 *
 * Where cold items are measured, this is done once for all items, once for cold ones among themselves, and once for
 * those that have ratings.  These two share the items, so they take about as long as all.
 *
 * A user's tally is filled by one thread, and counts of items by none; see evaluate_block.c.
 */
#include "postgres.h"

#include <math.h>

#include "utils/memutils.h"

#include "core/topk/diversify.h"
#include "eval/evaluate_lists.h"
#include "pg/alloc.h"
#include "pg/core_call.h"

/*
 * The block's users with relevant rows of a part of the items, of whom lists are made.  They stand one behind the
 * other, as searches take them.
 */
typedef struct Ranked
{
	Evaluation *e;
	const ItemPart *part;
	ItemPartId	id;
	UserTally  *tally;			/* of all users of the block, for this part */
	int			n;
	int32	   *user;			/* n: numbers in the block */
	float	   *vector;			/* n x ld */
	int64	   *relevant_start; /* n + 1 */
	int32	   *relevant;
	int64	   *seen_start;		/* n + 1: seen items of the part, ascending */
	int32	   *seen;
	/* the lists of some of them, from list_first on */
	int64		list_first;
	int32	   *popular;		/* lists.capacity x k */
	int32	   *popular_count;
} Ranked;

/* Counts the block's users with relevant rows, and allocates what their lists are made and judged by. */
static void
AllocateRanked(Ranked *r)
{
	const Block *b = &r->e->block;
	int64		nrelevant = 0;
	int64		nseen = 0;

	for (int u = 0; u < b->n; u++)
		if (r->tally[u].rows.relevant > 0)
		{
			r->n++;
			nrelevant += r->tally[u].rows.relevant;
			nseen += b->seen_count[u];
		}
	r->user = HugeZeroArray(r->n, sizeof(int32));
	r->vector = AlignedZeroArray((int64) r->n * r->e->r.image->index.ld, sizeof(float));
	r->relevant_start = HugeZeroArray(r->n + 1, sizeof(int64));
	r->relevant = HugeZeroArray(nrelevant, sizeof(int32));
	r->seen_start = HugeZeroArray(r->n + 1, sizeof(int64));
	r->seen = HugeZeroArray(nseen, sizeof(int32));
}

/* Whether an item is in the part. */
static bool
IsRanked(const Ranked *r, int32 item)
{
	return r->id == PART_ALL || PartOfItem(r->e->r.image, item) == r->id;
}

/* Gathers that: for user u of the block, the q-th ranked one, vector, seen items and relevant ones. */
static void
GatherUser(Ranked *r, int u, int q)
{
	const Block *b = &r->e->block;
	int			ld = r->e->r.image->index.ld;

	r->user[q] = u;
	memcpy(r->vector + (Size) q * ld, r->e->vector + (Size) (b->first + u) * ld, sizeof(float) * ld);
	r->seen_start[q + 1] = r->seen_start[q];
	for (int64 s = b->seen_start[u]; s < b->seen_start[u] + b->seen_count[u]; s++)
		if (IsRanked(r, b->seen[s]))
			r->seen[r->seen_start[q + 1]++] = b->seen[s];
	r->relevant_start[q + 1] = r->relevant_start[q];
	for (int64 c = b->cell_start[u]; c < b->cell_start[u] + b->cell_count[u]; c++)
		if (b->cell[c].relevant && IsRanked(r, b->cell[c].item))
			r->relevant[r->relevant_start[q + 1]++] = b->cell[c].item;
}

/* The same for all users with relevant rows, which then stand one behind the other, as searches take them. */
static void
GatherRanked(Ranked *r)
{
	AllocateRanked(r);
	for (int u = 0, q = 0; u < r->e->block.n; u++)
		if (r->tally[u].rows.relevant > 0)
			GatherUser(r, u, q++);
}

/* Fills in how popular and how alike a list's items are; of items that nobody has, the first says nothing. */
static void
FillAlike(const Ranked *r, MfListTally *tally, const int32 *list, int length)
{
	const Evaluation *e = r->e;

	if (r->id != PART_COLD)
		tally->popularity = mf_list_popularity(list, length, e->counts, (double) e->model_users);
	tally->similarity = mf_list_similarity(&e->r.image->index, list, length);
}

/*
 * Tallies the baseline's list of ranked user list_first + q, which is made here: the most popular items of the part, or
 * what a random order reaches.
 */
static void
JudgeBaseline(Ranked *r, int64 q)
{
	const Evaluation *e = r->e;
	const MfPopularity *popularity = &r->part->popularity;
	int64		user = r->list_first + q;
	MfListTally *tally = &r->tally[r->user[user]].baseline_list;
	const int32 *relevant = r->relevant + r->relevant_start[user];
	int64		nrelevant = r->relevant_start[user + 1] - r->relevant_start[user];
	const int32 *seen = r->seen + r->seen_start[user];
	int64		nseen = r->seen_start[user + 1] - r->seen_start[user];
	int			k = e->lists.k;
	int32	   *popular = r->popular + q * k;

	if (popularity->count == NULL)
	{
		mf_list_expect(tally, r->part->nitems - nseen, e->k, nrelevant);
		return;
	}
	r->popular_count[q] = PopularList(e->r.image, r->part->nitems, seen, nseen, k, popular);
	mf_list_tally(tally, popular, r->popular_count[q], e->k, relevant, nrelevant);
	tally->information = mf_list_information(popular, r->popular_count[q], e->counts, (double) e->model_users);
	FillAlike(r, tally, popular, r->popular_count[q]);
	tally->auc = mf_auc_of_counts(popularity, seen, nseen, relevant, nrelevant);
}

/*
 * Tallies the two lists of ranked user list_first + q, which is list q of the batch; for a thread.  The area under the
 * curve of the model's scores comes later, that of the baseline needs no scores.  Novelty says nothing about items that
 * nobody has: it is left undefined.
 */
static void
JudgeUser(void *state, int64 q, int worker)
{
	Ranked	   *r = state;
	const Evaluation *e = r->e;
	const MfTopkBatch *batch = &e->lists.batch;
	int64		user = r->list_first + q;
	MfListTally *tally = &r->tally[r->user[user]].list;
	const int32 *list = batch->item + q * batch->k;

	(void) worker;
	mf_list_tally(tally, list, batch->count[q], e->k, r->relevant + r->relevant_start[user],
				  r->relevant_start[user + 1] - r->relevant_start[user]);
	tally->information = r->id == PART_COLD ? NAN :
		mf_list_information(list, batch->count[q], e->counts, (double) e->model_users);
	FillAlike(r, tally, list, batch->count[q]);
	JudgeBaseline(r, q);
}

/* Counts how often items appear in the n lists; outside of threads, as users share these counts. */
static void
AddExposure(Ranked *r, int64 n)
{
	EvaluationSums *total = &r->e->total[PART_ALL];
	const MfTopkBatch *batch = &r->e->lists.batch;

	for (int64 q = 0; q < n; q++)
	{
		mf_exposure_add(&total->model.exposure, batch->item + q * batch->k, batch->count[q]);
		mf_exposure_add(&total->baseline.exposure, r->popular + q * r->e->lists.k, r->popular_count[q]);
	}
}

/* Makes the ranked users' lists and tallies them, as many at a time as there is room for. */
static void
JudgeRankedLists(Ranked *r)
{
	Evaluation *e = r->e;
	int64		capacity = Min(e->lists.capacity, r->n);

	e->lists.batch.filter = r->part->filter;
	r->popular = HugeZeroArray(capacity * e->lists.k, sizeof(int32));
	r->popular_count = HugeZeroArray(capacity, sizeof(int32));
	for (r->list_first = 0; r->list_first < r->n; r->list_first += capacity)
	{
		int64		n = Min(capacity, r->n - r->list_first);

		MakeLists(&e->lists, n, r->vector + (Size) r->list_first * e->r.image->index.ld,
				  r->seen_start + r->list_first, r->seen);
		if (!mf_parallel_for(&e->parallel, n, JudgeUser, r))
			CheckCore(MF_CANCELLED);
		if (r->id == PART_ALL)
			AddExposure(r, n);
	}
}

/*
 * The ranked users' areas under the curve: how many pairs of a relevant and another item of the part, without those of
 * the training, their scores order rightly.
 */
static void
JudgeOrder(Ranked *r)
{
	const Evaluation *e = r->e;
	const MfIndex *index = &e->r.image->index;
	MfAucQuery *query = HugeZeroArray(r->n, sizeof(MfAucQuery));
	float	   *score = HugeZeroArray(r->relevant_start[r->n], sizeof(float));

	for (int q = 0; q < r->n; q++)
	{
		query[q].query = r->vector + (Size) q * index->ld;
		query[q].seen = r->seen + r->seen_start[q];
		query[q].nseen = r->seen_start[q + 1] - r->seen_start[q];
		query[q].relevant = r->relevant + r->relevant_start[q];
		query[q].nrelevant = r->relevant_start[q + 1] - r->relevant_start[q];
		query[q].score = score + r->relevant_start[q];
	}
	if (!mf_auc(index, r->part->places, query, r->n,
				AlignedZeroArray(mf_auc_workspace(index->factors, &e->parallel), 1), &e->parallel))
		CheckCore(MF_CANCELLED);
	for (int q = 0; q < r->n; q++)
		r->tally[r->user[q]].list.auc = query[q].auc;
}

/* A part's ranked users on their way through threads, and what these need to rank cold items by content. */
typedef struct ByContent
{
	Ranked	   *r;
	ContentSpace *space;		/* one a worker */
	MfScored   *entry;			/* k each: lists in the making */
	int32	   *list;			/* k each */
} ByContent;

/* Tallies what content alone makes of the cold items for ranked user q; for a thread. */
static void
JudgeUserByContent(void *state, int64 q, int worker)
{
	ByContent  *by = state;
	const Ranked *r = by->r;
	const Evaluation *e = r->e;
	const Block *b = &e->block;
	int			k = e->lists.k;
	int			u = r->user[q];
	int32	   *list = by->list + (Size) worker * k;
	UserTally  *tally = &b->tally[PART_CONTENT][u];
	ContentQuery query = {.had = b->seen + b->seen_start[u],.nhad = b->seen_count[u],
		.relevant = r->relevant + r->relevant_start[q],.nrelevant = r->relevant_start[q + 1] - r->relevant_start[q]};

	mf_heap_start(&query.best, by->entry + (Size) worker * k, k);
	RankByContent(e->content, &by->space[worker], &query);
	for (int i = 0; i < query.best.count; i++)
		list[i] = (int32) query.best.entry[i].number;
	tally->rows = r->tally[u].rows;
	mf_list_tally(&tally->list, list, query.best.count, e->k, query.relevant, query.nrelevant);
	tally->list.information = NAN;
	tally->list.auc = query.auc;
	tally->baseline_list = r->tally[u].baseline_list;
}

/* The same for all ranked users, once what a random order reaches is there. */
static void
JudgeByContent(Ranked *r)
{
	Evaluation *e = r->e;
	int			workers = mf_workers(&e->parallel);
	ByContent	by = {.r = r,.space = CreateContentSpaces(e->content, workers),
		.entry = HugeArray((int64) workers * e->lists.k, sizeof(MfScored)),
		.list = HugeArray((int64) workers * e->lists.k, sizeof(int32))};

	if (!mf_parallel_for(&e->parallel, r->n, JudgeUserByContent, &by))
		CheckCore(MF_CANCELLED);
}

/* Tallies lists and order of a part of the items; leaves nothing but the tallies in memory. */
static void
JudgePart(Evaluation *e, ItemPartId id)
{
	Ranked		r = {.e = e,.part = &e->part[id],.id = id,.tally = e->block.tally[id]};
	MemoryContext own = AllocSetContextCreate(CurrentMemoryContext, "mfrec lists of a part", ALLOCSET_DEFAULT_SIZES);
	MemoryContext outer = MemoryContextSwitchTo(own);

	GatherRanked(&r);
	if (r.n > 0)
	{
		JudgeRankedLists(&r);
		JudgeOrder(&r);
		if (id == PART_COLD && e->content)
			JudgeByContent(&r);
	}
	MemoryContextSwitchTo(outer);
	MemoryContextDelete(own);
}

/* Tallies lists and the order of all items of the block's users, and of each part of the items by itself. */
void
JudgeLists(Evaluation *e)
{
	for (int p = 0; p < Min(e->nparts, PART_CONTENT); p++)
		JudgePart(e, (ItemPartId) p);
}
