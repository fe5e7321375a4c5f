/*
 * fuzz_seen.c - any bytes as what a user has: a list that ascends, or damage; and any list comes back.
 */
#include "bytes.h"

#include "core/base/seen.h"

/* What decoding makes of any bytes, encoded anew, decodes alike. */
static void
check_round(const int32_t *number, int64_t n, int32_t limit, const int32_t *same)
{
	uint8_t    *bytes = malloc(mf_seen_bound(n) + 1);
	size_t		size = mf_seen_encode(number, n, bytes);
	int32_t    *again = malloc(((size_t) mf_seen_most(size) + 1) * sizeof(*again));

	require(size <= mf_seen_bound(n));
	require(mf_seen_decode(bytes, size, limit, same, again) == n);
	require(n == 0 || memcmp(again, number, (size_t) n * sizeof(*again)) == 0);
	for (int64_t i = 0; i < n; i += 1 + n / 16)
		require(mf_seen_has(bytes, size, limit, number[i]) == 1);
	free(again);
	free(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	Bytes		bytes = {data, size};
	int32_t		limit = 1 + (int32_t) take_below(&bytes, 60000);
	int32_t    *same = malloc((size_t) limit * sizeof(*same));
	int32_t    *number = malloc(((size_t) mf_seen_most(bytes.left) + 1) * sizeof(*number));
	uint8_t    *copy = malloc(bytes.left + 1);
	int64_t		n;

	for (int32_t i = 0; i < limit; i++)
		same[i] = i;
	if (bytes.left > 0)
		memcpy(copy, bytes.at, bytes.left);
	copy = realloc(copy, bytes.left > 0 ? bytes.left : 1);
	n = mf_seen_decode(copy, bytes.left, limit, same, number);
	require(n >= MF_SEEN_DAMAGED && n <= mf_seen_most(bytes.left));
	for (int64_t i = 0; i < n; i++)
		require(number[i] < limit && (i == 0 || number[i - 1] < number[i]));
	if (n >= 0)
		check_round(number, n, limit, same);
	free(copy);
	free(number);
	free(same);
	return 0;
}
