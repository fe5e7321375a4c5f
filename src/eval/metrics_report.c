/*
 * metrics_report.c - how good lists and predicted ratings are: of one user, and of many together.
 */
#include "postgres.h"

#include <math.h>

#include "eval/metrics_report.h"

static void
AddErrors(MfRatingMetrics *sum, const MfRatingMetrics *one)
{
	sum->count += one->count;
	sum->squares += one->squares;
	sum->absolutes += one->absolutes;
}

static void
AddList(ListFigures *sum, const ListFigures *one)
{
	mf_metrics_add(&sum->rank, &one->rank);
	sum->novelty += one->novelty;
	if (isnan(one->auc))
		return;
	sum->auc += one->auc;
	sum->aucs++;
}

/* Adds a user's figures to a sum. */
void
AddUserFigures(UserFigures *sum, const UserFigures *one)
{
	sum->rows.counted += one->rows.counted;
	sum->rows.relevant += one->rows.relevant;
	sum->rows.unknown_user += one->rows.unknown_user;
	sum->rows.unknown_item += one->rows.unknown_item;
	sum->rows.trained += one->rows.trained;
	AddErrors(&sum->rating, &one->rating);
	AddErrors(&sum->rating_baseline, &one->rating_baseline);
	if (!one->ranked)
		return;
	sum->ranked += one->ranked;
	AddList(&sum->list, &one->list);
	AddList(&sum->popular, &one->popular);
}

/* Hands out the errors of predicted ratings, if there are any. */
void
PutRatingFigures(const UserFigures *figures, const char *user, FigureFunction put, void *state)
{
	if (figures->rating.count == 0)
		return;
	put(state, user, "rmse", mf_metrics_rmse(&figures->rating), mf_metrics_rmse(&figures->rating_baseline));
	put(state, user, "mae", mf_metrics_mae(&figures->rating), mf_metrics_mae(&figures->rating_baseline));
}

/* Hands out the figures of lists: sums over figures->ranked users, divided by that. */
void
PutListFigures(const UserFigures *figures, const char *user, FigureFunction put, void *state)
{
	double		n = (double) figures->ranked;
	const MfRankMetrics *list = &figures->list.rank;
	const MfRankMetrics *popular = &figures->popular.rank;

	put(state, user, "precision", list->precision / n, popular->precision / n);
	put(state, user, "recall", list->recall / n, popular->recall / n);
	put(state, user, "full_recall", list->full_recall / n, popular->full_recall / n);
	put(state, user, "ndcg", list->ndcg / n, popular->ndcg / n);
	put(state, user, "map", list->average_precision / n, popular->average_precision / n);
	put(state, user, "mrr", list->reciprocal_rank / n, popular->reciprocal_rank / n);
	put(state, user, "hit_rate", list->hit_rate / n, popular->hit_rate / n);
	put(state, user, "auc", figures->list.auc / (double) figures->list.aucs,
		   figures->popular.auc / (double) figures->popular.aucs);
	put(state, user, "novelty", figures->list.novelty / n, figures->popular.novelty / n);
}
