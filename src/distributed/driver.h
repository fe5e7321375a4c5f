/*
 * driver.h - a training on the nodes where the ratings lie, as the session sees it that was called.
 */
#ifndef MFREC_DRIVER_H
#define MFREC_DRIVER_H

#include "core/als/als.h"
#include "core/metrics/ranking.h"
#include "distributed/node_protocol.h"
#include "model/factor_rows.h"
#include "source/source.h"
#include "validate/validation.h"

/*
 * Driver of a training on several nodes.  Calls come in this order: BeginNodeSettings(), OpenDriver(), TakeOnNodes(),
 * RankUsersOnNodes() and SendUserOrder() where some users will be asked for, and SendProfiles() where there are
 * attributes of users, SortOnNodes(), StateOnNodes(), likewise SendUserFeatures(), half-sweeps of users and items,
 * StoreItemsOnNodes(), StoreOnNodes(), CloseDriver().  Where PlanItems() says so, TakeItemCells() comes behind StateOnNodes(),
 * TakeUserVectors() before each half-sweep of items, and these are as on one node.  From ServedUsersOnNodes() to
 * TrainedUsersOnNodes() a stored version is measured, and nothing else is asked for than users' vectors and errors on
 * rows held out.
 */
typedef struct Driver Driver;

/* Some users, as their nodes have them. */
typedef struct UserRows
{
	int64		count;
	float	   *vector;			/* count x mf_padded(d) */
	float	   *bias;			/* count; 0 without biases */
	int32	   *likes;			/* count: as regularization goes by them, where their cells were asked for */
	MfRows		cells;			/* a row of each, likewise */
} UserRows;

extern char *WhyNotDistributed(const Source *source, Oid user_relid);
extern bool IsLargeDistributed(const Source *source);
extern int	BeginNodeSettings(void);
extern Driver *OpenDriver(const Source *source, Oid user_relid, int32 version, int settings);
extern Ratings *TakeOnNodes(Driver *driver, const char *model, double half_life);
extern void SortOnNodes(Driver *driver, Holdout holdout, int32 **item_counts);
extern void RankUsersOnNodes(Driver *driver, IdMap *ids);
extern void SendUserOrder(Driver *driver);
extern void SendProfiles(Driver *driver, const IdMap *users);
extern void SendUserFeatures(Driver *driver, Cells *cells, int64 nfeatures);
extern void DrawUsersOnNodes(Driver *driver, const MfProblem *problem, const float *map, const float *scale, const float *mean);
extern int64 UsersOfNodes(const Driver *driver);
extern void ReadUsers(Driver *driver, const MfProblem *problem, const int64 *places, int64 n, bool cells, UserRows *users);
extern void LeaveUsersOutOnNodes(Driver *driver, const int64 *places, int64 n);
extern void UsersOfCells(Driver *driver, const int64 *cell, int64 n, int64 *places);
extern void StateOnNodes(Driver *driver, const MfObjective *objective, const MfProblem *problem, const int32 *item_counts);
extern bool NodesHaveWeights(const Driver *driver);
extern bool PlanItems(Driver *driver, const MfProblem *problem, const Ratings *ratings, bool vectors);
extern bool ItemsAreHere(const Driver *driver);
extern int32 *TakeItemCells(Driver *driver, const int32 *item_counts, Ratings *ratings);
extern void TakeUserVectors(Driver *driver, const MfProblem *problem, const MfFactors *factors);
extern double SweepUsersOnNodes(Driver *driver, const MfProblem *problem, const MfFactors *factors, bool exact);
extern double SweepItemsBySums(Driver *driver, const MfProblem *problem, MfAls *als, const int32 *item_counts,
							   bool exact);
extern void SetGainOfNodes(Driver *driver, double gain);
extern void MeanUserOfNodes(const Driver *driver, const MfProblem *problem, float *mean);
extern int64 HeldOutOnNodes(const Driver *driver);
extern void DrawHeldOutOnNodes(Driver *driver, int64 most_users, ValidationSample *sample);
extern void ReadHeldOutUsers(Driver *driver, const MfProblem *problem, const ValidationSample *sample, float *vectors);
extern void HeldOutErrorsOfNodes(Driver *driver, double *group, MfErrorSums *sums);
extern int64 ServedUsersOnNodes(Driver *driver, int32 version, const ServedFactors *served);
extern void TrainedUsersOnNodes(Driver *driver);
extern double ItemsLossOfNodes(const Driver *driver);
extern double MeanBiasOfNodes(const Driver *driver);
extern double SquaredErrorsOfNodes(Driver *driver, const MfProblem *problem, const MfFactors *factors);
extern bool StoreItemsOnNodes(Driver *driver, Oid relid, const MfProblem *problem, const MfFactors *factors,
							  const FactorRows *rows, bool with_seen);
extern int64 StoreOnNodes(Driver *driver, bool with_seen, float mean_bias);
extern void CloseDriver(Driver *driver);

/* What sends chunks of a driver of this session to nodes, while a query that it runs asks for them. */
typedef struct Sending Sending;

extern Sending *FindSending(int64 job);
extern bytea *NextSent(Sending *sending);

#endif
