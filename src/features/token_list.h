/*
 * token_list.h - from the value of an attribute to the words and categories that it has.
 */
#ifndef MFREC_TOKEN_LIST_H
#define MFREC_TOKEN_LIST_H

#include "tsearch/ts_type.h"
#include "utils/array.h"
#include "utils/jsonb.h"

#include "features/vocabulary.h"

/* The tokens of one value, each once. */
typedef struct TokenList
{
	int32		count;
	int32		capacity;
	int32	   *token;			/* numbers in the vocabulary */
	float	   *times;			/* how often a word occurs; of anything else 1 */
} TokenList;

extern void InitTokenList(TokenList *list);
extern void ListText(TokenList *list, Vocabulary *v, int32 field, const char *text, int64 length);
extern void ListArray(TokenList *list, Vocabulary *v, int32 field, ArrayType *array);
extern void ListDocument(TokenList *list, Vocabulary *v, int32 field, Jsonb *document);
extern void ListWords(TokenList *list, Vocabulary *v, int32 field, TSVector words);

#endif
