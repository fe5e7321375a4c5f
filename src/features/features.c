/*
 * features.c - what is known of items beside their ratings: a sparse matrix of items x features.
 */
#include "postgres.h"

#include "features/features.h"

/* Frees the cells and closes their files.  Names and blocks stay, in their memory context. */
void
FreeFeatures(Features *features)
{
	FreeCells(&features->by_item);
	FreeCells(&features->by_feature);
}
