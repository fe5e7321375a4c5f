/*
 * variants.c - the variants of an experiment and their weights, as SQL passes them, and who gets which.
 *
 * Who gets which is decided in core/metrics/variant.c, by hashes as in holdout_split.c.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "utils/builtins.h"

#include "compat.h"
#include "core/metrics/holdout.h"
#include "core/metrics/variant.h"
#include "eval/variants.h"
#include "pg/json.h"

#define VARIANTS_HINT "Write variants => '{\"ratings\": 90, \"challenger\": 10}': the weight of each by its name."

/* An error unless the weight of a variant is a number that is not negative and that a double can hold. */
static void
CheckWeight(const JsonEntry *entry)
{
	if (isnan(entry->number))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight of variant \"%s\" must be a number, not %s", entry->key, entry->kind),
				 errhint(VARIANTS_HINT)));
	if (!(entry->number >= 0 && isfinite(entry->number)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("weight of variant \"%s\" must be between 0 and %g", entry->key, DBL_MAX),
				 errhint("Only what weights are to each other counts; a variant that weighs 0 gets nobody.")));
}

/*
 * Reads the variants of an object of weights by names into the current memory context.  An error where it is none,
 * or where nobody could get any of them.
 */
void
ReadVariants(Jsonb *json, Variants *variants)
{
	JsonEntry  *entries = JsonEntries(&json->root, &variants->count);
	double		most = 0;

	if (entries == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("variants must be an object of weights"),
				 errhint(VARIANTS_HINT)));
	variants->name = palloc(sizeof(text *) * Max(variants->count, 1));
	variants->hash = palloc(sizeof(uint64) * Max(variants->count, 1));
	variants->weight = palloc(sizeof(double) * Max(variants->count, 1));
	for (int i = 0; i < variants->count; i++)
	{
		CheckWeight(&entries[i]);
		variants->name[i] = cstring_to_text(entries[i].key);
		variants->hash[i] = mf_holdout_text(entries[i].key, strlen(entries[i].key));
		variants->weight[i] = entries[i].number;
		most = Max(most, entries[i].number);
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
