/*
 * vectors_read.h - vectors in a relation of the user's: found, checked, read.
 */
#ifndef MFREC_VECTORS_READ_H
#define MFREC_VECTORS_READ_H

#include "ids/id_map.h"

/* Names of columns: the arguments id_column, factors_column, bias_column and ratings_column of mf_import. */
typedef struct VectorColumns
{
	char	   *id;
	char	   *factors;
	char	   *bias;			/* NULL: none */
	char	   *ratings;		/* NULL: none */
} VectorColumns;

/* What vectors are read for: what messages say, and what is refused. */
typedef struct VectorPurpose
{
	const char *side;			/* "user" or "item", or what else the id is of */
	const char *refusal;		/* see OpenRows() */
	const char *hint;
	const char *argument;		/* that names the column of vectors */
	const char *length;			/* the message about vectors of different lengths, */
	const char *length_hint;	/* and what to do */
	int			most;			/* numbers that a vector may have */
	bool		read_only;		/* see RunQuery() */
} VectorPurpose;

/*
 * One side's vectors, users x factors or items x factors: row i belongs to id i of the dictionary.  The first
 * fields are OpenVectors()'s, the others ReadVectors()'s.
 */
typedef struct Vectors
{
	const VectorPurpose *purpose;
	char	   *schema;
	char	   *name;			/* of the relation */
	const VectorColumns *columns;
	IdType		id_type;
	Oid			element_type;	/* of the arrays: float4 or float8 */
	bool		cast;			/* the column is of another type, which has a cast to real[] */
	Oid			bias_type;		/* InvalidOid: there is no such column */
	Oid			ratings_type;
	IdMap	   *ids;
	int			factors;		/* 0 until a row has said it */
	int64		capacity;
	float	   *vector;			/* rows of mf_padded(factors) floats */
	float	   *bias;
	int32	   *count;			/* ratings; 0 without such a column */
	int64		other_bytes;	/* that the other side takes */
	MemoryContext context;		/* of the arrays */
	MemoryContext row;			/* emptied after each row */
} Vectors;

extern void OpenVectors(Vectors *v, const VectorPurpose *purpose, Oid relid, const VectorColumns *columns);
extern void ReadVectors(Vectors *v, int factors, int64 other_bytes);
extern int64 VectorBytes(const Vectors *v);

#endif
