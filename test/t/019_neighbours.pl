# What docs/operations.md says of other things that a server does, where plain PostgreSQL can show it: what
# a training locks, what ends it, foreign sources, logical replication of the source, folders of extensions.
use strict;
use warnings;
use File::Copy;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $rows = <<'SQL';
SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0
SQL
my $node = new_node('neighbours', allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "log_lock_waits = on\ndeadlock_timeout = 10ms\n");
$node->reload;
my $major = $node->safe_psql('postgres', "SELECT current_setting('server_version_num')::int / 10000");
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id)) PARTITION BY RANGE (user_id);
CREATE TABLE ratings_low PARTITION OF ratings FOR VALUES FROM (0) TO (10);
CREATE TABLE ratings_high PARTITION OF ratings FOR VALUES FROM (10) TO (1000);
INSERT INTO ratings $rows;
ANALYZE ratings;
SELECT mf_train('ratings', factors => 4);
CREATE VIEW endless AS SELECT i % 1000 AS user_id, i % 997 AS item_id FROM (SELECT generate_series(1, 2000000000) AS i) s;
SQL

# Waits until a query is true; false after a long time.
sub becomes_true
{
	my ($query) = @_;
	return $node->poll_query_until('postgres', $query);
}

# What a training holds once it is through, which is until its transaction ends.
my $trainer = open_session($node);
ask($trainer, 'BEGIN');
my $pid = ask($trainer, 'SELECT pg_backend_pid()');
is(ask($trainer, "SELECT version FROM mf_retrain('ratings')"), '2', 'a training in a transaction that stays open');
my %locks = map { /^(.*)\|(.*)$/ ? ($1 => $2) : () } split /\n/, $node->safe_psql('postgres', <<"SQL");
SELECT coalesce(relation::regclass::text, locktype || ' ' || objsubid), string_agg(mode, ' ' ORDER BY mode)
FROM pg_locks WHERE pid = $pid AND granted AND locktype IN ('relation', 'advisory') GROUP BY 1
SQL
is($locks{$_}, 'AccessShareLock', "it has read $_") for 'ratings', 'ratings_low', 'ratings_high';
like($locks{$_}, qr/^(AccessShareLock )?RowExclusiveLock$/, "it has written $_")
	for 'ratings_user_factors', 'ratings_item_factors', 'mfrec.model', 'mfrec.model_version', 'mfrec.training_log';
is($locks{'advisory 28006'}, 'ExclusiveLock', 'and keeps other trainings of the model away');
is_deeply([ grep { $locks{$_} !~ /^((AccessShareLock|RowExclusiveLock|RowShareLock) ?)+$/ && !/^advisory/ } sort keys %locks ], [],
	'it holds no stronger lock on any relation');

is(output_or_error($node, $_), '', "$_ does not wait")
	for 'INSERT INTO ratings VALUES (101, 2, 5), (101, 4, 5)', 'UPDATE ratings SET rating = 4 WHERE user_id = 1 AND item_id = 2',
	'DELETE FROM ratings WHERE user_id = 101', 'ANALYZE ratings', 'VACUUM ratings, ratings_user_factors';
is(output_or_error($node, 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'nor does a list');
my $waits = qr/^55P03: canceling statement due to lock timeout/;
like(output_or_error($node, "SET lock_timeout = '50ms'; $_"), $waits, "$_ waits")
	for 'ALTER TABLE ratings ADD COLUMN note text', 'TRUNCATE ratings', 'REINDEX TABLE ratings_low', 'VACUUM FULL ratings_low',
	'ALTER TABLE ratings DETACH PARTITION ratings_low', 'DROP TABLE ratings_user_factors', 'CREATE INDEX ON ratings_user_factors (bias)',
	"SELECT mf_retrain('ratings')", "SELECT mf_rollback('ratings')", "SELECT mf_forget(1, 'ratings')", "SELECT mf_drop('ratings')";
like(slurp_file($node->logfile), qr/still waiting for ExclusiveLock on advisory lock \[\d+,\d+,\d+,28006\]/,
	'log_lock_waits tells that trainings wait');

# Whoever waits for the training makes others wait.
my $alter = start_sql($node, 'ALTER TABLE ratings ADD COLUMN note text');
ok(becomes_true(q{SELECT count(*) > 0 FROM pg_locks
	WHERE relation = 'ratings'::regclass AND mode = 'AccessExclusiveLock' AND NOT granted}),
	'ALTER TABLE waits for the training');
like(output_or_error($node, "SET lock_timeout = '50ms'; SELECT count(*) FROM ratings WHERE user_id = 1"), $waits, 'a query of the source waits behind it');
like(output_or_error($node, "SET lock_timeout = '50ms'; SELECT count(*) FROM mf_recommend(1, 3, fresh => true)"), $waits,
	'and so does a fresh list');
ask($trainer, 'COMMIT');
ok(!(finish_sql($alter))[0], 'which goes on after the training');
is(output_or_error($node, 'SELECT count(*) FROM mf_recommend(1, 3)'), '3', 'and lists, too');

# A partition detached concurrently: marked at once, gone when the training ends; nobody waits behind it.
ask($trainer, "BEGIN; SELECT mf_retrain('ratings')");
my $detach = start_sql($node, 'ALTER TABLE ratings DETACH PARTITION ratings_high CONCURRENTLY');
ok(becomes_true(q{SELECT inhdetachpending FROM pg_inherits WHERE inhrelid = 'ratings_high'::regclass}),
	'DETACH ... CONCURRENTLY waits for the training');
is(output_or_error($node, "SET lock_timeout = '5s';
	SELECT count(*), (SELECT count(*) FROM mf_recommend(1, 3)) FROM ratings WHERE user_id >= 10"),
	'0|3', 'queries go on without the partition');
ask($trainer, 'COMMIT');
ok(!(finish_sql($detach))[0], 'and it goes when the training ends');
is($trainer->{err}, '', 'which has trained');
$node->safe_psql('postgres', 'ALTER TABLE ratings ATTACH PARTITION ratings_high FOR VALUES FROM (10) TO (1000)');

# A client that has gone.
{
	local $ENV{PGOPTIONS} = '-c client_connection_check_interval=50ms';
	my $run = start_sql($node, "SELECT mf_train('endless', 'gone')");
	isnt(act_in_phase($node, 'read', '%s'), 0, 'a training whose client goes');
	$run->{handle}->kill_kill;
	ok(becomes_true('SELECT count(*) = 0 FROM mf_progress'), 'ends where client_connection_check_interval is set');
	is(leftovers($node, 'gone'), '', 'and leaves nothing');
}

SKIP:
{
	skip 'transaction_timeout came with 17', 3 if $major < 17;
	my ($status, $out, $err) = $node->psql('postgres', "SET transaction_timeout = '100ms'; SELECT mf_train('endless', 'late')");
	isnt($status, 0, 'transaction_timeout ends a training');
	like($err, qr/FATAL:  terminating connection due to transaction timeout/, 'and its session');
	is(leftovers($node, 'late'), '', 'and leaves nothing');
}

# A source on another server of PostgreSQL, here the same.
my $port = $node->port;
my $host = $node->host;
$node->safe_psql('postgres', <<"SQL");
CREATE EXTENSION postgres_fdw;
CREATE ROLE far LOGIN SUPERUSER;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'postgres');
CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'far', password_required 'false');
CREATE FOREIGN TABLE far_ratings (user_id int, item_id int, rating real) SERVER far OPTIONS (table_name 'ratings');
CREATE FOREIGN TABLE far_endless (user_id int, item_id int) SERVER far OPTIONS (table_name 'endless');
SQL
like(output_or_error($node, "SET statement_timeout = '200ms'; SELECT mf_train('far_endless', 'far')"),
	qr/^57014: canceling statement due to statement timeout/, 'statement_timeout ends the reading of a foreign source');
is(leftovers($node, 'far'), '', 'and leaves nothing');
ask($trainer, "BEGIN; SELECT mf_train('far_ratings', 'far', factors => 4)");
is($node->safe_psql('postgres', "SELECT state, backend_xmin IS NOT NULL FROM pg_stat_activity WHERE usename = 'far'"),
	'idle in transaction|t', 'the session there stays in its transaction until the training ends');
$node->safe_psql('postgres', "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = 'far'");
ask($trainer, 'COMMIT');
like($trainer->{err}, qr/ERROR:  08006: .*terminating connection due to administrator command/,
	'where it has ended before, the training ends in an error');
is(leftovers($node, 'far'), '', 'and leaves nothing');
$node->safe_psql('postgres', "ALTER ROLE far SET idle_in_transaction_session_timeout = '1ms'");
like(output_or_error($node, "BEGIN; SELECT mf_train('far_ratings', 'far', factors => 4); SELECT pg_sleep(0.1); COMMIT"),
	qr/idle-in-transaction timeout/, 'idle_in_transaction_session_timeout of the other server ends it so');
$node->safe_psql('postgres', "ALTER SERVER far OPTIONS (ADD options '-c idle_in_transaction_session_timeout=0')");
is($node->safe_psql('postgres', "BEGIN; SELECT model FROM mf_train('far_ratings', 'far', factors => 4);
	DO 'BEGIN PERFORM pg_sleep(0.1); END'; COMMIT"),
	'far', "unless the foreign server's options say otherwise");
close_session($trainer);

# An index whose second column is the user's: 18 skips through it.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE by_item (item_id int, user_id int, rating real, PRIMARY KEY (item_id, user_id));
INSERT INTO by_item SELECT i, u, 1 + (i * u) % 5 FROM generate_series(1, 10) i, generate_series(1, 30000) u;
ANALYZE by_item;
SELECT mf_train('by_item', factors => 2, iterations => 1);
SQL
is($node->safe_psql('postgres', "SELECT fresh FROM mf_models WHERE model = 'by_item'"), $major >= 18 ? 't' : 'f',
	'fresh where an index can be skipped through');

# A subscriber that has the source alone trains models of its own.  A generated column is computed there.
my $subscriber = new_node('subscriber');
$node->safe_psql('postgres', <<"SQL");
CREATE TABLE stars (user_id int, item_id int, stars int, rating real GENERATED ALWAYS AS (stars) STORED,
	PRIMARY KEY (user_id, item_id));
CREATE TABLE plain (LIKE stars INCLUDING ALL);
INSERT INTO stars $rows;
INSERT INTO plain $rows;
SELECT mf_train('stars', factors => 4);
CREATE PUBLICATION source FOR TABLE stars, plain;
SQL
$subscriber->safe_psql('postgres', <<"SQL");
CREATE TABLE stars (user_id int, item_id int, stars int, rating real GENERATED ALWAYS AS (stars) STORED,
	PRIMARY KEY (user_id, item_id));
CREATE TABLE plain (user_id int, item_id int, stars int, rating real, PRIMARY KEY (user_id, item_id));
CREATE SUBSCRIPTION source CONNECTION '@{[ $node->connstr ]} dbname=postgres' PUBLICATION source;
SQL
$subscriber->wait_for_subscription_sync($node, 'source');
$subscriber->safe_psql('postgres', "SELECT mf_train('stars', factors => 4)");
my $lists = "SELECT u, r.* FROM generate_series(1, 22) u, mf_recommend(u, 5, model => 'stars') r ORDER BY u, rank";
is($subscriber->safe_psql('postgres', $lists), $node->safe_psql('postgres', $lists), 'a model trained on the subscriber is that of the publisher');
$node->safe_psql('postgres', 'INSERT INTO stars VALUES (21, 2, 5), (21, 4, 5)');
$node->wait_for_catchup('source');
is($subscriber->safe_psql('postgres', "SELECT DISTINCT reason FROM mf_recommend(21, 3)"), 'fresh', 'ratings that arrive count at once');
is($subscriber->safe_psql('postgres', 'SELECT count(*) > 0, count(rating) FROM plain'), 't|0', "but a plain column in a generated one's place is null");
$subscriber->stop;

# An installation in folders of its own.
SKIP:
{
	skip 'extension_control_path came with 18', 4 if $major < 18;
	my $folder = PostgreSQL::Test::Utils::tempdir();
	chomp(my $library = `pg_config --pkglibdir`);
	chomp(my $share = `pg_config --sharedir`);
	mkdir "$folder/$_" or die for 'extension', 'lib';
	copy($_, "$folder/extension") or die for glob("$share/extension/mfrec*");
	copy("$library/mfrec.so", "$folder/lib/mfrec.so") or die;
	$node->append_conf('postgresql.conf', "extension_control_path = '$folder'\n");
	$node->restart;
	$node->safe_psql('postgres', 'CREATE DATABASE elsewhere TEMPLATE template0');
	my $create = "CREATE EXTENSION mfrec; CREATE TABLE r AS $rows;
		SELECT model FROM mf_train('r', user_column => 'u', item_column => 'i', rating_column => 'case')";
	$node->append_conf('postgresql.conf', "dynamic_library_path = '$folder'\n");
	$node->reload;
	like(($node->psql('elsewhere', 'CREATE EXTENSION mfrec'))[2], qr/could not access file "mfrec"/,
		'extension_control_path alone does not find the library');
	$node->append_conf('postgresql.conf', "dynamic_library_path = '$folder/lib'\n");
	$node->reload;
	my ($status, $out, $err) = $node->psql('elsewhere', "$create; SELECT pg_backend_pid() || ' ' || pg_read_file('/proc/self/maps')");
	is($status, 0, 'dynamic_library_path does') or diag($err);
	like($out, qr/^r$/m, 'and the extension trains');
	like($out, qr{\Q$folder\E/lib/mfrec\.so}, 'with the library from there');
}
$node->stop;
done_testing();
