/*
 * variants.c - the variants of an experiment and their weights, as SQL passes them, and who gets which.
 *
 * Who gets which is decided in core/metrics/variant.c, by hashes as in holdout_split.c.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "utils/builtins.h"
#include "utils/numeric.h"

#include "compat.h"
#include "core/metrics/holdout.h"
#include "core/metrics/variant.h"
#include "eval/variants.h"

#define VARIANTS_HINT "Write variants => '{\"ratings\": 90, \"challenger\": 10}': the weight of each by its name."

/* What a value of jsonb is, as JSON calls it; objects and arrays come as jbvBinary. */
static const char *
JsonKind(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNull:
			return "null";
		case jbvString:
			return "a string";
		case jbvBool:
			return "a boolean";
		case jbvNumeric:
			return "a number";
		default:
			return JsonContainerIsArray(value->val.binary.data) ? "an array" : "an object";
	}
}

/* The weight of a variant: an error unless it is a number that is not negative and that a double can hold. */
static double
WeightOf(const char *name, const JsonbValue *value)
{
	double		weight;

	if (value->type != jbvNumeric)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight of variant \"%s\" must be a number, not %s", name, JsonKind(value)),
				 errhint(VARIANTS_HINT)));
	weight = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, NumericGetDatum(value->val.numeric)));
	if (!(weight >= 0 && isfinite(weight)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight of variant \"%s\" must be between 0 and %g", name, DBL_MAX),
				 errhint("Only what weights are to each other counts; a variant that weighs 0 gets nobody.")));
	return weight;
}

/* Reads one variant, the key and value of an object. */
static void
AddVariant(Variants *variants, const JsonbValue *key, const JsonbValue *value)
{
	char	   *name = pnstrdup(key->val.string.val, key->val.string.len);

	variants->name[variants->count] = cstring_to_text(name);
	variants->hash[variants->count] = mf_holdout_text(key->val.string.val, key->val.string.len);
	variants->weight[variants->count] = WeightOf(name, value);
	variants->count++;
	pfree(name);
}

/*
 * Reads the variants of an object of weights by names into the current memory context.  An error where it is none,
 * or where nobody could get any of them.
 */
void
ReadVariants(Jsonb *json, Variants *variants)
{
	JsonbIterator *iterator;
	JsonbValue	key;
	JsonbValue	value;
	double		most = 0;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("variants must be an object of weights"),
				 errhint(VARIANTS_HINT)));
	variants->count = 0;
	variants->name = palloc(sizeof(text *) * Max(JB_ROOT_COUNT(json), 1));
	variants->hash = palloc(sizeof(uint64) * Max(JB_ROOT_COUNT(json), 1));
	variants->weight = palloc(sizeof(double) * Max(JB_ROOT_COUNT(json), 1));
	iterator = JsonbIteratorInit(&json->root);
	(void) JsonbIteratorNext(&iterator, &key, true);	/* the object begins */
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		AddVariant(variants, &key, &value);
		most = Max(most, variants->weight[variants->count - 1]);
	}
	if (most == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no variant has a weight above 0"),
				 errhint(VARIANTS_HINT)));
}

/* The name of the variant that a user, as hashed by HashHoldoutId, gets in an experiment. */
text *
ChooseVariant(const Variants *variants, text *experiment, uint64 user)
{
	uint64		seed = mf_holdout_text(VARDATA_ANY(experiment), VARSIZE_ANY_EXHDR(experiment));

	return variants->name[mf_variant_choose(seed, user, variants->hash, variants->weight, variants->count)];
}
