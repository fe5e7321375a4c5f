-- Versions that are stored without serving: trained with serve => false, measured, and served once that is wanted.
SET client_min_messages = warning;
CREATE SCHEMA withheld;
SET search_path = withheld, public;
CREATE TABLE ratings AS
	SELECT u AS user_id, i AS item_id, (1 + (u * i + u) % 5)::real AS rating
	FROM generate_series(1, 60) u, generate_series(1, 40) i WHERE (u * 7 + i * 11) % 5 < 2;
CREATE VIEW others AS SELECT * FROM ratings WHERE item_id <= 30;
CREATE TABLE test AS SELECT * FROM ratings WHERE mf_holdout(user_id, item_id);
DELETE FROM ratings WHERE mf_holdout(user_id, item_id);
RESET client_min_messages;

-- the first version serves all the same, as nothing else could
SELECT version FROM mf_train('ratings', factors => 8, iterations => 3, serve => false);
SELECT version, serving, withheld FROM mf_models WHERE model = 'ratings' ORDER BY 1;
CREATE TEMPORARY TABLE before AS SELECT u, r.* FROM generate_series(1, 5) u, mf_recommend(u, 5) r;

-- the next one is there, and changes no list
SELECT version FROM mf_retrain('ratings', serve => false);
SELECT version, serving, withheld FROM mf_models WHERE model = 'ratings' ORDER BY 1;
SELECT count(*) AS others FROM (SELECT u, r.* FROM generate_series(1, 5) u, mf_recommend(u, 5) r EXCEPT TABLE before) d;
SELECT a.metric FROM mf_evaluate('test', version => 1) a JOIN mf_evaluate('test', version => 2) b USING (metric)
	WHERE metric IN ('ndcg', 'rmse', 'users') AND (metric = 'users') = (a.value = b.value) ORDER BY 1;
SELECT count(*) AS lists FROM mf_recommend(1, 5, version => 2);

-- nothing to go back to: what was withheld has never served
SELECT mf_rollback('ratings');

-- it serves, and can be left again
SELECT mf_serve('ratings');
SELECT version, serving, withheld FROM mf_models WHERE model = 'ratings' ORDER BY 1;
SELECT count(*) AS others FROM (SELECT u, r.* FROM generate_series(1, 5) u, mf_recommend(u, 5) r
	EXCEPT SELECT u, r.* FROM generate_series(1, 5) u, mf_recommend(u, 5, version => 2) r) d;
SELECT mf_rollback('ratings');
SELECT mf_serve('ratings', 2);
SELECT mf_serve('ratings', 7);
SELECT mf_serve('none');

-- other arguments, and another source, become the model's with the version
SELECT version FROM mf_train('others', 'ratings', factors => 4, iterations => 2, serve => false);
SELECT source, parameters ->> 'factors' AS factors FROM mfrec.model WHERE name = 'ratings';
SELECT version FROM mf_retrain('ratings', serve => false);
SELECT factors FROM mf_models WHERE model = 'ratings' AND version = 4;
SELECT mf_serve('ratings', 3);
SELECT source, m.parameters ->> 'factors' AS factors, arguments FROM mfrec.model m, mfrec.model_version v
	WHERE m.name = 'ratings' AND v.model = m.name AND v.version = m.version;
SELECT version FROM mf_retrain('ratings');
SELECT version, serving, factors, withheld FROM mf_models WHERE model = 'ratings' ORDER BY 1;

-- the version that serves stays, however many are withheld, and of one that is kept alone too
SET mfrec.keep_versions = 1;
SELECT count(*) FROM generate_series(1, 3), LATERAL mf_retrain('ratings', serve => false);
SELECT version, serving, withheld FROM mf_models WHERE model = 'ratings' ORDER BY 1;
SELECT version, count(*) > 0 AS rows FROM ratings_user_factors GROUP BY 1 ORDER BY 1;
SELECT count(*) AS lists FROM mf_recommend(1, 5);
-- updates are of the version that serves
SELECT version, rows > 0 AS rows FROM mf_update('ratings');
SELECT version FROM mf_retrain('ratings', NULL);
SELECT version, serving, withheld FROM mf_models WHERE model = 'ratings' ORDER BY 1;
RESET mfrec.keep_versions;

-- a source that is renamed meanwhile is still the source
SELECT version FROM mf_retrain('ratings', serve => false);
ALTER VIEW others RENAME TO renamed;
SELECT mf_relink('ratings', 'renamed');
SELECT mf_serve('ratings');
SELECT source, withheld, arguments FROM mfrec.model m JOIN mfrec.model_version v ON v.model = m.name AND v.version = m.version WHERE m.name = 'ratings';
SELECT count(*) FROM mf_retrain('ratings');

-- whoever does not own the model decides nothing
CREATE ROLE regress_withheld;
GRANT USAGE ON SCHEMA withheld TO regress_withheld;
SET ROLE regress_withheld;
SELECT mf_serve('ratings');
RESET ROLE;
BEGIN READ ONLY;
SELECT mf_serve('ratings');
ROLLBACK;
SET client_min_messages = warning;
SELECT mf_drop('ratings');
DROP SCHEMA withheld CASCADE;
DROP ROLE regress_withheld;
