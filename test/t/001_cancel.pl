# Cancel, timeout and termination while reading, sweeping and storing, and while lists are made: they act
# soon, and leave no table, row, file or thread.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = new_node('cancel');
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings AS SELECT u AS user_id, (u * i * 7919) % 5003 AS item_id, ((u + i) % 5)::real AS rating
	FROM generate_series(1, 5000) u, generate_series(1, 40) i;
CREATE TABLE users AS SELECT u AS user_id, u % 1000 AS item_id FROM generate_series(1, 500000) u;
CREATE VIEW endless AS SELECT i % 1000 AS user_id, i % 997 AS item_id FROM (SELECT generate_series(1, 2000000000) AS i) s;
SQL

# How to bring a training to a phase and keep it there for a while.
my %training = (
	read => "SELECT mf_train('endless', 'm')",
	sweep => "SELECT mf_train('ratings', 'm', factors => 64, iterations => 10000, tolerance => 0)",
	store => "SELECT mf_train('users', 'm', factors => 100, iterations => 1)");

for my $phase (sort keys %training)
{
	for my $action ('pg_cancel_backend', 'pg_terminate_backend')
	{
		my $run = start_sql($node, $training{$phase});
		my $pid = act_in_phase($node, $phase, "$action(%s)");
		my $began = time;
		isnt($pid, 0, "$phase: caught for $action");
		my ($status, $out, $err) = finish_sql($run);
		isnt($status, 0, "$phase: $action ends it");
		cmp_ok(time - $began, '<', 10, "$phase: $action ends it soon");
		like($err, $action eq 'pg_cancel_backend' ? qr/canceling statement due to user request/
			: qr/terminating connection due to administrator command/, "$phase: what $action says");
		is(leftovers($node, 'm'), '', "$phase: $action leaves nothing");
	}
}

# what a training says while it runs, when asked to
my (undef, undef, $said) = $node->psql('postgres', 'SET mfrec."verbose" = on; SELECT mf_train(\'ratings\', \'said\', factors => 4, iterations => 2, tolerance => 0)');
like($said, qr/NOTICE:  iteration 1 of 2: loss [0-9.e+]+\n.*NOTICE:  iteration 2 of 2: loss [0-9.e+]+/s, 'a notice for each iteration');
(undef, undef, $said) = $node->psql('postgres', 'SET mfrec."verbose" = on; SELECT mf_tune(\'ratings\', trials => 1, factors => 4, regularization => 2, alpha => 3, interest_weight => 0.5, taste => 0.1)');
like($said, qr/NOTICE:  trial 1 of 1, \d+ iterations: \S+ 0\.\d+\nDETAIL:  factors => 4, rating_factors => 2, regularization => 2, alpha => 3, interest_weight => 0\.5, taste => 0\.1\n/,
	'a notice for each trial');

# statement_timeout, and a session that goes on afterwards with one thread
my ($status, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
SET statement_timeout = '500ms';
SELECT mf_train('ratings', 'm', factors => 64, iterations => 10000, tolerance => 0);
RESET statement_timeout;
SELECT 'goes on ' || pg_backend_pid();
SQL
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout');
like($out, qr/goes on/, 'the session goes on');
is(leftovers($node, 'm'), '', 'statement_timeout leaves nothing');

# an error in the middle of reading, an error of the caller's own, a subtransaction that fails
$node->safe_psql('postgres', <<'SQL');
CREATE VIEW late AS SELECT user_id, item_id, 1 / (user_id - 4999) AS rating FROM ratings;
DO $$
BEGIN
	PERFORM mf_train('ratings', 'm', factors => 8, iterations => 1);
	RAISE EXCEPTION 'mine';
EXCEPTION WHEN raise_exception THEN NULL;
END $$;
SQL
is(leftovers($node, 'm'), '', 'a subtransaction that fails leaves nothing');
($status, $out, $err) = $node->psql('postgres', "SELECT mf_train('late', 'm')");
like($err, qr/division by zero/, 'an error of the source');
is(leftovers($node, 'm'), '', 'an error of the source leaves nothing');

# a retrain that is cancelled leaves the old version, and does not block the next
$node->safe_psql('postgres', "SELECT mf_train('ratings', 'm', factors => 64, iterations => 2)");
my $before = $node->safe_psql('postgres', fingerprint_sql('m'));
for my $phase ('sweep', 'store')
{
	my $run = start_sql($node, $training{$phase});
	isnt(act_in_phase($node, $phase, 'pg_cancel_backend(%s)'), 0, "retrain caught in $phase");
	finish_sql($run);
	is($node->safe_psql('postgres', fingerprint_sql('m')), $before, "the old version is as it was after $phase");
}
is($node->safe_psql('postgres', "SELECT version FROM mf_train('ratings', 'm', factors => 64, iterations => 1)"), '2', 'the next training');

# a search for parameters tells the best trial so far
my $search = start_sql($node, "SELECT mf_tune('ratings', trials => 1000, factors => 8)");
isnt(act_in_phase($node, 'sweep', 'pg_cancel_backend(%s)', 'iterations = 1000 AND iteration > 1'), 0, 'a search caught after two trials');
($status, $out, $err) = finish_sql($search);
like($err, qr/canceling statement due to user request\nCONTEXT:  the best trial so far, number \d+, with \S+ 0\.\d+: factors => 8, rating_factors => 4, regularization => /,
	'a search tells the best trial so far');

# lists for everybody: a timeout between their rows, and no row is kept for later
($status, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
SET statement_timeout = '500ms';
SELECT count(r) FROM (SELECT mf_recommend_all(10000, 'm') AS r FROM generate_series(1, 100)) l;
RESET statement_timeout;
SET temp_file_limit = '8MB';
SELECT 'streams', count(r) FROM (SELECT mf_recommend_all(100, 'm') AS r) l;
SQL
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout ends lists for everybody');
like($out, qr/^streams\|500000$/m, 'lists for everybody stream');

# clusters: they are seen in mf_progress, end within a moment of a cancel, and leave no file and no thread
$node->safe_psql('postgres', 'SELECT setseed(0.5); CREATE TABLE vectors AS SELECT i AS id, ARRAY(SELECT random() FROM generate_series(1, 32) WHERE i > 0)::real[] AS v FROM generate_series(1, 60000) i');
for my $action ('pg_cancel_backend', 'pg_terminate_backend')
{
	my $run = start_sql($node, "SELECT count(*) FROM mf_kmeans('vectors', 'v', 2000)");
	isnt(act_in_phase($node, 'cluster', "$action(%s)", "model = 'vectors' AND iteration > 0 AND iterations IS NULL AND seconds_left IS NULL"), 0, "clusters: caught for $action");
	my $began = time;
	my ($status, $out, $err) = finish_sql($run);
	isnt($status, 0, "clusters: $action ends it");
	cmp_ok(time - $began, '<', 10, "clusters: $action ends it soon");
	is(leftovers($node, 'nothing'), '', "clusters: $action leaves nothing");
}
($status, $out, $err) = $node->psql('postgres', <<'SQL', on_error_stop => 0);
SET statement_timeout = '300ms';
SELECT count(*) FROM mf_kmeans('vectors', 'v', 2000);
RESET statement_timeout;
SELECT 'maps ' || count(*) FROM mf_pca('vectors', 'v');
SQL
like($err, qr/canceling statement due to statement timeout/, 'statement_timeout ends clusters');
like($out, qr/^maps 60000$/m, 'and the session goes on');

# the server's own shutdown does not wait for a training
my $run = start_sql($node, $training{sweep});
isnt(act_in_phase($node, 'sweep', '%s'), 0, 'a training runs');
my $began = time;
$node->stop('fast');
cmp_ok(time - $began, '<', 30, 'a fast shutdown is fast');
finish_sql($run);
$node->start;
is($node->safe_psql('postgres', "SELECT count(*) FROM mf_recommend(1, 3, 'm')"), '3', 'serves after a restart');
my @files = glob($node->data_dir . '/base/pgsql_tmp/*progress*');
is(scalar @files, 0, 'no files of trainings after a restart');
$node->stop;

done_testing();
