# Which sources are read from their tables directly, and by how many workers; cancel, a worker that goes, and what is left then.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

chomp(my $cores = `getconf _NPROCESSORS_ONLN`);
plan skip_all => 'needs two cores' if $cores < 2;

my $node = new_node('direct_read');
$node->append_conf('postgresql.conf', "dynamic_shared_memory_type = mmap\n");
$node->restart;
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, (u * i * 7919) % 503 AS item_id, ((u + i) % 5)::real AS rating
	FROM generate_series(1, 3000) u, generate_series(1, 40) i;
CREATE VIEW renamed AS SELECT user_id AS u, item_id AS i, rating FROM ratings;
CREATE VIEW positive AS SELECT * FROM ratings WHERE rating > 0;
CREATE TABLE parts (user_id int, item_id int, rating numeric) PARTITION BY HASH (user_id);
CREATE TABLE part_0 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO parts SELECT * FROM ratings;
CREATE TABLE named AS SELECT 'u' || user_id AS user_id, item_id, rating FROM ratings;
CREATE TABLE two AS TABLE ratings;
ALTER TABLE two SET (parallel_workers = 2);
CREATE TABLE none AS TABLE ratings;
ALTER TABLE none SET (parallel_workers = 0);
-- numbers of so many digits that reading them takes a while
CREATE TABLE slow (user_id int, item_id int, rating numeric) WITH (parallel_workers = 1);
INSERT INTO slow SELECT u, i, ('1.' || repeat('3', 16000))::numeric FROM generate_series(1, 1000) u, generate_series(1, 300) i;
SQL

# How a training reads its source: "TABLES/WORKERS" where that is directly, else nothing.
sub how_read
{
	my ($source, $settings, $arguments) = @_;
	my (undef, undef, $said) = $node->psql('postgres', "SET mfrec.threads = 2; SET client_min_messages = debug1; $settings;
		SELECT FROM mf_train('$source', 'm', factors => 2, iterations => 1 $arguments); SELECT FROM mf_drop('m')");
	return join ', ', map { s/ tables directly, with /\//r } $said =~ /reading (\d+ tables directly, with \d+) parallel workers/g;
}

my $any_size = 'SET min_parallel_table_scan_size = 0';
is(how_read('ratings', '', ''), '1/0', 'a small table by one process');
is(how_read('ratings', $any_size, ''), '1/1', 'by two where tables of any size are worth a worker');
is(how_read('two', '', ''), '1/2', 'by as many workers as the table is to have');
is(how_read('none', $any_size, ''), '1/0', 'by none where it is to have none');
is(how_read('two', 'SET max_parallel_maintenance_workers = 1', ''), '1/1', 'within max_parallel_maintenance_workers');
is(how_read('two', 'SET max_parallel_workers = 0', ''), '1/0', 'within max_parallel_workers');
is(how_read('two', 'SET mfrec.threads = 1', ''), '1/0', 'within mfrec.threads');
is(how_read('parts', $any_size, ''), '2/1', 'partitions');
is(how_read('renamed', $any_size, ", user_column => 'u', item_column => 'i'"), '1/1', 'a view that renames');
is(how_read('positive', $any_size, ''), '', 'a view with a condition by its query');
is(how_read('named', $any_size, ''), '', 'ids that are no integers by the query');
is(how_read('two', "SELECT set_config('role', 'postgres', false)", ''), '1/2', 'by whatever role');
is(how_read('ratings', 'CREATE TEMPORARY TABLE own AS TABLE ratings; ' . $any_size, '') , '1/1', 'beside a temporary table');
is(how_read('own', 'CREATE TEMPORARY TABLE own AS TABLE ratings; ' . $any_size, ''), '1/0', 'which is read by its session alone');

# the leader only numbers
is(how_read('two', 'SET parallel_leader_participation = off', ''), '1/2', 'the leader does not read');

# Cancel, and a worker that is told to go: the training ends soon, and nothing stays.
my %end = (
	'pg_cancel_backend(%s)' => qr/canceling statement due to user request/,
	'pg_terminate_backend(%s)' => qr/terminating connection due to administrator command/,
	'pg_terminate_backend(w.pid) FROM pg_stat_activity w WHERE leader_pid = %s' => qr/terminating background worker .* due to administrator command/);
for my $action (sort keys %end)
{
	my $run = start_sql($node, "SET mfrec.threads = 2; SELECT mf_train('slow', 'm')");
	my $pid = act_in_phase($node, 'read', $action,
		"EXISTS (SELECT FROM pg_stat_activity a WHERE a.leader_pid = mf_trainings.pid AND a.pid <> a.leader_pid)");
	my $began = time;
	isnt($pid, 0, "caught for $action");
	my ($status, $out, $err) = finish_sql($run);
	isnt($status, 0, "$action ends it");
	cmp_ok(time - $began, '<', 10, "$action ends it soon");
	like($err, $end{$action}, "what $action says");
	is(leftovers($node, 'm'), '', "$action leaves nothing");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), '0',
		"$action leaves no worker");
}

# a cancelled one in a session that goes on: shared memory is given back, and the next training works; the first one may have
# given the server's statistics more of it
my ($status, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
SET mfrec.threads = 2;
SET statement_timeout = '300ms';
SELECT mf_train('slow', 'm');
RESET statement_timeout;
SELECT count(*) AS before FROM pg_ls_dir('pg_dynshmem') \gset
SET statement_timeout = '300ms';
SELECT mf_train('slow', 'm');
RESET statement_timeout;
SELECT count(*) - :before || ' segments more' FROM pg_ls_dir('pg_dynshmem');
SELECT users || ' users' FROM mf_train('two', 'm', factors => 2, iterations => 1);
SQL
like($err, qr/(canceling statement due to statement timeout.*){2}/s, 'statement_timeout');
like($out, qr/^0 segments more$/m, 'no shared memory stays');
like($out, qr/^3000 users$/m, 'the session goes on');

done_testing();
