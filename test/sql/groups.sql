-- at most n per group: by a column of a table, by an array beside the candidates; exact
CREATE SCHEMA test_groups;
SET search_path = test_groups, public;
CREATE TABLE ratings AS
	SELECT u AS user_id, i AS item_id, ((u * 7 + i * 3) % 5 + 1)::real AS rating
	FROM generate_series(1, 40) u, generate_series(1, 300) i WHERE (u * 13 + i * 29) % 11 < 5;
CREATE INDEX ON ratings (user_id);
SET client_min_messages = warning;
SELECT model FROM mf_train('ratings', factors => 4, iterations => 5);
CREATE TABLE products (id int PRIMARY KEY, seller_id int, brand text);
INSERT INTO products SELECT i, CASE WHEN i % 10 < 7 THEN 1 ELSE i % 17 END, CASE WHEN i % 3 > 0 THEN 'brand ' || i % 4 END
	FROM generate_series(1, 300) i;

-- what the list must be: the ranking of all items, cut by group in SQL
CREATE FUNCTION expected(u int, k int, n int, by_column text, among int[] DEFAULT NULL) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE list bigint[];
BEGIN
	EXECUTE format('SELECT array_agg(item_id ORDER BY rank) FROM (SELECT item_id, rank FROM (
		SELECT r.item_id, r.rank, p.%1$I AS g, row_number() OVER (PARTITION BY p.%1$I ORDER BY r.rank) AS place
		FROM mf_recommend($1, 10000, candidates => $3) r LEFT JOIN products p ON p.id = r.item_id) s
		WHERE g IS NULL OR place <= $4 ORDER BY rank LIMIT $2) t', by_column) INTO list USING u, k, among, n;
	RETURN list;
END $$;
SELECT by_column, n, k, count(*) AS users, bool_and(got = expected(u, k, n, by_column)) AS exact
FROM (VALUES ('seller_id', 1, 10), ('seller_id', 2, 10), ('seller_id', 3, 60), ('brand', 1, 10), ('brand', 2, 300)) c (by_column, n, k),
	generate_series(1, 42) u,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS got FROM mf_recommend(u, k, per_group => n, group_table => 'products', group_column => by_column)) r
GROUP BY by_column, n, k ORDER BY by_column, n, k;

-- candidates as well, and the array form
SELECT n, bool_and(by_table = expected(u, 10, n, 'seller_id', among)) AS by_table, bool_and(by_array = by_table) AS by_array
FROM (VALUES (1), (2), (5)) c (n), generate_series(1, 42) u,
	LATERAL (SELECT array_agg(id ORDER BY id) AS among, array_agg(seller_id ORDER BY id) AS sellers FROM products WHERE id % 2 = u % 2) p,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS by_table FROM mf_recommend(u, 10, candidates => among, per_group => n, group_table => 'products', group_column => 'seller_id')) t,
	LATERAL (SELECT array_agg(item_id ORDER BY rank) AS by_array FROM mf_recommend(u, 10, candidates => among, per_group => n, groups => sellers)) a
GROUP BY n ORDER BY n;

-- groups of text, ids in another column, typed items, unknown users, groups of items that are not there
ALTER TABLE products RENAME id TO product;
SELECT count(*), count(DISTINCT p.brand) FROM mf_recommend('7', 5, item_type => NULL::int, per_group => 1, group_table => 'products',
	group_column => 'brand', group_id_column => 'product') r JOIN products p ON p.product = r.item_id AND p.brand IS NOT NULL;
SELECT count(*) FROM mf_recommend(7, 3, candidates => ARRAY[1, 2, 3, 999], groups => ARRAY['a', 'a', 'a', 'b'], per_group => 1, exclude_seen => false);
SELECT reason, count(*) FROM mf_recommend(4711, 6, candidates => ARRAY[1, 2, 3, 4], groups => ARRAY['a', 'a', NULL, NULL], per_group => 1) GROUP BY reason;

-- what the snapshot sees is what counts
BEGIN;
UPDATE products SET seller_id = 5;
SELECT count(*) FROM mf_recommend(1, 10, per_group => 3, group_table => 'products', group_column => 'seller_id', group_id_column => 'product');
UPDATE products SET seller_id = NULL;
SELECT count(*) FROM mf_recommend(1, 10, per_group => 3, group_table => 'products', group_column => 'seller_id', group_id_column => 'product');
ROLLBACK;

-- nearly all items in one group: a long way down the ranking of many
CREATE TABLE many AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 12) u, generate_series(1, 5000) i WHERE (u * 13 + i * 29) % 12 = 0;
SELECT model FROM mf_train('many', factors => 2, iterations => 2);
CREATE TABLE sellers AS SELECT i AS id, CASE WHEN i % 500 = 7 THEN i END AS seller_id FROM generate_series(1, 5000) i;
UPDATE sellers SET seller_id = 1 WHERE seller_id IS NULL;
SELECT u, count(*), bool_and(got.item_id = expected.item_id) AS exact
FROM generate_series(1, 3) u,
	LATERAL mf_recommend(u, 8, 'many', fresh => false, per_group => 1, group_table => 'sellers', group_column => 'seller_id') got
	JOIN LATERAL (SELECT item_id, row_number() OVER (ORDER BY rank) AS rank FROM (
		SELECT r.item_id, r.rank, row_number() OVER (PARTITION BY seller_id ORDER BY r.rank) AS place
		FROM mf_recommend(u, 5000, 'many', fresh => false) r JOIN sellers s ON s.id = r.item_id) p WHERE place = 1) expected USING (rank)
GROUP BY u ORDER BY u;
SELECT mf_drop('many');

-- mistakes
CREATE FUNCTION fails(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN sqlstate || ' ' || sqlerrm;
END $$;
SELECT fails('SELECT mf_recommend(1, 3, per_group => 0, group_table => ''products'', group_column => ''seller_id'')');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1)');
SELECT fails('SELECT mf_recommend(1, 3, group_table => ''products'', group_column => ''seller_id'')');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, group_table => ''products'')');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, groups => ARRAY[1])');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, candidates => ARRAY[1, 2], groups => ARRAY[1])');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, candidates => ARRAY[1, 2], groups => 5)');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, group_table => ''products'', group_column => ''seller_id'')');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, group_table => ''products'', group_column => ''nothing'', group_id_column => ''product'')');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, group_table => 4294967295::oid, group_column => ''seller_id'')');
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, group_table => ''products_pkey'', group_column => ''seller_id'')');
SELECT mf_recommend(1, 3, per_group => 1, group_table => 'products', group_column => 'seller_id');
CREATE VIEW twice AS SELECT product AS id, seller_id FROM products UNION ALL SELECT product, seller_id + 1 FROM products;
SELECT fails('SELECT mf_recommend(1, 3, per_group => 1, group_table => ''twice'', group_column => ''seller_id'')') ~ 'has more than one group' AS twice;

SELECT mf_drop('ratings');
DROP SCHEMA test_groups CASCADE;
