# Kinds of events weighed where rows lie: the same models as on one node.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('events');
my ($node, @workers) = @nodes;

# users view, buy and send back; kinds as text, as an enum and as numbers
sql($node, <<'SQL');
CREATE TYPE kind AS ENUM ('view', 'purchase', 'return', 'other');
CREATE TABLE here AS SELECT u AS user_id, i AS item_id, 1 + u % 3 AS amount, timestamp '2024-01-01' + (u * 37 + i * 101) % 700 * interval '1 hour' AS at,
	k.kind::text AS kind, k.kind::kind AS label, k.n AS number
FROM generate_series(1, 1200) u, generate_series(1, 120) i, (VALUES (1, 'view'), (2, 'purchase'), (3, 'return'), (4, 'other')) k (n, kind)
WHERE abs(hashint4(u * 7 + i * 100003 + k.n)) % 100 < CASE WHEN i % 10 IN (u % 10, u * 3 % 10) THEN 20 ELSE 3 END;
CREATE TABLE there (LIKE here);
CREATE INDEX ON there (user_id);
SELECT create_distributed_table('there', 'user_id');
INSERT INTO there SELECT * FROM here;
SQL
my $weights = q['{"view": 1, "purchase": 5, "return": -2, "gift": 7}'];
my %presets = (
	plain => "event_column => 'kind', event_weights => $weights",
	faded => "event_column => 'kind', event_weights => $weights, time_column => 'at', half_life => '9 days'",
	amounts => "event_column => 'kind', event_weights => $weights, weight_column => 'amount'",
	enum => q[event_column => 'label', event_weights => '{"view": 1, "purchase": 5, "return": -2}'],
	number => q[event_column => 'number', event_weights => '{"1": 1, "2": 5, "3": -2}'],
	validated => "event_column => 'kind', event_weights => $weights, validation => 0.2, seed => 3");
my $train = sub {
	my ($table, $model, $arguments) = @_;
	my ($status, $out, $err) = $node->psql('postgres', "SELECT loss, users, items, ratings, iterations FROM mf_train('$table', model => '$model', factors => 8, iterations => 5, rating_column => NULL, $arguments)");
	BAIL_OUT($err) if $status != 0;
	my ($loss, @counts) = split /\|/, $out;
	return ($loss, "@counts", join("\n", sort grep { /skipped|no row/ } split /\n/, $err));
};
my $users = q[SELECT count(*), sum(ratings), count(seen), bit_xor(fingerprint), bit_xor(hashtext(seen::text)) FROM %s_user_factors];
my $items = q[SELECT count(*), sum(ratings), bit_xor(fingerprint) FROM %s_item_factors];
for my $name (sort keys %presets)
{
	my @one = $train->('here', "one_$name", $presets{$name});
	my @all = $train->('there', "all_$name", "$presets{$name}, distribute => true");
	ok(abs($one[0] - $all[0]) <= 1e-6 * $one[0], "$name: the same loss") or diag("$one[0], $all[0]");
	is($all[1], $one[1], "$name: the same users, items and ratings");
	(my $notices = $one[2]) =~ s/"here"/"there"/g;
	is($all[2], $notices, "$name: the same notices");
	like($all[2], qr/skipped \d+ rows of kinds/, "$name: which say what is skipped");
	is(sql($node, sprintf($_, "all_$name")), sql($node, sprintf($_, "one_$name")), "$name: the same stored") for $users, $items;
}
like(($train->('there', 'all_plain', "$presets{plain}, distribute => true"))[2], qr/no row of relation "there" is of the kind "gift"/, 'a kind that no row has');

# again from what the model keeps, and a kind that is none of the column's type
sql($node, q[SELECT mf_citus(); SELECT mf_train('there', model => 'm', rating_column => NULL, iterations => 3, event_column => 'label', event_weights => '{"view": 1, "purchase": 5}', distribute => true)]);
is(sql($node, q[SELECT version FROM mf_retrain('m', distribute => true)]), '2', 'trained again');
same_everywhere(\@nodes, lists_sql('m', 'fresh => false'), sql($node, lists_sql('m', 'fresh => false')), 'lists of all nodes');
like(error_of($node, q[SELECT mf_train('there', model => 'n', event_column => 'label', event_weights => '{"vew": 1}', distribute => true)]),
	qr/22P02.*invalid input value for enum kind: "vew"/s, 'no such kind');
done_testing();
