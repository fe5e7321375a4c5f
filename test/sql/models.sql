-- Several models: which one is meant, the default one, dropping, tables that have gone.
CREATE SCHEMA test_models;
SET search_path = test_models, public;
SET client_min_messages = warning;
CREATE TABLE evens (user_id int, item_id int);
CREATE TABLE odds (user_id int, item_id int);
INSERT INTO evens SELECT u, 2 * i FROM generate_series(1, 8) u, generate_series(1, 8) i WHERE (u + i) % 3 <> 0;
INSERT INTO odds SELECT u, 2 * i + 1 FROM generate_series(1, 8) u, generate_series(1, 8) i WHERE (u + i) % 3 <> 0;
CREATE VIEW list AS SELECT model, is_default, version FROM mf_models WHERE serving ORDER BY model COLLATE "C";

-- the first one trained is the default one
SELECT version FROM mf_train('evens', factors => 2);
SELECT version FROM mf_train('odds', factors => 2);
SELECT * FROM list;
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1);
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1, 'odds');
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1, model => 'odds');
-- another default
SELECT mf_set_default('odds');
SELECT * FROM list;
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1);
SELECT mf_set_default('odds');
SELECT version FROM mf_retrain();
SELECT version FROM mf_train('evens', factors => 2);
SELECT * FROM list;
-- a session's own
SET mfrec.model = 'evens';
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1);
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1, 'odds');
SELECT mf_rollback();
SELECT * FROM list;
SET mfrec.model = '';
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1);
BEGIN;
SET LOCAL mfrec.model = 'evens';
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1);
COMMIT;
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1);
RESET mfrec.model;

-- two models of one source, a model of another source under the same name
SELECT version FROM mf_train('odds', 'odds again', factors => 2);
SELECT version FROM mf_train('evens', 'odds again', factors => 2);
SELECT item_id % 2 AS parity FROM mf_recommend(1, 1, 'odds again');
SELECT source FROM mf_models WHERE model = 'odds again' AND serving;
SELECT to_regclass('"odds again_user_factors"') IS NOT NULL AS there;

-- dropping the default leaves none; the next new model becomes it
SELECT mf_drop('odds');
SELECT to_regclass('odds_user_factors'), to_regclass('odds_item_factors');
SELECT * FROM list;
SELECT * FROM mf_recommend(1, 1);
SELECT version FROM mf_train('odds', factors => 2);
SELECT * FROM list;
BEGIN;
SELECT mf_drop('odds');
SELECT count(*) FROM list;
ROLLBACK;
SELECT count(*) FROM list;
SELECT count(*) FROM mf_recommend(1, 1, 'odds');

-- a model's tables can be used like any table: indexes, added columns, grants, views
CREATE INDEX ON odds_item_factors (ratings);
CREATE UNIQUE INDEX ON odds_user_factors (user_id, version) WHERE ratings > 0;
ALTER TABLE odds_user_factors ADD note text;
GRANT SELECT ON odds_user_factors TO PUBLIC;
UPDATE odds_user_factors SET note = 'mine';
SELECT version FROM mf_retrain('odds');
SELECT version, count(*), count(note) FROM odds_user_factors GROUP BY version ORDER BY version;
SET enable_seqscan = off;
SELECT count(*) FROM odds_item_factors WHERE ratings > 0 AND version = 2;
SELECT count(*) FROM odds_user_factors WHERE user_id = 1 AND version = 2 AND ratings > 0;
RESET enable_seqscan;

-- tables that have gone, or moved: a clear error, and a way out
ALTER TABLE odds_item_factors RENAME TO moved;
SELECT * FROM mf_recommend(1, 1, 'odds');
ALTER TABLE moved RENAME TO odds_item_factors;
SELECT count(*) FROM mf_recommend(1, 1, 'odds');
DROP TABLE odds_user_factors;
SELECT * FROM mf_recommend(1, 1, 'odds');
SELECT mf_predict(1, 3, 'odds');
SELECT mf_rollback('odds');
SELECT mf_forget(1, 'odds');
SELECT model, version, table_bytes FROM mf_models WHERE model = 'odds' ORDER BY version;
SELECT version FROM mf_retrain('odds');
SELECT count(*) FROM mf_recommend(1, 1, 'odds');
DROP TABLE odds_user_factors, odds_item_factors;
SELECT mf_drop('odds');
SELECT * FROM list;

-- dropping the extension leaves the model tables, which are the user's
DROP EXTENSION mfrec CASCADE;
SELECT count(*) > 0 AS kept FROM evens_user_factors;
\set VERBOSITY terse
SELECT * FROM mf_recommend(1, 1);
\set VERBOSITY default
CREATE EXTENSION mfrec SCHEMA public;
SELECT count(*) FROM mf_models;
-- which then have the names that a model of that name needs
SELECT mf_train('evens', factors => 2);
DROP TABLE evens_user_factors, evens_item_factors;
SELECT version FROM mf_train('evens', factors => 2);
SELECT count(*) FROM mf_recommend(1, 1);
SELECT mf_drop('evens');

DROP SCHEMA test_models CASCADE;
