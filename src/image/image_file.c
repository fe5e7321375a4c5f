/*
 * image_file.c - the file of a version's image, which all sessions map.
 *
 * base/pgsql_tmp/pgsql_tmp_mfrec.<database>.<uuid> is a cache: the model tables are the truth.  Base
 * backups leave that folder out, and the server clears what starts with pgsql_tmp when it starts, also
 * after a crash.  So there is nothing to recover and nothing to sync.
 *
 * The README of this folder tells the life of a file.  What matters here: it is written under another name and
 * renamed, so no session ever maps half a file; and no process writes to a file through a map or shortens it, so what
 * is mapped stays as it is, also when the file is unlinked.  A file can be a patch of an older one: see image_patch.c.
 *
 * What is guaranteed.  The header names cluster, database, version and format, and has a checksum of
 * its own that every session verifies as it maps the file; the file's size must be the header's, so
 * that no part of the map lies behind its end.  The rest has a checksum that would cost a session's
 * first call a full read.  So a file that has been written or verified gets a modification time that
 * its header names, years ago: whoever writes to the file afterwards changes it, and then the next
 * session to map it verifies all of it, and replaces it where it is damaged.  A medium that alters
 * bytes behind the file system's back is noticed in the header only.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

#include "common/file_perm.h"
#include "common/file_utils.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "storage/lock.h"

#include "compat.h"
#include "image/image_block.h"
#include "image/image_file.h"

/* Our class among advisory locks; model_write.c has the one before. */
#define IMAGE_LOCK_CLASS 0x6d67

/* Bytes that are written between two looks for interrupts. */
#define WRITE_STEP (8 * 1024 * 1024)

/* The name of a version's file, relative to the data directory; path has MAXPGPATH bytes. */
void
ImagePath(const pg_uuid_t *uuid, char *path)
{
	int			at = snprintf(path, MAXPGPATH, "%s/%s%u.", IMAGE_DIRECTORY, IMAGE_PREFIX, MyDatabaseId);

	for (int i = 0; i < UUID_LEN; i++)
		at += snprintf(path + at, MAXPGPATH - at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
					   uuid->data[i]);
}

/* The name of what a version's file is a patch of, another link to an older version's file; see image_patch.c. */
void
ImageBasePath(const pg_uuid_t *uuid, char *path)
{
	ImagePath(uuid, path);
	strlcat(path, IMAGE_BASE_SUFFIX, MAXPGPATH);
}

/* The size of a version's file, and of what it is a patch of; 0 where there is none. */
int64
ImageFileBytes(const pg_uuid_t *uuid)
{
	char		path[MAXPGPATH];
	struct stat status;
	struct stat base;

	ImagePath(uuid, path);
	if (stat(path, &status) != 0)
		return 0;
	ImageBasePath(uuid, path);
	return (int64) status.st_size + (stat(path, &base) == 0 ? (int64) base.st_size : 0);
}

/*
 * Maps an open file that may be an image, for reading, or as a copy of the caller's own, which may be written to and
 * changes no file; NULL when it is not a sound one of that version.  Reads the header, and where the file's time says
 * that it has been written to all of it.
 */
char *
MapWholeFile(int fd, const pg_uuid_t *uuid, const char *path, bool copy, Size *size)
{
	struct stat status;
	ImageHeader header;
	char	   *block;
	struct utimbuf times;

	if (fstat(fd, &status) != 0 || pg_pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
		!ImageHeaderFits(&header, uuid, status.st_size))
		return NULL;
	block = mmap(NULL, status.st_size, copy ? PROT_READ | PROT_WRITE : PROT_READ, copy ? MAP_PRIVATE : MAP_SHARED, fd, 0);
	if (block == MAP_FAILED)
		ereport(ERROR,			/* not the file's fault; a copy in memory would need as much */
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("could not map image file \"%s\": %m", path)));
	*size = status.st_size;
	if (status.st_mtime == header.stamp)
		return block;
	if (ImageBodyChecksum(block) != header.body_checksum)
	{
		munmap(block, *size);
		return NULL;
	}
	times.actime = times.modtime = header.stamp;
	(void) utime(path, &times);
	return block;
}

/* Takes a version's file away, if there is one; sessions that have mapped it keep what they have. */
void
UnlinkImageFile(const pg_uuid_t *uuid)
{
	char		path[MAXPGPATH];

	ImagePath(uuid, path);
	(void) unlink(path);
	ImageBasePath(uuid, path);
	(void) unlink(path);
}

/* Ends a map of that size; the block must not be used any more. */
void
UnmapImageFile(const char *block, Size size)
{
	(void) munmap((void *) block, size);
}

/* Opens a new file for writing, in the directory of images, which a fresh cluster does not have; negative: errno. */
int
CreateImageFile(const char *path)
{
	int			flags = O_WRONLY | O_CREAT | O_TRUNC | PG_BINARY;
	int			fd = OpenTransientFile(path, flags);

	if (fd >= 0 || errno != ENOENT)
		return fd;
	(void) MakePGDirectory(IMAGE_DIRECTORY);
	return OpenTransientFile(path, flags);
}

/* Writes so many bytes, and looks for interrupts in between; false, with errno, when the system cannot. */
bool
WriteImageBytes(int fd, const char *bytes, int64 size)
{
	while (size > 0)
	{
		ssize_t		written;

		CHECK_FOR_INTERRUPTS();
		errno = 0;
		written = write(fd, bytes, Min(WRITE_STEP, size));
		if (written <= 0)
		{
			if (errno == EINTR)
				continue;
			if (errno == 0)
				errno = ENOSPC;
			return false;
		}
		bytes += written;
		size -= written;
	}
	return true;
}

/* Writes a block to a new file, with that modification time; false, with errno, when the system cannot. */
static bool
WriteBlock(const char *path, const char *block, int64 size, int64 stamp)
{
	struct utimbuf times;
	int			fd = CreateImageFile(path);

	if (fd < 0)
		return false;
	if (!WriteImageBytes(fd, block, size))
	{
		int			failure = errno;

		CloseTransientFile(fd);
		errno = failure;
		return false;
	}
	times.actime = times.modtime = stamp;
	return CloseTransientFile(fd) == 0 && utime(path, &times) == 0;
}

/*
 * Writes the file of a version from a block, which is sealed by this.  Where that fails the caller
 * has to do without: a WARNING says why.
 */
bool
WriteImageFile(const pg_uuid_t *uuid, char *block)
{
	const ImageHeader *header = (const ImageHeader *) block;
	char		path[MAXPGPATH];
	char		temporary[MAXPGPATH];
	volatile bool written = false;
	volatile int failure = 0;

	SealImageBlock(block);
	ImagePath(uuid, path);
	snprintf(temporary, MAXPGPATH, "%s.%d.tmp", path, MyProcPid);
	PG_TRY();
	{
		written = WriteBlock(temporary, block, header->size, header->stamp) && rename(temporary, path) == 0;
		failure = errno;
	}
	PG_CATCH();
	{
		(void) unlink(temporary);
		PG_RE_THROW();
	}
	PG_END_TRY();
	if (written)
	{
		ImageBasePath(uuid, path);
		(void) unlink(path);	/* this one is whole */
		return true;
	}
	(void) unlink(temporary);
	errno = failure;
	ereport(WARNING,
			(errcode_for_file_access(),
			 errmsg("could not write image file \"%s\": %m", path),
			 errdetail("This session builds the image in its own memory, and so will every other.")));
	return false;
}

/* A lock that those who build a version's image take, and no others. */
static void
ImageLockTag(LOCKTAG *tag, const pg_uuid_t *uuid)
{
	uint32		part[2];

	memcpy(part, uuid->data, sizeof(part));
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, part[0], part[1], IMAGE_LOCK_CLASS);
}

/* Waits until no other session builds the version's image; the lock lasts until the end of the transaction. */
void
LockImage(const pg_uuid_t *uuid)
{
	LOCKTAG		tag;

	ImageLockTag(&tag, uuid);
	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

/* The same without waiting: false where another session builds it, or has published it and not committed yet. */
bool
TryLockImage(const pg_uuid_t *uuid)
{
	LOCKTAG		tag;

	ImageLockTag(&tag, uuid);
	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

/* Lets others build it before that. */
void
UnlockImage(const pg_uuid_t *uuid)
{
	LOCKTAG		tag;

	ImageLockTag(&tag, uuid);
	(void) LockRelease(&tag, ExclusiveLock, false);
}
