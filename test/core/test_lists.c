/*
 * test_lists.c - lists of trained models: at every instruction set level, with codes of every kind, those of
 * 1,000 random users of each set of the shared data are what a naive scan in double gives.
 */
#include "tap.h"

#include "catalog.h"
#include "core/predict/predict.h"
#include "core/simd/isa.h"
#include "shared.h"

enum
{
	FACTORS = 32, USERS = 1000, K = 10
};

/* The vector of random user number q. */
static const float *
random_user(const Sample *model, int q)
{
	uint64_t	user = mf_random_bits(8, (uint64_t) q) % (uint64_t) model->problem.nusers;

	return model->factors.user + user * (uint64_t) mf_padded(FACTORS);
}

/* Whether a search finds the list: the same items in the same order, scores to 1e-5 of them. */
static bool
finds(const Catalog *c, const float *query, const Scored *list, int n, void *workspace)
{
	int32_t		item[K];
	float		score[K];

	if (mf_topk_search(&c->index, query, K, NULL, workspace, item, score, NULL) != n)
		return false;
	for (int i = 0; i < n; i++)
		if (item[i] != list[i].item || !(fabs(score[i] - list[i].score) <= 1e-5 * fabs(list[i].score)))
			return false;
	return true;
}

/* Lists of random users out of an index of these codes, at every level, beside those of the naive scan. */
static void
test_codes(Catalog *c, const Sample *model, MfQuantization codes, const Scored *list, const int *count, const char *what)
{
	static const char *const codes_name[] = {"codes as chosen", "no codes", "4-bit codes"};
	MfIsa		best = mf_isa_limit(MF_ISA_LEVELS - 1);

	for (int level = 0; level < MF_ISA_LEVELS; level++)
	{
		int			same = 0;
		void	   *workspace;

		if (mf_isa_limit((MfIsa) level) != (MfIsa) level)
		{
			skip(mf_isa_name((MfIsa) level), "this machine has not got it");
			continue;
		}
		if (level < (int) best && !thorough() && level % 3 != (int) codes)
			continue;
		if (!ok(catalog_build(c, codes, 2), "%s, %s: an index", mf_isa_name((MfIsa) level), what))
			continue;
		workspace = catalog_space(mf_topk_workspace(&c->index, K));
		for (int q = 0; q < USERS; q++)
			same += finds(c, random_user(model, q), list + q * K, count[q], workspace);
		ok(same == USERS, "%s, %s, %s: %d of %d users' lists are exact", mf_isa_name((MfIsa) level), what, codes_name[codes],
		   same, USERS);
		free(workspace);
	}
}

/* The lists of a model: of both its parts, or of one alone. */
static void
test_model(const Sample *model, bool interest, float taste, const char *what)
{
	MfObjective objective = {.factors = FACTORS,.taste = taste};
	MfFactors	factors = model->factors;
	Catalog		c = {.n = model->problem.nitems,.d = FACTORS,.ld = mf_padded(FACTORS)};
	Scored	   *all = malloc((size_t) c.n * sizeof(Scored));
	Scored	   *list = malloc(USERS * K * sizeof(Scored));
	int		   *count = malloc(USERS * sizeof(int));

	if (!interest)
		factors.interest = NULL;
	c.vector = catalog_space((size_t) c.n * c.ld * sizeof(float));
	c.offset = catalog_space((size_t) c.n * sizeof(float));
	mf_list_vectors(&objective, &factors, NULL, NULL, c.n, c.vector, c.offset);
	for (int q = 0; q < USERS; q++)
	{
		count[q] = naive_scan(&c, random_user(model, q), K, NULL, false, all);
		memcpy(list + q * K, all, (size_t) count[q] * sizeof(Scored));
	}
	for (int codes = MF_QUANTIZE_AUTO; codes <= MF_QUANTIZE_SQ4; codes++)
		test_codes(&c, model, (MfQuantization) codes, list, count, what);
	free(all);
	free(list);
	free(count);
	catalog_free(&c);
}

static void
test_data(const char *name)
{
	char		file[200];
	char		what[200];
	MfTriplets	ratings;
	int64_t		nusers;
	int64_t		nitems;
	Sample		model;
	double		loss[3];

	snprintf(file, sizeof(file), SHARED_DATA "%s/train.tsv", name);
	if (!shared_read(file, &ratings, &nusers, &nitems))
	{
		skip(name, "the shared data is not there");
		return;
	}
	ok(shared_train(&ratings, nusers, nitems, FACTORS, true, 0.3f, 3, &model, loss), "%s: a model of ratings and choice", name);
	snprintf(what, sizeof(what), "%s, joint", name);
	test_model(&model, true, 0.05f, what);
	snprintf(what, sizeof(what), "%s, ratings alone", name);
	test_model(&model, false, 1, what);
	sample_free(&model);
	ok(shared_train(&ratings, nusers, nitems, FACTORS, false, 1, 3, &model, loss), "%s: a model of choice", name);
	snprintf(what, sizeof(what), "%s, implicit", name);
	test_model(&model, true, 0, what);
	sample_free(&model);
	shared_free(&ratings);
}

int
main(void)
{
	test_data("movietweetings-100k");
	test_data("movietweetings-10core");
	test_data("movietweetings-5core");
	return done();
}
