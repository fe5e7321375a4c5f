/*
 * list_args.h - arguments that say what lists are to be like, besides what may be in them.
 */
#ifndef MFREC_LIST_ARGS_H
#define MFREC_LIST_ARGS_H

#include "fmgr.h"
#include "image/image_cache.h"
#include "serve/boosts.h"

/* Where the arguments of boosts stand, from 0; boosts is negative in functions without that argument. */
typedef struct BoostPlaces
{
	int			boosts;
	int			table;
	int			column;
	int			id_column;
} BoostPlaces;

extern double DiversityArgument(FunctionCallInfo fcinfo, int n);
extern Oid	BoostTableArgument(FunctionCallInfo fcinfo, const BoostPlaces *at);
extern const Boosts *BoostArguments(FunctionCallInfo fcinfo, const BoostPlaces *at, int candidates, const Image *image);

#endif
