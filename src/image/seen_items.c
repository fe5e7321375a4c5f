/*
 * seen_items.c - what users have by their rows of a version, as items of its image.
 *
 * A version carries what all users had when it was made, so lists leave that out without a look into the
 * source.  Rows name items by numbers that items' rows have (core/base/seen.c); an image knows the item of each.
 * A number whose item is not in the image, because its row has gone or is hidden, is passed over.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "core/base/seen.h"
#include "image/seen_items.h"
#include "pg/alloc.h"

/* An error for a list of seen items that cannot be read, or that no item has a number for. */
static void
DamagedSeen(const Image *image, int64 user)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the seen items of user %s are damaged", IdToText(&image->user_type, user)),
			 image->numbered ? 0 : errdetail("No item has a number by which they could be known."),
			 errhint("A model table was edited by hand; retrain the model.")));
}

/* The bytes of a list; an error where there are some, and no item has a number. */
static const uint8 *
SeenBytes(const Image *image, int64 user, bytea *seen, Size *size)
{
	*size = VARSIZE_ANY_EXHDR(seen);
	if (*size > 0 && image->numbered == NULL && image->nitems > 0)
		DamagedSeen(image, user);
	return (const uint8 *) VARDATA_ANY(seen);
}

/*
 * The items that a user's row names, in any order, and how many, in the current memory context; NULL names none.
 */
int32 *
SeenItems(const Image *image, int64 user, bytea *seen, int *count)
{
	const uint8 *bytes;
	Size		size;
	int32	   *items;
	int64		n;

	*count = 0;
	if (seen == NULL)
		return NULL;
	bytes = SeenBytes(image, user, seen, &size);
	if (size == 0 || image->numbered == NULL)
		return NULL;
	items = HugeArray(mf_seen_most(size), sizeof(int32));
	n = mf_seen_decode(bytes, size, image->nnumbers, image->numbered, items);
	if (n < 0)
		DamagedSeen(image, user);
	*count = (int) n;
	return items;
}

/* The number by which users' rows mean an item, -1 where there is none.  Looks through all numbers. */
int32
ItemNumber(const Image *image, int32 item)
{
	for (int64 number = 0; number < image->nnumbers; number++)
		if (image->numbered[number] == item)
			return (int32) number;
	return -1;
}

/* Whether a user's row names the item of that number. */
bool
HasSeen(const Image *image, int64 user, bytea *seen, int32 number)
{
	Size		size;
	const uint8 *bytes = SeenBytes(image, user, seen, &size);
	int			has = mf_seen_has(bytes, size, image->nnumbers, number);

	if (has == MF_SEEN_DAMAGED)
		DamagedSeen(image, user);
	return has;
}

/* Two lists of items as one, in any order, with what both have twice; it may be one of them. */
int32 *
JoinItems(const int32 *a, int na, const int32 *b, int nb, int *count)
{
	int32	   *both;

	*count = na + nb;
	if (na == 0 || nb == 0)
		return (int32 *) (na == 0 ? b : a);
	both = HugeArray((int64) na + nb, sizeof(int32));
	memcpy(both, a, sizeof(int32) * na);
	memcpy(both + na, b, sizeof(int32) * nb);
	return both;
}
