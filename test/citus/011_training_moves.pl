# Trainings on nodes beside shards that are split, moved and rebalanced: these wait for the end, and lists stay right.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('moves');
my ($node, @workers) = @nodes;
make_ratings($node, 'ratings', "SELECT create_distributed_table('ratings', 'user_id')", users => 600, items => 80);
sql($node, 'SELECT mf_citus()');
my $train = q[SELECT version FROM mf_train('ratings', factors => 6, iterations => 3, distribute => true)];
sql($node, $train);
my $lists = lists_sql('ratings');
my $loss = sub { return sql($node, q[SELECT loss FROM mfrec.model_version ORDER BY version DESC LIMIT 1]) };
my $first_loss = $loss->();

# a statement waits for a training in an open transaction, runs once that has ended, and lists are right after it
my $beside = sub {
	my ($statement, $end, $how) = @_;
	my $session = open_session($node);
	ask($session, "BEGIN; $train");
	is($session->{err}, '', "$how: trained in an open transaction");
	like(error_of($node, "SET lock_timeout = '1s'; SET statement_timeout = '3s'; $statement"), qr/55P03|57014|timeout/, "$how: it waits");
	ask($session, $end);
	close_session($session);
	my $before = sql($node, $lists);
	same_everywhere(\@nodes, $lists, $before, "$how: the same lists everywhere after $end");
	sql($node, $statement);
	same_everywhere(\@nodes, $lists, $before, "$how: lists are as before");
	sql($node, $train);
	ok(abs($loss->() - $first_loss) < 1e-5 * $first_loss, "$how: trained again, to the same loss") or diag($loss->() . ", $first_loss");
	same_everywhere(\@nodes, $lists, sql($node, $lists), "$how: the same lists everywhere then");
	return;
};
my $shards = sub {
	my ($worker) = @_;
	return split /\n/, sql($node, "SELECT shardid FROM citus_shards WHERE table_name = 'ratings'::regclass AND nodeport = " . $worker->port . ' ORDER BY 1');
};
my @ids = split /\n/, sql($node, q[SELECT nodeid FROM pg_dist_node WHERE groupid > 0 ORDER BY 1]);

# a shard becomes two, on two nodes
my ($shard) = $shards->($workers[0]);
my $middle = sql($node, "SELECT (shardminvalue::bigint + shardmaxvalue::bigint) / 2 FROM pg_dist_shard WHERE shardid = $shard");
$beside->("SELECT citus_split_shard_by_split_points($shard, ARRAY['$middle'], ARRAY[$ids[0], $ids[1]], 'block_writes')", 'COMMIT', 'a split');
is(sql($node, q[SELECT count(*) FROM pg_dist_shard WHERE logicalrelid = 'ratings'::regclass]), '9', 'which has made one shard more');

# a shard moves, and then shards are put where there are few
my ($from, $to) = map { $_->port } @workers[0, 2];
my ($first, @others) = $shards->($workers[0]);
my $move = "SELECT citus_move_shard_placement(%d, '127.0.0.1', $from, '127.0.0.1', $to, 'block_writes')";
$beside->(sprintf($move, $first), 'ROLLBACK', 'a move');
sql($node, sprintf($move, $_)) for @others;
is(scalar(() = $shards->($workers[0])), 0, 'a node has no shard any more');
$beside->(q[SELECT rebalance_table_shards('ratings', shard_transfer_mode => 'block_writes')], 'COMMIT', 'a rebalance');
cmp_ok(scalar(() = $shards->($workers[0])), '>', 0, 'a node has shards again');
done_testing();
