/*
 * objective_json.h - a version's objective on its way through mfrec.model_version.parameters.
 */
#ifndef MFREC_OBJECTIVE_JSON_H
#define MFREC_OBJECTIVE_JSON_H

#include "core/als/objective.h"
#include "utils/jsonb.h"

extern char *ObjectiveToJson(const MfObjective *objective, const float *mean_user, double mean_bias);
extern void ObjectiveFromJson(MfObjective *objective, Jsonb *json);
extern float *MeanUserFromJson(Jsonb *json, int factors, double *mean_bias);

#endif
