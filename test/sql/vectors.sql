-- What SQL makes of stored vectors: products of any two of them are numbers, also where a catalogue is
-- smaller than the number of factors, so that dimensions are left over.
CREATE SCHEMA test_vectors;
SET search_path = test_vectors, public;
SET client_min_messages = warning;
CREATE TABLE tiny AS SELECT u AS user_id, i AS item_id, 1 + (u * i) % 5 AS rating
	FROM generate_series(1, 4) u, generate_series(1, 3) i WHERE (u + i) % 3 <> 0;
SELECT model FROM mf_train('tiny', 'both', factors => 64, iterations => 30);
SELECT model FROM mf_train('tiny', 'taken', feedback => 'implicit', factors => 64, iterations => 100);
SELECT model FROM mf_train('tiny', 'stars', interest_weight => 0, factors => 64, iterations => 100, tolerance => 0);
SELECT model FROM mf_train('tiny', 'held', factors => 64, iterations => 30, validation => 0.2);
SELECT model, version FROM mf_retrain('taken');
-- a prediction or score by hand is the function's
CREATE FUNCTION by_hand(users regclass, items regclass, what text) RETURNS TABLE (version int, pairs bigint, numbers bigint, tiny bigint)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT u.version, count(*), count(d.product), sum(d.tiny)::bigint FROM %s u JOIN %s i USING (version),
		LATERAL (SELECT sum(a * b) AS product, count(*) FILTER (WHERE a <> 0 AND abs(a) < 1e-19 OR b <> 0 AND abs(b) < 1e-19) AS tiny
			FROM unnest(u.factors, i.%I) AS v (a, b)) d GROUP BY u.version ORDER BY 1', users, items, what);
END $$;
SELECT * FROM by_hand('both_user_factors', 'both_item_factors', 'factors');
SELECT * FROM by_hand('both_user_factors', 'both_item_factors', 'rating_factors');
SELECT * FROM by_hand('taken_user_factors', 'taken_item_factors', 'factors');
SELECT * FROM by_hand('stars_user_factors', 'stars_item_factors', 'factors');
SELECT * FROM by_hand('held_user_factors', 'held_item_factors', 'factors');
SELECT count(*) FILTER (WHERE bias <> 0 AND abs(bias) < 1e-19) AS tiny FROM both_user_factors;
-- and nobody's stored vector is another than what the same rows fold in to
CREATE INDEX ON tiny (user_id);
SELECT m.model, count(*) AS rows, count(*) FILTER (WHERE r.reason <> 'model') AS other
FROM unnest('{both,taken,stars,held}'::text[]) AS m (model), generate_series(1, 4) u, mf_recommend(u, 3, model => m.model, fresh => true, exclude_seen => false) r
WHERE m.model <> 'held' GROUP BY 1 ORDER BY 1;
SELECT mf_drop(model) FROM mf_models WHERE schema = 'test_vectors' AND serving;
DROP SCHEMA test_vectors CASCADE;
