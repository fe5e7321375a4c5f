/*
 * group_cap.h - lists with at most so many items of a group: a seller, an artist, a category; user_groups.c groups users.
 */
#ifndef MFREC_GROUP_CAP_H
#define MFREC_GROUP_CAP_H

#include "serve/recommender.h"

/*
 * How items are grouped, for one call; per_group 0: not at all.  Either all groups are known (group), or those
 * of items that were looked up so far (known, known_group).
 */
typedef struct Grouping
{
	int			per_group;		/* at most so many of each */
	int32	   *group;			/* by item: 1 or more, 0: none; NULL: look into the table */
	IdMap	   *known;			/* items that were looked up there, by number; or users that have a group, by id */
	int32	   *known_group;	/* of each of them; 0 until its row has come */
	IdMap	   *names;			/* groups met so far; group g has number g - 1 */
	IdType		name_type;
	IdType		id_type;		/* of the table's ids */
	char	   *sql_some;		/* groups of the items in an array */
	char	   *sql_all;		/* groups of all items in the table */
} Grouping;

extern int32 NumberGroup(Grouping *grouping, Datum value, bool isnull);
extern int32 *NumberGroups(Grouping *grouping, ArrayType *groups, int ncandidates);
extern void CheckGroupColumns(const Grouping *grouping, TupleDesc typeinfo, const IdType *ids, const char *what);
pg_noreturn extern void RefuseSecondGroup(const IdType *ids, int64 id, const char *what);
extern void GroupByArray(Grouping *grouping, const Image *image, const ListFilter *filter, ArrayType *groups);
extern void GroupByTable(Grouping *grouping, Oid relid, const char *id_column, const char *group_column);
/* The k best items that a filter lets in, in a new list, by whatever the state says. */
typedef void (*RankFunction) (void *state, const ListFilter *filter, int k, TopList *list);

/* How lists are ranked that groups are to cap. */
typedef struct Ranking
{
	RankFunction rank;
	void	   *state;
	bool		counts;			/* it keeps to the filter's groups, so that all k come at once */
} Ranking;

extern void LoadGroups(Grouping *grouping, const Image *image);
extern void CapGroups(const Image *image, const Ranking *ranking, const ListFilter *filter, Grouping *grouping, int k,
					  TopList *list);
extern void MakeGroupedPopularList(Recommender *r, ItemOrder order, const ListFilter *filter, Grouping *grouping, int k,
								   TopList *list);
extern void MakeGroupedList(Recommender *r, const UserState *user, const ListFilter *filter, Grouping *grouping,
							bool leave_out_seen, int k, TopList *list);

#endif
