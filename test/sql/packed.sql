-- Rows on their way from a node of Citus to another: without Citus what packs them does the same.
CREATE TABLE packed_rows (user_id bigint, item_id text, rating real, at timestamptz, id uuid, n numeric);
INSERT INTO packed_rows
SELECT u, CASE WHEN u % 7 > 0 THEN 'item ' || u END, u::real / 4, 'epoch'::timestamptz + u * interval '1 s',
	md5(u::text)::uuid, u::numeric / 8
FROM generate_series(1, 1000) u;
-- each chunk's number comes with its first row, and all rows are in the chunks
SELECT count(*) AS chunks, sum(length(mfrec.packed_rows(n))) > 40000 AS all
FROM (SELECT n FROM (SELECT mfrec.pack_row(user_id, item_id, rating, at, id, n) AS n FROM packed_rows) r
	WHERE n IS NOT NULL ORDER BY n) c;
SELECT count(*) AS chunks, min(length) > 1000000 AS large, sum(length) - count(*) * 4 AS bytes
FROM (SELECT length(mfrec.packed_rows(n))
	FROM (SELECT n FROM (SELECT mfrec.pack_row(u) AS n FROM generate_series(1, 1000000) u) r WHERE n IS NOT NULL ORDER BY n) c
	LIMIT 4) x;
-- beyond work_mem they wait in a temporary file
SET work_mem = '64kB';
SELECT count(*) AS chunks, sum(length) - count(*) * 4 AS bytes, bool_and(a = b) AS same
FROM (SELECT length(mfrec.packed_rows(n)), n & 4294967295 AS a, row_number() OVER (ORDER BY n) - 1 AS b
	FROM (SELECT n FROM (SELECT mfrec.pack_row(u) AS n FROM generate_series(1, 1000000) u) r WHERE n IS NOT NULL ORDER BY n) c) x;
RESET work_mem;
-- nothing is given to another query, or twice
SELECT mfrec.packed_rows(0);
SELECT mfrec.packed_rows(4294967296);
SELECT mfrec.packed_rows(n), mfrec.packed_rows(n)
FROM (SELECT n FROM (SELECT mfrec.pack_row(user_id) AS n FROM packed_rows) r WHERE n IS NOT NULL ORDER BY n) c;
SELECT mfrec.packed_rows(NULL);
-- values that mean something on one node alone are not packed
SELECT mfrec.pack_row('packed_rows'::regclass);
SELECT mfrec.pack_row(VARIADIC ARRAY[1, 2]);
SELECT mfrec.pack_row(1, 2, 3, 4, 5, 6, 7, 8, 9);
SELECT mfrec.pack_row();
DROP TABLE packed_rows;
