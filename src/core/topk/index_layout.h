/*
 * index_layout.h - an index as a block of memory: what it begins with, and where its arrays are.
 *
 * Shared by index.c, which opens a block, and index_build.c, which fills one.
 */
#ifndef MF_INDEX_LAYOUT_H
#define MF_INDEX_LAYOUT_H

#include "core/topk/index.h"

#define MF_INDEX_MAGIC "mfindex"
#define MF_INDEX_FORMAT 5
#define MF_INDEX_ORDER UINT32_C(0x01020304) /* tells the byte order */

/* What the block begins with; the place of every array follows from it. */
typedef struct MfIndexHeader
{
	char		magic[8];
	uint32_t	format;
	uint32_t	order;
	int64_t		nitems;
	int32_t		factors;
	int32_t		sq4_dims;		/* 0: no 4-bit codes */
	int32_t		has_offset;
	float		sq4_skew;
	int32_t		sq8_blocks;		/* the first ones, which have 8-bit codes */
} MfIndexHeader;

extern void mf_index_lay_out(MfIndex *index, const void *block, const MfIndexHeader *header);
extern int32_t mf_index_sq8_blocks(int64_t nitems);

#endif
