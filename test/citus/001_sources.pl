# Sources that Citus keeps, in a cluster whose models are the coordinator's own: the same answers as of a local table.
use strict;
use warnings;
use CitusTest;
use Test::More;

my @nodes = new_cluster('sources');
my $node = $nodes[0];
is(join(' ', everywhere(\@nodes, "SELECT count(*) FROM pg_extension WHERE extname = 'mfrec'")), '1 1 1 1', 'CREATE EXTENSION goes to all nodes');

make_ratings($node, 'at_home');
make_ratings($node, 'by_user', "SELECT create_distributed_table('by_user', 'user_id')");
make_ratings($node, 'by_item', "SELECT create_distributed_table('by_item', 'item_id'); CREATE INDEX ON by_item (user_id)");
make_ratings($node, 'everywhere', "SELECT create_reference_table('everywhere')");
sql($node, <<'SQL');
CREATE TABLE people AS SELECT DISTINCT user_id FROM at_home UNION VALUES (1000);
SELECT create_distributed_table('people', 'user_id', colocate_with => 'by_user');
CREATE VIEW joined AS SELECT r.* FROM by_user r JOIN people USING (user_id);
CREATE VIEW grouped AS SELECT user_id, item_id, max(rating) AS rating FROM by_user GROUP BY user_id, item_id;
CREATE TABLE kinds AS SELECT item_id AS id, item_id % 7 AS kind FROM (SELECT DISTINCT item_id FROM at_home) i;
SELECT create_distributed_table('kinds', 'id');
SQL
my $loss = sql($node, "SELECT loss FROM mf_train('at_home', factors => 4)");
my %fresh = (by_user => 't', by_item => 'f', everywhere => 't', joined => 'f', grouped => 'f');
for my $source (sort keys %fresh)
{
	my $answer = sql($node, "SELECT abs(loss / $loss - 1) < 1e-9, (SELECT fresh FROM mfrec.model WHERE name = '$source') FROM mf_train('$source', factors => 4)");
	my $is_fresh = sql($node, "SELECT fresh FROM mfrec.model WHERE name = '$source'");
	is("$answer $is_fresh", "t| $fresh{$source}", "$source: trained to the same loss, lists look at current rows or not");
}

# every call that looks into the source or reads the tables
my $new_user = 'INSERT INTO %1$s VALUES (1000, 5, 5), (1000, 6, 1), (1, 7, 5) ON CONFLICT DO NOTHING';
my @calls = (
	[ 'lists', lists_sql('%1$s', 'fresh => false') ],
	[ 'lists of current rows', lists_sql('%1$s', 'fresh => true') ],
	[ 'a new user', q[SELECT string_agg(item_id || reason, ' ' ORDER BY rank) FROM mf_recommend(1000, 5, '%1$s', fresh => true)] ],
	[ 'grouped', q[SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_recommend(3, 5, '%1$s', group_table => 'kinds', group_column => 'kind', per_group => 1)] ],
	[ 'candidates', q[SELECT string_agg(item_id::text, ' ' ORDER BY rank) FROM mf_recommend(3, 5, '%1$s', candidates => (SELECT array_agg(id) FROM kinds WHERE kind = 2))] ],
	[ 'users of an item', q[SELECT string_agg(user_id::text, ' ' ORDER BY rank) FROM mf_recommend_users(11, 5, '%1$s')] ],
	[ 'similar users', q[SELECT string_agg(id::text, ' ' ORDER BY rank) FROM mf_similar_users(11, 5, '%1$s')] ],
	[ 'similar items', q[SELECT string_agg(id::text, ' ' ORDER BY rank) FROM mf_similar_items(11, 5, '%1$s')] ],
	[ 'explained', q[SELECT string_agg(item_id::text, ' ' ORDER BY contribution DESC, item_id) FROM mf_explain(11, 5, 3, '%1$s')] ],
	[ 'predicted', q[SELECT round(mf_predict(11, 5, '%1$s')::numeric, 3)] ],
	[ 'all', q[SELECT count(*), sum(item_id) FROM mf_recommend_all(3, '%1$s')] ],
	[ 'a query with a subquery of users', q[SELECT string_agg(item_id::text, ' ' ORDER BY user_id, rank) FROM (SELECT user_id FROM people ORDER BY user_id LIMIT 9) u, LATERAL mf_recommend(user_id, 2, '%1$s') r] ],
	[ 'retrained', q[SELECT round(loss::numeric / 1000, 3) FROM mf_retrain('%1$s')] ],
	[ 'updated', q[SELECT rows, users_added, users_changed FROM mf_update('%1$s', all_rows => true)] ],
	[ 'forgotten', q[SELECT mf_forget(7, '%1$s')] ],
	[ 'lists afterwards', lists_sql('%1$s', 'fresh => false') ]);
for my $relation ('at_home', 'by_user', 'by_item', 'everywhere')
{
	sql($node, sprintf($new_user, $relation));
}
for my $call (@calls)
{
	my ($name, $statement) = @$call;
	my $expected = sql($node, $statement =~ s/%1\$s/at_home/gr);
	isnt($expected, '', "$name: something is expected");
	is(sql($node, $statement =~ s/%1\$s/$_/gr), $expected, "$_: $name") for sort keys %fresh;
}

# a transaction sees what it has written, and leaves nothing
is(sql($node, <<'SQL'), "fresh\n2\n", 'a transaction sees its own rows, and its own version');
BEGIN;
INSERT INTO by_user VALUES (2000, 5, 5), (2000, 6, 1);
SELECT DISTINCT reason FROM mf_recommend(2000, 3, 'by_user', fresh => true);
SELECT count(DISTINCT reason) + 1 FROM mf_recommend(2000, 3, 'by_user', fresh => true), mf_retrain('by_user');
ROLLBACK;
SELECT string_agg(item_id::text, '') FROM by_user WHERE user_id = 2000;
SQL

# elsewhere there are no models
like(error_of($nodes[1], "SELECT * FROM mf_recommend(1, 3, 'by_user')"), qr/42704: model "by_user" does not exist.*mf_citus/s, 'a worker says how to serve there, too');
like(error_of($node, "SELECT count(*) FROM people u, LATERAL mf_recommend(u.user_id, 1, 'by_user') r"), qr/42704: model "by_user" does not exist.*mf_citus/s,
	'and so does a part of a query');

$_->stop('fast') for reverse @nodes;
done_testing();
