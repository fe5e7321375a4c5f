/*
 * list_args.c - arguments that say what lists are to be like, besides what may be in them: diversity, boosts.
 *
 * What a list is made of is read by filter_args.c: candidates, what is excluded, groups.  Here is what makes it another
 * list of the same items, and an argument that is not given leaves it as it is, bit for bit.
 *
 * They are the last ones of their functions, and views that were made before there were any do not pass them.
 */
#include "postgres.h"

#include "sql/args.h"
#include "sql/filter_args.h"
#include "sql/list_args.h"

/* The argument diversity: 0 to 1, 0 where it is null or not there. */
double
DiversityArgument(FunctionCallInfo fcinfo, int n)
{
	double		diversity;

	if (!ArgumentGiven(fcinfo, n))
		return 0;
	diversity = NumberArgument(fcinfo, n, "diversity");
	if (diversity < 0 || diversity > 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("diversity must be between 0 and 1, not %g", diversity),
				 errhint("0 lists the best items by score, 0.3 is a good choice for lists of items that are less alike.")));
	return diversity;
}

/*
 * The argument boost_table, InvalidOid where it is null; an error where the arguments of boosts do not say where they
 * come from, in one of the two ways.
 */
Oid
BoostTableArgument(FunctionCallInfo fcinfo, const BoostPlaces *at)
{
	bool		table = ArgumentGiven(fcinfo, at->table);

	if (table != ArgumentGiven(fcinfo, at->column) || (table && !ArgumentGiven(fcinfo, at->id_column)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("boost_table and boost_column need each other"),
				 errhint("Write boost_table => 'products', boost_column => 'boost', and boost_id_column => ... where items' ids are not in a column id.")));
	if (table && ArgumentGiven(fcinfo, at->boosts))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("boosts come from an array or from a table, not from both")));
	return table ? PG_GETARG_OID(at->table) : InvalidOid;
}

/*
 * What is added to items' scores; NULL where nothing is.  candidates: the place of that argument, which the argument
 * boosts runs parallel to.
 */
const Boosts *
BoostArguments(FunctionCallInfo fcinfo, const BoostPlaces *at, int candidates, const Image *image)
{
	Oid			table = BoostTableArgument(fcinfo, at);

	if (OidIsValid(table))
		return BoostsByTable(image, table, TextArgument(fcinfo, at->id_column), TextArgument(fcinfo, at->column));
	if (!ArgumentGiven(fcinfo, at->boosts))
		return NULL;
	if (!ArgumentGiven(fcinfo, candidates))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("boosts run parallel to candidates, and there are no candidates"),
				 errhint("Name a table of boosts instead: boost_table => 'products', boost_column => 'boost'.")));
	return BoostsByArray(image, IdArrayArgument(fcinfo, candidates, &image->item_type, "item", "candidates"),
						 PG_GETARG_ARRAYTYPE_P(at->boosts));
}
