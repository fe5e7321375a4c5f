/*
 * variant.h - which variant of an experiment a user gets: a function of ids, names and weights alone.
 */
#ifndef MF_VARIANT_H
#define MF_VARIANT_H

#include <stdint.h>

extern int	mf_variant_choose(uint64_t experiment, uint64_t user, const uint64_t *variant, const double *weight, int n);

#endif
