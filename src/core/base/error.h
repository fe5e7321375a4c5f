/*
 * error.h - what a function of the core can answer.
 */
#ifndef MF_ERROR_H
#define MF_ERROR_H

typedef enum MfError
{
	MF_OK = 0,
	MF_CANCELLED,				/* the cancel flag was seen; outputs are incomplete */
	MF_NOT_FINITE,				/* a result overflowed to infinity or NaN */
	MF_NO_LAPACK				/* this machine has no library with LAPACK */
} MfError;

#endif
