-- The split is a function of ids, fraction and seed alone, and must never change: these are pinned.
SELECT string_agg(mf_holdout(u, i, 0.5)::int::text, '' ORDER BY u, i) AS integers
  FROM generate_series(-2, 5) u, generate_series(1, 8) i;
SELECT string_agg(mf_holdout('user ' || u, 'item ' || i, 0.5)::int::text, '' ORDER BY u, i) AS texts
  FROM generate_series(-2, 5) u, generate_series(1, 8) i;
SELECT string_agg(mf_holdout(md5(u::text)::uuid, md5(i::text)::uuid, 0.5)::int::text, '' ORDER BY u, i) AS uuids
  FROM generate_series(-2, 5) u, generate_series(1, 8) i;
SELECT string_agg(mf_holdout(u, i, 0.5, seed => -7)::int::text, '' ORDER BY u, i) AS another_seed
  FROM generate_series(-2, 5) u, generate_series(1, 8) i;
SELECT string_agg(mf_holdout(u, i, 0.5)::int::text, '' ORDER BY u) AS extremes
  FROM (VALUES (-9223372036854775808, 0), (9223372036854775807, 0), (0, -1), (4294967296, 1), (-1, 2147483648)) AS t (u, i);
SELECT string_agg(mf_holdout(t, t || 'x', 0.5)::int::text, '' ORDER BY t COLLATE "C") AS odd_texts
  FROM unnest(ARRAY['', ' ', '0', '-0', '007', '-', '9223372036854775808', 'Unicode', repeat('long', 5000)]) t;

-- One id is the same in every type.
SELECT count(*) AS pairs, count(*) FILTER (WHERE t IS DISTINCT FROM v) AS differ
  FROM generate_series(-300, 300) u, generate_series(1, 9) i,
  LATERAL (SELECT mf_holdout(u, i) AS v) AS plain,
  LATERAL (VALUES (mf_holdout(u::smallint, i::bigint)), (mf_holdout(u::bigint, i::smallint)),
	(mf_holdout(u::text, i::text)), (mf_holdout(u::varchar, i)), (mf_holdout(u::char(12), i::name)),
	(mf_holdout(u::numeric(9, 2), i::real)), (mf_holdout(u::double precision, i::oid))) AS typed (t);
SELECT count(*) FILTER (WHERE mf_holdout(u, u) IS DISTINCT FROM mf_holdout(u::text, u::text)) AS differ,
	count(*) FILTER (WHERE mf_holdout(u, 1) IS DISTINCT FROM mf_holdout(upper(u::text)::uuid, '1')) AS differ_too
  FROM (SELECT md5(n::text)::uuid AS u FROM generate_series(1, 300) n) AS ids;
SELECT mf_holdout('42', '7', 0.7) = mf_holdout(42, 7, 0.7) AS literals, mf_holdout('42', 7, 0.7) = mf_holdout(42, '7', 0.7) AS mixed;
PREPARE split AS SELECT mf_holdout($1, $2) = mf_holdout(42, 7);
EXECUTE split ('42', '7');

-- Users and items are not interchangeable; shares are what was asked for; fractions nest; seeds are independent.
SELECT count(*) FILTER (WHERE mf_holdout(u, i)) AS fifth, count(*) FILTER (WHERE mf_holdout(u, i, 0)) AS none,
	count(*) FILTER (WHERE mf_holdout(u, i, 1)) AS all_of_them,
	count(*) FILTER (WHERE mf_holdout(u, i, 0.1) AND NOT mf_holdout(u, i, 0.2)) AS not_nested,
	count(*) FILTER (WHERE mf_holdout(u, i) AND mf_holdout(u, i, 0.2, 2)) AS twenty_fifth,
	count(*) FILTER (WHERE mf_holdout(u, i) AND mf_holdout(i, u)) AS mirrored
  FROM generate_series(1, 400) u, generate_series(1, 400) i;

-- Two views.
CREATE TABLE split_ratings (user_id int, item_id bigint, rating real);
INSERT INTO split_ratings SELECT u, i, 1 + (u * i) % 5 FROM generate_series(1, 50) u, generate_series(1, 20) i;
INSERT INTO split_ratings VALUES (NULL, 1, 1), (1, NULL, 1);
CREATE VIEW split_train AS SELECT * FROM split_ratings WHERE NOT mf_holdout(user_id, item_id, 0.2);
CREATE VIEW split_test AS SELECT * FROM split_ratings WHERE mf_holdout(user_id, item_id, 0.2);
SELECT (SELECT count(*) FROM split_train) AS train, (SELECT count(*) FROM split_test) AS test;
CREATE INDEX ON split_ratings (user_id) WHERE mf_holdout(user_id, item_id);

-- Mistakes.
SELECT mf_holdout(1, NULL) IS NULL AND mf_holdout(NULL, 1) IS NULL AND mf_holdout(NULL, NULL) IS NULL AS null_ids;
SELECT mf_holdout(1, 1, 20);
SELECT mf_holdout(1, 1, 'NaN');
SELECT mf_holdout(1, 1, NULL);
SELECT mf_holdout(1, 1, 0.2, NULL);
SELECT mf_holdout(1, timestamptz '2024-01-01');
DROP TABLE split_ratings CASCADE;
