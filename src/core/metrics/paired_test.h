/*
 * paired_test.h - whether one of two is better by more than chance explains.
 */
#ifndef MF_PAIRED_TEST_H
#define MF_PAIRED_TEST_H

#include <stdint.h>

extern double mf_sign_flip(const double *difference, int64_t n, int draws, uint64_t seed);

#endif
