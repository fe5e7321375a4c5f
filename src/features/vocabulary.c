/*
 * vocabulary.c - the words and categories of items' attributes: numbered, and how many items have each.
 *
 * It is in memory as a whole, like the dictionaries of ids, because rows bring tokens in any order.  A token takes 32
 * bytes and its text, whether it becomes a feature or not: that so many items have it is known at the end.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/memutils.h"

#include "compat.h"
#include "features/vocabulary.h"

#define FIRST_TOKENS 1024
#define CHUNK_BYTES (64 * 1024)

/*
 * A longer text is known by its beginning and 128 bits of a hash of it all: it is its name that is long, and a
 * value of 1 MB need not be kept for that.
 */
#define MOST_TEXT 200
#define BEGINNING 120

/* Half of the slots being empty, and their numbers those of a hash of 32 bits. */
#define MOST_TOKENS (1 << 29)

/* An empty vocabulary, in a memory context of its own, a child of the current one. */
Vocabulary *
CreateVocabulary(void)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mfrec vocabulary", ALLOCSET_DEFAULT_SIZES);
	Vocabulary *v = MemoryContextAllocZero(context, sizeof(Vocabulary));

	v->context = context;
	v->capacity = FIRST_TOKENS;
	v->token = MemoryContextAlloc(context, sizeof(Token) * v->capacity);
	v->mask = 2 * v->capacity - 1;
	v->slots = MemoryContextAlloc(context, sizeof(int32) * (v->mask + 1));
	memset(v->slots, -1, sizeof(int32) * (v->mask + 1));
	return v;
}

/* The hash of a token: of its text and of what it is of. */
static inline uint32
HashToken(int32 field, const char *text, int32 length)
{
	return hash_bytes((const unsigned char *) text, length) ^ (uint32) field * 0x9E3779B9u;
}

/* The slot that holds the token, or the empty one where it belongs. */
static uint32
FindTokenSlot(const Vocabulary *v, int32 field, const char *text, int32 length)
{
	uint32		slot = HashToken(field, text, length) & v->mask;

	while (v->slots[slot] >= 0)
	{
		const Token *token = &v->token[v->slots[slot]];

		if (token->field == field && token->length == length && token->text && memcmp(token->text, text, length) == 0)
			break;
		slot = (slot + 1) & v->mask;
	}
	return slot;
}

/* Doubles the vocabulary; more than 2^29 tokens are an error. */
static void
GrowVocabulary(Vocabulary *v)
{
	if (v->capacity >= MOST_TOKENS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many different words and categories"),
				 errdetail("Attributes can have at most %d.", MOST_TOKENS),
				 errhint("Leave columns out with a view.")));
	v->capacity *= 2;
	v->mask = 2 * (uint32) v->capacity - 1;
	v->token = repalloc_huge(v->token, sizeof(Token) * v->capacity);
	pfree(v->slots);
	v->slots = MemoryContextAllocHuge(v->context, sizeof(int32) * ((Size) v->mask + 1));
	memset(v->slots, -1, sizeof(int32) * ((Size) v->mask + 1));
	for (int32 i = 0; i < v->count; i++)
		if (v->token[i].text)
			v->slots[FindTokenSlot(v, v->token[i].field, v->token[i].text, v->token[i].length)] = i;
}

/* A copy of a text that lives as long as the vocabulary, not terminated. */
static const char *
KeepText(Vocabulary *v, const char *text, int32 length)
{
	char	   *copy;

	if (v->chunk_left < length)
	{
		v->chunk = MemoryContextAlloc(v->context, CHUNK_BYTES);
		v->chunk_left = CHUNK_BYTES;
		v->text_bytes += CHUNK_BYTES;
	}
	copy = v->chunk;
	memcpy(copy, text, length);
	v->chunk += length;
	v->chunk_left -= length;
	return copy;
}

/* Appends a token, for which there is room; returns its number. */
static int32
AppendToken(Vocabulary *v, int32 field, const char *text, int32 length)
{
	v->token[v->count] = (Token) {.text = text,.length = length,.field = field};
	return v->count++;
}

/* Writes what stands for a long text into `name` (MOST_TEXT bytes); returns its length. */
static int32
NameLongText(const char *text, int64 length, char *name)
{
	int			beginning = pg_mbcliplen(text, BEGINNING + 4, BEGINNING);
	uint64		low = hash_bytes_extended((const unsigned char *) text, (int) length, 1);
	uint64		high = hash_bytes_extended((const unsigned char *) text, (int) length, 2);

	memcpy(name, text, beginning);
	return beginning + snprintf(name + beginning, MOST_TEXT - beginning, "... (%016llx%016llx)",
								(unsigned long long) high, (unsigned long long) low);
}

/* The number of a token of a field, see TokenField(), a new one at its first appearance. */
int32
AddToken(Vocabulary *v, int32 field, const char *text, int64 length)
{
	char		name[MOST_TEXT];
	uint32		slot;

	if (length > MOST_TEXT)
	{
		length = NameLongText(text, length, name);
		text = name;
	}
	slot = FindTokenSlot(v, field, text, (int32) length);
	if (v->slots[slot] >= 0)
		return v->slots[slot];
	if (v->count == v->capacity)
	{
		GrowVocabulary(v);
		slot = FindTokenSlot(v, field, text, (int32) length);
	}
	v->slots[slot] = AppendToken(v, field, KeepText(v, text, (int32) length), (int32) length);
	return v->slots[slot];
}

/* Numbers `count` elements of an embedding, one after the other; returns the first one's number. */
int32
AddElements(Vocabulary *v, int32 field, int32 count)
{
	int32		first = v->count;

	for (int32 i = 0; i < count; i++)
	{
		if (v->count == v->capacity)
			GrowVocabulary(v);
		(void) AppendToken(v, field, NULL, i);
	}
	return first;
}

/* Bytes that the vocabulary occupies. */
int64
VocabularyBytes(const Vocabulary *v)
{
	return v->capacity * (int64) sizeof(Token) + ((int64) v->mask + 1) * sizeof(int32) + v->text_bytes;
}
