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
#define SCANS_WHOLE 16			/* all rows of a table: the planner knows what that costs */

extern int	PlanScans(const PlannedStmt *statement);
extern bool FindsByIndex(const char *sql, Oid type);

#endif
