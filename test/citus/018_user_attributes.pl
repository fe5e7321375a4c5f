# Trainings by attributes of users on the nodes that have the ratings: the same models as on one node, to the bit, with
# vectors of users who have rated nothing.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('profiles');
my ($node, @workers) = @nodes;

# users take items of the kinds that their own kind likes; about: what is said of them, of some who have rated nothing,
# among whom are users with rows that are no ratings
sql($node, <<'SQL');
CREATE TABLE here AS SELECT u AS user_id, i AS item_id, (1 + abs(hashint4(u * 1000 + i)) % 5)::real AS rating
FROM generate_series(1, 1500) u, generate_series(1, 200) i
WHERE abs(hashint4(u * 7 + i * 100003)) % 100 < CASE WHEN i % 10 IN (u % 10, u * 3 % 10) THEN 30 ELSE 2 END;
INSERT INTO here SELECT u, 5, NULL FROM generate_series(1501, 1520) u UNION ALL SELECT u, 5, 0 FROM generate_series(1511, 1530) u;
CREATE TABLE there (LIKE here);
CREATE INDEX ON there (user_id);
SELECT create_distributed_table('there', 'user_id');
INSERT INTO there SELECT * FROM here;
CREATE TABLE about AS SELECT u AS user_id, 'kind ' || u % 10 AS kind, 1950 + u * 13 % 50 AS born FROM generate_series(1, 1600) u WHERE u % 7 <> 0;
INSERT INTO about VALUES (2000, 'unheard of', NULL);
CREATE TABLE about_there (LIKE about);
SELECT create_distributed_table('about_there', 'user_id');
INSERT INTO about_there SELECT * FROM about;
SQL
my $train = sub {
	my ($table, $model, $arguments) = @_;
	return sql($node, "SELECT users, items, ratings, iterations, coalesce(round(rmse::numeric, 4), 0) FROM mf_train('$table', model => '$model', $arguments)");
};
# all that a model's tables have, and what is said of the map; but what values are scaled by, a mean that is added up in
# another order
my $bits_of = sub {
	my ($model) = @_;
	return join ' ', (map { sql($node, sprintf(q[SELECT count(*) || ':' || md5(string_agg(f::text, ' ' ORDER BY f::text)) FROM (SELECT to_jsonb(t) f FROM %s_%s_factors t) x], $model, $_)) } 'user', 'item', 'feature'),
		sql($node, "SELECT parameters - 'value_scale' FROM mf_models WHERE model = '$model'");
};
my %presets = (
	implicit => "factors => 8, feedback => 'implicit', rating_column => 'rating', iterations => 6",
	few => "factors => 4, feedback => 'implicit', rating_column => NULL, iterations => 2",
	wide => "factors => 100, feedback => 'implicit', rating_column => NULL, iterations => 5",
	joint => 'factors => 8, rating_factors => 0, iterations => 6',
	private => 'factors => 8, rating_factors => 4, iterations => 6',
	validated => "factors => 8, feedback => 'implicit', rating_column => NULL, validation => 0.2, iterations => 9");
for my $name (sort keys %presets)
{
	my $one = $train->('here', "one_$name", "$presets{$name}, user_features => 'about'");
	my $all = $train->('there', "all_$name", "$presets{$name}, user_features => 'about_there', distribute => true");
	is($all, $one, "$name: the same users, items and ratings");
	is($bits_of->("all_$name"), $bits_of->("one_$name"), "$name: the same bits");
	is(sql($node, lists_sql("all_$name", 'fresh => false')), sql($node, lists_sql("one_$name", 'fresh => false')), "$name: the same lists");
}
is(sql($node, q[SELECT count(*) > 50 AND count(prior) = count(*) AND bool_and(factors = prior) FROM all_implicit_user_factors WHERE ratings = 0 AND factors <> '{}']), 't', 'users without ratings have vectors');
like(sql($node, q[SELECT string_agg(DISTINCT reason, ' ') FROM generate_series(1551, 1570) u, mf_recommend(u, 3, 'all_implicit')]), qr/profile/, 'and lists by them');

# the same bits again, with other numbers of threads
my $bits = $bits_of->('all_implicit');
for my $threads (1, 4)
{
	$_->append_conf('postgresql.conf', "mfrec.threads = $threads\n"), $_->reload for @nodes;
	$train->('there', "threads$threads", "$presets{implicit}, user_features => 'about_there', distribute => true");
	is($bits_of->("threads$threads"), $bits, "the same bits with $threads threads");
}

# ids of text, in the order of a collation, and attributes that lie elsewhere
sql($node, <<'SQL');
CREATE TABLE texts AS SELECT 'User ' || md5(user_id::text) AS user_id, item_id, rating FROM here;
CREATE TABLE texts_there (LIKE texts);
SELECT create_distributed_table('texts_there', 'user_id', colocate_with => 'none', shard_count => 5);
INSERT INTO texts_there SELECT * FROM texts;
CREATE TABLE about_texts AS SELECT 'User ' || md5(user_id::text) AS user_id, kind FROM about;
SQL
$train->($_->[0], $_->[1], "factors => 8, feedback => 'implicit', rating_column => NULL, iterations => 6, user_features => 'about_texts'$_->[2]") for ['texts', 'one_texts', ''], ['texts_there', 'all_texts', ', distribute => true'];
is($bits_of->('all_texts'), $bits_of->('one_texts'), 'texts: the same bits');

# what cannot be: both kinds of attributes
sql($node, "CREATE TABLE items AS SELECT i AS item_id, 'kind ' || i % 10 AS kind FROM generate_series(1, 200) i");
like(error_of($node, "SELECT mf_train('there', item_features => 'items', user_features => 'about_there', distribute => true)"),
	qr/0A000: cannot train.*item_features and user_features.*HINT/s, 'attributes of both are an error that names them');

# all nodes serve it, and what comes later reaches all of it
sql($node, 'SELECT mf_citus()');
sql($node, "SELECT mf_train('there', model => 'm', $presets{implicit}, user_features => 'about_there', distribute => true)");
my $lists = "SELECT string_agg(format('%s:%s:%s', u, item_id, reason), ' ' ORDER BY u, rank) FROM generate_series(1541, 1550) u, LATERAL mf_recommend(u, 3, 'm') r";
same_everywhere(\@nodes, $lists, sql($node, $lists), 'lists of all nodes, of users without ratings');
is(sql($node, "SELECT version FROM mf_retrain('m', distribute => true)"), '2', 'trained again');
same_everywhere(\@nodes, 'SELECT count(DISTINCT user_id) FROM m_user_factors WHERE version = 2 AND prior IS NOT NULL', sql($node, 'SELECT count(*) FROM m_user_factors WHERE version = 1 AND prior IS NOT NULL'), 'with the same users');
sql($node, 'INSERT INTO there VALUES (1545, 15, 5)');
sql($node, q[SELECT mf_update('m')]);
is(sql($node, q[SELECT ratings FROM m_user_factors WHERE user_id = 1545 AND version = (SELECT version FROM mfrec.model WHERE name = 'm')]), '1', 'who rates is taken');
is(sql($node, q[SELECT mf_forget(1546, 'm') > 0]), 't', 'forgot a user');
sql($node, q[SELECT mf_drop('m')]);
done_testing();
