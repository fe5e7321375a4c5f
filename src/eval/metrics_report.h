/*
 * metrics_report.h - how good lists and predicted ratings are: of one user, and of many together.
 */
#ifndef MFREC_METRICS_REPORT_H
#define MFREC_METRICS_REPORT_H

#include "core/metrics/ranking.h"
#include "eval/evaluate.h"

/* The figures of a list, or the sums of many. */
typedef struct ListFigures
{
	MfRankMetrics rank;
	double		novelty;
	double		auc;
	int64		aucs;			/* users that have one */
	int64		covered;		/* items, of totals */
} ListFigures;

/* What becomes of a test row. */
typedef struct RowCounts
{
	int64		counted;
	int64		relevant;
	int64		unknown_user;
	int64		unknown_item;
	int64		trained;
} RowCounts;

/* One user, or all of them. */
typedef struct UserFigures
{
	RowCounts	rows;
	int64		ranked;			/* users with relevant rows */
	MfRatingMetrics rating;
	MfRatingMetrics rating_baseline;
	ListFigures list;
	ListFigures popular;
} UserFigures;

extern void AddUserFigures(UserFigures *sum, const UserFigures *one);
extern void PutRatingFigures(const UserFigures *figures, const char *user, FigureFunction put, void *state);
extern void PutListFigures(const UserFigures *figures, const char *user, FigureFunction put, void *state);

#endif
