-- Attributes of items: what columns are taken as, what is refused.  What the cells are: test/t/024_features.pl.
CREATE SCHEMA test_features;
SET search_path = test_features, public;
\set SHOW_CONTEXT never
SET mfrec.text_search_config = 'pg_catalog.english';

CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, 1 + (u * 7 + i * 3 + u * i) % 5 AS rating
	FROM generate_series(1, 20) u, generate_series(1, 24) i WHERE (u * 5 + i * 3) % 4 <> 0;
CREATE FUNCTION train(features regclass, categories text[] DEFAULT NULL, source regclass DEFAULT 'ratings') RETURNS text LANGUAGE sql
	AS $$ SELECT model || ' ' || items FROM mf_train(source, 'm', factors => 1, iterations => 1, item_features => features, feature_categories => categories) $$;

-- every type
CREATE TYPE mood AS ENUM ('sad', 'fine', 'happy');
CREATE DOMAIN year_type AS smallint;
CREATE DOMAIN tag_list AS text[];
CREATE TYPE vector;
SET client_min_messages = warning;	-- it is only a shell, which newer majors say at greater length
CREATE FUNCTION vector_in(cstring) RETURNS vector LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION vector_out(vector) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE vector (INPUT = vector_in, OUTPUT = vector_out);
RESET client_min_messages;
CREATE CAST (vector AS real[]) WITH INOUT;
CREATE TABLE items (gone int, item_id int, title text, kind varchar(10), letter char(3), nick name, genres text[], tags tag_list, moods mood[], mood mood, adult boolean,
	info jsonb, more json, words tsvector, year year_type, price numeric(8, 2), size bigint, weight real, exact double precision,
	released date, at timestamp, seen timestamptz, opens time, closes timetz, lasts interval, narrow real[], wide double precision[], like_pgvector vector,
	seller_id int, related int[], code uuid, net inet, nothing text, same int, rare text[], twice integer GENERATED ALWAYS AS (item_id * 2) STORED);
ALTER TABLE items DROP COLUMN gone;
INSERT INTO items SELECT i, 'The running fox ' || i || CASE WHEN i % 2 = 0 THEN ' ran over the lazy dogs' ELSE ' and a lazy cat' END,
	(ARRAY['short', 'long', 'serial'])[1 + i % 3], chr(97 + i % 2), 'nick' || i % 4, ARRAY['g' || i % 4, 'g' || i % 3], ARRAY['t' || i % 5, NULL, ''], ARRAY['sad', 'fine']::mood[] || (CASE WHEN i % 2 = 0 THEN 'happy' END)::mood,
	(ARRAY['sad', 'fine', 'happy'])[1 + i % 3]::mood, i % 2 = 0,
	jsonb_build_object('size', i % 3, 'deep', jsonb_build_object('list', ARRAY['p', 'q' || i % 2]), 'null', null, 'prose', repeat('x', 200), 'yes', i % 2 = 0, 'number', 1.50 * (i % 2)),
	to_json(ARRAY['e' || i % 2]), to_tsvector('simple', 'w' || i % 2 || ' common'), 1990 + i, i * 1.5, 10000000000 + i, i / 7.0, i / 3.0,
	date '2020-01-01' + i, timestamp '2020-01-01' + i * interval '1 hour', timestamptz '2020-01-01 00:00Z' + i * interval '1 day', time '10:00' + i * interval '1 minute',
	timetz '10:00Z' + i * interval '1 minute', i * interval '1 day', ARRAY[i, 1, 0], ARRAY[1, i % 3], ('{1,' || i || '}')::vector,
	i % 4, ARRAY[i % 3, 7], md5((i % 3)::text)::uuid, ('10.0.0.' || i % 2)::inet, NULL, 5, ARRAY['only' || i]
FROM generate_series(1, 30) i;
SELECT train('items', '{seller_id,related,code,net}');
-- mf_retrain takes them from the model
SELECT version FROM mf_retrain('m');
SELECT parameters->'item_features_schema' AS schema, parameters->'item_features' AS name, parameters->'feature_categories' AS categories FROM mfrec.model WHERE name = 'm';
SELECT items FROM mf_train('ratings', 'm', factors => 1, iterations => 1);
SELECT parameters ? 'item_features' AS has FROM mfrec.model WHERE name = 'm';

-- text: words by the configuration, categories where values recur, and always where they are listed
CREATE VIEW texts AS SELECT item_id, title, title AS again, CASE WHEN item_id <= 24 THEN 'v' || item_id / 2 END AS half, 'v' || item_id / 3 AS third FROM items;
SELECT train('texts', '{again}');
SELECT train('texts', '{third,title}');
SET mfrec.text_search_config = 'simple';
SELECT train('texts');
SET mfrec.text_search_config = '';
SET default_text_search_config = 'german';
SELECT train('texts');
RESET default_text_search_config;
SET mfrec.text_search_config = 'klingon';
SELECT train('texts');
SET mfrec.text_search_config = 'no.such.thing';
SELECT train('texts');
SET mfrec.text_search_config = 'a,,b';
SELECT train('texts');
SET mfrec.text_search_config = 'english';

-- five languages, empty strings, blanks, 1 MB
CREATE TABLE long (id int PRIMARY KEY, text text);
INSERT INTO long SELECT i, (ARRAY['Der Hund läuft über die Straße', 'Le chien traverse la rue été', 'Собака бежит через дорогу', '犬 が 道 を 渡る', 'الكلب يعبر الطريق'])[1 + i % 5] || ' ' || i
	FROM generate_series(1, 20) i;
INSERT INTO long VALUES (21, ''), (22, '   '), (23, NULL);
SELECT train('long');
INSERT INTO long SELECT 24, (SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 32000) i);
SELECT octet_length(text) FROM long WHERE id = 24;
SELECT train('long');
UPDATE long SET text = repeat('x', 1000000) WHERE id > 21;
SET client_min_messages = warning;
SELECT train('long');
RESET client_min_messages;
-- as categories they are known by their beginning
SELECT train('long', '{text}');
UPDATE long SET text = repeat('é', 1000000) || id % 2;
SELECT train('long', '{text}');
DROP TABLE long;

-- nulls, missing rows, cold items, null keys, names that need quotes
CREATE SCHEMA "my Schema";
CREATE TABLE "my Schema"."The Items" ("Item id" int, "a ""quoted"" column" text[], "select" int);
INSERT INTO "my Schema"."The Items" SELECT i, CASE WHEN i % 3 > 0 THEN ARRAY['x' || i % 2] END, nullif(i, 7) FROM generate_series(5, 40) i;
INSERT INTO "my Schema"."The Items" VALUES (NULL, '{y}', 1), (NULL, NULL, NULL);
SELECT train('"my Schema"."The Items"');
CREATE VIEW "my Schema"."The View" AS SELECT "Item id" AS item_id, "a ""quoted"" column", "select" FROM "my Schema"."The Items";
SELECT train('"my Schema"."The View"', '{select}');
CREATE MATERIALIZED VIEW matview AS SELECT item_id, genres FROM items;
SELECT train('matview');
CREATE TABLE parted (item_id bigint PRIMARY KEY, genre text) PARTITION BY RANGE (item_id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
INSERT INTO parted SELECT item_id, 'g' || item_id % 2 FROM items;
SELECT train('parted');
CREATE TEMP TABLE passing AS SELECT item_id, genres FROM items;
SELECT train('passing');
SELECT version > 0 AS retrained FROM mf_retrain('m');
DROP TABLE passing;
SELECT version > 0 AS retrained FROM mf_retrain('m');
-- the order of rows is nothing
CREATE TABLE twisted AS SELECT * FROM matview ORDER BY md5(item_id::text);
SELECT train('twisted');
ALTER TABLE twisted RENAME TO turned;
SELECT version > 0 AS retrained FROM mf_retrain('m');
ALTER TABLE turned RENAME TO twisted;
SELECT train('twisted');
-- 1600 columns
DO $$ BEGIN EXECUTE format('CREATE TABLE broad (item_id int, %s)', (SELECT string_agg('c' || c || ' text', ', ') FROM generate_series(1, 1599) c)); END $$;
INSERT INTO broad (item_id, c1, c1599) SELECT i, 'a' || i % 2, 'b' || i % 3 FROM generate_series(1, 24) i;
SET client_min_messages = warning;
SELECT train('broad');
RESET client_min_messages;
DROP TABLE broad;

-- ids of text, uuid, integers of any width, domains
CREATE TABLE by_text AS SELECT user_id, 'item ' || item_id AS item_id, rating FROM ratings;
CREATE TABLE text_items AS SELECT ('item ' || item_id)::varchar(20) AS item_id, genres FROM items;
SELECT mf_drop('m');
SELECT train('text_items', NULL, 'by_text');
CREATE TABLE by_uuid AS SELECT user_id, md5(item_id::text)::uuid AS item_id, rating FROM ratings;
CREATE TABLE uuid_items AS SELECT md5(item_id::text)::uuid AS item_id, genres FROM items;
SELECT mf_drop('m');
SELECT train('uuid_items', NULL, 'by_uuid');
SELECT mf_drop('m');
CREATE DOMAIN small_id AS smallint;
CREATE TABLE small_items (id small_id PRIMARY KEY, genres text[]);
INSERT INTO small_items SELECT item_id, genres FROM items;
SELECT train('small_items');
SELECT train('text_items');
SELECT train('uuid_items');

-- the relation
CREATE SEQUENCE counter;
CREATE INDEX items_index ON items (year);
SELECT train('counter');
SELECT train('items_index');
CREATE TABLE no_key (a int, b text);
SELECT train('no_key');
CREATE TABLE two_keys (a int, b text, PRIMARY KEY (a, b));
SELECT train('two_keys');
CREATE VIEW no_key_view AS SELECT item_id AS id, title FROM items;
SELECT train('no_key_view');
CREATE TABLE only_key (item_id int);
SELECT train('only_key');
CREATE TABLE nowhere AS SELECT item_id + 1000 AS item_id, year, genres FROM items;
SELECT train('nowhere');
TRUNCATE nowhere;
SELECT train('nowhere');
CREATE TABLE useless AS SELECT item_id, md5(item_id::text) AS digest, 3 AS three, NULL::text AS none, ARRAY['a'] AS always, true AS yes, ARRAY[]::text[] AS empty, '{}'::real[] AS v, '{}'::jsonb AS j FROM items;
SELECT train('useless');

-- columns
SELECT train('items', '{seller_id,no_such}');
SELECT train('items', '{item_id}');
SELECT train('items', ARRAY['seller_id', NULL]);
SELECT train(NULL, '{seller_id}');
SELECT train(NULL, '{}');
SELECT train('items', '{seller_id}');
\set VERBOSITY terse
SELECT format('CREATE VIEW odd_%s AS SELECT item_id, NULL::%s AS c FROM items', n, type)
FROM unnest(ARRAY['bytea', 'point', 'xml', 'int4range', 'uuid', 'integer[]', 'bytea[]', 'inet', 'money', 'numeric[]', 'bit(3)', 'items', 'tsquery', 'oid', 'date[]']) WITH ORDINALITY t (type, n) \gexec
SELECT format('SELECT train(%L)', 'odd_' || n) FROM generate_series(1, 15) n \gexec
\set VERBOSITY default

-- values
CREATE TABLE bad (item_id int, n double precision, d date, t timestamptz, x numeric, v real[], w double precision[]);
CREATE FUNCTION bad(item int, n double precision DEFAULT 1, d date DEFAULT '2020-01-01', t timestamptz DEFAULT '2020-01-01', x numeric DEFAULT 1, v real[] DEFAULT '{1,2}', w double precision[] DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	TRUNCATE test_features.bad;
	INSERT INTO test_features.bad SELECT i, i, date '2020-01-01' + i, timestamptz '2020-01-01' + i * interval '1 day', i, ARRAY[i, 2] FROM generate_series(1, 10) i;
	INSERT INTO test_features.bad VALUES ($1, $2, $3, $4, $5, $6, $7);
	RETURN test_features.train('test_features.bad');
END $$;
SELECT bad(11);
SELECT bad(11, n => 'NaN');
SELECT bad(11, n => '-Infinity');
SELECT bad(11, n => 1e300);
SELECT bad(11, x => 'NaN');
SELECT bad(11, x => 'Infinity');
SELECT bad(11, d => 'infinity');
SELECT bad(11, t => '-infinity');
SELECT bad(11, v => '{1,NaN}');
SELECT bad(11, v => '{1,Infinity}');
SELECT bad(11, v => '{1,NULL}');
SELECT bad(11, v => '{1,2,3}');
SELECT bad(11, v => '{{1,2},{3,4}}');
SELECT bad(11, w => '{1,1e300}');
SELECT bad(11, w => array_fill(1::double precision, ARRAY[16001]));
SELECT bad(11, v => '{0,0}');
SELECT bad(11, v => NULL);
SELECT bad(11, v => '{}');
SELECT bad(7);
SELECT count(*) FROM mf_models WHERE model = 'm' AND serving;

-- memory that the words of all rows take
CREATE TABLE wordy AS SELECT i AS item_id, (SELECT array_agg(md5((i * 10000 + j)::text)) FROM generate_series(1, 3000) j) AS tags FROM generate_series(1, 24) i;
SET mfrec.max_memory = '2MB';
DO $$
BEGIN
	PERFORM test_features.train('test_features.wordy');
EXCEPTION WHEN configuration_limit_exceeded THEN
	RAISE NOTICE '%', regexp_replace(SQLERRM, '\d+', 'N');
END $$;
RESET mfrec.max_memory;
-- more words than are kept
CREATE TABLE many AS SELECT i AS item_id, (SELECT array_agg(CASE WHEN i <= 3 OR (i <= 8 AND j % 3 = 0) OR j = 1 THEN 'w' || j END) FROM generate_series(1, 150000) j) AS tags FROM generate_series(1, 9) i;
SELECT train('many');
DROP TABLE many, wordy;

-- privileges and row security
CREATE ROLE regress_features;
GRANT USAGE, CREATE ON SCHEMA test_features TO regress_features;
GRANT SELECT ON ratings TO regress_features;
CREATE TABLE guarded AS SELECT item_id, genres, year FROM items;
SET ROLE regress_features;
SELECT model FROM mf_train('ratings', 'theirs', factors => 1, iterations => 1, item_features => 'guarded');
RESET ROLE;
GRANT SELECT (item_id, genres) ON guarded TO regress_features;
SET ROLE regress_features;
SELECT model FROM mf_train('ratings', 'theirs', factors => 1, iterations => 1, item_features => 'guarded');
RESET ROLE;
GRANT SELECT ON guarded TO regress_features;
ALTER TABLE guarded ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON guarded USING (item_id <= 12);
SET ROLE regress_features;
SELECT model FROM mf_train('ratings', 'theirs', factors => 1, iterations => 1, item_features => 'guarded');
RESET ROLE;
DROP POLICY few ON guarded;
SET ROLE regress_features;
SELECT model FROM mf_train('ratings', 'theirs', factors => 1, iterations => 1, item_features => 'guarded');
RESET ROLE;
-- the owner's view shows all
CREATE VIEW shown AS SELECT * FROM guarded;
GRANT SELECT ON shown TO regress_features;
SET ROLE regress_features;
SELECT model FROM mf_train('ratings', 'theirs', factors => 1, iterations => 1, item_features => 'shown');
SELECT mf_drop('theirs');
RESET ROLE;

SELECT mf_drop('m');
DROP OWNED BY regress_features;
DROP ROLE regress_features;
SET client_min_messages = warning;
DROP SCHEMA test_features, "my Schema" CASCADE;
