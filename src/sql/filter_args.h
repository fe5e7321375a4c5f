/*
 * filter_args.h - the arguments of a list's filters: candidates, exclude, and at most so many of a group.
 */
#ifndef MFREC_FILTER_ARGS_H
#define MFREC_FILTER_ARGS_H

#include "fmgr.h"
#include "serve/group_cap.h"
#include "serve/recommender.h"
#include "serve/user_scan.h"

/*
 * Where these arguments stand in a call, from 0.  Those of groups follow each other from per_group on: group_table,
 * group_column, group_id_column, groups.
 */
typedef struct FilterPlaces
{
	int			candidates;
	int			exclude;
	int			per_group;
} FilterPlaces;

extern bool ArgumentGiven(FunctionCallInfo fcinfo, int n);
extern void ReadFilter(FunctionCallInfo fcinfo, const FilterPlaces *at, const Image *image, bool rated, ListFilter *filter);
extern void ReadUserFilter(FunctionCallInfo fcinfo, const FilterPlaces *at, IdType *type, UserFilter *filter);
extern void ReadGroups(FunctionCallInfo fcinfo, const FilterPlaces *at, const Image *image, const ListFilter *filter,
					   Grouping *grouping);

#endif
