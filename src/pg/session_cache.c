/*
 * session_cache.c - a few values that a backend keeps for its next calls.
 *
 * Each value has a memory context of its own and begins with a CacheEntry.  Calls pin what they use.  Where all
 * places are taken, the entry goes that has not been used for longest; where all are pinned, a new value is not
 * kept and goes with its last use.  What makes an entry the right one, and what makes it stale, its user knows.
 *
 * An error ends a call without unpinning, so the end of a transaction unpins all.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/memutils.h"

#include "compat.h"
#include "pg/session_cache.h"

static SessionCache *caches = NULL;

/* No call lasts longer than its transaction, in parallel workers too. */
static void
AtEOXact_SessionCaches(XactEvent event, void *arg)
{
	(void) arg;
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE &&
		event != XACT_EVENT_PARALLEL_COMMIT && event != XACT_EVENT_PARALLEL_ABORT)
		return;
	for (SessionCache *cache = caches; cache; cache = cache->next)
		for (int i = 0; i < cache->places; i++)
			if (cache->entries[i])
				cache->entries[i]->pins = 0;
}

/* Adds a cache to those that the end of a transaction unpins. */
static void
RegisterCache(SessionCache *cache)
{
	if (cache->registered)
		return;
	if (caches == NULL)
		RegisterXactCallback(AtEOXact_SessionCaches, NULL);
	cache->next = caches;
	caches = cache;
	cache->registered = true;
}

/* Frees the entry in a place. */
static void
DropEntry(SessionCache *cache, int place)
{
	CacheEntry *entry = cache->entries[place];

	cache->entries[place] = NULL;
	MemoryContextDelete(entry->context);
}

/* A free place, if need be that of the least recently used entry; -1 where all are pinned.  Stale entries go first. */
static int
FreePlace(SessionCache *cache)
{
	int			place = -1;

	for (int i = 0; i < cache->places; i++)
		if (cache->entries[i] && cache->entries[i]->stale && cache->entries[i]->pins == 0)
			DropEntry(cache, i);
	for (int i = 0; i < cache->places; i++)
	{
		const CacheEntry *entry = cache->entries[i];

		if (entry == NULL)
			return i;
		if (entry->pins == 0 && (place < 0 || entry->last_use < cache->entries[place]->last_use))
			place = i;
	}
	if (place >= 0)
		DropEntry(cache, place);
	return place;
}

/* Puts a new value into a cache, where its context is the cache's from then on; not where all others are in use. */
void
KeepCacheEntry(SessionCache *cache, CacheEntry *entry)
{
	int			place;

	RegisterCache(cache);
	place = FreePlace(cache);
	if (place < 0)
		return;
	MemoryContextSetParent(entry->context, CacheMemoryContext);
	entry->kept = true;
	cache->entries[place] = entry;
}

/* Begins a use: until UnpinCacheEntry, or the end of the transaction, the value stays as it is. */
void
PinCacheEntry(CacheEntry *entry)
{
	static uint64 uses = 0;

	entry->last_use = ++uses;
	entry->pins++;
}

/* Ends a use. */
void
UnpinCacheEntry(CacheEntry *entry)
{
	entry->pins--;
	if (entry->pins == 0 && !entry->kept)
		MemoryContextDelete(entry->context);
}
