/*
 * copyrows.c - turns records of ratings into what COPY ... WITH (FORMAT binary) reads: int, int, real.
 *
 * usage: copyrows FILE.bin > FILE.copy         (records of int32 user, int32 item, float rating)
 */
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static char *
put(char *out, uint32_t value)
{
	uint32_t	big = htonl(value);

	memcpy(out, &big, 4);
	return out + 4;
}

int
main(int argc, char **argv)
{
	static const char head[19] = "PGCOPY\n\377\r\n";
	static const char fields[2] = {0, 3};
	static const char end[2] = {'\377', '\377'};
	FILE	   *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
	uint32_t	record[3];
	char		row[26];

	if (file == NULL)
	{
		fprintf(stderr, "usage: copyrows FILE.bin > FILE.copy\n");
		return 1;
	}
	fwrite(head, sizeof(head), 1, stdout);
	while (fread(record, sizeof(record), 1, file) == 1)
	{
		char	   *out = row + 2;

		memcpy(row, fields, 2);
		for (int k = 0; k < 3; k++)
			out = put(put(out, 4), record[k]);
		fwrite(row, sizeof(row), 1, stdout);
	}
	fwrite(end, sizeof(end), 1, stdout);
	return fflush(stdout) != 0;
}
