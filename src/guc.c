/*
 * guc.c - the settings of the extension: their names, ranges and defaults.
 *
 * The README's table of settings uses the same words as the descriptions here.
 */
#include "postgres.h"

#include <limits.h>
#include <unistd.h>

#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/guc.h"

#include "compat.h"
#include "guc.h"

char	   *mfrec_model = NULL;
int			mfrec_threads = 0;
int			mfrec_max_memory = 0;
int			mfrec_training_seconds = 60;
int			mfrec_keep_versions = 2;
char	   *mfrec_text_search_config = NULL;
int			mfrec_cold_start = COLD_START_POPULAR;
bool		mfrec_verbose = false;

/* What mfrec.cold_start can be: see ColdStart. */
static const struct config_enum_entry cold_start_options[] = {
	{"popular", COLD_START_POPULAR, false},
	{"trending", COLD_START_TRENDING, false},
	{"empty", COLD_START_EMPTY, false},
	{"error", COLD_START_ERROR, false},
	{NULL, 0, false}
};

/* Registers the settings, and their prefix; called once when the library is loaded. */
void
DefineSettings(void)
{
	DefineCustomStringVariable("mfrec.model",
							   "Model that functions use when their model argument is null.",
							   "Empty means the model chosen with mf_set_default, at first the first one trained.",
							   &mfrec_model, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mfrec.threads",
							"Number of threads that train.",
							"0 means max_parallel_maintenance_workers + 1, at most one per core.",
							&mfrec_threads, 0, 0, 1024, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomIntVariable("mfrec.max_memory",
							"Memory that a training may take for factors and dictionaries of ids.",
							"Ratings obey maintenance_work_mem. 0 means three quarters of the machine's memory, or of the container's.",
							&mfrec_max_memory, 0, 0, INT_MAX / 1024, PGC_USERSET, GUC_UNIT_MB, NULL, NULL, NULL);
	DefineCustomIntVariable("mfrec.training_seconds",
							"Time that the default number of factors of a training goes by.",
							"Sets of ratings for which more factors would take longer on two cores get fewer, down to 64. 0 means any time.",
							&mfrec_training_seconds, 60, 0, INT_MAX, PGC_USERSET, GUC_UNIT_S, NULL, NULL, NULL);
	DefineCustomIntVariable("mfrec.keep_versions",
							"Number of versions of a model that training keeps, the new one included.",
							"1 saves space but leaves nothing to roll back to.",
							&mfrec_keep_versions, 2, 1, 1000, PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomStringVariable("mfrec.text_search_config",
							   "Text search configuration by which texts of items become words.",
							   "Empty means default_text_search_config. simple takes all words as they are, in any language.",
							   &mfrec_text_search_config, "", PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomEnumVariable("mfrec.cold_start",
							 "What mf_recommend returns for a user of whom nothing is known.",
							 "trending is what is popular of late, as far as the model knows when rows came to be.",
							 &mfrec_cold_start, COLD_START_POPULAR, cold_start_options,
							 PGC_USERSET, 0, NULL, NULL, NULL);
	DefineCustomBoolVariable("mfrec.verbose",
							 "Reports each iteration of a training as a notice.",
							 NULL,
							 &mfrec_verbose, false, PGC_USERSET, 0, NULL, NULL, NULL);
	MarkGUCPrefixReserved("mfrec");
}

/*
 * Threads that a parallel loop may use: the setting, by default as many as a maintenance command may have
 * processes, never more than the cores.
 */
int
ThreadCount(void)
{
	long		cores = sysconf(_SC_NPROCESSORS_ONLN);
	int			wanted = mfrec_threads > 0 ? mfrec_threads : max_parallel_maintenance_workers + 1;

	return Max(1, Min(wanted, Max(cores, 1)));
}
