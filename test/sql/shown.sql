-- Likes and dislikes of what was shown: training says that lists may be of what people answered.
CREATE SCHEMA test_shown;
SET search_path = test_shown, public;
CREATE FUNCTION dice(key bigint) RETURNS int LANGUAGE sql IMMUTABLE AS $$SELECT abs(hashint8(key) / 8) % 1000$$;
-- 300 people were shown 30 of 100 things each, of five kinds; they like their own kind
CREATE TABLE swipes AS SELECT u AS user_id, i AS item_id, (dice(u * 1000 + i + 1000000) < CASE WHEN u % 5 = i % 5 THEN 950 ELSE 50 END)::int AS rating
	FROM generate_series(1, 300) u, generate_series(1, 100) i WHERE dice(u * 1000 + i) < 300;
ALTER TABLE swipes ADD PRIMARY KEY (user_id, item_id);
CREATE FUNCTION of_kind(model text) RETURNS numeric LANGUAGE sql AS
	$$SELECT round(avg((l.item_id % 5 = u % 5)::int), 1) FROM generate_series(1, 300) u, LATERAL mf_recommend(u, 10, of_kind.model) l$$;
SELECT version FROM mf_train('swipes', rating_factors => 0);
SELECT of_kind('swipes') < 0.5 AS "what they answer";
SELECT version FROM mf_train('swipes', interest_weight => 0);
SELECT of_kind('swipes') > 0.9 AS "what they like";
-- nothing is said where the caller has decided, and by no retrain
SELECT version FROM mf_train('swipes', interest_weight => 0.5);
SELECT version FROM mf_retrain('swipes');
SELECT version FROM mf_train('swipes', feedback => 'implicit', rating_column => NULL);
-- any two values; several rows of a pair are still two
CREATE VIEW thumbs AS SELECT user_id, item_id, 2 * rating - 1 AS rating FROM swipes;
SELECT version FROM mf_train('thumbs', 'swipes');
CREATE VIEW twice AS SELECT user_id, item_id, 1.5 AS rating FROM swipes UNION ALL SELECT user_id, item_id, rating FROM swipes WHERE rating = 1;
SELECT version FROM mf_train('twice', 'swipes');

-- More values: a survey in which everybody has answered everything, and stars of what was shown
CREATE TABLE survey AS SELECT u AS user_id, i AS item_id, 1 + dice(u * 1000 + i) % 5 AS rating FROM generate_series(1, 60) u, generate_series(1, 40) i;
ALTER TABLE survey ADD PRIMARY KEY (user_id, item_id);
SELECT version FROM mf_train('survey');
CREATE TABLE shown AS SELECT user_id, item_id, CASE WHEN rating = 1 THEN 3 ELSE 1 END + dice(user_id * 1000 + item_id) % 3 AS rating FROM swipes;
ALTER TABLE shown ADD PRIMARY KEY (user_id, item_id);
SELECT version FROM mf_train('shown');
SELECT of_kind('shown') < 0.5 AS "what they answer";
SELECT version FROM mf_train('shown', interest_weight => 0);
SELECT of_kind('shown') > 0.8 AS "what they like";
-- whatever the numbers of ratings and the items' popularity
CREATE TABLE uneven AS SELECT * FROM shown WHERE dice(user_id) > dice(-user_id * 1000 - item_id) AND dice(-user_id * 1000 - item_id) < 100 + 9 * item_id;
ALTER TABLE uneven ADD PRIMARY KEY (user_id, item_id);
SELECT version FROM mf_train('uneven');

-- Stars of what people chose: films of four genres, people who each prefer one; of few people nothing is said
CREATE TABLE films AS SELECT u AS user_id, i AS item_id, CASE WHEN i % 4 = u % 4 THEN 4 + dice(u * 100 + i) % 2 ELSE 1 + dice(u * 100 + i) % 3 END AS rating
	FROM generate_series(1, 1000) u, generate_series(1, 24) i WHERE dice(u * 1000 + i) < CASE WHEN i % 4 = u % 4 THEN 500 ELSE 80 END;
ALTER TABLE films ADD PRIMARY KEY (user_id, item_id);
SELECT version FROM mf_train('films');
CREATE TABLE few AS SELECT * FROM survey WHERE user_id <= 20;
ALTER TABLE few ADD PRIMARY KEY (user_id, item_id);
SELECT version FROM mf_train('few');
-- the same with rows in temporary files
SET maintenance_work_mem = 1024;
SELECT version FROM mf_train('survey');
SELECT version FROM mf_train('films');
RESET maintenance_work_mem;

SET client_min_messages = warning;
SELECT mf_drop(model) FROM (SELECT DISTINCT model FROM mf_models) m ORDER BY model COLLATE "C";
DROP SCHEMA test_shown CASCADE;
