/*
 * validation_there.c - rows held out on the nodes that have them: what validation asks of them, by the driver.
 */
#include "postgres.h"

#include "compat.h"
#include "distributed/driver.h"
#include "train/validation_there.h"

/* ValidationRows: the sample. */
static void
Draw(void *state, int64 most_users, ValidationSample *sample)
{
	DrawHeldOutOnNodes(((Training *) state)->driver, most_users, sample);
}

/* ValidationRows: vectors of its users. */
static void
ReadVectors(void *state, const ValidationSample *sample, float *vectors)
{
	const Training *t = state;

	ReadHeldOutUsers(t->driver, &t->problem, sample, vectors);
}

/* ValidationRows: errors of ratings. */
static void
SumErrors(void *state, MfErrorSums *sums)
{
	HeldOutErrorsOfNodes(((Training *) state)->driver, sums);
}

/* t->validation, where rows are held out. */
void
ValidateThere(Training *t)
{
	ValidationRows rows = {t, Draw, ReadVectors, SumErrors};

	if (HeldOutOnNodes(t->driver) > 0)
		t->validation = CreateValidationOf(&rows, &t->problem, &t->objective, &t->parallel);
}
