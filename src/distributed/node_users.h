/*
 * node_users.h - a node's users as the driver asks for some of them: by their numbers among those of all nodes.
 */
#ifndef MFREC_NODE_USERS_H
#define MFREC_NODE_USERS_H

#include "distributed/node_answer.h"

extern void BeginUserIds(NodeAnswer *answer);
extern void ReceiveUserOrder(NodeState *state, const ChunkHeader *header, const char *data, Size bytes);
extern bytea *NextOfUsers(NodeAnswer *answer, Channel channel, const void *values, int bits);
extern void BeginCounts(NodeAnswer *answer);
extern void BeginCells(NodeAnswer *answer);
extern void BeginVectors(NodeAnswer *answer);
extern void BeginLeaveOut(NodeAnswer *answer);
extern void LeaveUsersOut(NodeState *state, MfRows *rows);
extern void PutCells(char *to, const MfRows *rows, int64 first, int64 n);
extern bool NextChosen(NodeAnswer *answer, ChosenUser *chosen);

#endif
