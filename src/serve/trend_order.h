/*
 * trend_order.h - what is popular of late, by the current rows and any half-life.
 */
#ifndef MFREC_TREND_ORDER_H
#define MFREC_TREND_ORDER_H

#include "serve/recommender.h"

extern ItemOrder TrendOrder(const Recommender *r, double half_life);

#endif
