# Nodes that die, come back, are new or go, and shards that move: lists are right afterwards, and nothing is done by halves.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('faults');
my ($node, @workers) = @nodes;
make_ratings($node, 'ratings', "SELECT create_distributed_table('ratings', 'user_id')");
sql($node, <<'SQL');
CREATE TABLE people AS SELECT DISTINCT user_id FROM ratings;
SELECT create_distributed_table('people', 'user_id', colocate_with => 'ratings');
SELECT mf_citus();
SELECT mf_train('ratings', factors => 4);
SQL
my $lists = lists_sql('ratings');
my $all = q[SELECT count(*), sum(item_id), count(DISTINCT reason) FROM people u, LATERAL mf_recommend(u.user_id, 3, 'ratings') r];
my ($right, $all_right) = map { sql($node, $_) } $lists, $all;
my @sessions = map { open_session($_) } @nodes;
ask($_, $lists) for @sessions;
sub check_all
{
	my ($how, @asked) = @_;
	is(join('|', map { ask($_, $lists) } @asked), join('|', ($right) x @asked), "$how: lists of open sessions");
	same_everywhere(\@nodes, $lists, $right, "$how: lists");
	is(sql($node, $all), $all_right, "$how: lists where users live");
	return;
}
check_all('to begin with', @sessions);

# shards that move while sessions are open, and in the middle of a query and of a training
my $shards = "SELECT shardid FROM citus_shards WHERE table_name = 'ratings'::regclass AND nodeport = %d ORDER BY shardid";
my $move = sub {
	my ($from, $to, $mode) = @_;
	my ($shard) = split /\n/, sql($node, sprintf($shards, $from->port));
	return sprintf("SELECT citus_move_shard_placement(%d, '127.0.0.1', %d, '127.0.0.1', %d, '%s')", $shard, $from->port, $to->port, $mode);
};
sql($node, $move->($workers[0], $workers[1], 'block_writes'));
check_all('a shard moved', @sessions);
sql($node, $move->($workers[1], $workers[2], 'force_logical'));
check_all('a shard moved online', @sessions);
sql($node, $move->($workers[2], $workers[0], 'block_writes')) for 1 .. 2;
check_all('shards moved back', @sessions);
my $slow = start_sql($node, "SELECT count(*), sum(item_id), count(DISTINCT reason) FROM people u, LATERAL mf_recommend(u.user_id, 3, 'ratings') r WHERE pg_sleep(0.005) IS NOT NULL");
my $moved = start_sql($node, $move->($workers[0], $workers[2], 'force_logical'));
my ($status, $out, $err) = finish_sql($slow);
is($out . $err, "$all_right\n", 'a query of lists while a shard moves');
($status, $out, $err) = finish_sql($moved);
is($err, '', 'which it does');
check_all('moved in the middle of a query', @sessions);
# lists of distributed users that are cancelled, or take too long: on workers, too
my $long = "SELECT /* lists */ count(*) FROM people u, LATERAL mf_recommend(u.user_id, 3, 'ratings') r WHERE pg_sleep(0.05) IS NOT NULL";
my $asks = q[SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%mf\_recommend(u.user_id%pg\_sleep%' AND state = 'active' AND pid <> pg_backend_pid()];
my $run = start_sql($node, $long);
ok($_->poll_query_until('postgres', $asks =~ s/count\(\*\)/count(*) > 0/r), 'lists are made') for @workers;
sql($node, q[SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT /* lists */%']);
like((finish_sql($run))[2], qr/canceling statement due to user request/, 'cancelled when lists are made');
like((finish_sql(start_sql($node, "SET statement_timeout = '500ms'; $long")))[2], qr/statement timeout/, 'lists that take too long');
ok($_->poll_query_until('postgres', $asks =~ s/count\(\*\)/count(*) = 0/r), 'no node goes on') for @nodes;
check_all('cancelled lists', @sessions);
ask($sessions[0], 'BEGIN');
ask($sessions[0], "SELECT mf_retrain('ratings')");
my $waits = start_sql($node, 'SET lock_timeout = 2000; ' . $move->($workers[1], $workers[0], 'block_writes'));
finish_sql($waits);
is(ask($sessions[0], 'COMMIT; SELECT version FROM mfrec.model'), '2', 'retrained while a shard was to move');
is($sessions[0]{err}, '', 'without an error');
($right, $all_right) = map { sql($node, $_) } $lists, $all;
check_all('moved in the middle of a training', @sessions);
is(sql($node, 'SELECT count(*), count(DISTINCT user_id) FROM ratings_user_factors WHERE version = 2'), '300|300', 'all users are stored');

# a user who was erased stays erased wherever the shard goes
sql($node, "SELECT mf_forget(5, 'ratings'); DELETE FROM ratings WHERE user_id = 5; DELETE FROM people WHERE user_id = 5");
my $erased = q[SELECT min(reason) FROM mf_recommend(5, 3, 'ratings')];
same_everywhere(\@nodes, $erased, 'popular', 'erased');
my $home = sql($node, "SELECT shardid || ' ' || nodeport FROM citus_shards WHERE shardid = get_shard_id_for_distribution_column('ratings', 5)");
my ($shard, $port) = split / /, $home;
for my $to (grep { $_->port != $port } @workers)
{
	sql($node, "SELECT citus_move_shard_placement($shard, '127.0.0.1', $port, '127.0.0.1', " . $to->port . ", 'block_writes')");
	$port = $to->port;
	is(join('|', map { ask($_, $erased) } @sessions), 'popular|popular|popular|popular', 'erased, moved');
}
($right, $all_right) = map { sql($node, $_) } $lists, $all;

# a node that is down: others serve whom they have; what needs it is an error, and nothing is half done
close_session(pop @sessions);
my $down = $workers[2];
my $there = sql($node, "SELECT user_id FROM people WHERE get_shard_id_for_distribution_column('people', user_id) IN (SELECT shardid FROM citus_shards WHERE nodeport = @{[ $down->port ]}) ORDER BY 1 LIMIT 1");
my $here = sql($node, "SELECT user_id FROM people WHERE get_shard_id_for_distribution_column('people', user_id) IN (SELECT shardid FROM citus_shards WHERE nodeport = @{[ $workers[0]->port ]}) ORDER BY 1 LIMIT 1");
my $of = sub { return "SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_recommend($_[0], 3, 'ratings')"; };
my $of_here = sql($node, $of->($here));
my $of_there = sql($node, $of->($there));
$down->stop('immediate');
for (0 .. 2)
{
	is(sql($nodes[$_], $of->($here)), $of_here, "a node is down: node $_ serves whom others have");
	like(error_of($nodes[$_], $of->($there)), qr/ERROR:  \w{5}: .*connection/, '... and not whom that has');
	isnt(sql($nodes[$_], "SELECT string_agg(id::text, '') FROM mf_similar_items(5, 3, 'ratings')"), '', '... and all that needs no user');
}
like(error_of($node, $all), qr/ERROR:  \w{5}: .*connection/, 'lists of all are an error');
like(error_of($node, "SELECT mf_retrain('ratings')"), qr/ERROR:  \w{5}: .*connection/, 'so is a training');
like(error_of($node, "SELECT mf_rollback('ratings')"), qr/ERROR:  \w{5}: .*connection/, 'and a rollback');
like(error_of($node, "SELECT mf_forget($here, 'ratings')"), qr/ERROR:  \w{5}: .*connection/, 'and forgetting');
is(sql($node, 'SELECT version FROM mfrec.model'), '2', 'nothing has changed');
$down->start;
push @sessions, open_session($down);
is(sql($node, $of->($there)), $of_there, 'it is back');
check_all('back', @sessions);

# a node dies while a training runs: at any time, and for sure before it stores
make_ratings($node, 'many', "SELECT create_distributed_table('many', 'user_id')", users => 4000, items => 400);	# seconds of sweeps
my @runs = map { [ "a retraining, try $_", "SELECT pg_sleep(0.03 * $_); SELECT mf_retrain('ratings')" ] } 1 .. 4;
push @runs, [ 'a sweep', "SELECT mf_train('many', model => 'doomed', factors => 64, iterations => 60, tolerance => 0)" ];
for (@runs)
{
	my ($phase, $statement) = @$_;
	my $training = start_sql($node, $statement);
	if ($phase eq 'a sweep')
	{
		ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM mf_progress WHERE phase = 'sweep'"), 'a training sweeps');
	}
	close_session(pop @sessions);
	$down->stop('immediate');
	my ($status, $out, $err) = finish_sql($training);
	$down->start;
	push @sessions, open_session($down);
	sql($node, "SELECT recover_prepared_transactions()");
	ok($status, 'the training fails') if $phase eq 'a sweep';
	is(join(' ', everywhere(\@nodes, 'SELECT count(*) FROM pg_prepared_xacts')), '0 0 0 0', "a node died in $phase: nothing is left prepared");
	my @versions = everywhere(\@nodes, "SELECT string_agg(name || version, ' ' ORDER BY name) FROM mfrec.model");
	is(join('|', @versions), join('|', ($versions[0]) x 4), 'all nodes have the same versions');
	is(sql($node, "SELECT count(*) FROM pg_class WHERE relname ~ '^doomed_'"), '0', 'no table is left');
	($right, $all_right) = map { sql($node, $_) } $lists, $all;
	check_all("a node died in $phase", @sessions);
}

# two nodes train a model at the same time: one after the other
my $before = sql($node, "SELECT version FROM mfrec.model WHERE name = 'ratings'");
my @trainings = map { start_sql($nodes[$_], "SELECT version FROM mf_retrain('ratings')") } 0 .. 2;
my @results = map { [ finish_sql($_) ] } @trainings;
is(join(' ', map { $_->[2] } @results), '  ', 'trainings of one model on three nodes');
is(join(' ', sort map { $_->[1] =~ s/\s//r - $before } @results), '1 2 3', 'one after the other');
($right, $all_right) = map { sql($node, $_) } $lists, $all;
check_all('after them', @sessions);

# a node that is new, a rebalance, and a node that goes
my $new = add_worker($node, 'faults4');
like(error_of($new, $lists), qr/55000: this node has no copy of table mfrec\.model.*replicate_reference_tables/s, 'a new node has no models yet');
sql($node, "SELECT replicate_reference_tables('block_writes')");
is(sql($new, $lists), $right, 'then it has');
push @nodes, $new;
push @sessions, open_session($new);
ask($_, $lists) for @sessions;
sql($node, "SELECT rebalance_table_shards(shard_transfer_mode => 'block_writes')");
cmp_ok(sql($node, "SELECT count(*) FROM citus_shards WHERE table_name = 'ratings'::regclass AND nodeport = " . $new->port), '>', 0, 'it gets shards');
check_all('rebalanced', @sessions);
is(ask($sessions[4], "SELECT count(*) FROM mf_retrain('ratings')"), '1', 'retrained there');
($right, $all_right) = map { sql($node, $_) } $lists, $all;
check_all('by the new node', @sessions);
sql($node, sprintf("SELECT citus_drain_node('127.0.0.1', %d, 'block_writes')", $workers[0]->port));
sql($node, sprintf("SELECT citus_remove_node('127.0.0.1', %d)", $workers[0]->port));
close_session($sessions[1]);
splice @nodes, 1, 1;
splice @sessions, 1, 1;
check_all('a node has gone', @sessions);

close_session($_) for @sessions;
$_->stop('fast') for reverse @nodes, $workers[0];
done_testing();
