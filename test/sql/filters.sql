-- candidates and exclude of mf_recommend.
CREATE SCHEMA test_filters;
SET search_path = test_filters, public;
CREATE TABLE bought (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO bought SELECT u, i FROM generate_series(1, 20) u, generate_series(1, 20) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('bought', factors => 4);
CREATE TABLE products (id bigint PRIMARY KEY, in_stock boolean);
INSERT INTO products SELECT i, i > 10 FROM generate_series(1, 20) i;

-- only these: as many as there are, or k of them
SELECT array_agg(item_id ORDER BY item_id) FROM mf_recommend(2, 10, candidates => ARRAY[1, 3, 5]);
SELECT count(*), min(item_id) > 10 AS in_stock
FROM mf_recommend(2, 3, candidates => ARRAY(SELECT id FROM products WHERE in_stock));
-- what was bought and what nobody has bought is not among them, repetition does not matter
SELECT item_id, rank FROM mf_recommend(1, 10, candidates => ARRAY[2, 2, 999, 1, 3]);
SELECT count(*) FROM bought WHERE user_id = 1 AND item_id IN (1, 3);
SELECT array_agg(item_id ORDER BY item_id) FROM mf_recommend(1, 10, candidates => ARRAY[2, 2, 999, 1, 3], exclude_seen => false);
-- none is none, null is all
SELECT count(*) FROM mf_recommend(2, 10, candidates => ARRAY[]::int[]);
SELECT count(*) FROM mf_recommend(2, 10, candidates => ARRAY(SELECT id FROM products WHERE false));
SELECT count(*) FROM mf_recommend(2, 10, candidates => NULL);
SELECT count(*) FROM mf_recommend(2, 10, candidates => NULL::int[]);

-- not these, and still k
SELECT count(*), bool_or(item_id IN (1, 3, 5)) AS excluded
FROM mf_recommend(2, 9, exclude => ARRAY[1, 3, 5]);
SELECT count(*) FROM mf_recommend(2, 100);
SELECT count(*) FROM mf_recommend(2, 100, exclude => ARRAY[1, 1, 3, 999]);
SELECT count(*) FROM mf_recommend(2, 100, exclude => ARRAY[]::int[]);
SELECT count(*) FROM mf_recommend(2, 100, exclude => NULL);
SELECT count(*) FROM mf_recommend(2, 100, exclude => ARRAY(SELECT item_id FROM mf_recommend(2, 100)));

-- both: the first without the second
SELECT array_agg(item_id ORDER BY item_id)
FROM mf_recommend(2, 10, candidates => ARRAY[1, 3, 5, 7], exclude => ARRAY[3, 5]);

-- the filtered list is the whole list, filtered
SELECT count(*) AS differences FROM (
	(SELECT u, item_id, score, row_number() OVER (PARTITION BY u ORDER BY r.rank) AS rank
	 FROM generate_series(1, 20) u, mf_recommend(u, 100) r WHERE item_id % 3 = 0)
	EXCEPT
	(SELECT u, item_id, score, r.rank
	 FROM generate_series(1, 20) u, mf_recommend(u, 100, candidates => ARRAY(SELECT id FROM products WHERE id % 3 = 0)) r)) d;

-- popular lists for unknown users keep to the filters
SELECT count(*), bool_and(item_id IN (1, 3)) AS kept, array_agg(DISTINCT reason)
FROM mf_recommend(999, 10, candidates => ARRAY[1, 3, 5], exclude => ARRAY[5]);

-- any integer type, a literal, a literal in a prepared statement
SELECT count(*) FROM mf_recommend(2, 10, candidates => ARRAY[1, 3]::smallint[]);
SELECT count(*) FROM mf_recommend(2, 10, candidates => ARRAY[1, 3, 5000000000]);
SELECT count(*) FROM mf_recommend(2, 10, candidates => '{1,3}');
PREPARE filtered(int[]) AS SELECT count(*) FROM mf_recommend(2, 10, candidates => $1);
EXECUTE filtered(ARRAY[1, 3]);
EXECUTE filtered(NULL);
-- nulls are nothing
SELECT count(*) FROM mf_recommend(2, 100, exclude => ARRAY[1, NULL]);
SELECT count(*) FROM mf_recommend(2, 100, candidates => ARRAY[1, NULL]);

-- the popular of a category: what is popular, filtered
CREATE TABLE goods (user_id int, item_id bigint, PRIMARY KEY (user_id, item_id));
INSERT INTO goods SELECT u, i FROM generate_series(1, 60) u, generate_series(1, 40) i WHERE (u * 7 + i * 3) % 11 < 1 + i % 7;
SELECT version FROM mf_train('goods', factors => 2);
CREATE TABLE categories AS SELECT i AS id, i % 5 AS category FROM generate_series(1, 45) i;	-- five that nobody has
SELECT count(*) AS rows, count(*) FILTER (WHERE naive IS DISTINCT FROM popular) AS differ FROM
	(SELECT category, array_agg((item_id, ratings, rank)::text ORDER BY rank) AS naive FROM
		(SELECT category, item_id, count(*) AS ratings, row_number() OVER (PARTITION BY category ORDER BY count(*) DESC, item_id) AS rank
		FROM goods JOIN categories ON id = item_id GROUP BY category, item_id) n WHERE rank <= 5 GROUP BY category) n
	FULL JOIN (SELECT category, array_agg((item_id, ratings, p.rank)::text ORDER BY p.rank) AS popular
		FROM (SELECT category, array_agg(id) AS ids FROM categories GROUP BY category) c, mf_popular(5, 'goods', c.ids) p GROUP BY category) p USING (category);
SELECT count(*) AS none FROM mf_popular(10, 'goods', ARRAY[]::int[]);
SELECT count(*) AS all_of_them FROM mf_popular(100, 'goods', NULL::int[]) UNION ALL SELECT count(*) FROM mf_popular(100, 'goods', candidates => NULL::bigint[])
	UNION ALL SELECT count(*) FROM mf_popular(100, 'goods');
SELECT count(*) AS known FROM mf_popular(10, 'goods', ARRAY[7, 7, 999, NULL, 8]);
SELECT count(*) AS unknown FROM mf_popular(10, 'goods', ARRAY[43, 44]) UNION ALL SELECT count(*) FROM mf_popular(10, 'goods', ARRAY[5000000000]);
-- in every form
SELECT array_agg(item_id) = ARRAY(SELECT item_id FROM mf_popular(3, 'goods', ARRAY[1, 2, 3, 4])) AS same, min(pg_typeof(item_id)::text)
FROM mf_popular(3, NULL::bigint, 'goods', ARRAY[1, 2, 3, 4]);
SELECT min(pg_typeof(item_id)::text) AS type, count(*) FROM mf_popular(3, item_type => NULL::smallint, model => 'goods', candidates => ARRAY[1, 2]::smallint[])
UNION ALL SELECT min(pg_typeof(item_id)::text), count(*) FROM mf_popular(3, item_type => NULL::text, model => 'goods', candidates => ARRAY['1', '2'])
UNION ALL SELECT min(pg_typeof(item_id)::text), count(*) FROM mf_popular(3, NULL::text, 'goods', '{1,2}')
UNION ALL SELECT min(pg_typeof(item_id)::text), count(*) FROM mf_popular(3, NULL::text, 'goods')
UNION ALL SELECT min(pg_typeof(item_id)::text), count(*) FROM mf_popular(3, item_type => NULL::text, candidates => '{1}'::text[])
UNION ALL SELECT min(pg_typeof(item_id)::text), count(*) FROM mf_popular(3, 'goods', candidates => '{1,2}')
UNION ALL SELECT min(pg_typeof(item_id)::text), count(*) FROM mf_popular(model => 'goods', candidates => '{1,2}'::numeric[]);
PREPARE popular(int, text, int[]) AS SELECT count(*) FROM mf_popular($1, $2, $3);
EXECUTE popular(10, 'goods', '{1,2,3}');
EXECUTE popular(NULL, 'goods', NULL);
PREPARE untyped AS SELECT count(*) FROM mf_popular(10, 'goods', candidates => $1);
EXECUTE untyped('{1,2,3}');
-- a literal behind a literal is taken for the model
SELECT count(*) FROM mf_popular(10, 'goods', '{1,2}');
SELECT count(*) FROM mf_popular(10, 'goods', NULL);
SELECT count(*) FROM mf_popular(10, 'goods', ARRAY['a']);
SELECT count(*) FROM mf_popular(10, 'goods', 7);
SELECT count(*) FROM mf_popular(10, 'goods', ARRAY[true]);
SELECT mf_drop('goods');
SELECT mf_drop('bought');
SET client_min_messages = warning;
DROP SCHEMA test_filters CASCADE;
