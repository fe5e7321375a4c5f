/*
 * recommend_batch.c - the lists of many users at a time, from their stored vectors, by threads.
 *
 * The search is that of a single user; where it has to look at all items, as the image's index knows,
 * users go through them together (core/fine.c).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "pg/alloc.h"
#include "pg/core_call.h"
#include "serve/recommend_batch.h"

/* With fewer users than this, fine codes take longer to make than they save. */
#define ENOUGH_USERS 256

/* Bytes that would make the lists of so many users faster; 0 where nothing would. */
int64
FineListBytes(const Image *image, int64 users)
{
	return image->index.coded > 0 && users >= ENOUGH_USERS ? mf_fine_size(&image->index) : 0;
}

/*
 * Room for lists of at most k items for `room` users at a time, in the current memory context; fine: with
 * FineListBytes.
 */
void
InitLists(Lists *lists, const Image *image, int k, int64 room, bool fine, const MfParallel *parallel)
{
	MfBatch    *batch = &lists->batch;

	memset(lists, 0, sizeof(Lists));
	lists->image = image;
	lists->parallel = parallel;
	lists->room = Max(room, 1);
	batch->k = (int) Min(k, image->nitems);
	batch->item = HugeArray(lists->room * batch->k, sizeof(int32));
	batch->score = HugeArray(lists->room * batch->k, sizeof(float));
	batch->count = HugeArray(lists->room, sizeof(int32));
	lists->space = AlignedArray(mf_topk_batch_workspace(&image->index, batch->k, parallel), 1);
	if (!fine)
		return;
	if (!mf_fine_build(&lists->fine, AlignedArray(mf_fine_size(&image->index), 1), &image->index, parallel))
		CheckCore(MF_CANCELLED);
	batch->fine = &lists->fine;
}

/*
 * Makes the lists of n users, at most as many as there is room for: their vectors, ld floats each, 64-byte
 * aligned; user q's leaves out seen[seen_start[q]] .. seen[seen_start[q + 1] - 1], in any order.
 */
void
MakeLists(Lists *lists, int64 n, const float *vectors, const int64 *seen_start, const int32 *seen)
{
	MfBatch    *batch = &lists->batch;

	batch->nqueries = n;
	batch->query = vectors;
	batch->seen_start = seen_start;
	batch->seen = seen;
	if (!mf_topk_batch(&lists->image->index, batch, lists->space, lists->parallel))
		CheckCore(MF_CANCELLED);
}
