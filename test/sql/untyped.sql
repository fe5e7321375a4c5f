-- Parameters without a type, and of the types that drivers choose, in every place of every function.
CREATE SCHEMA test_untyped;
SET search_path = test_untyped, public;
SET client_min_messages = warning;
CREATE TABLE board (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO board SELECT u, i, CASE WHEN u % 3 = i % 3 THEN 5 ELSE 2 END FROM generate_series(1, 12) u, generate_series(1, 12) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 <> 0;
CREATE TABLE held AS SELECT u AS user_id, i AS item_id, 5 AS rating FROM generate_series(1, 12) u, generate_series(1, 12) i
	WHERE (u + i) % 2 = 0 AND (u * 7 + i * 3) % 5 = 0;
CREATE TABLE products AS SELECT i AS id, i % 2 AS seller, ARRAY[i % 3, i % 2, i]::real[] AS place FROM generate_series(1, 12) i;
SELECT users, items FROM mf_train('board', factors => 4);
SELECT version FROM mf_retrain('board');

-- What a query answers as text, but for times, or its error; whatever it writes is undone.  Its parameters get these values.
CREATE FUNCTION answer(query text, types text, parameters text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('PREPARE one%s AS SELECT string_agg((to_jsonb(r) - ''seconds'')::text, '' '') FROM (SELECT * FROM %s) r', types, query);
	BEGIN
		EXECUTE 'EXECUTE one' || coalesce('(' || (SELECT string_agg(quote_literal(p), ', ' ORDER BY n)
			FROM unnest(parameters) WITH ORDINALITY AS u (p, n)) || ')', '') INTO result;
		RAISE EXCEPTION USING ERRCODE = 'MF000', MESSAGE = coalesce(result, 'nothing');
	EXCEPTION WHEN OTHERS THEN
		result := CASE SQLSTATE WHEN 'MF000' THEN '' ELSE SQLSTATE || ': ' END || SQLERRM;
	END;
	DEALLOCATE one;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;

-- The places: arguments that take several types, and lengths.  An id is passed as a number, a string, or a
-- parameter of a type or without; an array as one of these.
CREATE TABLE ways (kind text, way text, type text);
INSERT INTO ways VALUES ('id', '%s::int', NULL), ('id', '%s::bigint', NULL), ('id', '''%s''', NULL), ('id', '''%s''::varchar', NULL),
	('id', '$', 'unknown'), ('id', '$', 'int'), ('id', '$', 'bigint'), ('id', '$', 'text'), ('id', '$', 'varchar'),
	('id', '$', 'char(5)'), ('id', '$', 'name'),
	('array', '''{%s}''::int[]', NULL), ('array', '''{%s}''', NULL),
	('array', '$', 'unknown'), ('array', '$', 'int[]'), ('array', '$', 'bigint[]'), ('array', '$', 'text[]'), ('array', '$', 'varchar[]'),
	('number', '%s', NULL), ('number', '%s::bigint', NULL), ('number', '%s::smallint', NULL),
	('number', '(SELECT count(*) FROM generate_series(1, %s))', NULL), ('number', '$', 'unknown'), ('number', '$', 'int'), ('number', '$', 'bigint'),
	('ratings', '''{%s}''::real[]', NULL), ('ratings', '''{%s}''::numeric[]', NULL), ('ratings', '''{%s}''::int[]', NULL),
	('ratings', '''{%s}''::double precision[]', NULL), ('ratings', '$', 'unknown'), ('ratings', '$', 'double precision[]'), ('ratings', '$', 'bigint[]');
-- what each argument gets; a function with an argument of another name must be added here
CREATE TABLE places (argument text PRIMARY KEY, kind text, value text);
INSERT INTO places VALUES ('user_id', 'id', '1'), ('item_id', 'id', '3'), ('items', 'array', '1,3'), ('candidates', 'array', '2,3,4,6,7,9,12'),
	('exclude', 'array', '6,9'), ('k', 'number', '2'), ('version', 'number', '1'), ('per_group', 'number', '1'),
	('factors', 'number', '3'), ('iterations', 'number', '1'), ('trials', 'number', '1'), ('source', 'type', '''board'''), ('ratings', 'ratings', '5,2'),
	('item_type', 'type', 'NULL::int'), ('user_type', 'type', 'NULL::int'), ('id_type', 'type', 'NULL::int'), ('test', 'type', '''held'''),
	('clusters', 'number', '2'), ('dimensions', 'number', '2'), ('relation', 'type', '''products'''), ('vector_column', 'type', '''place'''),
	('variants', 'type', '''{"a": 1, "b": 1}''');
-- where a parameter cannot be without a type, as nothing tells it: arrays in the calls that name the items' type
CREATE TABLE typed_only (proname name, argument text, with_type boolean);
INSERT INTO typed_only VALUES ('mf_recommend', 'candidates', true), ('mf_recommend', 'exclude', true), ('mf_popular', 'candidates', true),
	('mf_popular', 'exclude', true), ('mf_recommend_users', 'candidates', true), ('mf_recommend_users', 'exclude', true),
	('mf_recommend_all', 'candidates', true), ('mf_recommend_all', 'exclude', true),
	-- and where the first id, or basket, gives results their type
	('mf_similar_items', 'candidates', false), ('mf_similar_items', 'exclude', false), ('mf_similar_users', 'candidates', false),
	('mf_similar_users', 'exclude', false), ('mf_recommend_for', 'candidates', false), ('mf_recommend_for', 'exclude', false);

-- Sets of arguments by which functions are called; overloads for ids given as text are one function.
CREATE TABLE called AS
	SELECT DISTINCT p.proname, (SELECT array_agg(a.name ORDER BY a.n)
		FROM unnest(p.proargnames[:p.pronargs], p.proargtypes::oid[]) WITH ORDINALITY AS a (name, type, n)
		WHERE a.name IN (SELECT argument FROM places) OR a.type IN ('"any"'::regtype, 'anyelement'::regtype, 'anyarray'::regtype,
			'anycompatible'::regtype, 'anycompatiblearray'::regtype, 'anynonarray'::regtype, 'anycompatiblenonarray'::regtype)) AS arguments
	FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
		JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'mfrec'
	WHERE (p.proargtypes::oid[] && ARRAY['"any"', 'anyelement', 'anyarray', 'anycompatible', 'anycompatiblearray']::regtype[]::oid[]
			OR p.proargnames[:p.pronargs] && ARRAY['k', 'version', 'per_group', 'factors', 'trials', 'clusters', 'dimensions'])
		AND p.pronamespace <> 'mfrec'::regnamespace	-- parts of others, not for calling
		AND p.proname <> 'mf_explain_features'	-- needs a model of features
		AND p.proname NOT IN ('mf_train_each', 'mf_tenant');	-- need tenants: test/sql/tenants.sql
SELECT proname, arguments FROM called ORDER BY 1, 2;
-- none that the table of places does not know; groups are tried below
SELECT proname, argument FROM called, unnest(arguments) argument WHERE argument NOT IN (SELECT argument FROM places) AND argument <> 'groups';

-- A call of a function with some of its arguments in these ways: its text, parameters' types and values.
CREATE FUNCTION call(name text, arguments text[], ways text[], types text[]) RETURNS TABLE (query text, types_text text, parameters text[])
LANGUAGE sql STABLE AS $$
	SELECT format('%s(%s)', name, string_agg(CASE WHEN way = '$' THEN format('%s => $%s', argument, place)
			ELSE format('%s => %s', argument, format(way, value)) END || CASE argument WHEN 'per_group' THEN
			', group_table => ''products'', group_column => ''seller''' ELSE '' END, ', ' ORDER BY n)),
		'(' || string_agg(type, ', ' ORDER BY place) FILTER (WHERE way = '$') || ')',
		array_agg(CASE WHEN kind IN ('array', 'ratings') THEN '{' || value || '}' ELSE value END ORDER BY place) FILTER (WHERE way = '$')
	FROM (SELECT a.*, p.kind, p.value, count(*) FILTER (WHERE way = '$') OVER (ORDER BY n) AS place
		FROM unnest(arguments, ways, types) WITH ORDINALITY AS a (argument, way, type, n) JOIN places p USING (argument)) a $$;

-- Ids in all pairs of ways, all other arguments away; and any other argument in each way, ids in two.
CREATE TABLE tried AS
WITH RECURSIVE needed AS (
	SELECT proname, arguments, array_remove(ARRAY(SELECT a FROM unnest(arguments) WITH ORDINALITY AS u (a, n)
		WHERE a IN (SELECT argument FROM places WHERE kind IN ('id', 'type')) OR a IN ('items', 'clusters')
			OR (a = 'k' AND arguments && '{item_type,user_type}') ORDER BY n), NULL) AS base FROM called),
combined AS (
	SELECT proname, arguments, base, 0 AS n, ARRAY[]::text[] AS ways, ARRAY[]::text[] AS types FROM needed
	UNION ALL
	SELECT c.proname, c.arguments, c.base, c.n + 1, c.ways || w.way, c.types || w.type
	FROM combined c JOIN places p ON p.argument = c.base[c.n + 1]
		JOIN (SELECT * FROM ways UNION ALL SELECT 'type', '%s', NULL) w ON w.kind = p.kind
	WHERE c.n < cardinality(c.base)),
complete AS (SELECT * FROM combined WHERE n = cardinality(base))
SELECT c.proname, c.base AS called_with, x.* FROM complete c, LATERAL call(c.proname, c.base, c.ways, c.types) x
UNION ALL
SELECT c.proname, c.base || p.argument, x.*
FROM complete c JOIN places p ON p.argument = ANY (c.arguments) AND p.argument <> ALL (c.base) JOIN ways w USING (kind),
	LATERAL call(c.proname, c.base || p.argument, c.ways || w.way, c.types || w.type) x
WHERE NOT EXISTS (SELECT FROM unnest(c.ways, c.types) AS b (way, type)
	WHERE NOT (way = '%s::int' OR way = '%s' OR (way = '$' AND type = 'unknown')));

-- Each answers as the plain call does: numbers, no parameters.
CREATE TABLE plain AS
	SELECT t.proname, t.called_with, answer(x.query, '', NULL) AS answer
	FROM (SELECT DISTINCT proname, called_with FROM tried) t,
	LATERAL call(t.proname, t.called_with, ARRAY(SELECT (SELECT w.way FROM (SELECT * FROM ways UNION ALL SELECT 'type', '%s', NULL) w
		WHERE w.kind = p.kind AND w.way ~ '%s' AND w.type IS NULL ORDER BY w.way !~ '^%s(::int)?$|(int|real)\[\]$', w.way LIMIT 1)
		FROM unnest(t.called_with) WITH ORDINALITY AS a (argument, n) JOIN places p USING (argument) ORDER BY a.n),
		array_fill(NULL::text, ARRAY[cardinality(t.called_with)])) x;
SELECT proname, count(*) AS sets, min(answer) FILTER (WHERE answer ~ '^\w{5}: |nothing') AS wrong FROM plain GROUP BY 1 ORDER BY 1;
SELECT count(*) > 500 AS many, count(DISTINCT proname) AS functions FROM tried;
CREATE TABLE answers AS SELECT t.*, answer(query, types_text, parameters) AS answer FROM tried t;
SELECT a.proname, a.query, a.types_text, a.answer
FROM answers a JOIN plain p USING (proname, called_with)
WHERE replace(a.answer, '"', '') <> replace(p.answer, '"', '')
	AND NOT (a.answer ~ '^42P18' AND EXISTS (SELECT FROM typed_only o WHERE o.proname = a.proname AND o.argument = ANY (a.called_with)
		AND o.with_type = (a.called_with && '{item_type,user_type}')))
ORDER BY 1, 2, 3 LIMIT 20;
-- what wants a cast, as nothing tells its type
SELECT a.query, a.types_text, a.answer FROM answers a WHERE a.answer ~ '^42P18' ORDER BY 1, 2 LIMIT 4;

-- By position as far as the model (beyond it names tell, as types come in another order), and both arrays at once: an untyped one is what the other one is.
PREPARE positions AS SELECT item_id, rank FROM mf_recommend($1, $2, $3, candidates => $4, exclude => $5);
EXECUTE positions ('1', '2', 'board', '{2,3,4,6}', '{6}');
PREPARE typed_beside AS SELECT item_id FROM mf_recommend($1, 2, candidates => ARRAY[2, 3, 4, 6]::bigint[], exclude => $2);
EXECUTE typed_beside (1, '{6}');
PREPARE widths AS SELECT item_id FROM mf_recommend($1, candidates => ARRAY[2, 3, 4, 6]::smallint[], exclude => ARRAY[6]::bigint[], k => 2);
EXECUTE widths (1);
PREPARE alone AS SELECT mf_predict($1, item_id) = mf_predict(1, item_id) AS same FROM held WHERE user_id = 1 LIMIT 1;
EXECUTE alone (1);
PREPARE first AS SELECT count(*) FROM held WHERE mf_holdout($1, item_id) <> mf_holdout(1, item_id);
EXECUTE first ('1');
PREPARE second AS SELECT count(*) FROM held WHERE mf_holdout(user_id, $1) <> mf_holdout(user_id, 3);
EXECUTE second ('3');
PREPARE basket AS SELECT rank FROM mf_recommend_for($1, $2, $3);
EXECUTE basket ('{}', '{}', '1');
SELECT name, parameter_types FROM pg_prepared_statements ORDER BY name;
-- groups have a type of their own, so they must be told it; as a string, which JDBC sends, they have one
PREPARE no_groups AS SELECT item_id FROM mf_recommend($1, 4, candidates => $2, per_group => $3, groups => $4);
PREPARE groups AS SELECT item_id FROM mf_recommend($1, 4, candidates => $2, per_group => $3, groups => $4::text[]);
EXECUTE groups (1, '{2,3,4,6}', 1, '{a,b,a,b}');
PREPARE string_groups(int, varchar, int, varchar) AS SELECT item_id FROM mf_recommend($1, 4, candidates => $2, per_group => $3, groups => $4);
EXECUTE string_groups (1, '{2,3,4,6}', 1, '{a,b,a,b}');

-- Lengths out of range, strings that are no ids, ratings that are none.
SELECT mf_recommend(1, 5000000000);
SELECT mf_recommend(1, version => 5000000000);
SELECT mf_recommend(1, version => -5000000000);
SELECT mf_rollback('board', 4294967297);
SELECT mf_recommend(1, per_group => 4294967297, group_table => 'products', group_column => 'seller');
SELECT mf_recommend(1, candidates => ARRAY['1', 'x']::varchar[]);
SELECT mf_recommend(1, candidates => '1,x');
SELECT item_id FROM mf_recommend(1, candidates => '3,9,11', exclude_seen => false) ORDER BY item_id;
SELECT count(*) FROM mf_recommend(1, candidates => '');
SELECT item_id FROM mf_recommend(1, candidates => ' [0:1]={3,9}', exclude_seen => false) ORDER BY item_id;
SELECT mf_recommend_for(ARRAY[1, 3], ARRAY['NaN', 1]::numeric[]);
SELECT mf_recommend_for(ARRAY[1, 3], ARRAY[1e300, 1]);
SELECT mf_recommend_for(ARRAY[1, 3], ARRAY[1, NULL]);
-- items as any kind of string
SELECT pg_typeof(item_id), item_id::text ~ '^\d+$' AS number FROM mf_recommend(1, 1, item_type => NULL::varchar(3));
SELECT pg_typeof(item_id), item_id::text ~ '^\d+$' AS number FROM mf_recommend(1, 1, item_type => NULL::name);
SELECT pg_typeof(item_id), item_id::text ~ '^\d+$' AS number FROM mf_recommend(1, 1, item_type => NULL::bpchar);

DEALLOCATE ALL;
SELECT mf_drop('board');
DROP SCHEMA test_untyped CASCADE;
