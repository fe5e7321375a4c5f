/*
 * node_profiles.h - what a node knows of its users beside their ratings, and the points that they are drawn to.
 */
#ifndef MFREC_NODE_PROFILES_H
#define MFREC_NODE_PROFILES_H

#include "distributed/node_answer.h"
#include "model/factor_rows.h"

extern void ReceiveProfileOwners(NodeState *state, const ChunkHeader *header, const char *data, Size bytes);
extern void ReceiveProfileIds(NodeState *state, const ChunkHeader *header, const char *data, Size bytes);
extern void AppendProfiles(NodeState *state);
extern void BeginProfiles(NodeAnswer *answer);
extern void ReceiveUserFeatures(NodeState *state, const ChunkHeader *header, const char *data, Size bytes);
extern void ReceiveMap(NodeState *state, const ChunkHeader *header, const char *data, Size bytes);
extern void DrawUsersOfNode(NodeState *state, bool drawn, const float *mean);
extern void PutProfiles(NodeState *state, float mean_bias, FactorRows *rows);
extern void FreeProfiles(NodeState *state);

#endif
