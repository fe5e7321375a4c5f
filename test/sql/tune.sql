-- mf_tune: parameters searched on rows held out; mf_estimate: what a training would take.
SET client_min_messages = warning;
CREATE TABLE tune_ratings AS
	SELECT u AS user_id, i AS item_id, 3 + 2 * ((u + i) % 2 = 0)::int - 2 * ((u + i) % 2)::int AS rating
	FROM generate_series(1, 60) u, generate_series(1, 40) i WHERE (u * 7 + i * 3) % 5 < 3;

-- One row a trial, one winner, which had all iterations and is not worse than the first, the defaults.
CREATE TABLE trials AS SELECT * FROM mf_tune('tune_ratings', trials => 9, seed => 5, rating_factors => 0);
SELECT count(*), count(*) FILTER (WHERE winner) AS winners, min(trial), max(trial), min(metric) AS metric,
	count(*) FILTER (WHERE value BETWEEN 0 AND 1) AS in_range FROM trials;
SELECT w.value >= d.value AS not_worse FROM trials w, trials d WHERE w.winner AND d.trial = 1;
SELECT count(*) FILTER (WHERE iterations = 3) >= 4 AS halved, max(iterations) FROM trials;
-- What mattered is said beside the winner: a share for each parameter that was searched.
SELECT count(*), bool_and(winner) AS of_winner, string_agg(key, ', ' ORDER BY key) AS keys, round(sum(share::numeric), 2) AS sum
	FROM trials, jsonb_each_text(importance) i (key, share);
SELECT importance FROM mf_tune('tune_ratings', trials => 1, rating_factors => 0);

-- The same seed draws the same trials; what is given is not searched.
SELECT count(*) AS same FROM trials a
	JOIN mf_tune('tune_ratings', trials => 9, seed => 5, rating_factors => 0) b USING (trial, value, factors, alpha);
SELECT DISTINCT factors, regularization FROM mf_tune('tune_ratings', trials => 4, factors => 8, regularization => 2);
SELECT metric, alpha IS NULL AS no_alpha, taste IS NULL AS no_taste
	FROM mf_tune('tune_ratings', trials => 1, interest_weight => 0);
SELECT metric, alpha > 0 AS alpha, taste IS NULL AS no_taste
	FROM mf_tune('tune_ratings', trials => 1, rating_column => NULL, feedback => 'implicit');
SELECT DISTINCT metric FROM mf_tune('tune_ratings', 'recall', 2);
SELECT count(*) AS measured FROM mf_tune('tune_ratings', trials => 50, seconds => 1e-9) WHERE value IS NOT NULL;

-- Each measure is what its name says: by what they mean, some are never above others.
CREATE TABLE tune_views AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 60) u, generate_series(1, 200) i
	WHERE (u * u * 31 + i * i * 17 + u * i) % 13 = 0;
SELECT precision < recall AS precision, recall <= hit_rate AS recall, map <= recall AS map, mrr <= hit_rate AND mrr >= hit_rate / 10 AS mrr, map > 0 AS found
FROM (SELECT value FROM mf_tune('tune_views', 'recall', 1, validation => 0.15)) r (recall),
	(SELECT value FROM mf_tune('tune_views', 'precision', 1, validation => 0.15)) p (precision),
	(SELECT value FROM mf_tune('tune_views', 'map', 1, validation => 0.15)) a (map),
	(SELECT value FROM mf_tune('tune_views', 'mrr', 1, validation => 0.15)) m (mrr),
	(SELECT value FROM mf_tune('tune_views', 'hit_rate', 1, validation => 0.15)) h (hit_rate);
DROP TABLE tune_views;

-- Ratings thrown by dice hold no better parameters than the defaults.
CREATE FUNCTION winners(relation regclass, feedback text, rating_column text, seeds int) RETURNS bigint LANGUAGE sql AS
$$SELECT count(*) FROM generate_series(1, seeds) s, LATERAL mf_tune(relation, trials => 12, seed => s,
	feedback => winners.feedback, rating_column => winners.rating_column) t WHERE t.winner AND t.trial > 1$$;
CREATE TABLE tune_dice AS SELECT u AS user_id, i AS item_id, 1 + abs(hashint8(u * 1000 + i + 7000000)) % 5 AS rating
	FROM generate_series(1, 400) u, generate_series(1, 100) i WHERE abs(hashint8(u * 1000 + i)) % 100 < 8;
SELECT winners('tune_dice', 'explicit', 'rating', 4) AS explicit, winners('tune_dice', 'implicit', NULL, 4) AS implicit;
DROP TABLE tune_dice;

-- Where others are better by some percent they are found: twenty genres, four in ten choices by taste.
CREATE TABLE tune_genres AS SELECT DISTINCT u AS user_id,
	CASE WHEN abs(hashint8(u * 100 + n)) % 10 < 4 THEN 20 * (u % 20) + abs(hashint8(u * 100 + n + 1000000)) % 20
		ELSE abs(hashint8(u * 100 + n + 2000000)) % 400 END AS item_id
	FROM generate_series(1, 2000) u, generate_series(1, 10) n;
SELECT winners('tune_genres', 'implicit', NULL, 2) AS winners;
CREATE TABLE trials_genres AS SELECT * FROM mf_tune('tune_genres', trials => 12, feedback => 'implicit');
SELECT count(confirmed) AS confirmed, bool_or(w.confirmed > 1.03 * (SELECT confirmed FROM trials_genres WHERE trial = 1)) AS better
	FROM trials_genres w WHERE w.trial = 1 OR w.winner;
-- Trials that a model of those before has placed are better than those by chance; with everything else given, numbers of factors are tried.
SELECT avg(value) FILTER (WHERE trial BETWEEN 6 AND 10 AND iterations = 3) > avg(value) FILTER (WHERE trial BETWEEN 2 AND 5 AND iterations = 3) AS led
	FROM trials_genres;
SELECT count(DISTINCT factors) AS factors, count(DISTINCT alpha) AS alphas, count(*) FILTER (WHERE iterations = 10) AS complete
	FROM mf_tune('tune_genres', trials => 5, feedback => 'implicit', regularization => 1, alpha => 3);
DROP TABLE tune_genres, trials_genres;
DROP FUNCTION winners;

-- Only rows rated at least so much count for lists: 30 people who were shown all of 40 things, and like every other one.
CREATE TABLE tune_shown AS SELECT u AS user_id, i AS item_id, ((u + i) % 2)::int AS rating
	FROM generate_series(1, 30) u, generate_series(1, 40) i WHERE abs(hashint8(u * 100 + i)) % 3 > 0;
SELECT (SELECT value FROM mf_tune('tune_shown', 'hit_rate', 1, interest_weight => 0, validation => 0.3, relevant_from => 1)) > 0.9 AS liked,
	(SELECT value FROM mf_tune('tune_shown', 'recall', 1, relevant_from => 0)) = (SELECT value FROM mf_tune('tune_shown', 'recall', 1)) AS everything,
	(SELECT value FROM mf_tune('tune_shown', 'recall', 1, validation => 0.3, interest_weight => 0, relevant_from => 1)) >
	(SELECT value FROM mf_tune('tune_shown', 'recall', 1, validation => 0.3, interest_weight => 0)) AS not_the_same;
SELECT count(*) FROM mf_tune('tune_shown', trials => 1, relevant_from => 2);
SELECT count(*) FROM mf_tune('tune_shown', 'rmse', trials => 1, relevant_from => 2);
SELECT count(*) FROM mf_tune('tune_shown', trials => 1, relevant_from => 'NaN');
-- Rows of one pair count as one: rated 0 and 2 means 1, viewed once and once more means 2.
CREATE VIEW tune_twice AS SELECT user_id, item_id, 2 * rating AS rating FROM tune_shown UNION ALL SELECT user_id, item_id, 0 FROM tune_shown;
SELECT (SELECT value FROM mf_tune('tune_twice', 'recall', 1, relevant_from => 1)) = (SELECT value FROM mf_tune('tune_shown', 'recall', 1, relevant_from => 1)) AS mean;
SELECT count(*) FROM mf_tune('tune_twice', trials => 1, relevant_from => 1.5);
SELECT count(*) FROM mf_tune('tune_twice', trials => 1, relevant_from => 1.5, feedback => 'implicit');
SELECT count(*) FROM mf_tune('tune_twice', trials => 1, relevant_from => 2.5, feedback => 'implicit');
DROP VIEW tune_twice;
DROP TABLE tune_shown;

-- Without train nothing is left; with it there is a model.
SELECT count(*) FROM mf_models;
SET client_min_messages = notice;
SELECT count(*) FROM mf_tune('tune_ratings', trials => 2, train => true, model => 'tuned');
SELECT model, version, users, items FROM mf_models;
SET client_min_messages = warning;
SELECT mf_drop('tuned');

-- Attributes of items: what they are taken as is said once, and how strongly they are held back is searched, unless it is given.
CREATE TABLE tune_films AS SELECT i AS item_id, (ARRAY['action', 'comedy', 'drama', 'horror'])[1 + i % 4] AS genre, 'x' || i * 7919 % 23 AS noise
	FROM generate_series(1, 80) i;
CREATE TABLE tune_taken AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 300) u, generate_series(1, 72) i
	WHERE mf_holdout(u, i, CASE WHEN i % 4 = u % 4 THEN 0.3 ELSE 0.03 END);
SET client_min_messages = notice;
CREATE TEMP TABLE trials_films AS SELECT * FROM mf_tune('tune_taken', trials => 6, item_features => 'tune_films', feedback => 'implicit', train => true, model => 'films', factors => 4);
SET client_min_messages = warning;
SELECT count(DISTINCT feature_strength) AS strengths, bool_and(feature_strength BETWEEN 0.25 AND 4) AS in_range, min(feature_strength) FILTER (WHERE trial = 1) AS preset,
	min(iterations) AS first_round, count(*) FILTER (WHERE value BETWEEN 0 AND 1) AS measured FROM trials_films;
SELECT items, (parameters->>'feature_strength')::float8 = (SELECT feature_strength FROM trials_films WHERE winner) AS of_the_winner FROM mf_models WHERE model = 'films';
SELECT mf_drop('films');
SELECT DISTINCT feature_strength FROM mf_tune('tune_taken', trials => 3, item_features => 'tune_films', feature_strength => 2, feedback => 'implicit', factors => 4);
SELECT DISTINCT feature_strength FROM mf_tune('tune_taken', trials => 2, feedback => 'implicit', factors => 4);
SELECT mf_tune('tune_taken', feature_strength => 2);
SELECT mf_tune('tune_taken', feature_categories => '{genre}');
SELECT mf_tune('tune_taken', item_features => 'tune_taken');

-- An argument of training, too: lambdas times so much, which retrains keep.
SELECT items FROM mf_train('tune_taken', 'films', item_features => 'tune_films', feedback => 'implicit', factors => 4);
SELECT items FROM mf_train('tune_taken', 'weaker', item_features => 'tune_films', feedback => 'implicit', factors => 4, feature_strength => 8);
SELECT model, parameters->'feature_strength' AS argument, (parameters->'feature_strengths'->>'genre')::float8 / min((parameters->'feature_strengths'->>'genre')::float8) OVER () AS genre,
	parameters->'feature_strengths'->'noise' AS noise FROM mf_models WHERE model IN ('films', 'weaker') ORDER BY model;
SELECT version FROM mf_retrain('weaker');
SELECT parameters->'feature_strength' AS argument FROM mf_models WHERE model = 'weaker' AND serving;
SELECT mf_drop('weaker');
SELECT mf_train('tune_taken', 'films', item_features => 'tune_films', feature_strength => 0);
SELECT mf_train('tune_taken', 'films', item_features => 'tune_films', feature_strength => 1001);
SELECT mf_train('tune_taken', 'films', feature_strength => 1);
SELECT mf_drop('films');

-- An estimate counts items that nobody has rated, and what the map takes.
SELECT f.items, f.ratings = o.ratings AS same_ratings, f.memory_bytes > o.memory_bytes AS more_memory, f.table_bytes > o.table_bytes AS more_space, f.seconds > 0 AS seconds
	FROM mf_estimate('tune_taken', feedback => 'implicit', factors => 4) o, mf_estimate('tune_taken', feedback => 'implicit', factors => 4, item_features => 'tune_films') f;
SELECT mf_estimate('tune_taken', feature_strength => 2);
SELECT mf_estimate('tune_taken', item_features => 'tune_taken');
DROP TABLE tune_films, tune_taken, trials_films;

-- Mistakes.
SELECT mf_tune('tune_ratings', 'accuracy');
SELECT mf_tune('tune_ratings', 'gini');
SELECT mf_tune('tune_ratings', 'rmse', rating_column => NULL, feedback => 'implicit');
SELECT mf_tune('tune_ratings', trials => 0);
SELECT mf_tune('tune_ratings', trials => 1001);
SELECT mf_tune('tune_ratings', seconds => 'NaN');
SELECT mf_tune('tune_ratings', validation => 1);
SELECT mf_tune(NULL);

-- An estimate counts exactly, and writes nothing.
SELECT ratings, users, items, factors, iterations, memory_bytes > 100000 AS memory, temporary_bytes,
	table_bytes > 60 * 8 * 4 AS space, seconds > 0 AS seconds
	FROM mf_estimate('tune_ratings', factors => 8, iterations => 5);
SELECT count(*) FROM mf_models;
SELECT mf_estimate(NULL);
SELECT mf_estimate('tune_ratings', factors => 2000);
DROP TABLE tune_ratings, trials;
