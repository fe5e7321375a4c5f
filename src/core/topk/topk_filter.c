/*
 * topk_filter.c - which items may be in a result: bitmaps, lists, candidates, groups.
 *
 * Most of a filter is asked only about items that are good enough to be in the result, which are few.  Candidates,
 * and allowed items where they are few, become a mask by position instead, which says what need not be scored.
 */
#include "core/topk/topk_state.h"

#include <string.h>

/* A share of allowed items below one in so many is few. */
#define FEW_ALLOWED 8

/* True if bit i of a bitmap is set. */
static inline bool
has_bit(const uint64_t *bitmap, int32_t i)
{
	return bitmap[i / 64] >> (i % 64) & 1;
}

/* The slot of an item in the hash table of seen ones: its own, or the empty one where it belongs. */
static inline uint32_t
find_seen(const MfSearch *search, int32_t item)
{
	uint32_t	slot = (uint32_t) item * UINT32_C(2654435769) >> search->seen_shift;

	while (search->seen_slot[slot] != 0 && search->seen_slot[slot] != item + 1)
		slot = (slot + 1) & (search->seen_slots - 1);
	return slot;
}

/* True if the filter lets an item in; candidates are not asked about, for the search's mask has them. */
bool
mf_search_admits(const MfSearch *search, int32_t item)
{
	const MfFilter *filter = search->filter;

	if (filter->allowed != NULL && !has_bit(filter->allowed, item))
		return false;
	if (filter->excluded != NULL && has_bit(filter->excluded, item))
		return false;
	if (search->seen != NULL)
		return !has_bit(search->seen, item);
	return search->seen_slot == NULL || search->seen_slot[find_seen(search, item)] == 0;
}

/* The slot of a group, 1 or more; a free one where it has none. */
static MfGroupSlot *
find_group(const MfSearch *search, int32_t group)
{
	uint32_t	at = (uint32_t) group * UINT32_C(2654435769);

	for (at = (at ^ at >> 16) & (search->space.nslots - 1);; at = (at + 1) & (search->space.nslots - 1))
		if (search->space.slot[at].group == group || search->space.slot[at].group == 0)
			return &search->space.slot[at];
}

/*
 * True if one more of the group, whose score is not above those before, may be kept; it is counted then.  Group 0
 * has room without end.
 */
bool
mf_search_group_take(MfSearch *search, int32_t group, double score)
{
	MfGroupSlot *slot;

	if (group <= 0)
		return true;
	slot = find_group(search, group);
	if (slot->count >= search->filter->per_group)
		return false;
	slot->group = group;
	slot->worst = score;
	slot->count++;
	return true;
}

/* True if the group of an item that scores at most `upper` had enough better ones when it was counted last. */
bool
mf_search_group_excludes(const MfSearch *search, int32_t item, double upper)
{
	int32_t		group = search->filter->group[item];
	const MfGroupSlot *slot;

	if (group <= 0)
		return false;
	slot = find_group(search, group);
	return slot->count >= search->filter->per_group && upper < slot->worst;
}

/* The positions of at most MF_FEW_CANDIDATES candidates, ascending, each once; returns how many. */
int
mf_search_find_candidates(const MfSearch *search, int32_t *position)
{
	const MfFilter *filter = search->filter;
	int			n = 0;

	for (int64_t c = 0; c < filter->ncandidates; c++)
	{
		int32_t		item = filter->candidates[c];
		int32_t		place;
		int			at = n;

		if (item < 0)
			continue;
		place = search->index->position[item];
		while (at > 0 && position[at - 1] > place)
			at--;
		if (at > 0 && position[at - 1] == place)
			continue;
		memmove(position + at + 1, position + at, (n - at) * sizeof(*position));
		position[at] = place;
		n++;
	}
	return n;
}

/* Marks the candidates' positions in the search's mask. */
void
mf_search_mark_candidates(MfSearch *search)
{
	const MfFilter *filter = search->filter;
	uint64_t   *mask = search->space.mask;

	memset(mask, 0, mf_bitmap_words(search->index) * sizeof(*mask));
	for (int64_t c = 0; c < filter->ncandidates; c++)
	{
		int32_t		item = filter->candidates[c];

		if (item >= 0)
		{
			int32_t		position = search->index->position[item];

			mask[position / 64] |= UINT64_C(1) << (position % 64);
		}
	}
	search->mask = mask;
}

/*
 * Marks the positions of allowed items in the search's mask, if they are few.  Otherwise the best items are likely
 * to be allowed, and it is enough to ask when one turns up.
 */
void
mf_search_mark_allowed(MfSearch *search)
{
	const MfIndex *index = search->index;
	uint64_t   *mask = search->space.mask;
	const uint64_t *allowed = search->filter->allowed;
	int64_t		words = (index->nitems + 63) / 64;
	int64_t		most = index->nitems / FEW_ALLOWED;
	int64_t		count = 0;

	for (int64_t w = 0; w < words && count <= most; w++)
		count += allowed[w] == 0 ? 0 : __builtin_popcountll(allowed[w]);
	if (count > most)
		return;
	memset(mask, 0, mf_bitmap_words(index) * sizeof(*mask));
	for (int64_t w = 0; w < words; w++)
		for (uint64_t bits = allowed[w]; bits != 0; bits &= bits - 1)
		{
			int64_t		item = w * 64 + __builtin_ctzll(bits);

			if (item < index->nitems)
				mask[index->position[item] / 64] |= UINT64_C(1) << (index->position[item] % 64);
		}
	search->mask = mask;
}

/*
 * Readies the seen items, of which there are some, for questions: in a hash table a quarter full at most, or where
 * that would be larger in a bitmap of all items.
 */
void
mf_search_mark_seen(MfSearch *search)
{
	const MfFilter *filter = search->filter;
	uint64_t   *space = search->space.seen;
	size_t		words = mf_bitmap_words(search->index);
	int			bits = 4;
	int32_t    *slot = (int32_t *) space;

	while (bits < 31 && INT64_C(1) << bits < 4 * filter->nseen)
		bits++;
	if ((sizeof(*slot) << bits) <= words * sizeof(*space))
	{
		memset(slot, 0, sizeof(*slot) << bits);
		search->seen_slot = slot;
		search->seen_slots = UINT32_C(1) << bits;
		search->seen_shift = 32 - bits;
		for (int64_t i = 0; i < filter->nseen; i++)
			slot[find_seen(search, filter->seen[i])] = filter->seen[i] + 1;
		return;
	}
	memset(space, 0, words * sizeof(*space));
	for (int64_t i = 0; i < filter->nseen; i++)
		space[filter->seen[i] / 64] |= UINT64_C(1) << (filter->seen[i] % 64);
	search->seen = space;
}
