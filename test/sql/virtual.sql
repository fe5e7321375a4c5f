-- A user column that no index can be on: the hint says what an index can be on, and that helps.
CREATE SCHEMA test_virtual;
SET search_path = test_virtual, public;
SET seq_page_cost = 1000;
CREATE TABLE bought (code int, item_id int);
INSERT INTO bought SELECT u, i FROM generate_series(1, 4000) u, generate_series(1, 12) i WHERE (u * 7 + i * 3) % 5 = 0;
ANALYZE bought;
CREATE VIEW through AS SELECT code + 1000 AS user_id, item_id FROM bought;
CREATE MATERIALIZED VIEW kept AS SELECT code + 1000 AS user_id, item_id FROM bought;
ANALYZE kept;
SELECT users FROM mf_train('through', factors => 2, iterations => 1);
SELECT users FROM mf_train('kept', factors => 2, iterations => 1);
CREATE INDEX by_code ON bought ((code + 1000));
CREATE INDEX ON kept (user_id);
ANALYZE bought;
SELECT users FROM mf_train('through', factors => 2, iterations => 1);
SELECT users FROM mf_train('kept', factors => 2, iterations => 1);
SELECT model, fresh FROM mf_models WHERE schema = 'test_virtual' AND serving ORDER BY model;
-- a column that is computed when it is read, which 18 has
SELECT current_setting('server_version_num')::int >= 180000 AS has_virtual \gset
\if :has_virtual
DROP INDEX by_code;
ALTER TABLE bought ADD user_id int GENERATED ALWAYS AS (code + 1000) VIRTUAL;
SELECT users FROM mf_train('bought', factors => 2, iterations => 1);
CREATE INDEX by_code ON bought ((code + 1000));
ANALYZE bought;
SELECT users FROM mf_train('bought', factors => 2, iterations => 1);
SELECT fresh FROM mf_models WHERE model = 'bought' AND serving;
\endif
SET client_min_messages = warning;
SELECT count(mf_drop(model)) > 1 AS dropped FROM mf_models WHERE schema = 'test_virtual' AND serving;
DROP SCHEMA test_virtual CASCADE;
