/*
 * guc.h - the settings of the extension.
 */
#ifndef MFREC_GUC_H
#define MFREC_GUC_H

/* What a list is for a user of whom nothing is known: mfrec.cold_start. */
typedef enum ColdStart
{
	COLD_START_POPULAR,
	COLD_START_TRENDING,
	COLD_START_EMPTY,
	COLD_START_ERROR
} ColdStart;

extern char *mfrec_model;		/* mfrec.model; "": none */
extern int	mfrec_threads;		/* mfrec.threads; 0: as the server's maintenance commands */
extern int	mfrec_max_memory;	/* mfrec.max_memory in MB; 0: most of the machine's */
extern int	mfrec_training_seconds;	/* mfrec.training_seconds; 0: any time */
extern int	mfrec_keep_versions;	/* mfrec.keep_versions, at least 1 */
extern char *mfrec_text_search_config;	/* mfrec.text_search_config; "": default_text_search_config */
extern int	mfrec_cold_start;	/* mfrec.cold_start, a ColdStart */
extern bool mfrec_verbose;		/* mfrec.verbose */

extern void DefineSettings(void);
extern int	ThreadCount(void);

#endif
