# Trainings on the nodes that have the rows: the same models as on one node, the same bits again, whole or not at all.
use strict;
use warnings;
use CitusTest;
use MfrecTest;
use Test::More;

my @nodes = new_cluster('training');
my ($node, @workers) = @nodes;

# two tables of the same rows, of which Citus has one; with(TABLE, NAME, ARGUMENTS) trains on it
sql($node, <<'SQL');
CREATE TABLE here AS SELECT u AS user_id, i AS item_id, (1 + abs(hashint4(u * 1000 + i)) % 5)::real AS rating,
	(1 + abs(hashint4(u + i)) % 3)::real AS weight, now() - abs(hashint4(u * 31 + i)) % 1000 * interval '1 hour' AS at
FROM generate_series(1, 400) u, generate_series(1, 90) i
WHERE abs(hashint4(u * 7 + i * 100003)) % 4 = 0;
INSERT INTO here SELECT user_id, item_id, rating, weight, at FROM here WHERE user_id < 20 AND item_id < 20;
INSERT INTO here SELECT 1000 + u, 5, NULL, 1, now() FROM generate_series(1, 30) u;
CREATE TABLE there (LIKE here);
CREATE INDEX ON there (user_id);
SELECT create_distributed_table('there', 'user_id');
INSERT INTO there SELECT * FROM here;
SQL
my $close = sub {
	my ($a, $b, $name, $within) = @_;
	ok(abs($a - $b) <= ($within // 1e-6) * abs($a), $name) or diag("$a, $b");
	return;
};
my $train = sub {
	my ($table, $model, $arguments) = @_;
	return split /\|/, sql($node, "SELECT loss, users, items, ratings, coalesce(rmse, 0) FROM mf_train('$table', model => '$model', iterations => 4, $arguments)");
};

# the same losses as on one node, and all else that is stored
my %presets = (
	implicit => "factors => 8, feedback => 'implicit', rating_column => NULL",
	values => "factors => 8, feedback => 'implicit'",
	weighted => "factors => 8, feedback => 'implicit', weight_column => 'weight'",
	faded => "factors => 8, feedback => 'implicit', time_column => 'at', half_life => '9 days'",
	alone => 'factors => 8, interest_weight => 0',
	joint => 'factors => 8, rating_factors => 0',
	private => 'factors => 8, rating_factors => 5',
	joint_weighted => "factors => 8, rating_factors => 0, weight_column => 'weight'",
	joint_faded => "factors => 8, rating_factors => 3, time_column => 'at', half_life => '9 days'",
	wide => 'factors => 100, rating_factors => 10');
my $users = q[SELECT count(*), sum(ratings), count(seen), bit_xor(fingerprint), bit_xor(hashtext(seen::text)), count(*) FILTER (WHERE factors = '{}') FROM %s_user_factors];
my $items = q[SELECT count(*), sum(ratings), round(sum(trend)::numeric, 2), bit_xor(fingerprint), bit_xor(hashint4(number + 100 * item_id::int)) FROM %s_item_factors];
# all that is stored of users and items of the last version of a model, to the bit
my $bits_of = sub {
	my ($model) = @_;
	return join ' ', map { sql($node, sprintf(q[SELECT md5(string_agg(f::text, ' ' ORDER BY f::text)) FROM (SELECT to_jsonb(t) - 'version' f FROM %s t WHERE version = (SELECT max(version) FROM %s)) x], $_, $_)) } map { "${model}_${_}_factors" } 'user', 'item';
};
# where items are solved from users' vectors: sums over users' losses alone are made in another order
my $same = sub {
	my ($here, $there, $name, $arguments) = @_;
	my @one = $train->($here, "one_$name", $arguments);
	my @all = $train->($there, "all_$name", "$arguments, distribute => true");
	is($bits_of->("all_$name"), $bits_of->("one_$name"), "$name: the same bits");
	$close->($one[0], $all[0], "$name: the same loss", 1e-12);
	is("@all[1 .. 3]", "@one[1 .. 3]", "$name: the same users, items and ratings");
	$close->($one[4], $all[4], "$name: the same error", 1e-10) if $one[4] > 0;
	return;
};
for my $name (sort keys %presets)
{
	$same->('here', 'there', $name, $presets{$name});
	is(sql($node, sprintf($_, "all_$name")), sql($node, sprintf($_, "one_$name")), "$name: the same stored") for $users, $items;
	is(sql($node, lists_sql("all_$name", 'fresh => false')), sql($node, lists_sql("one_$name", 'fresh => false')), "$name: the same lists");
}

# many users of few items: these are solved from sums, which is told apart by what a session says
sql($node, <<'SQL');
CREATE TABLE tall_here AS SELECT u AS user_id, i AS item_id, (1 + abs(hashint4(u * 1000 + i)) % 5)::real AS rating,
	(1 + abs(hashint4(u + i)) % 3)::real AS weight, now() - abs(hashint4(u * 31 + i)) % 1000 * interval '1 hour' AS at
FROM generate_series(1, 4000) u, generate_series(1, 12) i WHERE abs(hashint4(u * 7 + i * 100003)) % 3 = 0;
CREATE TABLE tall_there (LIKE tall_here);
SELECT create_distributed_table('tall_there', 'user_id');
INSERT INTO tall_there SELECT * FROM tall_here;
SQL
for my $case ([ 'there', "users' vectors" ], [ 'tall_there', 'sums of nodes' ])
{
	my ($table, $from) = @$case;
	my (undef, undef, $said) = $node->psql('postgres', "SET client_min_messages = debug1; SELECT loss FROM mf_train('$table', model => 'said', factors => 8, iterations => 1, distribute => true)");
	like($said, qr/items are solved from $from/, "items are solved from $from");
}
for my $name (sort keys %presets)
{
	my @one = $train->('tall_here', "one_tall_$name", $presets{$name});
	my @all = $train->('tall_there', "all_tall_$name", "$presets{$name}, distribute => true");
	# dimensions of ratings alone are solved with the others, rather than by turns
	$close->($one[0], $all[0], "$name from sums: the same loss", $name =~ /private|faded|wide/ ? 1e-3 : 1e-6);
	is("@all[1 .. 3]", "@one[1 .. 3]", "$name from sums: the same users, items and ratings");
	# wide ones are solved iteratively
	$close->($one[4], $all[4], "$name from sums: the same error", $name =~ /wide/ ? 3e-3 : 1e-3) if $one[4] > 0;
	is(sql($node, sprintf($_, "all_tall_$name")), sql($node, sprintf($_, "one_tall_$name")), "$name from sums: the same stored") for $users, $items;
}

# the same bits again, with other numbers of threads, and where rows are spilled
my $again = "factors => 12, distribute => true";
$train->('there', 'bits', $again);
my $bits = $bits_of->('bits');
$train->('there', 'bits', $again);
is($bits_of->('bits'), $bits, 'the same bits again');
my $set = sub {
	my ($setting) = @_;
	$_->append_conf('postgresql.conf', "$setting\n") for @nodes;
	$_->reload for @nodes;
	return;
};
for my $setting ('mfrec.threads = 1', 'mfrec.threads = 4', 'citus.max_cached_conns_per_worker = 0')
{
	$set->($setting);
	$train->('there', 'bits', $again);
	is($bits_of->('bits'), $bits, "the same bits with $setting");
}
$train->('tall_there', 'bits', $again);
my $other_bits = $bits_of->('bits');
for my $setting ('mfrec.threads = 1', 'mfrec.threads = 3')
{
	$set->($setting);
	$train->('tall_there', 'bits', $again);
	is($bits_of->('bits'), $other_bits, "the same bits from sums with $setting");
}
$set->('citus.max_cached_conns_per_worker = 1');
sql($node, <<'SQL');
CREATE TABLE many (user_id int, item_id int, rating real);
SELECT create_distributed_table('many', 'user_id');
INSERT INTO many SELECT u, i, 1 + abs(hashint4(u * 1000 + i)) % 5 FROM generate_series(1, 3000) u, generate_series(1, 500) i
	WHERE abs(hashint4(u * 7 + i * 100003)) % 4 = 0;
CREATE TABLE wide_many (user_id int, item_id int, rating real);
SELECT create_distributed_table('wide_many', 'user_id');
INSERT INTO wide_many SELECT u, i, 1 + abs(hashint4(u * 1000 + i)) % 5 FROM generate_series(1, 2000) u, generate_series(1, 3000) i
	WHERE abs(hashint4(u * 7 + i * 100003)) % 20 = 0;
SQL
$train->('wide_many', 'bits', $again);
$other_bits = $bits_of->('bits');
$train->('many', 'bits', "factors => 6, distribute => true");
$bits = $bits_of->('bits');
$set->("maintenance_work_mem = '1MB'");
$train->('many', 'bits', "factors => 6, distribute => true");
is($bits_of->('bits'), $bits, 'the same bits where nodes spill');
$train->('wide_many', 'bits', $again);
is($bits_of->('bits'), $other_bits, 'and where the driver does');
$set->("maintenance_work_mem = '64MB'");

# the same bits as on one node also where half-sweeps round: to 8 and 13 bits, and with many factors
sql($node, <<'SQL');
CREATE TABLE many_here AS SELECT u AS user_id, i AS item_id, (1 + abs(hashint4(u * 1000 + i)) % 5)::real AS rating
	FROM generate_series(1, 3000) u, generate_series(1, 3000) i WHERE abs(hashint4(u * 7 + i * 100003)) % 8 = 0;
CREATE TABLE many_there (LIKE many_here);
SELECT create_distributed_table('many_there', 'user_id');
INSERT INTO many_there SELECT * FROM many_here;
CREATE TABLE wide_here AS SELECT * FROM wide_many;
SQL
$same->('many_here', 'many_there', 'rounded', "factors => 8, feedback => 'implicit', rating_column => NULL");
$same->('many_here', 'many_there', 'rounded_joint', 'factors => 8, rating_factors => 4');
$same->('wide_here', 'wide_many', 'rounded_wide', "factors => 100, feedback => 'implicit', rating_column => NULL");

# ids of other types; shards on one node alone, shards without rows, and nodes of whose rows all are skipped
sql($node, <<'SQL');
CREATE TABLE texts AS SELECT 'user ' || user_id AS user_id, md5(item_id::text)::uuid AS item_id, rating FROM here;
CREATE TABLE texts_there (LIKE texts);
SELECT create_distributed_table('texts_there', 'user_id', colocate_with => 'none', shard_count => 3);
INSERT INTO texts_there SELECT * FROM texts;
CREATE TABLE few AS SELECT * FROM here WHERE user_id IN (1, 2) UNION ALL SELECT u, 5, NULL, 1, now() FROM generate_series(3, 60) u;
CREATE TABLE few_there (LIKE few);
SELECT create_distributed_table('few_there', 'user_id', colocate_with => 'none', shard_count => 32);
INSERT INTO few_there SELECT * FROM few;
CREATE TABLE single_there (LIKE here);
SELECT create_distributed_table('single_there', 'user_id', colocate_with => 'none', shard_count => 1);
INSERT INTO single_there SELECT * FROM here;
SQL
for my $pair ([ 'texts', 'texts_there' ], [ 'few', 'few_there' ], [ 'here', 'single_there' ])
{
	my ($one, $all) = @$pair;
	my @one = $train->($one, "one_$all", 'factors => 6, rating_factors => 0');
	my @all = $train->($all, "all_$all", 'factors => 6, rating_factors => 0, distribute => true');
	$close->($one[0], $all[0], "$all: the same loss");
	is("@all[1 .. 3]", "@one[1 .. 3]", "$all: the same users, items and ratings");
}

# a coordinator that has shards, whose parts of queries run in the driver's session or in one of its own
sql($node, sprintf("SELECT citus_set_node_property('127.0.0.1', %d, 'shouldhaveshards', true)", $node->port));
sql($node, <<'SQL');
CREATE TABLE also (LIKE here);
SELECT create_distributed_table('also', 'user_id', colocate_with => 'none', shard_count => 12);
INSERT INTO also SELECT * FROM here;
SQL
is(sql($node, q[SELECT count(DISTINCT nodeport) FROM citus_shards WHERE table_name = 'also'::regclass]), '4', 'shards on the coordinator, too');
my @one = $train->('here', 'one_also', 'factors => 6, rating_factors => 0');
for my $local ('on', 'off')
{
	my @all = split /\|/, sql($node, "SET citus.enable_local_execution = $local; SELECT loss, users FROM mf_train('also', model => 'also_$local', iterations => 4, factors => 6, rating_factors => 0, distribute => true)");
	$close->($one[0], $all[0], "local execution $local: the same loss");
	is($all[1], $one[1], "local execution $local: the same users");
}
sql($node, sprintf("SELECT citus_set_node_property('127.0.0.1', %d, 'shouldhaveshards', false)", $node->port));

# a transaction that has several sessions on a node already
like(error_of($node, q[SET citus.force_max_query_parallelization = on; BEGIN; SELECT count(*) FROM many; SELECT mf_train('many', model => 'bits', factors => 6, distribute => true)]),
	qr/55000.*more than one session/s, 'rows that several sessions of a node would take');

# what cannot be trained there
my $refused = sub {
	my ($call, $why, $name) = @_;
	like(error_of($node, "SELECT mf_train($call, distribute => true)"), qr/0A000: .*cannot train on the nodes.*$why/s, $name);
	return;
};
sql($node, <<'SQL');
CREATE TABLE by_item (LIKE here);
SELECT create_distributed_table('by_item', 'item_id', colocate_with => 'none');
CREATE TABLE copies (LIKE here);
SELECT create_reference_table('copies');
SQL
$refused->("'here'", 'no table that Citus distributes', 'a local table');
$refused->("'copies'", 'not distributed by hash', 'a reference table');
$refused->("'by_item'", 'not distributed by column "user_id"', 'a table by item');
is(sql($node, q[SELECT count(*) FROM mfrec.model WHERE name IN ('here', 'there', 'by_item', 'copies')]), '0', 'and nothing is left of it');

# calls that come out of order
like(error_of($_, "SELECT mfrec.node_run(1, 0, 'users', '')"), qr/takes no such part/, 'a step of no training') for $node, $workers[0];
like(error_of($node, "SELECT mfrec.node_receive(1, '\\x00')"), qr/do not understand|takes no such part/, 'a chunk of no training');
like(error_of($node, 'SELECT mfrec.driver_send(1)'), qr/takes no such part/, 'nothing to send');
like(error_of($node, "BEGIN; SELECT mfrec.node_take(7, 3, 0, 'x', '', 1, 2, 3::real); SELECT mfrec.node_run(7, 0, '$_', '')"), qr/takes no such part/, "$_ too early")
	for qw(times sort begin users sums held_errors served errors store end wrong);
is(sql($node, "BEGIN; SELECT mfrec.node_take(7, 3, 0, 'x', '', 1, 2, 3::real); SELECT count(*) FROM mfrec.node_run(7, 0, 'items', '')"), "1\n2", 'items of one row');

like(error_of($node, "BEGIN; SELECT mfrec.node_take(7, 3, 0, 'x', '', 1, 2, 'text'::text)"), qr/takes no such part/, 'a rating that is no number');
like(error_of($node, "BEGIN; SELECT mfrec.node_take(7, 15, 0, 'x', '', 1, 2, 3::real, 4, true)"), qr/takes no such part/, 'a time that is none');
like(error_of($node, "BEGIN; SELECT mfrec.node_take(7, 3, 0, 'x', '', u, 2, 3::real), mfrec.node_run(7, 0, 'items', '') FROM generate_series(1, 3) u"), qr/takes no such part/, 'rows and a step in one query');
like(error_of($node, "BEGIN; SELECT mfrec.node_take(7, 3, 0, 'x', '', u, 2, 3::real) FROM generate_series(1, 3) u; SELECT mfrec.node_run(7, 0, 'items', ''), mfrec.node_run(7, 0, 'sort', repeat('\\000', 8)::bytea)"), qr/55000/, 'two steps in one query');

# all nodes serve it, and later versions, rollback, forgetting and dropping reach all of it
sql($node, "SELECT mf_citus()");
sql($node, "SELECT mf_train('there', model => 'm', factors => 6, distribute => true)");
my $lists = lists_sql('m');
my $first = sql($node, $lists);
same_everywhere(\@nodes, $lists, $first, 'lists of all nodes');
is(sql($node, q[SELECT version FROM mf_retrain('m', distribute => true)]), '2', 'trained again');
my $second = sql($node, $lists);
isnt($second, $first, 'which makes others');
same_everywhere(\@nodes, $lists, $second, 'lists of all nodes after that');
is(sql($node, q[SELECT mf_rollback('m')]), '1', 'rolled back');
same_everywhere(\@nodes, $lists, $first, 'lists of all nodes after that');
is(sql($node, q[SELECT mf_forget(3, 'm')]), '2', 'forgot a user');
same_everywhere(\@nodes, q[SELECT count(*) FROM m_user_factors WHERE user_id = 3], '0', 'who has gone everywhere');
is(sql($node, q[SELECT version FROM mf_retrain('m')]), '3', 'trained here');
is(sql($node, q[SELECT count(*) FROM m_user_factors WHERE version < 1]), '0', 'no ticket is left');
sql($workers[1], q[SELECT mf_retrain('m', distribute => true)]);
same_everywhere(\@nodes, q[SELECT version FROM mfrec.model WHERE name = 'm'], '4', 'trained from a worker');
sql($node, q[SELECT mf_drop('m')]);
is(sql($node, q[SELECT to_regclass('m_user_factors') IS NULL AND to_regclass('m_item_factors') IS NULL]), 't', 'dropped');

# a role of its own, what policies show it, and somebody else's model
sql($node, <<'SQL');
CREATE ROLE trainer LOGIN;
GRANT CREATE, USAGE ON SCHEMA public TO trainer;
GRANT SELECT ON there TO trainer;
GRANT INSERT, UPDATE, DELETE ON mfrec.model, mfrec.model_version, mfrec.training_log TO trainer;
SQL
sql($_, 'SELECT 1') for @workers;
is(sql($node, q[SET ROLE trainer; SELECT users FROM mf_train('there', model => 'own', factors => 4, distribute => true)]), '400', 'a role of its own trains');
like(error_of($node, q[SELECT mf_train('there', model => 'own', factors => 4, distribute => true)]), qr/must be the model's owner/, 'for another who is not asked');
is(sql($node, q[SELECT version FROM mf_retrain('own', distribute => true)]), '2', 'but trains it again as its owner');
sql($node, 'ALTER TABLE there ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON there TO trainer USING (user_id <= 100)');
is(sql($node, q[SET ROLE trainer; SELECT users FROM mf_train('there', model => 'own', factors => 4, distribute => true)]), '100', 'from the rows that policies show');
sql($node, 'REVOKE SELECT ON there FROM trainer');
like(error_of($node, q[SET ROLE trainer; SELECT mf_train('there', model => 'own', factors => 4, distribute => true)]), qr/42501: .*permission denied for table there/, 'not without a privilege');
done_testing();
