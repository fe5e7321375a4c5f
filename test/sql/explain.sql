-- Explanations: of every kind of model all contributions and the item's own part make the score.
CREATE SCHEMA test_explain;
SET search_path = test_explain, public;
SET client_min_messages = warning;
CREATE TABLE ratings (user_id int, item_id int, rating real, weight real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, 1 + (hashint4(u * 1000 + i) & 3) + (u + i) % 2, 0.5 + (hashint4(u + i) & 3)
	FROM generate_series(1, 30) u, generate_series(1, 20) i WHERE (hashint4(u + 7919 * i) & 1023) < 200 + 400 * ((u + i) % 2);
ANALYZE ratings;
-- as text, as counts, as whole rows
CREATE TABLE named AS SELECT 'u' || user_id AS user_id, 'i' || item_id AS item_id, rating FROM ratings;
CREATE INDEX ON named (user_id);
CREATE TABLE bought AS SELECT user_id, item_id FROM ratings;
CREATE INDEX ON bought (user_id);
CREATE TABLE users AS SELECT u AS id, ARRAY(SELECT (hashint4(u * 10 + k) & 1023) / 512.0 - 1 FROM generate_series(1, 3) k)::real[] AS factors, 0.1 * u AS bias FROM generate_series(1, 30) u;
CREATE TABLE items AS SELECT i AS id, ARRAY(SELECT (hashint4(i * 10 - k) & 1023) / 512.0 - 0.9 FROM generate_series(1, 3) k)::real[] AS factors, 0.3 - 0.02 * i AS bias FROM generate_series(1, 20) i;

SELECT count(mf_train('ratings', model, factors => 6, interest_weight => interest, taste => taste, weight_column => weight))
FROM (VALUES ('stars and choice', NULL, NULL, NULL), ('much taste', 2, 3, NULL), ('weighed', 0.5, 0.1, 'weight'), ('stars', 0, NULL, NULL), ('weighed stars', 0, NULL, 'weight')) v (model, interest, taste, weight);
SELECT count(mf_train('ratings', model, 'implicit', factors => 6, rating_column => rating)) FROM (VALUES ('counts', 'rating'), ('rows', NULL)) v (model, rating);
SELECT count(mf_train('named', model, factors => 6, interest_weight => interest)) FROM (VALUES ('named', NULL), ('named stars', 0)) v (model, interest);
SELECT count(mf_import(model, 'users', 'items', 'explicit', 'ratings', regularization => 0.2, regularization_exponent => e, mean => mean, bias_column => bias))
FROM (VALUES ('their stars', 0, NULL, NULL), ('their stars, centred', 1, 3.5, NULL), ('their stars with biases', 0, 3, 'bias'), ('their biases alone', 0.5, NULL, 'bias')) v (model, e, mean, bias);
SELECT count(mf_import(model, 'users', 'items', source => 'ratings', rating_column => rating, regularization => 0.2, alpha => alpha, value_is_confidence => whole))
FROM (VALUES ('their counts', 'rating', 2, false), ('their rows', NULL, 3, false), ('their confidences', 'rating', 0.3, true)) v (model, rating, alpha, whole);

-- what the reference says: the score less all contributions, by the model's parameters, the item's bias and how widely the user's rows spread
CREATE VIEW models AS SELECT model, item_table, (parameters->>'has_interest')::int AS has_interest, (parameters->>'taste')::float8 AS taste,
	(parameters->>'mean')::float8 AS mean, (parameters->>'deviation')::float8 AS deviation, (parameters->>'user_variance')::float8 AS variance FROM mf_models WHERE serving;
CREATE FUNCTION constants(name text) RETURNS TABLE (item_id text, constant float8, slope float8) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE (SELECT format('SELECT item_id::text, CASE WHEN %1$L THEN %2$s * bias ELSE %3$s END, CASE WHEN %1$L THEN 0 ELSE %4$s * bias END FROM %5$I WHERE version = (SELECT max(version) FROM %5$I)',
		has_interest = 1, taste, mean, deviation, item_table) FROM models WHERE model = name);
END $$;
CREATE FUNCTION spread_of(name text, u text) RETURNS float8 LANGUAGE sql AS $$
	SELECT coalesce(((sum(z ^ 2) - sum(z) ^ 2 / count(*) + 10 * variance) / (count(*) + 9) / variance) ^ 0.35, 1)
	FROM models, LATERAL (SELECT rating::float8 / deviation AS z FROM ratings WHERE user_id::text = u UNION ALL SELECT rating::float8 / deviation FROM named WHERE user_id = u) r WHERE model = name GROUP BY variance
$$;
CREATE FUNCTION largest_error(name text, users text[]) RETURNS float8 LANGUAGE sql AS $$
	SELECT max(abs(r.score - c.constant - c.slope * s.spread - e.sum)) FROM unnest(users) u, spread_of(name, u) s (spread), mf_recommend(u, 20, item_type => NULL::text, model => name, fresh => true, exclude_seen => false) r
		JOIN constants(name) c USING (item_id), LATERAL (SELECT sum(contribution::float8) FROM mf_explain(u, r.item_id, 10000, name)) e
$$;
SELECT model, largest_error(model, ARRAY(SELECT CASE WHEN model LIKE 'named%' THEN 'u' ELSE '' END || u FROM generate_series(1, 30, 3) u)) < 1e-4 AS adds_up
FROM models ORDER BY model;
-- so do those of changed rows, and of users who came since
INSERT INTO ratings SELECT 99, i, 1 + i % 5, 1 FROM generate_series(1, 20, 4) i;
UPDATE ratings SET rating = 6 - rating, weight = 2 WHERE user_id IN (4, 7);
INSERT INTO named SELECT 'u99', 'i' || i, 1 + i % 5 FROM generate_series(1, 20, 4) i;
UPDATE named SET rating = 6 - rating WHERE user_id IN ('u4', 'u7');
SELECT model, largest_error(model, CASE WHEN model LIKE 'named%' THEN '{u4,u7,u99}' ELSE '{4,7,99}' END::text[]) < 1e-4 AS adds_up
FROM models ORDER BY model;

-- Contributions are in the score's unit: who rates twice as far from everybody's mean has them twice as large.
CREATE TABLE doubled AS SELECT user_id, item_id, 2 * rating + 100 AS rating FROM ratings;
CREATE INDEX ON doubled (user_id);
CREATE TABLE simple AS SELECT user_id, item_id, rating FROM ratings;
CREATE INDEX ON simple (user_id);
SELECT count(mf_train(s, factors => 4, interest_weight => 0)) FROM unnest(ARRAY['simple', 'doubled']::regclass[]) s;
SELECT bool_and(abs(a.contribution * 2 - b.contribution) < 1e-4) AS doubled, max(abs(a.contribution)) > 1e-2 AS worth_it
FROM mf_explain(4, 2, 100, 'simple') a JOIN mf_explain(4, 2, 100, 'doubled') b USING (item_id);
-- the largest ones come first, and every form of a call says the same
SELECT bool_and(contribution >= next) AS sorted, count(*) = 5 AS five
FROM (SELECT contribution, lead(contribution, 1, contribution) OVER () AS next FROM mf_explain(4, 2, 5, 'stars')) e;
SELECT count(*), count(DISTINCT item_id) FROM (
	SELECT item_id::text, contribution FROM mf_explain('4', 2, 100, 'stars')
	UNION SELECT item_id, contribution FROM mf_explain(4::bigint, '2'::text, 100, 'stars')
	UNION SELECT item_id::text, contribution FROM mf_explain(4::smallint, 2::bigint, 100, 'stars')) d;
-- nobody's rows, an item that is not known
SELECT count(*) FROM mf_explain(1000, 2, 100, 'stars');
SELECT count(*) FROM mf_explain(4, 1000, 100, 'stars');
SELECT count(mf_drop(model)) FROM models;
DROP SCHEMA test_explain CASCADE;
