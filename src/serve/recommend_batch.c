/*
 * recommend_batch.c - the lists of many users at a time, from their stored vectors, by threads.
 *
 * The search is that of a single user; where it has to look at all items, as the image's index knows,
 * users go through them together (core/topk/sq8.c).
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/topk/sq8.h"
#include "pg/alloc.h"
#include "pg/core_call.h"
#include "serve/recommend_batch.h"

/* With fewer users than this, 8-bit codes take longer to make than they save. */
#define ENOUGH_USERS 256

/* Bytes that would make the lists of so many users faster; 0 where nothing would. */
int64
Sq8Bytes(const Image *image, int64 users)
{
	return image->index.sq4.dims > 0 && users >= ENOUGH_USERS ? mf_sq8_size(&image->index) : 0;
}

/*
 * Room for lists of at most k items for `capacity` users at a time, in the current memory context; sq8: with
 * Sq8Bytes.
 */
void
InitLists(Lists *lists, const Image *image, int k, int64 capacity, bool sq8, const MfParallel *parallel)
{
	MfTopkBatch *batch = &lists->batch;

	memset(lists, 0, sizeof(Lists));
	lists->image = image;
	lists->parallel = parallel;
	lists->capacity = Max(capacity, 1);
	batch->k = (int) Min(k, image->nitems);
	batch->item = HugeArray(lists->capacity * batch->k, sizeof(int32));
	batch->score = HugeArray(lists->capacity * batch->k, sizeof(float));
	batch->count = HugeArray(lists->capacity, sizeof(int32));
	lists->space = AlignedArray(mf_topk_batch_workspace(&image->index, batch->k, parallel), 1);
	if (!sq8)
		return;
	if (!mf_sq8_build(&lists->sq8, AlignedArray(mf_sq8_size(&image->index), 1), &image->index, parallel))
		CheckCore(MF_CANCELLED);
	batch->sq8 = &lists->sq8;
}

/*
 * Makes the lists of n users, at most as many as there is room for: their vectors, ld floats each, 64-byte
 * aligned; user q's leaves out seen[seen_start[q]] .. seen[seen_start[q + 1] - 1], in any order.
 */
void
MakeLists(Lists *lists, int64 n, const float *vectors, const int64 *seen_start, const int32 *seen)
{
	MfTopkBatch *batch = &lists->batch;

	batch->nqueries = n;
	batch->query = vectors;
	batch->seen_start = seen_start;
	batch->seen = seen;
	if (!mf_topk_batch(&lists->image->index, batch, lists->space, lists->parallel))
		CheckCore(MF_CANCELLED);
}
