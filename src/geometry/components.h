/*
 * components.h - principal components of vectors, and where each of these lies along them.
 */
#ifndef MFREC_COMPONENTS_H
#define MFREC_COMPONENTS_H

#include "geometry/vector_set.h"

/* The first n components of a set's vectors. */
typedef struct Components
{
	int			n;
	double	   *variance;		/* n, descending */
	double		total;			/* of all components; 0 where all vectors are alike */
	float	   *coordinates;	/* set->n x n */
} Components;

extern void FindComponents(VectorSet *set, int n, Components *components);
extern double ShareOf(const Components *components, int first, int count);

#endif
