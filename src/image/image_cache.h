/*
 * image_cache.h - a version's items as serving reads them.
 */
#ifndef MFREC_IMAGE_CACHE_H
#define MFREC_IMAGE_CACHE_H

#include "core/als/objective.h"
#include "core/topk/index.h"
#include "ids/id_map.h"
#include "image/direction_rows.h"
#include "model/model_cache.h"
#include "pg/session_cache.h"

/*
 * A version opened for serving.  Item numbers are ranks of ids: a smaller number, a smaller id.  Vectors have d
 * floats, and ld = mf_padded(d) from one to the next; what is padding is 0.
 */
typedef struct Image
{
	CacheEntry	entry;			/* first */
	pg_uuid_t	uuid;			/* of the version */
	MemoryContext memory;		/* of a private block; NULL: the block is mapped */
	IdType		user_type;
	IdType		item_type;
	const char *block;			/* mapped, or in the context */
	Size		mapped;			/* bytes of the map; 0: private memory */
	/* views into the block */
	MfObjective objective;
	const float *mean_user;		/* ld floats */
	const float *cold_shift;	/* ld floats: what s_i of cold items have beside what the map makes of them */
	double		mean_bias;
	int64		nitems;
	IdMap		ids;			/* item id to number and back */
	MfIndex		index;			/* list vectors v_i */
	MfIndex		similar;		/* directions by which items are alike, at the same positions */
	DirectionRows directions;	/* the vectors of that */
	const float *interest;		/* x ld, by position in the index: s_i; NULL where list vectors give it back, or the
								 * index has it as whole numbers: see InterestVector() */
	const float *rating;		/* x ld, likewise: q_i; NULL unless both parts are there, or likewise */
	const float *bias;			/* nitems: b_i; 0 without a rating part */
	const int32 *counts;		/* nitems: ratings */
	const int32 *popular;		/* nitems: items by decreasing number of ratings */
	const float *trends;		/* nitems: faded counts, of objective.trend_half_life; NULL, like the next: there are
								 * none */
	const int32 *trending;		/* nitems: items by decreasing faded count */
	const int32 *numbered;		/* nnumbers: the item that users' rows mean by a number, -1: none; or NULL */
	int64		nnumbers;
	const float *gram;			/* d x ld: sum of s_i s_i'; zero without an interest part */
} Image;

/*
 * Images of tenants' models of so few items have no file: a session builds one from the rows in less than a millisecond,
 * and thousands of files would make every look through their directory slow.
 */
#define MOST_WITHOUT_FILE 1000

/* Whether the image of a version with so many items, negative where that is not known, has a file. */
static inline bool
HasImageFile(const Model *model, int64 nitems)
{
	return model->family == NULL || nitems < 0 || nitems > MOST_WITHOUT_FILE;
}

extern Image *OpenImage(const CachedModel *cached, int32 version);
extern void CloseImage(Image *image);
extern float ItemRecency(const Image *image, int32 item);
extern const float *InterestVector(const Image *image, int32 item, float *workspace);
extern const float *RatingVector(const Image *image, int32 item, float *workspace);

#endif
