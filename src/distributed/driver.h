/*
 * driver.h - a training on the nodes where the ratings lie, as the session sees it that was called.
 */
#ifndef MFREC_DRIVER_H
#define MFREC_DRIVER_H

#include "core/als/als.h"
#include "distributed/node_protocol.h"
#include "source/source.h"

/*
 * Driver of a training on several nodes.  Calls come in this order: BeginNodeSettings(), OpenDriver(), ReadOnNodes(),
 * StateOnNodes(), half-sweeps of users and items, StoreOnNodes(), CloseDriver().
 */
typedef struct Driver Driver;

extern char *WhyNotDistributed(const Source *source);
extern bool IsLargeDistributed(const Source *source);
extern int	BeginNodeSettings(void);
extern Driver *OpenDriver(const Source *source, Oid user_relid, int32 version, int settings);
extern Ratings *ReadOnNodes(Driver *driver, double half_life, int32 **item_counts);
extern void StateOnNodes(Driver *driver, const MfObjective *objective, const MfProblem *problem, const int32 *item_counts);
extern bool NodesHaveWeights(const Driver *driver);
extern double SweepUsersOnNodes(Driver *driver, const MfProblem *problem, const MfFactors *factors, bool exact);
extern double SweepItemsBySums(Driver *driver, const MfProblem *problem, MfAls *als, const int32 *item_counts,
							   bool exact);
extern void MeanUserOfNodes(const Driver *driver, const MfProblem *problem, float *mean);
extern double MeanBiasOfNodes(const Driver *driver);
extern double SquaredErrorsOfNodes(Driver *driver, const MfProblem *problem, const MfFactors *factors);
extern int64 StoreOnNodes(Driver *driver, bool with_seen);
extern void CloseDriver(Driver *driver);

/* What sends chunks of a driver of this session to nodes, while a query that it runs asks for them. */
typedef struct Sending Sending;

extern Sending *FindSending(int64 job);
extern bytea *NextSent(Sending *sending);

#endif
