/*
 * plan_scans.h - what a plan reads that the planner's costs tell little about.
 */
#ifndef MFREC_PLAN_SCANS_H
#define MFREC_PLAN_SCANS_H

#include "nodes/plannodes.h"

/* Kinds of such scans, as a set of bits. */
#define SCANS_FOREIGN 1			/* foreign tables */
#define SCANS_CUSTOM 2			/* what another extension reads in its own way */
#define SCANS_STORAGE 4			/* all rows of a table that is not stored as a heap */
#define SCANS_FUNCTION 8		/* what a function returns that is not PostgreSQL's own */

extern int	PlanScans(const PlannedStmt *statement);

#endif
