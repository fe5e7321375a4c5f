-- Versions: how many are kept, which one serves, going back.
CREATE SCHEMA test_versions;
SET search_path = test_versions, public;
CREATE TABLE bought (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO bought SELECT u, i FROM generate_series(1, 10) u, generate_series(1, 10) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SET client_min_messages = warning;
SELECT version FROM mf_train('bought', factors => 3);
CREATE VIEW kept AS
	SELECT m.version, m.serving, m.items, (SELECT count(*) FROM bought_item_factors f WHERE f.version = m.version) AS item_rows,
		(SELECT count(*) FROM mf_training_log l WHERE l.model = m.model AND l.version = m.version) > 0 AS logged
	FROM mf_models m WHERE model = 'bought' ORDER BY version;
SELECT * FROM kept;

-- two are kept
INSERT INTO bought VALUES (1, 11), (3, 11), (5, 11);
SELECT version, items FROM mf_retrain('bought');
SELECT * FROM kept;
SELECT count(*) FILTER (WHERE item_id = 11) AS new FROM mf_recommend(2, 100);
SELECT count(*) FILTER (WHERE item_id = 11) AS new FROM mf_recommend(2, 100, version => 1);
SELECT count(*) FILTER (WHERE item_id = 11) AS new FROM mf_recommend(2, 100, version => 2);
INSERT INTO bought VALUES (1, 12), (3, 12), (5, 12);
SELECT version, items FROM mf_retrain('bought');
SELECT * FROM kept;
SELECT DISTINCT version FROM bought_user_factors ORDER BY version;

-- back, forward, and to what is not there
SELECT mf_rollback('bought');
SELECT * FROM kept;
SELECT count(*) FILTER (WHERE item_id = 12) AS newest FROM mf_recommend(2, 100);
SELECT mf_rollback('bought', 3);
SELECT count(*) FILTER (WHERE item_id = 12) AS newest FROM mf_recommend(2, 100);
SELECT mf_rollback('bought', version => 2);
SELECT mf_rollback('bought', 2);
BEGIN;
SELECT mf_rollback('bought', 3);
ROLLBACK;
SELECT version FROM mfrec.model;

-- a retrain after going back starts from there, and keeps it
SELECT version FROM mf_retrain();
SELECT * FROM kept;
SELECT mf_rollback(version => 2);
SELECT version FROM mf_train('bought', factors => 3);
SELECT * FROM kept;
SELECT version FROM mf_retrain();
SELECT * FROM kept;

-- the lists of a version come back as they were
SELECT string_agg(format('%s %s', u, item_id), ',' ORDER BY u, rank) AS before
FROM generate_series(1, 10) u, mf_recommend(u, 3, fresh => false) \gset
SELECT version FROM mf_train('bought', feedback => 'implicit', factors => 1, iterations => 1, seed => 9, alpha => 0.1);
SELECT string_agg(format('%s %s', u, item_id), ',' ORDER BY u, rank) <> :'before' AS changed
FROM generate_series(1, 10) u, mf_recommend(u, 3, fresh => false);
SELECT mf_rollback();
SELECT string_agg(format('%s %s', u, item_id), ',' ORDER BY u, rank) = :'before' AS back
FROM generate_series(1, 10) u, mf_recommend(u, 3, fresh => false);

-- other numbers to keep
SET mfrec.keep_versions = 1;
SELECT version FROM mf_retrain();
SELECT * FROM kept;
SET mfrec.keep_versions = 4;
SELECT version FROM mf_retrain();
SELECT version FROM mf_retrain();
SELECT version FROM mf_retrain();
SELECT version FROM mf_retrain();
SELECT * FROM kept;
RESET mfrec.keep_versions;
SELECT version FROM mf_retrain();
SELECT * FROM kept;

-- a user's vector is erased from every version; the source is not touched
SELECT mf_forget(1);
SELECT count(*) FROM bought_user_factors WHERE user_id = 1;
SELECT mf_forget(1), mf_forget('777'), mf_forget(NULL::int);
SELECT DISTINCT reason FROM mf_recommend(1, 3, fresh => false);
SELECT DISTINCT reason FROM mf_recommend(1, 3);
SELECT count(*) > 0 AS untouched FROM bought WHERE user_id = 1;

-- two trainings in one transaction
BEGIN;
SELECT version FROM mf_retrain();
SELECT version FROM mf_retrain();
SELECT * FROM kept;
SELECT count(*) FROM mf_recommend(2, 3);
COMMIT;
SELECT * FROM kept;

-- a retrain has the seed of the training before, also one that no double is
SELECT version FROM mf_train('bought', factors => 3, seed => 9007199254740993);
SELECT version FROM mf_retrain();
SELECT parameters->'seed' AS seed FROM mfrec.model WHERE name = 'bought';

-- how long its phases took, and those of an import, which has fewer
CREATE TABLE vectors AS SELECT i AS id, ARRAY[i, 1]::real[] AS factors FROM generate_series(1, 5) i;
SELECT version FROM mf_import('brought', 'vectors', 'vectors');
SELECT model, version, (SELECT string_agg(key, ' ' ORDER BY key) FROM jsonb_each(phase_seconds)) AS phases,
	(SELECT sum(value::float8) FROM jsonb_each_text(phase_seconds)) BETWEEN 0 AND seconds + 0.01 AS within
FROM mf_models ORDER BY model, version;
SELECT mf_drop('brought');

-- a view of the user's own on a model table is in the way of a drop
SELECT mf_drop('bought');
DROP VIEW kept;
SELECT mf_drop('bought');
DROP SCHEMA test_versions CASCADE;
