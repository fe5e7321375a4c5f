/*
 * factor_rows.h - rows of the model tables: stored in bulk, deleted, read back.
 */
#ifndef MFREC_FACTOR_ROWS_H
#define MFREC_FACTOR_ROWS_H

#include "core/als/problem.h"
#include "ids/id_map.h"
#include "model/factor_columns.h"
#include "model/seen_rows.h"

/*
 * The least absolute value of a stored number that is not 0: the product of two of them is a float (FLT_MIN is
 * 1.2e-38).
 */
#define TINY_FACTOR 1.2e-19f

/*
 * One side of a model's factors on the way into its table; row i of each array belongs to ids[i].  With n ids,
 * vectors are n x mf_padded(d), other arrays have n elements.  Nothing here is freed by storing.
 */
typedef struct FactorRows
{
	IdMap	   *ids;
	int			factors;		/* d */
	const int32 *counts;		/* ratings per row */
	const float *bias;			/* NULL: stored as 0 */
	const float *spread;		/* of users with ratings, who come first; others', or of NULL all: stored as null */
	const float *vectors;		/* what lists use */
	const float *rating_vectors;	/* q_i of the joint model; NULL: stored as null */
	const int64 *fingerprints;	/* of the first `nfingerprints` rows, 0: none; others', or of NULL all: stored as
								 * null */
	int64		nfingerprints;
	const int32 *numbers;		/* of items: by which users' rows name them; NULL: stored as null */
	const float *trends;		/* of items, their faded counts; NULL, and where there are no ratings: stored as null */
	const float *priors;		/* what attributes make of them, in the first `shared` dimensions; NULL: all null */
	const bool *has_prior;		/* n: others' are stored as null; NULL: all have vectors */
	int			shared;
	int64		rated;			/* with has_prior: the first so many have vectors, those behind them only with a
								 * prior */
	SeenRows   *seen;			/* of users: what they have, also the unknown ones; NULL: stored as null */
	const int32 *chosen;		/* nchosen: which of the rows, counted through ids and unknown, are stored, ascending;
								 * NULL: all */
	int64		nchosen;
	const IdMap *unknown;		/* users without a vector, behind those of ids; NULL: none */
	const char *tenant;			/* whose they are, in a table that a family shares; else NULL */
} FactorRows;

/* One side of several versions, on the way into a table that they share. */
typedef struct VersionSide
{
	int32		version;
	const FactorRows *rows;
} VersionSide;

/* One stored row, which lives until its receiver returns. */
typedef struct StoredRow
{
	int64		id;
	int32		count;			/* ratings in the training */
	float		bias;
	float		spread;			/* of a user; 1 where it is null */
	int			factors;		/* d; 0: of this user nothing is known but what they have */
	const float *vector;		/* d floats */
	const float *rating_vector; /* d floats; NULL: there is none */
	const float *prior;			/* d floats, of an item where they were asked for; NULL: there is none */
	Datum		seen;			/* of a user, where it was asked for: a bytea, see core/base/seen.h; 0: it is not
								 * known */
	int32		number;			/* of an item: the number by which seen means it; negative: none */
	int64		fingerprint;	/* of the rows that it was made from, where it was asked for; 0: not known, or none */
	float		trend;			/* of an item, its faded count, where it was asked for; NaN: null */
} StoredRow;

/* What is read of rows only where it is asked for. */
#define READ_SEEN 1
#define READ_PRIOR 2
#define READ_FINGERPRINTS 4
#define READ_TRENDS 8

/* Takes one row after the other, in no particular order. */
typedef void (*StoredRowFunction) (void *state, const StoredRow *row);

/* Vectors as the tables have them. */
extern Datum MakeVector(const float *values, int d);
extern const float *VectorValues(Datum datum, bool isnull, bool may_be_empty, int *count);

extern void StoreFactors(Oid relid, const char *id_column, int32 version, const FactorRows *rows, bool with_seen);
extern void StoreVersions(Oid relid, const char *id_column, const VersionSide *sides, int n, bool with_seen);
extern void DeleteVersions(Oid relid, const Datum *versions, int n);
extern void CopyItemRow(const StoredRow *row, int64 item, const MfFactors *factors);
extern void DropTiny(float *values, int64 count);
extern bool HasVersionRows(Oid relid, const char *id_column, int32 version, bool read_only);
extern void DeleteVersionsBefore(Oid relid, int32 version, int32 except);
extern int64 DeleteVersionRows(Oid relid, const char *id_column, int32 version, const IdType *idtype, const Datum *ids, int n);
extern int64 DeleteFactorRows(Oid relid, const char *id_column, const IdType *idtype, int64 id, const char *tenant,
							  List **versions);
extern int64 ReadFactors(Oid relid, const char *id_column, int32 version, const IdType *idtype, int options,
						 StoredRowFunction function, void *state);
extern void ReadFactorsOf(Oid relid, const char *id_column, int32 version, const IdType *idtype, int64 id, int options,
						  StoredRowFunction function, void *state);

#endif
