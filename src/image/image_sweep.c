/*
 * image_sweep.c - files of images that have been left behind.
 *
 * A session that dies leaves what it was writing, a dropped model or database its files, and so does a prepared
 * transaction that is rolled back.  So whoever writes a file looks through the directory, and unlinks what
 * belongs to no database, version or running process.  The server itself clears the directory when it starts.
 */
#include "postgres.h"

#include <signal.h>
#include <unistd.h>

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "image/image_file.h"
#include "image/image_pending.h"
#include "image/image_sweep.h"
#include "model/model_catalog.h"

/* What the name of a file in the directory says. */
typedef struct ImageName
{
	Oid			database;
	pg_uuid_t	uuid;
	int			pid;			/* 0: not a temporary file */
} ImageName;

/* What a hexadecimal digit stands for; -1 for any other character. */
static int
HexDigit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes a name apart, as ImagePath puts it together; false for one that is not ours. */
static bool
ParseName(const char *name, ImageName *parsed)
{
	unsigned int database;
	int			at = 0;

	if (strncmp(name, IMAGE_PREFIX, strlen(IMAGE_PREFIX)) != 0)
		return false;
	name += strlen(IMAGE_PREFIX);
	if (sscanf(name, "%u.%n", &database, &at) != 1 || at == 0)
		return false;
	parsed->database = database;
	parsed->pid = 0;
	name += at;
	for (int i = 0; i < UUID_LEN; i++)
	{
		int			high;
		int			low;

		if (*name == '-')
			name++;
		high = HexDigit(name[0]);
		low = high < 0 ? -1 : HexDigit(name[1]);
		if (low < 0)
			return false;
		parsed->uuid.data[i] = (unsigned char) (high * 16 + low);
		name += 2;
	}
	return *name == '\0' || strcmp(name, IMAGE_BASE_SUFFIX) == 0 || sscanf(name, ".%d.tmp", &parsed->pid) == 1;
}

/* The images that versions of this database have, in ascending order. */
typedef struct ImageList
{
	pg_uuid_t  *uuids;
	int			count;
} ImageList;

/* qsort() of uuids. */
static int
CompareImages(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(pg_uuid_t));
}

/* Reads the images of all versions that are committed by now, or of this transaction. */
static void
ListImages(Relation rel, ImageList *list)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, snapshot, 0, NULL);
	int			capacity = 64;
	HeapTuple	tuple;

	list->count = 0;
	list->uuids = palloc(sizeof(pg_uuid_t) * capacity);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		if (list->count == capacity)
			list->uuids = repalloc(list->uuids, sizeof(pg_uuid_t) * (capacity *= 2));
		VersionImage(tuple, RelationGetDescr(rel), &list->uuids[list->count++]);
	}
	systable_endscan(scan);
	UnregisterSnapshot(snapshot);
	qsort(list->uuids, list->count, sizeof(pg_uuid_t), CompareImages);
}

/* Whether a list has a uuid. */
static bool
HasImage(const ImageList *list, const pg_uuid_t *uuid)
{
	return bsearch(uuid, list->uuids, list->count, sizeof(pg_uuid_t), CompareImages) != NULL;
}

/*
 * Whether no session will need a file any more: it is of a dead process, of a dropped database, or of no
 * version.  `images` was read before the directory, so what is not in it is looked up again under the lock.
 */
static bool
IsOrphan(const ImageName *name, Relation versions, const ImageList *images)
{
	ImageList	latest;
	bool		orphan;

	if (!SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(name->database)))
		return true;
	if (name->pid != 0)
		return kill(name->pid, 0) != 0 && errno == ESRCH;
	if (name->database != MyDatabaseId || IsImagePending(&name->uuid) || HasImage(images, &name->uuid))
		return false;

	/* a training that has not committed yet holds the lock of its image */
	if (!TryLockImage(&name->uuid))
		return false;
	ListImages(versions, &latest);
	orphan = !HasImage(&latest, &name->uuid);
	pfree(latest.uuids);
	UnlockImage(&name->uuid);
	return orphan;
}

/* Unlinks the orphans in the directory of images; called by a session that has just written a file. */
void
SweepImages(void)
{
	Relation	versions;
	ImageList	images;
	DIR		   *directory;
	struct dirent *entry;

	if (IsInParallelMode())
		return;					/* where no new snapshot may be taken */
	versions = OpenBookkeeping("model_version");
	ListImages(versions, &images);
	directory = AllocateDir(IMAGE_DIRECTORY);
	while ((entry = ReadDirExtended(directory, IMAGE_DIRECTORY, LOG)) != NULL)
	{
		char		path[MAXPGPATH];
		ImageName	name;

		CHECK_FOR_INTERRUPTS();
		if (!ParseName(entry->d_name, &name) || !IsOrphan(&name, versions, &images))
			continue;
		snprintf(path, MAXPGPATH, "%s/%s", IMAGE_DIRECTORY, entry->d_name);
		(void) unlink(path);
	}
	FreeDir(directory);
	pfree(images.uuids);
	table_close(versions, AccessShareLock);
}
