-- Events of several kinds: what each weighs.
CREATE SCHEMA events;
SET search_path = events, public;
SET client_min_messages = warning;

CREATE TYPE kind AS ENUM ('view', 'cart', 'purchase', 'return');
CREATE DOMAIN word AS text;
CREATE TABLE events AS
	SELECT u AS user_id, i AS item_id, k.kind, 1 + (u + i) % 3 AS quantity, k.weight
	FROM generate_series(1, 60) u, generate_series(1, 40) i,
		LATERAL (VALUES ('view'::kind, 1), ('cart', 3), ('purchase', 5)) k (kind, weight)
	WHERE (hashint4(u * 100 + i) & 1023) < 400 / weight;
CREATE INDEX ON events (user_id);
CREATE VIEW kinds AS SELECT *, kind AS "enum", kind::text AS "text", kind::varchar AS "varchar", kind::text::char(12) AS "char", kind::text::name AS "name",
	kind::text::word AS "domain", weight::smallint AS "smallint", weight AS "integer", weight::bigint AS "bigint" FROM events;

CREATE FUNCTION learnt(source text, arguments text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE sum text;
BEGIN
	PERFORM mf_drop(name) FROM mfrec.model WHERE name = 'w';
	EXECUTE format('SELECT concat_ws('','', loss, ratings, iterations) FROM mf_train(%L, ''w'', iterations => 4, factors => 8%s)', source, arguments) INTO sum;
	SELECT md5(sum || string_agg(concat_ws(',', user_id, factors), ',' ORDER BY user_id)) INTO sum FROM w_user_factors WHERE factors <> '{}';
	RETURN sum;
END $$;

-- it is what a column of the weights would be, whatever the type
SELECT learnt('events', ', feedback => ''implicit'', rating_column => ''weight''') AS weighted \gset
SELECT name, learnt('kinds', format(', event_column => %L, event_weights => %L', name, weights)) = :'weighted' AS same
FROM unnest(ARRAY['enum', 'text', 'varchar', 'char', 'name', 'domain', 'smallint', 'integer', 'bigint']) name,
	LATERAL (SELECT CASE WHEN name ~ 'int' THEN '{"5": 5, "1": 1, "3": 3}' ELSE '{"view": 1, "cart": 3, "purchase": 5}' END) w (weights);
-- times a value, and times a column of weights
CREATE VIEW multiplied AS SELECT user_id, item_id, quantity * weight AS value, quantity FROM events;
SELECT learnt('events', ', rating_column => ''quantity'', event_column => ''kind'', event_weights => ''{"view": 1, "cart": 3, "purchase": 5}''')
	= learnt('multiplied', ', feedback => ''implicit'', rating_column => ''value''') AS multiplied,
	learnt('events', ', weight_column => ''quantity'', event_column => ''kind'', event_weights => ''{"view": 1, "cart": 3, "purchase": 5}''')
	= learnt('multiplied', ', feedback => ''implicit'', rating_column => ''value''') AS by_weight;
-- without weights all kinds count the same; one of weight 0 is skipped, but seen
SELECT learnt('events', ', feedback => ''implicit'', event_column => ''kind''') = learnt('events', ', feedback => ''implicit''') AS the_same;
CREATE VIEW purchases AS SELECT * FROM events WHERE kind = 'purchase';
SELECT learnt('events', ', event_column => ''kind'', event_weights => ''{"view": 0, "cart": 0, "purchase": 1}''') = learnt('purchases', ', feedback => ''implicit''') AS purchases;
SELECT learnt('events', ', event_column => ''kind'', event_weights => ''{"purchase": 2.5}''') = learnt('purchases', ', feedback => ''implicit''') AS purchases;
SELECT learnt('events', ', event_column => ''kind'', event_weights => ''{"purchase": 2.5}''') IS NOT NULL AS trained;
SELECT count(*) AS viewed FROM events JOIN mf_recommend(7, 40, 'w', fresh => false) USING (item_id) WHERE user_id = 7;

-- current rows give the stored user, and other ones a new list; a retrain keeps the weights
SELECT learnt('events', ', event_column => ''kind'', event_weights => ''{"view": 1, "cart": 3, "purchase": 5.5}''') IS NOT NULL AS trained;
SELECT reason, count(*) FROM generate_series(1, 60) u, mf_recommend(u, 1, 'w', fresh => true) GROUP BY 1;
UPDATE w_user_factors SET fingerprint = NULL;
SELECT reason, count(*) FROM generate_series(1, 60) u, mf_recommend(u, 1, 'w', fresh => true) GROUP BY 1;
UPDATE events SET kind = 'return' WHERE user_id = 3;
UPDATE events SET kind = 'purchase' WHERE user_id = 4;
UPDATE events SET kind = NULL WHERE user_id = 5;
SELECT reason, array_agg(u ORDER BY u) FILTER (WHERE reason <> 'model') AS users FROM generate_series(1, 60) u, mf_recommend(u, 1, 'w', fresh => true) GROUP BY 1 ORDER BY 1;
SET client_min_messages = notice;
SELECT users FROM mf_retrain('w');
SELECT parameters ->> 'event_column' AS event_column, parameters -> 'event_weights' AS event_weights FROM mfrec.model WHERE name = 'w';
SELECT users FROM mf_train('events', 'w', factors => 8, event_column => 'kind', event_weights => '{"cart": 1, "purchase": 3, "return": 0}');
SELECT users FROM mf_train('kinds', 'w', factors => 8, event_column => 'text', event_weights => '{"cart": 1, "purchased": 3}');
-- with times, estimated, tuned
SET client_min_messages = warning;
CREATE VIEW dated AS SELECT *, date '2024-01-01' + weight * 10 AS day FROM events;
SELECT users FROM mf_train('dated', 'w', factors => 8, event_column => 'kind', event_weights => '{"view": 1, "cart": 3, "purchase": 5}', time_column => 'day', half_life => '30 days');
SELECT reason, count(*) FROM generate_series(6, 60) u, mf_recommend(u, 1, 'w', fresh => true) GROUP BY 1;
SELECT users FROM mf_estimate('events', factors => 8, event_column => 'kind', event_weights => '{"purchase": 5}');
SELECT count(*) FROM mf_tune('events', trials => 2, factors => 8, event_column => 'kind', event_weights => '{"view": 1, "purchase": 5}');

-- evaluated: by the weights, where the test relation has the column; a view of purchases says what lists are for
CREATE VIEW train AS SELECT * FROM events WHERE NOT mf_holdout(user_id, item_id, 0.2);
CREATE VIEW test AS SELECT * FROM events WHERE mf_holdout(user_id, item_id, 0.2);
CREATE VIEW bought AS SELECT user_id, item_id FROM test WHERE kind = 'purchase';
SELECT users FROM mf_train('train', 'w', factors => 8, event_column => 'kind', event_weights => '{"view": 1, "cart": 3, "purchase": 5}');
SELECT metric, value FROM mf_evaluate('test', model => 'w') WHERE metric LIKE 'rows%' AND value > 0;
SELECT metric, value FROM mf_evaluate('test', model => 'w', relevant_from => 4) WHERE metric LIKE 'rows%' AND value > 0;
SELECT metric, value FROM mf_evaluate('bought', model => 'w') WHERE metric LIKE 'rows%' AND value > 0;
SELECT (SELECT count(DISTINCT (user_id, item_id)) FROM bought) AS bought, (SELECT count(*) FROM (SELECT sum(CASE kind WHEN 'view' THEN 1 WHEN 'cart' THEN 3 WHEN 'purchase' THEN 5 END) FROM test GROUP BY user_id, item_id) x (sum) WHERE sum >= 4) AS relevant;

-- relevant_event is that view, whatever the rows of that kind weigh
SELECT count(*) AS different FROM mf_evaluate('bought', model => 'w') a FULL JOIN mf_evaluate('test', model => 'w', relevant_event => 'purchase') b USING (metric) WHERE a.value IS DISTINCT FROM b.value;
SELECT metric, value FROM mf_evaluate('test', model => 'w', relevant_event => 'view') WHERE metric IN ('rows', 'rows_relevant');
SELECT mf_evaluate('test', model => 'w', relevant_event => 'glance');
SELECT mf_evaluate('test', model => 'w', relevant_event => 'return');
SELECT mf_evaluate('bought', model => 'w', relevant_event => 'purchase');
SELECT users FROM mf_train('train', 'w', factors => 8);
SELECT mf_evaluate('test', model => 'w', relevant_event => 'purchase');

-- mf_tune searches what kinds weigh, the most frequent one first and the relevant one last, unless told
SELECT trial, event_weights, factors FROM mf_tune('events', trials => 6, factors => 8, event_column => 'kind', seed => 3) WHERE trial <> 6 ORDER BY trial;
SELECT trial, event_weights FROM mf_tune('kinds', trials => 5, factors => 8, event_column => 'text', relevant_event => 'view') ORDER BY trial;
SELECT count(*) FILTER (WHERE event_weights IS NULL) AS none FROM mf_tune('events', trials => 3, factors => 8, event_column => 'kind', event_weights => '{"view": 1, "purchase": 5}', relevant_event => 'purchase');
SELECT trial, half_life, event_weights FROM mf_tune('dated', trials => 6, factors => 8, event_column => 'kind', time_column => 'day', validation_by => 'random') ORDER BY trial;
-- only rows of the relevant kind are to be found: of a kind that is in no list worth having nothing is
CREATE VIEW split AS SELECT user_id, item_id + CASE kind WHEN 'purchase' THEN 1000 ELSE 0 END AS item_id, kind FROM events WHERE kind = 'purchase' OR item_id % 5 <> 0;
SELECT (SELECT value FROM mf_tune('split', 'recall', trials => 1, factors => 8, event_column => 'kind', relevant_event => 'purchase', validation => 0.3)) <
	(SELECT value FROM mf_tune('split', 'recall', trials => 1, factors => 8, event_column => 'kind', relevant_event => 'view', validation => 0.3)) AS views_are_found;
-- the same, spilled or not, whether rows fade or not
CREATE TABLE large AS SELECT g AS user_id, (g * 7 + i * i) % 90 AS item_id, CASE WHEN (g + i) % 3 = 0 THEN 'purchase' ELSE 'view' END AS kind, g * 1000 + i * 77777 AS seconds
	FROM generate_series(1, 6000) g, generate_series(1, 20) i;
SELECT fades, count(DISTINCT value), bool_and(value > 0) AS found FROM unnest(ARRAY['64MB', '1MB']) memory, unnest(ARRAY[true, false]) fades, set_config('maintenance_work_mem', memory, false),
	LATERAL mf_tune('large', trials => 1, iterations => 2, factors => 4, event_column => 'kind', relevant_event => 'purchase', validation_by => 'random',
		time_column => 'seconds', half_life => CASE WHEN fades THEN interval '10 days' END) GROUP BY fades;
RESET maintenance_work_mem;
DROP TABLE large;
SELECT winner FROM mf_tune('events', trials => 1, factors => 8, event_column => 'kind', relevant_event => 'purchase', train => true, model => 'w');
SELECT parameters -> 'event_weights' AS event_weights FROM mfrec.model WHERE name = 'w';
SELECT mf_tune('events', trials => 1, relevant_event => 'purchase');
SELECT mf_tune('events', trials => 1, event_column => 'kind', relevant_event => 'glance');
SELECT mf_tune('events', trials => 1, event_column => 'kind', event_weights => '{"view": 1}', relevant_event => 'purchase');
SELECT mf_tune('events', trials => 1, event_column => 'kind', relevant_event => 'purchase', relevant_from => 3);
CREATE VIEW many AS SELECT *, user_id AS code FROM events;
SELECT mf_tune('many', trials => 1, event_column => 'code');

-- what cannot be
SET client_min_messages = notice;
SELECT mf_train('events', 'x', event_weights => '{"view": 1}');
SELECT mf_train('events', 'x', event_column => 'missing');
SELECT mf_train('events', 'x', event_column => 'kind', event_weights => '{"glance": 1}');
BEGIN; ALTER TYPE kind RENAME VALUE 'cart' TO 'basket'; SELECT count(*) FROM mf_recommend(7, 5, 'w', fresh => true); ROLLBACK;
SELECT mf_train('kinds', 'x', event_column => 'integer', event_weights => '{"view": 1}');
CREATE VIEW reals AS SELECT user_id, item_id, weight::real AS kind FROM events;
SELECT mf_train('reals', 'x', event_column => 'kind', event_weights => '{"1": 1}');
SELECT mf_train('events', 'x', feedback => 'explicit', rating_column => 'quantity', event_column => 'kind', event_weights => '{"view": 1}');
SELECT mf_train('kinds', 'x', event_column => 'text', event_weights => '{"nothing": 1}');
DO $$
DECLARE weights text; detail text;
BEGIN
	FOREACH weights IN ARRAY ARRAY['{}', '[]', '1', 'null', '{"view": -1e300}', '{"view": "1"}', '{"view": null}', '{"view": {"a": 1}}', '{"view": [1]}', '{"view": 1e300}'] LOOP
		BEGIN
			PERFORM mf_train('events', 'x', event_column => 'kind', event_weights => weights::jsonb);
			RAISE NOTICE '% was taken', weights;
		EXCEPTION WHEN invalid_parameter_value THEN
			GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
			RAISE NOTICE '%: %', weights, detail;
		END;
	END LOOP;
END $$;

SET client_min_messages = warning;
SELECT count(mf_drop(name)) AS dropped FROM mfrec.model WHERE name = 'w';
DROP SCHEMA events CASCADE;
