/*
 * item_encode.h - vectors of items, or of users, that came after the training, from their attributes.
 */
#ifndef MFREC_ITEM_ENCODE_H
#define MFREC_ITEM_ENCODE_H

#include "core/als/objective.h"
#include "features/feature_source.h"
#include "ids/id_map.h"
#include "model/model_catalog.h"

/*
 * What rows of items, or of users, are read from and encoded by: the relation of attributes, and a version's table of
 * features.
 */
typedef struct ItemEncoder
{
	FeatureSource source;
	Oid			table;
	int32		version;
	MfObjective objective;
	float	   *cold_shift;		/* d: what is added to the interest in cold items */
} ItemEncoder;

/*
 * Items that have a row in the relation, by ascending id, as the table of items has cold ones: vectors have d floats,
 * and mf_padded(d) from one to the next.  Of users it is how far they are from the mean user.
 */
typedef struct EncodedItems
{
	IdMap	   *ids;
	float	   *vectors;		/* s_i, or q_i in a model of ratings alone */
	float	   *rating_vectors; /* q_i; NULL unless there are both parts, and of users */
	float	   *bias;
} EncodedItems;

extern bool OpenAttributes(FeatureSource *source, const FeatureSide *side, const Model *model, Jsonb *parameters,
						   const IdType *items);
extern bool OpenEncoder(ItemEncoder *encoder, const FeatureSide *side, const Model *model, int32 version,
						const IdType *items);
extern void EncodeItems(const ItemEncoder *encoder, const int64 *ids, int n, bool read_only, EncodedItems *items);
extern void RoundEncodedItems(const ItemEncoder *encoder, EncodedItems *items);

#endif
