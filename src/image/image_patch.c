/*
 * image_patch.c - the file of an image that is nearly the same as an older one's: its pages that differ.
 *
 * To write an image of a million items takes longer than all that an update changes in it.  So the file of one that was
 * made from another has a table of spans of pages, and these pages; <name>.base is one more link to the file of the
 * other image, the base, which nobody changes.  Who maps the image maps the base, and the spans over it.  What comes of
 * that is one block of memory like any other, most of it shared with sessions that still use the older image, and
 * searched as fast.
 *
 * A base is a whole image.  The patch of an image that is one itself says all that differs from that base, so there are
 * never more than two files to an image, both named by its uuid: they come and go together, and the base's room is free
 * when its last link is unlinked.
 *
 * What image_file.c guarantees holds for both files: checksums, and a modification time that tells when to verify them.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include "access/xlog.h"
#include "miscadmin.h"
#include "port/pg_crc32c.h"
#include "storage/fd.h"

#include "compat.h"
#include "image/image_block.h"
#include "image/image_file.h"
#include "image/image_patch.h"
#include "pg/alloc.h"

#define PATCH_MAGIC "mfpatch"

/* Spans that are nearer to each other than so many pages become one, and with more than so many a patch is none. */
#define NEAR_PAGES 16
#define MOST_SPANS 1024

/* What a patch begins with; behind it the spans, from the next page on their pages. */
typedef struct PatchHeader
{
	char		magic[8];
	uint32		format;			/* of the image */
	uint32		order;
	uint32		header_size;
	uint32		page;			/* bytes; those of another system do not fit */
	pg_uuid_t	uuid;
	pg_uuid_t	base;			/* of the image that this is a patch of */
	uint64		system;
	uint32		database;
	uint32		base_checksum;	/* its header's, so of all of it */
	int64		block_size;		/* of both images */
	int64		size;			/* of the file */
	int64		stamp;			/* as ImageHeader has it */
	int64		nspans;
	uint32		body_checksum;	/* of all behind the header */
	uint32		header_checksum;
} PatchHeader;

/* Where the pages begin. */
static int64
PagesStart(const PatchHeader *header)
{
	return TYPEALIGN64(header->page, sizeof(PatchHeader) + header->nspans * sizeof(ImageSpan));
}

/* Whether an open file says that it is a patch. */
static bool
IsImagePatch(int fd)
{
	char		magic[8];

	return pg_pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && memcmp(magic, PATCH_MAGIC, sizeof(magic)) == 0;
}

/* Whether this is the header, whole and of our making, of a patch of so many bytes for that version. */
static bool
PatchHeaderFits(const PatchHeader *header, const pg_uuid_t *uuid, int64 size)
{
	return header->format == IMAGE_FORMAT && header->order == IMAGE_BYTE_ORDER &&
		header->header_size == sizeof(PatchHeader) && header->page == (uint32) getpagesize() &&
		header->size == size && memcmp(&header->uuid, uuid, sizeof(pg_uuid_t)) == 0 &&
		header->database == MyDatabaseId && header->system == GetSystemIdentifier() &&
		header->nspans >= 0 && header->nspans <= MOST_SPANS &&
		header->header_checksum == ImageChecksum((const char *) header, offsetof(PatchHeader, header_checksum));
}

/* Whether all of a patch, mapped, is as it was written. */
static bool
PatchIsSound(int fd, const PatchHeader *header)
{
	char	   *file = mmap(NULL, header->size, PROT_READ, MAP_SHARED, fd, 0);
	bool		sound;

	if (file == MAP_FAILED)
		return false;
	sound = ImageChecksum(file + sizeof(PatchHeader), header->size - sizeof(PatchHeader)) == header->body_checksum;
	(void) munmap(file, header->size);
	return sound;
}

/*
 * Reads the spans of a patch and sees that they are spans of pages of the block and the file, ascending; NULL: not so.
 */
static ImageSpan *
ReadSpans(int fd, const PatchHeader *header)
{
	Size		bytes = header->nspans * sizeof(ImageSpan);
	ImageSpan  *spans = palloc(Max(bytes, 1));
	int64		end = TYPEALIGN64(header->page, header->block_size);
	int64		at = 0;
	int64		length = 0;
	bool		right = pg_pread(fd, spans, bytes, sizeof(PatchHeader)) == (ssize_t) bytes;

	for (int64 s = 0; s < header->nspans && right; s++)
	{
		right = spans[s].at >= at && spans[s].at % header->page == 0 && spans[s].length > 0 &&
			spans[s].length % header->page == 0 && spans[s].length <= end - spans[s].at;
		at = spans[s].at + spans[s].length;
		length += spans[s].length;
	}
	return right && PagesStart(header) + length == header->size ? spans : NULL;
}

/* Maps the base of a patch; NULL where that is not what it was. */
static char *
MapBase(const PatchHeader *header, bool copy, Size *size)
{
	char		path[MAXPGPATH];
	char	   *base = NULL;
	int			fd;

	ImageBasePath(&header->uuid, path);
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0)
		return NULL;
	base = MapWholeFile(fd, &header->base, path, copy, size);
	CloseTransientFile(fd);
	if (base && (*size != (Size) header->block_size ||
				 ((const ImageHeader *) base)->header_checksum != header->base_checksum))
	{
		UnmapImageFile(base, *size);
		return NULL;
	}
	return base;
}

/* Maps the pages of a patch over the base; an error where the system cannot. */
static void
MapSpans(int fd, const PatchHeader *header, const ImageSpan *spans, char *block, bool copy)
{
	int64		from = PagesStart(header);

	for (int64 s = 0; s < header->nspans; s++)
	{
		if (mmap(block + spans[s].at, spans[s].length, copy ? PROT_READ | PROT_WRITE : PROT_READ,
				 (copy ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED, fd, from) == MAP_FAILED)
		{
			int			failure = errno;

			UnmapImageFile(block, header->block_size);
			errno = failure;
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("could not map an image file: %m")));
		}
		from += spans[s].length;
	}
}

/* As MapWholeFile(), of an open file that is a patch. */
static char *
MapPatchedFile(int fd, const pg_uuid_t *uuid, const char *path, bool copy, Size *size)
{
	struct stat status;
	PatchHeader header;
	ImageSpan  *spans;
	char	   *block;
	struct utimbuf times;

	if (fstat(fd, &status) != 0 || pg_pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
		!PatchHeaderFits(&header, uuid, status.st_size))
		return NULL;
	if (status.st_mtime != header.stamp)
	{
		if (!PatchIsSound(fd, &header))
			return NULL;
		times.actime = times.modtime = header.stamp;
		(void) utime(path, &times);
	}
	spans = ReadSpans(fd, &header);
	if (spans == NULL)
		return NULL;
	block = MapBase(&header, copy, size);
	if (block)
		MapSpans(fd, &header, spans, block, copy);
	pfree(spans);
	return block;
}

/*
 * Maps the file of a version, NULL when there is none; copy: as one of the caller's own, which may be written to.  One
 * that is damaged or not ours is taken away, for others to replace.
 */
char *
MapImageFile(const pg_uuid_t *uuid, bool copy, Size *size)
{
	char		path[MAXPGPATH];
	char	   *block;
	int			fd;

	ImagePath(uuid, path);
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd < 0)
		return NULL;
	block = IsImagePatch(fd) ? MapPatchedFile(fd, uuid, path, copy, size) : MapWholeFile(fd, uuid, path, copy, size);
	CloseTransientFile(fd);
	if (block == NULL)
	{
		ereport(LOG,
				(errmsg("image file \"%s\" is damaged or of another version, and will be replaced", path)));
		UnlinkImageFile(uuid);
	}
	return block;
}

/*
 * Maps the image of a version as a copy, and the image that it is a patch of, or itself once more where it is whole.
 * False where there is none; then *copy is closed.
 */
bool
OpenImageCopy(const pg_uuid_t *uuid, ImageCopy *copy)
{
	char		path[MAXPGPATH];
	PatchHeader header;
	Size		size = 0;
	int			fd;

	memset(copy, 0, sizeof(ImageCopy));
	copy->block = MapImageFile(uuid, true, &copy->size);
	if (copy->block == NULL)
		return false;
	ImagePath(uuid, path);
	fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
	if (fd >= 0 && IsImagePatch(fd))
	{
		if (pg_pread(fd, &header, sizeof(header), 0) == sizeof(header))
			copy->base = MapBase(&header, false, &size);
		ImageBasePath(uuid, copy->base_path);
	}
	else if (fd >= 0)
	{
		copy->base = MapWholeFile(fd, uuid, path, false, &size);
		strlcpy(copy->base_path, path, MAXPGPATH);
	}
	if (fd >= 0)
		CloseTransientFile(fd);
	if (copy->base && size == copy->size)
		return true;
	CloseImageCopy(copy);
	return false;
}

/* Ends both maps. */
void
CloseImageCopy(ImageCopy *copy)
{
	if (copy->block)
		UnmapImageFile(copy->block, copy->size);
	if (copy->base)
		UnmapImageFile(copy->base, copy->size);
	copy->block = copy->base = NULL;
}

/*
 * The end of the known span that a page lies within, -1 of none; such spans ascend, and *s moves on past those before.
 */
static int64
KnownUntil(const ImageSpan *same, int nsame, int *s, int64 at, int64 page)
{
	while (*s < nsame && same[*s].at + same[*s].length < at + page)
		(*s)++;
	if (*s < nsame && same[*s].at <= at)
		return TYPEALIGN_DOWN(page, same[*s].at + same[*s].length);
	return -1;
}

/*
 * The spans of pages in which a copy differs from its base, but for what is known to be the same; spans has room for
 * MOST_SPANS.  Returns how many, -1 where they are more.
 */
static int
FindSpans(const ImageCopy *copy, const ImageSpan *same, int nsame, ImageSpan *spans)
{
	int64		page = getpagesize();
	int			n = 0;
	int			s = 0;

	for (int64 at = 0; at < (int64) copy->size; at += page)
	{
		int64		until = KnownUntil(same, nsame, &s, at, page);
		int64		end = n > 0 ? spans[n - 1].at + spans[n - 1].length : 0;

		if (until > at)
			at = until - page;
		else if (memcmp(copy->block + at, copy->base + at, page) == 0)
			continue;
		else if (n > 0 && at - end <= NEAR_PAGES * page)
			spans[n - 1].length = at + page - spans[n - 1].at;
		else if (n == MOST_SPANS)
			return -1;
		else
			spans[n++] = (ImageSpan) {at, page};
	}
	return n;
}

/* What a patch begins with, up to its first page, in the current memory context. */
static PatchHeader *
MakeHead(const pg_uuid_t *uuid, const ImageCopy *copy, const ImageSpan *spans, int n)
{
	const ImageHeader *base = (const ImageHeader *) copy->base;
	PatchHeader header = {.magic = PATCH_MAGIC,.format = IMAGE_FORMAT,.order = IMAGE_BYTE_ORDER,
	.header_size = sizeof(PatchHeader),.page = getpagesize(),.uuid = *uuid,.base = base->uuid,
	.system = GetSystemIdentifier(),.database = MyDatabaseId,.base_checksum = base->header_checksum,
	.block_size = copy->size,.nspans = n};
	PatchHeader *head = palloc0(PagesStart(&header));
	pg_crc32c	crc;

	*head = header;
	memcpy(head + 1, spans, n * sizeof(ImageSpan));
	head->size = PagesStart(&header);
	INIT_CRC32C(crc);
	COMP_CRC32C(crc, head + 1, head->size - sizeof(PatchHeader));
	for (int s = 0; s < n; s++)
	{
		COMP_CRC32C(crc, copy->block + spans[s].at, spans[s].length);
		head->size += spans[s].length;
	}
	FIN_CRC32C(crc);
	head->body_checksum = crc;
	head->stamp = ImageStamp(crc);
	head->header_checksum = ImageChecksum((const char *) head, offsetof(PatchHeader, header_checksum));
	return head;
}

/* Writes a patch to a new file; false when the system cannot. */
static bool
WritePages(const char *path, const PatchHeader *head, const ImageCopy *copy, const ImageSpan *spans)
{
	struct utimbuf times;
	int			fd = CreateImageFile(path);
	bool		written;

	if (fd < 0)
		return false;
	written = WriteImageBytes(fd, (const char *) head, PagesStart(head));
	for (int64 s = 0; s < head->nspans && written; s++)
		written = WriteImageBytes(fd, copy->block + spans[s].at, spans[s].length);
	times.actime = times.modtime = head->stamp;
	return CloseTransientFile(fd) == 0 && written && utime(path, &times) == 0;
}

/*
 * Writes the file of a version from a copy of another one's, in which what has become of it has been entered, as a
 * patch; same: what is known to be as the base has it, ascending.  False where that cannot be: on a file system without
 * links or room, or where too much has changed.  Then nothing is left.
 */
bool
WriteImagePatch(const pg_uuid_t *uuid, const ImageCopy *copy, const ImageSpan *same, int nsame)
{
	ImageSpan  *spans = palloc(sizeof(ImageSpan) * MOST_SPANS);
	char		path[MAXPGPATH];
	char		base[MAXPGPATH];
	char		temporary[MAXPGPATH];
	int			n = FindSpans(copy, same, nsame, spans);
	volatile bool written = false;

	ImagePath(uuid, path);
	ImageBasePath(uuid, base);
	snprintf(temporary, MAXPGPATH, "%s.%d.tmp", path, MyProcPid);
	if (n < 0 || link(copy->base_path, base) != 0)
		return false;
	PG_TRY();
	{
		written = WritePages(temporary, MakeHead(uuid, copy, spans, n), copy, spans) && rename(temporary, path) == 0;
	}
	PG_FINALLY();
	{
		if (!written)
		{
			(void) unlink(temporary);
			(void) unlink(base);
		}
	}
	PG_END_TRY();
	return written;
}
