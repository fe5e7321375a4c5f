/*
 * fuzz_fold.c - any finite numbers folded in: a vector of finite numbers, or an error.
 */
#include "bytes.h"

#include <math.h>

#include "core/base/padding.h"
#include "core/predict/fold_in.h"

#define MOST_CELLS 40

static void
take_floats(Bytes *bytes, float *x, int n, bool tame)
{
	for (int i = 0; i < n; i++)
		x[i] = tame ? ((float) take_byte(bytes) - 128) / 32 : take_float(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	uint8_t		parts = take_byte(&bytes);
	bool		tame = parts & 1;
	bool		interest = (parts & 2) || !(parts & 4);
	bool		rating = parts & 4;
	int			d = 1 + (int) take_below(&bytes, 40);
	int			ld = mf_padded(d);
	int			n = (int) take_below(&bytes, MOST_CELLS + 1);
	float	   *vectors = malloc((size_t) (2 * n * d + 1) * sizeof(float));
	float	   *gram = malloc((size_t) d * ld * sizeof(float));
	float	   *user = malloc((size_t) d * sizeof(float));
	float	   *mean = malloc((size_t) d * sizeof(float));
	float	   *padded = calloc((size_t) ((2 * n + 1) * ld), sizeof(float));
	const float *rows[2 * MOST_CELLS];
	float		residual[MOST_CELLS];
	float		weight[MOST_CELLS];
	float		unobserved[MOST_CELLS];
	bool		outside[MOST_CELLS];
	float		scalar[5];
	float		bias = 0;
	MfFold		fold = {d, 0, 0, 0, interest ? gram : NULL, parts & 8 ? mean : NULL, parts & 128, 0};
	MfFoldCells cells = {n, interest ? rows : NULL, rating ? rows + n : NULL, residual,
		parts & 16 ? weight : NULL, parts & 32 ? unobserved : NULL, 0, 0, 0,
	n % 3 == 0 ? outside : NULL};
	void	   *space = malloc(mf_fold_size(&fold));

	take_floats(&bytes, scalar, 5, tame);
	fold.interest_weight = fabsf(scalar[0]);
	fold.alpha = fabsf(scalar[1]);
	fold.user_bias_regularization = parts & 64 ? INFINITY : fabsf(scalar[2]);
	cells.regularization = fabsf(scalar[3]);
	cells.pull = fold.user_mean ? fabsf(scalar[4]) : 0;
	take_floats(&bytes, residual, n, tame);
	take_floats(&bytes, weight, n, tame);
	take_floats(&bytes, unobserved, n, tame);
	for (int c = 0; c < n; c++)
		outside[c] = c % 2 == 0;
	take_floats(&bytes, mean, d, tame);
	take_floats(&bytes, vectors, 2 * n * d, tame);
	memset(gram, 0, (size_t) d * ld * sizeof(float));
	for (int i = 0; i < d; i++)
	{
		take_floats(&bytes, gram + i * ld, i + 1, tame);
		for (int j = 0; j < i; j++)
			gram[j * ld + i] = gram[i * ld + j];
	}
	for (int i = 0; i < n; i++)
	{
		weight[i] = fabsf(weight[i]);
		unobserved[i] = fabsf(unobserved[i]);
		rows[i] = vectors + i * d;
		rows[n + i] = vectors + (n + i) * d;
	}
	if (mf_fold_in(&fold, &cells, user, &bias, space) == MF_OK)
	{
		for (int j = 0; j < d; j++)
			require(isfinite(user[j]));
		require(isfinite(bias));
		/* this one takes padded vectors */
		for (int i = 0; i < 2 * n; i++)
			rows[i] = memcpy(padded + i * ld, rows[i], (size_t) d * sizeof(float));
		(void) mf_fold_gradient(&fold, &cells, memcpy(padded + 2 * n * ld, user, (size_t) d * sizeof(float)), bias, space);
	}
	free(vectors);
	free(padded);
	free(gram);
	free(user);
	free(mean);
	free(space);
	return 0;
}
