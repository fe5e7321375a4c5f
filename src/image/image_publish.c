/*
 * image_publish.c - images of versions that a transaction makes, or takes out of service.
 *
 * Who makes a version has its items at hand, and leaves the image to all sessions before it commits, so that no
 * call has to build it.  Images of versions that no longer serve go once that is committed.
 */
#include "postgres.h"

#include "portability/instr_time.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "image/image_cache.h"
#include "image/image_file.h"
#include "image/image_pending.h"
#include "image/image_publish.h"
#include "image/image_read.h"
#include "image/image_sweep.h"
#include "model/missing_rows.h"
#include "model/model_acl.h"
#include "model/model_write.h"

/*
 * Leaves the image of a version that this transaction is about to commit to all sessions, so that
 * none has to build it.  It goes with the transaction should that abort.
 */
void
PublishImage(const ImageSource *source)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec image block", ALLOCSET_SMALL_SIZES);

	LockImage(&source->uuid);	/* until the end of the transaction: see the sweep */
	UnlinkImageAtAbort(&source->uuid);
	(void) WriteImageFile(&source->uuid, BuildImageBlock(source, context));
	MemoryContextDelete(context);
	SweepImages();
}

/*
 * The same for a version that this transaction has written to the model tables and the bookkeeping, which
 * is read from there; where the caller may not see it in full nothing is left.  Returns the number of
 * items that the caller sees.
 */
int64
PublishStoredVersion(const Model *model, int32 version)
{
	ImageSource source;
	pg_uuid_t	uuid;

	LockModelTables(model);
	PushBookkeepingSnapshot();
	UpdateActiveSnapshotCommandId();
	if (!FindVersionImage(model, version, &uuid))
		elog(ERROR, "version %d of model \"%s\" has gone", version, model->name);
	ReadImageSource(&source, model, version, &uuid);
	if (source.ids->count == 0)
		CheckNoRows(model, version, false);
	PopBookkeepingSnapshot();
	if (SeesAllRows(model->item_relid) && HasImageFile(model, source.ids->count))
		PublishImage(&source);
	return source.ids->count;
}

/* Once this transaction has committed, unlinks the files of all kept versions of a model but one; NULL: of all. */
void
SupersedeImages(const char *model, const pg_uuid_t *except)
{
	pg_uuid_t  *images;
	int			n = VersionImages(model, &images);

	for (int i = 0; i < n; i++)
		if (except == NULL || memcmp(&images[i], except, sizeof(pg_uuid_t)) != 0)
			UnlinkImageAtCommit(&images[i]);
	pfree(images);
}

/*
 * For the version that serves, whose items this transaction has changed: gives it a new identity, *uuid, and makes its
 * image from the one that it had.  False where that is not possible; then the caller has to publish it.
 */
bool
RenewImage(const Model *model, const ImageChanges *changes, pg_uuid_t *uuid)
{
	pg_uuid_t	before;
	instr_time	began;
	instr_time	now;
	bool		had;

	PushBookkeepingSnapshot();
	had = FindVersionImage(model, model->version, &before);
	PopBookkeepingSnapshot();
	RenewVersionImage(model->name, model->version);
	PushBookkeepingSnapshot();
	if (!had || !FindVersionImage(model, model->version, uuid))
		elog(ERROR, "version %d of model \"%s\" has gone", model->version, model->name);
	PopBookkeepingSnapshot();
	UnlinkImageAtCommit(&before);
	LockImage(uuid);			/* until the end of the transaction: see the sweep */
	UnlinkImageAtAbort(uuid);
	INSTR_TIME_SET_CURRENT(began);
	if (!RenewImageFile(&before, uuid, changes))
		return false;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, began);
	ereport(DEBUG1,
			(errmsg("renewed the image of version %d of model \"%s\" in %.1f ms", model->version, model->name,
					INSTR_TIME_GET_MILLISEC(now))));
	SweepImages();
	return true;
}

/*
 * For a model whose tables are not what its images were made from: gives all kept versions new identities, and
 * publishes the image of the current one.  Acts as the model's owner; returns the number of items that they see.
 */
int64
RenewImages(const Model *model)
{
	Acting		acting;
	int64		items;

	SupersedeImages(model->name, NULL);
	RenewVersionImages(model->name);
	ActAsModelOwner(model, &acting);
	items = PublishStoredVersion(model, model->version);
	StopActing(&acting);
	return items;
}
