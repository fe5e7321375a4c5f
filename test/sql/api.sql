-- sql/mfrec_api.sql, called as PostgREST calls functions: POST takes the arguments from a JSON object by json_to_record,
-- GET has each as a string; rows come back as one JSON array; role, search_path and the claims of the token are those
-- of the transaction.  PostgREST itself is not here: these are its statements (src/library/PostgREST/Query of v17),
-- written anew.
\getenv folder PG_ABS_SRCDIR
\set script :folder '/../sql/mfrec_api.sql'
CREATE SCHEMA test_api;
SET search_path = test_api, public;
SET client_min_messages = warning;
CREATE TABLE board (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO board SELECT u, i, CASE WHEN u % 3 = i % 3 THEN 5 ELSE 2 END FROM generate_series(1, 12) u, generate_series(1, 12) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
CREATE TABLE named AS SELECT 'user ' || user_id AS user_id, md5(item_id::text)::uuid AS item_id, rating FROM board;
ALTER TABLE named ADD PRIMARY KEY (user_id, item_id);
SELECT users, items FROM mf_train('board', 'api board', factors => 4);
SELECT users, items FROM mf_train('named', 'api named', factors => 4);

-- wherever the path leads
SET search_path = pg_catalog;
\set ECHO none
\i :script
\set ECHO all
SET search_path = test_api, public;
-- a signature each; all names; everything has a comment; nobody may call anything
SELECT proname, proargnames[:pronargs] AS arguments, proargnames[pronargs + 1:] AS columns, prosecdef, provolatile, prorows
FROM pg_proc WHERE pronamespace = 'mfrec_api'::regnamespace ORDER BY 1;
SELECT proname FROM pg_proc WHERE pronamespace = 'mfrec_api'::regnamespace AND
	(obj_description(oid, 'pg_proc') IS NULL OR '' = ANY (proargnames) OR has_function_privilege('public', oid, 'EXECUTE'));
SELECT obj_description('mfrec_api'::regnamespace, 'pg_namespace') IS NOT NULL AS commented;

-- what is granted, and nothing else
CREATE ROLE regress_mfrec_web;
CREATE ROLE regress_mfrec_guest;
GRANT USAGE ON SCHEMA mfrec_api, test_api TO regress_mfrec_web, regress_mfrec_guest;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mfrec_api TO regress_mfrec_web;
GRANT EXECUTE ON FUNCTION mfrec_api.recommend_me, mfrec_api.popular TO regress_mfrec_guest;
GRANT SELECT ON "api board_user_factors", "api board_item_factors", board, "api named_user_factors", "api named_item_factors", named TO regress_mfrec_web;

CREATE TABLE calls (name text);
-- A request's answer: an array of rows, a value, or an error.
CREATE FUNCTION rpc(role text, name text, body json, claims text DEFAULT '', method text DEFAULT 'POST') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	fn pg_proc;
	call text;
	answer text;
BEGIN
	INSERT INTO calls VALUES (name);
	-- what its cache of the schema knows
	SELECT * INTO STRICT fn FROM pg_proc WHERE proname = name AND pronamespace = 'mfrec_api'::regnamespace;
	SELECT CASE method
		WHEN 'GET' THEN format('%I.%I(%s)', 'mfrec_api', name, string_agg(format('%I := %L::%s', key, value, type), ', '))
		ELSE format('(SELECT %s::json AS json_data) pgrst_payload, LATERAL (SELECT %s FROM json_to_record(pgrst_payload.json_data) AS _(%s) LIMIT 1) pgrst_body, LATERAL %s',
			quote_literal(body), string_agg(quote_ident(key), ', '), string_agg(format('%I %s', key, type), ', '),
			format(CASE WHEN fn.proretset THEN '%s' ELSE '(SELECT %s pgrst_scalar)' END,
				format('%I.%I(%s)', 'mfrec_api', name, string_agg(format('%I := pgrst_body.%1$I', key), ', ')))) END || ' pgrst_call'
	INTO call
	FROM json_each_text(body) JOIN (SELECT argument, format_type(fn.proargtypes[n - 1], NULL) AS type
		FROM unnest(fn.proargnames[:fn.pronargs]) WITH ORDINALITY a (argument, n)) known ON argument = key;
	call := format('WITH pgrst_source AS (SELECT %s FROM %s) SELECT %s FROM (SELECT * FROM pgrst_source) _postgrest_t',
		CASE WHEN fn.proretset THEN 'pgrst_call.*' ELSE 'pgrst_call.pgrst_scalar' END, call,
		CASE WHEN fn.proretset THEN $c$coalesce(json_agg(_postgrest_t), '[]')$c$
			ELSE $c$coalesce(json_agg(_postgrest_t.pgrst_scalar)->0, 'null')$c$ END);
	PERFORM set_config('search_path', '"mfrec_api", "pg_catalog"', true), set_config('role', role, true),
		set_config('request.jwt.claims', claims, true);
	BEGIN
		EXECUTE call INTO answer;
	EXCEPTION WHEN OTHERS THEN
		answer := SQLSTATE || ': ' || SQLERRM;
	END;
	PERFORM set_config('role', 'none', true), set_config('search_path', 'test_api, public', true);
	RETURN answer;
END $$;
-- Of the rows, the ids in their order; of an error, itself.
CREATE FUNCTION ids(answer text, key text DEFAULT 'item_id') RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN answer LIKE '[%' THEN (SELECT string_agg(json_typeof(r -> key) || ' ' || (r ->> key), ', ' ORDER BY n)
		FROM json_array_elements(answer::json) WITH ORDINALITY a (r, n)) ELSE answer END $$;

-- numbers and strings; every argument
SELECT ids(rpc('regress_mfrec_web', 'recommend', '{"user_id": 1, "k": 3, "model": "api board"}')) AS listed;
SELECT rpc('regress_mfrec_web', 'recommend', '{"user_id": 1, "k": 3, "model": "api board"}')
	= (SELECT json_agg(r)::text FROM (SELECT item_id::text, score, rank, predicted_rating, reason FROM mf_recommend(1, 3, 'api board')) r) AS all_columns;
SELECT ids(rpc('regress_mfrec_web', 'recommend', '{"user_id": "1", "k": 2, "model": "api board", "candidates": [2, "4", 6, 8], "exclude": ["4"], "fresh": false, "exclude_seen": true, "new_items": true}')) AS listed,
	(SELECT string_agg('string ' || item_id, ', ' ORDER BY rank) FROM mf_recommend(1, 2, 'api board', candidates => ARRAY[2, 4, 6, 8], exclude => ARRAY[4], fresh => false)) AS expected;
SELECT ids(rpc('regress_mfrec_web', 'recommend', '{"user_id": 1, "model": "api board", "candidates": []}')) IS NULL AS of_none;
SELECT ids(rpc('regress_mfrec_web', 'recommend', '{"user_id": null, "model": "api board"}')) IS NULL AS nobody;
SELECT rpc('regress_mfrec_web', 'recommend', '{"user_id": "user 1", "k": 3, "model": "api named"}')
	= (SELECT json_agg(r)::text FROM (SELECT item_id::text, score, rank, predicted_rating, reason FROM mf_recommend('user 1'::text, 3, item_type => NULL::text, model => 'api named')) r) AS uuids;
SELECT ids(rpc('regress_mfrec_web', 'recommend', '{"user_id": "1", "k": "2", "model": "api board", "candidates": "{2,4,6,8}", "exclude": "{4}"}', method => 'GET')) AS got;
-- the user of the token; a user of whom no token speaks
SELECT rpc('regress_mfrec_web', 'recommend_me', '{"k": 3, "model": "api board"}', '{"sub": "1"}') = rpc('regress_mfrec_web', 'recommend', '{"user_id": 1, "k": 3, "model": "api board"}') AS mine,
	rpc('regress_mfrec_web', 'recommend_me', '{"k": 3, "model": "api board"}', '{"role": "web"}') AS nobody,
	rpc('regress_mfrec_web', 'recommend_me', '{"k": 3, "model": "api board"}') AS anonymous;
SELECT rpc('regress_mfrec_web', 'recommend_for', '{"items": [1, 3], "ratings": [5, 2.5], "k": 3, "model": "api board"}')
	= (SELECT json_agg(r)::text FROM (SELECT item_id::text, score, rank FROM mf_recommend_for(ARRAY[1, 3], ARRAY[5, 2.5], 3, 'api board')) r) AS basket;
SELECT rpc('regress_mfrec_web', 'recommend_users', '{"item_id": 2, "k": 3, "model": "api board"}')
	= (SELECT json_agg(r)::text FROM (SELECT user_id::text, score, rank FROM mf_recommend_users(2, 3, 'api board')) r) AS users;
SELECT rpc('regress_mfrec_web', 'similar_items', '{"item_id": 2, "k": 3, "model": "api board"}')
	= (SELECT json_agg(r)::text FROM (SELECT id::text AS item_id, similarity, rank FROM mf_similar_items(2, 3, 'api board')) r) AS similar;
SELECT f, rpc('regress_mfrec_web', f, ('{"item_id": 2, "items": [1, 3], "k": 2, "model": "api board", "candidates": [3, 4, 5, "6"], "exclude": ["4"]}'::jsonb
		- CASE f WHEN 'recommend_for' THEN '{item_id}'::text[] WHEN 'popular' THEN '{item_id,items}' ELSE '{items}' END)::json) = filtered AS filtered
FROM (SELECT 'recommend_for' AS f, json_agg(r)::text AS filtered FROM (SELECT item_id::text, score, rank
		FROM mf_recommend_for(ARRAY[1, 3], k => 2, model => 'api board', candidates => ARRAY[3, 4, 5, 6], exclude => ARRAY[4])) r
	UNION ALL SELECT 'recommend_users', json_agg(r)::text FROM (SELECT user_id::text, score, rank
		FROM mf_recommend_users(2, 2, 'api board', candidates => ARRAY[3, 4, 5, 6], exclude => ARRAY[4])) r
	UNION ALL SELECT 'similar_items', json_agg(r)::text FROM (SELECT id::text AS item_id, similarity, rank
		FROM mf_similar_items(2, 2, 'api board', candidates => ARRAY[3, 4, 5, 6], exclude => ARRAY[4])) r
	UNION ALL SELECT 'popular', json_agg(r)::text FROM (SELECT item_id::text, ratings, rank
		FROM mf_popular(2, 'api board', candidates => ARRAY[3, 4, 5, 6], exclude => ARRAY[4])) r) f;
SELECT rpc('regress_mfrec_web', 'predict', '{"user_id": 1, "item_id": 2, "model": "api board"}') = to_json(mf_predict(1, 2, 'api board'))::text AS predicted,
	rpc('regress_mfrec_web', 'predict', '{"user_id": 1, "item_id": 999, "model": "api board"}') AS unknown;
SELECT rpc('regress_mfrec_web', 'explain', '{"user_id": 1, "item_id": 4, "k": 3, "model": "api board"}')
	= (SELECT json_agg(r)::text FROM (SELECT item_id::text, contribution FROM mf_explain(1, 4, 3, 'api board')) r) AS explained;
SELECT ids(rpc('regress_mfrec_web', 'popular', '{"k": 2, "model": "api board", "candidates": [3, 5, 7]}')) = (SELECT string_agg('string ' || item_id, ', ' ORDER BY rank)
	FROM mf_popular(2, 'api board', candidates => ARRAY[3, 5, 7])) AS popular;
-- every function was called
SELECT proname FROM pg_proc WHERE pronamespace = 'mfrec_api'::regnamespace AND proname NOT IN (SELECT name FROM calls);

-- fresh rows count
INSERT INTO board VALUES (99, 1, 5);
SELECT rpc('regress_mfrec_web', 'recommend', '{"user_id": 99, "k": 1, "model": "api board"}')::json -> 0 ->> 'reason' AS reason;
DELETE FROM board WHERE user_id = 99;

-- errors: of the model, the role, and what it may read
SELECT rpc('regress_mfrec_web', 'recommend', '{"user_id": 1, "model": "nonsense"}');
SELECT rpc('regress_mfrec_web', 'recommend', '{"user_id": "Ann", "model": "api board"}');
SELECT rpc('regress_mfrec_guest', 'recommend', '{"user_id": 1, "model": "api board"}');
SELECT rpc('regress_mfrec_guest', 'popular', '{"model": "api board"}');
GRANT SELECT ON "api board_user_factors", "api board_item_factors" TO regress_mfrec_guest;
SELECT ids(rpc('regress_mfrec_guest', 'popular', '{"k": 1, "model": "api board"}')) IS NOT NULL AS popular;
SELECT rpc('regress_mfrec_guest', 'recommend_me', '{"model": "api board"}', '{"sub": "1"}');
SELECT rpc('regress_mfrec_guest', 'recommend_me', '{"k": 3, "model": "api board", "fresh": false}', '{"sub": "1"}')
	= rpc('regress_mfrec_web', 'recommend', '{"user_id": 1, "k": 3, "model": "api board"}') AS without_rows;
-- rows that a policy hides do not count
ALTER TABLE board ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON board TO regress_mfrec_web USING (user_id::text = nullif(current_setting('request.jwt.claims', true), '')::json ->> 'sub');
INSERT INTO board VALUES (99, 1, 5);
SELECT rpc('regress_mfrec_web', 'recommend_me', '{"k": 1, "model": "api board"}', '{"sub": "99"}')::json -> 0 ->> 'reason' AS own,
	rpc('regress_mfrec_web', 'recommend', '{"user_id": 99, "k": 1, "model": "api board"}', '{"sub": "1"}')::json -> 0 ->> 'reason' AS of_another,
	rpc('regress_mfrec_web', 'recommend', '{"user_id": 2, "k": 1, "model": "api board"}', '{"sub": "1"}')::json -> 0 ->> 'reason' AS of_a_known_one;

-- once more, as after an update: grants stay
\set ECHO none
\i :script
\set ECHO all
SELECT has_function_privilege('regress_mfrec_guest', 'mfrec_api.popular(integer, text, text[], text, text[])', 'EXECUTE') AS guest,
	has_function_privilege('public', 'mfrec_api.popular(integer, text, text[], text, text[])', 'EXECUTE') AS everybody;

SELECT mf_drop('api board'), mf_drop('api named');
DROP SCHEMA mfrec_api, test_api CASCADE;
DROP ROLE regress_mfrec_web, regress_mfrec_guest;
