/*
 * validation_sample.h - users with rows held out, by whose lists factors are measured.
 */
#ifndef MFREC_VALIDATION_SAMPLE_H
#define MFREC_VALIDATION_SAMPLE_H

#include "source/ratings.h"

/*
 * A sample of users: the s-th is user[s], whose relevant held-out items are relevant[start[s] .. start[s + 1] - 1],
 * and who was trained on the items seen[seen_start[s] .. seen_start[s + 1] - 1]; both ascend.
 */
typedef struct ValidationSample
{
	int			nusers;
	int32	   *user;			/* nusers, ascending */
	int64	   *start;			/* nusers + 1 */
	int32	   *relevant;
	int64	   *seen_start;		/* nusers + 1 */
	int32	   *seen;
} ValidationSample;

/* Takes a held-out row: its rating, or implicit value. */
typedef void (*HeldOutFunction) (void *state, int32 user, int32 item, float value);

extern void ForEachHeldOut(Ratings *ratings, HeldOutFunction function, void *state);
extern int64 MarkUsers(Ratings *ratings, double relevant_from, bool *wanted);
extern int64 SampleStep(int64 wanted_users, int64 most_users);
extern void FillSample(ValidationSample *sample, Ratings *ratings, double relevant_from);
extern void DrawSample(ValidationSample *sample, Ratings *ratings, double relevant_from, int64 most_users);

#endif
