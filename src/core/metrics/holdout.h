/*
 * holdout.h - on which side of a split a pair of ids is: a function of the ids and a seed alone.
 */
#ifndef MF_HOLDOUT_H
#define MF_HOLDOUT_H

#include <stddef.h>
#include <stdint.h>

extern uint64_t mf_holdout_integer(int64_t id);
extern uint64_t mf_holdout_number(double id);
extern uint64_t mf_holdout_text(const char *id, size_t length);
extern double mf_holdout_place(uint64_t seed, uint64_t user, uint64_t item);

#endif
