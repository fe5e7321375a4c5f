/*
 * variants.h - the variants of an experiment and their weights, as SQL passes them, and who gets which.
 */
#ifndef MFREC_VARIANTS_H
#define MFREC_VARIANTS_H

#include "utils/jsonb.h"

/* The variants of an experiment, in the order of their names in jsonb. */
typedef struct Variants
{
	int			count;
	text	  **name;
	uint64	   *hash;			/* of the names */
	double	   *weight;			/* finite, not negative, one of them positive */
} Variants;

extern void ReadVariants(Jsonb *json, Variants *variants);
extern text *ChooseVariant(const Variants *variants, text *experiment, uint64 user);

#endif
