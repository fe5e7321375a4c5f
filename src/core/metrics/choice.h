/*
 * choice.h - whether users share more items than chance makes them share.
 */
#ifndef MF_CHOICE_H
#define MF_CHOICE_H

#include <stdint.h>

/* Some users' items, ascending; user u has item[start[u] .. start[u + 1] - 1]. */
typedef struct MfChoices
{
	int64_t		nusers;
	const int64_t *start;
	const int32_t *item;
	int64_t		nitems;
	const int32_t *count;		/* of all users that have an item; each item has one at least */
} MfChoices;

/* Bytes of workspace for so many users and items. */
extern int64_t mf_choice_workspace(int64_t nusers, int64_t nitems);
extern double mf_choice_excess(const MfChoices *choices, void *workspace, double *error);

#endif
