/*
 * token_list.c - from the value of an attribute to the words and categories that it has.
 *
 * Empty strings are no values, and what occurs twice in a list counts once.  Of a document
 *
 *     {"size": 40, "made": {"in": ["Rome", "Oslo"], "by": null}, "new": true}
 *
 * the tokens are ".size: 40", ".made.in: Rome", ".made.in: Oslo" and ".new: true"; behind the column's name they are
 * the names of features.  Of a list ["a", "b"] that is a document they are ": a" and ": b".
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#include "compat.h"
#include "features/token_list.h"

/* A longer string in a document is prose, not a category. */
#define MOST_DOCUMENT_STRING 100

/* An empty list, whose arrays are in the current memory context. */
void
InitTokenList(TokenList *list)
{
	list->count = 0;
	list->capacity = 64;
	list->token = palloc(sizeof(int32) * list->capacity);
	list->times = palloc(sizeof(float) * list->capacity);
}

/* Appends a token, perhaps one that the list has. */
static void
AppendToList(TokenList *list, int32 token, float times)
{
	if (list->count == list->capacity)
	{
		list->capacity *= 2;
		list->token = repalloc_huge(list->token, sizeof(int32) * list->capacity);
		list->times = repalloc_huge(list->times, sizeof(float) * list->capacity);
	}
	list->token[list->count] = token;
	list->times[list->count++] = times;
}

static int
CompareNumbers(const void *a, const void *b)
{
	int32		x = *(const int32 *) a;
	int32		y = *(const int32 *) b;

	return (x > y) - (x < y);
}

/* Leaves one of each token, all of which occur once. */
static void
RemoveRepeated(TokenList *list)
{
	int32		kept = 0;

	qsort(list->token, list->count, sizeof(int32), CompareNumbers);
	for (int32 i = 0; i < list->count; i++)
		if (i == 0 || list->token[i] != list->token[i - 1])
			list->token[kept++] = list->token[i];
	list->count = kept;
}

/* The list becomes that of one category, or empty. */
void
ListText(TokenList *list, Vocabulary *v, int32 field, const char *text, int64 length)
{
	list->count = 0;
	if (length > 0)
		AppendToList(list, AddToken(v, field, text, length), 1);
}

/* The list becomes that of the elements of an array of text, of any dimensions; nulls are left out. */
void
ListArray(TokenList *list, Vocabulary *v, int32 field, ArrayType *array)
{
	Datum	   *values;
	bool	   *nulls;
	int			n;

	list->count = 0;
	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		text	   *element = nulls[i] ? NULL : DatumGetTextPP(values[i]);

		if (element && VARSIZE_ANY_EXHDR(element) > 0)
			AppendToList(list, AddToken(v, field, VARDATA_ANY(element), VARSIZE_ANY_EXHDR(element)), 1);
	}
	RemoveRepeated(list);
}

/* A document on its way into a list. */
typedef struct Walk
{
	TokenList  *list;
	Vocabulary *vocabulary;
	int32		field;
	StringInfoData path;		/* ".key.key" of where we are */
} Walk;

/*
 * Appends "path: value" of a scalar; nothing for null, an empty or a long string.  A number is written without trailing
 * zeros, by which equal ones may differ.
 */
static void
ListScalar(Walk *walk, const JsonbValue *value)
{
	int			length = walk->path.len;

	if (value->type == jbvNull ||
		(value->type == jbvString && (value->val.string.len == 0 || value->val.string.len > MOST_DOCUMENT_STRING)))
		return;
	appendStringInfoString(&walk->path, ": ");
	if (value->type == jbvString)
		appendBinaryStringInfo(&walk->path, value->val.string.val, value->val.string.len);
	else if (value->type == jbvBool)
		appendStringInfoString(&walk->path, value->val.boolean ? "true" : "false");
	else
		appendStringInfoString(&walk->path, numeric_normalize(value->val.numeric));
	AppendToList(walk->list, AddToken(walk->vocabulary, walk->field, walk->path.data, walk->path.len), 1);
	walk->path.len = length;
}

/* Appends what is in an object or array, elements of which go by the path of the array. */
static void
ListContainer(Walk *walk, JsonbContainer *container)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbIteratorToken what;
	JsonbValue	value;
	int			length = walk->path.len;

	check_stack_depth();
	while ((what = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (what == WJB_KEY)
		{
			walk->path.len = length;
			appendStringInfoChar(&walk->path, '.');
			appendBinaryStringInfo(&walk->path, value.val.string.val, value.val.string.len);
		}
		else if (what != WJB_VALUE && what != WJB_ELEM)
			continue;
		else if (value.type == jbvBinary)
			ListContainer(walk, value.val.binary.data);
		else
			ListScalar(walk, &value);
	}
	walk->path.len = length;
}

/*
 * The list becomes that of a document: a token ".key: value" for each key and scalar, with the keys of objects that
 * it is in, one for each element of an array, and ": value" where there is no object around.
 */
void
ListDocument(TokenList *list, Vocabulary *v, int32 field, Jsonb *document)
{
	Walk		walk = {.list = list,.vocabulary = v,.field = field};

	list->count = 0;
	initStringInfo(&walk.path);
	ListContainer(&walk, &document->root);
	pfree(walk.path.data);
	RemoveRepeated(list);
}

/* The list becomes that of the words of a tsvector, which has each once; one without positions occurs once. */
void
ListWords(TokenList *list, Vocabulary *v, int32 field, TSVector words)
{
	WordEntry  *entry = ARRPTR(words);
	const char *text = STRPTR(words);

	list->count = 0;
	for (int32 i = 0; i < words->size; i++)
	{
		int32		token;

		if (entry[i].len == 0)
			continue;
		token = AddToken(v, field, text + entry[i].pos, entry[i].len);
		AppendToList(list, token, entry[i].haspos ? Max(POSDATALEN(words, &entry[i]), 1) : 1);
	}
}
