/*
 * tune_start.c - vectors of a training, kept so that others go on from them.
 *
 * They are in a temporary file, which costs little beside the half-sweeps that they save, and leaves
 * maintenance_work_mem to trainings.
 */
#include "postgres.h"

#include "compat.h"
#include "pg/alloc.h"
#include "tune/tune_start.h"

/* A matrix of vectors or a column of biases: rows of `width` numbers, `stride` apart. */
static void
WriteRows(BufFile *file, const float *rows, int64 n, int width, int64 stride)
{
	for (int64 r = 0; r < n && rows; r++)
		BufFileWrite(file, (float *) rows + r * stride, sizeof(float) * width);
}

/* Keeps the vectors of a training, in the current memory context, in place of those that there may be. */
void
KeepVectors(StartVectors *start, const Training *training)
{
	const MfProblem *problem = &training->problem;
	const MfFactors *factors = &training->factors;
	int			d = problem->factors;
	int64		ld = mf_padded(d);

	DropVectors(start);
	*start = (StartVectors) {.file = BufFileCreateTemp(false),.shared = training->objective.factors,
		.own = training->objective.rating_factors,.nusers = problem->nusers,.nitems = problem->nitems};
	WriteRows(start->file, factors->user, start->nusers, d, ld);
	WriteRows(start->file, factors->rating, start->nitems, d, ld);
	WriteRows(start->file, factors->interest, start->nitems, d, ld);
	WriteRows(start->file, factors->user_bias, start->nusers, 1, 1);
	WriteRows(start->file, factors->item_bias, start->nitems, 1, 1);
}

/*
 * Reads vectors that were kept into those of a training, which may have more or fewer dimensions of each kind: further
 * ones stay as they are, by chance or 0.
 */
static void
ReadVectors(const StartVectors *start, const Training *training, float *vectors, int64 n)
{
	int64		ld = mf_padded(training->problem.factors);
	int			shared = Min(start->shared, training->objective.factors);
	int			own = Min(start->own, training->objective.rating_factors);
	float		vector[MF_MAX_PADDED];

	for (int64 r = 0; r < n && vectors; r++)
	{
		float	   *to = vectors + r * ld;

		ReadTempFile(start->file, vector, sizeof(float) * (start->shared + start->own));
		memcpy(to, vector, sizeof(float) * shared);
		memcpy(to + training->objective.factors, vector + start->shared, sizeof(float) * own);
	}
}

/* Reads biases that were kept. */
static void
ReadBiases(const StartVectors *start, float *biases, int64 n)
{
	for (int64 r = 0; r < n && biases; r++)
		ReadTempFile(start->file, biases + r, sizeof(float));
}

/*
 * Gives a training, whose factors have been started, those that were kept; false where there are none, or they are of
 * other users or items.
 */
bool
TakeVectors(const StartVectors *start, Training *training)
{
	MfFactors  *factors = &training->factors;

	if (start->file == NULL || start->nusers != training->problem.nusers || start->nitems != training->problem.nitems)
		return false;
	if (BufFileSeek(start->file, 0, 0, SEEK_SET) != 0)
		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not rewind a temporary file of vectors: %m")));
	ReadVectors(start, training, factors->user, start->nusers);
	ReadVectors(start, training, factors->rating, start->nitems);
	ReadVectors(start, training, factors->interest, start->nitems);
	ReadBiases(start, factors->user_bias, start->nusers);
	ReadBiases(start, factors->item_bias, start->nitems);
	return true;
}

/* Gives the file back. */
void
DropVectors(StartVectors *start)
{
	if (start->file)
		BufFileClose(start->file);
	start->file = NULL;
}
