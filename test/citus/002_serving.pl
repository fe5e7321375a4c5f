# After mf_citus() every node serves: the same lists on all, and whatever node changes a model, all see it.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('serving');
my ($node, @workers) = @nodes;
make_ratings($node, 'at_home');
make_ratings($node, 'by_user', "SELECT create_distributed_table('by_user', 'user_id')");
make_ratings($node, 'by_item', "SELECT create_distributed_table('by_item', 'item_id')");
sql($node, <<'SQL');
CREATE TABLE people AS SELECT DISTINCT user_id FROM at_home;
SELECT create_distributed_table('people', 'user_id', colocate_with => 'by_user');
CREATE TABLE kinds AS SELECT item_id AS id, item_id % 7 AS kind, (item_id % 3 = 0)::int AS boost FROM (SELECT DISTINCT item_id FROM at_home) i;
SELECT create_reference_table('kinds');
CREATE TABLE aside AS SELECT * FROM at_home WHERE user_id <= 50;
SQL

# models of before are moved, with what they answer
sql($node, "SELECT mf_train('by_user', factors => 4), mf_train('aside', factors => 4), mf_train('at_home', factors => 4)");
sql($node, "SELECT mf_retrain('by_user')");
my $lists = sql($node, lists_sql('by_user'));
like($lists, qr/^1:\d+:[\d.]+:model 1:/, 'lists before');
is(sql($workers[0], "SELECT count(*) FROM mf_models"), '0', 'a worker knows no model');
like(error_of($workers[0], 'SELECT mf_citus()'), qr/0A000: mf_citus\(\) must be called on the coordinator/, 'a worker cannot begin');

# models of tenants are of one node: trained there, also on a source of Citus's, and an error where all nodes serve
make_ratings($node, 'shops', "ALTER TABLE shops ADD shop int; UPDATE shops SET shop = user_id % 3; SELECT create_distributed_table('shops', 'user_id')");
is(sql($node, "SELECT count(*), count(failed) FROM mf_train_each('shops', by => 'shop', factors => 4)"), '3|0', 'models of tenants on a distributed source');
is(sql($node, "SELECT count(*) FROM mf_recommend(4, 3, mf_tenant('shops', 1))"), '3', 'and a list of one');
is(sql($node, "SELECT users, ratings FROM mf_retrain(mf_tenant('shops', 1))"), sql($node, 'SELECT count(DISTINCT user_id), count(*) FROM shops WHERE shop = 1'),
	'one is retrained on its own rows, which nodes send packed');
like(error_of($node, 'SELECT mf_citus()'), qr/55000: models of tenants cannot be given to Citus.*mf_drop\('shops'\)/s, 'they are not given to Citus');
is(sql($node, "SELECT count(*) FROM pg_dist_partition WHERE logicalrelid::text ~ 'mfrec|factors'"), '0', 'nor anything else then');
sql($node, "SELECT mf_drop('shops')");
is(sql($node, 'SELECT mf_citus()'), '9', 'mf_citus() gives nine tables to Citus');
is(sql($node, 'SELECT mf_citus()'), '0', 'and again none');
same_everywhere(\@nodes, lists_sql('by_user'), $lists, 'lists afterwards, on every node');
same_everywhere(\@nodes, lists_sql('by_user', 'version => 1'), sql($node, lists_sql('by_user', 'version => 1')), 'lists of an older version');
same_everywhere(\@nodes, 'SELECT count(*) FROM mf_models', '4', 'mf_models');
same_everywhere(\@nodes, "SELECT string_agg(partmethod::text || (partkey IS NOT NULL)::text, ' ' ORDER BY logicalrelid::text) FROM pg_dist_partition WHERE logicalrelid::text ~ 'factors'",
	'nfalse nfalse nfalse nfalse nfalse htrue', "users' vectors lie by user where the ratings do, else on each node");
is(sql($node, "SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE logicalrelid::text IN ('by_user', 'by_user_user_factors')"), '1',
	'with the ratings');
is(sql($node, "SELECT pg_relation_size('mfrec.model') + pg_relation_size('by_user_user_factors') + pg_relation_size('by_user_item_factors')"), '0',
	'nothing is left where the rows were');

like(error_of($_, "SELECT mf_train_each('shops', by => 'shop')"), qr/0A000: cannot train models of tenants "shops".*mf_train/s, 'no models of tenants afterwards')
	for $node, $workers[0];

# models of afterwards
sql($node, "SELECT mf_train('$_', model => 'new_$_', factors => 4)") for 'at_home', 'by_user', 'by_item';
my $expected = sql($node, lists_sql('new_at_home', 'fresh => false'));
same_everywhere(\@nodes, lists_sql("new_$_", 'fresh => false'), $expected, "new_$_: lists on every node") for 'at_home', 'by_user', 'by_item';
like(error_of($workers[1], "SELECT mf_train('by_user', 'elsewhere')"), qr/0A000: cannot create tables of model "elsewhere" on a worker/, 'a new model is the coordinator\'s');
like(error_of($workers[1], "SELECT mf_drop('by_user')"), qr/not allowed on this node.*coordinator/s, 'and dropping one');

# what calls answer where the rows are on this node and where they are not
my @calls = (
	[ 'predictions', q[SELECT string_agg(round(mf_predict(u, 5, 'by_user')::numeric, 3)::text, ' ' ORDER BY u) FROM generate_series(1, 12) u] ],
	[ 'similar items', q[SELECT string_agg(id::text, ' ' ORDER BY rank) FROM mf_similar_items(11, 5, 'by_user')] ],
	[ 'similar users', q[SELECT string_agg(id::text, ' ' ORDER BY rank) FROM mf_similar_users(11, 5, 'by_user')] ],
	[ 'users of an item', q[SELECT string_agg(user_id::text, ' ' ORDER BY rank) FROM mf_recommend_users(11, 5, 'by_user')] ],
	[ 'explained', q[SELECT string_agg(item_id::text, ' ' ORDER BY contribution DESC, item_id) FROM mf_explain(11, 5, 3, 'by_user')] ],
	[ 'popular', q[SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_popular(5, 'by_user')] ],
	[ 'grouped', q[SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_recommend(3, 5, 'by_user', per_group => 1, group_table => 'kinds', group_column => 'kind')] ],
	[ 'boosted', q[SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_recommend(3, 5, 'by_user', boost_table => 'kinds', boost_column => 'boost')] ],
	[ 'diverse', q[SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_recommend(3, 5, 'by_user', diversity => 0.5)] ],
	[ 'a map of items', q[SELECT string_agg(format('%s:%s', id, round(coordinates[1]::numeric, 3)), ' ' ORDER BY id) FROM mf_map('by_user')] ],
	[ 'a map of users', q[SELECT string_agg(format('%s:%s', id, round(coordinates[1]::numeric, 3)), ' ' ORDER BY id) FROM mf_map('by_user', of => 'users')] ],
	[ 'clusters of items', q[SELECT string_agg(format('%s:%s', id, cluster), ' ' ORDER BY id) FROM mf_clusters('by_user', 4)] ],
	[ 'clusters of users', q[SELECT string_agg(format('%s:%s', id, cluster), ' ' ORDER BY id) FROM mf_clusters('by_user', 4, of => 'users')] ],
	[ 'a report', q[SELECT regexp_replace(mf_report('by_user', users => '{3}'), '<footer.*', '')] ],
	[ 'all', q[SELECT count(*), sum(item_id) FROM mf_recommend_all(3, 'by_user')] ]);
for (@calls)
{
	my ($name, $call) = @$_;
	same_everywhere(\@nodes, $call, sql($node, $call), $name);
}

# lists of distributed users are made where they live
my $lateral = q[SELECT string_agg(format('%s:%s', user_id, item_id), ' ' ORDER BY user_id, rank) FROM people u, LATERAL mf_recommend(u.user_id, 2, 'by_user'%s) r WHERE user_id < 40];
my $one_by_one = q[SELECT string_agg(format('%s:%s', user_id, item_id), ' ' ORDER BY user_id, rank) FROM (SELECT user_id FROM people WHERE user_id < 40 OFFSET 0) u, LATERAL mf_recommend(u.user_id, 2, 'by_user'%s) r];
for ('', ', fresh => false', q[, per_group => 1, group_table => 'kinds', group_column => 'kind'], q[, boost_table => 'kinds', boost_column => 'boost'])
{
	my $right = sql($node, sprintf($one_by_one =~ s/%s:%s/%%s:%%s/r, $_));
	same_everywhere(\@nodes, sprintf($lateral =~ s/%s:%s/%%s:%%s/r, $_), $right, "LATERAL$_");
}
unlike(sql($node, "EXPLAIN (COSTS off) SELECT * FROM people u, LATERAL mf_recommend(u.user_id, 2, 'by_user') r"), qr/Distributed Subplan/, 'on the workers');
is(sql($node, "SELECT round(sum(mf_predict(user_id, 5, 'by_user'))::numeric, 2) FROM people"),
	sql($node, "SELECT round(sum(mf_predict(user_id, 5, 'by_user'))::numeric, 2) FROM (SELECT user_id FROM people OFFSET 0) u"), 'mf_predict, too');
sql($node, "INSERT INTO people VALUES (5000); INSERT INTO by_user VALUES (5000, 5, 5), (5000, 6, 1)");
is(sql($node, "SELECT DISTINCT reason FROM people u, LATERAL mf_recommend(u.user_id, 2, 'by_user') r WHERE user_id = 5000"), 'fresh', 'a new user is known by current rows');
like(error_of($node, "SELECT count(*) FROM people u, LATERAL mf_recommend(u.user_id + 1, 1, 'by_user') r"), qr/distributed query from a query on a shard/,
	'users who live elsewhere are an error there');
is(sql($node, "SELECT count(*) FROM people u, LATERAL mf_recommend(u.user_id, 1, 'new_by_item', fresh => false) r"), '301', 'also of a model whose users are on each node');

# prepared
my $session = open_session($workers[0]);
ask($session, "PREPARE list AS SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_recommend(\$1, 3, 'by_user')");
my @prepared = map { my $u = $_; ask($session, "EXECUTE list($u)") } 1 .. 12;
is(join('|', @prepared), join('|', map { sql($node, "SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_recommend($_, 3, 'by_user')") } 1 .. 12), 'prepared lists');
ask($session, q[PREPARE lateral_list(int) AS SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM people u, LATERAL mf_recommend(u.user_id, 3, 'by_user') r WHERE user_id = $1]);
is(join('|', map { my $u = $_; ask($session, "EXECUTE lateral_list($u)") } 1 .. 12), join('|', @prepared), 'prepared LATERAL');

# changes on one node are seen on all, also by sessions that have served before
my @sessions = map { open_session($_) } @nodes;
ask($_, 'SET client_min_messages = error') for @sessions;
my $ask_all = sub { return join('|', map { ask($_, $_[0]) } @sessions); };
my $times4 = sub { return join('|', ($_[0]) x 4); };
my $list = q[SELECT string_agg(format('%s:%s:%s', item_id, round(score::numeric, 3), reason), ' ' ORDER BY rank) FROM mf_recommend(10, 3, 'by_user', fresh => false)];
my $before = $ask_all->($list);
is($before, $times4->(ask($sessions[0], $list)), 'open sessions agree');
my %done = (train => 0);
for my $at (0 .. 3)
{
	my $where = $at ? "worker $at" : 'the coordinator';
	is(ask($sessions[$at], "SELECT version FROM mf_retrain('by_user')"), 3 + $at, "retrained on $where");
	my $now = ask($sessions[0], $list);
	isnt($now, ask($sessions[0], $list =~ s/fresh => false/fresh => false, version => @{[ 2 + $at ]}/r), 'lists are others than before') if $at == 0;
	is($ask_all->($list), $times4->($now), '... seen on all nodes');
	is(ask($sessions[$at], "SELECT mf_rollback('by_user')"), 2 + $at, "rolled back on $where");
	is($ask_all->($list), $times4->(ask($sessions[0], $list =~ s/fresh => false/fresh => false, version => @{[ 2 + $at ]}/r)), '... seen on all nodes');
	is(ask($sessions[$at], "SELECT mf_serve('by_user')"), 3 + $at, "served on $where");
	is($ask_all->($list), $times4->($now), '... seen on all nodes');
	my $user = 20 + $at;
	my $forgotten = $list =~ s/\(10/($user/r;
	like(ask($sessions[$at], $forgotten), qr/model/, "user $user is known");
	is(ask($sessions[$at], "SELECT mf_forget($user, 'by_user')"), 2, "forgotten on $where");
	unlike($ask_all->($forgotten), qr/model|fresh/, '... on all nodes');
	is(ask($sessions[$at], "SELECT users_added FROM mf_update('by_user', all_rows => true)"), 1, "updated on $where");
	unlike($ask_all->($forgotten), qr/popular/, '... on all nodes');
	ask($sessions[$at], "SELECT mf_refresh('by_user')");
	is($ask_all->($list), $times4->(ask($sessions[0], $list)), "refreshed on $where");
}
is($ask_all->("SELECT count(*) FROM mf_models WHERE model = 'by_user'"), '2|2|2|2', 'as many versions as are kept');
is(ask($sessions[0], 'SELECT count(DISTINCT version) FROM by_user_user_factors'), '2', 'and no rows of older ones');

# images: each node has its own of what serves, and as it makes one sweeps those of versions away that have gone
my $images = sub {
	return join(' ', map { scalar grep { !/\.base$/ } glob($_->data_dir . '/base/pgsql_tmp/pgsql_tmp_mfrec.*') } @nodes);
};
sql($node, "SELECT mf_drop(m) FROM unnest('{new_at_home,new_by_item,new_by_user,aside,at_home}'::text[]) m");
for (1 .. 3)
{
	sql($node, "SELECT mf_retrain('by_user')");
	$ask_all->($list);
}
like($images->(), qr/^1 [12] [12] [12]$/, 'no more images on a node than there are versions');

# a transaction that trains sees its own version on all nodes, also in parts of its queries
for my $at (0, 1)
{
	my $ours = $sessions[$at];
	ask($ours, 'BEGIN; INSERT INTO by_user VALUES (10, 1, 1) ON CONFLICT DO NOTHING; INSERT INTO by_user VALUES (6000, 5, 5), (6000, 7, 1); INSERT INTO people VALUES (6000)');
	my $version = ask($ours, "SELECT version FROM mf_retrain('by_user')");
	like(ask($ours, $list =~ s/\(10/(6000/r), qr/model/, 'a version that is not committed serves its own transaction');
	is(ask($ours, sprintf($lateral =~ s/%s:%s/%%s:%%s/r =~ s/< 40/< 40 OR user_id = 6000/r, ', fresh => false')),
		ask($ours, sprintf($one_by_one =~ s/%s:%s/%%s:%%s/r =~ s/< 40/< 40 OR user_id = 6000/r, ', fresh => false')), 'LATERAL agrees there');
	my $others = $sessions[2];
	unlike(ask($others, $list =~ s/\(10/(6000/r), qr/model|fresh/, 'others do not see it');
	ask($ours, 'ROLLBACK');
	unlike($ask_all->($list =~ s/\(10/(6000/r), qr/model|fresh/, 'nor anybody after a rollback');
}
is($sessions[$_]{err}, '', "no errors on node $_") for 0 .. 3;
close_session($_) for $session, @sessions;

# a model that serves on every node goes on every node, and so does the extension
sql($node, "SELECT mf_drop('by_user')");
same_everywhere(\@nodes, "SELECT count(*) FROM mf_models, pg_class", '0', 'dropped');
same_everywhere(\@nodes, "SELECT count(*) FROM pg_class WHERE relname ~ 'factors'", '0', 'with all of its tables');
sql($node, 'DROP EXTENSION mfrec CASCADE');
same_everywhere(\@nodes, "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE nspname = 'mfrec'", '0', 'DROP EXTENSION leaves nothing');
sql($node, 'CREATE EXTENSION mfrec');
sql($node, "SELECT mf_train('by_user', factors => 4)");
is(sql($node, 'SELECT mf_citus()'), '5', 'and it can begin anew');
same_everywhere(\@nodes, lists_sql('by_user'), sql($node, lists_sql('by_user')), 'lists of then');

$_->stop('fast') for reverse @nodes;
done_testing();
