/*
 * generate.c - makes ratings to measure with: a planted model of rank 8, biases and noise, a long tail of items and
 * users, every pair once, in random order, the same on every machine.
 *
 * usage: generate USERS ITEMS RATINGS SPREAD SEED OUTPUT     (SPREAD: deviation of the logarithm of a user's count)
 * Writes OUTPUT.bin: records of int32 user, int32 item, float rating, half stars from 0.5 to 5, ids from 0.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RANK 8
#define FEWEST 10

typedef struct Record
{
	int32_t		user;
	int32_t		item;
	float		rating;
} Record;

static uint64_t state;

/* SplitMix64: a random number from 0 up to 1. */
static double
uniform(void)
{
	uint64_t	z = (state += 0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return (double) ((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
}

static double
normal(void)
{
	double		radius = sqrt(-2 * log(1 - uniform()));

	return radius * cos(2 * M_PI * uniform());
}

static void *
room(size_t count, size_t width)
{
	void	   *x = calloc(count, width);

	if (x == NULL)
		exit(1);
	return x;
}

/* Ratings of each user: a lognormal number on top of the fewest, n in all, at most a third of the items. */
static int32_t *
user_counts(int64_t users, int64_t items, int64_t n, double spread)
{
	int32_t    *count = room(users, sizeof(int32_t));
	double	   *share = room(users, sizeof(double));
	double		sum = 0;
	int64_t		left = n;

	for (int64_t u = 0; u < users; u++)
		sum += share[u] = exp(spread * normal());
	for (int64_t u = 0; u < users; u++)
	{
		double		want = FEWEST + floor(share[u] / sum * (double) (n - FEWEST * users));

		count[u] = (int32_t) fmin(want, (double) (items / 3));
		left -= count[u];
	}
	while (left > 0)
	{
		int64_t		u = (int64_t) (uniform() * (double) users);

		if (count[u] < items / 3)
		{
			count[u]++;
			left--;
		}
	}
	free(share);
	return count;
}

/* Cumulated popularity: (rank + 30)^-1.25, items in order of it. */
static double *
popularity(int64_t items)
{
	double	   *below = room(items, sizeof(double));
	double		sum = 0;

	for (int64_t i = 0; i < items; i++)
		below[i] = sum += pow((double) i + 30, -1.25);
	for (int64_t i = 0; i < items; i++)
		below[i] /= sum;
	return below;
}

static int64_t
draw(const double *below, int64_t items)
{
	double		x = uniform();
	int64_t		low = 0;
	int64_t		high = items - 1;

	while (low < high)
	{
		int64_t		middle = (low + high) / 2;

		if (below[middle] <= x)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static float *
vectors(int64_t n)
{
	float	   *v = room(n * RANK, sizeof(float));

	for (int64_t k = 0; k < n * RANK; k++)
		v[k] = (float) (0.42 * normal());
	return v;
}

/* Ids in random order: popular items are not neighbours. */
static int32_t *
shuffled_ids(int64_t n)
{
	int32_t    *id = room(n, sizeof(int32_t));

	for (int64_t k = 0; k < n; k++)
	{
		int64_t		other = (int64_t) (uniform() * (double) (k + 1));

		id[k] = id[other];
		id[other] = (int32_t) k;
	}
	return id;
}

/* What there is to know of the items. */
typedef struct Catalogue
{
	int64_t		items;
	int32_t    *id;
	double	   *below;
	float	   *vector;
	float	   *bias;
	int32_t    *last_user;		/* who drew the item last, from 1 */
} Catalogue;

static Catalogue
make_catalogue(int64_t items)
{
	Catalogue	c = {items, shuffled_ids(items), popularity(items), vectors(items), room(items, sizeof(float)),
	room(items, sizeof(int32_t))};

	for (int64_t i = 0; i < items; i++)
		c.bias[i] = (float) (0.42 * normal());
	return c;
}

/* Draws a user's items by popularity and taste, and rates them; returns the end of the records. */
static Record *
rate(Record *out, int32_t user, int32_t count, Catalogue *c)
{
	double		bias = 0.4 * normal();
	double		taste[RANK];

	for (int k = 0; k < RANK; k++)
		taste[k] = 0.42 * normal();
	for (int64_t tries = 0; count > 0; tries++)
	{
		int64_t		i = tries < 100000 ? draw(c->below, c->items) : (int64_t) (uniform() * (double) c->items);
		double		liking = 0;
		double		rating;

		for (int k = 0; k < RANK; k++)
			liking += taste[k] * c->vector[i * RANK + k];
		if (c->last_user[i] == user + 1 || uniform() > 1 / (1 + exp(-2 * liking)))
			continue;
		c->last_user[i] = user + 1;
		rating = round(2 * (3.45 + bias + c->bias[i] + liking + 0.75 * normal())) / 2;
		*out++ = (Record) {user, c->id[i], (float) fmin(fmax(rating, 0.5), 5)};
		count--;
	}
	return out;
}

int
main(int argc, char **argv)
{
	int64_t		users = argc > 6 ? atoll(argv[1]) : 0;
	int64_t		items = argc > 6 ? atoll(argv[2]) : 0;
	int64_t		n = argc > 6 ? atoll(argv[3]) : 0;
	int32_t    *count;
	Catalogue	catalogue;
	Record	   *records;
	Record	   *end;
	char		name[4096];
	FILE	   *file;

	if (users < 1 || items < 1 || n < FEWEST * users || n > users * (items / 3))
	{
		fprintf(stderr, "usage: generate USERS ITEMS RATINGS SPREAD SEED OUTPUT\n");
		return 1;
	}
	state = (uint64_t) atoll(argv[5]) << 32;
	count = user_counts(users, items, n, atof(argv[4]));
	catalogue = make_catalogue(items);
	end = records = room(n, sizeof(Record));
	for (int64_t u = 0; u < users; u++)
		end = rate(end, (int32_t) u, count[u], &catalogue);
	for (int64_t k = n - 1; k > 0; k--)
	{
		int64_t		other = (int64_t) (uniform() * (double) (k + 1));
		Record		record = records[k];

		records[k] = records[other];
		records[other] = record;
	}
	snprintf(name, sizeof(name), "%s.bin", argv[6]);
	file = fopen(name, "wb");
	if (file == NULL || fwrite(records, sizeof(Record), n, file) != (size_t) n || fclose(file) != 0)
	{
		perror(name);
		return 1;
	}
	return 0;
}
