# Trainings on nodes that end before their time, in each of their parts: nothing is stored, and nothing is left.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;
use Time::HiRes qw(sleep);

my @nodes = new_cluster('ends');
my ($node, @workers) = @nodes;
make_ratings($node, 'ratings', "SELECT create_distributed_table('ratings', 'user_id')", users => 2000, items => 200);
sql($node, 'SELECT mf_citus()');
my $call = "mf_train('ratings', factors => 16, iterations => %d, distribute => true, tolerance => 0)";
my $train = sub { return sprintf("SELECT version FROM $call", $_[0]) };
# held by next to nothing: the loss of others comes within a second to where it does not fall any more
my $endless = $train->(10000) =~ s{factors => 16}{factors => 64, regularization => 0.0001}r;

# what must not be there after a training that failed: rows, tickets, open or prepared transactions, temporary files
my $left = sub {
	my $found = '';
	for my $n (@nodes)
	{
		for (1 .. 100)
		{
			$found = sql($n, q[SELECT (SELECT count(*) FROM pg_prepared_xacts) || ' prepared, ' || (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND xact_start IS NOT NULL AND pid <> pg_backend_pid() AND query LIKE '%mfrec.%') || ' at work']);
			last if $found eq '0 prepared, 0 at work';
			sleep 0.1;
		}
		return $n->name . ": $found" if $found ne '0 prepared, 0 at work';
		my $files = temporary_files($n);
		return $n->name . ": $files" if $files;
	}
	return sql($node, q[SELECT (SELECT count(*) FROM mfrec.model) || ' models, ' || (SELECT count(*) FROM pg_class WHERE relname LIKE 'ratings\_%\_factors%') || ' tables']);
};

# the session of a node that takes part, as soon as the driver is in a phase
my $taking_part = sub {
	my ($worker) = @_;
	for (1 .. 300)
	{
		my $pid = sql($worker, q[SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'citus_internal%' AND xact_start IS NOT NULL AND query LIKE '%mfrec.node\_%' AND pid <> pg_backend_pid() LIMIT 1]);
		return $pid if $pid;
		sleep 0.02;
	}
	return 0;
};
my $in_sweep = sub {
	for (1 .. 600)
	{
		return 1 if sql($node, q[SELECT count(*) FROM mf_progress WHERE phase = 'sweep' AND iteration > 2]) eq '1';
		sleep 0.05;
	}
	return 0;
};
my $driver = q[SELECT pid FROM pg_stat_activity WHERE query LIKE 'SELECT version FROM mf\_train%' AND pid <> pg_backend_pid()];

# ends the session of a node in which a training is, in a step or between two
my $end_session = sub {
	my ($worker) = @_;
	for (1 .. 300)
	{
		return if sql($worker, q[SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name LIKE 'citus_internal%' AND xact_start IS NOT NULL AND pid <> pg_backend_pid()]) ne '0';
		sleep 0.02;
	}
	return;
};

# a lock on a shard stops a training where it comes to it
my $lock_shard = sub {
	my ($worker, $table) = @_;
	my ($shard) = split /\n/, sql($worker, "SET citus.override_table_visibility = off; SELECT relname FROM pg_class WHERE relname ~ '^${table}_[0-9]+\$' AND relkind = 'r' ORDER BY 1");
	my $session = open_session($worker);
	ask($session, "SET citus.override_table_visibility = off; SET citus.enable_manual_changes_to_shards = on; BEGIN; LOCK TABLE $shard IN ACCESS EXCLUSIVE MODE");
	is($session->{err}, '', "locked $shard");
	return $session;
};
my $fails = sub {
	my ($run, $error, $how) = @_;
	my ($status, $out, $err) = finish_sql($run);
	like($err, $error, "$how: an error");
	is($left->(), '0 models, 0 tables', "$how: nothing is left");
	return;
};

# in the read
my $locked = $lock_shard->($workers[0], 'ratings');
my $run = start_sql($node, $endless);
ok($taking_part->($workers[0]), 'reading');
sql($node, "SELECT pg_cancel_backend(pid) FROM ($driver) x");
$fails->($run, qr/canceling statement/, 'cancelled in the read');
$run = start_sql($node, $endless);
my $pid = $taking_part->($workers[0]);
sql($workers[0], "SELECT pg_terminate_backend($pid)");
$fails->($run, qr/ERROR/, 'a session of a node ended in the read');
close_session($locked);

# what nodes have read is seen there, from the first report on, and goes with the training
sql($node, <<'SQL');
CREATE TABLE slow (user_id int, item_id int, rating real);
SELECT create_distributed_table('slow', 'user_id', colocate_with => 'none', shard_count => 3);
INSERT INTO slow SELECT u, i, 3 FROM generate_series(1, 30000) u, generate_series(1, 80) i;
SQL
# a node waits for its shard, and the others have read theirs
$locked = $lock_shard->($workers[0], 'slow');
$run = start_sql($node, "SELECT version FROM mf_train('slow', model => 'ratings', factors => 2, iterations => 1, distribute => true)");
ok($workers[1]->poll_query_until('postgres', "SELECT count(*) = 1 FROM mf_progress WHERE model = 'ratings' AND phase = 'read' AND rows_read >= 500000"), 'rows that a node has read');
is(sql($workers[0], 'SELECT model, phase, rows_read FROM mf_progress'), 'ratings|read|0', 'another one waits');
is(sql($node, 'SELECT phase, rows_read >= 500000 AND rows_read < 2400000 FROM mf_progress'), 'read|t', 'so does the whole, which says what nodes have read');
sql($node, q[CREATE ROLE watcher LOGIN]);
is(sql($node, 'SET ROLE watcher; SELECT rows_read >= 500000 FROM mf_progress'), 't', 'to others, too');
sql($node, "SELECT pg_cancel_backend(pid) FROM ($driver) x");
$fails->($run, qr/canceling statement/, 'cancelled when some had read');
is(join(' ', everywhere(\@nodes, 'SELECT count(*) FROM mf_progress')), '0 0 0 0', 'which no node tells of any more');
close_session($locked);

# while nodes count rows by their times, of which the newest are held out, and sort them
sql($node, 'ALTER TABLE slow ADD COLUMN at bigint');
sql($node, 'UPDATE slow SET at = hashint8(user_id * 1000 + item_id)');
my $newest = "SELECT version FROM mf_train('slow', model => 'ratings', factors => 96, iterations => 10000, tolerance => 0, validation => 0.1, feedback => 'implicit', rating_column => NULL, time_column => 'at', distribute => true)";
$run = start_sql($node, $newest);
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM mf_progress WHERE phase IN ('sort', 'sweep')"), 'rows are counted by time');
sql($node, "SELECT pg_cancel_backend(pid) FROM ($driver) x");
$fails->($run, qr/canceling statement due to user request/, 'cancelled when rows are counted by time');
# timeouts from the read until sweeps have begun
$fails->(start_sql($node, "SET statement_timeout = '${_}ms'; $newest"), qr/statement timeout/, "a timeout after $_ ms") for 600, 900, 1200, 1500, 2000;
sql($node, 'DROP TABLE slow');

# in half-sweeps: cancelled, a node's session ended, the driver's session ended, a timeout
$run = start_sql($node, $endless);
ok($in_sweep->(), 'sweeping');
sql($node, "SELECT pg_cancel_backend(pid) FROM ($driver) x");
$fails->($run, qr/canceling statement due to user request/, 'cancelled in half-sweeps');
for my $worker (@workers)
{
	$run = start_sql($node, $endless);
	ok($in_sweep->(), 'sweeping');
	$end_session->($worker);
	# Citus passes on what a node says at its end as it was said, which may be FATAL
	$fails->($run, qr/ERROR|FATAL:  terminating connection due to administrator command/, 'a session of a node ended in half-sweeps');
}
$run = start_sql($node, $endless);
ok($in_sweep->(), 'sweeping');
sql($node, "SELECT pg_terminate_backend(pid) FROM ($driver) x");
$fails->($run, qr/terminating connection/, "the driver's session ended");
$fails->(start_sql($node, "SET statement_timeout = '1s'; $endless"), qr/statement timeout/, 'a timeout');

# the same by attributes of items, which are tried when sweeps have begun, with rows held out
sql($node, q[CREATE TABLE about AS SELECT i AS item_id, 'kind ' || i % 7 AS kind FROM generate_series(1, 230) i]);
my $tried = $endless =~ s/tolerance => 0/tolerance => 0, item_features => 'about'/r;
$run = start_sql($node, $tried);
ok($in_sweep->(), 'sweeping');
$end_session->($workers[1]);
$fails->($run, qr/ERROR|FATAL:  terminating connection due to administrator command/, 'a session of a node ended by attributes of items');
$run = start_sql($node, $tried =~ s/item_features/validation => 0.1, item_features/r);
ok($in_sweep->(), 'sweeping');
sql($node, "SELECT pg_cancel_backend(pid) FROM ($driver) x");
$fails->($run, qr/canceling statement due to user request/, 'cancelled with rows held out');

# rolled back, to a savepoint too
my $session = open_session($node);
ask($session, 'BEGIN; ' . $train->(2) . '; ROLLBACK');
is($left->(), '0 models, 0 tables', 'rolled back');
is(ask($session, 'BEGIN; SAVEPOINT s; ' . $train->(2) . '; ROLLBACK TO s; SELECT count(*) FROM mfrec.model; ' . $train->(2) . '; COMMIT'), "1\n0\n1",
	'rolled back to a savepoint, and trained again');
is($session->{err}, '', 'without an error');
my $lists = lists_sql('ratings');
my $first = sql($node, $lists);
same_everywhere(\@nodes, $lists, $first, 'which all nodes serve');
close_session($session);

# from here on there is a version to keep
my $kept = sub {
	my ($how) = @_;
	is(sql($node, q[SELECT string_agg(version::text, ' ') FROM mfrec.model_version] ), '1', "$how: no other version");
	is(sql($node, q[SELECT string_agg(DISTINCT version::text, ' ') FROM ratings_user_factors]), '1', "$how: no rows of one");
	same_everywhere(\@nodes, $lists, $first, "$how: lists are as before");
	return;
};

# while the version that serves is measured on nodes, for a guard: in the last iteration, and behind it
my $again = "SELECT version FROM mf_retrain('ratings', guard => 0.2, distribute => true)";
for my $wait (0 .. 3)
{
	$run = start_sql($node, "BEGIN; $again; SELECT pg_sleep(100)");
	# or done with that before anybody has looked
	ok($node->poll_query_until('postgres', q[SELECT EXISTS (SELECT FROM mf_progress WHERE iteration >= 2) OR
		EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query LIKE 'BEGIN; SELECT version FROM mf\_retrain%')]), 'sweeping');
	sleep 0.03 * $wait;
	sql($node, q[SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN; SELECT version FROM mf\_retrain%' AND pid <> pg_backend_pid()]);
	like((finish_sql($run))[2], qr/canceling statement due to user request/, 'cancelled about when the version that serves is measured');
	$kept->('then');
}
for my $timeout (200, 300, 400, 600)
{
	like((finish_sql(start_sql($node, "SET statement_timeout = '${timeout}ms'; BEGIN; $again; SELECT pg_sleep(100)")))[2], qr/statement timeout/, 'a timeout of a guarded training');
	$kept->("a timeout after $timeout ms");
}

# while users are stored
$locked = $lock_shard->($workers[1], 'ratings_user_factors');
$run = start_sql($node, $train->(2));
for (1 .. 200)
{
	$pid = sql($workers[1], q[SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' LIMIT 1]);
	last if $pid;
	sleep 0.05;
}
ok($pid, 'a node waits');
sql($workers[1], "SELECT pg_terminate_backend($pid)") if $pid;
like((finish_sql($run))[2], qr/ERROR/, 'a session of a node ended where it writes');
close_session($locked);
$kept->('ended where it writes');

# after all is stored, before it commits: no session on a node, so none commits
$session = open_session($node);
ask($session, 'BEGIN; ' . $train->(2));
$end_session->($workers[2]);
ask($session, 'COMMIT');
like($session->{err}, qr/ERROR|WARNING/, 'a session of a node ended before the commit');
close_session($session);
$kept->('ended before the commit');

# shards stay where they are until the end
$session = open_session($node);
ask($session, 'BEGIN; ' . $train->(2));
my ($shard) = split /\n/, sql($node, "SELECT shardid FROM citus_shards WHERE table_name = 'ratings'::regclass AND nodeport = " . $workers[0]->port . ' ORDER BY 1');
my $move = sprintf("SELECT citus_move_shard_placement(%d, '127.0.0.1', %d, '127.0.0.1', %d, 'block_writes')", $shard, $workers[0]->port, $workers[1]->port);
like(error_of($node, "SET lock_timeout = '1s'; $move"), qr/55P03/, 'a shard waits with its move');
is(sql($node, 'INSERT INTO ratings VALUES (5000, 1, 3); SELECT count(*) FROM ratings WHERE user_id = 5000'), '1', 'writers of the source do not wait');
ask($session, 'ROLLBACK');
close_session($session);
sql($node, $move);
$kept->('a shard moved');
sql($node, 'DELETE FROM ratings WHERE user_id = 5000');
is(sql($node, $train->(2)), '2', 'trained after a move');
same_everywhere(\@nodes, $lists, sql($node, $lists), 'lists of all nodes then');

# a worker's server dies in half-sweeps
$first = sql($node, $lists);
$run = start_sql($node, $endless);
ok($in_sweep->(), 'sweeping');
$workers[2]->stop('immediate');
like((finish_sql($run))[2], qr/ERROR/, 'a node died');
$workers[2]->start;
is(sql($node, q[SELECT max(version) FROM mfrec.model_version]), '2', 'no other version');
same_everywhere(\@nodes, $lists, $first, 'lists are as before');

# the coordinator's server dies
$run = start_sql($node, $endless);
ok($in_sweep->(), 'sweeping');
$node->stop('immediate');
finish_sql($run);
$node->start;
for (1 .. 100)
{
	last if sql($workers[0], q[SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'citus_internal%' AND xact_start IS NOT NULL AND query LIKE '%mfrec.%' AND pid <> pg_backend_pid()]) eq '0';
	sleep 0.1;
}
is(join(' ', everywhere(\@nodes, 'SELECT count(*) FROM pg_prepared_xacts')), '0 0 0 0', 'nothing is prepared after the coordinator died');
same_everywhere(\@nodes, $lists, $first, 'and lists are as before');
is(sql($node, $train->(2)), '3', 'trained again');
done_testing();
