-- Trainings on nodes of Citus: calls that no driver sends, in other orders and with other columns.  What a real cluster
-- does is in test/citus.
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
-- a training is of the subtransaction that it began in
BEGIN;
SELECT mfrec.node_take(1, 3, 0, 'x', '', 1, 2, 1::real);
SAVEPOINT s;
SELECT count(*) FROM mfrec.node_run(1, 0, 'sort', repeat('\000', 8)::bytea);
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
