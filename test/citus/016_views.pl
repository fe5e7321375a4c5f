# Views of distributed tables, trained where the rows lie: the same models as on one node; what a view may do, and may not.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('views');
my ($node, @workers) = @nodes;
sql($node, <<'SQL');
CREATE TABLE base_here AS SELECT u AS buyer, i AS thing, (abs(hashint4(u * 1000 + i)) % 9)::int AS score, i % 7 AS shop
FROM generate_series(1, 1500) u, generate_series(1, 150) i
WHERE abs(hashint4(u * 7 + i * 100003)) % 100 < CASE WHEN i % 10 IN (u % 10, u * 3 % 10) THEN 30 ELSE 3 END;
CREATE TABLE base_there (LIKE base_here);
CREATE INDEX ON base_there (buyer);
SELECT create_distributed_table('base_there', 'buyer');
CREATE TABLE shops_here AS SELECT i AS shop, 'shop ' || i AS name, i * 1.5 AS worth FROM generate_series(0, 5) i;
CREATE TABLE shops_there (LIKE shops_here);
SELECT create_reference_table('shops_there');
INSERT INTO shops_there SELECT * FROM shops_here;
INSERT INTO base_there SELECT * FROM base_here;
SQL
my %views = (
	all => 'SELECT * FROM base_$',
	renamed => 'SELECT buyer AS user_id, thing AS item_id, score AS rating FROM base_$',
	chosen => 'SELECT thing AS item_id, buyer AS user_id FROM base_$ WHERE shop <> 3 AND score > 2',
	computed => q[SELECT 1 + score / 2.0 AS rating, thing * 10 AS item_id, buyer AS user_id FROM base_$ b WHERE b.shop = ANY ('{1,2,3,4}')],
	joined => q[SELECT b.buyer AS user_id, b.thing AS item_id, b.score + s.worth AS rating FROM base_$ b JOIN shops_$ s ON s.shop = b.shop WHERE s.name <> 'shop 2'],
	partly => 'SELECT b.buyer AS user_id, b.thing AS item_id, b.score + coalesce(s.worth, 20) AS rating FROM base_$ b LEFT JOIN (shops_$ s JOIN shops_$ t USING (shop)) ON s.shop = b.shop',
	nested => 'SELECT user_id, item_id, rating FROM renamed_$ WHERE rating > 0');
for my $place ('here', 'there')
{
	sql($node, "CREATE VIEW ${_}_$place " . ($_ eq 'chosen' ? 'WITH (security_barrier) ' : '') . 'AS ' . $views{$_} =~ s/\$/$place/gr) for qw(all renamed chosen computed joined partly nested);
}
my $train = sub {
	my ($table, $model, $arguments) = @_;
	return split /\|/, sql($node, "SELECT loss, users, items, ratings FROM mf_train('$table', model => '$model', factors => 8, rating_factors => 0, iterations => 5, $arguments)");
};
my $users = q[SELECT count(*), sum(ratings), count(seen), bit_xor(fingerprint), bit_xor(hashtext(seen::text)) FROM %s_user_factors];
my $items = q[SELECT count(*), sum(ratings), bit_xor(fingerprint) FROM %s_item_factors];
for my $name (sort keys %views)
{
	my $arguments = $name eq 'all' ? "user_column => 'buyer', item_column => 'thing', rating_column => 'score'" : "seed => 2";
	$arguments .= $name eq 'nested' ? ', validation => 0.1' : $name eq 'chosen' ? ", feedback => 'implicit'" : '';
	my @one = $train->("${name}_here", "one_$name", $arguments);
	my @all = $train->("${name}_there", "all_$name", "$arguments, distribute => true");
	ok(abs($one[0] - $all[0]) <= 1e-6 * $one[0], "$name: the same loss") or diag("$one[0], $all[0]");
	is("@all[1 .. 3]", "@one[1 .. 3]", "$name: the same users, items and ratings");
	is(sql($node, sprintf($_, "all_$name")), sql($node, sprintf($_, "one_$name")), "$name: the same stored") for $users, $items;
	is(sql($node, lists_sql("all_$name", 'fresh => false')), sql($node, lists_sql("one_$name", 'fresh => false')), "$name: the same lists");
	my $colocated = sql($node, "SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE logicalrelid IN ('base_there'::regclass, 'all_${name}_user_factors')");
	is($colocated, '1', "$name: users lie with the table's rows");
}

# all nodes serve it, it is trained again on a worker, and what comes to the table comes to the model
sql($node, 'SELECT mf_citus()');
sql($node, q[SELECT mf_train('nested_there', model => 'm', factors => 8, rating_factors => 0, distribute => true)]);
my $lists = lists_sql('m', 'fresh => false');
same_everywhere(\@nodes, $lists, sql($node, $lists), 'lists of all nodes');
sql($node, 'INSERT INTO base_there VALUES (5000, 11, 8, 1), (5000, 21, 8, 1), (5000, 31, 0, 1), (2, 150, 8, 1)');
my $new = q[SELECT string_agg(item_id || reason, ' ' ORDER BY rank) FROM mf_recommend(5000, 3, 'm', fresh => true)];
like(sql($node, $new), qr/fresh/, 'current rows of a new user, by the view');
is(sql($node, q[SELECT users_changed, users_added FROM mf_update('m')]), '1|1', 'the update takes what is new');
same_everywhere(\@nodes, q[SELECT ratings FROM m_user_factors WHERE user_id = 5000], '2', 'and nothing that the view hides');
is(sql($workers[1], q[SELECT version FROM mf_retrain('m', distribute => true)]), '2', 'trained again from a worker');
same_everywhere(\@nodes, $lists, sql($node, $lists), 'lists of all nodes after that');
sql($node, q[SELECT mf_retrain('m')]);
same_everywhere(\@nodes, $lists, sql($node, $lists), 'and after rows were brought to one node');
is(sql($node, q[SELECT mf_forget(5000, 'm') > 0]), 't', 'forgot a user');

# views that make rows of their own, or users; a model whose users lie elsewhere; another role
my $refused = sub {
	my ($query, $detail, $name) = @_;
	sql($node, "DROP VIEW IF EXISTS refused; CREATE VIEW refused AS $query");
	like(error_of($node, "SELECT mf_train('refused', feedback => 'implicit', distribute => true)"), qr/0A000.*$detail.*Leave the argument distribute out/s, $name);
};
$refused->($_->[1], 'view that does more', $_->[0]) for (
	[ 'groups', 'SELECT buyer AS user_id, thing AS item_id, max(score) AS rating FROM base_there GROUP BY 1, 2' ],
	[ 'distinct rows', 'SELECT DISTINCT buyer AS user_id, thing AS item_id FROM base_there' ],
	[ 'a limit', 'SELECT buyer AS user_id, thing AS item_id FROM base_there LIMIT 10' ],
	[ 'a join with a table that only this node has', 'SELECT b.buyer AS user_id, b.thing AS item_id FROM base_there b JOIN shops_here s USING (shop)' ],
	[ 'a join in which users may be missing', 'SELECT b.buyer AS user_id, b.thing AS item_id FROM shops_there s LEFT JOIN base_there b USING (shop)' ],
	[ 'a cross join with itself', 'SELECT a.buyer AS user_id, b.thing AS item_id FROM base_there a, shops_there s, base_there b WHERE a.shop = s.shop' ],
	[ 'a join', 'SELECT a.buyer AS user_id, b.thing AS item_id FROM base_there a, base_there b WHERE a.buyer = b.buyer' ],
	[ 'a union', 'SELECT buyer AS user_id, thing AS item_id FROM base_there UNION ALL SELECT buyer, thing FROM base_there' ],
	[ 'a window', 'SELECT buyer AS user_id, thing AS item_id, rank() OVER (PARTITION BY buyer ORDER BY thing) AS rating FROM base_there' ],
	[ 'a subquery', 'SELECT user_id, item_id FROM (SELECT buyer AS user_id, thing AS item_id FROM base_there) x' ],
	[ 'an IN', 'SELECT buyer AS user_id, thing AS item_id FROM base_there WHERE thing IN (SELECT 1)' ],
	[ 'several rows of one', 'SELECT buyer AS user_id, generate_series(1, 2) AS item_id FROM base_there' ],
	[ 'users that are computed', 'SELECT buyer + 0 AS user_id, thing AS item_id FROM base_there' ]);
$refused->('SELECT thing AS user_id, buyer AS item_id FROM base_there', 'not distributed by column "user_id"', 'another column as user');
$refused->('SELECT buyer AS user_id, thing AS item_id FROM base_here', 'no table that Citus distributes', 'a view of a local table');
sql($node, q[SELECT mf_train('refused', feedback => 'implicit'); CREATE OR REPLACE VIEW refused AS SELECT buyer AS user_id, thing AS item_id FROM base_there]);
like(error_of($node, q[SELECT mf_retrain('refused', distribute => true)]), qr/0A000.*does not lie with the rows/s, 'users of before lie elsewhere');
sql($node, q[CREATE ROLE clerk LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO clerk; GRANT SELECT ON nested_there TO clerk; GRANT INSERT, UPDATE, DELETE ON mfrec.model, mfrec.model_version, mfrec.training_log TO clerk]);
like(error_of($node, q[SET ROLE clerk; SELECT mf_train('nested_there', model => 'clerks', distribute => true)]), qr/42501/, 'who may read the view, but not the table on its nodes');
done_testing();
