/*
 * padding.h - how long a row of factors is in memory.
 */
#ifndef MF_PADDING_H
#define MF_PADDING_H

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
