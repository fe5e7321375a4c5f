/*
 * sq8.c - 8-bit scalar quantization of whole vectors, of which products of bytes leave 7 bits to be used.
 *
 * Where norms are flat, every item is looked at for every query.  For one query that is a matter of
 * memory, hence the short codes of sq4.c.  Many queries share what is fetched, and then it is a
 * matter of arithmetic: products of bytes are four times as many an instruction as those of floats.
 * The same holds where norms prune: the few first items, which every query looks at, are in the cache.
 * Whatever the vectors, with a step s for a pack of items and t for a query,
 *
 *	  v_j = s (n_j - 64) + e_j,    n_j = 1 .. 127
 *	  p_j = t q_j + f_j,		   q_j = -127 .. 127
 *
 *	  p.v = s t (sum q_j n_j - 64 sum q_j) + s sum f_j (n_j - 64) + sum p_j e_j
 *
 * by definition of e and f, and the last two terms are at most |f| |l| + |p| |e|, l_j = s (n_j - 64)
 * (Cauchy-Schwarz), where |l| and |e| are the largest of the pack.  That is the bound of sq4.c
 * without rotation and rest, so the same kernel makes thresholds of it.  It is so narrow, about a
 * hundredth of |p| |v|, that little passes but what is among the best so far.
 *
 * The sum of products is at most 127 * 127 * MF_MAX_PADDED < 2^24, so it is a whole float as well.
 */
#include "core/topk/sq8.h"

#include <math.h>
#include <string.h>

#include "core/base/arena.h"
#include "core/base/padding.h"
#include "core/kernels/sq8_code.h"

/* Norms and errors are sums of squares in double, or of whole numbers, rounded to float: a little more covers both. */
#define ROUNDED_UP (1 + 1e-6)

/* Bytes of 64-byte aligned space that the codes of all of an index take. */
size_t
mf_sq8_size(const MfIndex *index)
{
	MfArena		arena = {NULL, 0};
	MfSq8		sq8;

	mf_index_lay_out_sq8(&sq8, &arena, index->ld, index->nblocks);
	return arena.used;
}

/* State of coding, shared by its workers. */
typedef struct Sq8Coding
{
	const MfIndex *index;
	const MfSq8 *sq8;
	MfSq8Code	code_vector;
} Sq8Coding;

/* The largest size of a number among a pack's vectors; 0 where one is out of the range of codes. */
static float
pack_most(const MfIndex *index, int64_t pack)
{
	float		row[MF_MAX_PADDED];
	float		most = 0;

	for (int i = 0; i < MF_PACK; i++)
	{
		int64_t		at = pack * MF_PACK + i;
		float		norm = index->norm[at];
		const float *v = mf_index_row(index, (int32_t) at, row);

		if (norm != 0 && !(norm > MF_LEAST_CODED && norm < MF_MOST_CODED))
			return 0;
		for (int j = 0; j < index->ld; j++)
		{
			float		size = fabsf(v[j]);

			most = size > most ? size : most;
		}
	}
	return most;
}

/* Codes one pack; one that is out of the range of codes passes every test. */
static void
code_pack(const Sq8Coding *coding, int64_t pack)
{
	const MfIndex *index = coding->index;
	const MfSq8 *sq8 = coding->sq8;
	uint8_t    *code = MF_WRITABLE(uint8_t, sq8->code) + (size_t) pack * MF_PACK * index->ld;
	float		most = pack_most(index, pack);
	float		step = most > 0 ? most / (MF_SQ8_MIDDLE - 1) : 1;
	float		length = 0;
	float		error = 0;

	for (int i = 0; i < MF_PACK; i++)
	{
		float		row[MF_MAX_PADDED] __attribute__((aligned(64)));
		float		its_length;
		float		its_error;

		coding->code_vector(mf_index_row(index, (int32_t) (pack * MF_PACK + i), row), index->ld, step, code + 4 * i,
							&its_length, &its_error);
		length = its_length > length ? its_length : length;
		error = its_error > error ? its_error : error;
	}
	if (most == 0 && index->pack_norm[pack] > 0)
		error = INFINITY;
	MF_WRITABLE(float, sq8->step)[pack] = step;
	MF_WRITABLE(float, sq8->length)[pack] = (float) (step * sqrt(length) * ROUNDED_UP);
	MF_WRITABLE(float, sq8->error)[pack] = (float) (step * (sqrt(error) * (1 + MF_SQ8_ROUNDING) +
															 MF_SQ8_ROUNDING * sqrt(index->ld)));
}

/* Codes the packs of one block; those after the last pack are never looked at, but have their bytes. */
static void
code_block(void *state, int64_t block, int worker)
{
	const Sq8Coding *coding = state;
	const MfSq8 *sq8 = coding->sq8;

	(void) worker;
	for (int64_t pack = block * MF_BLOCK_PACKS; pack < (block + 1) * MF_BLOCK_PACKS; pack++)
	{
		if (pack < coding->index->npacks)
			code_pack(coding, pack);
		else
		{
			memset(MF_WRITABLE(uint8_t, sq8->code) + (size_t) pack * MF_PACK * coding->index->ld, 0,
				   (size_t) MF_PACK * coding->index->ld);
			MF_WRITABLE(float, sq8->step)[pack] = 1;
			MF_WRITABLE(float, sq8->length)[pack] = 0;
			MF_WRITABLE(float, sq8->error)[pack] = 0;
		}
	}
}

/* Fills in 8-bit codes that have been laid out.  Returns false when it was cancelled. */
bool
mf_sq8_fill(const MfSq8 *sq8, const MfIndex *index, const MfParallel *parallel)
{
	Sq8Coding	coding = {index, sq8, mf_sq8_code()};

	memset(MF_WRITABLE(float, sq8->zero), 0, MF_BLOCK_PACKS * sizeof(float));
	return mf_parallel_for(parallel, sq8->nblocks, code_block, &coding);
}

/*
 * Makes the 8-bit codes of all of an index in space, which has mf_sq8_size() bytes and is 64-byte aligned.
 * Returns false when it was cancelled.
 */
bool
mf_sq8_build(MfSq8 *sq8, void *space, const MfIndex *index, const MfParallel *parallel)
{
	MfArena		arena = {space, 0};

	mf_index_lay_out_sq8(sq8, &arena, index->ld, index->nblocks);
	return mf_sq8_fill(sq8, index, parallel);
}

/*
 * Expresses a query of ld floats, whose norm is at most `norm`, in the terms of 8-bit codes; query->code
 * has room for ld.  Returns false when the query is too long or short; then codes say nothing.
 */
bool
mf_sq8_query(MfSqQuery *query, const float *p, int ld, double norm)
{
	float		most = 0;
	float		missed;
	int32_t		total;

	if (norm < MF_LEAST_CODED || norm > MF_MOST_CODED)
		return false;
	for (int j = 0; j < ld; j++)
	{
		float		size = fabsf(p[j]);

		most = size > most ? size : most;
	}
	query->unit = fmaxf(most / 127, 1e-30f);
	mf_sq8_query_code() (p, ld, query->unit, query->code, &total, &missed);
	query->per_error = (float) (norm * ROUNDED_UP);
	query->per_length = (float) (query->unit * (sqrt(missed) * (1 + MF_SQ8_ROUNDING) + MF_SQ8_ROUNDING * sqrt(ld)) + 1e-30);
	query->per_rest = 0;
	/* what the naive scan's own score may be off by */
	query->per_skew = (float) (1e-9 * norm);
	query->shift = (float) MF_SQ8_MIDDLE * (float) total;
	return true;
}
