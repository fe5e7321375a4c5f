# Nodes that run parts of a query themselves, in the session that asks: Citus on one server, a coordinator that has
# shards, replicated shards; and sessions that are told to run everything through other ones.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('one');
my ($node, @workers) = @nodes;
sql($node, sprintf("SELECT citus_remove_node('127.0.0.1', %d)", $_->port)) for @workers;
sql($node, "SELECT citus_set_node_property('127.0.0.1', @{[ $node->port ]}, 'shouldhaveshards', true)");
make_ratings($node, 'ratings', "SELECT create_distributed_table('ratings', 'user_id')");
sql($node, <<'SQL');
CREATE TABLE people AS SELECT DISTINCT user_id FROM ratings;
SELECT create_distributed_table('people', 'user_id', colocate_with => 'ratings');
SELECT mf_train('ratings', factors => 4);
SQL
my $lists = lists_sql('ratings');
my $right = sql($node, $lists);
my $of_all = q[SELECT md5(string_agg(format('%s:%s', user_id, item_id), ' ' ORDER BY user_id, rank)) FROM people u, LATERAL mf_recommend(u.user_id, 2, 'ratings') r];
my $one_by_one = $of_all =~ s/people u/(SELECT user_id FROM people OFFSET 0) u/r;
my $all = sql($node, $one_by_one);
is(sql($node, $lists), $right, 'one server');
is(sql($node, 'SELECT mf_citus()'), '5', 'mf_citus()');

# What sessions see, and transactions of theirs that change a model.
sub check_node
{
	my ($how, $where, $settings) = @_;
	my $session = open_session($where);
	ask($session, "SET client_min_messages = error; $settings");
	is(ask($session, $lists), $right, "$how: lists");
	is(ask($session, $of_all), $all, "$how: lists where users live");
	is(ask($session, $one_by_one), $all, "$how: and one by one");
	ask($session, 'BEGIN; INSERT INTO ratings VALUES (7000, 5, 5), (7000, 6, 1); INSERT INTO people VALUES (7000)');
	is(ask($session, "SELECT min(reason) FROM mf_recommend(7000, 2, 'ratings')"), 'fresh', "$how: rows of the transaction");
	is(ask($session, "SELECT min(reason) FROM people u, LATERAL mf_recommend(u.user_id, 2, 'ratings') r WHERE user_id = 7000"), 'fresh', "$how: where the user lives");
	isnt(ask($session, "SELECT version FROM mf_retrain('ratings')"), '', "$how: retrained");
	is(ask($session, "SELECT min(reason) FROM mf_recommend(7000, 2, 'ratings', fresh => false)"), 'model', "$how: its version");
	is(ask($session, $of_all), ask($session, $one_by_one), "$how: everywhere");
	is(ask($session, "SELECT mf_forget(7000, 'ratings')"), '1', "$how: forgotten");
	is(ask($session, "SELECT min(reason) FROM mf_recommend(7000, 2, 'ratings', fresh => false)"), 'popular', "$how: at once");
	ask($session, 'ROLLBACK');
	is(ask($session, $lists), $right, "$how: rolled back");
	is($session->{err}, '', "$how: without an error");
	close_session($session);
	return;
}
# The same of a session whose writes go through others: it sees what it has written, and cannot change a model.
sub check_other_sessions
{
	my ($how, $where) = @_;
	my $session = open_session($where);
	ask($session, 'SET client_min_messages = error; SET citus.enable_local_execution = off');
	is(ask($session, $lists), $right, "$how: lists");
	is(ask($session, $of_all), $all, "$how: lists where users live");
	ask($session, 'BEGIN; INSERT INTO ratings VALUES (7000, 5, 5), (7000, 6, 1)');
	is(ask($session, "SELECT min(reason) FROM mf_recommend(7000, 2, 'ratings')"), 'fresh', "$how: rows of the transaction");
	ask($session, "DELETE FROM ratings_user_factors WHERE user_id = 10");
	is(ask($session, "SELECT min(reason) FROM mf_recommend(10, 2, 'ratings', fresh => false)"), 'popular', "$how: and vectors");
	is(ask($session, $lists =~ s/generate_series\(1, 12\)/generate_series(1, 9)/r), $right =~ s/ 10:.*//r, "$how: others have theirs");
	is($session->{err}, '', "$how: without an error");
	ask($session, 'ROLLBACK');
	for my $change ("mf_retrain('ratings')", "mf_forget(1, 'ratings')", "mf_update('ratings')", "mf_refresh('ratings')", "mf_serve('ratings')", "mf_drop('ratings')")
	{
		ask($session, "SELECT $change");
		like($session->{err}, qr/55000: cannot change model "ratings" in this transaction/, "$how: $change");
		$session->{err} = '';
	}
	close_session($session);
	is(sql($node, $lists), $right, "$how: nothing has changed");
	return;
}
check_node('one server', $node, '');
check_other_sessions('one server, other sessions', $node);

# workers join; the coordinator keeps its shards
sql($node, sprintf("SELECT citus_add_node('127.0.0.1', %d)", $_->port)) for @workers[0, 1];
sql($node, "SELECT rebalance_table_shards(shard_transfer_mode => 'block_writes')");
for (0 .. 2)
{
	check_node("node $_ of three", $nodes[$_], '');
	check_other_sessions("node $_ of three, other sessions", $nodes[$_]);
	check_node("node $_ of three, few connections", $nodes[$_], 'SET citus.max_cached_conns_per_worker = 0; SET citus.max_adaptive_executor_pool_size = 1');
}

# shards of which there are two copies, and as few and many as a table can have
for my $case ([ 'twice', "SET citus.shard_replication_factor = 2; SELECT create_distributed_table('%s', 'user_id', shard_count => 4)" ],
	[ 'one', "SELECT create_distributed_table('%s', 'user_id', shard_count => 1, colocate_with => 'none')" ],
	[ 'many', "SELECT create_distributed_table('%s', 'user_id', shard_count => 70, colocate_with => 'none')" ])
{
	my ($name, $distribute) = @$case;
	make_ratings($node, $name, sprintf($distribute, $name));
	sql($node, "SELECT mf_train('$name', factors => 4)");
	sql($node, "CREATE TABLE people_$name AS SELECT DISTINCT user_id FROM $name; SET citus.shard_replication_factor = @{[ $name eq 'twice' ? 2 : 1 ]};
		SELECT create_distributed_table('people_$name', 'user_id', colocate_with => '$name')");
	same_everywhere([ @nodes[0 .. 2] ], lists_sql($name), $right, "$name: lists");
	is(sql($nodes[$_], $of_all =~ s/people/people_$name/r =~ s/'ratings'/'$name'/r), $all, "$name: where users live, from node $_") for 0 .. 2;
	is(sql($nodes[1], "SELECT mf_forget(3, '$name')"), '1', "$name: forgotten");
	same_everywhere([ @nodes[0 .. 2] ], "SELECT min(reason) FROM mf_recommend(3, 2, '$name', fresh => false)", 'popular', "$name: everywhere");
	is(sql($nodes[2], "SELECT version FROM mf_retrain('$name')"), '2', "$name: retrained");
	same_everywhere([ @nodes[0 .. 2] ], "SELECT min(reason) FROM mf_recommend(3, 2, '$name', fresh => false)", 'model', "$name: back everywhere");
	sql($node, "SELECT mf_drop('$name')");
}

$_->stop('fast') for reverse @nodes;
done_testing();
