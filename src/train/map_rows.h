/*
 * map_rows.h - the map from features to factors as rows of a model's table: stored, and taken over by the next training.
 */
#ifndef MFREC_MAP_ROWS_H
#define MFREC_MAP_ROWS_H

#include "model/feature_table.h"
#include "model/objective_json.h"
#include "train/training.h"

extern void MapRows(const Training *t, FeatureRows *rows);
extern void MapParameters(const Training *t, const char *text_configuration, MapSummary *summary);
extern void TakeMap(Training *t, Oid relid, int32 version);

#endif
