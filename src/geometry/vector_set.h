/*
 * vector_set.h - vectors whose geometry is asked for: of a model's items or users, or of a relation.
 */
#ifndef MFREC_VECTOR_SET_H
#define MFREC_VECTOR_SET_H

#include "core/base/threads.h"
#include "ids/id_type.h"
#include "serve/recommender.h"

/* The most numbers that vectors of a relation may have: embeddings of today have 1536. */
#define MOST_DIMENSIONS 2000

/* Whose vectors. */
typedef enum VectorSide
{
	SIDE_ITEMS,
	SIDE_USERS,
	SIDE_RELATION
} VectorSide;

/* Vectors in the order of their ids, which are of the type *id_type.  All is in the memory context of Load...(). */
typedef struct VectorSet
{
	MfParallel	parallel;
	VectorSide	side;
	const char *name;			/* of the model or the relation */
	const IdType *id_type;
	int64		n;				/* at least 1 */
	int			d;
	float	   *vectors;		/* n x mf_padded(d), 64-byte aligned */
	int64	   *ids;			/* n */
	int32	   *counts;			/* n: ratings in the training; NULL of a relation */
	int64		bytes;			/* that these take */
} VectorSet;

extern const char *SideName(VectorSide side);
extern void LoadModelVectors(const Recommender *r, VectorSide side, VectorSet *set);
extern void KeepPopular(VectorSet *set, int64 most);
extern void LoadRelationVectors(Oid relid, char *vector_column, char *id_column, VectorSet *set);
extern void CheckSetMemory(const VectorSet *set, int64 more);

#endif
