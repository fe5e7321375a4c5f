/*
 * image_block.h - the block of memory that serving reads: how it is laid out, and what its file is recognised by.
 */
#ifndef MFREC_IMAGE_BLOCK_H
#define MFREC_IMAGE_BLOCK_H

#include "utils/uuid.h"

#include "core/als/objective.h"

#define IMAGE_MAGIC "mfimage"
#define IMAGE_FORMAT 10
#define IMAGE_BYTE_ORDER 0x01020304

/*
 * Sections of the block, in the order in which they lie there, each aligned to 64 bytes.  It has n items, and room for
 * some more behind them; vectors have d floats, and ld = mf_padded(d) from one to the next.
 */
typedef enum Section
{
	SECTION_IDS,				/* int64[n], ascending: id, or distance in bytes into the values */
	SECTION_VALUES,				/* ids of other types than integers, each aligned to 8 bytes */
	SECTION_SLOTS,				/* int32[slots]: hash table of item numbers */
	SECTION_COUNTS,				/* int32[n]: ratings */
	SECTION_POPULAR,			/* int32[n]: items by decreasing number of ratings */
	SECTION_TRENDS,				/* float[n]: their faded counts; empty where the version has none */
	SECTION_TRENDING,			/* int32[n]: items by decreasing faded count; likewise */
	SECTION_NUMBERED,			/* int32[nnumbers]: the item of each number; empty where users have no seen items */
	SECTION_BIAS,				/* float[n]: b_i; 0 without a rating part */
	SECTION_MEAN_USER,			/* float[ld] */
	SECTION_COLD_SHIFT,			/* float[ld]: what vectors of cold items have beside what the map makes of them */
	SECTION_GRAM,				/* float[d x ld]: sum of s_i s_i'; 0 without an interest part */
	SECTION_INTEREST,			/* float[x ld]: s_i, as vectors lie in the index; empty where these and q_i give it
								 * back, or the index has it as whole numbers */
	SECTION_RATING,				/* float[x ld]: q_i, likewise; empty unless there are both parts, or likewise */
	SECTION_INDEX,				/* see core/topk/index.c: list vectors, their order and codes */
	SECTION_SIMILAR,			/* see core/topk/directions.c: the directions by which items are alike */
	SECTIONS
} Section;

/*
 * What the block begins with.  A block without pointers means the same wherever it is mapped.  IMAGE_FORMAT counts
 * up whenever a section changes its meaning; fields here change header_size.
 */
typedef struct ImageHeader
{
	char		magic[8];
	uint32		format;
	uint32		order;			/* tells the byte order */
	uint32		header_size;	/* of this struct, and of the objective in it */
	uint32		objective_size;
	pg_uuid_t	uuid;			/* of the version */
	uint32		database;
	uint32		id_type;		/* oid of the items' base type */
	uint32		id_collation;	/* by which ids that differ may be equal, or 0 */
	uint32		unused;
	uint64		system;			/* identifier of the cluster */
	int64		size;			/* of the whole block */
	int64		stamp;			/* modification time that the file is given when it is known to be sound */
	int64		nitems;
	int64		slots;			/* entries of the hash table, a power of two */
	int64		room;			/* items that there can be, by mf_index_room() */
	int64		nnumbers;		/* by which users' rows mean items; 0: none do */
	int64		value_bytes;	/* used of the values */
	int64		offset[SECTIONS];
	int64		length[SECTIONS];
	MfObjective objective;
	double		mean_bias;
	uint32		body_checksum;	/* of all behind the header */
	uint32		header_checksum;	/* of all before this field */
} ImageHeader;

/* Where a section of a block begins, a multiple of 64 bytes; also of one that is empty. */
static inline void *
SectionStart(const char *block, Section section)
{
	return (char *) block + ((const ImageHeader *) block)->offset[section];
}

extern uint32 ImageChecksum(const char *data, int64 size);
extern int64 ImageStamp(uint32 checksum);
extern void SealImageHeader(ImageHeader *header);
extern void SealImageBlock(char *block);
extern bool ImageHeaderFits(const ImageHeader *header, const pg_uuid_t *uuid, int64 size);
extern uint32 ImageBodyChecksum(const char *block);

#endif
