# Trainings by attributes of items on the nodes that have the ratings: the same models as on one node, cold items too.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('attributes');
my ($node, @workers) = @nodes;

# users take items of two kinds of their own; about: what is said of items, of which the last 20 have no ratings
sql($node, <<'SQL');
CREATE TABLE here AS SELECT u AS user_id, i AS item_id, (1 + abs(hashint4(u * 1000 + i)) % 5)::real AS rating
FROM generate_series(1, 1500) u, generate_series(1, 200) i
WHERE abs(hashint4(u * 7 + i * 100003)) % 100 < CASE WHEN i % 10 IN (u % 10, u * 3 % 10) THEN 30 ELSE 2 END;
INSERT INTO here SELECT u, 210, NULL FROM generate_series(1, 30) u;
CREATE TABLE there (LIKE here);
CREATE INDEX ON there (user_id);
SELECT create_distributed_table('there', 'user_id');
INSERT INTO there SELECT * FROM here;
CREATE TABLE about AS SELECT i AS item_id, 'kind ' || i % 10 AS kind, (1990 + i % 7)::int AS year FROM generate_series(1, 220) i;
CREATE TABLE about_there AS SELECT * FROM about;
SELECT create_reference_table('about_there');
SQL
my $train = sub {
	my ($table, $model, $arguments) = @_;
	return split /\|/, sql($node, "SELECT loss, users, items, ratings, coalesce(rmse, 0) FROM mf_train('$table', model => '$model', iterations => 6, $arguments)");
};
my %presets = (
	implicit => "factors => 8, feedback => 'implicit', rating_column => NULL",
	wide => "factors => 100, feedback => 'implicit', rating_column => NULL",
	alone => 'factors => 8, interest_weight => 0',
	joint => 'factors => 8, rating_factors => 0');
my $items = q[SELECT count(*), sum(ratings), bit_xor(fingerprint), bit_xor(hashint4(number + 100 * item_id::int)) FROM %s_item_factors];
my $users = q[SELECT count(*), sum(ratings), count(seen), bit_xor(hashtext(seen::text)) FROM %s_user_factors];
my $features = q[SELECT string_agg(format('%%s %%s %%s', feature, items, taken_as), ',' ORDER BY feature) FROM %s_feature_factors];
my $vectors = q[SELECT sqrt(sum(d * d)), sqrt(sum(x * x)) FROM (SELECT a.x, a.x - b.x AS d FROM (SELECT item_id, n, x FROM one_%1$s_item_factors, unnest(factors) WITH ORDINALITY f(x, n)) a
	JOIN (SELECT item_id, n, x FROM all_%1$s_item_factors, unnest(factors) WITH ORDINALITY f(x, n)) b USING (item_id, n)) y];
for my $name (sort keys %presets)
{
	my @one = $train->('here', "one_$name", "$presets{$name}, item_features => 'about'");
	my @all = $train->('there', "all_$name", "$presets{$name}, item_features => 'about', distribute => true");
	ok(abs($one[0] - $all[0]) <= ($name eq 'wide' ? 1e-3 : 1e-6) * $one[0], "$name: the same loss") or diag("$one[0], $all[0]");
	is("@all[1 .. 3]", "@one[1 .. 3]", "$name: the same users, items and ratings");
	is(sql($node, sprintf($_, "all_$name")), sql($node, sprintf($_, "one_$name")), "$name: the same stored") for $items, $users, $features;
	my ($apart, $length) = split /\|/, sql($node, sprintf($vectors, $name));
	# above 96 factors items are solved directly, rather than by steps
	ok($apart < ($name eq 'wide' ? 0.03 : 1e-3) * $length, "$name: the same vectors, of cold items too") or diag("$apart of $length");
	my $drawn = "SELECT count(prior) FROM %s_item_factors WHERE item_id <= 200";
	is(sql($node, sprintf($drawn, "all_$name")), sql($node, sprintf($drawn, "one_$name")), "$name: the same items are drawn to what is said of them");
	isnt(sql($node, sprintf($drawn, "all_$name")), '0', "$name: some are") if $name eq 'implicit';
	is(sql($node, lists_sql("all_$name", 'fresh => false')), sql($node, lists_sql("one_$name", 'fresh => false')), "$name: the same lists") if $name ne 'wide';
}

# the same bits again, with other numbers of threads
my $bits_of = sub { return join ' ', map { sql($node, sprintf(q[SELECT md5(string_agg(f::text, ' ' ORDER BY f::text)) FROM (SELECT to_jsonb(t) - 'version' f FROM %s t WHERE version = (SELECT max(version) FROM %s)) x], $_, $_)) } map { "bits_${_}_factors" } 'user', 'item', 'feature' };
my $again = "factors => 8, feedback => 'implicit', rating_column => NULL, item_features => 'about', distribute => true";
$train->('there', 'bits', $again);
my $bits = $bits_of->();
for my $threads (1, 4)
{
	$_->append_conf('postgresql.conf', "mfrec.threads = $threads\n"), $_->reload for @nodes;
	$train->('there', 'bits', $again);
	is($bits_of->(), $bits, "the same bits with $threads threads");
}

# ids of text, whose order is that of a collation, and attributes that are distributed themselves
sql($node, <<'SQL');
CREATE TABLE texts AS SELECT 'User ' || md5(user_id::text) AS user_id, 'item ' || item_id AS item_id, rating FROM here;
CREATE TABLE texts_there (LIKE texts);
SELECT create_distributed_table('texts_there', 'user_id', colocate_with => 'none', shard_count => 5);
INSERT INTO texts_there SELECT * FROM texts;
CREATE TABLE about_texts (item_id text, kind text);
SELECT create_distributed_table('about_texts', 'item_id', colocate_with => 'none');
INSERT INTO about_texts SELECT 'item ' || item_id, kind FROM about;
SQL
my @one = $train->('texts', 'one_texts', "factors => 8, interest_weight => 0, item_features => 'about_texts'");
my @all = $train->('texts_there', 'all_texts', "factors => 8, interest_weight => 0, item_features => 'about_texts', distribute => true");
ok(abs($one[0] - $all[0]) <= 1e-6 * $one[0], 'texts: the same loss') or diag("$one[0], $all[0]");

# all nodes serve it, cold items too, and what comes later reaches all of it
sql($node, 'SELECT mf_citus()');
sql($node, "SELECT mf_train('there', model => 'm', item_features => 'about_there', $presets{alone}, distribute => true)");
my $lists = lists_sql('m');
my $first = sql($node, $lists);
same_everywhere(\@nodes, $lists, $first, 'lists of all nodes');
my $cold = q[SELECT string_agg(format('%s:%s', u, round(mf_predict(u, 215, 'm')::numeric, 3)), ' ' ORDER BY u) FROM generate_series(1, 9) u];
same_everywhere(\@nodes, $cold, sql($node, $cold), 'ratings of a cold item on all nodes');
sql($node, "INSERT INTO about_there VALUES (221, 'kind 3', 1993)");
is(sql($node, "SELECT version FROM mf_retrain('m', distribute => true)"), '2', 'trained again, from the map before');
same_everywhere(\@nodes, q[SELECT count(*) FROM m_item_factors WHERE version = 2], '221', 'with an item that is new');
is(sql($node, q[SELECT mf_rollback('m')]), '1', 'rolled back');
same_everywhere(\@nodes, $lists, $first, 'lists of all nodes after that');
sql($node, 'INSERT INTO there VALUES (2, 215, 5)');
sql($node, q[SELECT mf_update('m')]);
same_everywhere(\@nodes, q[SELECT ratings FROM m_item_factors WHERE item_id = 215 AND version = (SELECT version FROM mfrec.model WHERE name = 'm')], '1', 'a rating of a cold item is taken');
is(sql($node, q[SELECT mf_forget(3, 'm') > 0]), 't', 'forgot a user');
sql($node, q[SELECT mf_drop('m')]);
is(sql($node, q[SELECT count(*) FROM pg_class WHERE relname ~ '^m_.*_factors']), '0', 'dropped, with its features');
done_testing();
