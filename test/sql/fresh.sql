-- Ratings that came after training.
CREATE SCHEMA test_fresh;
SET search_path = test_fresh, public;
CREATE TABLE bought (user_id int, item_id int, PRIMARY KEY (user_id, item_id));
INSERT INTO bought SELECT u, i FROM generate_series(1, 40) u, generate_series(1, 20) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('bought', factors => 4);

-- nothing changed
SELECT DISTINCT reason FROM generate_series(1, 40) u, mf_recommend(u, 3);
SELECT DISTINCT reason FROM mf_recommend(101, 3);

-- a user who is new since training: popular, then personal from the first row on, in the same transaction
BEGIN;
INSERT INTO bought VALUES (101, 4);
SELECT count(*), bool_and(item_id % 2 = 0) AS even, bool_or(item_id = 4) AS bought_again, array_agg(DISTINCT reason)
FROM mf_recommend(101, 5);
INSERT INTO bought VALUES (102, 5);
SELECT count(*), bool_and(item_id % 2 = 1) AS odd, array_agg(DISTINCT reason) FROM mf_recommend(102, 5);
ROLLBACK;
SELECT DISTINCT reason FROM mf_recommend(101, 3);

-- a known user whose taste changes: what they bought is left out, and the list follows
INSERT INTO bought SELECT 1, i FROM generate_series(2, 16, 2) i;
DELETE FROM bought WHERE user_id = 1 AND item_id % 2 = 1;
SELECT array_agg(item_id ORDER BY item_id), array_agg(DISTINCT reason) FROM mf_recommend(1, 2);
SELECT bool_and(item_id % 2 = 1) AS odd, array_agg(DISTINCT reason) FROM mf_recommend(1, 2, fresh => false);

-- a user whose rows have gone is unknown
DELETE FROM bought WHERE user_id = 2;
SELECT DISTINCT reason FROM mf_recommend(2, 3);
SELECT DISTINCT reason FROM mf_recommend(2, 3, fresh => false);

-- rows with items that came after training are left out of the reckoning, not of the list
INSERT INTO bought VALUES (103, 777);
SELECT DISTINCT reason FROM mf_recommend(103, 3);
SELECT version FROM mf_retrain('bought');
SELECT DISTINCT reason FROM mf_recommend(103, 3);

-- fresh => false leaves out what was bought by the training, and by default what was bought since
INSERT INTO bought VALUES (3, 2);
SELECT count(*) FROM mf_recommend(3, 100, fresh => false);
SELECT count(*) FROM mf_recommend(3, 100, fresh => true);
SELECT count(*) FROM mf_recommend(3, 100, fresh => NULL);

-- ratings: a fresh one counts with its value, and duplicates as in training
CREATE TABLE stars (who int, what int, stars numeric(2, 1));
INSERT INTO stars SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 40) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
SELECT version FROM mf_train('stars', user_column => 'who', item_column => 'what', rating_column => 'stars',
	interest_weight => 0, factors => 4);
INSERT INTO stars VALUES (101, 2, 5), (101, 3, 1), (102, 2, 1), (102, 2, 1), (102, 3, 5);
SELECT bool_and(item_id % 2 = 0) AS even, array_agg(DISTINCT reason), bool_and(predicted_rating > 3) AS liked
FROM mf_recommend(101, 5, 'stars');
SELECT bool_and(item_id % 2 = 1) AS odd, array_agg(DISTINCT reason) FROM mf_recommend(102, 5, 'stars');
-- rows that training would skip or refuse do not stop a list
INSERT INTO stars VALUES (103, 2, NULL), (103, 4, 5), (104, 4, 'NaN'), (104, NULL, 5);
SELECT count(*), array_agg(DISTINCT reason) FROM mf_recommend(103, 5, 'stars');
SELECT count(*), array_agg(DISTINCT reason) FROM mf_recommend(104, 5, 'stars');

-- many rows, in any order, are merged as few are
CREATE TABLE clicks AS SELECT u AS user_id, i AS item_id, 1::real AS clicks
	FROM generate_series(1, 12) u, generate_series(1, 3000) i WHERE (u * 13 + i * 29) % 12 < 3;
SELECT version FROM mf_train('clicks', weight_column => 'clicks', factors => 4, iterations => 3);
INSERT INTO clicks SELECT 101, i, 2 FROM generate_series(1, 3000, 15) i;
INSERT INTO clicks SELECT 102, i, 1 FROM generate_series(1, 3000, 15) i, generate_series(1, 2) n ORDER BY md5(i || ' ' || n);
SELECT count(*), bool_and(few.item_id = many.item_id AND few.score = many.score) AS same, array_agg(DISTINCT many.reason)
FROM mf_recommend(101, 50, 'clicks', fresh => true) few JOIN mf_recommend(102, 50, 'clicks', fresh => true) many USING (rank);

-- where a look-up would read the whole source, the model is trusted unless asked
CREATE TABLE wide (user_id int, item_id int);
INSERT INTO wide SELECT u, i FROM generate_series(1, 40) u, generate_series(1, 20) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
CREATE VIEW slow AS SELECT user_id, item_id FROM wide WHERE (SELECT count(*) FROM generate_series(1, 1000000)) > 0;
SELECT version FROM mf_train('slow', factors => 4);
SELECT fresh FROM mf_models WHERE model = 'slow';
INSERT INTO wide VALUES (101, 4);
SELECT DISTINCT reason FROM mf_recommend(101, 3, 'slow');
SELECT DISTINCT reason FROM mf_recommend(101, 3, 'slow', fresh => true);

-- the source has gone
CREATE TABLE gone AS SELECT * FROM wide;
SELECT version FROM mf_train('gone', factors => 4);
DROP TABLE gone;
SELECT * FROM mf_recommend(1, 3, 'gone');
SELECT count(*) FROM mf_recommend(1, 3, 'gone', fresh => false);
SELECT * FROM mf_retrain('gone');
-- its column has gone
CREATE TABLE gone AS SELECT user_id AS somebody, item_id FROM wide;
SELECT * FROM mf_recommend(1, 3, 'gone');

SELECT mf_drop(model) FROM (SELECT DISTINCT model FROM mf_models) m ORDER BY model;
SET client_min_messages = warning;
DROP SCHEMA test_fresh CASCADE;
