/*
 * als_loop.h - alternating least squares over ratings that have been read: factors, half-sweeps, iterations.
 */
#ifndef MFREC_ALS_LOOP_H
#define MFREC_ALS_LOOP_H

#include "train/training.h"

extern double SecondsSince(instr_time began);
extern void StartFactors(Training *t);
extern MfAls *CreateSolver(const Training *t);
extern double HalfSweep(Training *t, MfSide side, bool exact);
extern void UpdateMeanUser(Training *t);
extern void RunSweeps(Training *t);
extern void DropTinyFactors(Training *t);
extern double MeanBias(const Training *t);
extern double RatingError(const Training *t);

#endif
