-- mf_update: what has come since a version was trained, without training
CREATE SCHEMA test_update;
SET search_path = test_update, public;
SET client_min_messages = warning;
\set SHOW_CONTEXT never
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE said text; hint text; BEGIN EXECUTE command; RETURN 'nothing'; EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS said = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT; RETURN said || ' / ' || hint; END $$;

-- users like items of their kind, one of four
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, (CASE WHEN i % 4 = u % 4 THEN 5 ELSE 2 END - (u * 7 + i * 3) % 2)::real AS rating
	FROM generate_series(1, 300) u, generate_series(1, 72) i WHERE mf_holdout(u, i, CASE WHEN i % 4 = u % 4 THEN 0.4 ELSE 0.05 END);
CREATE INDEX ON ratings (user_id);
CREATE VIEW taken AS SELECT user_id, item_id FROM ratings WHERE rating IS NOT NULL;
CREATE TABLE models AS SELECT * FROM (VALUES ('both'), ('stars'), ('clicks')) m (model);
SELECT users, items, ratings FROM mf_train('ratings', 'both', factors => 4);
SELECT users, items, ratings FROM mf_train('ratings', 'stars', factors => 4, interest_weight => 0);
SELECT users, items, ratings FROM mf_train('taken', 'clicks', factors => 4);
CREATE FUNCTION updated(model text) RETURNS TABLE (version int, rows bigint, users text, items text) LANGUAGE sql AS $$
	SELECT version, rows, users_added || ' ' || users_changed || ' ' || users_removed, items_added || ' ' || items_changed || ' ' || items_removed FROM mf_update(model) $$;
CREATE FUNCTION all_rows(model text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN EXECUTE format(
	'SELECT md5((SELECT string_agg(u::text, '' '' ORDER BY version, user_id) FROM %I u) || (SELECT string_agg(i::text, '' '' ORDER BY version, item_id) FROM %I i))', model || '_user_factors', model || '_item_factors') INTO r; RETURN r; END $$;

-- nothing new: nothing changes, to the bit
CREATE TABLE trained AS SELECT m.model, all_rows(m.model), image FROM models m JOIN mfrec.model_version v ON v.model = m.model;
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
SELECT bool_and(t.all_rows = all_rows(t.model) AND t.image = v.image AND v.updated_at IS NULL) AS as_it_was FROM trained t JOIN mfrec.model_version v ON v.model = t.model;

-- a new item of kind 0, taken by twenty who know that kind; one more row of a known item
CREATE TABLE before (model text, user_id int, bias real, spread real, factors real[]);
INSERT INTO before SELECT 'both', user_id, bias, spread, factors FROM both_user_factors UNION ALL SELECT 'stars', user_id, bias, spread, factors FROM stars_user_factors UNION ALL SELECT 'clicks', user_id, bias, spread, factors FROM clicks_user_factors;
INSERT INTO ratings SELECT u, 100, 5 - u % 8 / 4 FROM generate_series(4, 80, 4) u;
INSERT INTO ratings SELECT 81, min(i), 3 FROM generate_series(1, 72) i WHERE (81, i) NOT IN (SELECT user_id, item_id FROM ratings);
SELECT count(*) FROM models, mf_recommend(120, 100, model, fresh => false) WHERE item_id = 100;
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
SELECT model, version, users, items, ratings, updated_at > trained_at AS updated, image_bytes > 0 AS image FROM mf_models JOIN models USING (model) ORDER BY model;
-- it is in the lists of those that it fits, and leads none of others
SELECT model, count(*) AS lists, count(*) FILTER (WHERE user_id % 4 = 0) AS fitting FROM models, generate_series(81, 300) user_id, mf_recommend(user_id, 12, model) WHERE item_id = 100 AND model <> 'stars' GROUP BY model ORDER BY model;
SELECT model, avg(mf_predict(u, 100, model)) FILTER (WHERE u % 4 = 0) > avg(mf_predict(u, 100, model)) FILTER (WHERE u % 4 <> 0) + 0.1 AS likes FROM models, generate_series(81, 300) u GROUP BY model ORDER BY model;
-- who has it does not get it, by the source and by what is stored
SELECT count(*) FROM models, generate_series(4, 80, 4) u, (VALUES (true), (false)) f (fresh), mf_recommend(u, 100, model, fresh => fresh) WHERE item_id = 100;
SELECT count(*) FROM models, mf_recommend(81, 100, model, fresh => false) l JOIN ratings r ON r.user_id = 81 AND r.item_id = l.item_id;

-- an item solves its equations of a training's half-sweep, by users as they were: gradient against the terms that cancel in it
CREATE TABLE seen (user_id int, item_id int, rating real);
CREATE VIEW trained_on AS SELECT model, r.* FROM models, ratings r UNION ALL SELECT 'films', r.* FROM seen r;
CREATE FUNCTION dot(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT sum(x::float8 * y) FROM unnest(a, b) t (x, y)';
CREATE FUNCTION parameter(m text, name text) RETURNS float8 LANGUAGE sql STABLE AS 'SELECT (parameters ->> name)::float8 FROM mf_models WHERE model = m AND serving';
CREATE FUNCTION interest_gradient(m text, i int, s real[], prior real[] DEFAULT NULL) RETURNS float8 LANGUAGE sql STABLE AS $$
	SELECT sqrt(sum((gram + parameter(m, 'regularization') * parameter(m, 'interest_regularization') * (n / parameter(m, 'item_ratings')) ^ parameter(m, 'item_exponent') * (s[k] - coalesce(prior[k], 0))
		+ parameter(m, 'alpha') * observed - (1 + parameter(m, 'alpha')) * target) ^ 2)) / sqrt(sum(((1 + parameter(m, 'alpha')) * target) ^ 2)) FROM (
		SELECT k, sum(b.factors[k] * dot(b.factors, s)) AS gram, sum(b.factors[k] * dot(b.factors, s)) FILTER (WHERE r.item_id = i) AS observed,
			sum(b.factors[k]) FILTER (WHERE r.item_id = i) AS target, count(r.item_id) AS n
		FROM before b LEFT JOIN trained_on r ON r.model = m AND r.user_id = b.user_id AND r.item_id = i, generate_series(1, parameter(m, 'factors')::int) k WHERE b.model = m GROUP BY k) x $$;
CREATE FUNCTION rating_gradient(m text, i int, q real[], item_bias real, prior real[] DEFAULT NULL, bias_prior real DEFAULT 0) RETURNS float8 LANGUAGE sql STABLE AS $$
	SELECT sqrt(sum((parameter(m, 'regularization') * CASE WHEN k = 0 THEN parameter(m, 'bias_regularization') * (item_bias - bias_prior) ELSE
		(parameter(m, 'rating_regularization') + parameter(m, 'rating_uncertainty') * n ^ parameter(m, 'rating_exponent')) * (q[k] - coalesce(prior[k], 0)) END + residual) ^ 2)) / sqrt(sum(target ^ 2)) FROM (
		SELECT k, count(*) AS n, sum(coalesce(b.factors[k], 1) * (dot(b.factors, q) + b.bias + item_bias - z)) AS residual, sum(coalesce(b.factors[k], 1) * (z - b.bias)) AS target
		FROM before b JOIN trained_on r ON r.model = m AND r.user_id = b.user_id AND r.item_id = i, generate_series(0, array_length(q, 1)) k, LATERAL (SELECT (rating - parameter(m, 'mean')) / parameter(m, 'deviation') / b.spread AS z) z WHERE b.model = m GROUP BY k) x $$;
CREATE VIEW changed AS SELECT 100 AS item_id UNION SELECT min(i) FROM generate_series(1, 72) i JOIN ratings r ON r.user_id = 81 AND r.item_id = i AND r.rating = 3;
SELECT item_id = 100 AS new, bool_and(interest_gradient('both', item_id, factors) < 1e-4) AS interest, bool_and(rating_gradient('both', item_id, rating_factors, bias) < 1e-4) AS rating FROM both_item_factors JOIN changed USING (item_id) GROUP BY 1 ORDER BY 1;
SELECT item_id = 100 AS new, bool_and(interest_gradient('clicks', item_id, factors) < 1e-4) AS interest FROM clicks_item_factors JOIN changed USING (item_id) GROUP BY 1 ORDER BY 1;
SELECT item_id = 100 AS new, bool_and(rating_gradient('stars', item_id, factors, bias) < 1e-4) AS rating FROM stars_item_factors JOIN changed USING (item_id) GROUP BY 1 ORDER BY 1;
-- who has no other rows is as stored, though items have moved; who has is what folding in finds, also where no fingerprint tells so
SELECT model, string_agg(DISTINCT reason, ' ') FROM models, (SELECT DISTINCT user_id FROM ratings) u, mf_recommend(user_id, 1, model, fresh => true) GROUP BY model ORDER BY model;
BEGIN; UPDATE both_user_factors SET fingerprint = NULL WHERE ratings > 0; UPDATE stars_user_factors SET fingerprint = NULL WHERE ratings > 0; UPDATE clicks_user_factors SET fingerprint = NULL WHERE ratings > 0; SELECT model, string_agg(DISTINCT reason, ' ') FROM models, (SELECT DISTINCT user_id FROM ratings WHERE item_id = 100) u, mf_recommend(user_id, 5, model, fresh => true) GROUP BY model ORDER BY model; ROLLBACK;

-- a user and an item that know nobody but each other
BEGIN;
INSERT INTO ratings VALUES (5000, 5000, 5);
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
DELETE FROM ratings WHERE user_id = 5000;
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
ROLLBACK;

-- users come and go, items too; ratings change; duplicates count; rows that are no ratings do not, but leave out what they say
INSERT INTO ratings SELECT 1000, i, 5 FROM generate_series(2, 40, 4) i;
INSERT INTO ratings VALUES (1001, 101, 4), (1002, 102, NULL), (1000, 46, NULL);
DELETE FROM ratings WHERE user_id = 9;
DELETE FROM ratings WHERE item_id = 5;
UPDATE ratings SET rating = 6 - rating WHERE user_id = 6 AND item_id = (SELECT min(item_id) FROM ratings WHERE user_id = 6);
INSERT INTO ratings SELECT user_id, item_id, 3 FROM ratings WHERE user_id = 7 ORDER BY item_id LIMIT 1;
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
SELECT model, u.* FROM models, updated(model) u ORDER BY model;
SELECT model, users = (SELECT count(DISTINCT user_id) FROM taken) AS users, items = (SELECT count(DISTINCT item_id) FROM taken) AS items, ratings = (SELECT count(DISTINCT (user_id, item_id)) FROM taken) AS ratings FROM mf_models JOIN models USING (model) ORDER BY model;
SELECT bool_and(f.ratings = n) FROM both_user_factors f JOIN (SELECT user_id, count(DISTINCT item_id) AS n FROM taken GROUP BY 1) r USING (user_id);
SELECT bool_and(f.ratings = n), count(*) FROM both_item_factors f JOIN (SELECT item_id, count(DISTINCT user_id) AS n FROM taken GROUP BY 1) r USING (item_id);
SELECT model, reason, bool_and(item_id NOT IN (SELECT item_id FROM ratings r WHERE user_id = 1000 AND (rating IS NOT NULL OR model <> 'clicks'))) AS new, sum((item_id % 4 = 2)::int) >= 4 AS fitting FROM models, mf_recommend(1000, 5, model, fresh => false) WHERE model <> 'stars' GROUP BY 1, 2 ORDER BY 1;
SELECT DISTINCT reason FROM models, mf_recommend(9, 3, model);
SELECT count(*) FROM models, mf_recommend(3, 100, model, exclude_seen => false) WHERE item_id = 5;
-- the order of rows says nothing
BEGIN;
CREATE TABLE copy AS SELECT * FROM ratings ORDER BY rating, item_id, user_id;
DELETE FROM ratings;
INSERT INTO ratings SELECT * FROM copy;
SELECT u.* FROM updated('both') u;
ROLLBACK;
-- nor does that of the model's rows: what is stored is the same to the bit, whatever the order in which tables are read
CREATE FUNCTION shuffle(model text) RETURNS void LANGUAGE plpgsql AS $$ DECLARE t text; BEGIN FOREACH t IN ARRAY ARRAY[model || '_user_factors', model || '_item_factors'] LOOP
	EXECUTE format('CREATE TEMPORARY TABLE shuffled ON COMMIT DROP AS SELECT * FROM %1$I; DELETE FROM %1$I; INSERT INTO %1$I SELECT * FROM shuffled ORDER BY md5(shuffled::text); DROP TABLE shuffled', t); END LOOP; END $$;
CREATE VIEW mixed AS SELECT * FROM ratings ORDER BY md5(ratings::text);
SELECT count(t.users) FROM (VALUES ('one', 'ratings'), ('other', 'mixed')) m (model, source), mf_train(source::regclass, model, factors => 4) t;
SELECT all_rows('one') = all_rows('other') AS same, shuffle('other');
BEGIN;
INSERT INTO ratings SELECT u, 110 + u % 3, 1 + u % 5 FROM generate_series(1, 60) u;
INSERT INTO ratings SELECT 2000 + u, i, 1 + (u + i) % 5 FROM generate_series(1, 5) u, generate_series(1, 40, 3) i;
SELECT model, u.users, u.items FROM unnest('{one,other}'::text[]) model, updated(model) u;
SELECT all_rows('one') = all_rows('other') AS same;
ROLLBACK;
SELECT count(mf_drop(model)) FROM unnest('{one,other}'::text[]) model;
DROP VIEW mixed;
-- all of it or nothing
BEGIN;
INSERT INTO ratings VALUES (1000, 47, 5);
SELECT u.* FROM updated('both') u;
ROLLBACK;
SELECT u.* FROM updated('both') u;

-- values of implicit feedback, which add up, with ids of text; in memory and spilled
CREATE TABLE plays AS SELECT 'user ' || u AS user_id, 'song ' || i AS item_id, 1 + (u * i) % 7 AS plays FROM generate_series(1, 2000) u, generate_series(1, 100) i WHERE (u * 7 + i * 3 + u * i) % 10 < 4 AND i <> 50 AND u <> 50;
SELECT users, items FROM mf_train('plays', 'small', factors => 4, iterations => 4, feedback => 'implicit', rating_column => 'plays');
SELECT users, items FROM mf_train('plays', 'spilled', factors => 4, iterations => 4, feedback => 'implicit', rating_column => 'plays');
INSERT INTO plays SELECT 'user ' || u, 'song ' || i, 2 FROM generate_series(40, 60) u, generate_series(45, 55) i;
SELECT u.* FROM updated('small') u;
SELECT shuffle('spilled');
SET maintenance_work_mem = '1MB';
SELECT u.* FROM updated('spilled') u;
RESET maintenance_work_mem;
SELECT all_rows('small') = all_rows('spilled') AS same;
SELECT u.* FROM updated('spilled') u;
INSERT INTO plays SELECT 'user ' || u, 'song ' || i, 0 FROM generate_series(1, 2000) u, generate_series(51, 90) i;
UPDATE plays SET plays = plays + 1 WHERE plays > 0;
SELECT u.* FROM updated('small') u;
SET maintenance_work_mem = '1MB';
SELECT u.* FROM updated('spilled') u;
RESET maintenance_work_mem;
SELECT all_rows('small') = all_rows('spilled') AS same;
SELECT reason, count(*) > 0 AS list, count(*) FILTER (WHERE EXISTS (SELECT FROM plays p WHERE p.user_id = u AND p.item_id = l.item_id)) AS had FROM unnest('{user 41,user 8,user 60}'::text[]) u, mf_recommend(u, 100, item_type => NULL::text, model => 'spilled', fresh => false) l GROUP BY 1;
BEGIN; UPDATE small_user_factors SET fingerprint = NULL WHERE ratings > 0; SELECT DISTINCT reason FROM (VALUES ('user 50'), ('user 41'), ('user 60')) u (id), mf_recommend(id, 3, item_type => NULL::text, model => 'small', fresh => true); ROLLBACK;
SELECT bool_and(item_id::text ~ '^song') AS of_text, count(*) FROM mf_popular(100, item_type => NULL::text, model => 'small');

-- items with many ratings: a few more do not move them, but count
CREATE TABLE hits AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 1300) u, generate_series(1, 20) i WHERE i <= 2 OR (u * 7 + i * 3 + u * i) % 10 < 3;
DELETE FROM hits WHERE user_id > 1250 AND item_id = 2;
SELECT users, items FROM mf_train('hits', 'hits', factors => 2, iterations => 3, feedback => 'implicit');
CREATE TABLE hit_items AS SELECT * FROM hits_item_factors;
CREATE VIEW moved AS SELECT i.item_id, i.ratings - h.ratings AS more, i.factors <> h.factors AS moved, i.fingerprint <> h.fingerprint AS noted FROM hits_item_factors i JOIN hit_items h USING (item_id) WHERE i.item_id <= 2 ORDER BY 1;
INSERT INTO hits VALUES (1301, 1), (1301, 2), (1301, 2), (1302, 2);
SELECT u.* FROM updated('hits') u;
SELECT * FROM moved;
SELECT u.* FROM updated('hits') u;
SELECT f.ratings = n AS counted FROM hits_item_factors f JOIN (SELECT item_id, count(DISTINCT user_id) AS n FROM hits GROUP BY 1) r USING (item_id) WHERE item_id = 2;
SELECT p.item_id, p.ratings = f.ratings AS counted FROM hits_item_factors f, mf_popular(2, model => 'hits') p WHERE p.item_id = f.item_id ORDER BY 1;
-- one in a hundred does
INSERT INTO hits SELECT u, 2 FROM generate_series(1251, 1270) u;
SELECT u.* FROM updated('hits') u;
SELECT * FROM moved;
-- and so do any, where many users have other rows
DELETE FROM hits WHERE item_id > 2 AND user_id % 3 = 0;
INSERT INTO hits VALUES (1303, 1);
SELECT users ~ '^1 [0-9]{3}' AS many FROM updated('hits') u;
SELECT * FROM moved;
DROP VIEW moved;

-- attributes of items: known ones are drawn to their map, cold ones come and go, get ratings and lose them
CREATE TABLE films AS SELECT i AS item_id, 'genre ' || i % 10 AS genre FROM generate_series(1, 400) i;
ALTER TABLE films ADD PRIMARY KEY (item_id);
INSERT INTO seen SELECT u, i, CASE WHEN i % 10 = u % 10 THEN 5 ELSE 2 END - (u * 7 + i * 3) % 2 FROM generate_series(1, 1500) u, generate_series(1, 400) i
	WHERE i NOT IN (78, 79, 80) AND mf_holdout(u, i, CASE WHEN i % 10 = u % 10 THEN 0.12 ELSE 0.006 END);
CREATE INDEX ON seen (user_id);
SELECT items FROM mf_train('seen', 'films', factors => 4, item_features => 'films', interest_weight => 1);
SELECT parameters -> 'items_drawn' AS drawn FROM mf_models WHERE model = 'films';
INSERT INTO before SELECT 'films', user_id, bias, spread, factors FROM films_user_factors;
CREATE TABLE alike AS SELECT i, l.* FROM unnest('{4,7,79}'::int[]) i, mf_similar_items(i, 1000, 'films', by => 'content') l;
CREATE TABLE priors AS SELECT item_id, prior FROM films_item_factors;
-- before lists are published by it: rows of known items alone
INSERT INTO seen VALUES (3, 44, 5);
SELECT u.* FROM updated('films') u;
SELECT count(*) AS items, count(f.prior) AS priors, bool_and(p.prior IS NOT DISTINCT FROM f.prior) AS as_trained FROM films_item_factors f JOIN priors p USING (item_id) WHERE ratings > 0;
SELECT count(*) > 300 AND bool_and(abs(a.similarity - l.similarity) < 1e-4) AS alike FROM alike a JOIN mf_similar_items(4, 1000, 'films', new_items => false, by => 'content') l ON i = 4 AND a.id = l.id;
SELECT mf_refresh('films') AS items;
INSERT INTO films VALUES (481, 'genre 3'), (482, 'genre 9');
DELETE FROM films WHERE item_id = 80;
INSERT INTO seen SELECT u, 79, 5 FROM generate_series(9, 249, 10) u;	-- was cold
DELETE FROM seen WHERE item_id = 7;										-- is now
INSERT INTO seen VALUES (3, 481, 4), (3, 483, 4);						-- come with ratings, of which one has no row
DELETE FROM before WHERE model = 'films';
INSERT INTO before SELECT 'films', user_id, bias, spread, factors FROM films_user_factors;
CREATE TABLE cold AS SELECT item_id, factors FROM films_item_factors WHERE ratings = 0;
SELECT u.* FROM updated('films') u;
SELECT u.* FROM updated('films') u;
SELECT item_id, ratings, prior IS NOT NULL AS has_prior FROM films_item_factors WHERE item_id IN (7, 78, 79, 80, 481, 482, 483) ORDER BY 1;
SELECT items, ratings = (SELECT count(DISTINCT (user_id, item_id)) FROM seen) AS ratings FROM mf_models WHERE model = 'films';
SELECT count(DISTINCT number) = count(*) AS numbered FROM films_item_factors;
SELECT bool_and(f.factors = c.factors) FROM films_item_factors f JOIN cold c USING (item_id) WHERE f.ratings = 0;
-- attributes make of all what they made of them, whether they have ratings or not
SELECT i, count(*) > 350 AS compared, bool_and(abs(a.similarity - l.similarity) < 1e-4) AS alike FROM alike a CROSS JOIN LATERAL mf_similar_items(i, 1000, 'films', by => 'content') l WHERE a.id = l.id GROUP BY 1 ORDER BY 1;
-- and that is the vector of those that are cold, beside the shift that all of these have
CREATE FUNCTION unshifted(m text, v real[]) RETURNS real[] LANGUAGE sql STABLE AS $$
	SELECT array_agg((x - coalesce(s::float8, 0))::real ORDER BY k) FROM unnest(v) WITH ORDINALITY t (x, k) LEFT JOIN (SELECT e.s, e.k FROM mf_models v, jsonb_array_elements_text(parameters -> 'cold_shift') WITH ORDINALITY e (s, k) WHERE v.model = m AND serving) c USING (k) $$;
CREATE FUNCTION near(a real[], b real[]) RETURNS bool LANGUAGE sql IMMUTABLE AS 'SELECT bool_and(abs(x - y) < 1e-4) AND sum(abs(x)) > 1e-3 FROM unnest(a, b) t (x, y)';
SELECT f.item_id, near(f.prior, unshifted('films', twin.factors)) AS as_twin FROM films_item_factors f, films_item_factors twin
	WHERE (f.item_id, twin.item_id) IN ((79, 482), (199, 482), (17, 7)) ORDER BY 1;
-- 482, which is cold, is what 79 is drawn to
SELECT interest_gradient('films', 79, f.factors, f.prior) < 1e-4 AS interest, interest_gradient('films', 79, f.factors) > 1e-3 AS without,
	rating_gradient('films', 79, f.rating_factors, f.bias, twin.rating_factors, twin.bias) < 1e-4 AS rating, rating_gradient('films', 79, f.rating_factors, f.bias) > 1e-3 AS without FROM films_item_factors f, films_item_factors twin WHERE f.item_id = 79 AND twin.item_id = 482;
SELECT count(*) FROM mf_recommend(3, 500, 'films') WHERE item_id IN (481, 483);
SELECT count(*) > 10 FROM generate_series(309, 1499, 10) u, mf_recommend(u, 40, 'films') WHERE item_id = 79;
-- refreshing has nothing to remove, nor to add
SELECT mf_refresh('films') AS items, md5(string_agg(f::text, ' ' ORDER BY item_id)) = (SELECT md5(string_agg(f::text, ' ' ORDER BY item_id)) FROM films_item_factors f) AS as_it_was FROM films_item_factors f;
-- items come by the relation alone: that is an update
SELECT updated_at AS before FROM mf_models WHERE model = 'films' \gset
INSERT INTO films VALUES (484, 'genre 4');
SELECT u.* FROM updated('films') u;
SELECT updated_at > :'before' AS noted FROM mf_models WHERE model = 'films';
-- an item with so many ratings that it is only counted keeps its prior
CREATE TABLE of_hits AS SELECT i AS item_id, 'kind ' || i % 2 AS kind FROM generate_series(1, 22) i;
SELECT items FROM mf_train('hits', 'of_hits', factors => 2, iterations => 3, feedback => 'implicit', item_features => 'of_hits');
CREATE TABLE hit_priors AS SELECT * FROM of_hits_item_factors;
INSERT INTO hits VALUES (1304, 1), (1304, 2);
SELECT u.* FROM updated('of_hits') u;
SELECT item_id, f.factors = h.factors AS stays, f.ratings - h.ratings AS more, f.prior = h.prior AS prior FROM of_hits_item_factors f JOIN hit_priors h USING (item_id) WHERE item_id = 1;
-- the relation, or some of it, is not what it was
CREATE FUNCTION after(command text, OUT was text, OUT users text, OUT items text, OUT priors bool, OUT refreshed bool) LANGUAGE plpgsql AS $$ BEGIN
	EXECUTE command;
	was := command;
	INSERT INTO seen VALUES (4, 79, 4), (4, 11, 3), (4, 14, 5);
	SELECT u.users, u.items INTO users, items FROM updated('films') u;
	priors := (SELECT count(*) = 3 AND bool_and(near(f.prior, p.prior) IS TRUE) FROM films_item_factors f JOIN priors_now p USING (item_id) WHERE item_id IN (79, 11, 14));
	refreshed := mf_refresh('films') = (SELECT count(*) FROM films_item_factors);
END $$;
CREATE TABLE priors_now AS SELECT item_id, prior FROM films_item_factors;
BEGIN; SELECT * FROM after('ALTER TABLE films ADD COLUMN more text'); ROLLBACK;
BEGIN; SELECT * FROM after('ALTER TABLE films RENAME genre TO kind'); ROLLBACK;
BEGIN; SELECT * FROM after('ALTER TABLE films DROP genre'); ROLLBACK;
BEGIN; SELECT * FROM after('DROP TABLE films'); ROLLBACK;
BEGIN; SELECT * FROM after('ALTER TABLE films_feature_factors RENAME TO gone'); ROLLBACK;
BEGIN; SELECT * FROM after('ALTER TABLE films ALTER item_id TYPE text'); ROLLBACK;
BEGIN; SELECT * FROM after('ALTER TABLE films RENAME item_id TO film'); ROLLBACK;
-- and tables have lost the column
BEGIN;
ALTER TABLE films_item_factors DROP prior;
INSERT INTO seen VALUES (4, 79, 4), (4, 11, 3);
SELECT u.* FROM updated('films') u;
SELECT mf_refresh('films') = count(*) AS all FROM films_item_factors;
ROLLBACK;
-- users with a profile become it when their rows go, and are drawn to it when they rate
CREATE TABLE people AS SELECT u AS user_id, 'kind ' || u % 10 AS kind FROM generate_series(1, 1510) u WHERE u <> 1500;
ALTER TABLE people ADD PRIMARY KEY (user_id);
SELECT users FROM mf_train('seen', 'people', factors => 4, user_features => 'people');
CREATE TABLE trained_people AS SELECT * FROM people_user_factors;
DELETE FROM seen WHERE user_id IN (12, 1500);							-- of whom one has a profile
INSERT INTO seen VALUES (1501, 1, 5), (1501, 5, 4), (2000, 2, 5);		-- likewise
SELECT u.* FROM updated('people') u;
SELECT u.* FROM updated('people') u;
SELECT user_id, ratings, factors[1:4] = prior AS is_prior, prior IS NOT NULL AS has_prior FROM people_user_factors WHERE user_id IN (12, 1501, 1502, 1500, 2000) ORDER BY 1;
SELECT users = (SELECT count(*) FROM people_user_factors WHERE factors <> '{}') AS counted FROM mf_models WHERE model = 'people';
BEGIN; UPDATE people_user_factors SET fingerprint = NULL WHERE ratings > 0; SELECT u, string_agg(DISTINCT reason, ' ') FROM unnest('{12,1501,1502,2000}'::int[]) u, mf_recommend(u, 3, 'people', fresh => true) GROUP BY 1 ORDER BY 1; ROLLBACK;
-- who comes after the training is drawn to their own point, with rows or without; a profile whose row has gone leaves; who says nothing does not come
INSERT INTO people VALUES (3001, 'kind 1'), (3002, 'kind 2'), (3003, 'kind 3'), (3004, 'unheard of');
INSERT INTO seen VALUES (3001, 11, 5), (3001, 41, 4), (3004, 11, 5);
DELETE FROM people WHERE user_id IN (12, 22, 1502);
CREATE TABLE asked AS SELECT u, l.item_id, score FROM unnest('{3001,3002,3003}'::int[]) u, mf_recommend(u, 500, 'people', fresh => true) l;
SELECT u.* FROM updated('people') u;
SELECT u.* FROM updated('people') u;
SELECT user_id, ratings, factors[1:4] = prior AS is_prior, prior IS NOT NULL AS has_prior FROM people_user_factors WHERE user_id IN (12, 22, 1502, 3001, 3002, 3003, 3004) ORDER BY 1;
SELECT f.user_id, near(f.prior, t.prior) AS as_their_like FROM people_user_factors f JOIN trained_people t ON t.user_id = f.user_id - 3000 WHERE f.user_id IN (3001, 3002, 3003) ORDER BY 1;
SELECT users = (SELECT count(*) FROM people_user_factors WHERE factors <> '{}') AS counted FROM mf_models WHERE model = 'people';
-- stored is what folding in finds
BEGIN; UPDATE people_user_factors SET fingerprint = NULL WHERE ratings > 0; SELECT u, string_agg(DISTINCT reason, ' ') FROM unnest('{3001,3002,3003,3004,1501}'::int[]) u, mf_recommend(u, 3, 'people', fresh => true) GROUP BY 1 ORDER BY 1; ROLLBACK;
SELECT u, count(*) > 300 AND bool_and(abs(a.score - l.score) < 1e-5) AS as_asked FROM asked a CROSS JOIN LATERAL mf_recommend(u, 500, 'people', fresh => false) l WHERE u > 3001 AND a.item_id = l.item_id AND a.item_id NOT IN (11, 41) GROUP BY 1 ORDER BY 1;
SELECT user_id, count(*), bool_and(item_id NOT IN (11, 41)) AS new FROM mf_recommend_all(5, user_type => NULL::int, item_type => NULL::int, model => 'people') WHERE user_id IN (1502, 3001, 3002, 3003) GROUP BY 1 ORDER BY 1;
-- mf_refresh does that, too, for whom it finds without rows
INSERT INTO people VALUES (3005, 'kind 5');
DELETE FROM people WHERE user_id IN (5, 3003);
SELECT mf_refresh('people') > 0 AS items;
SELECT user_id, ratings = 0 AS profile FROM people_user_factors WHERE user_id IN (5, 3003, 3005) ORDER BY 1;
SELECT users = (SELECT count(*) FROM people_user_factors WHERE factors <> '{}') AS counted FROM mf_models WHERE model = 'people';
SELECT users, items FROM updated('people') u;
-- who was stored with no point becomes a profile when their rows go; so do those who say something now
INSERT INTO people VALUES (2000, 'kind 4'), (1500, 'kind 5');
DELETE FROM seen WHERE user_id = 2000;
SELECT users FROM updated('people') u;
SELECT user_id, ratings, factors[1:4] = prior AS is_prior FROM people_user_factors WHERE user_id IN (1500, 2000) ORDER BY 1;
BEGIN; UPDATE people_user_factors SET fingerprint = NULL WHERE ratings > 0; SELECT u, string_agg(DISTINCT reason, ' ') FROM unnest('{1500,2000}'::int[]) u, mf_recommend(u, 3, 'people', fresh => true) GROUP BY 1 ORDER BY 1; ROLLBACK;
-- the table has lost the column: profiles neither come nor go
BEGIN;
ALTER TABLE people_user_factors DROP prior;
DELETE FROM people WHERE user_id IN (1503, 1504);
INSERT INTO people VALUES (3006, 'kind 6');
INSERT INTO seen VALUES (3006, 46, 5), (4, 46, 2);
SELECT users FROM updated('people') u;
SELECT mf_refresh('people') > 0 AS items;
SELECT user_id, ratings FROM people_user_factors WHERE user_id IN (1503, 1504, 3006) ORDER BY 1;
ROLLBACK;
-- the relation has gone: profiles stay
BEGIN;
DROP TABLE people;
INSERT INTO seen VALUES (3002, 12, 5);
DELETE FROM seen WHERE user_id = 3001;
SELECT users, items ~ '^0 [1-9]' AS items FROM updated('people') u;
SELECT user_id, ratings, prior IS NOT NULL AS has_prior FROM people_user_factors WHERE user_id IN (3001, 3002, 3005) ORDER BY 1;
ROLLBACK;
-- ids of other types, and a view; words, whose configuration of text search goes
CREATE TABLE things AS SELECT md5(item_id::text)::uuid AS item_id, genre AS word FROM films;
CREATE VIEW books AS SELECT item_id, word || ' told by many hands ' || item_id::text AS about FROM things;
CREATE TABLE loans AS SELECT 'reader ' || user_id AS user_id, md5(item_id::text)::uuid AS item_id FROM seen WHERE item_id <= 400 AND user_id <= 1500;
CREATE VIEW readers AS SELECT 'reader ' || user_id AS user_id, kind FROM people;
CREATE TEXT SEARCH CONFIGURATION plain_words (COPY = simple);
SET mfrec.text_search_config = 'test_update.plain_words';
SELECT users > 1490 AS users, items FROM mf_train('loans', 'loans', factors => 4, item_features => 'books', user_features => 'readers');
INSERT INTO things VALUES (md5('new 1')::uuid, 'genre 1'), (md5('new 2')::uuid, 'genre 2'), (md5('new 3')::uuid, 'genre 3');
INSERT INTO loans SELECT 'reader ' || u, md5('new 1')::uuid FROM generate_series(1, 201, 10) u;
INSERT INTO loans VALUES ('reader 4001', md5('new 2')::uuid), ('reader 4001', md5('2')::uuid);
INSERT INTO people VALUES (4001, 'kind 2'), (4002, 'kind 2');
SELECT u.* FROM updated('loans') u;
SELECT u.* FROM updated('loans') u;
SELECT n, ratings, prior IS NOT NULL AS prior FROM loans_item_factors, generate_series(1, 3) n WHERE item_id = md5('new ' || n)::uuid ORDER BY 1;
SELECT user_id, ratings, prior IS NOT NULL AS prior FROM loans_user_factors WHERE user_id ~ '400.' ORDER BY 1;
BEGIN; UPDATE loans_user_factors SET fingerprint = NULL WHERE ratings > 0; SELECT DISTINCT reason FROM mf_recommend('reader 4001'::text, 3, item_type => NULL::uuid, model => 'loans', fresh => true); ROLLBACK;
RESET mfrec.text_search_config;
DROP TEXT SEARCH CONFIGURATION plain_words;
INSERT INTO loans VALUES ('reader 4001', md5('3')::uuid), ('reader 4003', md5('new 3')::uuid);
SELECT u.* FROM updated('loans') u;
SELECT ratings, prior IS NOT NULL AS prior FROM loans_item_factors WHERE item_id = md5('new 3')::uuid;
-- an item of the relation that loses its rows is cold again, one that has none there leaves
DELETE FROM loans WHERE item_id = md5('new 1')::uuid;
DELETE FROM loans WHERE item_id = md5('8')::uuid;
DELETE FROM things WHERE item_id = md5('8')::uuid;
SELECT u.items FROM updated('loans') u;
SELECT n, ratings, prior IS NOT NULL AS prior FROM loans_item_factors, unnest('{new 1,8}'::text[]) n WHERE item_id = md5(n)::uuid ORDER BY 1;
-- an item of which validation has held out all rows: it stays until a user changes who has it
CREATE TABLE halves AS SELECT user_id, item_id FROM seen WHERE item_id <= 400 UNION ALL SELECT u, 600 + u FROM generate_series(1, 60) u UNION ALL SELECT u, 13 FROM generate_series(5001, 5040) u;
SELECT items FROM mf_train('halves', 'halves', factors => 4, item_features => 'films', validation => 0.4);
CREATE TABLE all_held AS SELECT item_id, item_id - 600 AS user_id FROM halves_item_factors WHERE ratings = 0 AND item_id > 600;
SELECT count(*) BETWEEN 5 AND 55 AS some FROM all_held;
SELECT u.* FROM updated('halves') u;
CREATE OR REPLACE VIEW trained_on AS SELECT model, r.* FROM models, ratings r UNION ALL SELECT 'films', r.* FROM seen r UNION ALL SELECT 'halves', h.*, 1 FROM halves h;
INSERT INTO before SELECT 'halves', user_id, bias, spread, factors FROM halves_user_factors;
SELECT count(*) BETWEEN 5 AND 35 AS users_held_out FROM halves_user_factors WHERE ratings = 0 AND user_id > 5000;
SELECT min(item_id) AS held FROM all_held \gset
INSERT INTO halves VALUES (:held - 600, 600);
SELECT u.users, items ~ '^1 ' AS items FROM updated('halves') u;
SELECT count(*) FILTER (WHERE ratings = 0) = (SELECT count(*) - 1 FROM all_held) AS others_stay FROM halves_item_factors JOIN all_held USING (item_id);
SELECT item_id = 600 AS new, interest_gradient('halves', item_id, factors) < 1e-4 AS interest FROM halves_item_factors WHERE item_id IN (600, :held) ORDER BY 1;
BEGIN; UPDATE halves_user_factors SET fingerprint = NULL WHERE ratings > 0; SELECT DISTINCT reason FROM mf_recommend(:held - 600, 3, 'halves', fresh => true); ROLLBACK;
SELECT u.* FROM updated('halves') u;
SELECT mf_refresh('halves') = count(*) FROM halves_item_factors;
-- values of 0 are no rows: an item that has no others stays cold, and is out of the lists of who has it
CREATE TABLE watched AS SELECT user_id, item_id, 1 + user_id % 3 AS times FROM seen WHERE item_id <= 400;
SELECT items FROM mf_train('watched', 'watched', factors => 4, feedback => 'implicit', rating_column => 'times', item_features => 'films');
INSERT INTO watched SELECT u, 78, 0 FROM generate_series(1, 30) u;
INSERT INTO watched VALUES (1, 9, 2), (2, 700, 0);
UPDATE watched SET times = 0 WHERE item_id = 17;
SELECT u.users ~ '^0 [1-9][0-9]* 0' AS users, items ~ '^0 [1-9][0-9]* 0' AS items FROM updated('watched') u;
SELECT item_id, ratings, prior IS NOT NULL AS prior FROM watched_item_factors WHERE item_id IN (9, 17, 78, 700) ORDER BY 1;
SELECT count(*) FROM mf_recommend(1, 500, 'watched', fresh => false) WHERE item_id IN (9, 78);
SELECT count(*) > 10 AS users, sum((SELECT count(*) FROM mf_recommend(user_id, 500, 'watched', fresh => false) l WHERE l.item_id = 17)) AS lists, count(l.item_id) AS of_another
	FROM watched w LEFT JOIN LATERAL mf_recommend(w.user_id + 1, 500, 'watched', fresh => false) l ON l.item_id = 17 AND w.user_id + 1 NOT IN (SELECT user_id FROM watched WHERE item_id = 17) WHERE w.item_id = 17;
SELECT u.* FROM updated('watched') u;
SELECT mf_refresh('watched') = count(*) FROM watched_item_factors;
-- rows held out for validation count in an update
SELECT users FROM mf_train('ratings', 'held', factors => 4, validation => 0.2);
INSERT INTO ratings VALUES (10, 100, 5);
SELECT u.* FROM updated('held') u;
SELECT f.ratings = (SELECT count(*) FROM ratings WHERE user_id = 10) AS counted FROM held_user_factors f WHERE user_id = 10;

-- versions: the one that serves is updated; the others stay, and can serve again
SET mfrec.keep_versions = 2;
SELECT version FROM mf_retrain('both');
SELECT md5(string_agg(f::text, ' ' ORDER BY item_id)) AS old FROM both_item_factors f WHERE version = 1 \gset
INSERT INTO ratings VALUES (11, 100, 5);
SELECT u.* FROM updated('both') u;
SELECT md5(string_agg(f::text, ' ' ORDER BY item_id)) = :'old' AS as_it_was FROM both_item_factors f WHERE version = 1;
SELECT version, updated_at IS NOT NULL AS updated FROM mf_models WHERE model = 'both' ORDER BY 1;
SELECT mf_rollback('both');
SELECT version, users ~ '^0 [1-9]' AS users, items ~ '^0 [1-9]' AS items FROM updated('both');
SELECT mf_rollback('both', 2);
SELECT u.* FROM updated('both') u;
-- a user who was forgotten comes back with rows that are still there, as in a retrain
SELECT mf_forget(12, 'both');
SELECT u.* FROM updated('both') u;
SELECT mf_forget(12, 'both');
DELETE FROM ratings WHERE user_id = 12;
SELECT users FROM updated('both');
-- tables without fingerprints: all is solved, once, for then they have them
ALTER TABLE clicks_user_factors DROP fingerprint;
ALTER TABLE clicks_item_factors DROP fingerprint;
SELECT u.* FROM updated('clicks') u;
SELECT u.* FROM updated('clicks') u;
SET client_min_messages = notice;
SELECT u.* FROM updated('clicks') u;
SET client_min_messages = warning;
SELECT version FROM mf_retrain('clicks');
SELECT u.* FROM updated('clicks') u;

-- what cannot be
SELECT fails('SELECT mf_update(''nobody'')');
SELECT user_id AS id, factors INTO elsewhere FROM clicks_user_factors WHERE version = 2;
SELECT item_id AS id, factors INTO elsewhere_items FROM clicks_item_factors WHERE version = 2;
SELECT users FROM mf_import('imported', 'elsewhere', 'elsewhere_items', source => 'taken', regularization => 1, alpha => 2);
SELECT fails('SELECT mf_update(''imported'')');
BEGIN; DELETE FROM both_user_factors; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; DELETE FROM both_item_factors; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; DROP TABLE both_item_factors; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; ALTER TABLE ratings RENAME TO gone; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; DELETE FROM ratings; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; DROP VIEW taken, changed, trained_on; ALTER TABLE ratings ALTER user_id TYPE text; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; DROP VIEW taken, changed, trained_on; ALTER TABLE ratings ALTER rating TYPE text; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; INSERT INTO ratings VALUES (1, 1, 'infinity'); SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; UPDATE both_item_factors SET factors = '{1,2}' WHERE item_id = 1; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
BEGIN; ALTER TABLE both_user_factors ADD CHECK (ratings > 0); INSERT INTO ratings VALUES (1, 1, 1); SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
CREATE TABLE crowd AS SELECT u AS user_id, u % 97 AS item_id FROM generate_series(1, 20000) u;
SELECT users FROM mf_train('crowd', 'crowd', factors => 16, iterations => 1);
SET mfrec.max_memory = '1MB';
SELECT fails('SELECT mf_update(''crowd'')');
RESET mfrec.max_memory;
-- most of the users have no ratings, so there are more rows than the version counts users
CREATE TABLE shy AS SELECT u AS user_id, (u * 7 + i * i) % 97 AS item_id, CASE WHEN u % 10 = 0 THEN 1 + i % 3 ELSE 0 END AS plays
	FROM generate_series(1, 20000) u, generate_series(1, 3) i;
SELECT users FROM mf_train('shy', 'shy', factors => 16, iterations => 2, feedback => 'implicit', rating_column => 'plays');
INSERT INTO shy SELECT 1, item_id, 1 FROM generate_series(1, 40) item_id;
SELECT u.* FROM updated('shy') u;
CREATE INDEX ON shy (user_id);
BEGIN; UPDATE shy_user_factors SET fingerprint = NULL WHERE ratings > 0; SELECT reason, count(*) FROM mf_recommend(1, 5, 'shy', fresh => true) GROUP BY 1; ROLLBACK;
BEGIN READ ONLY; SELECT fails('SELECT mf_update(''both'')'); ROLLBACK;
CREATE ROLE regress_update;
GRANT USAGE ON SCHEMA test_update TO regress_update;
GRANT SELECT ON ALL TABLES IN SCHEMA test_update TO regress_update;
SET ROLE regress_update;
SELECT fails('SELECT mf_update(''both'')');
RESET ROLE;
-- the default model
SELECT mf_set_default('stars');
SELECT model FROM mf_update();
SELECT mf_drop(model) FROM mf_models WHERE serving;
RESET client_min_messages;
SET client_min_messages = warning;
DROP OWNED BY regress_update;
DROP ROLE regress_update;
DROP SCHEMA test_update CASCADE;
