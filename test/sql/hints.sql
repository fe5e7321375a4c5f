-- Hints name arguments that the function called has, or say whose they are; and what is said is so.
CREATE SCHEMA test_hints;
SET search_path = test_hints, public;
CREATE TABLE rated (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO rated SELECT u, i, 1 + (u * i) % 5 FROM generate_series(1, 8) u, generate_series(1, 8) i WHERE (u + i) % 3 <> 0;

-- a kind of feedback where the model's name belongs
SELECT model, version FROM mf_train('rated', 'implicit', factors => 2);
SELECT feedback FROM mf_models WHERE model = 'implicit';
SELECT mf_drop('implicit');
SELECT model FROM mf_train('rated', 'implicit', 'implicit', factors => 2);
SELECT mf_drop('implicit');
SELECT users FROM mf_estimate('rated', 'explicit', factors => 2);

-- no source
SELECT mf_train(NULL);
SELECT mf_estimate(NULL);
SELECT mf_tune(NULL);
SELECT mf_train(0);

-- a column that has another name since: who retrains or asks has no argument for it
SELECT model FROM mf_train('rated', factors => 2);
CREATE TABLE test AS SELECT user_id, item_id AS thing, rating FROM rated;
ALTER TABLE rated RENAME user_id TO customer;
SELECT mf_retrain('rated');
SELECT mf_recommend(1, fresh => true);
SELECT mf_recommend_all(1);
SELECT mf_recommend_users(1);
SELECT mf_evaluate('test');
SELECT mf_train('rated', factors => 2);
ALTER TABLE rated RENAME customer TO user_id;
ALTER TABLE rated RENAME rating TO stars;
SELECT mf_retrain('rated');
ALTER TABLE rated RENAME stars TO rating;

-- a source that has gone: what answers all the same
ALTER TABLE rated RENAME TO other;
SELECT mf_retrain('rated');
SELECT mf_recommend(1, fresh => true);
SELECT count(*) FROM mf_recommend(1, 3, fresh => false);
SELECT mf_recommend_all(1, fresh => true);
SELECT count(*) FROM mf_recommend_all(1, exclude_seen => false);
SELECT count(*) FROM mf_recommend_users(1, 3);
SELECT mf_evaluate('test', item_column => 'thing');
ALTER TABLE other RENAME TO rated;

-- when a version was stored: by the clock, so that versions of one transaction have an order
BEGIN;
SELECT version FROM mf_retrain('rated');
SELECT version FROM mf_retrain('rated');
SELECT version, trained_at >= now() AS since_the_start, trained_at > lag(trained_at) OVER (ORDER BY version) AS since_the_last
FROM mf_models WHERE model = 'rated' ORDER BY version;
COMMIT;

SET client_min_messages = warning;
SELECT mf_drop('rated');
DROP SCHEMA test_hints CASCADE;
