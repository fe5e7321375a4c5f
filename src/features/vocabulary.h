/*
 * vocabulary.h - the words and categories of items' attributes: numbered, and how many items have each.
 */
#ifndef MFREC_VOCABULARY_H
#define MFREC_VOCABULARY_H

/* A word or category. */
typedef struct Token
{
	const char *text;			/* NULL: an element of an embedding */
	int32		length;			/* bytes of the text; the place of an element */
	int32		field;			/* what it is of, see TokenField() */
	int32		items;			/* items with ratings that have it */
} Token;

/*
 * Numbers tokens of all columns 0, 1, 2 ... in order of appearance.  slots[] is an open-addressing table of numbers,
 * -1 where empty, at most half full.  Freed with its memory context.
 */
typedef struct Vocabulary
{
	MemoryContext context;
	int32		count;
	int32		capacity;		/* of token[] */
	Token	   *token;
	uint32		mask;			/* slots[] has mask + 1 entries */
	int32	   *slots;
	char	   *chunk;			/* texts lie one behind the other in chunks: the rest of the last one */
	int64		chunk_left;
	int64		text_bytes;		/* of all chunks */
} Vocabulary;

/*
 * What a token is of: a column, whose texts are seen both as values and as words until one of the two is chosen;
 * a word and a value that are written alike are different tokens.
 */
static inline int32
TokenField(int attribute, bool word)
{
	return 2 * attribute + word;
}

extern Vocabulary *CreateVocabulary(void);
extern int32 AddToken(Vocabulary *v, int32 field, const char *text, int64 length);
extern int32 AddElements(Vocabulary *v, int32 field, int32 count);
extern int64 VocabularyBytes(const Vocabulary *v);

#endif
