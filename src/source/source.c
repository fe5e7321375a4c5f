/*
 * source.c - the relation that a model is trained on: its columns, and the queries that read it.
 *
 * Queries name every object in full and run as the caller, with their privileges and row security.  A source is
 * whatever SQL can read by name: a table, a view, a partitioned or a foreign table.
 */
#include "postgres.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/rel.h"

#include "compat.h"
#include "rows/row_time.h"
#include "source/relation.h"
#include "source/source.h"

/* How a hint names an argument: callers of mf_retrain and mf_recommend pass none, so they are told whose it is. */
static const char *
ArgumentName(const SourceColumns *columns, const char *name)
{
	return columns->kept ? psprintf("%s of mf_train or mf_import", name) : name;
}

/*
 * Chooses the preset: what was asked for, else explicit if there is a value column, with a notice if there is
 * none.  An error where ratings are asked for and there are none.
 */
static Feedback
ChooseFeedback(const Source *source, const SourceColumns *columns)
{
	Feedback	wanted = columns->feedback;
	const char *argument = ArgumentName(columns, "rating_column");

	if (source->event_column && wanted == FEEDBACK_EXPLICIT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("event_weights needs implicit feedback"),
				 errdetail("Ratings say by themselves how much they mean."),
				 errhint("Leave feedback out, or use weight_column to weigh ratings.")));
	if (source->event_column)
		return FEEDBACK_IMPLICIT;
	if (wanted == FEEDBACK_EXPLICIT && source->value_column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("explicit feedback needs a column of ratings, but relation \"%s\" has none", source->name),
				 errhint("Name it with the argument %s, or use feedback => 'implicit'.", argument)));
	if (wanted != FEEDBACK_AUTO)
		return wanted;
	if (source->value_column)
		return FEEDBACK_EXPLICIT;
	ereport(NOTICE,
			(errmsg("relation \"%s\" has no rating column: training on implicit feedback", source->name),
			 errhint("If it has ratings, name their column with the argument %s.", argument)));
	return FEEDBACK_IMPLICIT;
}

/*
 * The column of tenants.  Names of models are made of tenants as text, so that has to be the same wherever they are equal,
 * whatever the session's settings.
 */
static void
OpenTenantColumn(Source *source, Relation rel, const SourceColumns *columns)
{
	const char *argument = columns->kept ? "by of mf_train_each" : "by";
	Form_pg_attribute att = NamedColumn(rel, columns->by, argument);
	Oid			base = getBaseType(att->atttypid);

	if (base != INT2OID && base != INT4OID && base != INT8OID && base != TEXTOID && base != VARCHAROID &&
		base != UUIDOID)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of relation \"%s\" is of type %s, of which tenants cannot be", columns->by,
						source->name, format_type_be(att->atttypid)),
				 errdetail("It can be smallint, integer, bigint, text, character varying or uuid."),
				 errhint("Name another column with the argument %s, or cast it to text in a view.", argument)));
	if (OidIsValid(att->attcollation) && !get_collation_isdeterministic(att->attcollation))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of relation \"%s\" has a nondeterministic collation", columns->by, source->name),
				 errdetail("Tenants that are written in two ways would be one there, and models are called by how they are written."),
				 errhint("Collate it in a view, for example by \"C\".")));
	source->tenant_column = columns->by;
	source->tenant = columns->tenant;
	InitIdType(&source->tenant_type, att->atttypid, att->atttypmod, att->attcollation);
}

/*
 * Resolves a source and its columns into *source.  Everything that can be wrong with the arguments is found
 * here, before a row is read: no such relation or column, a type that cannot be an id or a number.  Locks the
 * relation until the end of the transaction; strings are those of `columns`, or palloc'd.
 */
void
OpenSource(Source *source, Oid relid, const SourceColumns *columns)
{
	Relation	rel = OpenRows(relid, "cannot train on \"%s\"", "Name a table or view of ratings.");

	memset(source, 0, sizeof(Source));
	source->relid = relid;
	source->relevant = -1;
	source->name = pstrdup(RelationGetRelationName(rel));
	source->schema = get_namespace_name(RelationGetNamespace(rel));
	source->temporary = isAnyTempNamespace(RelationGetNamespace(rel));
	source->user_column = columns->user;
	source->item_column = columns->item;
	IdColumn(rel, columns->user, ArgumentName(columns, "user_column"), &source->user);
	IdColumn(rel, columns->item, ArgumentName(columns, "item_column"), &source->item);
	if (columns->rating &&
		(columns->rating_named || get_attnum(relid, columns->rating) != InvalidAttrNumber))
	{
		source->value_column = columns->rating;
		source->value_type = NumberColumn(rel, source->value_column, ArgumentName(columns, "rating_column"));
	}
	if (columns->weight)
	{
		source->weight_column = columns->weight;
		source->weight_type = NumberColumn(rel, source->weight_column, ArgumentName(columns, "weight_column"));
	}
	if (columns->time)
	{
		const char *argument = ArgumentName(columns, "time_column");

		source->time_column = columns->time;
		source->time_type = TimeColumnType(NamedColumn(rel, columns->time, argument), source->name, argument);
	}
	if (columns->by)
		OpenTenantColumn(source, rel, columns);
	if (columns->event)
	{
		const char *argument = ArgumentName(columns, "event_column");
		Form_pg_attribute att = NamedColumn(rel, columns->event, argument);

		if (columns->events)
		{
			source->event_column = columns->event;
			OpenEventKinds(&source->events, columns->event, att->atttypid, columns->events, source->name, argument);
		}
	}
	source->feedback = ChooseFeedback(source, columns);
	relation_close(rel, NoLock);
}

/*
 * The source as a query's FROM has it: the relation, or a tenant's rows of it, which the planner takes for conditions of
 * the query.
 */
const char *
SourceSql(const Source *source)
{
	const char *name = quote_qualified_identifier(source->schema, source->name);

	if (source->tenant == NULL)
		return name;
	return psprintf("(SELECT * FROM %s WHERE %s %s %s::%s) AS tenant", name, quote_identifier(source->tenant_column),
					IdEqualitySql(&source->tenant_type), quote_literal_cstr(source->tenant),
					format_type_extended(source->tenant_type.base, -1, FORMAT_TYPE_FORCE_QUALIFY));
}

/* Appends the columns of the query below, as a list. */
void
AppendSourceColumnList(StringInfo sql, const Source *source)
{
	appendStringInfo(sql, "%s, %s", quote_identifier(source->user_column), quote_identifier(source->item_column));
	if (source->value_column)
		appendStringInfo(sql, ", %s", quote_identifier(source->value_column));
	if (source->weight_column)
		appendStringInfo(sql, ", %s", quote_identifier(source->weight_column));
	if (source->time_column)
		appendStringInfo(sql, ", %s", quote_identifier(source->time_column));
	if (source->event_column)
		appendStringInfo(sql, ", %s", quote_identifier(source->event_column));
}

/*
 * Appends the query that reads the source; its columns are user, item, then value, weight, time and kind of event if
 * there are any.
 */
void
AppendSourceQuery(StringInfo sql, const Source *source)
{
	appendStringInfoString(sql, "SELECT ");
	AppendSourceColumnList(sql, source);
	appendStringInfo(sql, " FROM %s", SourceSql(source));
}

/*
 * The columns that a query of the source delivers must be of the types that OpenSource() has found: an error if
 * the relation was altered in between.
 */
void
CheckSourceColumns(const Source *source, TupleDesc desc)
{
	int			column = 2;

	CheckDeliveredId(desc, 0, &source->user);
	CheckDeliveredId(desc, 1, &source->item);
	if (source->value_column)
		CheckDeliveredType(desc, column++, source->value_type);
	if (source->weight_column)
		CheckDeliveredType(desc, column++, source->weight_type);
	if (source->time_column)
		CheckDeliveredType(desc, column++, source->time_type);
	if (source->event_column)
		CheckDeliveredType(desc, column, source->events.type);
}

/* The query that reads one user's rows, palloc'd; parameter 1 is the user, of the column's type. */
char *
SourceLookupSql(const Source *source)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	appendStringInfo(&sql, " WHERE %s %s $1", quote_identifier(source->user_column), IdEqualitySql(&source->user));
	return sql.data;
}

/* The query that reads one item's rows, palloc'd; parameter 1 is the item, of the column's type. */
char *
SourceReverseLookupSql(const Source *source)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	appendStringInfo(&sql, " WHERE %s %s $1", quote_identifier(source->item_column), IdEqualitySql(&source->item));
	return sql.data;
}

/* The query that reads the rows from a time on, in seconds, palloc'd; the source has a column of times. */
char *
SourceSinceSql(const Source *source, double seconds)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	appendStringInfo(&sql, " WHERE %s OPERATOR(pg_catalog.>=) %s", quote_identifier(source->time_column),
					 TimeLiteral(seconds, source->time_type));
	return sql.data;
}

/* The query that reads the rows of many users, and of many items, palloc'd; parameters 1 and 2 are arrays of them. */
char *
SourceManySql(const Source *source)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	appendStringInfo(&sql, " WHERE %s %s ANY ($1) OR ", quote_identifier(source->user_column), IdEqualitySql(&source->user));
	appendStringInfo(&sql, "%s %s ANY ($2)", quote_identifier(source->item_column), IdEqualitySql(&source->item));
	return sql.data;
}

/*
 * Appends the names of a query's relations to which row security applies, those beneath its views included; a
 * walker as query_tree_walker() wants it.
 */
static bool
CollectProtected(Node *node, void *names)
{
	if (node == NULL)
		return false;
	if (IsA(node, RangeTblEntry))
	{
		RangeTblEntry *rte = (RangeTblEntry *) node;

		if (rte->rtekind == RTE_RELATION && rte->securityQuals != NIL)
		{
			StringInfo	list = names;
			char	   *name = get_rel_name(rte->relid);

			appendStringInfo(list, "%s\"%s\"", list->len ? ", " : "", name ? name : "");
		}
		return false;
	}
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, TreeWalker(CollectProtected), names, QTW_EXAMINE_RTES_BEFORE);
	return expression_tree_walker(node, TreeWalker(CollectProtected), names);
}

/*
 * Notices where row security applies to what a query of a relation reads: a model then learns from the rows that the
 * policies show to the current role, or to the owner of a view, and nothing else would tell.
 */
void
NoteQueryRowSecurity(const char *sql, const char *relation)
{
	StringInfoData names;
	SPIPlanPtr	plan;
	ListCell   *lc;

	initStringInfo(&names);
	SPI_connect();
	plan = SPI_prepare(sql, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare the query of a source");
	foreach(lc, SPI_plan_get_plan_sources(plan))
		(void) CollectProtected((Node *) linitial_node(Query, ((CachedPlanSource *) lfirst(lc))->query_list), &names);
	if (names.len > 0)
		ereport(NOTICE,
				(errmsg("row security may hide rows of relation \"%s\" from role \"%s\"", relation,
						GetUserNameFromId(GetUserId(), false)),
				 errdetail("Only the rows that its policies show are read. Policies apply to: %s.", names.data),
				 errhint("If the model is to learn from all rows, train as a role that sees them: the table's owner, or one with BYPASSRLS.")));
	SPI_freeplan(plan);
	SPI_finish();
}

/* The same of the query that reads a source. */
void
NoteRowSecurity(const Source *source)
{
	StringInfoData sql;

	initStringInfo(&sql);
	AppendSourceQuery(&sql, source);
	NoteQueryRowSecurity(sql.data, source->name);
}

/*
 * What a row of the source query says, by which training and fold-in both go. values, nulls: its natts columns.  An
 * implicit value is a weight; what is not there is 1.  With another answer than RATING_OK the numbers are those at
 * fault, or undefined.
 */
RatingCheck
RatingFromRow(const Source *source, const Datum *values, const bool *nulls, int natts, Observation *observation)
{
	bool		implicit = source->feedback == FEEDBACK_IMPLICIT;
	int			column = 2;
	int			time = 2 + (source->value_column != NULL) + (source->weight_column != NULL);

	for (int i = 0; i < natts; i++)
		if (nulls[i] && (i != time || source->time_column == NULL))
			return RATING_NULL;
	if (source->time_column && nulls[time])
		return RATING_NULL_TIME;
	observation->rating = observation->weight = 1;
	observation->time = INFINITY;
	if (source->value_column)
		observation->rating = NumberFromDatum(values[column++], source->value_type);
	if (source->weight_column)
		observation->weight = NumberFromDatum(values[column++], source->weight_type);
	if (source->time_column)
		observation->time = TimeFromDatum(values[column++], source->time_type);
	if (source->event_column)
	{
		observation->event = FindEventKind(&source->events, values[column]);
		if (observation->event < 0)
			return RATING_OTHER_EVENT;
	}
	if (!isfinite(observation->rating))
		return RATING_BAD_VALUE;
	if (!isfinite(observation->weight) || observation->weight < 0)
		return RATING_BAD_WEIGHT;
	if (implicit)
		observation->weight *= observation->rating;
	if (source->event_column)
		observation->weight *= (float) source->events.weights->weight[observation->event];
	if (!isfinite(observation->weight))
		return RATING_BAD_PRODUCT;
	if (source->time_column && !isfinite(observation->time))
		return RATING_BAD_TIME;
	return observation->weight == 0 ? RATING_ZERO : RATING_OK;
}
