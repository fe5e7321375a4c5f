# Rows held out where they lie: the same ones as on one node, and the same figures.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('validation');
my ($node, @workers) = @nodes;
sql($node, <<'SQL');
CREATE TABLE here AS SELECT u AS user_id, i AS item_id, (1 + abs(hashint4(u * 1000 + i)) % 3 + u % 2)::real AS rating, now() - i * interval '1 day' AS at
FROM generate_series(1, 3000) u, generate_series(1, 150) i
WHERE abs(hashint4(u * 7 + i * 100003)) % 100 < CASE WHEN i % 10 IN (u % 10, u * 3 % 10) THEN 40 ELSE 3 END;
INSERT INTO here SELECT user_id, item_id, rating, at FROM here WHERE user_id < 50;
CREATE TABLE there (LIKE here);
CREATE INDEX ON there (user_id);
SELECT create_distributed_table('there', 'user_id');
INSERT INTO there SELECT * FROM here;
CREATE TABLE about AS SELECT i AS item_id, 'kind ' || i % 10 AS kind FROM generate_series(1, 170) i;
CREATE TABLE texts AS SELECT 'User ' || md5(user_id::text) AS user_id, item_id, rating FROM here WHERE user_id < 500;
CREATE TABLE texts_there (LIKE texts);
SELECT create_distributed_table('texts_there', 'user_id', colocate_with => 'none', shard_count => 5);
INSERT INTO texts_there SELECT * FROM texts;
SQL
my $train = sub {
	my ($table, $model, $arguments) = @_;
	my @row = split /\|/, sql($node, "SELECT loss, users, items, ratings, iterations, coalesce(round(rmse::numeric, 4), 0) FROM mf_train('$table', model => '$model', iterations => 8, validation => 0.2, $arguments)");
	return ($row[0], "@row[1 .. 5]", sql($node, "SELECT string_agg(round(validation::numeric, 4)::text, ' ' ORDER BY iteration) FROM mf_training_log WHERE model = '$model'"));
};
my %presets = (
	implicit => "factors => 8, feedback => 'implicit', rating_column => NULL",
	faded => "factors => 8, feedback => 'implicit', time_column => 'at', half_life => '99 days', validation_by => 'random'",
	alone => 'factors => 8, interest_weight => 0',
	newest => "factors => 8, feedback => 'implicit', rating_column => NULL, time_column => 'at'",
	newest_faded => "factors => 8, feedback => 'implicit', time_column => 'at', half_life => '99 days', seed => 5",
	newest_alone => "factors => 8, interest_weight => 0, time_column => 'at'",
	attributes => "factors => 8, feedback => 'implicit', rating_column => NULL, item_features => 'about'",
	joint => 'factors => 8, rating_factors => 0, seed => 7');
my $users = q[SELECT count(*), sum(ratings), count(seen), bit_xor(fingerprint), bit_xor(hashtext(seen::text)) FROM %s_user_factors];
for my $name (sort keys %presets)
{
	my @one = $train->('here', "one_$name", $presets{$name});
	my @all = $train->('there', "all_$name", "$presets{$name}, distribute => true");
	ok(abs($one[0] - $all[0]) <= 1e-6 * $one[0], "$name: the same loss") or diag("$one[0], $all[0]");
	is($all[1], $one[1], "$name: the same rows, best iteration and error");
	is($all[2], $one[2], "$name: the same metric of all iterations");
	isnt($one[2], '', "$name: there is one");
	is(sql($node, sprintf($users, "all_$name")), sql($node, sprintf($users, "one_$name")), "$name: the same stored");
}
my @one = $train->('texts', 'one_texts', 'factors => 4, rating_factors => 0');
my @all = $train->('texts_there', 'all_texts', 'factors => 4, rating_factors => 0, distribute => true');
is("@all[1, 2]", "@one[1, 2]", 'ids of text: the same rows and metric');

# times that are all the same, and ones that are hardly ever
sql($node, <<'SQL');
CREATE TABLE same AS SELECT user_id, item_id, rating, 7 AS at FROM here WHERE user_id < 800;
CREATE TABLE other AS SELECT user_id, item_id, rating, -1.5 * hashint4(user_id * 1000 + item_id) AS at FROM here WHERE user_id BETWEEN 50 AND 800;
CREATE TABLE same_there (LIKE same);
CREATE TABLE other_there (LIKE other);
SELECT create_distributed_table('same_there', 'user_id'), create_distributed_table('other_there', 'user_id');
INSERT INTO same_there SELECT * FROM same;
INSERT INTO other_there SELECT * FROM other;
SQL
for my $table ('same', 'other')
{
	@one = $train->($table, "one_$table", "factors => 4, time_column => 'at', rating_factors => 0");
	@all = $train->("${table}_there", "all_$table", "factors => 4, time_column => 'at', rating_factors => 0, distribute => true");
	is("@all[1, 2]", "@one[1, 2]", "$table times: the same rows and metric");
}

# rows that nodes have in temporary files
@one = $train->('here', 'one_spilled', $presets{newest});
$_->append_conf('postgresql.conf', "maintenance_work_mem = '1MB'\n"), $_->reload for @nodes;
@all = $train->('there', 'all_spilled', "$presets{newest}, distribute => true");
is("@all[1, 2]", "@one[1, 2]", 'spilled: the same rows and metric');

# users of one row or two, of whom many have none left
sql($node, <<'SQL');
CREATE TABLE thin AS SELECT user_id, item_id, rating FROM (SELECT *, row_number() OVER (PARTITION BY user_id ORDER BY item_id) AS n FROM here) h WHERE n <= 1 + user_id % 2;
CREATE TABLE thin_there (LIKE thin);
SELECT create_distributed_table('thin_there', 'user_id');
INSERT INTO thin_there SELECT * FROM thin;
SQL
for my $preset ("feedback => 'implicit', rating_column => NULL", 'interest_weight => 0')
{
	@one = $train->('thin', 'one_thin', "factors => 4, $preset");
	@all = $train->('thin_there', 'all_thin', "factors => 4, $preset, distribute => true");
	is("@all[1, 2]", "@one[1, 2]", "users without rows that are left, $preset: the same rows and metric");
}

# nothing left, and one node that has no row of a user
like(error_of($node, "SELECT mf_train('there', model => 'none', validation => 1, distribute => true)"), qr/ERROR/, 'nothing left to train on');
sql($node, 'DELETE FROM there WHERE user_id <> 17; DELETE FROM here WHERE user_id <> 17');
@one = $train->('here', 'one_single', "factors => 2, feedback => 'implicit'");
@all = $train->('there', 'all_single', "factors => 2, feedback => 'implicit', distribute => true");
is("@all[1, 2]", "@one[1, 2]", 'nodes without rows');
done_testing();
