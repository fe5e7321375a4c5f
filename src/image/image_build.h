/*
 * image_build.h - the block of memory that serving reads: built from a version's items.
 */
#ifndef MFREC_IMAGE_BUILD_H
#define MFREC_IMAGE_BUILD_H

#include "utils/uuid.h"

#include "core/als/objective.h"
#include "core/base/threads.h"
#include "ids/id_map.h"

/*
 * What an image is made from.  Item i is row i of the arrays, ids ascend; vectors have d floats, and
 * ld = mf_padded(d) from one to the next, padded with 0.  All of it belongs to the caller, and stays as it is.
 */
typedef struct ImageSource
{
	pg_uuid_t	uuid;
	MfObjective objective;
	const float *mean_user;		/* d floats */
	const float *cold_shift;	/* d floats; NULL: 0 */
	double		mean_bias;
	IdMap	   *ids;
	const float *interest;		/* nitems x ld: s_i; NULL without an interest part */
	const float *rating;		/* nitems x ld: q_i; NULL without a rating part */
	const float *bias;			/* nitems; NULL: 0 */
	const int32 *counts;		/* nitems: ratings */
	const int32 *numbers;		/* nitems: by which users' rows mean them, negative: none; NULL: none has any */
	int64		nnumbers;		/* numbers are below */
	const float *trends;		/* nitems: faded counts, 0 where there are no ratings; NULL: the version has none */
	const float *users;			/* nusers x ld: users' vectors, to see what searches will be like; or NULL */
	int64		nusers;
	bool		alone;			/* the image is one session's, and gets no further items: there is no room for them */
	MfParallel	parallel;
} ImageSource;

extern void OrderItems(const float *trends, const int32 *counts, int64 n, int32 *items);
extern char *BuildImageBlock(const ImageSource *source, MemoryContext context);

/* Parts of a block, for image_renew.c; see image_build.c. */
extern Size IdValueBytes(const IdType *type, int64 id);
extern int64 PutIdValue(const IdType *type, int64 id, char *values, int64 *at);
extern void FillMeans(char *block, const ImageSource *source);
extern void FillOrders(char *block);
extern void FillNumbered(char *block, const int32 *numbers, const int32 *order);
extern void FillGram(char *block, const ImageSource *source, const int32 *order);
extern void FillVectors(char *block, const ImageSource *source, const int32 *order, int64 first);

#endif
