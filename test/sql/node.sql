-- Trainings on nodes of Citus: calls that no driver sends, in other orders and with other columns.  What a real cluster
-- does is in test/citus.
-- without Citus none of them does anything
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 2, 1::real);
SELECT mfrec.node_receive(1, '');
SELECT mfrec.node_run(1, 0, 'items', '');
SELECT mfrec.driver_send(1);
-- a node, as far as a catalog makes one
SET allow_system_table_mods = on;
CREATE TABLE pg_catalog.pg_dist_partition (logicalrelid regclass, partmethod "char", partkey text);
RESET allow_system_table_mods;
SELECT mfrec.driver_send(1);
SELECT mfrec.node_receive(1, '');
SELECT mfrec.node_run(1, 0, 'nonsense', '');
-- rows of other columns than those of the first call
BEGIN;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 'a'::text, 'b'::text, 1::real);
SELECT mfrec.node_take(1, 3, 0, 'x', '', 'a'::text, 'c'::text, 1::real);
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 2, 1::real);
ROLLBACK;
BEGIN;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 2, 1::numeric);
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 3, 1::real);
ROLLBACK;
BEGIN;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 2, 1::real);
SELECT mfrec.node_take(1, 0, 0, 'x', '', 1, 3);
ROLLBACK;
BEGIN;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 2, 1::real);
SELECT mfrec.node_take(1, 7, 0, 'x', '', 1, 3, 1::real, 1::real);
ROLLBACK;
-- kinds of events that nobody has weighed, or by what is no JSON
SELECT mfrec.node_take(1, 16, 0, 'x', '', 1, 2, 'view'::text);
SELECT mfrec.node_run(1, 0, 'open', convert_to(rpad('m', 64) || '{"view"', 'UTF8'));
SELECT mfrec.node_run(1, 0, 'open', convert_to(rpad('m', 64) || '{}', 'UTF8'));
SELECT mfrec.node_run(1, 0, 'open', convert_to(rpad('m', 64) || '{"vi', 'UTF8') || '\xff'::bytea);
BEGIN;
SELECT mfrec.node_run(1, 0, 'open', convert_to(rpad('m', 64) || '{"view": 2}', 'UTF8'));
SELECT mfrec.node_take(1, 16, 0, 'x', '', 1, 2, kind) FROM (VALUES ('view'::text), ('buy')) k (kind);
SELECT mfrec.node_take(1, 0, 0, 'x', '', 1, 2);
ROLLBACK;
-- times of rows that have none, and digits of times that are none
BEGIN;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 2, 1::real);
SELECT count(*) FROM mfrec.node_run(1, 0, 'items', '');
SELECT count(*) FROM mfrec.node_run(1, 0, 'times', repeat('\000', 16)::bytea);
ROLLBACK;
BEGIN;
SELECT mfrec.node_take(1, 11, 0, 'x', 'at', 1, u, 1::real, u) FROM generate_series(1, 3) u;
SELECT count(*) FROM mfrec.node_run(1, 0, 'items', '');
SELECT octet_length(chunk) FROM mfrec.node_run(1, 0, 'times', repeat('\000', 16)::bytea) AS chunk;
SELECT count(*) FROM mfrec.node_run(1, 0, 'times', (repeat('\000', 8) || '\007' || repeat('\000', 7))::bytea);
ROLLBACK;
-- a training is of the subtransaction that it began in
BEGIN;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 2, 1::real);
SAVEPOINT s;
SELECT count(*) FROM mfrec.node_run(1, 0, 'sort', repeat('\000', 72)::bytea);
ROLLBACK TO s;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 'a'::text, 'b'::text, 1::real);	-- another one
ROLLBACK TO s;
RELEASE s;
SELECT count(*) FROM mfrec.node_run(1, 0, 'items', '');	-- totals and an item
ROLLBACK;
-- rows that a cursor brings after the subtransaction of the first has ended, with the training
BEGIN;
DECLARE c CURSOR FOR SELECT mfrec.node_take(1, 3, 0, 'x', '', u, u, 1::real) FROM generate_series(1, 10) u;
SAVEPOINT s;
FETCH 2 FROM c;
ROLLBACK TO s;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 'a'::text, 'b'::text, 1::real);
FETCH 2 FROM c;
ROLLBACK;
\set SHOW_CONTEXT never
-- a problem that says of cells what they are not: of bytes, as another node would send them
CREATE FUNCTION pg_temp.little(v bytea) RETURNS bytea LANGUAGE sql AS
$$SELECT string_agg(substring(v, i, 1), '' ORDER BY i DESC) FROM generate_series(1, length(v)) i$$;
CREATE FUNCTION pg_temp.chunk(channel integer, data bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT pg_temp.little(int4send(7)) || int4send(0) || pg_temp.little(int4send(channel)) || int4send(0) || int8send(0)
		|| pg_temp.little(int8send(1)) || data
$$;
CREATE FUNCTION pg_temp.begin_with(problem bytea, step text DEFAULT 'served', argument bytea DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	packed bytea;
BEGIN
	PERFORM mfrec.node_take(1, 3, 0, 'x', '', u, 1, u::real) FROM generate_series(1, 5) u;
	PERFORM mfrec.node_run(1, 0, 'items', '');
	SELECT mfrec.packed_rows(n) INTO packed FROM (SELECT mfrec.pack_row(1) AS n OFFSET 0) r;
	PERFORM mfrec.node_receive(1, pg_temp.chunk(1, pg_temp.little(int4send((length(packed) + 4) * 4)) || packed));
	PERFORM mfrec.node_run(1, 0, 'sort', pg_temp.little(float8send('-Infinity')) || decode(repeat('00', 64), 'hex'));
	PERFORM mfrec.node_receive(1, pg_temp.chunk(2, pg_temp.little(int4send(5))));
	PERFORM mfrec.node_run(1, 0, 'begin', problem);
	PERFORM mfrec.node_run(1, 0, step, argument);
	PERFORM mfrec.node_run(1, 0, 'end', '');
	RETURN 'began';
END $$;
-- 352 bytes: ratings and interest (0, 1), factors (4), weights of cells (264: whether there are any, 280: dislikes)
CREATE TABLE problem AS SELECT set_byte(set_byte(set_byte(decode(repeat('00', 352), 'hex'), 0, 1), 1, 1), 4, 2) AS bytes;
SELECT pg_temp.begin_with(bytes) FROM problem;
SELECT v, pg_temp.begin_with(overlay(bytes PLACING pg_temp.little(float8send(v)) FROM 225)) FROM problem, unnest('{0.5, NaN, -1, 1e300, Infinity}'::float8[]) v;	-- users' spread
SELECT pg_temp.begin_with(set_byte(set_byte(bytes, 264, 1), 272, 5)) FROM problem;
SELECT pg_temp.begin_with(set_byte(bytes, 280, 5)) FROM problem;
SELECT pg_temp.begin_with(overlay(bytes PLACING pg_temp.little(float8send(1e9)) FROM 201)) FROM problem;	-- roots of a weight
-- a stored version of no shards and no factors, of fewer shards than none, and one that is cut off
SELECT pg_temp.begin_with(bytes, 'served', decode(repeat('00', 2000), 'hex')) FROM problem;
SELECT pg_temp.begin_with(bytes, 'served', decode(repeat('00', 8) || repeat('ff', 4) || repeat('00', 2000), 'hex')) FROM problem;
SELECT pg_temp.begin_with(bytes, 'served', decode(repeat('00', 140), 'hex')) FROM problem;
-- attributes of users whose places have not come, and of no features; a map without attributes
SELECT pg_temp.begin_with(bytes, 'profiles', pg_temp.little(int8send(3))) FROM problem;
SELECT pg_temp.begin_with(bytes, 'profiles', pg_temp.little(int8send(0))) FROM problem;
SELECT pg_temp.begin_with(bytes, 'users', set_byte(decode(repeat('00', 144), 'hex'), 1, 1)) FROM problem;
DROP TABLE problem;
-- rows of a table's shard: a step without its argument, of shards that are not there, of a column that is none
CREATE FUNCTION pg_temp.name(name text) RETURNS bytea LANGUAGE sql AS $$SELECT convert_to(name, 'UTF8') || decode(repeat('00', 64 - length(name)), 'hex')$$;
CREATE FUNCTION pg_temp.take(rel text, item text, shards integer DEFAULT 1, number integer DEFAULT 0) RETURNS SETOF bytea LANGUAGE sql AS $$
	SELECT mfrec.node_run(1, number, 'take', decode(repeat('00', 8), 'hex') || pg_temp.little(int4send(shards)) || '\x00'::bytea || pg_temp.name(current_schema)
		|| pg_temp.name(rel) || pg_temp.name('u') || pg_temp.name(item) || decode(repeat('00', 4 * 64 + 3), 'hex') || pg_temp.little(int8send(7)))
$$;
CREATE TABLE shard_7 AS SELECT u, u % 3 AS i, 'x' AS other FROM generate_series(1, 20) u;
SELECT mfrec.node_run(1, 0, 'take', '');
SELECT pg_temp.take('shards', 'i');
SELECT pg_temp.take('shard', 'k');
SELECT pg_temp.take('shard', '');
SELECT pg_temp.take('shard', 'i', 2);
SELECT pg_temp.take('shard', 'i', 1, 1);
BEGIN;
SELECT substring(take FROM 33) = pg_temp.little(int8send(20)) AS all_rows FROM pg_temp.take('shard', 'i') AS take;
SELECT count(*) FROM mfrec.node_run(1, 0, 'items', '');
ROLLBACK;
BEGIN;
SELECT count(*) FROM pg_temp.take('shard', 'i');
SELECT count(*) FROM pg_temp.take('shard', 'other');	-- another type
ROLLBACK;
DROP TABLE shard_7;
SET allow_system_table_mods = on;
DROP TABLE pg_catalog.pg_dist_partition;
RESET allow_system_table_mods;
SELECT mfrec.node_run(1, 0, 'items', '');	-- no node any more
