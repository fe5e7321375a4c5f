-- Variants of an experiment are a function of ids, names and weights alone, and must never change: these are pinned.
CREATE SCHEMA test_variant;
SET search_path = test_variant, public;
SELECT string_agg(mf_variant(u, '{"a": 3, "b": 2, "c": 1}'), '' ORDER BY u) AS integers FROM generate_series(-20, 40) u;
SELECT string_agg(mf_variant('user ' || u, '{"a": 3, "b": 2, "c": 1}', 'texts'), '' ORDER BY u) AS texts FROM generate_series(-20, 40) u;
SELECT string_agg(mf_variant(md5(u::text)::uuid, '{"a": 3, "b": 2, "c": 1}'), '' ORDER BY u) AS uuids FROM generate_series(-20, 40) u;

-- One user is the same in every type, and a literal.
SELECT count(*) AS users, count(*) FILTER (WHERE t IS DISTINCT FROM v) AS differ
  FROM generate_series(-300, 300) u, LATERAL (SELECT jsonb '{"ratings": 90, "challenger": 10, "third": 20}') j (w),
  LATERAL (SELECT mf_variant(u, w) AS v) AS plain,
  LATERAL (VALUES (mf_variant(u::smallint, w)), (mf_variant(u::bigint, w)), (mf_variant(u::text, w)), (mf_variant(u::varchar, w)),
	(mf_variant(u::char(12), w)), (mf_variant(u::numeric(9, 2), w)), (mf_variant(u::real, w))) AS typed (t);
PREPARE one AS SELECT mf_variant($1, $2) = mf_variant(42, '{"a": 1, "b": 1}') AS same;
EXECUTE one ('42', '{"b": 1, "a": 1}');
SELECT mf_variant('42', '{"a": 1, "b": 1}') = mf_variant(42, variants => '{"b": 50, "a": 50}', experiment => '') AS same;

-- Shares are the weights'; experiments and splits are independent of each other.
SELECT count(*) FILTER (WHERE v = 'ratings') BETWEEN 89500 AND 90500 AS ninety, count(*) FILTER (WHERE v = 'challenger') BETWEEN 9500 AND 10500 AS ten,
	count(*) FILTER (WHERE v = 'off') AS none
  FROM (SELECT mf_variant(u, '{"ratings": 90, "challenger": 10, "off": 0}') AS v FROM generate_series(1, 100000) u) s;
SELECT count(*) FILTER (WHERE one = 'b' AND two = 'b') BETWEEN 3600 AND 4400 AS twenty_fifth,
	count(*) FILTER (WHERE one = 'b' AND held) BETWEEN 3600 AND 4400 AS of_a_split
  FROM (SELECT mf_variant(u, '{"a": 80, "b": 20}', 'one') AS one, mf_variant(u, '{"a": 80, "b": 20}', 'two') AS two,
	mf_holdout(u, 'b', 0.2) AS held FROM generate_series(1, 100000) u) s;

-- Who grows takes from all others, and nobody changes between these; from row to row the variants may be others.
SELECT count(*) BETWEEN 1700 AND 1900 AS eighteen_percent, count(*) FILTER (WHERE after <> 'b') AS elsewhere, count(DISTINCT before) AS of_variants
  FROM (SELECT mf_variant(u, '{"a": 40, "b": 10, "long name": 50}') AS before, mf_variant(u, '{"a": 32, "b": 28, "long name": 40}') AS after
	FROM generate_series(1, 10000) u) s WHERE before <> after;
SELECT count(*) AS users, count(*) FILTER (WHERE v <> w) AS wrong FROM generate_series(1, 1000) u,
	LATERAL (SELECT 'only ' || u % 3 AS w) name, LATERAL (SELECT mf_variant(u, jsonb_build_object(w, 1, 'nobody', 0)) AS v) got;

-- Immutable, so an index can use it, and a stored column.
CREATE TABLE members (id bigint PRIMARY KEY, variant text GENERATED ALWAYS AS (mf_variant(id, '{"old": 1, "new": 1}')) STORED);
INSERT INTO members (id) SELECT generate_series(1, 100);
CREATE INDEX ON members (mf_variant(id, '{"old": 1, "new": 1}'));
SELECT count(*) FILTER (WHERE variant <> mf_variant(id, '{"new": 1, "old": 1}')) AS differ, count(DISTINCT variant) FROM members;

-- A list by the variant's model.
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 12) u, generate_series(1, 12) i WHERE (u + i) % 3 = 0;
SELECT users FROM mf_train('ratings', 'champion', factors => 2) UNION ALL SELECT users FROM mf_train('ratings', 'challenger', factors => 3);
SELECT u, count(*) FROM generate_series(1, 3) u, mf_recommend(u, 2, model => mf_variant(u, '{"champion": 1, "challenger": 1}')) GROUP BY u ORDER BY u;
SELECT mf_drop('champion'), mf_drop('challenger');

-- Mistakes, and nulls in each place.
SELECT mf_variant(NULL::int, '{"a": 1}') IS NULL AND mf_variant(NULL::text, '{"a": 1}') IS NULL AND mf_variant(NULL, '{"a": 1}') IS NULL AS null_user;
SELECT mf_variant(1, NULL);
SELECT mf_variant(1, '{"a": 1}', NULL);
SELECT mf_variant(NULL, '{}');
SELECT mf_variant(1, '{"a": 0, "b": 0.0}');
SELECT mf_variant(1, '{"a": 1, "b": -1}');
SELECT mf_variant(1, '{"a": 1, "b": 1e400}');
SELECT mf_variant(1, jsonb_build_object('a', 1, 'b', 'NaN'::float8));
SELECT mf_variant(1, '{"a": "1"}');
SELECT mf_variant(1, '{"a": null}');
SELECT mf_variant(1, '{"a": true}');
SELECT mf_variant(1, '{"a": {"weight": 1}}');
SELECT mf_variant(1, '{"a": [1]}');
SELECT mf_variant(1, '["a", "b"]');
SELECT mf_variant(1, '90');
SELECT mf_variant(timestamptz '2024-01-01', '{"a": 1}');
SELECT mf_variant(1, '{"a": 1e-400, "b": 1e-300}') AS tiny, mf_variant(1, '{"a": 1, "a": 0, "": 2}') = '' AS last_of_a_name_counts;
DROP SCHEMA test_variant CASCADE;
