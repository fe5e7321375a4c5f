-- Users' ratings brought to one spread: what they are divided by is in their row, and predictions are multiplied by it
CREATE SCHEMA test_spread;
SET search_path = test_spread, public;
SET client_min_messages = warning;
-- users 1 to 20 give 1 or 10, 21 to 40 6 or 7, by the same taste; 41 always 9, and 42 has one rating
CREATE TABLE ratings (user_id int, item_id int, rating float8);
INSERT INTO ratings SELECT u, i, CASE WHEN u <= 20 THEN 5.5 + 4.5 * liked ELSE 6.5 + 0.5 * liked END
FROM generate_series(1, 40) u, generate_series(1, 30) i, LATERAL (SELECT CASE WHEN (u + i) % 2 = 0 THEN 1 ELSE -1 END AS liked) l WHERE (u * 7 + i * 3) % 4 > 0;
INSERT INTO ratings SELECT 41, i, 9 FROM generate_series(1, 25) i;
INSERT INTO ratings VALUES (42, 3, 2);
CREATE INDEX ON ratings (user_id);
CREATE INDEX ON ratings (item_id);
SELECT version FROM mf_train('ratings', factors => 6, rating_factors => 4);
-- as the formula has it
CREATE FUNCTION own_spreads(relation regclass, OUT user_id int, OUT spread float8) RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('WITH users AS (SELECT user_id, count(*) AS n, sum(rating ^ 2) - sum(rating) ^ 2 / count(*) AS s FROM %s GROUP BY user_id),
		all_users AS (SELECT sum(s) / sum(n - 1) AS m FROM users)
		SELECT user_id, least(greatest(((s + 10 * m) / (n - 1 + 10) / m) ^ 0.35, 0.25), 4)::float8 FROM users, all_users', relation);
END $$;
SELECT count(*), bool_and(abs(f.spread / o.spread - 1) < 1e-5) AS right FROM ratings_user_factors f JOIN own_spreads('ratings') o USING (user_id);
SELECT min(spread) > 1.1 AS wide FROM ratings_user_factors WHERE user_id <= 20;
SELECT max(spread) < 0.8 AS narrow FROM ratings_user_factors WHERE user_id BETWEEN 21 AND 41;
SELECT spread FROM ratings_user_factors WHERE user_id = 42;
-- what is predicted, in plain SQL
CREATE FUNCTION product(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT sum(x::float8 * y::float8) FROM unnest(a, b) t (x, y)
$$;
CREATE FUNCTION off(model_name text, users regclass, items regclass, OUT cells bigint, OUT far bigint) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*), count(*) FILTER (WHERE abs(mf_predict(user_id, item_id, %1$L) - least(greatest(p, min), max)) > 1e-4 * (max - min))
		FROM (SELECT user_id, item_id, (v.parameters->>''min'')::float8 AS min, (v.parameters->>''max'')::float8 AS max,
				(v.parameters->>''mean'')::float8 + (v.parameters->>''deviation'')::float8 * coalesce(u.spread, 1) *
				(u.bias + i.bias + coalesce((v.parameters->>''rating_gain'')::float8, 1) * product(u.factors, coalesce(i.rating_factors, i.factors))) AS p
			FROM mfrec.model_version v JOIN %2$s u ON u.version = v.version JOIN %3$s i ON i.version = v.version AND u.factors <> ''{}''
			WHERE v.model = %1$L AND v.version = (SELECT version FROM mfrec.model WHERE name = %1$L)) t', model_name, users, items) INTO cells, far;
END $$;
SELECT * FROM off('ratings', 'ratings_user_factors', 'ratings_item_factors');
-- and users who say the same differ by as much as they spread
SELECT u, max(mf_predict(u, i)) - min(mf_predict(u, i)) > 4 AS wide, max(mf_predict(u, i)) - min(mf_predict(u, i)) < 2 AS narrow
FROM unnest(ARRAY[1, 2, 21, 22]) u, generate_series(1, 30) i GROUP BY u ORDER BY u;
SELECT count(DISTINCT predicted_rating) > 3 AS lists, bool_and(predicted_rating = mf_predict(u, item_id)) AS same
FROM generate_series(1, 42) u, mf_recommend(u, 5, fresh => false);
-- folded in: a newcomer with the rows of another has their predictions, and a stored vector is current
SELECT count(*), count(*) FILTER (WHERE reason <> 'model') AS folded FROM generate_series(1, 42) u, mf_recommend(u, 5);
INSERT INTO ratings SELECT 100 + user_id, item_id, rating FROM ratings WHERE user_id IN (5, 25, 41, 42);
SELECT u, count(*), bool_and(reason = 'fresh') AS fresh, max(abs(predicted_rating - mf_predict(u, item_id))) < 1e-3 AS same
FROM unnest(ARRAY[5, 25, 41, 42]) u, mf_recommend(100 + u, 10) GROUP BY u ORDER BY u;
-- and so has one whom an update brings
SELECT count(*) FROM mf_update();
SELECT u.user_id, u.spread = o.spread AS same_spread, (SELECT bool_and(reason = 'model') FROM mf_recommend(u.user_id, 5)) AS current
FROM ratings_user_factors u JOIN ratings_user_factors o ON u.user_id = o.user_id + 100 ORDER BY 1;
SELECT * FROM off('ratings', 'ratings_user_factors', 'ratings_item_factors');
-- a user whose ratings change gets another one
UPDATE ratings SET rating = 6.5 + (rating - 6.5) / 9 WHERE user_id = 5;
SELECT count(*) FROM mf_update();
SELECT spread < 0.8 AS narrow FROM ratings_user_factors WHERE user_id = 5;
DELETE FROM ratings WHERE user_id > 100;

-- ratings alone: scores are ratings, also of users for an item, and what explains them adds up to them
SELECT version FROM mf_train('ratings', 'alone', interest_weight => 0, factors => 6);
SELECT * FROM off('alone', 'alone_user_factors', 'alone_item_factors');
SELECT count(*), max(abs(least(greatest(score, 1), 10) - mf_predict(u, item_id, 'alone'))) < 1e-4 AS same
FROM generate_series(1, 42) u, mf_recommend(u, 5, 'alone', fresh => false);
SELECT count(*) FROM (SELECT user_id, item_id, rank, round(score::numeric, 4) FROM mf_recommend_all(5, 'alone')
	EXCEPT SELECT u, item_id, rank, round(score::numeric, 4) FROM generate_series(1, 42) u, mf_recommend(u, 5, 'alone')) d;
SELECT count(*), max(abs(least(greatest(score, 1), 10) - mf_predict(user_id, 4, 'alone'))) < 1e-4 AS same FROM mf_recommend_users(4, 20, 'alone');
SELECT u, max(abs(e - s)) < 1e-3 AS explained FROM unnest(ARRAY[1, 5, 25, 41]) u, mf_recommend(u, 3, 'alone') r,
	LATERAL (SELECT sum(contribution) AS e FROM mf_explain(u, r.item_id, 100, 'alone')) e,
	LATERAL (SELECT r.score - (parameters->>'mean')::float8 - (parameters->>'deviation')::float8 * f.spread * i.bias AS s
		FROM mfrec.model_version JOIN alone_item_factors i USING (version), alone_user_factors f WHERE model = 'alone' AND i.item_id = r.item_id AND f.user_id = u) s
GROUP BY u ORDER BY u;
-- a boost of one star is one, whatever the user's spread
SELECT u, round((b.score - l.score)::numeric, 3) AS star FROM unnest(ARRAY[1, 25]) u,
	LATERAL (SELECT item_id, score FROM mf_recommend(u, 30, 'alone')) l,
	LATERAL (SELECT score FROM mf_recommend(u, 30, 'alone', candidates => ARRAY[l.item_id], boosts => ARRAY[1.0]) WHERE item_id = l.item_id) b GROUP BY 1, 2 ORDER BY 1;
-- a basket's own
SELECT round(max(r.score - l.score)::numeric, 3) AS off FROM mf_recommend_for((SELECT array_agg(item_id ORDER BY item_id) FROM ratings WHERE user_id = 7),
	(SELECT array_agg(rating ORDER BY item_id) FROM ratings WHERE user_id = 7), 5, 'alone') r JOIN mf_recommend(7, 5, 'alone') l USING (item_id);

-- any scale: turned round, of percents, of two values
CREATE TABLE scales (name text, shift float8, factor float8);
INSERT INTO scales VALUES ('inverted', 11, -1), ('percent', -10, 11), ('tiny', 0, 1e-6);
SELECT format('CREATE TABLE %I AS SELECT user_id, item_id, %s + %s * rating AS rating FROM ratings', name, shift, factor) FROM scales \gexec
SELECT name, (SELECT version FROM mf_train(name::regclass, factors => 6, rating_factors => 4)) FROM scales;
SELECT version FROM mf_train('ratings', 'right', factors => 6, rating_factors => 4);
SELECT name, max(abs((mf_predict(u, i, name) - shift) / factor - mf_predict(u, i, 'right'))) < 2e-2 AS same
FROM scales, generate_series(1, 42) u, generate_series(1, 30) i GROUP BY name ORDER BY name;
CREATE TABLE two AS SELECT user_id, item_id, CASE WHEN (user_id + item_id) % 2 = 0 AND user_id % 5 > 0 THEN 1 ELSE -1 END AS rating FROM ratings;
SELECT version FROM mf_train('two', factors => 4);
SELECT min(spread) >= 0.25 AS some, max(spread) <= 4 AS bounded, bool_and(spread < 1) FILTER (WHERE user_id <= 40 AND user_id % 5 = 0) AS narrow FROM two_user_factors;
SELECT * FROM off('two', 'two_user_factors', 'two_item_factors');
-- where everybody gives always the same, or once, nothing is known of spreads; where next to nobody does otherwise little
CREATE TABLE constant AS SELECT user_id, item_id, user_id % 3 AS rating FROM ratings;
SELECT version FROM mf_train('constant', factors => 4);
SELECT count(*), count(spread) FROM constant_user_factors;
SELECT parameters->'user_variance' AS variance FROM mfrec.model_version WHERE model = 'constant';
SELECT * FROM off('constant', 'constant_user_factors', 'constant_item_factors');
UPDATE constant SET rating = 2 - rating WHERE user_id = 12 AND item_id = 5;
SELECT version FROM mf_retrain('constant');
SELECT max(spread) <= 4 AS bounded, min(spread) >= 0.25 AS some FROM constant_user_factors WHERE version = 2;
CREATE TABLE once AS SELECT u AS user_id, u % 10 AS item_id, u % 7 AS rating FROM generate_series(1, 100) u;
SELECT version FROM mf_train('once', factors => 4);
SELECT count(*), count(spread) FROM once_user_factors;
-- implicit feedback, imports and users without ratings have none
SELECT version FROM mf_train('ratings', 'clicks', rating_column => NULL, factors => 4);
SELECT count(*), count(spread) FROM clicks_user_factors;
CREATE TABLE profiles AS SELECT u AS user_id, u % 2 AS group_id FROM generate_series(1, 50) u;
SELECT version FROM mf_train('ratings', 'profiled', user_features => 'profiles', feature_categories => '{group_id}', factors => 6, rating_factors => 4);
SELECT user_id <= 42 AS rated, count(*), count(spread) FROM profiled_user_factors GROUP BY 1 ORDER BY 1;
SELECT * FROM off('profiled', 'profiled_user_factors', 'profiled_item_factors');
CREATE VIEW their_users AS SELECT user_id AS id, bias, factors FROM alone_user_factors;
CREATE VIEW their_items AS SELECT item_id AS id, bias, factors FROM alone_item_factors;
SELECT version FROM mf_import('copied', 'their_users', 'their_items', feedback => 'explicit', source => 'ratings', bias_column => 'bias', regularization => 0.1);
SELECT count(*), count(spread) FROM copied_user_factors;
SELECT * FROM off('copied', 'copied_user_factors', 'copied_item_factors');
-- and predict what the model predicts where users' vectors say by what spread they multiply
SELECT (parameters->>'deviation')::float8 AS deviation, (parameters->>'mean')::float8 AS mean FROM mf_models WHERE model = 'alone' \gset
CREATE VIEW scaled_users AS SELECT user_id AS id, bias * by AS bias, ARRAY(SELECT f * by FROM unnest(factors || 1::real) WITH ORDINALITY v (f, n) ORDER BY n) AS factors
FROM alone_user_factors, LATERAL (SELECT :deviation * spread AS by) s;
CREATE VIEW biased_items AS SELECT item_id AS id, 0 AS bias, factors || bias AS factors FROM alone_item_factors;
SELECT version FROM mf_import('again', 'scaled_users', 'biased_items', feedback => 'explicit', bias_column => 'bias', mean => :mean, source => 'ratings');
SELECT count(*), max(abs(least(greatest(mf_predict(u, i, 'again'), 1), 10) - mf_predict(u, i, 'alone'))) < 1e-4 AS same
FROM generate_series(1, 42) u, generate_series(1, 30) i;

-- rows of a file that does not fit into memory, and those of tenants, are the same
CREATE TABLE many AS SELECT u AS user_id, i AS item_id, 1 + (hashint4(u * 1000 + i) & 7) % (1 + u % 7) AS rating FROM generate_series(1, 700) u, generate_series(1, 300) i WHERE hashint4(i * 7919 + u) % 3 <> 0;
SELECT version FROM mf_train('many', factors => 4, iterations => 2);
SET maintenance_work_mem = '1MB';
SELECT version FROM mf_train('many', 'spilled', factors => 4, iterations => 2);
RESET maintenance_work_mem;
SELECT count(*) FROM (SELECT user_id, spread, bias, factors FROM many_user_factors EXCEPT SELECT user_id, spread, bias, factors FROM spilled_user_factors) d;
CREATE TABLE shops AS SELECT 1 + user_id % 2 AS shop, * FROM ratings;
CREATE VIEW shop AS SELECT * FROM shops WHERE shop = 1;
SELECT count(*) FROM mf_train_each('shops', by => 'shop', factors => 4);
SELECT version FROM mf_train('shop', factors => 4);
SELECT count(*), count(*) FILTER (WHERE abs(f.spread - s.spread) > 1e-6) AS others FROM shop_user_factors f JOIN shops_user_factors s USING (user_id);

-- tables that 0.1.0 made have no column for it: they get it, and the next version goes by it
ALTER TABLE ratings_user_factors DROP COLUMN spread;
SELECT version FROM mf_retrain('ratings');
SELECT count(spread) FROM ratings_user_factors;
SELECT parameters ? 'user_variance' AS spreads FROM mfrec.model_version WHERE model = 'ratings' ORDER BY version DESC LIMIT 1;
SELECT * FROM off('ratings', 'ratings_user_factors', 'ratings_item_factors');
SELECT version FROM mf_retrain('ratings');
SELECT version, count(*), count(spread) FROM ratings_user_factors GROUP BY version ORDER BY version;
SELECT * FROM off('ratings', 'ratings_user_factors', 'ratings_item_factors');
-- through a query, as where row security applies
CREATE ROLE regress_spread;
GRANT USAGE ON SCHEMA test_spread TO regress_spread;
GRANT SELECT ON ALL TABLES IN SCHEMA test_spread TO regress_spread;
ALTER TABLE ratings_user_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY all_rows ON ratings_user_factors USING (true);
CREATE TABLE predicted AS SELECT i, mf_predict(3, i, 'ratings') AS p FROM generate_series(1, 30) i;
GRANT SELECT ON predicted TO regress_spread;
SET ROLE regress_spread;
SELECT count(*), count(*) FILTER (WHERE mf_predict(3, i, 'ratings') <> p) AS others FROM predicted;
RESET ROLE;
DROP VIEW their_users, their_items, scaled_users, biased_items;
SELECT count(mf_drop(model)) FROM (SELECT DISTINCT model FROM mf_models WHERE model NOT LIKE 'shops%') m;
SELECT mf_drop('shops');
DROP SCHEMA test_spread CASCADE;
DROP ROLE regress_spread;
