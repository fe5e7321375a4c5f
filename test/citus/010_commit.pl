# Trainings on nodes whose servers die between PREPARE and COMMIT: all nodes have the new version, or none.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;
use Time::HiRes qw(sleep);

my @nodes = new_cluster('commit');
my ($node, @workers) = @nodes;
make_ratings($node, 'ratings', "SELECT create_distributed_table('ratings', 'user_id')", users => 600, items => 80);
sql($node, 'SELECT mf_citus()');
my $seed = 0;
my $train = sub { $seed++; return "SELECT version FROM mf_train('ratings', factors => 6, iterations => 2, seed => $seed, distribute => true)" };
sql($node, $train->());
my $lists = lists_sql('ratings', 'fresh => false');
my $served = sql($node, $lists);
same_everywhere(\@nodes, $lists, $served, 'lists of the first version');

# nodes have stored their copies of items themselves, which are those of a training on one node
sql($node, "SELECT FROM mf_train('ratings', model => 'brought', factors => 6, iterations => 2, seed => $seed, distribute => false)");
my $items = "SELECT md5(string_agg(i::text, ' ' ORDER BY item_id)) FROM %s_item_factors i";
same_everywhere(\@nodes, sprintf($items, 'ratings'), sql($node, sprintf($items, 'brought')), 'items');
sql($node, "SELECT mf_drop('brought')");

# A server that waits for a standby that there is not does so after it has prepared or committed, and before it says so.
my $wait_in = sub {
	my ($server, $name) = @_;
	$server->append_conf('postgresql.conf', "synchronous_standby_names = '$name'\n");
	$server->reload if -e $server->data_dir . '/postmaster.pid';
	return;
};
my $waits = sub {
	my ($server) = @_;
	for (1 .. 300)
	{
		return 1 if sql($server, q[SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep']) ne '0';
		sleep 0.05;
	}
	return 0;
};
my $prepared = sub { return join ' ', map { sql($_, 'SELECT count(*) FROM pg_prepared_xacts') } @workers };
my $all_prepared = sub {
	for (1 .. 300)
	{
		return 1 if $prepared->() eq '1 1 1';
		sleep 0.05;
	}
	return 0;
};

# what Citus does every minute, until nothing is left to do
my $recover = sub {
	for (1 .. 100)
	{
		sql($node, 'SELECT recover_prepared_transactions()');
		return 1 if $prepared->() eq '0 0 0';
		sleep 0.1;
	}
	return 0;
};
my $versions = q[SELECT string_agg(version::text, ' ' ORDER BY version) FROM mfrec.model_version];
my $rows = q[SELECT string_agg(DISTINCT version::text, ' ') FROM ratings_user_factors];
my $check = sub {
	my ($expected, $how) = @_;
	ok($recover->(), "$how: nothing is left prepared");
	same_everywhere(\@nodes, $versions, $expected, "$how: versions");
	is(sql($node, $rows), $expected, "$how: users' rows are of the same");
	my $now = sql($node, $lists);
	same_everywhere(\@nodes, $lists, $now, "$how: the same lists everywhere");
	return $now;
};

# the coordinator dies when nodes have prepared, and it has not committed
$wait_in->($workers[2], 'nobody');
my $run = start_sql($node, $train->());
ok($all_prepared->(), 'all nodes have prepared');
ok($waits->($workers[2]), 'and one of them has not said so');
$node->stop('immediate');
finish_sql($run);
$wait_in->($workers[2], '');
$node->start;
is($check->('1', 'the coordinator died before its commit'), $served, 'lists are those of before');

# it dies when it has committed, and has told nobody
$wait_in->($node, 'nobody');
$run = start_sql($node, $train->());
ok($all_prepared->(), 'all nodes have prepared');
ok($waits->($node), 'the coordinator has committed');
$node->stop('immediate');
finish_sql($run);
$wait_in->($node, '');
$node->start;
isnt($check->('1 2', 'the coordinator died after its commit'), $served, 'lists are those of the new version');

# a node dies that has prepared, while another one is about to
$wait_in->($workers[2], 'nobody');
$run = start_sql($node, $train->());
ok($all_prepared->(), 'all nodes have prepared');
$workers[0]->stop('immediate');
$workers[0]->start;
$wait_in->($workers[2], '');
finish_sql($run);
$check->('2 3', 'a node died between');
is(sql($node, $train->()), '4', 'and the next training works');
done_testing();
