/*
 * tune_start.h - vectors of a training, kept so that others go on from them.
 */
#ifndef MFREC_TUNE_START_H
#define MFREC_TUNE_START_H

#include "storage/buffile.h"
#include "train/training.h"

typedef struct StartVectors
{
	BufFile    *file;			/* NULL: there are none */
	int			shared;			/* dimensions of both parts, */
	int			own;			/* and of ratings alone behind them */
	int64		nusers;
	int64		nitems;
} StartVectors;

extern void KeepVectors(StartVectors *start, const Training *training);
extern bool TakeVectors(const StartVectors *start, Training *training);
extern void DropVectors(StartVectors *start);

#endif
