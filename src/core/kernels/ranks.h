/*
 * ranks.h - kernels that rank all items for many users: their scores, in double, and how many are below or above one.
 */
#ifndef MF_RANKS_H
#define MF_RANKS_H

#include <stdint.h>

/* Users scored together, and items scored before they are counted. */
#define MF_RANKS_USERS 16
#define MF_RANKS_ITEMS 256

/* The kernels of one level. */
typedef struct MfRanks
{
	/*
	 * score (MF_RANKS_USERS x MF_RANKS_ITEMS): of users, whose d coordinates lie side by side in query (d x
	 * MF_RANKS_USERS), for n <= MF_RANKS_ITEMS items, whose vectors are rows of ld floats; offset: n, or NULL
	 */
	void		(*score) (const double *query, const float *vector, const float *offset, int d, int ld, int n,
						  float *score);

	/* twice the number of the n scores below mine, plus the number of those equal to it */
	int64_t		(*below) (const float *score, int n, float mine);

	/* the number of the n scores above mine; *equal += the number of those equal to it */
	int64_t		(*above) (const float *score, int n, float mine, int64_t *equal);
} MfRanks;

extern const MfRanks *mf_ranks(void);

#endif
