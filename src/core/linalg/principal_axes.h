/*
 * principal_axes.h - an orthonormal basis whose leading directions carry most of a set of vectors.
 */
#ifndef MF_PRINCIPAL_AXES_H
#define MF_PRINCIPAL_AXES_H

#include <stddef.h>

extern size_t mf_axes_size(int d);
extern void mf_axes_find(float *axes, const float *gram, int d, void *workspace);
extern void mf_axes_mix(float *axes, int n, int ld, void *workspace);

#endif
