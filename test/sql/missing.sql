-- Rows of a version that have got lost: an error, never an empty list or the popular items for everybody. Who
-- sees no rows because of row security, and a model whose users were all forgotten, are something else.
CREATE SCHEMA test_missing;
SET search_path = test_missing, public;
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
	EXECUTE command;
	RETURN command || ': no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN command || E'\n  ' || state || ' ' || message || coalesce(E'\n  DETAIL: ' || nullif(detail, ''), '')
		|| coalesce(E'\n  HINT: ' || nullif(hint, ''), '');
END $$;
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET mfrec.keep_versions = 3;
CREATE TABLE ratings (user_id int, item_id int, rating int, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 10) u, generate_series(1, 8) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('ratings', factors => 2);
SELECT version FROM mf_retrain('ratings');
CREATE VIEW calls AS SELECT * FROM (VALUES
	('SELECT * FROM mf_recommend(1, 3)'), ('SELECT * FROM mf_recommend(99, 3)'), ('SELECT * FROM mf_recommend(1, 3, fresh => false)'),
	('SELECT * FROM mf_recommend_all(3)'), ('SELECT * FROM mf_recommend_users(1, 3)'), ('SELECT * FROM mf_similar_users(1, 3)'),
	('SELECT mf_predict(1, 2)'), ('SELECT * FROM mf_evaluate(''ratings'', k => 3)'), ('SELECT * FROM mf_recommend_for(ARRAY[1, 2], k => 3)'),
	('SELECT * FROM mf_popular(3)'), ('SELECT * FROM mf_similar_items(1, 3)'), ('SELECT * FROM mf_recommend(1, 3, version => 1)')) AS c (call);

-- the users of a version
DELETE FROM ratings_user_factors WHERE version = 2;
SELECT fails(call) FROM calls;
SELECT mf_rollback('ratings');
SELECT fails(call) FROM calls WHERE call LIKE '%1, 3)';
SELECT mf_rollback('ratings', 2);
SELECT version FROM mf_retrain('ratings');
SELECT count(*) FROM mf_recommend(1, 1);

-- its items: who has an image goes on, who needs one has an error
TRUNCATE ratings_item_factors;
SELECT fails('SELECT mf_refresh(''ratings'')');
UPDATE mfrec.model_version SET image = gen_random_uuid() WHERE model = 'ratings';
UPDATE mfrec.model SET version = version WHERE name = 'ratings';
SELECT fails(call) FROM calls;
SELECT version FROM mf_retrain('ratings');
SELECT count(*) FROM mf_recommend(1, 1);

-- row security
CREATE ROLE regress_missing_reader;
GRANT USAGE ON SCHEMA test_missing TO regress_missing_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA test_missing TO regress_missing_reader;
ALTER TABLE ratings_user_factors ENABLE ROW LEVEL SECURITY;
SET ROLE regress_missing_reader;
SELECT reason, count(*) FROM mf_recommend(1, 3, fresh => false) GROUP BY reason;
SELECT count(*) FROM mf_recommend_all(3);
RESET ROLE;
ALTER TABLE ratings_item_factors ENABLE ROW LEVEL SECURITY;
SET ROLE regress_missing_reader;
SELECT count(*) FROM mf_recommend(1, 3, fresh => false);
RESET ROLE;
SELECT count(*) FROM mf_recommend(1, 1);
DROP OWNED BY regress_missing_reader;
DROP ROLE regress_missing_reader;

-- everybody was forgotten
SELECT sum(mf_forget(u, 'ratings')) > 0 AS forgotten FROM generate_series(1, 10) u;
SELECT DISTINCT users FROM mf_models WHERE model = 'ratings' AND version IN (3, 4);
SELECT reason, count(*) FROM mf_recommend(1, 3, fresh => false) GROUP BY reason;
SELECT count(*) FROM mf_recommend_all(3);

SELECT mf_drop('ratings');
DROP SCHEMA test_missing CASCADE;
