/*
 * vectors_read.h - vectors of factors in a relation of the user's: found, checked, read.
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

/*
 * One side's vectors, users x factors or items x factors: row i belongs to id i of the dictionary.  The first
 * fields are OpenVectors()'s, the others ReadVectors()'s.
 */
typedef struct Vectors
{
	const char *side;			/* "user" or "item" */
	char	   *schema;
	char	   *name;			/* of the relation */
	const VectorColumns *columns;
	IdType		id_type;
	Oid			element_type;	/* of the arrays: float4 or float8 */
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

extern void OpenVectors(Vectors *v, const char *side, Oid relid, const VectorColumns *columns);
extern void ReadVectors(Vectors *v, int factors, int64 other_bytes);
extern int64 VectorBytes(const Vectors *v);

#endif
