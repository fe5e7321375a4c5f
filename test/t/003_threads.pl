# Threads: several while training, one before and after, the same result whatever there is to have.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'needs /proc/<pid>/task' unless -d "/proc/$$/task";

my $node = new_node('threads');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, (u * i * 7919) % 503 AS item_id, ((u + i) % 5)::real AS rating
	FROM generate_series(1, 3000) u, generate_series(1, 40) i;
CREATE INDEX ON ratings (user_id);
CREATE TABLE counted (what text, threads int);
CREATE FUNCTION threads() RETURNS bigint LANGUAGE sql AS
	$$SELECT count(*) FROM pg_ls_dir('/proc/' || pg_backend_pid() || '/task')$$;
SQL

# one thread in the session that has trained, and in one that serves
my $out = $node->safe_psql('postgres', <<'SQL');
SELECT 'fresh', threads();
SELECT FROM mf_train('ratings', 'm', factors => 16, iterations => 2);
SELECT 'trained', threads();
SELECT 'maps ' || regexp_replace(l, '.*/', '') FROM regexp_split_to_table(pg_read_file('/proc/self/maps', 0, 1000000), '\n') l
WHERE l ~ '(blas|lapack)[^/]*$' LIMIT 1;
SELECT FROM mf_recommend(1, 3, 'm');
SELECT FROM mf_similar_items(1, 3, 'm');
SELECT FROM mf_recommend_all(1, 'm') LIMIT 1;
SELECT FROM mf_clusters('m', 3), mf_map('m', of => 'users') LIMIT 1;
SELECT 'served', threads();
SQL
like($out, qr/^fresh\|1$/m, 'one thread at first');
like($out, qr/^trained\|1$/m, 'one thread after training');
like($out, qr/^maps .*(blas|lapack)/m, 'though a library of linear algebra has been loaded');
like($out, qr/^served\|1$/m, 'one thread after serving');

# a session that only serves: one thread, and no library of numerics with threads of its own
$out = $node->safe_psql('postgres', <<'SQL');
SELECT count(*) FROM mf_recommend(1, 3), mf_recommend('1', 3, item_type => NULL::int) typed,
	mf_recommend_for(ARRAY[1, 2], k => 3), mf_recommend_users(1, 3), mf_similar_items(1, 3), mf_similar_users(1, 3),
	mf_explain(1, 2, 3), mf_popular(3), mf_predict(1, 2);
SELECT 'threads', threads();
SELECT 'maps ' || regexp_replace(l, '.*/', '') FROM regexp_split_to_table(pg_read_file('/proc/self/maps', 0, 1000000), '\n') l
WHERE l ~ 'mfrec|blas|lapack|gomp|libomp|tbb';
SQL
like($out, qr/^threads\|1$/m, 'one thread after calling every serving function');
like($out, qr/^maps mfrec\.so/m, 'with the extension');
like($out, qr/^maps pgsql_tmp_mfrec/m, 'and an image mapped');
unlike($out, qr{blas|lapack|gomp|libomp|tbb}, 'no library that would start some');

# maps and clusters are the same to the bit with any number of threads
my $maps = <<'SQL';
SELECT md5(string_agg(m::text, ' ' ORDER BY id)) FROM mf_map('m', 3, 'users') m;
SELECT md5(string_agg(c::text, ' ' ORDER BY id)) FROM mf_clusters('m', 7, 'users') c;
SELECT md5(string_agg(c::text, ' ')) FROM mf_cluster_labels('m', 4) c;
SQL
is($node->safe_psql('postgres', "SET mfrec.threads = 5; $maps"), $node->safe_psql('postgres', "SET mfrec.threads = 1; $maps"), 'maps and clusters do not depend on threads');

# several while it trains, where there are cores
SKIP:
{
	chomp(my $cores = `nproc`);
	skip 'one core only', 1 if $cores < 2;
	my $run = start_sql($node, "SELECT mf_train('ratings', 'busy', factors => 64, iterations => 10000, tolerance => 0)");
	my $pid = act_in_phase($node, 'sweep', '%s');
	my $most = 0;
	for (my $until = time + 60; $most < 2 && time < $until; sleep 0.001)
	{
		my $threads = threads_of($pid);
		$most = $threads if $threads > $most;
	}
	cmp_ok($most, '>', 1, 'several threads while training');
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	finish_sql($run);
}

# a session that may not have another thread trains all the same, and to the bit
my $expected = $node->safe_psql('postgres', fingerprint_sql('m'));
SKIP:
{
	skip 'no prlimit', 2 if system('prlimit --version >/dev/null 2>&1') != 0;
	my ($status, $text, $err) = $node->psql('postgres', <<'SQL');
SELECT pg_backend_pid() AS pid \gset
\setenv pid :pid
\! prlimit --nproc=1:1 --pid "$pid"
SELECT ratings FROM mf_train('ratings', 'limited', factors => 16, iterations => 2);
SQL
	is($status, 0, 'trains under a limit of one process') or diag($err);
	is($node->safe_psql('postgres', fingerprint_sql('limited')), $expected, 'and gets the same factors');
}
$node->safe_psql('postgres', "SET max_parallel_maintenance_workers = 0; SELECT mf_train('ratings', 'serial', factors => 16, iterations => 2)");
is($node->safe_psql('postgres', fingerprint_sql('serial')), $expected, 'the same factors without parallel workers');

# Any number of threads, in memory and spilled: short rows and long ones, some twice; with each solver.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE skewed AS SELECT u AS user_id, u * i % 401 * 7919 % 401 * ((u + i) % 7 + 1) % 997 AS item_id, ((u + i) % 5)::real AS rating
	FROM generate_series(1, 3000) u, generate_series(1, 3 + CASE WHEN u % 50 = 0 THEN 400 ELSE u % 37 END) i;
CREATE TABLE million AS SELECT u AS user_id, (u * 31 + i * i) % 4999 AS item_id, ((u * i + i) % 5)::real AS rating
	FROM generate_series(1, 12000) u, generate_series(1, 70 + u % 37) i;
SQL
my %memory = (memory => '128MB', spilled => '1MB');
for my $where (sort keys %memory)
{
	is($node->safe_psql('postgres', "SET maintenance_work_mem = '$memory{$where}'; SELECT temporary_bytes > 0 FROM mf_estimate('skewed')"),
		$where eq 'spilled' ? 't' : 'f', "$where: whether it spills");
}
is($node->safe_psql('postgres', 'SELECT count(DISTINCT (user_id, item_id)) > 1000000 FROM million'), 't',
	'ratings enough for vectors to be rounded in between');

# Which way panels of rounded vectors are multiplied is said once a session, and so is what is in the way of tiles.
my (undef, undef, $said) = $node->psql('postgres', 'SET client_min_messages = debug1;' .
	"SELECT FROM mf_train('million', 'tiles', iterations => 2, factors => 8);" x 2);
my @ways = $said =~ /DEBUG:  mfrec: AMX tiles: (.*)/g;
is(@ways, 1, 'a session says once whether it uses tiles');
note("tiles: $ways[0]");
my $has_tiles = grep { /^flags.* amx_int8/ } split /\n/, slurp_file('/proc/cpuinfo');
$has_tiles ? isnt($ways[0], 'the processor has none', 'which the processor has')
	: like($ways[0], qr/^(the processor has none|not compiled in)$/, 'which the processor has not');
(undef, undef, $said) = $node->psql('postgres', "SET client_min_messages = debug1; SELECT FROM mf_train('skewed', 'tiles', iterations => 2, factors => 8)");
unlike($said, qr/AMX/, 'and does not ask for them where nothing is rounded');
$node->safe_psql('postgres', "SELECT mf_drop('tiles')");

for my $case (["skewed", "factors => 32"], ["skewed", "feedback => 'implicit', factors => 32"], ["skewed", "factors => 160"],
	["skewed", "interest_weight => 0, factors => 32"], ["million", "factors => 32"])
{
	my ($source, $arguments) = @$case;
	my $first;
	for my $where (sort keys %memory)
	{
		for my $threads (1, 2, 3, 8)
		{
			$node->safe_psql('postgres', "SET maintenance_work_mem = '$memory{$where}'; SET mfrec.threads = $threads; SELECT mf_train('$source', 'bits', iterations => 2, $arguments)");
			my $bits = $node->safe_psql('postgres', fingerprint_sql('bits') . "; SELECT loss, rmse FROM mf_models WHERE model = 'bits'; SELECT mf_drop('bits')");
			$first //= $bits;
			is($bits, $first, "$source, $arguments: the same bits with $threads threads, $where");
		}
	}
}
$node->stop;

done_testing();
