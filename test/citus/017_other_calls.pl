# Calls beside mf_train that read a distributed source: they answer as of a local table, or say what to do.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('others');
my ($node, @workers) = @nodes;
sql($node, <<'SQL');
CREATE TABLE here AS SELECT u AS user_id, i AS item_id, (1 + abs(hashint4(u * 1000 + i)) % 5)::real AS rating, date '2024-01-01' + (u * 37 + i * 101) % 300 AS at,
	CASE (u + i) % 4 WHEN 0 THEN 'purchase' ELSE 'view' END AS kind, u % 3 AS shop
FROM generate_series(1, 900) u, generate_series(1, 120) i
WHERE abs(hashint4(u * 7 + i * 100003)) % 100 < CASE WHEN i % 10 IN (u % 10, u * 3 % 10) THEN 35 ELSE 3 END;
CREATE TABLE there (LIKE here);
CREATE INDEX ON here (user_id);
CREATE INDEX ON there (user_id);
SELECT create_distributed_table('there', 'user_id');
INSERT INTO there SELECT * FROM here;
SQL
my $weights = q[event_column => 'kind', event_weights => '{"view": 1, "purchase": 4}', rating_column => NULL];

# a search: the same trials of the same rows, which come to the node that is called
my $search = q[SELECT string_agg(concat_ws(' ', trial, winner, round(value::numeric, 5), factors, iterations), ', ' ORDER BY trial) FROM mf_tune('%s', trials => 3, factors => 4, iterations => 4, %s)];
for my $arguments ("feedback => 'implicit', rating_column => NULL", "time_column => 'at', interest_weight => 0, rating_factors => 0", $weights)
{
	my $expected = sql($node, sprintf($search, 'here', $arguments));
	like($expected, qr/^1 \w .*, 2 .*, 3 /, 'three trials');
	is(sql($node, sprintf($search, 'there', $arguments)), $expected, "mf_tune, $arguments: the same trials");
}
my $estimate = q[SELECT ratings, users, items, factors, iterations FROM mf_estimate('%s')];
is(sql($node, sprintf($estimate, 'there')), sql($node, sprintf($estimate, 'here')), 'mf_estimate: the same counts');

# models of tenants are trained on one node
is(sql($node, q[SELECT count(*), count(failed) FROM mf_train_each('there', by => 'shop', model => 'shops', factors => 4)]), '3|0', 'models of tenants');
like(error_of($node, q[SELECT mf_retrain(mf_tenant('shops', 1), distribute => true)]), qr/0A000.*Models of tenants are trained on one node only.*Leave the argument distribute out/s, 'and not where rows lie');
is(sql($node, q[SELECT count(*), count(failed) FROM mf_retrain_each('shops')]), '3|0', 'trained again');
sql($node, q[SELECT mf_drop('shops')]);

# what comes after a training where rows lie reaches the model as after one on one node
sql($node, 'SELECT mf_citus()');
is(sql($node, q[SELECT count(*) FROM mf_tune('there', trials => 2, factors => 4, iterations => 3, interest_weight => 0, train => true, model => 'tuned')]), '2', 'a search that trains its winner');
is(sql($node, q[SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE logicalrelid IN ('there'::regclass, 'tuned_user_factors')]), '1', 'whose users lie with the rows');
same_everywhere(\@nodes, lists_sql('tuned', 'fresh => false'), sql($node, lists_sql('tuned', 'fresh => false')), 'which all nodes serve');
my %kinds = (
	events => $weights,
	guarded => "feedback => 'implicit', rating_column => NULL, guard => 0.05",
	newest => "feedback => 'implicit', rating_column => NULL, time_column => 'at', validation => 0.1, half_life => '200 days'");
sql($node, "SELECT mf_train('here', model => 'one_$_', factors => 6, iterations => 5, $kinds{$_}), mf_train('there', model => 'all_$_', factors => 6, iterations => 5, $kinds{$_}, distribute => true)") for sort keys %kinds;
sql($node, "INSERT INTO $_ VALUES (2000, 11, 5, '2024-10-30', 'view', 0), (2000, 21, 4, '2024-10-30', 'purchase', 0), (3, 77, 5, '2024-10-31', 'purchase', 0); DELETE FROM $_ WHERE user_id = 9 OR (user_id, item_id) IN (SELECT user_id, min(item_id) FROM $_ WHERE user_id = 4 GROUP BY 1)") for 'here', 'there';
for my $kind (sort keys %kinds)
{
	my $update = q[SELECT users_added, users_changed, users_removed, items_added, items_changed FROM mf_update('%s')];
	is(sql($node, sprintf($update, "all_$kind")), sql($node, sprintf($update, "one_$kind")), "$kind: the update finds the same changes");
	my $lists = sql($node, lists_sql("one_$kind", 'fresh => false'));
	is(sql($node, lists_sql("all_$kind", 'fresh => false')), $lists, "$kind: the same lists afterwards");
	same_everywhere(\@nodes, lists_sql("all_$kind", 'fresh => false'), $lists, "$kind: on all nodes");
	my $retrain = q[SELECT users, items, ratings, round(loss::numeric / 1000, 3) FROM mf_retrain('%s'%s)];
	my $guard = $kind eq 'guarded' ? ', guard => 0.05' : '';
	is(sql($workers[0], sprintf($retrain, "all_$kind", ", distribute => true$guard")), sql($node, sprintf($retrain, "one_$kind", $guard)), "$kind: trained again, from a worker, to the same loss");
}
done_testing();
