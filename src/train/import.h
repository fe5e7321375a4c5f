/*
 * import.h - from factors that were trained elsewhere to a new version of a model.
 */
#ifndef MFREC_IMPORT_H
#define MFREC_IMPORT_H

#include "model/model_write.h"
#include "read/vectors_read.h"
#include "train/train_options.h"

/* What mf_import was asked for; a number that was not given is NaN. */
typedef struct ImportRequest
{
	char	   *model;
	Oid			users;
	Oid			items;
	VectorColumns columns;
	Oid			source;			/* InvalidOid: none */
	TrainOptions options;		/* feedback, columns of the source, regularization and alpha */
	double		regularization_exponent;
	double		mean;
	bool		value_is_confidence;	/* an observed cell weighs alpha * value, rather than 1 more */
	char	   *schema;			/* of new model tables; NULL: that of the users' vectors */
} ImportRequest;

extern char *Import(const ImportRequest *request, ModelVersion *result);

#endif
