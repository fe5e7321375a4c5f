-- lists of items that are less alike: diversity
CREATE SCHEMA test_diversity;
SET search_path = test_diversity, public;
SET client_min_messages = warning;
CREATE TABLE ratings AS
	SELECT u AS user_id, i AS item_id, 1 + (CASE WHEN u % 5 = i % 5 THEN 2 ELSE 0 END + (u * 7 + i * 3) % 3)::real AS rating
	FROM generate_series(1, 60) u, generate_series(1, 300) i
	WHERE (u * 13 + i * 29) % 11 < CASE WHEN u % 5 = i % 5 THEN 6 ELSE 1 + i % 2 END AND i <= 290 + u;
CREATE INDEX ON ratings (user_id);
CREATE TABLE products AS SELECT i AS id, i % 5 AS kind FROM generate_series(1, 350) i;
SELECT model FROM mf_train('ratings', factors => 8, iterations => 8);
SELECT model FROM mf_train('ratings', 'clicks', feedback => 'implicit', factors => 8, iterations => 8);
SELECT model FROM mf_train('ratings', 'stars', interest_weight => 0, factors => 8, iterations => 8);

-- the mean cosine of a list's pairs, as items are similar to each other
CREATE FUNCTION alike(list bigint[], by_model text) RETURNS double precision LANGUAGE sql STABLE AS $$
	SELECT avg(s.similarity) FROM unnest(list) WITH ORDINALITY a (item, n), LATERAL mf_similar_items(a.item, 1000, by_model) s
	WHERE s.id = ANY (list)
$$;
CREATE FUNCTION list(u int, k int, m text, d double precision) RETURNS bigint[] LANGUAGE sql STABLE AS $$
	SELECT array_agg(item_id ORDER BY rank) FROM mf_recommend(u, k, m, diversity => d)
$$;

-- 0 and null are as without, bit for bit; the first item stays; scores are the items' own
SELECT m AS model, bool_and(plain.l = zero.l AND plain.l = none.l) AS as_without
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, generate_series(1, 62) u,
	LATERAL (SELECT array_agg(r::text ORDER BY rank) AS l FROM mf_recommend(u, 20, m) r) plain,
	LATERAL (SELECT array_agg(r::text ORDER BY rank) AS l FROM mf_recommend(u, 20, m, diversity => 0) r) zero,
	LATERAL (SELECT array_agg(r::text ORDER BY rank) AS l FROM mf_recommend(u, 20, m, diversity => NULL) r) none
GROUP BY 1 ORDER BY 1;
SELECT m AS model, d, bool_and((list(u, 10, m, d))[1] = (list(u, 10, m, 0))[1]) AS best_first, bool_and(list(u, 10, m, d) = list(u, 10, m, d)) AS same_again,
	bool_and(list(u, 1, m, d) = list(u, 1, m, 0)) AS alone
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, unnest(ARRAY[0.3, 0.7, 1]) d, generate_series(1, 62) u GROUP BY 1, 2 ORDER BY 1, 2;
SELECT m AS model, bool_and(r.score = a.score AND r.predicted_rating IS NOT DISTINCT FROM a.predicted_rating AND r.reason = a.reason) AS own_scores, count(*)
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, generate_series(1, 62, 3) u,
	LATERAL mf_recommend(u, 10, m, diversity => 0.5) r JOIN LATERAL mf_recommend(u, 1000, m) a USING (item_id) GROUP BY 1 ORDER BY 1;

-- the more, the less alike
SELECT m AS model, s[2] < 0.9 * s[1] AS falls, s[3] < s[2] AS further, s[4] < s[3] AS and_further
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, LATERAL (SELECT array_agg(v ORDER BY d) AS s
	FROM (SELECT d, avg(alike(list(u, 10, m, d), m)) AS v FROM unnest(ARRAY[0, 0.3, 0.6, 1]) d, generate_series(1, 60, 7) u GROUP BY d) x) y ORDER BY 1;

-- the formula of the reference, in SQL, from list vectors that pairs of items are compared by
CREATE FUNCTION by_formula(u int, k int, m text, d double precision) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE chosen bigint[] := '{}'; next bigint;
BEGIN
	CREATE TEMP TABLE pool ON COMMIT DROP AS SELECT item_id, rank, score::double precision, 0::double precision AS alike
		FROM mf_recommend(u, 5 * k, m);
	FOR place IN 1 .. k LOOP
		SELECT item_id INTO next FROM pool, (SELECT min(score) AS low, max(score) AS high FROM pool) s
			WHERE item_id <> ALL (chosen) ORDER BY place = 1 AND rank > 1, round(((1 - d) * (score - low) / (high - low) - 5 * d * alike / (k - 1))::numeric, 5) DESC, rank LIMIT 1;
		chosen := chosen || next;
		UPDATE pool SET alike = alike + greatest(0, s.similarity) ^ 1.5::double precision FROM mf_similar_items(next, 1000, m) s WHERE s.id = pool.item_id;
	END LOOP;
	DROP TABLE pool;
	RETURN chosen;
END $$;
SELECT d, bool_and(list(u, 5, 'clicks', d) = by_formula(u, 5, 'clicks', d)) AS as_documented
FROM unnest(ARRAY[0.2, 0.5, 0.9]) d, generate_series(1, 60, 6) u GROUP BY d ORDER BY d;

-- beside what else a list obeys
SELECT count(*), count(DISTINCT p.kind), max(of_kind) FROM (SELECT u, p.kind, count(*) AS of_kind FROM generate_series(1, 10) u,
	LATERAL mf_recommend(u, 10, diversity => 0.4, per_group => 3, group_table => 'products', group_column => 'kind') r JOIN products p ON p.id = r.item_id GROUP BY 1, 2) p;
SELECT bool_and(r.item_id = ANY (c.among) AND r.item_id % 3 <> 0) AS among, count(*) FROM generate_series(1, 10) u,
	(SELECT array_agg(id) AS among FROM products WHERE id % 7 < 4) c,
	LATERAL mf_recommend(u, 10, diversity => 0.4, candidates => c.among, exclude => ARRAY(SELECT id FROM products WHERE id % 3 = 0)) r;
SELECT count(*) AS seen FROM generate_series(1, 60) u, LATERAL mf_recommend(u, 10, diversity => 1) r, ratings s WHERE s.user_id = u AND s.item_id = r.item_id;
SELECT count(*) > 0 AS seen FROM generate_series(1, 60) u, LATERAL mf_recommend(u, 10, diversity => 1, exclude_seen => false) r, ratings s WHERE s.user_id = u AND s.item_id = r.item_id;
SELECT count(*), count(DISTINCT item_id), min(reason) FROM mf_recommend(4711, 10, diversity => 0.5);
SELECT count(*), count(DISTINCT item_id) FROM mf_recommend(1, 400, diversity => 0.5, exclude_seen => false);

-- a basket, all users, an evaluation
SELECT bool_and(r.item_id <> ALL (ARRAY[3, 8])) AS without, count(*), count(p.item_id) < 10 AS other_than_plain
FROM mf_recommend_for(ARRAY[3, 8], k => 10, model => 'clicks', diversity => 0.5) r LEFT JOIN mf_recommend_for(ARRAY[3, 8], k => 10, model => 'clicks') p USING (item_id);
SELECT m AS model, d, bool_and(a.items = r.items AND a.scores = r.scores) AS as_one_by_one, count(*) FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, unnest(ARRAY[0, 0.3, 1]) d,
	LATERAL (SELECT user_id, array_agg(item_id ORDER BY rank) AS items, array_agg(score ORDER BY rank) AS scores FROM mf_recommend_all(10, m, diversity => d) GROUP BY 1) a,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items, array_agg(score ORDER BY rank) AS scores FROM mf_recommend(a.user_id, 10, m, diversity => d, fresh => false)) r
GROUP BY 1, 2 ORDER BY 1, 2;
CREATE TABLE test AS SELECT user_id, item_id + 1 AS item_id, rating FROM ratings WHERE item_id % 4 = 1;
SELECT metric, bool_and(less) AS falls FROM (SELECT metric, value < lag(value) OVER (PARTITION BY metric ORDER BY d) AS less
	FROM unnest(ARRAY[0, 0.3, 0.7]) d, LATERAL mf_evaluate('test', 10, 'clicks', diversity => d) WHERE metric = 'intra_list_similarity') x GROUP BY 1;
-- the metrics, in SQL
WITH lists AS (SELECT t.user_id, r.item_id, r.rank FROM (SELECT DISTINCT t.user_id FROM test t WHERE NOT EXISTS (SELECT FROM ratings r WHERE (r.user_id, r.item_id) = (t.user_id, t.item_id))
		AND t.item_id IN (SELECT item_id FROM ratings)) t, LATERAL mf_recommend(t.user_id, 10, 'clicks', diversity => 0.3) r),
	naive AS (SELECT 'popularity' AS metric, avg(c.n::double precision / 60) AS value FROM lists JOIN (SELECT item_id, count(*) AS n FROM ratings GROUP BY 1) c USING (item_id)
		UNION ALL SELECT 'intra_list_similarity', avg(alike) FROM (SELECT alike(array_agg(item_id), 'clicks') FROM lists GROUP BY user_id) x)
SELECT metric, abs(e.value - n.value) < 1e-6 AS agrees FROM mf_evaluate('test', 10, 'clicks', diversity => 0.3) e JOIN naive n USING (metric) ORDER BY 1;

-- all users, with filters: as one by one, and among what these let in; many candidates and few
SELECT m AS model, d, w.n AS candidates, bool_and(a.items = r.items AND a.scores = r.scores) AS as_one_by_one, bool_and(a.items <@ w.among AND NOT a.items && w.without) AS let_in, count(*)
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, unnest(ARRAY[0.3, 1]) d, (SELECT n, array_agg(id::bigint) AS among, array_agg(id::bigint) FILTER (WHERE id % 4 = 1) AS without
		FROM products, unnest(ARRAY[100, 340]) n WHERE id <= n GROUP BY n) w,
	LATERAL (SELECT user_id, array_agg(item_id ORDER BY rank) AS items, array_agg(score ORDER BY rank) AS scores FROM mf_recommend_all(10, m, diversity => d, candidates => w.among, exclude => w.without) GROUP BY 1) a,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items, array_agg(score ORDER BY rank) AS scores FROM mf_recommend(a.user_id, 10, m, diversity => d, fresh => false, candidates => w.among, exclude => w.without)) r
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT bool_and(a.items = r.items) AS as_one_by_one, count(*)
FROM (SELECT user_id, array_agg(item_id ORDER BY rank) AS items FROM mf_recommend_all(10, 'clicks', diversity => 0.4, per_group => 3, group_table => 'products', group_column => 'kind') GROUP BY 1) a,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend(a.user_id, 10, 'clicks', fresh => false, diversity => 0.4, per_group => 3, group_table => 'products', group_column => 'kind')) r;
SELECT count(*), bool_and(r.item_id % 7 = 2 AND r.item_id <> 9) AS let_in, count(DISTINCT p.kind) AS kinds FROM mf_recommend_for(ARRAY[3, 8], k => 5, model => 'clicks', diversity => 0.5,
	candidates => ARRAY(SELECT id FROM products WHERE id % 7 = 2), exclude => ARRAY[9], per_group => 1, group_table => 'products', group_column => 'kind') r JOIN products p ON p.id = r.item_id;

-- what is no diversity
SELECT mf_recommend(1, diversity => -0.1);
SELECT mf_recommend(1, diversity => 1.1);
SELECT mf_recommend(1, diversity => 'NaN');
SELECT mf_recommend_for(ARRAY[1], diversity => 2);
SELECT * FROM mf_recommend_all(2, diversity => 2);
SELECT * FROM mf_evaluate('test', diversity => 2);
SELECT count(mf_drop(m)::text) FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m;
DROP SCHEMA test_diversity CASCADE;
