/*
 * als_single_task.c - one system at a time: what Cholesky's method and conjugate gradients share.
 */
#include "core/als/als_single_task.h"

/* out[k] = base[k] * factor + shift of its kind, and 1 where there are no dimensions. */
void
mf_single_diagonal(const MfAls *als, const MfTask *task, float *out)
{
	const MfBlock *block = task->block;

	for (int k = 0; k < block->width; k++)
		out[k] = 1.0f;
	for (int kind = 0; kind < MF_KINDS; kind++)
		for (int k = block->begin[kind]; k < block->end[kind]; k++)
			out[k] = als->base[k] * task->system.factor + task->system.raised[kind];
}

/*
 * Brings a task's shifts to what they count as, for the traces of its cells' part: the sums of diagonal[k * step],
 * less those of before (NULL: 0), over each kind of dimensions; see ridge.h.
 */
void
mf_single_raise(const MfAls *als, MfTask *task, const float *diagonal, const float *before, int step)
{
	for (int kind = 0; kind < MF_KINDS; kind++)
	{
		double		trace = 0.0;

		if (!mf_block_has(task->block, (MfKind) kind))
			continue;
		for (int k = task->block->begin[kind]; diagonal != NULL && k < task->block->end[kind]; k++)
			trace += diagonal[k * step] - (before != NULL ? before[k] : 0.0f);
		task->system.raised[kind] = mf_sweep_shift(als, &task->system, (MfKind) kind, trace);
	}
	task->system.raised_bias = (float) mf_bias_ridge(task->system.bias_shift, task->weight_sum);
}

/* Adds a system's loss. */
void
mf_single_account(MfAls *als, const MfTask *task, double explained, bool good)
{
	mf_sweep_account(als, task->row.row, &task->system, task->block, task->x, task->constant - explained, good);
}
