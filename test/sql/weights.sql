-- Weights: only what they are to each other counts.
CREATE SCHEMA test_weights;
SET search_path = test_weights, public;
SET client_min_messages = warning;

CREATE TABLE stars AS
	SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating, 1::real AS one, 600 AS many, 0.37::numeric AS some,
		1e-30::real AS tiny, 1e30::real AS huge, (1 + (u + 2 * i) % 4)::real AS uneven, 0.37 * (1 + (u + 2 * i) % 4) AS uneven_some,
		(1 + (u + 2 * i) % 4) * 1024 AS uneven_many
	FROM generate_series(1, 60) u, generate_series(1, 40) i WHERE (u * 5 + i * 3) % 4 <> 0;
CREATE INDEX ON stars (user_id);
-- the same rows twice: what is merged weighs as much
CREATE VIEW twice AS SELECT * FROM stars UNION ALL SELECT * FROM stars WHERE user_id % 3 = 0;

-- A training's vectors and biases, and what it reports.
CREATE FUNCTION learnt(source text, arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE sum text;
BEGIN
	EXECUTE format('SELECT concat_ws('','', loss, rmse, iterations) FROM mf_train(%L, ''w'', iterations => 4%s)', source, arguments) INTO sum;
	SELECT md5(sum || string_agg(concat_ws(',', user_id, bias, factors), ',' ORDER BY user_id)) INTO sum FROM w_user_factors;
	SELECT md5(sum || string_agg(concat_ws(',', item_id, bias, factors, rating_factors), ',' ORDER BY item_id)) INTO sum FROM w_item_factors;
	PERFORM mf_drop('w');
	RETURN sum;
END $$;

-- equal weights change nothing, to the bit
SELECT source, arguments, count(DISTINCT learnt(source, arguments || weight)) AS different
FROM unnest(ARRAY['stars', 'twice']) source,
	unnest(ARRAY[', factors => 8', ', factors => 100', ', factors => 8, interest_weight => 0', ', factors => 8, validation => 0.2']) WITH ORDINALITY a (arguments, n),
	unnest(ARRAY['', ', weight_column => ''one''', ', weight_column => ''many''', ', weight_column => ''some''', ', weight_column => ''tiny''',
		', weight_column => ''huge''']) weight
GROUP BY source, arguments, n ORDER BY source COLLATE "C", n;
SELECT count(DISTINCT learnt('stars', ', factors => 8, feedback => ''implicit'', rating_column => NULL' || weight)) AS different
FROM unnest(ARRAY['', ', weight_column => ''one''', ', weight_column => ''many''', ', weight_column => ''some''']) weight;
SELECT count(DISTINCT t) AS different FROM (
	SELECT string_agg(concat_ws(',', trial, value, winner), ';' ORDER BY trial) AS t
	FROM unnest(ARRAY[NULL, 'one', 'many', 'some']) w, mf_tune('stars', trials => 3, weight_column => w)
	GROUP BY w) tuned;
-- uneven ones do, by their ratios alone; spilled or not
SELECT learnt('stars', ', weight_column => ''uneven''') <> learnt('stars', '') AS changes,
	learnt('stars', ', weight_column => ''uneven''') = learnt('stars', ', weight_column => ''uneven_many''') AS same;
CREATE TABLE large AS SELECT g AS user_id, i AS item_id, 1 + (g * 7 + i * 3 + g * i) % 5 AS rating, 600 AS many, (1 + (g + 2 * i) % 4)::real AS uneven
	FROM generate_series(1, 6000) g, generate_series(1, 20) i;
SET maintenance_work_mem = '1GB';
SELECT learnt('large', ', factors => 4, weight_column => ''uneven''') AS uneven, learnt('large', ', factors => 4, weight_column => ''many''') AS many \gset
SET maintenance_work_mem = '1MB';
SELECT learnt('large', ', factors => 4, weight_column => ''uneven''') = :'uneven' AS uneven, learnt('large', ', factors => 4, weight_column => ''many''') = :'many' AS many,
	learnt('large', ', factors => 4') = :'many' AS none;
RESET maintenance_work_mem;
DROP TABLE large;

-- current rows give the stored user, in whatever unit weights are
CREATE FUNCTION agrees(weight text) RETURNS TABLE (stored bigint, basket bigint, explained numeric) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*) FROM mf_train(''stars'', ''w'', factors => 8, weight_column => %L)', weight);
	UPDATE w_user_factors SET fingerprint = NULL;	-- which would tell that nothing has changed
	SELECT count(*) INTO stored FROM generate_series(1, 60) u, LATERAL mf_recommend(u, 1, 'w', fresh => true) r WHERE r.reason = 'model';
	SELECT count(*) INTO basket FROM mf_recommend_for(ARRAY[1, 2, 3], ARRAY[5, 5, 1]::real[], k => 5, model => 'w') WHERE score BETWEEN -10 AND 10;
	SELECT round(sum(contribution)::numeric, 3) INTO explained FROM mf_explain(7, 5, k => 100, model => 'w');
	RETURN NEXT;
END $$;
SELECT count(DISTINCT a) AS different, min(stored) AS stored, min(basket) AS basket
FROM unnest(ARRAY['uneven', 'uneven_some', 'uneven_many']) w, LATERAL agrees(w) a;
SELECT parameters ? 'weight_scale' AS scale, parameters->'format' AS format, (parameters->>'weight_scale')::float8 / 1024 BETWEEN 2.4 AND 2.6 AS mean
FROM mf_models WHERE model = 'w' AND serving;
-- a version that knows of no scale took weights as they were
CREATE TABLE scaled AS SELECT user_id, item_id, rating, uneven / (SELECT (parameters->>'weight_scale')::float8 / 1024 FROM mf_models WHERE model = 'w' AND serving) AS weight FROM stars;
CREATE INDEX ON scaled (user_id);
SELECT ratings FROM mf_train('scaled', 'old', factors => 8, weight_column => 'weight');
UPDATE mfrec.model_version SET parameters = parameters - 'weight_scale' WHERE model = 'old';
SELECT mf_refresh('old');
UPDATE old_user_factors SET fingerprint = NULL;
SELECT count(*) FROM generate_series(1, 60) u, LATERAL mf_recommend(u, 1, 'old', fresh => true) r WHERE r.reason = 'model';
SELECT mf_drop('old');
SELECT mf_drop('w');
DROP SCHEMA test_weights CASCADE;
