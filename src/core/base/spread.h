/*
 * spread.h - how widely a user's ratings spread beside those of all: what they are divided by before they are learned.
 */
#ifndef MF_SPREAD_H
#define MF_SPREAD_H

#include <stdint.h>

extern double mf_squares_around_mean(const float *values, int64_t n);
extern double mf_user_spread(double squares, int64_t n, double variance);

#endif
