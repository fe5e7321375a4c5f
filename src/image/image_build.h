/*
 * image_build.h - the block of memory that serving reads: how it is laid out, and what it is made from.
 */
#ifndef MFREC_IMAGE_BUILD_H
#define MFREC_IMAGE_BUILD_H

#include "core/als/objective.h"
#include "core/base/threads.h"
#include "ids/id_map.h"
#include "model/model_catalog.h"

#define IMAGE_MAGIC "mfimage"
#define IMAGE_FORMAT 4

/* Sections of the block, in the order in which they lie there, each aligned to 64 bytes. */
typedef enum Section
{
	SECTION_IDS,				/* int64 each: id, or distance into the values */
	SECTION_VALUES,				/* ids of other types than integers, aligned to 8 bytes */
	SECTION_SLOTS,				/* hash table of item numbers */
	SECTION_COUNTS,
	SECTION_POPULAR,
	SECTION_NUMBERED,			/* empty where users have no seen items */
	SECTION_BIAS,
	SECTION_MEAN_USER,
	SECTION_GRAM,
	SECTION_INTEREST,
	SECTION_RATING,
	SECTION_INDEX,
	SECTIONS
} Section;

/* What the block begins with.  A block without pointers means the same wherever it is mapped. */
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
	int64		offset[SECTIONS];
	int64		length[SECTIONS];
	MfObjective objective;
	double		mean_bias;
	uint32		body_checksum;	/* of all behind the header */
	uint32		header_checksum;	/* of all before this field */
} ImageHeader;

/* What an image is made from.  Item i is row i of the arrays, ids ascend; ld = mf_padded(d). */
typedef struct ImageSource
{
	pg_uuid_t	uuid;
	MfObjective objective;
	const float *mean_user;		/* d floats */
	double		mean_bias;
	IdMap	   *ids;
	const float *interest;		/* nitems x ld: s_i; q_i of a rating model */
	const float *rating;		/* nitems x ld: q_i of the joint model; else not used */
	const float *bias;			/* nitems; NULL: 0 */
	const int32 *counts;		/* nitems: ratings */
	const int32 *numbers;		/* nitems: by which users' rows mean them, negative: none; NULL: none has any */
	int64		nnumbers;		/* numbers are below */
	const float *users;			/* nusers x ld: users' vectors, to see what searches will be like; or NULL */
	int64		nusers;
	MfParallel	parallel;
} ImageSource;

extern void ReadImageSource(ImageSource *source, const Model *model, int32 version, const pg_uuid_t *uuid);
extern char *BuildImageBlock(const ImageSource *source, MemoryContext context);
extern void SealImageBlock(char *block);
extern bool ImageHeaderFits(const ImageHeader *header, const pg_uuid_t *uuid, int64 size);
extern uint32 ImageBodyChecksum(const char *block);

/* Where a section of a block begins. */
static inline void *
SectionStart(const char *block, Section section)
{
	return (char *) block + ((const ImageHeader *) block)->offset[section];
}

#endif
