# Guards of trainings where rows lie: the same pairs held out, the same figures and the same verdicts as on one node.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('guard');
my ($node, @workers) = @nodes;

# three kinds of taste, and items that more of their kind take than others; stars: ratings of the same
sql($node, <<'SQL');
CREATE TABLE good AS SELECT u AS user_id, i AS item_id FROM generate_series(1, 900) u, generate_series(1, 240) i
	WHERE hashint8(u * 1000 + i) % 100 >= 100 - CASE WHEN u % 3 = i % 3 THEN 30 ELSE 2 END * (1 + i % 4) / 2;
CREATE TABLE here AS TABLE good;
CREATE TABLE there (LIKE here);
CREATE INDEX ON there (user_id);
SELECT create_distributed_table('there', 'user_id');
INSERT INTO there TABLE good;
CREATE TABLE stars_here AS SELECT *, (3 + (user_id % 3 - 1) * (item_id % 3 - 1) + hashint8(user_id * 7 + item_id) % 2)::real AS rating FROM good;
CREATE TABLE stars_there (LIKE stars_here);
SELECT create_distributed_table('stars_there', 'user_id');
INSERT INTO stars_there TABLE stars_here;
SQL
my $figures = sub {
	my ($model) = @_;
	return sql($node, qq[SELECT string_agg(concat_ws(' ', version, serving, ratings, regexp_replace(withheld, '[0-9]+[.][0-9]+', 'x', 'g'), parameters -> 'guard',
		round((parameters ->> 'guard_value')::numeric, 4), round((parameters ->> 'guard_baseline')::numeric, 4),
		round((parameters ->> 'guard_chance')::numeric, 4)), E'\\n' ORDER BY version) FROM mf_models WHERE model = '$model']);
};
# the same call of both, and what they have then
my $night = sub {
	my ($name, $change, $call) = @_;
	for my $place ('here', 'there')
	{
		(my $statement = "$change; $call") =~ s/\$/$place/g;
		$statement =~ s/\)\s*$/, distribute => true)/ if $place eq 'there';
		sql($node, $statement);
	}
	for my $table ('', 'stars_')
	{
		my $expected = $figures->("${table}here");
		is($figures->("${table}there"), $expected, "$name: the same figures and verdict") if $change =~ /\b$table\$/ || $call =~ /'$table\$/;
	}
	return $figures->($call =~ /'stars_/ ? 'stars_there' : 'there');
};
my $train = q[SELECT mf_train('$', factors => 8, iterations => 6, guard => 0.05)];
my $retrain = q[SELECT mf_retrain('$', guard => 0.05)];
my $got = $night->('first', 'SELECT 1', $train);
like($got, qr/^1 t \d+ 0.05 0\.\d+ 0\.\d+ 0/, 'which are there');
$night->('healthy', 'SELECT 1', $retrain);
$got = $night->('rows lost', 'DELETE FROM $ WHERE hashint8(user_id * 77 + item_id) % 10 <> 0', $retrain);
like($got, qr/^3 f .*lost most of its rows/m, 'withheld');
$got = $night->('mixed up', <<'SQL', $retrain);
TRUNCATE $;
INSERT INTO $ SELECT u.user_id, i.item_id FROM (SELECT user_id, row_number() OVER (ORDER BY user_id, item_id) AS n FROM good) u
	JOIN (SELECT item_id, row_number() OVER (ORDER BY hashint8(user_id * 1000 + item_id)) AS n FROM good) i USING (n)
SQL
like($got, qr/most popular items beyond chance/, 'withheld as nothing is learned');
$got = $night->('good again', 'TRUNCATE $; INSERT INTO $ TABLE good', $retrain);
like($got, qr/^5 t/m, 'serves');
$got = $night->('new users', 'INSERT INTO $ SELECT user_id + 900, item_id FROM good WHERE user_id <= 300', $retrain);
like($got, qr/^6 t/m, 'serves with users whom the version before does not know');
$got = $night->('worse', 'SELECT 1', q[SELECT mf_train('$', factors => 1, iterations => 1, guard => 0.05)]);
like($got, qr/^7 f .*that of version 6/m, 'withheld beside the version that serves');
$got = $night->('validation', 'SELECT 1', q[SELECT mf_train('$', factors => 8, iterations => 6, validation => 0.1, guard => 0.05)]);
like($got, qr/^8 t \d+ 0 0\.\d+/m, 'what validation holds out is measured');

# ratings alone, whose errors are summed on the nodes
my $stars = q[SELECT mf_train('stars_$', interest_weight => 0, factors => 4, guard => 0.1)];
$night->('stars', 'SELECT 1', $stars);
$got = $night->('stars again', 'SELECT 1', $stars);
like($got, qr/^2 t/m, 'serves');
$got = $night->('worse stars', 'SELECT 1', q[SELECT mf_train('stars_$', interest_weight => 0, factors => 1, iterations => 1, regularization => 1000, guard => 0.1)]);
like($got, qr/^3 f .*rmse on rows .* that of version 2/m, 'withheld');

# pairs of ids of text, the same bits with other numbers of threads, and rows in temporary files
sql($node, <<'SQL');
CREATE TABLE texts_here AS SELECT 'User ' || md5(user_id::text) AS user_id, 'item ' || item_id AS item_id FROM good;
CREATE TABLE texts_there (LIKE texts_here);
SELECT create_distributed_table('texts_there', 'user_id', colocate_with => 'none', shard_count => 5);
INSERT INTO texts_there TABLE texts_here;
SQL
my $texts = q[SELECT mf_train('texts_%s', factors => 8, iterations => 4, guard => 0.05%s)];
sql($node, sprintf($texts, 'here', ''));
my $expected = $figures->('texts_here');
my $bits = q[SELECT md5(string_agg(f::text, ' ' ORDER BY f::text)) FROM (SELECT to_jsonb(t) - 'version' AS f FROM texts_there_user_factors t WHERE version = (SELECT max(version) FROM texts_there_user_factors)) x];
my $first;
for my $setting ('mfrec.threads = 2', 'mfrec.threads = 1', "mfrec.threads = 3\nmaintenance_work_mem = '1MB'")
{
	$_->append_conf('postgresql.conf', "$setting\n"), $_->reload for @nodes;
	sql($node, q[SELECT mf_drop('texts_there')]) if $first;
	sql($node, sprintf($texts, 'there', ', distribute => true'));
	(my $name = "texts, $setting") =~ tr/\n/,/;
	is($figures->('texts_there'), $expected, "$name: the same figures");
	$first //= sql($node, $bits);
	is(sql($node, $bits), $first, "$name: the same bits");
}

# as the version before has no rows in these tables any more, or is of a node that has none
sql($node, 'DELETE FROM there WHERE user_id <> 17; DELETE FROM here WHERE user_id <> 17');
$night->('nodes without rows', 'SELECT 1', $retrain);
sql($node, 'SELECT mf_citus()');
is(sql($workers[0], q[SELECT version FROM mf_retrain('stars_there', guard => 0.1, distribute => true)]), '4', 'from a worker');
done_testing();
