/*
 * directions.c - random directions, Gaussian vectors scaled to length 1, as COPY ... WITH (FORMAT binary)
 * reads them: (id int, factors real[]), ids from 0.
 *
 * usage: directions COUNT FACTORS SEED > FILE.copy
 */
#include <arpa/inet.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/rng.h"

enum
{
	MAX_FACTORS = 1000, REAL_OID = 700
};

static char *
put(char *out, uint32_t value)
{
	uint32_t	big = htonl(value);

	memcpy(out, &big, 4);
	return out + 4;
}

/* A row whose vector is number id of the stream. */
static void
write_row(uint32_t id, int d, uint64_t seed)
{
	static char row[2 + 4 * 8 + MAX_FACTORS * 8];
	float		vector[MAX_FACTORS];
	double		square = 0;
	char	   *out = row + 2;

	row[1] = 2;
	out = put(put(out, 4), id);
	out = put(out, (uint32_t) (20 + 8 * d));
	out = put(put(put(put(put(out, 1), 0), REAL_OID), (uint32_t) d), 1);
	for (int j = 0; j < d; j++)
	{
		vector[j] = mf_random_normal(seed, (uint64_t) id * (uint64_t) d + (uint64_t) j);
		square += (double) vector[j] * vector[j];
	}
	for (int j = 0; j < d; j++)
	{
		float		value = (float) (vector[j] / sqrt(square));
		uint32_t	bits;

		memcpy(&bits, &value, 4);
		out = put(put(out, 4), bits);
	}
	fwrite(row, (size_t) (out - row), 1, stdout);
}

int
main(int argc, char **argv)
{
	static const char head[19] = "PGCOPY\n\377\r\n";
	static const char end[2] = {'\377', '\377'};
	int			d = argc == 4 ? atoi(argv[2]) : 0;

	if (d < 1 || d > MAX_FACTORS)
	{
		fprintf(stderr, "usage: directions COUNT FACTORS SEED > FILE.copy\n");
		return 1;
	}
	fwrite(head, sizeof(head), 1, stdout);
	for (uint32_t id = 0; id < (uint32_t) atol(argv[1]); id++)
		write_row(id, d, (uint64_t) atoll(argv[3]));
	fwrite(end, sizeof(end), 1, stdout);
	return fflush(stdout) != 0;
}
