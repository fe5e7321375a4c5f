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
ReadVectors(void *state, const MfProblem *problem, const ValidationSample *sample, float *vectors)
{
	ReadHeldOutUsers(((Training *) state)->driver, problem, sample, vectors);
}

/* ValidationRows: errors of ratings. */
static void
SumErrors(void *state, double *group, MfErrorSums *sums)
{
	HeldOutErrorsOfNodes(((Training *) state)->driver, group, sums);
}

/* ValidationRows: a stored version. */
static int64
TakeServed(void *state, int32 version, const ServedFactors *served)
{
	return ServedUsersOnNodes(((Training *) state)->driver, version, served);
}

/* ValidationRows: the training again. */
static void
TakeTrained(void *state)
{
	TrainedUsersOnNodes(((Training *) state)->driver);
}

/* The rows that are held out, palloc'd; NULL: they are here. */
ValidationRows *
RowsThere(Training *t)
{
	ValidationRows *rows = t->driver ? palloc(sizeof(ValidationRows)) : NULL;

	if (rows)
		*rows = (ValidationRows) {t, Draw, ReadVectors, SumErrors, TakeServed, TakeTrained};
	return rows;
}

/* t->validation, where rows are held out. */
void
ValidateThere(Training *t)
{
	if (HeldOutOnNodes(t->driver) > 0)
		t->validation = CreateValidationOf(RowsThere(t), &t->problem, &t->objective, &t->parallel);
}
