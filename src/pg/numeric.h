/*
 * numeric.h - values of type numeric as numbers that the machine has.
 */
#ifndef MFREC_NUMERIC_H
#define MFREC_NUMERIC_H

extern double DoubleOfNumeric(Datum value);

#endif
