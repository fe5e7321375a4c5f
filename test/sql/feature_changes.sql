-- Attributes that change between trainings, or that are of the model itself; spilled ones; values that single precision takes for 0.
CREATE SCHEMA test_feature_changes;
SET search_path = test_feature_changes, public;
\set SHOW_CONTEXT never
SET client_min_messages = warning;
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating
	FROM generate_series(1, 100) u, generate_series(1, 50) i WHERE (u * 7 + i * i) % 3 = 0;
CREATE TABLE items AS SELECT i AS item_id, 'k' || i % 3 AS kind, i % 7 AS n, 'w' || i % 5 || ' v' || i % 4 || ' u' || i AS title FROM generate_series(1, 70) i;

-- the source itself, views of it and of the model's own tables
SELECT version, items FROM mf_train('items', 'own', user_column => 'n', rating_column => NULL, factors => 2, item_features => 'items');
SELECT mf_train('ratings', 'own', factors => 2, item_features => 'ratings');
CREATE VIEW means AS SELECT item_id, avg(rating) AS mean, min(user_id)::text AS first FROM ratings GROUP BY 1;
SELECT version, items FROM mf_train('ratings', 'own', factors => 2, item_features => 'means');
CREATE VIEW learned AS SELECT item_id, bias FROM own_item_factors WHERE version = (SELECT max(version) FROM own_item_factors);
SELECT version, items FROM mf_train('ratings', 'own', factors => 2, item_features => 'learned');
SELECT version, items FROM mf_retrain('own');

-- attributes that train another model, or the same one, and that ask one
CREATE FUNCTION train(name text, i int) RETURNS int LANGUAGE plpgsql AS $$BEGIN IF i = 3 THEN PERFORM mf_train('ratings', name, factors => 2, item_features => 'means'); END IF; RETURN i; END$$;
CREATE VIEW training AS SELECT item_id, kind, train('inner', item_id) AS x FROM items;
SELECT version, items FROM mf_train('ratings', 'outer', factors => 2, item_features => 'training');
CREATE VIEW itself AS SELECT item_id, kind, train('outer', item_id) AS x FROM items;
\set VERBOSITY terse
SELECT mf_train('ratings', 'outer', factors => 2, item_features => 'itself');
\set VERBOSITY default
CREATE VIEW asking AS SELECT item_id, kind, (SELECT count(*) FROM mf_recommend(item_id, 3, 'inner')) + (SELECT count(*) FROM mf_explain_features(item_id, item_id, 3, 'inner')) + item_id AS x FROM items;
SELECT version, items FROM mf_train('ratings', 'asking', factors => 2, item_features => 'asking');
SELECT count(*) > 0 AS explained FROM mf_explain_features(1, 60, 5, 'asking');
SELECT model, version FROM mf_models WHERE model IN ('own', 'inner', 'outer', 'asking') ORDER BY 1, 2;

-- columns added, dropped, renamed, of another type; each with an explanation before the next training
SELECT version, items FROM mf_train('ratings', 'm', factors => 4, item_features => 'items', feature_categories => '{n}');
CREATE VIEW attributes AS SELECT version, string_agg(DISTINCT attribute || ' as ' || taken_as, ', ') FROM m_feature_factors GROUP BY 1 ORDER BY 1 DESC LIMIT 1;
ALTER TABLE items ADD c int;
UPDATE items SET c = item_id * 3 % 11;
SELECT string_agg(feature, ', ' ORDER BY feature) FROM mf_explain_features(1, 60, 5, 'm');
SELECT version FROM mf_retrain('m');
TABLE attributes;
ALTER TABLE items DROP c;
SELECT string_agg(feature, ', ' ORDER BY feature) FROM mf_explain_features(1, 60, 5, 'm');
ALTER TABLE items RENAME kind TO sort;
SELECT string_agg(feature, ', ' ORDER BY feature) FROM mf_explain_features(1, 60, 5, 'm');
SELECT version FROM mf_retrain('m');
TABLE attributes;
ALTER TABLE items RENAME n TO number;
SELECT * FROM mf_explain_features(1, 60, 5, 'm');
SELECT mf_retrain('m');
ALTER TABLE items RENAME number TO n;
ALTER TABLE items ALTER n TYPE text, ALTER title TYPE text[] USING string_to_array(title, ' ');
SELECT string_agg(feature, ', ' ORDER BY feature) FROM mf_explain_features(1, 60, 5, 'm');
SELECT version FROM mf_retrain('m');
TABLE attributes;

-- an item that is no longer there
DELETE FROM items WHERE item_id IN (7, 70);
SELECT * FROM mf_explain_features(1, 70, 5, 'm');
SELECT version, items FROM mf_retrain('m');
SELECT version, item_id, ratings > 0 AS rated FROM m_item_factors WHERE item_id IN (7, 70) AND version > 3 ORDER BY 1, 2;

-- the relation renamed, and something else of its name
ALTER TABLE items RENAME TO things;
SELECT mf_retrain('m');
CREATE VIEW items AS SELECT * FROM things;
SELECT version, items FROM mf_retrain('m');
DROP VIEW items;
CREATE MATERIALIZED VIEW items AS SELECT * FROM things;
SELECT version, items FROM mf_retrain('m');
SELECT string_agg(feature, ', ' ORDER BY feature) FROM mf_explain_features(1, 60, 5, 'm');
DROP MATERIALIZED VIEW items;
CREATE SEQUENCE items;
SELECT mf_retrain('m');
DROP SEQUENCE items;
CREATE TABLE items AS SELECT item_id::text, n FROM things;
SELECT mf_retrain('m');
SELECT * FROM mf_explain_features(1, 60, 5, 'm');

-- spilled: of few items, which take all attributes, and of many, whose maps are tried
CREATE TABLE large AS SELECT i AS item_id, 'k' || i % 3 AS kind, (SELECT array_agg(sin(i * k))::real[] FROM generate_series(1, 64) k) AS v FROM generate_series(1, 3000) i;
CREATE TABLE taken AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 300) u, generate_series(1, 500) i WHERE (u % 3 = i % 3) AND (u * 7 + i * i) % 5 = 0;
SET maintenance_work_mem = '1MB';
SELECT version, items FROM mf_train('ratings', 'spilled', factors => 4, iterations => 4, item_features => 'large');
SELECT version, items FROM mf_train('taken', 'spilled', feedback => 'implicit', factors => 4, iterations => 4, item_features => 'large');
SELECT version, items FROM mf_retrain('spilled');
SELECT count(DISTINCT attribute) > 0 AS learned FROM spilled_feature_factors WHERE version = 3;
RESET maintenance_work_mem;

-- embeddings of numbers that single precision takes for 0
CREATE TABLE tiny AS SELECT i AS item_id, CASE WHEN i % 4 = 0 THEN ARRAY[1e-50, 0, 0] ELSE ARRAY[i % 3, 1e-60, sin(i)]::float8[] END AS v FROM generate_series(1, 60) i;
SELECT version, items FROM mf_train('ratings', 'tiny', factors => 4, item_features => 'tiny');
SELECT count(*) FROM mf_explain_features(1, 60, 5, 'tiny');
-- all of them: then nothing is known of any item
UPDATE tiny SET v = ARRAY[1e-60 * item_id, 0, 1e-50];
SELECT version, items FROM mf_train('ratings', 'tiny', factors => 4, item_features => 'tiny');

DROP VIEW learned;
SELECT mf_drop(model) FROM (SELECT DISTINCT model FROM mf_models WHERE model IN ('own', 'inner', 'outer', 'asking', 'spilled', 'tiny')) d;
DROP VIEW attributes;
SELECT mf_drop('m');
DROP SCHEMA test_feature_changes CASCADE;
