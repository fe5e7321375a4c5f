/*
 * shared_source.h - what parallel workers must know of a source, as bytes.
 */
#ifndef MFREC_SHARED_SOURCE_H
#define MFREC_SHARED_SOURCE_H

#include "source/source.h"

extern Size PackedSourceSize(const Source *source);
extern void PackSource(const Source *source, char *packed);
extern void UnpackSource(Source *source, const char *packed);

#endif
