/*
 * error.h - what a function of the core can answer.
 */
#ifndef MF_ERROR_H
#define MF_ERROR_H

/* MF_OK, or why there is no result. */
typedef enum MfError
{
	MF_OK = 0,
	MF_CANCELLED,				/* cancellation was requested; outputs are incomplete */
	MF_NOT_FINITE,				/* a result overflowed to infinity or NaN */
	MF_NO_LAPACK				/* this machine has no library with LAPACK */
} MfError;

#endif
