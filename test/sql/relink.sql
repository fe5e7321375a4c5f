-- What a model's source and tables are called now, without a training.
CREATE SCHEMA test_relink;
CREATE SCHEMA test_elsewhere;
SET search_path = test_relink, public;
SET client_min_messages = warning;
CREATE TABLE shop (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO shop SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END FROM generate_series(1, 12) u, generate_series(1, 12) i
	WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('shop', factors => 4);
SELECT version FROM mf_retrain('shop');
CREATE TABLE before AS SELECT u, l.* FROM generate_series(1, 12) u, LATERAL mf_recommend(u, 5, fresh => true) l;
CREATE VIEW changed AS SELECT count(*) FROM (SELECT * FROM before EXCEPT SELECT u, l.* FROM generate_series(1, 12) u, LATERAL mf_recommend(u, 5, fresh => true) l) x;
CREATE VIEW names AS SELECT model, source_schema, source, schema, user_table, item_table, fresh, owner = current_user AS mine FROM mf_models WHERE serving;
SELECT * FROM names;

-- a source of another name: the error says what to do, and then it is read again
ALTER TABLE shop RENAME TO sales;
SELECT * FROM mf_recommend(1, 3);
SELECT mf_relink('shop', 'sales');
SELECT * FROM changed;
SELECT * FROM names;
SELECT version FROM mf_retrain('shop');
INSERT INTO sales VALUES (99, 1, 5);
SELECT DISTINCT reason FROM mf_recommend(99, 3);
DELETE FROM sales WHERE user_id = 99;
SELECT mf_rollback('shop');

-- tables of another name, one after the other and both at once; sessions and lists go on
ALTER TABLE shop_item_factors RENAME TO things;
SELECT * FROM mf_recommend(1, 3);
SELECT mf_relink('shop', items => 'things');
SELECT * FROM changed;
ALTER TABLE shop_user_factors RENAME TO people;
SELECT mf_relink('shop', users => 'people');
SELECT * FROM changed;
ALTER TABLE people RENAME TO shop_user_factors;
ALTER TABLE things RENAME TO shop_item_factors;
SELECT mf_relink('shop', NULL, 'shop_user_factors', 'shop_item_factors');
SELECT * FROM changed;

-- another schema: naming one table is enough where the other keeps its name
ALTER TABLE shop_user_factors SET SCHEMA test_elsewhere;
SELECT mf_relink('shop', users => 'test_elsewhere.shop_user_factors');
SELECT mf_relink('shop', NULL, 'test_elsewhere.shop_user_factors', 'shop_item_factors');
ALTER TABLE shop_item_factors SET SCHEMA test_elsewhere;
SELECT mf_relink('shop', users => 'test_elsewhere.shop_user_factors');
ALTER TABLE sales SET SCHEMA test_elsewhere;
ALTER SCHEMA test_elsewhere RENAME TO test_moved;
SELECT mf_relink('shop', 'test_moved.sales', items => 'test_moved.shop_item_factors');
SELECT * FROM changed;
SELECT * FROM names;
SELECT version, users FROM mf_retrain('shop');
SELECT mf_rollback('shop', 2);

-- it can be undone, and what the default of fresh is follows from the source
BEGIN;
CREATE TABLE unindexed AS SELECT user_id, item_id, rating FROM test_moved.sales, generate_series(1, 8000);
SET LOCAL client_min_messages = notice;
SELECT mf_relink('shop', 'unindexed');
SELECT source, fresh FROM names;
ROLLBACK;
SELECT source, fresh FROM names;
CREATE TEMP TABLE sales_today AS SELECT * FROM test_moved.sales;
SELECT mf_relink('shop', 'sales_today');
SELECT source_schema, source, fresh FROM names;
SELECT mf_relink('shop', 'test_moved.sales');

-- copies may differ: they are what is served
CREATE TABLE test_moved.copy (LIKE test_moved.shop_item_factors INCLUDING ALL);
INSERT INTO test_moved.copy SELECT * FROM test_moved.shop_item_factors WHERE item_id <> 3;
SELECT mf_relink('shop', items => 'test_moved.copy');
SELECT count(*) FROM generate_series(1, 12) u, LATERAL mf_recommend(u, 100) WHERE item_id = 3;
SELECT mf_relink('shop', items => 'test_moved.shop_item_factors');
SELECT * FROM changed;

-- mistakes change nothing
CREATE TABLE empty (LIKE test_moved.shop_user_factors INCLUDING ALL);
CREATE TABLE wrong (version int, user_id int, ratings int, bias real, factors float8[]);
CREATE TABLE items (LIKE test_moved.shop_item_factors INCLUDING ALL);
INSERT INTO items SELECT * FROM test_moved.shop_item_factors;
CREATE TEMP TABLE temporary AS SELECT * FROM test_moved.shop_user_factors;
CREATE VIEW seen AS SELECT * FROM test_moved.shop_user_factors;
CREATE TABLE by_name (user_id text, item_id int, rating real);
CREATE TABLE unrated (user_id int, item_id int);
SELECT mf_relink('shop', users => 'empty', items => 'items');
SELECT mf_relink('shop', users => 'wrong', items => 'items');
SELECT mf_relink('shop', users => 'unrated', items => 'items');
SELECT mf_relink('shop', users => 'items', items => 'items');
SELECT mf_relink('shop', users => 'temporary', items => 'items');
SELECT mf_relink('shop', users => 'seen', items => 'items');
SELECT mf_relink('shop', 'by_name');
SELECT mf_relink('shop', 'unrated');
SELECT mf_relink('shop', 'nowhere');
SELECT mf_relink('shop', 4000000000::regclass);
SELECT mf_relink('shop', users => 4000000000::regclass);
SELECT mf_relink('shop');
SELECT mf_relink(NULL, 'test_moved.sales');
SELECT mf_relink('nobody', 'test_moved.sales');
SELECT * FROM changed;
SELECT * FROM names;

-- a model that has lost its tables is trained anew where they were, and has no older version
SELECT count(*) FROM mf_models WHERE model = 'shop';
DROP VIEW seen;
DROP TABLE test_moved.shop_user_factors, test_moved.shop_item_factors;
SELECT model, version, owner = current_user AS mine FROM mf_models WHERE serving;
SELECT version FROM mf_retrain('shop');
SELECT count(*) FROM mf_models WHERE model = 'shop';
SELECT mf_rollback('shop');
SELECT schema, user_table FROM names;
-- or, where the schema has gone, where the source is, or where it is told
CREATE TABLE sales AS SELECT * FROM test_moved.sales;
CREATE INDEX ON sales (user_id);
DROP SCHEMA test_moved CASCADE;
SELECT version FROM mf_train('sales', 'shop', factors => 4);
SELECT schema, user_table, source FROM names;
DROP TABLE shop_user_factors, shop_item_factors;
CREATE SCHEMA test_elsewhere;
SELECT version FROM mf_train('sales', 'shop', factors => 4, schema => 'test_elsewhere');
SELECT schema, user_table FROM names;
SELECT count(*) FROM mf_recommend(1, 3);
-- nothing may stand there
DROP SCHEMA test_elsewhere CASCADE;
CREATE TABLE shop_item_factors ();
SELECT version FROM mf_train('sales', 'shop', factors => 4);
DROP TABLE shop_item_factors;
SELECT mf_drop('shop');
DROP SCHEMA test_relink CASCADE;
