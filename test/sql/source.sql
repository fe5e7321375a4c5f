-- What can be trained on: every kind of relation, other names, and what rows count.
CREATE SCHEMA test_source;
SET search_path = test_source, public;
CREATE TABLE stars (user_id int, item_id int, rating int);
INSERT INTO stars SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 12) u, generate_series(1, 12) i WHERE (u * 7 + i * 3) % 5 <> 0;
-- whether a rating model has learnt the board: likes of the own parity come before all dislikes
CREATE FUNCTION learnt(model text) RETURNS boolean LANGUAGE sql AS $$
	SELECT min(mf_predict(u, i, model)) FILTER (WHERE (u + i) % 2 = 0) > 3
		AND max(mf_predict(u, i, model)) FILTER (WHERE (u + i) % 2 = 1) < 3
	FROM generate_series(1, 12) u, generate_series(1, 12) i
$$;

-- a table, a view, a view over two tables, a materialized view, a partitioned table, an inheritance tree
SELECT model, users, items, ratings FROM mf_train('stars', factors => 4);
CREATE VIEW seen AS SELECT * FROM stars WHERE (user_id, item_id) <> (1, 1);
SELECT model, users, items, ratings FROM mf_train('seen', factors => 4);
CREATE TABLE orders (id int PRIMARY KEY, customer int);
CREATE TABLE lines (order_id int REFERENCES orders, product int, stars numeric);
INSERT INTO orders SELECT DISTINCT user_id, user_id FROM stars;
INSERT INTO lines SELECT user_id, item_id, rating FROM stars;
CREATE VIEW joined AS SELECT o.customer AS user_id, l.product AS item_id, l.stars AS rating
	FROM orders o JOIN lines l ON l.order_id = o.id;
SELECT model, users, items, ratings FROM mf_train('joined', factors => 4);
CREATE MATERIALIZED VIEW stored AS SELECT * FROM joined;
SELECT model, users, items, ratings FROM mf_train('stored', factors => 4);
CREATE TABLE parts (user_id int, item_id int, rating real) PARTITION BY HASH (user_id);
CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parts SELECT * FROM stars;
SELECT model, users, items, ratings FROM mf_train('parts', factors => 4);
CREATE TABLE child () INHERITS (stars);
INSERT INTO child VALUES (13, 1, 5);
SELECT model, users, items, ratings FROM mf_train('stars', 'tree', factors => 4);
DROP TABLE child;
SELECT model, learnt(model) FROM mf_models ORDER BY model COLLATE "C";
-- the same rows give the same model, wherever they come from
SELECT count(DISTINCT md5(s)) FROM (
	SELECT string_agg(f::text, ',' ORDER BY user_id) AS s FROM (SELECT user_id, factors, bias FROM stars_user_factors) f
	UNION ALL SELECT string_agg(f::text, ',' ORDER BY user_id) FROM (SELECT user_id, factors, bias FROM joined_user_factors) f
	UNION ALL SELECT string_agg(f::text, ',' ORDER BY user_id) FROM (SELECT user_id, factors, bias FROM stored_user_factors) f
	UNION ALL SELECT string_agg(f::text, ',' ORDER BY user_id) FROM (SELECT user_id, factors, bias FROM parts_user_factors) f) t;
SELECT mf_drop(model) FROM mf_models WHERE serving ORDER BY model COLLATE "C";

-- a temporary table: its model is an ordinary one, in the schema of new tables
CREATE TEMPORARY TABLE mine AS SELECT * FROM stars;
SELECT model, users, items, ratings FROM mf_train('mine', factors => 4);
SELECT model, source_schema, schema, fresh, learnt('mine') FROM mf_models;
SELECT version FROM mf_retrain('mine');
DROP TABLE mine;
SELECT count(*) FROM mf_recommend(1, 3);
SELECT mf_drop('mine');

-- other names, also ones that need quotes, and a schema for the model's tables
CREATE TABLE "Stars & more" ("User Id" int, "select" int, "How much?" real, "user_id" text, PRIMARY KEY ("User Id", "select"));
INSERT INTO "Stars & more" SELECT * FROM stars;
CREATE SCHEMA "Model tables";
SELECT model, users, items, ratings FROM mf_train('"Stars & more"', user_column => 'User Id', item_column => 'select',
	rating_column => 'How much?', factors => 4, schema => 'Model tables');
SELECT schema, user_table, item_table, source FROM mf_models;
SELECT count(*) FROM "Model tables"."Stars & more_user_factors";
SELECT learnt('Stars & more');
SELECT count(*), array_agg(DISTINCT reason) FROM mf_recommend(1, 3);
SELECT version FROM mf_retrain('Stars & more');
SELECT mf_forget(1);
SELECT mf_drop('Stars & more');
-- a search_path that leads elsewhere, or nowhere
SET search_path = pg_catalog;
SELECT model, users FROM public.mf_train('test_source.stars', factors => 4);
SELECT count(*) FROM public.mf_recommend(1, 3);
SELECT count(*) FROM public.mf_similar_users(1, 3);
SELECT version FROM public.mf_retrain();
SELECT public.mf_drop('stars');
SET search_path = test_source, public;

-- nulls are skipped and counted, duplicates are their mean
CREATE TABLE odd AS SELECT user_id, item_id, rating::real FROM stars;
INSERT INTO odd VALUES (NULL, 1, 5), (1, NULL, 5), (1, 1, NULL);
SELECT ratings FROM mf_train('odd', factors => 4);
INSERT INTO odd VALUES (NULL, NULL, NULL);
DELETE FROM odd WHERE user_id = 1 AND item_id = 1;
INSERT INTO odd VALUES (1, 1, 4), (1, 1, 5), (1, 1, 6);
SELECT ratings FROM mf_train('odd', 'duplicates', factors => 4);
UPDATE odd SET rating = 5 WHERE user_id = 1 AND item_id = 1;
SELECT ratings FROM mf_train('odd', 'constant', factors => 4);
SELECT count(*) AS differences FROM (SELECT user_id, factors, bias FROM duplicates_user_factors
	EXCEPT SELECT user_id, factors, bias FROM constant_user_factors) d;
SELECT mf_drop(model) FROM mf_models WHERE serving ORDER BY model COLLATE "C";
-- implicit ones are their sum, and zero is nothing
CREATE TABLE views (user_id int, item_id int, rating int);
INSERT INTO views SELECT user_id, item_id, 2 FROM stars WHERE rating = 5;
INSERT INTO views VALUES (1, 2, 0), (2, 3, 0);
SELECT ratings FROM mf_train('views', 'sum', feedback => 'implicit', factors => 4);
UPDATE views SET rating = 1 WHERE rating = 2;
INSERT INTO views SELECT user_id, item_id, 1 FROM stars WHERE rating = 5;
SELECT ratings FROM mf_train('views', 'rows', feedback => 'implicit', factors => 4);
SELECT count(*) AS differences FROM (SELECT user_id, factors FROM sum_user_factors
	EXCEPT SELECT user_id, factors FROM rows_user_factors) d;
-- without the column every row is one
SELECT ratings FROM mf_train('views', 'plain', feedback => 'implicit', rating_column => NULL, factors => 4);
SELECT ratings FROM mf_train('views', 'plain2', rating_column => NULL, factors => 4);
SELECT count(*) AS differences FROM (SELECT user_id, factors FROM plain_user_factors
	EXCEPT SELECT user_id, factors FROM plain2_user_factors) d;
SELECT mf_drop(model) FROM mf_models WHERE serving ORDER BY model COLLATE "C";
-- the model keeps to the columns that it was trained on
CREATE TABLE clicks (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO clicks SELECT user_id, item_id FROM stars WHERE rating = 5;
SELECT ratings FROM mf_train('clicks', factors => 4);
ALTER TABLE clicks ADD rating text DEFAULT 'good';
SELECT DISTINCT reason FROM mf_recommend(1, 3);
SELECT version, ratings FROM mf_retrain();
SELECT feedback FROM mf_models ORDER BY version;
SELECT mf_drop('clicks');

-- weights: a row of weight 3 is three rows, one of weight 0 is none
CREATE TABLE weighted AS SELECT user_id, item_id, rating, 1::real AS weight FROM stars;
UPDATE weighted SET weight = 0 WHERE user_id = 12;
SELECT users, ratings FROM mf_train('weighted', weight_column => 'weight', factors => 4);
SELECT learnt('weighted') IS NOT NULL AS predicts, count(*) FROM weighted_user_factors WHERE factors <> '{}';
-- of two opinions about an item the heavier one wins, in the eyes of somebody unknown
UPDATE weighted SET weight = 1;
INSERT INTO weighted SELECT u, 100, CASE u % 2 WHEN 0 THEN 5 ELSE 1 END, CASE u % 2 WHEN 0 THEN 50 ELSE 0.01 END
	FROM generate_series(1, 12) u;
INSERT INTO weighted SELECT u, 101, CASE u % 2 WHEN 0 THEN 5 ELSE 1 END, CASE u % 2 WHEN 1 THEN 50 ELSE 0.01 END
	FROM generate_series(1, 12) u;
SELECT users, items FROM mf_train('weighted', weight_column => 'weight', factors => 2, interest_weight => 0);
SELECT mf_predict(999, 100) > 3.5 AS good, mf_predict(999, 101) < 2.5 AS bad;
SELECT mf_drop('weighted');

-- every type of number
CREATE FUNCTION number_type(type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE sum text;
BEGIN
	EXECUTE format('CREATE TABLE typed AS SELECT user_id, item_id, rating::%s FROM stars', type);
	PERFORM mf_train('typed', factors => 3);
	SELECT md5(string_agg(factors::text, ',' ORDER BY user_id)) INTO sum FROM typed_user_factors;
	PERFORM mf_drop('typed');
	DROP TABLE typed;
	RETURN sum;
END $$;
SELECT count(DISTINCT number_type(t)) FROM unnest(ARRAY['int2', 'int4', 'int8', 'float4', 'float8', 'numeric', 'numeric(3,1)']) t;

SET client_min_messages = warning;
DROP SCHEMA test_source, "Model tables" CASCADE;
