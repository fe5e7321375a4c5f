-- Maps, components and clusters of a model and of relations: what they find, and every mistake.
CREATE SCHEMA test_map;
SET search_path = test_map, public;
SET client_min_messages = warning;
CREATE FUNCTION fails(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text; detail text; hint text;
BEGIN
	EXECUTE command;
	RETURN command || ': no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN command || E'\n  ' || state || ' ' || message || coalesce(E'\n  DETAIL: ' || nullif(detail, ''), '')
		|| coalesce(E'\n  HINT: ' || nullif(hint, ''), '');
END $$;
SELECT fails('SELECT * FROM mf_map(''no such model'')');

-- Items of three kinds, 12, 8 and 4 of them, that point in directions of their own; lengths say nothing.
CREATE TABLE items AS SELECT i AS id, 100 - i AS ratings, (CASE WHEN i <= 12 THEN ARRAY[1, 0.1 * (i % 3), 0, 0]
	WHEN i <= 20 THEN ARRAY[0, 1, 0.1 * (i % 3), 0] ELSE ARRAY[0, 0, 1, 0.1 * (i % 3)] END)::real[] AS factors FROM generate_series(1, 24) i;
UPDATE items SET factors = (SELECT array_agg(f * id ORDER BY n) FROM unnest(factors) WITH ORDINALITY u (f, n));
CREATE TABLE users AS SELECT u AS id, 10 AS ratings, ARRAY[u % 2, 1 - u % 2, 0.01 * u, 0]::real[] AS factors FROM generate_series(1, 30) u;
SELECT version FROM mf_import('kinds', 'users', 'items', ratings_column => 'ratings');
SELECT cluster, count(*), min(id), max(id), bool_and(distance >= 0 AND distance < 0.2) AS near, max(rank) FROM mf_clusters('kinds', 3) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM mf_clusters('kinds', 3) c JOIN mf_clusters('kinds', 3) d USING (id, cluster, distance, rank);
-- ranks go by distance, and results come in this order
SELECT count(*) FROM (SELECT row_number() OVER () AS n, row_number() OVER (ORDER BY cluster, rank) AS m,
	rank() OVER (PARTITION BY cluster ORDER BY distance) AS place, rank FROM mf_clusters('kinds', 5)) c WHERE n <> m OR place > rank;
SELECT cluster, size, nearest <@ ARRAY(SELECT id FROM mf_clusters('kinds', 3) c WHERE c.cluster = l.cluster) AS of_it, array_length(nearest, 1), features FROM mf_cluster_labels('kinds', 3, k => 2) l;
-- those that are rated less than the mean are not named
SELECT cluster, (SELECT max(i) FROM unnest(nearest) i) FROM mf_cluster_labels('kinds', 3, k => 100) ORDER BY 1;
-- coordinates: as many as asked for, around 0, uncorrelated, with the variance of their component
WITH map AS (SELECT id, coordinates[1] AS x, coordinates[2] AS y, coordinates[3] AS z, share FROM mf_map('kinds', 3)),
	components AS (SELECT array_agg(variance ORDER BY component) AS v, array_agg(share ORDER BY component) AS s FROM mf_components('kinds'))
SELECT count(*), abs(avg(x)) < 1e-6 AS centered, abs(covar_pop(x, y)) < 1e-6 AS uncorrelated,
	abs(var_pop(x) / min(v[1]) - 1) < 1e-5 AS first, abs(var_pop(z) / min(v[3]) - 1) < 1e-5 AS third,
	abs(min(share) - min(s[1] + s[2] + s[3])) < 1e-9 AS shares FROM map, components;
SELECT count(*), count(DISTINCT component), round(sum(share)::numeric, 6) AS all_of_it, bool_and(variance >= 0),
	bool_and(array_length(lowest, 1) = 5 AND array_length(highest, 1) = 5) FROM mf_components('kinds');
SELECT component, array_length(lowest, 1), array_length(highest, 1) FROM mf_components('kinds', 2, k => 3);
-- distances on the full map are those of directions: what is near is what mf_similar_items lists
WITH map AS (SELECT id, coordinates FROM mf_map('kinds', 4))
SELECT count(*) AS pairs, max(abs(s.score - (1 - d.square / 2))) < 1e-5 AS by_cosine
FROM map a CROSS JOIN LATERAL mf_similar_items(a.id, 30, 'kinds') s (item_id, score, rank) JOIN map b ON b.id = s.item_id
	CROSS JOIN LATERAL (SELECT sum((x - y) ^ 2) AS square FROM unnest(a.coordinates, b.coordinates) u (x, y)) d;
-- users
SELECT cluster, count(*), count(DISTINCT id % 2) AS kinds FROM mf_clusters('kinds', 2, 'users') GROUP BY 1;
SELECT count(*), min(array_length(coordinates, 1)) FROM mf_map('kinds', of => 'users');
SELECT count(*) FROM mf_components('kinds', 2, 'users');
SELECT cluster, size, array_length(nearest, 1), features FROM mf_cluster_labels('kinds', 2, 'users');
-- ids of any type: as text, and of a model whose ids are uuids
SELECT id FROM mf_map(id_type => NULL::text, model => 'kinds') ORDER BY id COLLATE "C" LIMIT 3;
SELECT pg_typeof(id), pg_typeof(coordinates) FROM mf_map(id_type => NULL::smallint, model => 'kinds') LIMIT 1;
SELECT pg_typeof(lowest), pg_typeof(highest) FROM mf_components(id_type => NULL::text, model => 'kinds') LIMIT 1;
SELECT pg_typeof(nearest) FROM mf_cluster_labels(id_type => NULL::numeric, model => 'kinds', clusters => 2) LIMIT 1;
CREATE TABLE uuid_items AS SELECT md5(id::text)::uuid AS id, factors FROM items;
CREATE TABLE uuid_users AS SELECT 'user ' || id AS id, factors FROM users;
SELECT version FROM mf_import('uuids', 'uuid_users', 'uuid_items');
SELECT count(*) FROM mf_map(NULL::uuid, 'uuids') m JOIN uuid_items USING (id);
SELECT cluster, count(*), min(id COLLATE "C") FROM mf_clusters(id_type => NULL::text, model => 'uuids', clusters => 2, of => 'users') GROUP BY 1 ORDER BY 1, 2;
SELECT l.cluster, count(*) FROM mf_cluster_labels(NULL::uuid, 'uuids', 3) l, unnest(nearest) i JOIN uuid_items ON uuid_items.id = i GROUP BY 1 ORDER BY 1;
SELECT fails('SELECT * FROM mf_map(''uuids'')');
SELECT fails('SELECT * FROM mf_map(NULL::int, ''uuids'', of => ''users'')');
SELECT fails('SELECT * FROM mf_clusters(id_type => NULL::date, model => ''kinds'')');
-- without a name it is the default model
SELECT count(*) FROM mf_map();
-- an item of which nothing is known has no direction
UPDATE items SET factors = ARRAY[0, 0, 0, 0] WHERE id = 24;
SELECT version FROM mf_import('unknown', 'users', 'items');
SELECT count(*), max(id) FROM mf_map('unknown');

-- Features that set clusters apart.
CREATE TABLE bought AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 60) u, generate_series(1, 40) i
	WHERE u % 2 = i % 2 AND (u * 7 + i * 3) % 5 <> 0;
CREATE TABLE facts AS SELECT i AS item_id, CASE i % 2 WHEN 0 THEN 'Horror' ELSE 'Love <3' END AS genre, 1950 + 50 * (i % 2) + i % 3 AS year FROM generate_series(1, 40) i;
CREATE TABLE people AS SELECT u AS user_id, CASE u % 2 WHEN 0 THEN 'even' ELSE 'odd' END AS kind FROM generate_series(1, 60) u;
SELECT version FROM mf_train('bought', factors => 4, item_features => 'facts', user_features => 'people', feature_categories => '{genre,kind}');
SELECT size, features, (SELECT count(DISTINCT i % 2) FROM unnest(nearest) i) AS kinds FROM mf_cluster_labels('bought', 2) ORDER BY features;
SELECT size, features FROM mf_cluster_labels('bought', 2, 'users', k => 1) ORDER BY features;
DROP TABLE facts;
SELECT size, features FROM mf_cluster_labels('bought', 2);

-- Relations: arrays of both types, domains, views, a partitioned table, ids of any type.
CREATE TABLE docs (id int PRIMARY KEY, embedding real[]);
INSERT INTO docs SELECT i, ARRAY[10 + i % 4, 20 - i % 4, i % 2, 0.001 * i] FROM generate_series(1, 40) i;
SELECT cluster, count(*), count(DISTINCT id % 4) FROM mf_kmeans('docs', 'embedding', 4) GROUP BY 1 ORDER BY 1;
SELECT count(*), min(array_length(coordinates, 1)), bool_and(share > 0.5 AND share <= 1) FROM mf_pca('docs', 'embedding', 1);
CREATE DOMAIN vector_domain AS double precision[];
CREATE VIEW wide AS SELECT 'doc ' || id AS name, embedding::vector_domain FROM docs;
SELECT count(*) FROM mf_pca(NULL::text, 'wide', 'embedding', id_column => 'name') w JOIN mf_pca('docs', 'embedding') d
	ON w.id = 'doc ' || d.id AND abs(w.coordinates[1] - d.coordinates[1]) < 1e-5 AND abs(w.coordinates[2] - d.coordinates[2]) < 1e-5;
CREATE TABLE parts (id bigint, embedding real[]) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES FROM (0) TO (20);
CREATE TABLE part_2 PARTITION OF parts DEFAULT;
INSERT INTO parts SELECT * FROM docs;
SELECT count(*) FROM mf_kmeans('parts', 'embedding', 4) k JOIN mf_kmeans('docs', 'embedding', 4) d USING (id, cluster, distance, rank);
CREATE MATERIALIZED VIEW kept AS TABLE docs;
SELECT count(*) FROM mf_kmeans('kept', 'embedding', 2);
-- rows in another order, another seed
CREATE TABLE shuffled AS SELECT * FROM docs ORDER BY id % 7, id;
SELECT count(*) FROM mf_kmeans('shuffled', 'embedding', 3) k JOIN mf_kmeans('docs', 'embedding', 3) d USING (id, cluster, distance, rank);
SELECT count(*) FROM mf_kmeans('docs', 'embedding', 3, seed => -5);
-- few different rows make few clusters; one row; rows without any variance
CREATE TABLE same AS SELECT i AS id, ARRAY[1, i % 3]::real[] AS v FROM generate_series(1, 30) i;
SELECT cluster, count(*), max(distance) FROM mf_kmeans('same', 'v', 10) GROUP BY 1 ORDER BY 1;
SELECT id, cluster, distance, rank FROM mf_kmeans('same', 'v', 30) WHERE id <= 3 ORDER BY id;
DELETE FROM same WHERE id > 1;
SELECT * FROM mf_pca('same', 'v');
SELECT * FROM mf_kmeans('same', 'v', 1);
INSERT INTO same SELECT i, v FROM same, generate_series(2, 5) i;
SELECT * FROM mf_pca('same', 'v', 2) ORDER BY id LIMIT 2;
SELECT id, cluster, distance FROM mf_kmeans('same', 'v', 2) ORDER BY id;
-- very large and very small numbers
CREATE TABLE large AS SELECT i AS id, ARRAY[i % 2 * 3e38, 1e38]::real[] AS v FROM generate_series(1, 10) i;
SELECT cluster, count(*) FROM mf_kmeans('large', 'v', 2) GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM mf_pca('large', 'v') WHERE abs(abs(coordinates[1]) / 1.5e38 - 1) < 1e-5;
CREATE TABLE tiny AS SELECT i AS id, ARRAY[i % 2 * 3e-38, 0]::real[] AS v FROM generate_series(1, 10) i;
SELECT cluster, count(*) FROM mf_kmeans('tiny', 'v', 2) GROUP BY 1 ORDER BY 1;
-- 1536 numbers, as embeddings have
CREATE TABLE long AS SELECT i AS id, array_agg(sin(i * k)) AS v FROM generate_series(1, 12) i, generate_series(1, 1536) k GROUP BY i;
SELECT count(*) FROM mf_kmeans('long', 'v', 3);
-- a type of another extension, with a cast to real[], as pgvector's is
CREATE TYPE fake_vector;
CREATE FUNCTION fake_in(cstring) RETURNS fake_vector LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION fake_out(fake_vector) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE fake_vector (INPUT = fake_in, OUTPUT = fake_out, LIKE = text);
CREATE FUNCTION fake_floats(fake_vector) RETURNS real[] LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT translate($1::text, '[]', '{}')::real[] $$;
CREATE CAST (fake_vector AS real[]) WITH FUNCTION fake_floats(fake_vector);
CREATE TABLE vectors AS SELECT id, translate(embedding::text, '{}', '[]')::fake_vector AS embedding FROM docs;
SELECT count(*) FROM mf_kmeans('vectors', 'embedding', 4) k JOIN mf_kmeans('docs', 'embedding', 4) d USING (id, cluster, distance, rank);

-- Mistakes.
SELECT fails(c) FROM unnest(ARRAY[
	'SELECT * FROM mf_map(''kinds'', 5)',
	'SELECT * FROM mf_map(''kinds'', 0)',
	'SELECT * FROM mf_map(''kinds'', -1)',
	'SELECT * FROM mf_map(''kinds'', 99999999999)',
	'SELECT * FROM mf_map(''kinds'', of => ''movies'')',
	'SELECT * FROM mf_components(''kinds'', 5)',
	'SELECT * FROM mf_components(''kinds'', k => 0)',
	'SELECT * FROM mf_clusters(''kinds'', 25)',
	'SELECT * FROM mf_clusters(''kinds'', 31, ''users'')',
	'SELECT * FROM mf_clusters(''kinds'', 0)',
	'SELECT * FROM mf_clusters(''kinds'', 10001)',
	'SELECT * FROM mf_cluster_labels(''kinds'', 3, k => 1001)',
	'SELECT * FROM mf_kmeans(NULL, ''embedding'')',
	'SELECT * FROM mf_kmeans(''docs'', NULL)',
	'SELECT * FROM mf_kmeans(''docs'', ''nothing'')',
	'SELECT * FROM mf_kmeans(''docs'', ''id'')',
	'SELECT * FROM mf_kmeans(''docs'', ''embedding'', 41)',
	'SELECT * FROM mf_kmeans(''docs'', ''embedding'', id_column => ''nothing'')',
	'SELECT * FROM mf_pca(''docs'', ''embedding'', id_column => ''embedding'')',
	'SELECT * FROM mf_pca(''docs'', ''embedding'', 5)',
	'SELECT * FROM mf_pca(NULL::date, ''docs'', ''embedding'')',
	'SELECT * FROM mf_pca(0, ''embedding'')',
	'SELECT * FROM mf_pca(''docs_pkey'', ''embedding'')']) c;
CREATE TABLE bad (id text, v double precision[], t text);
CREATE FUNCTION try_rows(VARIADIC rows text[]) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE bad;
	FOR i IN 1 .. array_length(rows, 1) LOOP
		EXECUTE format('INSERT INTO bad VALUES (%s)', rows[i]);
	END LOOP;
	RETURN fails('SELECT * FROM mf_pca(NULL::text, ''bad'', ''v'', 1)');
END $$;
SELECT fails('SELECT * FROM mf_pca(NULL::text, ''bad'', ''v'')');
SELECT fails('SELECT * FROM mf_pca(NULL::text, ''bad'', ''t'')');
SELECT try_rows($$'a', '{1,2}'$$, $$'b', '{1,NaN}'$$);
SELECT try_rows($$'a', '{1,2}'$$, $$'b', '{Infinity,2}'$$);
SELECT try_rows($$'a', '{1,2}'$$, $$'b', '{1e39,2}'$$);
SELECT try_rows($$'a', '{1,2}'$$, $$'b', '{1,2,3}'$$);
SELECT try_rows($$'a', '{1,2}'$$, $$'b', NULL$$);
SELECT try_rows($$'a', '{1,2}'$$, $$'b', '{1,NULL}'$$);
SELECT try_rows($$'a', '{1,2}'$$, $$NULL, '{1,2}'$$);
SELECT try_rows($$'a', '{1,2}'$$, $$'a', '{2,2}'$$);
SELECT try_rows($$'a', '{{1,2}}'$$);
SELECT try_rows($$'a', '{}'$$);
SELECT try_rows($$'a', (SELECT array_agg(i) FROM generate_series(1, 2001) i)$$);
-- privileges, and row security
CREATE ROLE regress_map;
GRANT USAGE ON SCHEMA test_map TO regress_map;
SET ROLE regress_map;
SELECT fails('SELECT * FROM mf_map(''kinds'')');
SELECT fails('SELECT * FROM mf_clusters(''kinds'', 2, ''users'')');
SELECT fails('SELECT * FROM mf_pca(''docs'', ''embedding'')');
RESET ROLE;
GRANT SELECT (id, embedding), DELETE ON docs TO regress_map;
GRANT SELECT ON kinds_user_factors, kinds_item_factors TO regress_map;
ALTER TABLE docs ENABLE ROW LEVEL SECURITY;
ALTER TABLE kinds_item_factors ENABLE ROW LEVEL SECURITY;
ALTER TABLE kinds_user_factors ENABLE ROW LEVEL SECURITY;
SET ROLE regress_map;
SELECT fails('SELECT * FROM mf_pca(''docs'', ''embedding'')');
SELECT fails('SELECT * FROM mf_map(''kinds'', of => ''users'')');
RESET ROLE;
CREATE POLICY few ON docs USING (id <= 7);
CREATE POLICY few ON kinds_item_factors USING (item_id <= 7);
CREATE POLICY few ON kinds_user_factors USING (user_id <= 3);
SET ROLE regress_map;
SELECT count(*), max(id) FROM mf_pca('docs', 'embedding');
SELECT count(*), max(id) FROM mf_map('kinds');
SELECT count(*), max(id) FROM mf_clusters('kinds', 2, 'users');
RESET ROLE;
-- memory
SET mfrec.max_memory = '1MB';
CREATE TABLE many AS SELECT i AS id, array_fill(i::real, ARRAY[100]) AS v FROM generate_series(1, 5000) i;
SELECT fails('SELECT * FROM mf_pca(''many'', ''v'')');
RESET mfrec.max_memory;
SELECT fails('SELECT * FROM mf_map(''kinds'') AS x (a int)');

SET client_min_messages = error;
SELECT mf_drop(model) FROM mf_models WHERE serving AND user_table LIKE '%' AND schema = 'test_map';
DROP SCHEMA test_map CASCADE;
DROP ROLE regress_map;
