/*
 * family_write.c - the bookkeeping of families is written: models of many tenants at a time.
 *
 * A family is locked as a whole (see LockName()), and statements are for thousands of tenants each, by arrays.  Like
 * those of model_write.c they run as the role that model_acl.c says, once the caller's own right has been checked.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "model/family_write.h"
#include "model/model_acl.h"

/* A column of an array of tenants, for a parameter of a statement. */
typedef struct Column
{
	Oid			type;
	Datum	   *value;
	bool	   *isnull;
} Column;

/* The columns of what EnterTenants() enters, in the order of its parameters. */
enum
{
	COLUMN_NAME, COLUMN_TENANT, COLUMN_ARGUMENTS, COLUMN_VERSION, COLUMN_IMAGE, COLUMN_USERS, COLUMN_ITEMS,
	COLUMN_RATINGS, COLUMN_ITERATIONS, COLUMN_LOSS, COLUMN_RMSE, COLUMN_SECONDS, COLUMN_PARAMETERS, COLUMN_UNTIL,
	COLUMN_FACTORS, COLUMNS
};

static const Oid column_types[COLUMNS] = {
	TEXTOID, TEXTOID, TEXTOID, INT4OID, UUIDOID, INT8OID, INT8OID,
	INT8OID, INT4OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, TEXTOID, FLOAT8OID, INT4OID
};

/* What a tenant's model is called. */
char *
TenantModel(const char *family, const char *tenant)
{
	return psprintf("%s/%s", family, tenant);
}

/* The highest number that a version of the family has been given, 0 for none; the caller has locked it. */
int32
FamilyVersion(const char *family)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(family)};
	bool		isnull;
	Datum		version = OwnerSql("SELECT version FROM mfrec.model WHERE name OPERATOR(pg_catalog.=) $1", 1, types,
								   values, NULL, &isnull);

	return isnull ? 0 : DatumGetInt32(version);
}

/*
 * An error where all nodes of a cluster serve: tenants are stored while the source is read, by many statements and as one
 * role, and it is not known that Citus keeps up with that.
 */
void
RefuseSharedFamilies(const char *family)
{
	if (SharesBookkeeping())
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot train models of tenants \"%s\" where all nodes of a Citus cluster serve", family),
				 errdetail("mf_citus() was called, and Citus has the bookkeeping of models."),
				 errhint("Train a model for a tenant with mf_train, on a table or view of its rows.")));
}

/* Takes note of that number. */
void
SetFamilyVersion(const char *family, int32 version)
{
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(family), Int32GetDatum(version)};

	OwnerSqlRows(family, "UPDATE mfrec.model SET version = $2 WHERE name OPERATOR(pg_catalog.=) $1", 2, types, values, NULL,
				 NULL, NULL);
}

/* Enters a family, or what its row says now: see IsFamily(). */
void
EnterFamily(const Model *family, bool is_new)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(family->name)};

	if (!is_new)
	{
		UpdateModel(family);
		return;
	}
	InsertModel(family);
	OwnerSqlRows(family->name, "UPDATE mfrec.model SET family = name WHERE name OPERATOR(pg_catalog.=) $1", 1, types, values, NULL,
				 NULL, NULL);
}

/* An array of texts, for a parameter. */
static Datum
TextArray(char *const *texts, int n)
{
	Datum	   *elements = palloc(sizeof(Datum) * Max(n, 1));

	for (int i = 0; i < n; i++)
		elements[i] = CStringGetTextDatum(texts[i]);
	return PointerGetDatum(construct_array(elements, n, TEXTOID, -1, false, TYPALIGN_INT));
}

/* A number that may be NaN or infinite, which stand for null. */
static Datum
FiniteDatum(double value, bool *isnull)
{
	*isnull = !isfinite(value);
	return Float8GetDatum(value);
}

/* The columns of the i-th tenant. */
static void
FillColumns(Column *columns, int i, const TenantVersion *tenant)
{
	const ModelVersion *version = &tenant->version;

	columns[COLUMN_NAME].value[i] = CStringGetTextDatum(tenant->name);
	columns[COLUMN_TENANT].value[i] = CStringGetTextDatum(tenant->tenant);
	columns[COLUMN_ARGUMENTS].value[i] = CStringGetTextDatum(tenant->arguments);
	columns[COLUMN_VERSION].value[i] = Int32GetDatum(version->version);
	columns[COLUMN_IMAGE].value[i] = UUIDPGetDatum(&version->image);
	columns[COLUMN_USERS].value[i] = Int64GetDatum(version->users);
	columns[COLUMN_ITEMS].value[i] = Int64GetDatum(version->items);
	columns[COLUMN_RATINGS].value[i] = Int64GetDatum(version->ratings);
	columns[COLUMN_ITERATIONS].value[i] = Int32GetDatum(version->iterations);
	columns[COLUMN_LOSS].value[i] = FiniteDatum(version->loss, &columns[COLUMN_LOSS].isnull[i]);
	columns[COLUMN_RMSE].value[i] = FiniteDatum(version->rmse, &columns[COLUMN_RMSE].isnull[i]);
	columns[COLUMN_SECONDS].value[i] = Float8GetDatum(version->seconds);
	columns[COLUMN_PARAMETERS].value[i] = CStringGetTextDatum(version->parameters);
	columns[COLUMN_UNTIL].value[i] = FiniteDatum(version->read_until, &columns[COLUMN_UNTIL].isnull[i]);
	columns[COLUMN_FACTORS].value[i] = Int32GetDatum(version->factors);
}

/* A column as an array. */
static Datum
ColumnArray(const Column *column, int n)
{
	int			dimensions[1] = {n};
	int			bounds[1] = {1};
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(column->type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(column->value, column->isnull, 1, dimensions, bounds, column->type,
											  length, by_value, align));
}

/* An error where a name that a tenant's model would have is that of a model that is none of the family's. */
static void
CheckNames(const Model *family, Datum names)
{
	Oid			types[2] = {TEXTOID, TEXTARRAYOID};
	Datum		values[2] = {CStringGetTextDatum(family->name), names};
	bool		isnull;

	(void) OwnerSql("SELECT 1 FROM mfrec.model WHERE name OPERATOR(pg_catalog.=) ANY ($2)"
					" AND (family IS NULL OR family OPERATOR(pg_catalog.<>) $1) LIMIT 1", 2, types, values, NULL, &isnull);
	if (!isnull)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("a model of the name of a tenant of \"%s\" already exists", family->name),
				 errdetail("Models of tenants are called \"%s/\" and the tenant.", family->name),
				 errhint("Drop that model with mf_drop, or train with another name in the argument model.")));
}

#define ENTER_VERSIONS \
	"INSERT INTO mfrec.model_version (model, version, image, feedback, factors, users, items," \
	" ratings, iterations, loss, rmse, seconds, trained_at, parameters)" \
	" SELECT t.name, t.version, t.image, $16, t.factors, t.users, t.items, t.ratings, t.iterations, t.loss, t.rmse," \
	" t.seconds, pg_catalog.clock_timestamp(), t.parameters::pg_catalog.jsonb OPERATOR(pg_catalog.||)" \
	" pg_catalog.jsonb_strip_nulls(pg_catalog.jsonb_build_object('" READ_UNTIL "', t.read_until)) FROM " TENANTS

#define ENTER_MODELS \
	"INSERT INTO mfrec.model AS m (name, is_default, version, schema, user_table, item_table, source_schema, source, fresh," \
	" parameters, owner, family, tenant)" \
	" SELECT t.name, false, t.version, $17, $18, $19, $20, $21, $22, t.arguments::pg_catalog.jsonb, $23, $24, t.tenant" \
	" FROM " TENANTS " ON CONFLICT (name) DO UPDATE SET version = excluded.version, schema = excluded.schema," \
	" user_table = excluded.user_table, item_table = excluded.item_table, source_schema = excluded.source_schema," \
	" source = excluded.source, fresh = excluded.fresh, parameters = excluded.parameters, owner = excluded.owner"

#define TENANTS \
	"ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3), pg_catalog.unnest($4)," \
	" pg_catalog.unnest($5), pg_catalog.unnest($6), pg_catalog.unnest($7), pg_catalog.unnest($8), pg_catalog.unnest($9)," \
	" pg_catalog.unnest($10), pg_catalog.unnest($11), pg_catalog.unnest($12), pg_catalog.unnest($13)," \
	" pg_catalog.unnest($14), pg_catalog.unnest($15))" \
	" AS t (name, tenant, arguments, version, image, users, items, ratings, iterations, loss, rmse, seconds, parameters," \
	" read_until, factors)"

#define SHARED 9				/* parameters behind those of columns: what tenants have in common */

/* The parameters of both statements above that all tenants have in common. */
static void
FillShared(const Model *family, const char *feedback, Oid *types, Datum *values)
{
	for (int i = 0; i < SHARED; i++)
		types[i] = TEXTOID;
	types[6] = BOOLOID;
	values[0] = CStringGetTextDatum(feedback);
	values[1] = CStringGetTextDatum(family->schema);
	values[2] = CStringGetTextDatum(family->user_table);
	values[3] = CStringGetTextDatum(family->item_table);
	values[4] = CStringGetTextDatum(family->source_schema);
	values[5] = CStringGetTextDatum(family->source);
	values[6] = BoolGetDatum(family->fresh);
	values[7] = CStringGetTextDatum(family->owner);
	values[8] = CStringGetTextDatum(family->name);
}

/*
 * Enters n versions of tenants' models, which serve from now on, and these where they are new.  All are of one kind of
 * feedback; family says what else they have in common, the owner too.
 */
void
EnterTenants(const Model *family, const TenantVersion *tenants, int n)
{
	Oid			types[COLUMNS + SHARED];
	Datum		values[COLUMNS + SHARED];
	Column		columns[COLUMNS];

	if (n == 0)
		return;
	for (int c = 0; c < COLUMNS; c++)
		columns[c] = (Column) {column_types[c], palloc(sizeof(Datum) * n), palloc0(sizeof(bool) * n)};
	for (int i = 0; i < n; i++)
		FillColumns(columns, i, &tenants[i]);
	for (int c = 0; c < COLUMNS; c++)
	{
		types[c] = get_array_type(column_types[c]);
		values[c] = ColumnArray(&columns[c], n);
	}
	FillShared(family, tenants[0].version.feedback, types + COLUMNS, values + COLUMNS);
	CheckNames(family, values[COLUMN_NAME]);
	OwnerSqlRows(family->name, ENTER_VERSIONS, COLUMNS + SHARED, types, values, NULL, NULL, NULL);
	OwnerSqlRows(family->name, ENTER_MODELS, COLUMNS + SHARED, types, values, NULL, NULL, NULL);
}

/* Takes an integer more; an OwnerRowFunction. */
static void
TakeRemoved(void *state, HeapTuple tuple, TupleDesc desc)
{
	RemovedVersions *removed = state;
	bool		isnull;

	if (removed->n == removed->room)
	{
		removed->room = Max(64, 2 * removed->room);
		removed->version = removed->version ? repalloc(removed->version, sizeof(Datum) * removed->room) :
			MemoryContextAlloc(removed->context, sizeof(Datum) * removed->room);
	}
	removed->version[removed->n++] = SPI_getbinval(tuple, desc, 1, &isnull);
}

/*
 * Removes the bookkeeping of the older versions of n models of a family, of which the newest `keep` remain, and with
 * keep_served those that serve.  Returns their numbers: no other model of the family has them.
 */
RemovedVersions *
RemoveTenantVersions(const char *family, char *const *models, int n, int keep, bool keep_served)
{
	RemovedVersions *removed = palloc0(sizeof(RemovedVersions));
	Oid			types[3] = {TEXTARRAYOID, INT4OID, BOOLOID};
	Datum		values[3] = {TextArray(models, n), Int32GetDatum(keep), BoolGetDatum(keep_served)};

	removed->context = CurrentMemoryContext;
	/* one look into the index for each name: a join of thousands of names with all versions could be planned as a product */
	OwnerSqlRows(family, "DELETE FROM mfrec.model_version v USING (SELECT o.model, o.version FROM pg_catalog.unnest($1) n (name),"
				 " LATERAL (SELECT i.model, i.version FROM mfrec.model_version i WHERE i.model OPERATOR(pg_catalog.=) n.name"
				 " ORDER BY i.version DESC OFFSET $2) o) r"
				 " WHERE v.model OPERATOR(pg_catalog.=) r.model AND v.version OPERATOR(pg_catalog.=) r.version"
				 " AND (NOT $3 OR v.version OPERATOR(pg_catalog.<>)"
				 " (SELECT m.version FROM mfrec.model m WHERE m.name OPERATOR(pg_catalog.=) v.model))"
				 " RETURNING v.version",
				 3, types, values, NULL, TakeRemoved, removed);
	if (removed->n > 0)
	{
		types[1] = INT4ARRAYOID;
		values[1] = PointerGetDatum(construct_array(removed->version, removed->n, INT4OID, sizeof(int32), true,
													TYPALIGN_INT));
		OwnerSqlRows(family, "DELETE FROM mfrec.training_log WHERE model OPERATOR(pg_catalog.=) ANY ($1)"
					 " AND version OPERATOR(pg_catalog.=) ANY ($2)", 2, types, values, NULL, NULL, NULL);
	}
	return removed;
}

/* Has all models of a family say what its own row says of source and tables, as after mf_relink. */
void
UpdateFamily(const Model *family)
{
	Oid			types[7] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, BOOLOID};
	Datum		values[7] = {CStringGetTextDatum(family->name), CStringGetTextDatum(family->schema),
		CStringGetTextDatum(family->user_table), CStringGetTextDatum(family->item_table),
	CStringGetTextDatum(family->source_schema), CStringGetTextDatum(family->source), BoolGetDatum(family->fresh)};

	OwnerSqlRows(family->name, "UPDATE mfrec.model SET schema = $2, user_table = $3, item_table = $4, source_schema = $5,"
				 " source = $6, fresh = $7, owner = (SELECT f.owner FROM mfrec.model f WHERE f.name OPERATOR(pg_catalog.=) $1)"
				 " WHERE family OPERATOR(pg_catalog.=) $1", 7, types, values, NULL, NULL, NULL);
}

/* A statement with the family's name as its one parameter. */
static void
FamilySql(const char *sql, const char *family, OwnerRowFunction function, void *state)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(family)};

	OwnerSqlRows(family, sql, 1, types, values, NULL, function, state);
}

#define MODELS_OF_FAMILY \
	"(SELECT name FROM mfrec.model WHERE family OPERATOR(pg_catalog.=) $1)"

/* Gives all versions of a family new identities: RenewVersionImages(). */
void
RenewFamilyImages(const char *family)
{
	FamilySql("UPDATE mfrec.model_version SET image = pg_catalog.gen_random_uuid()"
			  " WHERE model OPERATOR(pg_catalog.=) ANY (ARRAY" MODELS_OF_FAMILY ")", family, NULL, NULL);
	FamilySql("UPDATE mfrec.model SET version = version WHERE family OPERATOR(pg_catalog.=) $1", family, NULL, NULL);
}

/* Removes all bookkeeping of a family and its tenants. */
void
DeleteFamily(const char *family)
{
	FamilySql("DELETE FROM mfrec.training_log WHERE model OPERATOR(pg_catalog.=) ANY (ARRAY" MODELS_OF_FAMILY ")",
			  family, NULL, NULL);
	FamilySql("DELETE FROM mfrec.model_version WHERE model OPERATOR(pg_catalog.=) ANY (ARRAY" MODELS_OF_FAMILY ")",
			  family, NULL, NULL);
	FamilySql("DELETE FROM mfrec.model WHERE family OPERATOR(pg_catalog.=) $1", family, NULL, NULL);
}

/* Names, or whatever texts a statement returns, and an integer behind the first of them. */
typedef struct Names
{
	MemoryContext context;
	char	  **name;
	int			n;
	int			room;
	int32		number;
} Names;

/* Takes a name more; an OwnerRowFunction. */
static void
TakeName(void *state, HeapTuple tuple, TupleDesc desc)
{
	Names	   *names = state;
	MemoryContext old = MemoryContextSwitchTo(names->context);
	bool		isnull;

	if (names->n == names->room)
	{
		names->room = Max(64, 2 * names->room);
		names->name = names->name ? repalloc(names->name, sizeof(char *) * names->room) :
			palloc(sizeof(char *) * names->room);
	}
	if (names->n == 0 && desc->natts > 1)
		names->number = DatumGetInt32(SPI_getbinval(tuple, desc, 2, &isnull));
	names->name[names->n++] = TextDatumGetCString(SPI_getbinval(tuple, desc, 1, &isnull));
	MemoryContextSwitchTo(old);
}

/* Some tenant of a family that has a model, and the version that it is at; NULL: there is none. */
char *
AnyTenant(const char *family, int32 *version)
{
	Names		names = {.context = CurrentMemoryContext};

	FamilySql("SELECT tenant, version FROM mfrec.model WHERE family OPERATOR(pg_catalog.=) $1 AND tenant IS NOT NULL"
			  " ORDER BY version DESC LIMIT 1", family, TakeName, &names);
	*version = names.number;
	return names.n > 0 ? names.name[0] : NULL;
}

/* The names of all models of a family, of which there are *n. */
char **
FamilyModels(const char *family, int *n)
{
	Names		names = {.context = CurrentMemoryContext};

	FamilySql("SELECT name FROM mfrec.model WHERE family OPERATOR(pg_catalog.=) $1 AND tenant IS NOT NULL",
			  family, TakeName, &names);
	*n = names.n;
	return names.name;
}
