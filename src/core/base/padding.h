/*
 * padding.h - how many factors a vector may have, and how long a row of them is in memory.
 */
#ifndef MF_PADDING_H
#define MF_PADDING_H

#define MF_MAX_FACTORS 1000
#define MF_MAX_PADDED 1008		/* mf_padded(MF_MAX_FACTORS), for arrays on the stack */

/*
 * The leading dimension of a matrix whose rows are vectors of so many factors: the next multiple of 16 floats,
 * so that with its first row every row begins at a cache line and is a whole number of the widest registers.
 * What is behind a vector's own numbers is 0.
 */
static inline int
mf_padded(int factors)
{
	return (factors + 15) & ~15;
}

#endif
