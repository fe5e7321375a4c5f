-- A guard: versions that would make lists worse are stored, and do not serve.
SET client_min_messages = warning;
CREATE SCHEMA guard;
SET search_path = guard, public;
-- three kinds of taste, and items that more of their kind take than others
CREATE TABLE good AS
	SELECT u AS user_id, i AS item_id FROM generate_series(1, 900) u, generate_series(1, 240) i
	WHERE hashint8(u * 1000 + i) % 100 >= 100 - CASE WHEN u % 3 = i % 3 THEN 30 ELSE 2 END * (1 + i % 4) / 2;
CREATE TABLE source AS TABLE good;
CREATE VIEW nights AS SELECT version, serving, withheld, parameters -> 'guard' AS guard, ratings FROM mf_models WHERE model = 'source' ORDER BY version;
SELECT version FROM mf_train('source', factors => 8, iterations => 6, guard => 0.05);
SELECT version, serving, withheld IS NULL AS good, guard, ratings < (SELECT count(*) FROM source) AS held_out FROM nights;

-- a healthy night, and one with the rows of a day twice: what is measured is the same pairs, so both may serve
SELECT version FROM mf_retrain('source', guard => 0.05);
INSERT INTO source SELECT * FROM good WHERE user_id % 20 = 0;
SELECT version FROM mf_retrain('source', guard => 0.05);
SELECT version, serving, withheld FROM nights;

-- nine of ten rows have gone
DELETE FROM source WHERE hashint8(user_id * 77 + item_id) % 10 <> 0;
SELECT version FROM mf_retrain('source', guard => 0.05);
SELECT version, serving, regexp_replace(withheld, '\d{3,}', 'N', 'g') AS withheld FROM nights;
-- figures are in nights from here on
SET client_min_messages = error;
-- without a guard nobody asks
BEGIN;
SELECT version FROM mf_retrain('source');
SELECT version, serving, withheld IS NULL AS good, guard FROM nights;
ROLLBACK;

-- ids of items are mixed up: what is left is what is popular
TRUNCATE source;
INSERT INTO source SELECT u.user_id, i.item_id FROM (SELECT user_id, row_number() OVER (ORDER BY user_id, item_id) AS n FROM good) u
	JOIN (SELECT item_id, row_number() OVER (ORDER BY hashint8(user_id * 1000 + item_id)) AS n FROM good) i USING (n);
SELECT version FROM mf_retrain('source', guard => 0.05);
SELECT version, serving, regexp_replace(withheld, '\d+\.\d+|\d{3,}', 'x', 'g') AS withheld FROM nights;

-- the rows are back: the next night is good
TRUNCATE source;
INSERT INTO source TABLE good;
SELECT version FROM mf_retrain('source', guard => 0.05);
SELECT version, serving, withheld IS NULL AS good FROM nights WHERE serving;

-- clearly below the version that serves, on pairs that neither has learned: hardly any of the taste is left
INSERT INTO source SELECT user_id + 900, item_id FROM good WHERE user_id <= 300;
SELECT version FROM mf_train('source', factors => 8, iterations => 6, guard => 0.05);
SELECT version FROM mf_train('source', factors => 1, iterations => 1, guard => 0.05);
SELECT version, serving, regexp_replace(withheld, '0\.\d+', 'x', 'g') AS withheld FROM nights WHERE serving OR version = (SELECT max(version) FROM nights);
-- an updated version has learned from these pairs, and is no measure any more
INSERT INTO source VALUES (1, 2), (2, 3);
SELECT users_changed > 0 AS updated FROM mf_update('source');
SELECT version FROM mf_train('source', factors => 1, iterations => 1, guard => 0.05);
SELECT version, serving, withheld IS NULL AS good FROM nights WHERE serving;

-- twice the data, a model of ratings alone, and too few users to say anything
INSERT INTO source SELECT user_id + 2000, item_id FROM good;
SELECT version FROM mf_train('source', factors => 8, iterations => 6, guard => 0.05);
SELECT version FROM mf_retrain('source', guard => 0.05);
CREATE TABLE stars AS SELECT *, (3 + (user_id + item_id) % 3)::real AS rating FROM good;
SELECT version FROM mf_train('stars', 'stars', interest_weight => 0, factors => 4, guard => 0.05);
UPDATE stars SET rating = 4;
SELECT version FROM mf_retrain('stars', guard => 0.05);
SELECT version, serving, withheld FROM mf_models WHERE model = 'stars' ORDER BY 1;
CREATE TABLE few AS SELECT * FROM good WHERE user_id <= 10;
SELECT version FROM mf_train('few', 'few', factors => 2, guard => 0.05);
SELECT version FROM mf_retrain('few', guard => 0.05);
SELECT version, serving, withheld FROM mf_models WHERE model = 'few' ORDER BY 1;
TRUNCATE few;
SELECT version FROM mf_retrain('few', guard => 0.05);

-- users and items that are known by their attributes alone are no part of what is measured
CREATE TABLE people AS SELECT u AS user_id, 'k' || u % 3 AS kind FROM generate_series(1, 30000) u;
CREATE TABLE things AS SELECT i AS item_id, 'k' || i % 3 AS kind FROM generate_series(1, 3000) i;
ALTER TABLE people ADD PRIMARY KEY (user_id);
ALTER TABLE things ADD PRIMARY KEY (item_id);
SELECT users, items FROM mf_train('good', 'known', factors => 8, iterations => 6, item_features => 'things', user_features => 'people', guard => 0.05);
SELECT users, items FROM mf_retrain('known', guard => 0.05);
SELECT version, serving, withheld FROM mf_models WHERE model = 'known' ORDER BY 1;
SELECT version FROM mf_train('good', 'known', factors => 1, iterations => 1, item_features => 'things', user_features => 'people', guard => 0.05);
SELECT version, serving, withheld IS NOT NULL AS worse FROM mf_models WHERE model = 'known' AND version = 3;

-- with validation, what that holds out is measured
SELECT version FROM mf_train('source', factors => 8, iterations => 6, validation => 0.1, guard => 0.05);
SELECT version, serving, withheld, guard FROM nights WHERE serving;
-- what is no share
SELECT mf_train('source', guard => -0.1);
SELECT mf_train('source', guard => 0.9);
SELECT mf_retrain('source', guard => 'NaN');
SELECT count(*) FROM mf_retrain('source', guard => NULL);
SELECT count(*) FROM mf_retrain('source', guard => 0);

SELECT mf_drop(m) FROM unnest('{source,stars,few,known}'::text[]) m;
DROP SCHEMA guard CASCADE;
