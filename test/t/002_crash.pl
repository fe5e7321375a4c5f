# kill -9 at any moment of a training, of its backend, of the postmaster or of both: after recovery there
# is what was committed and nothing else, it serves, and the next training works.
#
# Moments are random: in each phase, after a part of the time that the phase took undisturbed.  Each one
# is tried a few times over with MFREC_TEST_ALL.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $moments = $ENV{MFREC_TEST_ALL} ? 54 : 6;
my @phases = ('read', 'sort', 'sweep', 'store', 'switch', 'publish');
my @victims = ('backend', 'postmaster', 'both');
note('seed ' . srand);

my $node = new_node('crash');
$node->append_conf('postgresql.conf', "restart_after_crash = on\n");
$node->reload;
define_wrong_list($node);
$node->safe_psql('postgres', <<'SQL');
ALTER DATABASE postgres SET maintenance_work_mem = '1MB';
CREATE TABLE ratings AS SELECT n, (n * 7919 % 8009)::int AS user_id, (n * 104729 % 2003 * (n * 31 % 17 + 1) % 2003)::int AS item_id,
	(n * 13 % 5 + 1)::real AS rating FROM generate_series(1::bigint, 150000) n;
CREATE INDEX ON ratings (user_id);
CREATE TABLE items AS SELECT item_id, item_id % 9 AS n, 'words of ' || item_id % 7 || ' and ' || item_id % 101 AS title,
	(SELECT array_agg(sin(item_id * k))::real[] FROM generate_series(1, 64) k) AS v FROM (SELECT DISTINCT item_id FROM ratings) r;
SQL

# Trainings of a new model, and of one that is there.
my %train = (new => "SELECT version FROM mf_train('ratings', 'new', factors => 32, iterations => 4, item_features => 'items')",
	kept => "SELECT version FROM mf_train('ratings', 'kept', factors => 32, iterations => 4, item_features => 'items')");
$node->safe_psql('postgres', "$train{kept}; CHECKPOINT");

# A training that says, without delay, who it is, what phase begins and that it has committed; then it does
# something else.
sub start_training
{
	my ($model, $then) = @_;
	my $run = start_sql($node, <<"SQL");
SET client_min_messages = debug1;
DO \$\$ BEGIN RAISE NOTICE 'the pid is %', pg_backend_pid(); END \$\$;
BEGIN;
$train{$model};
COMMIT;
DO \$\$ BEGIN RAISE NOTICE 'it has committed'; END \$\$;
$then;
SQL
	$run->{handle}->pump until $run->{err} =~ /the pid is (\d+)\n/;
	$run->{pid} = $1;
	$run->{images} = { map { $_ => 1 } images() };
	return $run;
}

sub images
{
	return glob($node->data_dir . '/base/pgsql_tmp/pgsql_tmp_mfrec.*');
}

# Waits until a phase begins.  The last one begins with the file of an image, before the commit.
sub await_phase
{
	my ($run, $phase) = @_;
	if ($phase eq 'publish')
	{
		await_phase($run, 'switch');
		$run->{handle}->pump_nb until $run->{err} =~ /it has committed/ || grep { !$run->{images}{$_} } images();
		return;
	}
	$run->{handle}->pump until $run->{err} =~ /phase $phase begins/;
	return;
}

# How long phases take when nothing happens; the last one ends with the commit.
my %lasts;
my $undisturbed = start_training('kept', 'SELECT 1');
my $began = time;
for my $i (0 .. $#phases)
{
	await_phase($undisturbed, $phases[$i]);
	$lasts{ $phases[ $i - 1 ] } = time - $began if $i > 0;
	$began = time;
}
finish_sql($undisturbed);
$lasts{publish} = time - $began;
note(join(', ', map { sprintf('%s %.0f ms', $_, 1000 * $lasts{$_}) } @phases));

# The versions of a model that are whole: as many users and items as the bookkeeping says.
sub versions
{
	my ($model) = @_;
	return $node->safe_psql('postgres', <<"SQL");
SELECT string_agg(version || CASE WHEN users = (SELECT count(*) FROM ${model}_user_factors u WHERE u.version = v.version)
		AND items = (SELECT count(*) FROM ${model}_item_factors i WHERE i.version = v.version) THEN '' ELSE ' in part' END, ',' ORDER BY version)
	|| ' of ' || (SELECT string_agg(version::text, ',' ORDER BY version) FROM (SELECT DISTINCT version FROM ${model}_user_factors) d) FROM mfrec.model_version v WHERE model = '$model'
SQL
}

# Kills, waits until the server is back, and returns whether the training had said that it has committed.
sub kill_server
{
	my ($run, $victim) = @_;
	my $logged = -s $node->logfile;
	if ($victim eq 'backend')
	{
		kill('KILL', $run->{pid});
		finish_sql($run);
		is_back($node, $logged) or BAIL_OUT('the server does not come back');
		return $run->{err} =~ /it has committed/;
	}

	# who is left alone trains on to the end, and keeps the next server from starting
	my ($server) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
	my @processes = ($server, split(' ', `ps --ppid $server -o pid=`));
	$node->kill9;
	kill('KILL', $run->{pid}) if $victim eq 'both';
	finish_sql($run);
	for (1 .. 1800)
	{
		last if !kill(0, @processes);
		sleep(0.1);
	}
	$node->start;
	return $run->{err} =~ /it has committed/;
}

my $serving = $node->safe_psql('postgres', "SELECT version FROM mfrec.model WHERE name = 'kept'");
my %committed;
for my $moment (0 .. $moments - 1)
{
	my $round = int($moment / @phases);
	my $phase = $phases[ $moment % @phases ];
	my $victim = $victims[ ($moment + $round) % @victims ];
	my $model = ($moment + int($round / 3)) % 2 ? 'kept' : 'new';
	my $after = rand($lasts{$phase});
	my $what = sprintf('%s killed %.1f ms into %s of %s', $victim, 1000 * $after, $phase, $model);
	my $before = $node->safe_psql('postgres', fingerprint_sql('kept'));

	my $run = start_training($model, 'SELECT pg_sleep(100)');
	await_phase($run, $phase);
	sleep($after);
	my $said = kill_server($run, $victim);
	my $now = $node->safe_psql('postgres', "SELECT max(version) FROM mfrec.model WHERE name = '$model'");
	my $done = $now ne ($model eq 'kept' ? $serving : '');
	$committed{$done}++;

	ok($done, "$what: what it said to be committed is") if $said;
	is(temporary_files($node) . $node->safe_psql('postgres', "SELECT string_agg(model, ',') FROM mf_progress"), '', "$what: no files");
	is(leftovers($node, 'new'), '', "$what: nothing in the catalog") if $model eq 'new' && !$done;
	is($node->safe_psql('postgres', fingerprint_sql('kept')), $before, "$what: the version before is as it was") if $model ne 'kept' || !$done;
	$serving++ if $model eq 'kept' && $done;
	for my $there ('kept', $done ? $model : ())
	{
		my $latest = $there eq 'kept' ? $serving : 1;
		my $versions = $latest > 1 ? ($latest - 1) . ",$latest" : $latest;
		is(versions($there), "$versions of $versions", "$what: versions of $there are whole");
		is($node->safe_psql('postgres', "SELECT string_agg(wrong_list('$there', u, 5), '') FROM generate_series(1, 9000, 1500) u"), '',
			"$what: $there serves");
	}
	$serving++;
	is($node->safe_psql('postgres', "SELECT version FROM mf_retrain('kept')"), $serving, "$what: kept trains on");
	is($node->safe_psql('postgres', $train{new}), '1', "$what: the name is free") if $model eq 'new' && !$done;
	$node->safe_psql('postgres', "SELECT mf_drop('new')") if $model eq 'new';
}
note(sprintf('%d trainings had committed, %d had not', $committed{1} // 0, $committed{''} // 0));

# an immediate shutdown after a training that has not committed
my $before = $node->safe_psql('postgres', fingerprint_sql('kept'));
my $run = start_sql($node, "BEGIN; $train{new}; SELECT pg_sleep(100)");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
$node->stop('immediate');
finish_sql($run);
$node->start;
is(leftovers($node, 'new'), '', 'a crash before the commit leaves nothing');
is($node->safe_psql('postgres', fingerprint_sql('kept')), $before, 'a crash after the commit leaves all');
is($node->safe_psql('postgres', $train{new}), '1', 'the name is free');
$node->stop;

done_testing();
