/*
 * session_cache.h - a few values that a backend keeps for its next calls.
 */
#ifndef MFREC_SESSION_CACHE_H
#define MFREC_SESSION_CACHE_H

#define SESSION_CACHE_MOST 64

/* What a value begins with; zero but for the context when it is made. */
typedef struct CacheEntry
{
	MemoryContext context;		/* of the value, this included; the current one is its parent until it is kept */
	bool		kept;			/* else it goes with its last use */
	bool		stale;			/* must not be found again: it goes as soon as no call uses it */
	int			pins;			/* calls that use it right now */
	uint64		last_use;
} CacheEntry;

/* A cache: static, and zero but for the number of its places. */
typedef struct SessionCache
{
	int			places;			/* at most SESSION_CACHE_MOST */
	CacheEntry *entries[SESSION_CACHE_MOST];	/* NULL: free */
	bool		registered;
	struct SessionCache *next;	/* in the list of registered ones */
} SessionCache;

extern void PinCacheEntry(CacheEntry *entry);
extern void UnpinCacheEntry(CacheEntry *entry);
extern void KeepCacheEntry(SessionCache *cache, CacheEntry *entry);

#endif
