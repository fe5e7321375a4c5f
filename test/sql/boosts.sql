-- numbers that are added to scores: exact
CREATE SCHEMA test_boosts;
SET search_path = test_boosts, public;
SET client_min_messages = warning;
CREATE TABLE ratings AS
	SELECT u AS user_id, i AS item_id, ((u * 7 + i * 3) % 5 + 1)::real AS rating
	FROM generate_series(1, 40) u, generate_series(1, 300) i WHERE (u * 13 + i * 29) % 11 < 5;
CREATE INDEX ON ratings (user_id);
SELECT model FROM mf_train('ratings', factors => 6, iterations => 6);
SELECT model FROM mf_train('ratings', 'clicks', feedback => 'implicit', factors => 6, iterations => 6);
SELECT model FROM mf_train('ratings', 'stars', interest_weight => 0, factors => 6, iterations => 6);
-- from -1e6 to 1e6, small ones, zero, null, and no row; most items have none
CREATE TABLE products AS SELECT i AS id, i % 7 AS seller, CASE i % 6 WHEN 0 THEN sin(i) * 1e6 WHEN 1 THEN sin(i) / 4 WHEN 2 THEN sin(i) * 20 WHEN 3 THEN 0 END AS boost
	FROM generate_series(1, 310) i WHERE i % 10 < 8;

CREATE FUNCTION naive(u int, m text, k int, among bigint[], seen boolean) RETURNS bigint[] LANGUAGE sql STABLE AS $$
	SELECT array_agg(item_id ORDER BY place) FROM (SELECT item_id, row_number() OVER (ORDER BY r.score + coalesce(p.boost, 0) DESC, r.rank) AS place
		FROM mf_recommend(u, 10000, m, candidates => among, exclude_seen => seen) r LEFT JOIN products p ON p.id = r.item_id) x WHERE place <= k
$$;
-- a table, of all items and of some; beside candidates, an array
SELECT m AS model, k, bool_and(got.items = naive(u, m, k, NULL, seen)) AS exact, count(*), max(got.n) AS rows
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, unnest(ARRAY[1, 10, 60]) k, generate_series(1, 42) u, unnest(ARRAY[true, false]) seen,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items, count(*) AS n FROM mf_recommend(u, k, m, exclude_seen => seen, boost_table => 'products', boost_column => 'boost')) got
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT m AS model, k, bool_and(t.items = naive(u, m, k, c.among, true)) AS by_table, bool_and(a.items = t.items) AS by_array, max(t.n) AS rows
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, unnest(ARRAY[1, 10, 200]) k, generate_series(1, 42) u,
	LATERAL (SELECT array_agg(id::bigint ORDER BY id) AS among, array_agg(boost ORDER BY id) AS boosts FROM products WHERE id % 3 = u % 3) c,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items, count(*) AS n FROM mf_recommend(u, k, m, candidates => c.among, boost_table => 'products', boost_column => 'boost')) t,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend(u, k, m, candidates => c.among, boosts => c.boosts)) a
GROUP BY 1, 2 ORDER BY 1, 2;
-- scores are sums
SELECT m AS model, bool_and(abs(b.score - (r.score + coalesce(p.boost, 0))) <= 1e-6 * (1 + abs(r.score) + abs(coalesce(p.boost, 0)))) AS sums,
	bool_and(b.predicted_rating IS NOT DISTINCT FROM r.predicted_rating) AS own_ratings, count(*)
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, generate_series(1, 42) u,
	LATERAL mf_recommend(u, 100, m, boost_table => 'products', boost_column => 'boost') b JOIN LATERAL mf_recommend(u, 10000, m) r USING (item_id) LEFT JOIN products p ON p.id = b.item_id
GROUP BY 1 ORDER BY 1;

-- beside exclude and groups
SELECT bool_and(got.items = (SELECT array_agg(item_id ORDER BY place) FROM (SELECT item_id, row_number() OVER (ORDER BY place) AS place FROM (
		SELECT item_id, place, row_number() OVER (PARTITION BY seller ORDER BY place) AS of_seller, seller FROM (
			SELECT item_id, seller, row_number() OVER (ORDER BY r.score + coalesce(p.boost, 0) DESC, r.rank) AS place
			FROM mf_recommend(u, 10000, exclude => ARRAY[6, 12, 18, 25]) r LEFT JOIN products p ON p.id = r.item_id) a) b WHERE seller IS NULL OR of_seller <= 2) c WHERE place <= 12)) AS exact
FROM generate_series(1, 42) u, LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend(u, 12, exclude => ARRAY[6, 12, 18, 25],
	boost_table => 'products', boost_column => 'boost', per_group => 2, group_table => 'products', group_column => 'seller')) got;
-- a basket, all users
SELECT m AS model, bool_and(got.items = (SELECT array_agg(item_id ORDER BY place) FROM (SELECT item_id, row_number() OVER (ORDER BY r.score + coalesce(p.boost, 0) DESC, r.rank) AS place
		FROM mf_recommend_for(ARRAY[b, b + 5], ARRAY[4, 2], k => 10000, model => m) r LEFT JOIN products p ON p.id = r.item_id) x WHERE place <= 20)) AS exact
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, unnest(ARRAY[1, 17, 100, 900]) b,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend_for(ARRAY[b, b + 5], ARRAY[4, 2], k => 20, model => m, boost_table => 'products', boost_column => 'boost')) got
GROUP BY 1 ORDER BY 1;
SELECT m AS model, seen, bool_and(a.items = naive(a.user_id::int, m, 15, NULL, seen)) AS exact, count(*)
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, unnest(ARRAY[true, false]) seen, LATERAL (SELECT user_id, array_agg(item_id ORDER BY rank) AS items
	FROM mf_recommend_all(15, m, exclude_seen => seen, boost_table => 'products', boost_column => 'boost') GROUP BY 1) a
GROUP BY 1, 2 ORDER BY 1, 2;
-- with diversity, as one by one
SELECT bool_and(a.items = r.items) AS as_one_by_one, count(*)
FROM (SELECT user_id, array_agg(item_id ORDER BY rank) AS items FROM mf_recommend_all(10, 'clicks', diversity => 0.3, boost_table => 'products', boost_column => 'boost') GROUP BY 1) a,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend(a.user_id, 10, 'clicks', fresh => false, diversity => 0.3, boost_table => 'products', boost_column => 'boost')) r;

-- beside filters of all kinds: the order of sums, of what these let in, of each seller at most so many; many candidates and few
CREATE FUNCTION filtered(scored text, k int, among bigint[], without bigint[], per int) RETURNS bigint[] LANGUAGE plpgsql STABLE AS $$
DECLARE list bigint[];
BEGIN
	EXECUTE 'SELECT array_agg(item_id ORDER BY place) FROM (SELECT item_id, place, row_number() OVER (ORDER BY place) AS rank FROM (
			SELECT item_id, seller, place, row_number() OVER (PARTITION BY seller ORDER BY place) AS of_seller FROM (
				SELECT item_id, seller, row_number() OVER (ORDER BY r.score + coalesce(p.boost, 0) DESC, r.rank) AS place
				FROM (' || scored || ') r LEFT JOIN products p ON p.id = r.item_id WHERE item_id = ANY ($1) AND item_id <> ALL ($2)) a) b
		WHERE $3 IS NULL OR seller IS NULL OR of_seller <= $3) c WHERE rank <= $4' INTO list USING among, without, per, k;
	RETURN list;
END $$;
CREATE TABLE wishes AS SELECT n, per, array_agg(i ORDER BY i) AS among, array_agg(boost ORDER BY i) AS boosts, array_agg(seller ORDER BY i) AS sellers, '{6,12,18,25}'::bigint[] AS without
	FROM unnest(ARRAY[60, 300]) n, unnest(ARRAY[NULL, 1, 3]) per, generate_series(1, 300) i LEFT JOIN products p ON p.id = i WHERE i <= n GROUP BY 1, 2;
SELECT m AS model, w.n AS candidates, w.per, bool_and(t.items = naive.items) AS by_table, bool_and(a.items = naive.items) AS by_array, count(*)
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, generate_series(1, 42, 4) u, wishes w,
	LATERAL (SELECT filtered(format('SELECT * FROM mf_recommend(%s, 10000, %L)', u, m), 12, w.among, w.without, w.per) AS items) naive,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend(u, 12, m, candidates => w.among, exclude => w.without, boost_table => 'products', boost_column => 'boost',
		per_group => w.per, group_table => CASE WHEN w.per IS NOT NULL THEN 'products'::regclass END, group_column => CASE WHEN w.per IS NOT NULL THEN 'seller' END)) t,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend(u, 12, m, candidates => w.among, exclude => w.without, boosts => w.boosts,
		per_group => w.per, groups => CASE WHEN w.per IS NOT NULL THEN w.sellers END)) a
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT m AS model, w.n AS candidates, w.per, bool_and(t.items = naive.items) AS by_table, bool_and(a.items = naive.items) AS by_array, count(*)
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, unnest(ARRAY[1, 17, 100, 900]::bigint[]) b, wishes w,
	LATERAL (SELECT filtered(format('SELECT * FROM mf_recommend_for(ARRAY[%s, %s], ARRAY[4, 2], 10000, %L)', b, b + 5, m), 12, w.among, w.without, w.per) AS items) naive,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend_for(ARRAY[b, b + 5], ARRAY[4, 2], 12, m, candidates => w.among, exclude => w.without, boost_table => 'products', boost_column => 'boost',
		per_group => w.per, group_table => CASE WHEN w.per IS NOT NULL THEN 'products'::regclass END, group_column => CASE WHEN w.per IS NOT NULL THEN 'seller' END)) t,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend_for(ARRAY[b, b + 5], ARRAY[4, 2], 12, m, candidates => w.among, exclude => w.without, boosts => w.boosts,
		per_group => w.per, groups => CASE WHEN w.per IS NOT NULL THEN w.sellers END)) a
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT m AS model, w.n AS candidates, w.per, bool_and(a.items = filtered(format('SELECT * FROM mf_recommend(%s, 10000, %L)', a.user_id, m), 12, w.among, w.without, w.per)) AS exact, count(*)
FROM unnest(ARRAY['ratings', 'clicks', 'stars']) m, wishes w, LATERAL (SELECT user_id, array_agg(item_id ORDER BY rank) AS items
	FROM mf_recommend_all(12, m, candidates => w.among, exclude => w.without, boost_table => 'products', boost_column => 'boost',
		per_group => w.per, group_table => CASE WHEN w.per IS NOT NULL THEN 'products'::regclass END, group_column => CASE WHEN w.per IS NOT NULL THEN 'seller' END) GROUP BY 1) a
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT bool_and(a.items = r.items) AS as_one_by_one, count(*)
FROM (SELECT user_id, array_agg(item_id ORDER BY rank) AS items FROM mf_recommend_all(6, 'clicks', diversity => 0.3, boost_table => 'products', boost_column => 'boost',
		per_group => 4, group_table => 'products', group_column => 'seller') GROUP BY 1) a,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS items FROM mf_recommend(a.user_id, 6, 'clicks', fresh => false, diversity => 0.3, boost_table => 'products', boost_column => 'boost',
		per_group => 4, group_table => 'products', group_column => 'seller')) r;
-- more groups than items
SELECT count(*) AS listed, count(DISTINCT item_id) AS items FROM mf_recommend_all(5, 'clicks', exclude_seen => false, boost_table => 'products', boost_column => 'boost',
	candidates => ARRAY(SELECT 5 + i % 3 FROM generate_series(1, 3000) i), per_group => 1, groups => ARRAY(SELECT 'group ' || i FROM generate_series(1, 3000) i));
-- with none that the filters let in
SELECT count(*) FROM mf_recommend_all(5, 'clicks', candidates => ARRAY[]::int[], boost_table => 'products', boost_column => 'boost');
SELECT count(*), count(DISTINCT item_id) FROM mf_recommend_all(5, 'clicks', candidates => ARRAY[9, 19, 29], exclude_seen => false, boost_table => 'products', boost_column => 'boost');

-- numbers of every kind, ids of another name, boosts of nothing and of zero; what the snapshot sees counts
CREATE TABLE kinds AS SELECT id AS item, 5::smallint AS a, 5 AS b, 5::bigint AS c, 5::real AS d, 5::numeric AS e, 0 AS zero FROM products WHERE id % 2 = 0;
SELECT k AS kind, count(*), min(item_id % 2) AS least, max(item_id % 2) AS most FROM unnest(ARRAY['a', 'b', 'c', 'd', 'e']) k, LATERAL mf_recommend(2, 20, 'clicks', boost_table => 'kinds', boost_column => k, boost_id_column => 'item') GROUP BY 1 ORDER BY 1;
SELECT bool_and(a = b) AS as_without FROM generate_series(1, 42) u, LATERAL (SELECT array_agg(r::text ORDER BY rank) AS a FROM mf_recommend(u, 20) r) x,
	LATERAL (SELECT array_agg(r::text ORDER BY rank) AS b FROM mf_recommend(u, 20, boost_table => 'kinds', boost_column => 'zero', boost_id_column => 'item') r) y;
BEGIN;
UPDATE kinds SET b = -5;
SELECT max(item_id % 2) AS most, min(item_id % 2) AS least FROM mf_recommend(2, 20, 'clicks', boost_table => 'kinds', boost_column => 'b', boost_id_column => 'item');
DELETE FROM kinds;
SELECT count(*) FROM mf_recommend(2, 20, 'clicks', boost_table => 'kinds', boost_column => 'b', boost_id_column => 'item');
ROLLBACK;
SELECT item_id, score FROM mf_recommend(4711, 3, candidates => ARRAY[5, 6, 7, 9999], boosts => ARRAY[1e6, NULL, -1e6, 3]);
SELECT item_id FROM mf_recommend(1, 3, 'clicks', candidates => ARRAY[5, 6, 5, 7], boosts => ARRAY[2, 0, 2, 1], exclude_seen => false);
SELECT count(*) FROM mf_recommend(1, 3, candidates => ARRAY[]::int[], boosts => ARRAY[]::float8[]);
SELECT count(*) FROM mf_recommend('1', 3, item_type => NULL::int, candidates => '{5,6,7}', boosts => '{1,2,3}', exclude_seen => false);

-- what is no boost
SELECT mf_recommend(1, candidates => ARRAY[1, 2], boosts => ARRAY[1, 'NaN']::float8[]);
SELECT mf_recommend(1, candidates => ARRAY[1, 2], boosts => ARRAY['-Infinity', 1]::float8[]);
SELECT mf_recommend(1, candidates => ARRAY[1, 2], boosts => ARRAY[1, 1e31]);
SELECT mf_recommend(1, candidates => ARRAY[1, 2], boosts => ARRAY[1]);
SELECT mf_recommend(1, candidates => ARRAY[1, 2], boosts => ARRAY[[1, 2]]);
SELECT mf_recommend(1, boosts => ARRAY[1]);
SELECT mf_recommend(1, candidates => ARRAY[1, 1], boosts => ARRAY[1, 2]);
SELECT mf_recommend(1, candidates => ARRAY[1], boosts => ARRAY[1], boost_table => 'products', boost_column => 'boost');
SELECT mf_recommend(1, boost_table => 'products');
SELECT mf_recommend(1, boost_column => 'boost');
SELECT mf_recommend(1, boost_table => 'products', boost_column => 'boost', boost_id_column => NULL);
SELECT mf_recommend(1, boost_table => 'products', boost_column => 'nothing');
SELECT mf_recommend(1, boost_table => 'kinds', boost_column => 'a');
SELECT mf_recommend_for(ARRAY[1], boost_table => 'products');
SELECT * FROM mf_recommend_all(2, boost_table => 'products');
SELECT mf_recommend_for(ARRAY[1], boosts => ARRAY[1]);
SELECT mf_recommend_for(ARRAY[1], candidates => ARRAY[2, 3], boosts => ARRAY[1]);
CREATE VIEW wrong AS SELECT id, 'NaN'::real AS boost, 'a'::text AS word, id::text AS string FROM products;
SELECT mf_recommend(1, boost_table => 'wrong', boost_column => 'boost');
SELECT * FROM mf_recommend_all(2, boost_table => 'wrong', boost_column => 'boost');
SELECT mf_recommend(1, boost_table => 'wrong', boost_column => 'word');
SELECT mf_recommend(1, boost_table => 'products', boost_column => 'boost', boost_id_column => 'seller');
CREATE VIEW strings AS SELECT id::text AS id, boost FROM products;
SELECT mf_recommend(1, boost_table => 'strings', boost_column => 'boost');
-- lists of all users: before a row is listed, and before users and their rows are read, which may take long
CREATE FUNCTION readable() RETURNS boolean LANGUAGE plpgsql AS $$BEGIN
	IF current_setting('test.readable', true) = 'no' THEN RAISE EXCEPTION 'the source is read'; END IF;
	RETURN true;
END $$;
CREATE VIEW slow AS SELECT * FROM ratings WHERE readable();
SELECT model FROM mf_train('slow', factors => 2, iterations => 2);
SET test.readable = 'no';
SELECT (r).item_id FROM (SELECT mf_recommend_all(2, 'slow') AS r) l;
SELECT (r).item_id FROM (SELECT mf_recommend_all(2, 'slow', boost_table => 'wrong', boost_column => 'boost') AS r) l;
SELECT (r).item_id FROM (SELECT mf_recommend_all(2, 'slow', boost_table => 'strings', boost_column => 'boost') AS r) l;
CREATE VIEW late AS SELECT id, CASE WHEN id = 307 THEN 'Infinity'::real ELSE id END AS boost, 1 AS seller FROM products UNION ALL SELECT 1, 1, 2;
SELECT (r).item_id FROM (SELECT mf_recommend_all(2, 'slow', boost_table => 'late', boost_column => 'boost') AS r) l;
SELECT (r).item_id FROM (SELECT mf_recommend_all(2, 'slow', per_group => 1, group_table => 'late', group_column => 'seller') AS r) l;
RESET test.readable;
SELECT count(mf_drop(m)::text) FROM unnest(ARRAY['ratings', 'clicks', 'stars', 'slow']) m;
DROP SCHEMA test_boosts CASCADE;
