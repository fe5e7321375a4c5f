# The ends of things: locks and time that run out, few files, thousands of models, models of ten items and
# of millions, ids at the ends of their types, values that are large.
#
# MFREC_TEST_ALL makes the large ones large.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $all = $ENV{MFREC_TEST_ALL};
my $node = new_node('limits');
my $folder = $node->data_dir . '/base/pgsql_tmp';

sub answer
{
	my ($sql) = @_;
	return output_or_error($node, $sql);
}

# How many files of images there are.
sub images
{
	my @files = glob("$folder/pgsql_tmp_mfrec.*.*-*");
	return scalar @files;
}

answer(<<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, i AS item_id, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END AS rating
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
CREATE INDEX ON ratings (user_id);
SELECT mf_train('ratings', 'm', factors => 4);
SQL
my $list = "SELECT string_agg(item_id::text, ',' ORDER BY rank) FROM mf_recommend(7, 10, 'm', fresh => false, exclude_seen => false)";
my $served = answer($list);
like($served, qr/^\d+(,\d+){9}$/, 'a list');

# ---- waits that end: for another training, and by sessions that do nothing
my $holder = open_session($node);
ask($holder, "BEGIN; SELECT version FROM mf_retrain('m')");
for my $call ("mf_retrain('m')", "mf_train('ratings', 'm')", "mf_forget(1, 'm')", "mf_rollback('m', 1)", "mf_refresh('m')", "mf_drop('m')")
{
	like(answer("SET lock_timeout = '50ms'; SELECT $call"), qr/^55P03: canceling statement due to lock timeout/, "$call does not wait for ever");
}
is(answer("SET lock_timeout = '50ms'; $list"), $served, 'lists do not wait at all');
is(answer("SET lock_timeout = '50ms'; SELECT count(*) FROM mf_models; SELECT version FROM mf_train('ratings', 'other', factors => 2)"), "1\n1", 'nor do other models');
ask($holder, 'COMMIT');
$served = answer($list);
close_session($holder);
answer("SELECT mf_drop('other')");

my $before = answer(fingerprint_sql('m'));
for my $end ([ 'idle_in_transaction_session_timeout', "BEGIN; SELECT mf_retrain('m');", '25P03' ], [ 'idle_session_timeout', "BEGIN; SELECT mf_retrain('m'); ROLLBACK;", '57P05' ])
{
	my ($setting, $sql, $state) = @$end;
	my $idle = open_session($node);
	my $logged = -s $node->logfile;
	$idle->{in} .= "SELECT 'pid ' || pg_backend_pid();\n$sql\nSET $setting = '200ms';\n";
	$idle->{handle}->pump until $idle->{out} =~ /pid (\d+)/;
	my ($pid) = $idle->{out} =~ /pid (\d+)/;
	ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), "$setting ends a session");
	like(slurp_file($node->logfile, $logged), qr/FATAL:  terminating connection due to idle/, 'by its timeout');
	$idle->{handle}->kill_kill;
	is(answer(fingerprint_sql('m')), $before, 'its version is gone');
	is(answer($list), $served, 'the old one serves');
	is(temporary_files($node), '', 'no file is left');
	is(images(), 1, 'nor an image');
}

# ---- ids at the ends of their types, in every function
for my $type ([ 'smallint', -32768, 32767 ], [ 'integer', -2147483648, 2147483647 ], [ 'bigint', '-9223372036854775808', '9223372036854775807' ])
{
	my ($name, $min, $max) = @$type;
	answer(<<"SQL");
DROP TABLE IF EXISTS ends;
CREATE TABLE ends (user_id $name, item_id $name, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ends SELECT u, i, CASE WHEN (row_number() OVER ()) % 2 = 0 THEN 5 ELSE 1 END
	FROM unnest(ARRAY['$min', '-1', '0', '1', '$max']::${name}[]) u, unnest(ARRAY['$min', '-1', '0', '1', '$max']::${name}[]) i WHERE u <> i;
SELECT mf_train('ends', factors => 2);
SQL
	my $ends = join(',', $min, -1, 0, 1, $max);
	my $ids = "string_agg(user_id::text, ',' ORDER BY user_id)";
	is(answer("SELECT $ids FROM ends_user_factors"), $ends, "$name: users are stored");
	is(answer("SELECT string_agg(item_id::text, ',' ORDER BY item_id) FROM mf_recommend('$min'::$name, 10, 'ends', exclude_seen => false)"), $ends, "$name: all items are recommended");
	is(answer("SELECT string_agg(item_id::text || reason, ',') FROM mf_recommend('$max'::$name, 10, 'ends', fresh => true)"), "${max}model", "$name: but for those that a user has");
	is(answer("SELECT string_agg(item_id::text, ',') FROM mf_recommend('$max'::$name, 10, 'ends', candidates => ARRAY['$min', '$max']::${name}[], exclude => ARRAY['$min']::${name}[], exclude_seen => false)"), $max, "$name: candidates and exclusions");
	is(answer("SELECT count(*) FROM mf_recommend('$min', 3, 'ends', exclude_seen => false) WHERE reason = 'model'"), '3', "$name: a quoted literal");
	is(answer("SELECT string_agg(id::text, ',' ORDER BY id) FROM mf_similar_items('$min'::$name, 10, 'ends')"), join(',', -1, 0, 1, $max), "$name: similar items");
	is(answer("SELECT string_agg(id::text, ',' ORDER BY id) FROM mf_similar_users('$max'::$name, 10, 'ends')"), join(',', $min, -1, 0, 1), "$name: similar users");
	is(answer("SELECT count(DISTINCT user_id) || ' ' || min(user_id) || ' ' || max(item_id) FROM mf_recommend_all(10, 'ends', exclude_seen => false)"), "5 $min $max", "$name: lists for all");
	is(answer("SELECT mf_predict('$min'::$name, '$max'::$name, 'ends') IS NOT NULL"), 't', "$name: a prediction");
	is(answer("SELECT mf_forget('$min'::$name, 'ends') || ' ' || mf_forget('$max'::$name, 'ends'); SELECT $ids FROM ends_user_factors"), "1 1\n-1,0,1", "$name: forgotten");
	is(answer("SELECT reason FROM mf_recommend(9223372036854775807, 1, 'ends', fresh => false)"), 'popular', "$name: beyond the end there is nobody, not somebody else") if $name ne 'bigint';
	is(answer("SELECT count(*) FROM mf_recommend(0, 9, 'ends', candidates => ARRAY[9223372036854775807, -9223372036854775808], fresh => false)"), '0', "$name: nor such an item") if $name ne 'bigint';
	answer("SELECT mf_drop('ends')");
}

# ---- ids of a kilobyte, and of more than an index takes
answer(<<'SQL');
CREATE FUNCTION long_id(n int, bytes int) RETURNS text LANGUAGE sql IMMUTABLE AS $$
	SELECT left(string_agg(md5(n || ' ' || i), '' ORDER BY i), bytes) FROM generate_series(1, bytes / 32 + 1) i $$;
CREATE TABLE long AS SELECT long_id(user_id, 1024) AS user_id, long_id(-item_id, 2000) AS item_id, rating FROM ratings;
CREATE INDEX ON long (user_id);
SQL
is(answer("SELECT users || ' ' || items FROM mf_train('long', factors => 4)"), '20 20', 'ids of 1 and 2 kB');
is(answer("SELECT count(DISTINCT item_id) || ' ' || min(length(item_id)) || ' ' || min(reason) FROM mf_recommend(long_id(7, 1024), 30, item_type => NULL::text, model => 'long')"),
	answer("SELECT count(*) || ' 2000 model' FROM mf_recommend(7, 30, 'm')"), 'a list');
is(answer("SELECT count(*) FROM mf_recommend(long_id(7, 1023), 3, item_type => NULL::text, model => 'long') WHERE reason = 'popular'"), '3', 'a byte less is another user');
is(answer("SELECT mf_forget(long_id(7, 1024), 'long')"), '1', 'forgotten');
is(answer("SELECT count(DISTINCT user_id) FROM mf_recommend_all(2, NULL::text, NULL::text, 'long')"), '19', 'lists for all');
answer('CREATE TABLE longer AS SELECT long_id(user_id, 8000) AS user_id, item_id, rating FROM ratings');
like(answer("SELECT mf_train('longer', factors => 2)"), qr/^54000: index row (size|requires)/, 'what no index takes is an error');
is(leftovers($node, 'longer'), '', 'that leaves nothing');
is(answer("SELECT mf_drop('long')"), '', 'dropped');

# ---- large values and large arguments
answer(<<'SQL');
CREATE TABLE huge AS SELECT user_id, item_id, rating * 4e37::real AS rating, (rating * 1.8e18)::bigint AS n, (rating::numeric * 1e30) AS exact, 'NaN'::real AS nan FROM ratings;
SQL
for my $column ('n', 'exact')
{
	is(answer("SELECT count(*) FROM mf_train('huge', 'huge_$column', rating_column => '$column', factors => 2)"), '1', "values of $column");
	is(answer("SELECT bool_and(predicted_rating > 1e15 AND predicted_rating < 'Infinity') FROM mf_recommend(1, 9, 'huge_$column')"), 't', 'are predicted');
	is(answer("SELECT count(*) FROM mf_train('huge', 'huge_i$column', rating_column => '$column', factors => 2, feedback => 'implicit'); SELECT count(*) FROM mf_recommend(1, 3, 'huge_i$column') WHERE score < 'Infinity'"), "1\n3", 'are strengths');
}
like(answer("SELECT mf_train('huge', 'nan', rating_column => 'nan')"), qr/^22023: rating of user \d+ and item \d+ is NaN/, 'no number');
like(answer("SELECT rmse < 'Infinity' FROM mf_train('huge', 'edge', factors => 2)"), qr/^(t|2\w{4}: .*)$/, 'ratings at the end of single precision: a model or an error');
my $many = $all ? 60_000_000 : 2_000_000;
is(answer("SELECT count(*) FROM mf_recommend(7, 10, 'm', candidates => ARRAY(SELECT g % 50 FROM generate_series(1, $many) g), exclude_seen => false)"), '10', "$many candidates");
is(answer("SELECT count(*) FROM mf_recommend(7, 10, 'm', exclude => ARRAY(SELECT g FROM generate_series(21, $many) g), exclude_seen => false)"), '10', "$many exclusions");
my $bytes = $all ? 250_000_000 : 20_000_000;
like(answer("SELECT count(*) FROM mf_recommend(repeat('7', $bytes), 3, 'm')"), qr/^(22P02|22003): /, "a literal of $bytes bytes is no integer");
like(answer("SELECT mf_popular(1, repeat('m', $bytes))") =~ s/m{100,}/mmm/r, qr/^(42704: model "m|54000|53200|no message)/, 'nor a model');
like(answer("SELECT mf_recommend(7, 2147483647, 'm')"), qr/^22023: k must be between 1 and 10000/, 'the largest k');
like(answer("SELECT mf_recommend(7, 10, 'm', version => 2147483647)"), qr/^42704: model "m" has no version 2147483647/, 'the largest version');

# ---- models of one item, ten, and many: the list is that of a sort
sub import_items
{
	my ($model, $count) = @_;
	return answer(<<"SQL");
DROP TABLE IF EXISTS vectors_of_items, vectors_of_users;
CREATE TABLE vectors_of_items AS SELECT g AS id, ARRAY[sin(g), cos(g * 3), (g % 1000) / 2000.0]::real[] AS factors FROM generate_series(1, $count) g;
CREATE TABLE vectors_of_users AS SELECT g AS id, ARRAY[cos(g), sin(g), 1]::real[] AS factors FROM generate_series(1, 3) g;
SET maintenance_work_mem = '1GB';
SELECT items FROM mf_import('$model', 'vectors_of_users', 'vectors_of_items');
SQL
}
for my $count (1, 10, $all ? 5_000_000 : 50_000)
{
	is(import_items("of_$count", $count), $count, "a model of $count items");
	is(answer("SELECT string_agg(item_id::text, ',' ORDER BY rank) FROM mf_recommend(2, 20, 'of_$count')"), answer(<<"SQL"), 'its list is that of a sort');
SELECT string_agg(id::text, ',' ORDER BY r) FROM (
	SELECT i.id, row_number() OVER (ORDER BY (i.factors[1]::float8 * u.factors[1] + i.factors[2]::float8 * u.factors[2] + i.factors[3]::float8 * u.factors[3])::real DESC, i.id) AS r
	FROM vectors_of_items i, vectors_of_users u WHERE u.id = 2 ORDER BY r LIMIT 20) s
SQL
	is(answer("SELECT count(*) FROM mf_popular(100, 'of_$count')"), $count < 100 ? $count : 100, 'as many popular ones as there are');
	answer("SELECT mf_drop('of_$count')");
}

# ---- few files: sessions with many models, and a training that spills
$node->append_conf('postgresql.conf', "max_files_per_process = 64\nmaintenance_work_mem = '1MB'\n");
$node->restart;
answer(<<'SQL');
CREATE TABLE wide AS SELECT (n * 7919 % 3001)::int AS user_id, (n * 104729 % 1009)::int AS item_id, (n * 13 % 5 + 1)::real AS rating FROM generate_series(1::bigint, 200000) n;
DO $$BEGIN FOR i IN 1 .. 40 LOOP PERFORM mf_import('few' || i, 'vectors_of_users', 'vectors_of_users'); END LOOP; END $$;
SQL
is(answer("SELECT users FROM mf_train('wide', factors => 4, iterations => 2)"), '3001', 'a training that spills with 64 files');
is(answer("SELECT count(*) FROM generate_series(1, 40) m, mf_recommend(1, 3, 'few' || m)"), '120', '40 models in one session of 64 files');
is(answer("SELECT count(*) FROM generate_series(1, 40) m, mf_recommend(1, 3, 'few' || (41 - m))"), '120', 'again');
is(temporary_files($node), '', 'no file is left');
answer("SELECT mf_drop('wide')");

# ---- a lock table that is full
$node->append_conf('postgresql.conf', "max_connections = 10\nmax_locks_per_transaction = 10\nmax_prepared_transactions = 0\nautovacuum_max_workers = 1\nmax_worker_processes = 1\nmax_wal_senders = 0\n");
$node->restart;
my $full = qr/^53200: out of shared memory/;
my $files = images();
like(answer("DO \$\$BEGIN FOR i IN 1 .. 400 LOOP PERFORM mf_import('locked' || i, 'vectors_of_users', 'vectors_of_users'); END LOOP; END \$\$"), $full, 'hundreds of models in one transaction take more locks than there are');
is(leftovers($node, 'locked1'), '', 'none of them is there');
is(answer("SELECT count(*) FROM mf_models WHERE model LIKE 'locked%'"), '0', 'nor in the bookkeeping');
is(images(), $files, 'nor an image');
like(answer("SELECT count(*) FROM generate_series(1, 400) n, pg_advisory_xact_lock(n), mf_recommend(7, 10, 'm')"), qr/^(1600|53200: out of shared memory.*)$/, 'a list under pressure');
is(answer($list), $served, 'lists go on');
is(answer("SELECT version > 1 FROM mf_retrain('m')"), 't', 'and trainings');
is(images(), answer('SELECT count(*) FROM mf_models WHERE image_bytes > 0'), 'each file is of a version');
answer(join(';', map { "SELECT mf_drop('few$_')" } 1 .. 40));

# ---- thousands of models: rows of the bookkeeping that share two tables, each with an image of its own
my $models = 5000;
my $ask = $all ? $models : 300;
$node->append_conf('postgresql.conf', "max_locks_per_transaction = 64\nmax_files_per_process = 1000\n");
$node->restart;
answer(<<"SQL");
INSERT INTO mfrec.model SELECT 'many' || g, false, m.version, schema, user_table, item_table, source_schema, source, fresh, parameters
	FROM mfrec.model m, generate_series(1, $models) g WHERE name = 'm';
INSERT INTO mfrec.model_version SELECT 'many' || g, v.version, gen_random_uuid(), feedback, factors, users, items, ratings, iterations, loss, rmse, seconds, trained_at, v.parameters
	FROM mfrec.model_version v JOIN mfrec.model m ON m.name = v.model AND m.version = v.version, generate_series(1, $models) g WHERE name = 'm';
SQL
$served = answer($list);
is(answer("SELECT count(*) FROM mf_models WHERE model LIKE 'many%' AND serving AND table_bytes > 0"), $models, "$models models");
is(answer("SELECT count(DISTINCT l) || ' ' || min(l) FROM (SELECT string_agg(item_id::text, ',' ORDER BY rank) AS l FROM generate_series(1, $ask) m, mf_recommend(7, 10, 'many' || m, fresh => false, exclude_seen => false) GROUP BY m) s"),
	"1 $served", "$ask of them in one session, each with the right list");
is(answer("SELECT count(*) FROM mf_models WHERE model LIKE 'many%' AND image_bytes > 0"), $ask, 'and an image');
like(answer("SELECT mf_popular(1, 'no such')"), qr/^42704: model "no such" does not exist/, 'one that is not there');
answer("DELETE FROM mfrec.model WHERE name LIKE 'many%'; DELETE FROM mfrec.model_version WHERE model LIKE 'many%'");
answer("SELECT mf_refresh('m')");
is(images(), answer('SELECT count(*) FROM mf_models WHERE image_bytes > 0'), 'what they left is swept');
is(answer($list), $served, 'and the rest serves');
$node->stop;

done_testing();
