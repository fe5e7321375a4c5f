# Bad input: every function that the extension has, with every value of a list in every place, and with
# several of them at once.  What comes is an answer or an error of docs/reference.md, never an internal
# error, and the server goes on.
#
# The functions come from the catalog, so that none can be missed; a call is undone after it.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Calls with several bad values at once.
my $rounds = $ENV{MFREC_TEST_ALL} ? 20000 : 2000;

my ($root) = grep { -e "$_/README.md" } map { abs_path(dirname(__FILE__) . $_) } '/..', '/../..';
my ($table) = slurp_file("$root/docs/reference.md") =~ /^## Errors\n(.*?)(?=^## |\z)/ms;
my @documented = $table =~ /^\| `(\w{5})` \|/mg;
cmp_ok(scalar(@documented), '>', 20, 'the reference has a table of errors');

my $node = new_node('bad_input');
$node->append_conf('postgresql.conf', "fsync = off\nstatement_timeout = '10min'\n");
$node->reload;

# Models of every kind, relations of every kind.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, 1 + (u + i) % 5 AS rating, 1 AS weight
	FROM generate_series(1, 12) u, generate_series(1, 9) i WHERE (u * 7 + i * 3) % 4 <> 0;
CREATE INDEX ON ratings (user_id);
CREATE TABLE held_out AS SELECT u AS user_id, i AS item_id, 3 AS rating
	FROM generate_series(1, 12) u, generate_series(1, 9) i WHERE (u * 7 + i * 3) % 4 = 0;
CREATE TABLE uuids AS SELECT md5(user_id::text)::uuid AS user_id, 'item ' || item_id AS item_id FROM ratings;
CREATE INDEX ON uuids (user_id);
CREATE TABLE products AS SELECT i AS id, i % 3 AS seller FROM generate_series(1, 9) i;
CREATE TABLE attributes AS SELECT i AS item_id, i % 2 AS kind, 'word ' || i AS title FROM generate_series(1, 9) i;
SELECT mf_train('uuids', factors => 2, iterations => 2);
SELECT mf_train('ratings', 'alone', factors => 2, iterations => 2, interest_weight => 0);
SELECT mf_train('ratings', factors => 2, iterations => 2, item_features => 'attributes');
SELECT mf_retrain('ratings');
SELECT mf_set_default('ratings');
CREATE TABLE user_vectors AS SELECT user_id AS id, factors FROM ratings_user_factors WHERE version = 2;
CREATE TABLE item_vectors AS SELECT item_id AS id, factors FROM ratings_item_factors WHERE version = 2;
SELECT mf_import('imported', 'user_vectors', 'item_vectors');
CREATE TABLE shops AS SELECT user_id % 2 AS shop_id, * FROM ratings;
SELECT mf_train_each('shops', 'shop_id', factors => 2, iterations => 2);
CREATE TABLE absurd_attributes AS SELECT i AS item_id, 'NaN'::real AS number, ARRAY[NULL, 'Infinity']::real[] AS vector, '{"a": [[]]}'::jsonb AS j FROM generate_series(1, 9) i;
CREATE TABLE nothing (user_id int, item_id int, rating real);
CREATE TABLE no_columns ();
CREATE TABLE absurd AS SELECT * FROM (VALUES (1, 1, 'NaN'::real, 1), (2, 1, 'Infinity', 1), (NULL, NULL, NULL, 1), (3, 2, 3e38, -1))
	v (user_id, item_id, rating, weight);
CREATE TABLE absurd_vectors AS SELECT * FROM (VALUES (1, ARRAY['NaN', 1]::real[]), (2, ARRAY[[1, 2]]), (3, '{}'), (NULL, NULL)) v (id, factors);
CREATE TABLE columns_of_all_types (user_id jsonb, item_id point, rating text, weight bytea, id xid, factors text[]);
CREATE VIEW a_view AS SELECT * FROM ratings;
CREATE MATERIALIZED VIEW unfilled AS SELECT * FROM ratings WITH NO DATA;
CREATE TABLE parted (user_id int, item_id int, rating real) PARTITION BY LIST (user_id);
CREATE SEQUENCE a_sequence;
CREATE TYPE a_type AS (user_id int, item_id int);
CREATE TYPE an_enum AS ENUM ('a', 'b');
CREATE DOMAIN a_domain AS int CHECK (VALUE > 0);
SQL

# An argument that works, by its name and type, and the call of a function with all its arguments, those
# that are given replaced.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION good(function text, name text, type text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN function = 'mf_train_each' AND name = 'source' THEN '''shops''::regclass'
		WHEN function IN ('mf_train_each', 'mf_retrain_each') AND name = 'model' THEN '''shops'''
		WHEN function = 'mf_train_each' AND name = 'by' THEN '''shop_id'''
		WHEN name = 'tenant' THEN '''1''::text'
		WHEN name IN ('source', 'train') AND type = 'regclass' THEN '''ratings''::regclass'
		WHEN name = 'test' THEN '''held_out''::regclass'
		WHEN name = 'users' AND type = 'text[]' THEN '''{1}''::text[]'
		WHEN name = 'titles' THEN '''products''::regclass'
		WHEN name = 'title_column' THEN '''seller'''
		WHEN name = 'title_id_column' THEN '''id'''
		WHEN function = 'mf_relink' AND name IN ('users', 'items') THEN format('''ratings_%s_factors''::regclass', rtrim(name, 's'))
		WHEN name = 'users' THEN '''user_vectors''::regclass'
		WHEN name = 'items' AND type = 'regclass' THEN '''item_vectors''::regclass'
		WHEN name = 'item_features' THEN '''attributes''::regclass'
		WHEN name = 'feature_categories' THEN '''{kind}''::text[]'
		WHEN name = 'group_table' THEN '''products''::regclass'
		WHEN name = 'group_column' THEN '''seller'''
		WHEN name = 'boosts' THEN 'NULL::float8[]'
		WHEN name = 'boost_table' THEN '''products''::regclass'
		WHEN name = 'boost_column' THEN '''seller'''
		WHEN name IN ('id_column', 'group_id_column', 'boost_id_column') THEN '''id'''
		WHEN name = 'relation' THEN '''item_vectors''::regclass'
		WHEN name IN ('factors_column', 'vector_column') THEN '''factors'''
		WHEN name = 'groups' THEN 'NULL::int[]'
		WHEN name = 'model' THEN '''ratings'''
		WHEN name = 'metric' THEN '''rmse'''
		WHEN name = 'variants' THEN '''{"ratings": 1, "other": 1}'''
		WHEN name = 'experiment' THEN '''x'''
		WHEN name IN ('user_id', 'item_id') THEN CASE type WHEN 'text' THEN '''1''::text' ELSE '1' END
		WHEN name IN ('item_type', 'user_type', 'id_type') THEN '1'
		WHEN name IN ('candidates', 'exclude', 'items') THEN 'ARRAY[1, 2]'
		WHEN name = 'ratings' THEN 'ARRAY[1, 2]::real[]'
		WHEN name = 'feedback' THEN '''explicit'''
		WHEN name IN ('user_column', 'item_column') THEN format('%L', replace(name, 'column', 'id'))
		WHEN name IN ('rating_column', 'weight_column') THEN format('%L', replace(name, '_column', ''))
		WHEN name = 'schema' THEN '''public'''
		WHEN name IN ('bias_column', 'ratings_column') THEN 'NULL::text'
		WHEN function = 'mf_import' AND name = 'alpha' THEN 'NULL::float8'
		WHEN name = 'trend_weight' THEN '0'
		WHEN type = 'uuid' THEN 'gen_random_uuid()'
		WHEN type = 'boolean' THEN 'false'
		WHEN type = 'double precision' THEN '0.5'
		WHEN name = 'version' THEN '1'
		WHEN type IN ('integer', 'bigint', 'smallint') THEN '2'
		ELSE 'NULL::' || type END
$$;
-- bad: value by place
CREATE FUNCTION call(f oid, bad jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT p.proname || '(' || coalesce(string_agg(CASE WHEN a.name IS NULL THEN '' ELSE format('%I => ', a.name) END ||
		coalesce(bad->>a.number::text, good(p.proname, a.name, format_type(a.type, NULL))), ', ' ORDER BY a.number), '') || ')'
	FROM pg_proc p LEFT JOIN unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs]) WITH ORDINALITY a (type, name, number)
		ON a.number <= p.pronargs
	WHERE p.oid = f GROUP BY p.proname
$$;
-- The SQLSTATE with which a call ends; what it did is undone.
CREATE FUNCTION state_of(call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text;
BEGIN
	EXECUTE 'SELECT count(*) FROM ' || call;
	RAISE EXCEPTION USING ERRCODE = 'ZZ000';
EXCEPTION WHEN OTHERS THEN
	RETURN CASE SQLSTATE WHEN 'ZZ000' THEN '00000' ELSE SQLSTATE || ' ' || SQLERRM END;
END $$;
CREATE VIEW functions AS SELECT p.oid AS f, p.pronargs FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass
	JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	WHERE e.extname = 'mfrec' AND p.pronamespace <> 'mfrec'::regnamespace; -- parts of a report are not for calling
CREATE TABLE bad (id int GENERATED ALWAYS AS IDENTITY, value text);
CREATE TABLE called (id bigint GENERATED ALWAYS AS IDENTITY, f oid, n int, value text, call text, state text);
SQL

# The values; whatever is wrong for a type is said by PostgreSQL's parser.
my @bad = (
	'NULL',
	map({ "NULL::$_" } qw(int text int[] regclass uuid real[] boolean record numeric)),
	qw(0 -1 1 3 1000 1001 32768 2147483647 (-2147483648)::int 9223372036854775807 (-9223372036854775808)::bigint),
	qw(true 1.5 1e400 0.0::float8 (-0.0)::float8 1e-320::float8 1e308::float8 -1e308::float8 3e38::real),
	map({ ("'$_'::float8", "'$_'::real", "'$_'::numeric") } qw(NaN Infinity -Infinity)),
	"''", "' '", "'nothing'", "'x'::text", q('a"b'), q($$'; DROP TABLE ratings; --$$), q(E'\n\\\\\x01'), "repeat('x', 63)", "repeat('x', 64)",
	"repeat(chr(233), 500000)", "repeat('{', 100)", "'uuids'", "'alone'", "'imported'", "'implicit'", "'shops'", "'shops/1'", "'ndcg'", "'rating'", "'ctid'", "'factors'", "'pg_catalog'", "'pg_temp'",
	"'x'::name", "'x'::varchar", "'x'::char(3)", "'1'::\"char\"",
	map({ "'$_'::regclass" } qw(pg_class ratings_user_id_idx a_sequence a_view unfilled parted a_type nothing no_columns absurd absurd_vectors absurd_attributes
		columns_of_all_types mf_models mfrec.model pg_toast.pg_toast_1255 uuids user_vectors ratings_item_factors)),
	'0::oid::regclass', '4294967295::oid::regclass', "'nowhere'::regclass",
	"'{}'::int[]", 'ARRAY[NULL]::int[]', 'ARRAY[1, NULL, 2]', "'{{1,2},{3,4}}'::int[]", "'{{{1}}}'::int[]", "'[5:6]={1,2}'::int[]", "'[-2147483648:-2147483647]={1,2}'::int[]",
	'ARRAY[1, 1, 1]', 'ARRAY[-1, 2147483647]', 'ARRAY[9223372036854775807]', 'array_fill(1, ARRAY[1000000])', 'array_fill(1.5::real, ARRAY[1000, 1000])',
	"'{}'::real[]", "ARRAY['NaN', 1]::real[]", "ARRAY['Infinity', '-Infinity']::real[]", "ARRAY[NULL, 1]::real[]", "'{{1,2}}'::real[]", 'ARRAY[3e38, -3e38]::real[]',
	"ARRAY['NaN', 'Infinity']::float8[]", 'ARRAY[1.5, 1e300]::numeric[]', "ARRAY['a', '1']", "ARRAY['item 1', NULL]", 'ARRAY[gen_random_uuid()]', 'ARRAY[ROW(1, 2)]',
	'ARRAY[now()]', "ARRAY['{}'::jsonb]", 'ARRAY[1, 2]::smallint[]', "'1 2'::int2vector", "'1 2'::oidvector", "array_fill(repeat('x', 1000), ARRAY[1000])",
	"md5('1')::uuid", "'00000000-0000-0000-0000-000000000000'::uuid", 'ROW(1, 2)', 'ROW()', "ROW(1, 2)::a_type", "'a'::an_enum", '5::a_domain', 'NULL::a_domain', 'ARRAY[5]::a_domain[]',
	"'{\"a\": 1}'::jsonb", "'[]'::json", "'\\x00ff'::bytea", "now()", "'1 day'::interval", "'infinity'::timestamptz", "'(1,2)'::point", "'[1,3)'::int4range", "'{[1,3)}'::int4multirange",
	"'1'::bit", "'1'::xid", "'0/0'::pg_lsn", "'1.2.3.4'::inet", "1::money", "1::oid", "1::smallint", "'int4'::regtype", "'a'::tsvector", "'(0,1)'::tid", "pg_current_snapshot()");
$node->safe_psql('postgres', 'INSERT INTO bad (value) VALUES ' . join(', ', map { '($bad$' . $_ . '$bad$)' } @bad));

# Without a bad value each works: else the calls below would end before they reach it.  mf_citus() needs Citus.
is($node->safe_psql('postgres', <<'SQL'), '', 'the call of each function with good arguments works');
SELECT f::regprocedure || ': ' || state FROM (SELECT f, state_of(call(f, '{}')) AS state FROM functions) s
WHERE state <> '00000' AND f NOT IN ('mf_serve_support'::regproc, 'mf_citus'::regproc);
SQL
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM functions'), '>=', 48, 'all functions are called');

# One bad value at a time, all arguments null, several at once.
my $start = -s $node->logfile;
$node->safe_psql('postgres', <<'SQL');
INSERT INTO called (f, n, value, call, state) SELECT f, n, value, c, state_of(c)
	FROM (SELECT f, n, b.value, call(f, jsonb_build_object(n, b.value)) AS c
		FROM functions, generate_series(1, pronargs) n, bad b ORDER BY f, n, b.id) s;
INSERT INTO called (call, state) SELECT c, state_of(c)
	FROM (SELECT call(f, jsonb_object_agg(n, 'NULL')) AS c FROM functions, generate_series(1, pronargs) n GROUP BY f ORDER BY f) s;
SQL
$node->safe_psql('postgres', <<"SQL");
SELECT setseed(0.5);
-- values that get past the parser
CREATE TABLE fitting AS SELECT f, n, value FROM called WHERE n IS NOT NULL AND left(state, 5) NOT IN ('42883', '42725', '22P02');
CREATE TABLE rounds AS SELECT r, (SELECT f FROM functions WHERE r > 0 ORDER BY random() LIMIT 1) AS f FROM generate_series(1, $rounds) r;
INSERT INTO called (call, state) SELECT c, state_of(c)
	FROM (SELECT call(r.f, coalesce(jsonb_object_agg(x.n, x.value) FILTER (WHERE x.n IS NOT NULL), '{}')) AS c
		FROM rounds r LEFT JOIN LATERAL (SELECT DISTINCT ON (n) n, value FROM fitting WHERE fitting.f = r.f ORDER BY n, random()) x
			ON random() < 0.4 GROUP BY r.r, r.f ORDER BY r.r) s;
SQL

# The parser's own errors: no such function with these types, not the only one, no such cast, a literal
# that the type does not take, a name that no relation can have.
my @parser = qw(42883 42725 42846 22P02 42602);
my $allowed = join(', ', map { "'$_'" } '00000', @documented, @parser);
is($node->safe_psql('postgres', "SELECT call, state FROM called WHERE left(state, 5) NOT IN ($allowed) ORDER BY id LIMIT 40"), '', 'no error that is not documented');
unlike(slurp_file($node->logfile, $start), qr/PANIC|was terminated by signal|server process .* exited/, 'no process died');
my $counts = $node->safe_psql('postgres', q{SELECT string_agg(state || ' ' || n, ', ' ORDER BY n DESC) FROM (SELECT left(state, 5) AS state, count(*) AS n FROM called GROUP BY 1) s});
note($counts);
cmp_ok($node->safe_psql('postgres', "SELECT count(DISTINCT left(state, 5)) FROM called"), '>', 12, 'errors of many kinds were seen');
cmp_ok($node->safe_psql('postgres', "SELECT count(*) FROM called WHERE left(state, 5) NOT IN ('42883', '42725')"), '>', 2000, 'most of the calls reach the library');
is($node->safe_psql('postgres', "SELECT count(*) FROM mf_models; SELECT count(*) > 0 FROM mf_recommend(1)"), "7\nt", 'and nothing is changed');
$node->stop;
done_testing();
