/*
 * codes.c - 4-bit codes of the items' leading coordinates, and what they say of a score.
 *
 * Where norms are flat, no item can be passed over unseen.  So all are looked at in short: let R be
 * the eigenvectors of V'V, x = R p and y = R v the coordinates of query and item.  The first c of them
 * carry most of p.v; what is left is bounded by the norms of the rest (FEXIPRO: Li, Chan, Yiu,
 * Mamoulis, SIGMOD 2017; LEMP: Teflioudi, Gemulla, Mykytiuk, SIGMOD 2015).  A coordinate's unit is its
 * spread a_j, so that all are worth the same four bits, and a panel has a step s of its own:
 *
 *	  y_j / a_j = s (n_j - 7.5) + e_j,    n_j = 0 .. 15
 *	  x_j a_j = t q_j + f_j,			  q_j = -127 .. 127
 *
 *	  p.v = sum_{j <= c} x_j y_j + rest of p . rest of v
 *		  = s t (sum q_j n_j - 7.5 sum q_j) + s sum f_j (n_j - 7.5) + sum x_j a_j e_j + rest . rest
 *
 * The first term is integers.  The others are at most |f| |l|, l_j = s (n_j - 7.5), |x a| |e| and |rest| |rest|
 * (Cauchy-Schwarz), where |l|, |e| and the rest's norm are the largest ones of the panel, stored with
 * it.  So p.v + o can reach the floor only if
 *
 *	  sum q_j n_j >= (floor - o - |f| |l| - |x a| |e| - |rest| |rest|) / (s t) + 7.5 sum q_j
 *
 * which is one integer a panel, and the sum of products is what processors have instructions for.
 *
 * R has been rounded: R R' = I + D.  Then p.v = x.y - x'Dy + rest . rest, with rests p - R'x and
 * v - R'y, and |rest of p|^2 = |p|^2 - |x|^2 + x'Dx.  Coordinates have been computed in float: each
 * is off by at most g |p|, all of them by g sqrt(c) |p|.  `skew` is the sum of both, so that the sum
 * over computed coordinates is off by at most skew |p| |v|, and squared rests by skew |p|^2.
 */
#include "codes.h"

#include <math.h>
#include <string.h>

#include "als.h"
#include "eigen.h"

/* Items and queries that decisions rest on. */
#define SAMPLE_ITEMS 4096
#define SAMPLE_QUERIES 16
#define SAMPLE_BEST 10

/* Codes are for models where a search would look at more items than this. */
#define ENOUGH_ITEMS 4096

/* Nanoseconds of looking at one coordinate of one item's code, and of scoring an item in float. */
#define COORDINATE_COST 0.015
#define SCORE_COST 25.0

/* No coordinate's unit is less than this share of the first one's. */
#define LEAST_SPREAD 0.02

/* Of normal numbers in four bits: the best step and the error that it leaves, in deviations. */
#define USUAL_STEP 0.335
#define USUAL_ERROR 0.11

/* Norms that codes are made for; others pass every test. */
#define LEAST_CODED 1e-10f
#define MOST_CODED 1e15f

/* Sections of the planner's workspace. */
typedef struct Sample
{
	int			n;				/* items: whole panels, at even distances */
	int			parts;			/* of 16 coordinates that there are */
	float	   *vector;			/* n x ld */
	float	   *weight;			/* n: 1 / |v|^2 */
	int32_t    *position;		/* n: 0 .. n - 1, then positions in the index */
	float	   *gram;			/* d x ld */
	double	   *square;			/* d x d: the Gram matrix in double */
	double	   *rotation;		/* d x d: its eigenvectors, a row each */
	double	   *value;			/* ld: its eigenvalues, then spreads */
	double	   *work;			/* d */
	float	   *row;			/* ld x ld: rotation in float */
	float	   *scaled;			/* parts x n: sum over the first 16 part coordinates of (y_j / a_j)^2 */
	float	   *plain;			/* parts x n: of y_j^2 */
	float	   *score;			/* n + MF_BLOCK */
	void	   *space;			/* for mf_gram() */
	size_t		size;
} Sample;

/* The next size bytes of a workspace, or NULL while there is none. */
static void *
take_space(void *space, size_t *used, size_t size)
{
	char	   *place = space == NULL ? NULL : (char *) space + *used;

	*used += (size + 63) & ~(size_t) 63;
	return place;
}

/* Divides the planner's workspace; it may be NULL to learn the size alone. */
static Sample
divide_space(void *space, int64_t nitems, int d, const MfParallel *parallel)
{
	Sample		sample;
	size_t		used = 0;
	size_t		ld = mf_padded(d);
	int64_t		panels = (nitems + MF_PANEL - 1) / MF_PANEL;
	size_t		n;

	if (panels > SAMPLE_ITEMS / MF_PANEL)
		panels = SAMPLE_ITEMS / MF_PANEL;
	n = (size_t) panels * MF_PANEL;
	sample.n = (int) n;
	sample.parts = (int) ld / 16;
	sample.vector = take_space(space, &used, n * ld * sizeof(float));
	sample.weight = take_space(space, &used, n * sizeof(float));
	sample.position = take_space(space, &used, 2 * n * sizeof(int32_t));
	sample.gram = take_space(space, &used, d * ld * sizeof(float));
	sample.square = take_space(space, &used, (size_t) d * d * sizeof(double));
	sample.rotation = take_space(space, &used, (size_t) d * d * sizeof(double));
	sample.value = take_space(space, &used, ld * sizeof(double));
	sample.work = take_space(space, &used, d * sizeof(double));
	sample.row = take_space(space, &used, ld * ld * sizeof(float));
	sample.scaled = take_space(space, &used, sample.parts * n * sizeof(float));
	sample.plain = take_space(space, &used, sample.parts * n * sizeof(float));
	sample.score = take_space(space, &used, (n + MF_BLOCK) * sizeof(float));
	sample.space = take_space(space, &used, mf_gram_size(d, parallel));
	sample.size = used;
	return sample;
}

/* Floats that a worker needs to code a panel: 16 items' coordinates. */
static size_t
fill_floats(int factors)
{
	return (size_t) MF_PANEL * mf_padded(factors);
}

/* Bytes of scratch space that planning and coding need. */
size_t
mf_codes_workspace(int64_t nitems, int factors, const MfParallel *parallel)
{
	size_t		plan = divide_space(NULL, nitems, factors, parallel).size;

	/* coding still needs the plan's rotation and spread, so its own comes behind */
	return plan + mf_workers(parallel) * fill_floats(factors) * sizeof(float);
}

/*
 * Finds the basis in which the Gram matrix is diagonal, largest eigenvalue first, and turns the values
 * into spreads: what a coordinate of a vector of length 1 is like.  False when there is none.
 */
static bool
find_basis(Sample *sample, int d)
{
	double	   *value = sample->value;
	int			ld = mf_padded(d);

	for (int i = 0; i < d; i++)
		for (int j = 0; j < d; j++)
			sample->square[(size_t) i * d + j] = sample->gram[(size_t) i * ld + j];
	if (!mf_eigen(sample->square, d, value, sample->rotation, sample->work))
		return false;
	for (int i = 0; i < ld; i++)
		value[i] = i < d ? sqrt(fmax(value[i], 0) / sample->n) : 0;
	for (int i = 1; i < ld; i++)
		value[i] = fmax(value[i], fmax(LEAST_SPREAD * value[0], 1e-6));
	value[0] = fmax(value[0], 1e-6);
	return true;
}

/* Copies the sample out of the index. */
static void
take_sample(Sample *sample, const MfIndex *index)
{
	int64_t		panels = sample->n / MF_PANEL;

	for (int i = 0; i < sample->n; i++)
	{
		int64_t		panel = i / MF_PANEL * index->npanels / panels;
		int32_t		at = (int32_t) (panel * MF_PANEL + i % MF_PANEL);
		double		norm = index->norm[at];

		sample->position[i] = i;
		sample->position[sample->n + i] = at;
		sample->weight[i] = norm > LEAST_CODED && norm < MOST_CODED ? (float) (1 / (norm * norm)) : 0;
		memcpy(sample->vector + (size_t) i * index->ld, index->vector + (size_t) at * index->ld,
			   index->ld * sizeof(float));
		if (sample->weight[i] == 0)
			memset(sample->vector + (size_t) i * index->ld, 0, index->ld * sizeof(float));
	}
}

/* Query number q of the sample: one of those that the caller gave, or an item. */
static const float *
sample_query(const Sample *sample, const MfItems *items, int ld, int q)
{
	if (items->query != NULL && items->nqueries > 0)
		return items->query + (size_t) (q * items->nqueries / SAMPLE_QUERIES) * ld;
	return sample->vector + (size_t) (q * (sample->n - 1) / SAMPLE_QUERIES) * ld;
}

static double
norm_of(const float *x, int ld)
{
	double		sum = 0;

	for (int j = 0; j < ld; j++)
		sum += (double) x[j] * x[j];
	return sqrt(sum);
}

/* Puts a score among the best so far, ascending. */
static void
keep_best(float *best, float score)
{
	int			at = 0;

	if (score <= best[0])
		return;
	for (; at + 1 < SAMPLE_BEST && best[at + 1] < score; at++)
		best[at] = best[at + 1];
	best[at] = score;
}

/*
 * What the tenth best score of all items will be about, for a query whose scores on the sample and on
 * the first block are computed on the way: the tenth of those, or what a normal distribution says.
 */
static double
guess_floor(const Sample *sample, const MfIndex *index, const float *query)
{
	const MfScan *scan = mf_scan();
	float		best[SAMPLE_BEST];
	double		sum = 0;
	double		squares = 0;
	double		share = (double) SAMPLE_BEST / (double) index->nitems;
	double		z;
	double		mean;
	int			first = index->nitems < MF_BLOCK ? 0 : MF_BLOCK;

	for (int i = 0; i < SAMPLE_BEST; i++)
		best[i] = -INFINITY;
	for (int i = 0; i < sample->n + first; i += MF_PANEL)
	{
		int32_t		position[MF_PANEL];

		for (int r = 0; r < MF_PANEL; r++)
			position[r] = i < sample->n ? sample->position[sample->n + i + r] : i - sample->n + r;
		scan->score_rows(query, index->ld, index->vector, position, NULL, NULL, 0, sample->score + i);
		for (int r = 0; r < MF_PANEL; r++)
		{
			float		score = sample->score[i + r] +=
				index->offset == NULL ? 0 : index->offset[position[r]];

			keep_best(best, score);
			sum += i < sample->n ? score : 0;
			squares += i < sample->n ? (double) score * score : 0;
		}
	}
	mean = sum / sample->n;
	/* the tail of a normal distribution: share = exp(-z^2 / 2) / (z sqrt(2 pi)), nearly */
	z = sqrt(fmax(0, -2 * log(share * 2.5)));
	z = z > 1.5 ? sqrt(fmax(0, -2 * log(share * 2.5 * z))) : z;
	return fmax(best[0], mean + z * sqrt(fmax(0, squares / sample->n - mean * mean)));
}

/* How many items of the index lie in panels that a floor does not rule out. */
static double
count_reached(const MfIndex *index, double norm, double floor)
{
	int64_t		count = 0;

	for (int64_t panel = 0; panel < index->npanels; panel++)
		count += norm * index->panel_norm[panel] +
			(index->panel_offset == NULL ? 0 : index->panel_offset[panel]) >= floor;
	return (double) count * MF_PANEL;
}

/* Sums of squared coordinates over the first 16, 32, ... of each sampled item. */
static void
project_sample(Sample *sample, int d, int ld)
{
	const MfScan *scan = mf_scan();
	float		y[MF_PANEL];

	memset(sample->row, 0, (size_t) ld * ld * sizeof(float));
	for (int i = 0; i < d; i++)
		for (int j = 0; j < d; j++)
			sample->row[(size_t) i * ld + j] = (float) sample->rotation[(size_t) i * d + j];
	for (int part = 0; part < sample->parts; part++)
		for (int i = 0; i < sample->n; i++)
		{
			size_t		at = (size_t) part * sample->n + i;
			int32_t		position[MF_PANEL];
			double		scaled = part == 0 ? 0 : sample->scaled[at - sample->n];
			double		plain = part == 0 ? 0 : sample->plain[at - sample->n];

			for (int r = 0; r < MF_PANEL; r++)
				position[r] = part * 16 + r;
			scan->score_rows(sample->vector + (size_t) i * ld, ld, sample->row, position, NULL, NULL, 0, y);
			for (int r = 0; r < MF_PANEL; r++)
			{
				double		unit = sample->value[part * 16 + r];

				scaled += y[r] * y[r] / (unit * unit);
				plain += (double) y[r] * y[r];
			}
			sample->scaled[at] = (float) scaled;
			sample->plain[at] = (float) plain;
		}
}

/* Adds what a query would cost with 16, 32, ... coded coordinates to cost[]. */
static void
add_costs(const Sample *sample, const MfIndex *index, const float *query, double floor, double reached,
		  double *cost)
{
	const MfScan *scan = mf_scan();
	double		norm = norm_of(query, index->ld);
	double		rest = norm * norm;
	double		scaled = 0;

	for (int part = 0; part < sample->parts; part++)
	{
		float		x[MF_PANEL];
		int32_t		position[MF_PANEL];
		double		passed = 0;

		for (int r = 0; r < MF_PANEL; r++)
			position[r] = part * 16 + r;
		scan->score_rows(query, index->ld, sample->row, position, NULL, NULL, 0, x);
		for (int r = 0; r < MF_PANEL; r++)
		{
			rest -= (double) x[r] * x[r];
			scaled += x[r] * x[r] * sample->value[part * 16 + r] * sample->value[part * 16 + r];
		}
		for (int i = 0; i < sample->n; i++)
		{
			size_t		at = (size_t) part * sample->n + i;
			double		left = sample->plain[(size_t) (sample->parts - 1) * sample->n + i] - sample->plain[at];

			passed += sample->score[i] + USUAL_ERROR * sqrt(scaled * sample->scaled[at]) +
				sqrt(fmax(rest, 0) * fmax(left, 0)) >= floor;
		}
		cost[part] += reached * COORDINATE_COST * 16 * (part + 1) +
			passed / sample->n * (double) index->nitems * SCORE_COST;
	}
}

/* How far the first c rows of the rounded rotation are from orthonormal, and what rounding of
 * coordinates adds; see above. */
static double
measure_skew(const Sample *sample, int ld, int c)
{
	double		squares = 0;

	for (int i = 0; i < c; i++)
		for (int j = 0; j <= i; j++)
		{
			const float *x = sample->row + (size_t) i * ld;
			const float *y = sample->row + (size_t) j * ld;
			double		sum = 0;

			for (int k = 0; k < ld; k++)
				sum += (double) x[k] * y[k];
			/* rows beyond d are zero: they add a zero coordinate, which is no skew */
			if (i == j && sum > 0.5)
				sum -= 1;
			squares += (i == j ? 1 : 2) * sum * sum;
		}
	return 1.1 * sqrt(squares) + 2.2 * (mf_scan_error(ld) + MF_SCAN_ROUNDING) * sqrt(c);
}

/*
 * Decides whether an index is to have codes and of how many coordinates, by what the queries of the
 * sample would cost.  index holds everything but codes.  Returns false when it was cancelled.
 */
bool
mf_codes_plan(MfCodePlan *plan, const MfIndex *index, const MfItems *items, MfCodes codes,
			  void *workspace, const MfParallel *parallel)
{
	Sample		sample = divide_space(workspace, index->nitems, index->factors, parallel);
	double		cost[64] = {0};
	double		reached = 0;
	int			best = 0;

	memset(plan, 0, sizeof(*plan));
	if (codes == MF_CODES_NEVER || index->nitems == 0 ||
		(codes == MF_CODES_AUTO && index->nitems < 2 * ENOUGH_ITEMS))
		return true;
	take_sample(&sample, index);
	for (int q = 0; q < SAMPLE_QUERIES && codes == MF_CODES_AUTO; q++)
	{
		const float *query = sample_query(&sample, items, index->ld, q);

		reached += count_reached(index, norm_of(query, index->ld), guess_floor(&sample, index, query));
	}
	if (codes == MF_CODES_AUTO && reached < (double) ENOUGH_ITEMS * SAMPLE_QUERIES)
		return true;

	if (mf_gram(parallel, sample.vector, sample.n, index->factors, sample.weight, sample.gram,
				sample.space) != MF_OK)
		return !mf_cancelled(parallel);
	if (!find_basis(&sample, index->factors))
		return true;
	if (mf_cancelled(parallel))
		return false;
	project_sample(&sample, index->factors, index->ld);
	for (int q = 0; q < SAMPLE_QUERIES; q++)
	{
		const float *query = sample_query(&sample, items, index->ld, q);
		double		floor = guess_floor(&sample, index, query);

		add_costs(&sample, index, query, floor,
				  count_reached(index, norm_of(query, index->ld), floor), cost);
	}
	for (int part = 1; part < sample.parts; part++)
		if (cost[part] < cost[best])
			best = part;
	plan->coded = (best + 1) * 16;
	plan->rotation = sample.rotation;
	plan->spread = sample.value;
	plan->skew = (float) measure_skew(&sample, index->ld, plan->coded);
	return true;
}

/* Writes through a view whose arrays are the caller's own space. */
#define WRITABLE(type, array) ((type *) (uintptr_t) (array))

/* State of coding, shared by its workers. */
typedef struct Coding
{
	const MfIndex *index;
	const MfScan *scan;
	float	   *scratch;		/* fill_floats() a worker */
} Coding;

/* Puts the codes of one panel together; returns the largest norm of what they stand for, in steps. */
static float
pack_panel(const MfIndex *index, const float *scaled, float step, uint8_t *code)
{
	static const int place[2][4] = {{0, 4, 1, 5}, {2, 6, 3, 7}};
	float		per_step = 1 / step;
	float		squares[MF_PANEL] = {0};
	float		most = 0;

	for (int g = 0; g < index->coded / 8; g++)
		for (int i = 0; i < MF_PANEL; i++)
			for (int half = 0; half < 2; half++)
			{
				uint16_t	word = 0;

				for (int b = 0; b < 4; b++)
				{
					float		n = scaled[i * index->coded + g * 8 + place[half][b]] * per_step + 8;

					n = n > 15 ? 15 : n < 0 ? 0 : n;
					word |= (uint16_t) ((int) n << 4 * b);
					squares[i] += ((int) n - 7.5f) * ((int) n - 7.5f);
				}
				memcpy(code + g * 64 + i * 4 + half * 2, &word, sizeof(word));
			}
	for (int i = 0; i < MF_PANEL; i++)
		most = squares[i] > most ? squares[i] : most;
	return sqrtf(most);
}

/* The step that leaves the smallest error in the worst item of a panel, and that error squared. */
static float
choose_step(const Coding *coding, const float *scaled, float *error)
{
	int			n = MF_PANEL * coding->index->coded;
	double		squares = 0;
	float		usual;
	float		step;

	for (int i = 0; i < n; i++)
		squares += (double) scaled[i] * scaled[i];
	usual = (float) fmax(USUAL_STEP * sqrt(squares / n), 1e-15);
	step = usual;
	*error = coding->scan->code_error(scaled, coding->index->coded, usual);
	/* outliers want larger steps, shapes with short tails smaller ones */
	for (int direction = -1; direction <= 1 && step == usual; direction += 2)
		for (float factor = 1 + 0.13f * direction; factor < 6 && factor > 0.3f; factor *= 1 + 0.13f * direction)
		{
			float		other = coding->scan->code_error(scaled, coding->index->coded, usual * factor);

			if (other >= *error)
				break;
			*error = other;
			step = usual * factor;
		}
	return step;
}

/* Codes one panel. */
static void
code_panel(const Coding *coding, int64_t panel, float *scaled)
{
	const MfIndex *index = coding->index;
	float		error = 0;
	float		length;
	float		least = INFINITY;
	double		most_rest = 0;
	bool		coded = true;

	for (int i = 0; i < MF_PANEL; i++)
	{
		int64_t		at = panel * MF_PANEL + i;
		float	   *y = scaled + (size_t) i * index->coded;
		double		rest = (double) index->norm[at] * index->norm[at];

		rest *= 1 + 1e-6 + index->skew;
		least = at < index->nitems && index->norm[at] < least ? index->norm[at] : least;
		coded &= index->norm[at] == 0 || (index->norm[at] > LEAST_CODED && index->norm[at] < MOST_CODED);
		for (int part = 0; part < index->coded; part += 16)
		{
			int32_t		row[MF_PANEL];

			for (int r = 0; r < MF_PANEL; r++)
				row[r] = part + r;
			coding->scan->score_rows(index->vector + at * index->ld, index->ld, index->rotation, row,
									 NULL, NULL, 0, y + part);
		}
		for (int j = 0; j < index->coded; j++)
		{
			rest -= (double) y[j] * y[j];
			y[j] /= index->spread[j];
		}
		most_rest = rest > most_rest ? rest : most_rest;
	}
	if (!coded)
		memset(scaled, 0, (size_t) MF_PANEL * index->coded * sizeof(float));
	WRITABLE(float, index->panel_step)[panel] = choose_step(coding, scaled, &error);
	length = pack_panel(index, scaled, index->panel_step[panel],
						WRITABLE(uint8_t, index->code) + (size_t) panel * index->coded * 8);
	WRITABLE(float, index->panel_length)[panel] = length * index->panel_step[panel] * (1 + 1e-5f);
	/* sums of squares and the steps themselves have been rounded */
	error = (float) (sqrt(error) * (1 + 1e-4) + 1e-5 * index->panel_step[panel] * sqrt(index->coded));
	WRITABLE(float, index->panel_error)[panel] = coded ? error : INFINITY;
	WRITABLE(float, index->panel_rest)[panel] = (float) (sqrt(most_rest) * (1 + 1e-6));
	WRITABLE(float, index->panel_least)[panel] = least * (1 - 0x1.0p-20f);
}

/* Codes the panels of one block; those after the last panel are never reached. */
static void
code_block(void *state, int64_t block, int worker)
{
	const Coding *coding = state;
	const MfIndex *index = coding->index;

	for (int64_t panel = block * MF_BLOCK_PANELS; panel < (block + 1) * MF_BLOCK_PANELS; panel++)
	{
		if (panel < index->npanels)
			code_panel(coding, panel, coding->scratch + worker * fill_floats(index->factors));
		else
		{
			WRITABLE(float, index->panel_step)[panel] = 1;
			WRITABLE(float, index->panel_error)[panel] = 0;
			WRITABLE(float, index->panel_length)[panel] = 0;
			WRITABLE(float, index->panel_rest)[panel] = 0;
			WRITABLE(float, index->panel_least)[panel] = 0;
		}
	}
}

/* Fills in the sections of an index that codes are made of; the workspace is the one that the plan was
 * made in.  Returns false when it was cancelled. */
bool
mf_codes_fill(const MfIndex *index, const MfCodePlan *plan, void *workspace, const MfParallel *parallel)
{
	size_t		planned = divide_space(NULL, index->nitems, index->factors, parallel).size;
	Coding		coding = {index, mf_scan(), (float *) (void *) ((char *) workspace + planned)};
	float	   *rotation = WRITABLE(float, index->rotation);

	memset(rotation, 0, (size_t) index->coded * index->ld * sizeof(float));
	for (int i = 0; i < index->coded; i++)
	{
		for (int j = 0; j < index->factors && i < index->factors; j++)
			rotation[(size_t) i * index->ld + j] = (float) plan->rotation[(size_t) i * index->factors + j];
		WRITABLE(float, index->spread)[i] = (float) plan->spread[i];
	}
	return mf_parallel_blocks(parallel, index->nblocks, code_block, &coding);
}

/*
 * Expresses a query of ld floats, whose norm is at most `norm`, in the terms of an index's codes.  code
 * has room for its arrays.  Returns false when the query is too long or short for floats; then codes
 * say nothing.
 */
bool
mf_codes_query(MfCodeQuery *code, const MfIndex *index, const float *query, double norm)
{
	const MfScan *scan = mf_scan();
	float	   *x = code->coordinate;
	double		rest = norm * norm * (1 + 1e-6 + index->skew);
	double		squares = 0;
	double		missed = 0;
	float		most = 0;
	int64_t		total = 0;

	if (norm < LEAST_CODED || norm > MOST_CODED)
		return false;
	for (int part = 0; part < index->coded; part += 16)
	{
		int32_t		row[MF_PANEL];

		for (int r = 0; r < MF_PANEL; r++)
			row[r] = part + r;
		scan->score_rows(query, index->ld, index->rotation, row, NULL, NULL, 0, x + part);
	}
	for (int j = 0; j < index->coded; j++)
	{
		rest -= (double) x[j] * x[j];
		x[j] *= index->spread[j];
		squares += (double) x[j] * x[j];
		most = fabsf(x[j]) > most ? fabsf(x[j]) : most;
	}
	code->unit = fmaxf(most / 127, 1e-30f);
	for (int j = 0; j < index->coded; j++)
	{
		double		n = x[j] / code->unit;
		int			q = (int) (n < 0 ? n - 0.5 : n + 0.5);

		q = q > 127 ? 127 : q < -127 ? -127 : q;
		code->code[j] = (int8_t) q;
		total += q;
		missed += (n - q) * (n - q);
	}
	/* times the spread here and by the spread there have rounded x_j y_j twice: 1e-6 more skew */
	code->per_error = (float) (sqrt(squares) * (1 + 1e-6) + 1e-30);
	code->per_rest = (float) (sqrt(fmax(rest, 0)) * (1 + 1e-6) + 1e-30);
	code->per_skew = (float) ((index->skew + 1e-6) * norm * (1 + 1e-6));
	code->per_length = (float) (sqrt(missed) * code->unit * (1 + 1e-6) + 1e-30);
	code->shift = (float) (7.5 * (double) total);
	return true;
}
