# Ids of other types, names that need quotes or are as long as can be, privileges and row security, schemas of tenants.
use strict;
use warnings;
use CitusTest;
use Test::More;

my @nodes = new_cluster('ids');
my ($node, @workers) = @nodes;
make_ratings($node, 'plain');
sql($node, <<'SQL');
CREATE ROLE trainer LOGIN;
CREATE ROLE shop LOGIN;
CREATE ROLE nobody LOGIN;
CREATE SCHEMA work AUTHORIZATION trainer;
GRANT USAGE ON SCHEMA work TO shop, nobody;
SET ROLE trainer;
CREATE TABLE work.earlier (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
RESET ROLE;
INSERT INTO work.earlier TABLE plain;
SET ROLE trainer;
SELECT mf_train('work.earlier', factors => 4);
RESET ROLE;
SELECT mf_train('plain', factors => 4);
SQL
like(error_of($node, 'SET ROLE trainer; SELECT mf_citus()'), qr/42501: must be owner of extension mfrec/, 'mf_citus() is first for who owns the extension');
is(sql($node, 'SELECT mf_citus()'), '5', 'mf_citus() takes the models of who calls');
is(sql($node, lists_sql('earlier')), sql($node, lists_sql('plain')), 'the coordinator goes on to serve others');
like(error_of($node, 'SET ROLE trainer; SELECT mf_citus()'), qr/42501: role "trainer" may not write the bookkeeping/, 'their owners');
sql($node, 'GRANT INSERT, UPDATE, DELETE ON mfrec.model, mfrec.model_version, mfrec.training_log TO trainer');
is(sql($node, 'SET ROLE trainer; SELECT mf_citus()'), '2', 'do it for theirs');
sql($node, 'REVOKE INSERT, UPDATE, DELETE ON mfrec.model, mfrec.model_version, mfrec.training_log FROM trainer');
same_everywhere(\@nodes, lists_sql($_, 'fresh => false'), sql($node, lists_sql('plain')), "$_: served everywhere") for 'plain', 'earlier';
same_everywhere(\@nodes, "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') FROM pg_class WHERE relname ~ '^earlier_.*factors\$'", 'trainer', 'tables keep their owner');

# one source for each kind of ids; the model is called as the source
my %id = (
	uuid => [ 'uuid', 'md5(%s::text)::uuid' ],
	text => [ 'text', q['user "' || %s || '" with a name that is not short'] ],
	'text COLLATE "C"' => [ 'text COLLATE "C"', q['Ä' || %s] ],
	bigint => [ 'bigint', '%s::bigint * 5000000000' ],
	smallint => [ 'smallint', '%s::smallint' ],
	numeric => [ 'numeric', '%s + 0.5' ],
	varchar => [ 'varchar(40)', q[('v' || %s)::varchar] ],
	date => [ 'date', q['2000-01-01'::date + %s] ]);
my $expected = sql($node, lists_sql('plain'));
my $number = 0;
for my $kind (sort keys %id)
{
	my ($type, $make) = @{ $id{$kind} };
	my $name = "Ids \"of\" kind " . $number++ . ' ' . 'x' x 20;
	my $quoted = '"' . ($name =~ s/"/""/gr) . '"';
	my $literal = "'" . ($name =~ s/'/''/gr) . "'";
	my $of = sub { return sprintf($make, $_[0]) };
	sql($node, "CREATE TABLE $quoted (\"the User\" $type, item_id int, rating real, PRIMARY KEY (\"the User\", item_id));
		SELECT create_distributed_table('$quoted', 'the User', colocate_with => 'none'); INSERT INTO $quoted SELECT " . $of->('user_id') . ', item_id, rating FROM plain');
	sql($node, "SELECT mf_train('$quoted', factors => 4, user_column => 'the User')");
	is(sql($node, "SELECT count(DISTINCT colocationid) FROM pg_dist_partition WHERE logicalrelid::text LIKE '\"" . ($name =~ s/"/\"\"/gr) . "%' AND partmethod = 'h'"), '1',
		"$kind: users' vectors lie with their ratings");
	my $lists = "SELECT string_agg(format('%s:%s:%s:%s', u, item_id, round(score::numeric, 3), reason), ' ' ORDER BY u, rank)
		FROM generate_series(1, 12) u, LATERAL mf_recommend(" . $of->('u') . ", 3, model => $literal) r";
	my @answers = everywhere(\@nodes, $lists);
	is(join('|', @answers), join('|', ($answers[0]) x 4), "$kind: all nodes answer the same");
	like($answers[0], qr/^1:\d+:[\d.]+:model /, "$kind: by the model");
	is(sql($workers[0], "SELECT version FROM mf_retrain($literal)"), '2', "$kind: retrained");
	my $who = sql($node, "SELECT count(*), count(DISTINCT reason), min(reason) FROM (SELECT DISTINCT \"the User\" AS who FROM $quoted) u, LATERAL mf_recommend(who, 1, model => $literal) r");
	is($who, '300|1|model', "$kind: all users have lists");
	is(sql($node, "SELECT count(*), count(DISTINCT reason), min(reason) FROM $quoted u, LATERAL mf_recommend(\"the User\", 1, model => $literal, fresh => true) r WHERE u.item_id = 5"),
		sql($node, "SELECT count(*), 1, 'model' FROM $quoted WHERE item_id = 5"), "$kind: also where they live");
	is(sql($node, 'SELECT mf_forget(' . $of->('7') . ", $literal)"), '2', "$kind: forgotten");
	is(sql($_, 'SELECT min(reason) FROM mf_recommend(' . $of->('7') . ", 1, model => $literal, fresh => false)"), 'popular', "$kind: on every node") for @nodes;
}
# ids that grow, where Citus can alter the column and where it cannot
sql($node, "SELECT mf_train('plain', model => 'grows', factors => 4)");
sql($node, 'CREATE TABLE wide AS SELECT user_id::bigint, item_id::bigint, rating FROM plain');
is(sql($node, "SELECT version FROM mf_train('wide', model => 'grows', factors => 4)"), '2', 'ids of reference tables grow');
is(sql($_, lists_sql('grows', 'fresh => false')), $expected, 'on every node') for @nodes;
sql($node, "CREATE TABLE narrow (user_id int, item_id int, rating real); SELECT create_distributed_table('narrow', 'user_id'); INSERT INTO narrow TABLE plain");
sql($node, "SELECT mf_train('narrow', factors => 4)");
like(error_of($node, "SELECT mf_train('wide', model => 'narrow', factors => 4)"), qr/42804: column "user_id" of "narrow_user_factors" is of type integer.*Citus distributes the table by that column/s,
	'those of a distributed column do not');
sql($node, "SELECT mf_drop('grows'), mf_drop('narrow')");

# a name as long as can be, whose placements have others
my $long = 'a_model_with_a_name_of_50_bytes_' . 'x' x 18;
sql($node, "SELECT mf_train('plain', model => '$long', factors => 4)");
is(sql($node, lists_sql($long)), $expected, 'a long name');
same_everywhere(\@nodes, lists_sql($long, 'fresh => false'), $expected, '... on every node');
like(error_of($workers[0], lists_sql($long)), qr/42P01: source "public.plain" of model .* does not exist.*This node is a worker/s, 'a source that is no table of Citus\'s is on the coordinator');
sql($node, "SELECT mf_drop('$long')");

# who may do what: a trainer, a shop that was granted the tables, anybody else
sql($node, <<'SQL');
SET ROLE trainer;
CREATE TABLE work.bought (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
SELECT create_distributed_table('work.bought', 'user_id');
RESET ROLE;
INSERT INTO work.bought TABLE plain;
SQL
my $as = sub { my ($role, $statement) = @_; return "SET ROLE $role; $statement"; };
like(error_of($node, $as->('trainer', "SELECT users FROM mf_train('work.bought', factors => 4)")), qr|42501: role "trainer" may not write the bookkeeping of models.*GRANT INSERT, UPDATE, DELETE ON mfrec.model.* TO trainer|s, 'who trains must be let to write the bookkeeping');
sql($node, 'GRANT INSERT, UPDATE, DELETE ON mfrec.model, mfrec.model_version, mfrec.training_log TO trainer');
is(sql($node, $as->('trainer', "SELECT users FROM mf_train('work.bought', factors => 4)")), '300', 'a role trains its own source');
is(sql($node, "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') FROM pg_class WHERE relname ~ '^bought_.*factors\$'"), 'trainer', 'and owns the tables');
is(sql($_, $as->('trainer', lists_sql('bought'))), $expected, 'it is served') for @nodes;
for (0 .. 3)
{
	like(error_of($nodes[$_], $as->($_ % 2 ? 'shop' : 'nobody', lists_sql('bought'))), qr/42501: permission denied for table bought_user_factors/, "others are not, on node $_");
	like(error_of($nodes[$_], $as->('shop', "SELECT mf_retrain('bought')")), qr/42501: must be owner of model "bought"/, 'nor may they change it');
	like(error_of($nodes[$_], $as->('shop', "SELECT mf_forget(1, 'bought')")), qr/42501: must be owner of model "bought"/, 'or erase from it');
}
sql($node, 'SET ROLE trainer; GRANT SELECT ON work.bought_user_factors, work.bought_item_factors TO shop');
is(sql($_, $as->('shop', lists_sql('bought', 'fresh => false'))), $expected, 'who was granted the tables is served') for @nodes;
like(error_of($nodes[$_], $as->('shop', lists_sql('bought', 'fresh => true'))), qr/42501: permission denied for table bought/, "but not by the source, on node $_") for 0 .. 3;
sql($node, 'SET ROLE trainer; GRANT SELECT ON work.bought TO shop');
is(sql($_, $as->('shop', lists_sql('bought', 'fresh => true'))), $expected, 'unless it was granted, too') for @nodes;
is(sql($nodes[1], $as->('trainer', "SELECT version FROM mf_retrain('bought')")), '2', 'its owner retrains it on a worker');
is(sql($nodes[2], "SELECT version FROM mf_retrain('bought')"), '3', 'and so does a superuser');
like(sql($_, $as->('shop', lists_sql('bought'))), qr/^1:\d+:[\d.]+:model /, 'the shop is served') for @nodes;
is(sql($node, "SELECT string_agg(DISTINCT result, ' ') FROM run_command_on_shards('work.bought_user_factors', \$\$SELECT pg_get_userbyid(relowner) FROM pg_class WHERE oid = '%s'::regclass\$\$)"),
	'trainer', 'placements are the owner\'s');

# row security of the users' table and of the source, on their placements as on them
sql($node, <<'SQL');
ALTER TABLE work.bought_user_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON work.bought_user_factors FOR SELECT TO shop USING (user_id < 5);
ALTER TABLE work.bought ENABLE ROW LEVEL SECURITY;
CREATE POLICY fewer ON work.bought FOR SELECT TO shop USING (user_id < 3);
SQL
my $reasons = "SELECT string_agg(u || reason, ' ' ORDER BY u) FROM generate_series(1, 8) u, mf_recommend(u, 1, 'bought', fresh => %s)";
for (@nodes)
{
	is(sql($_, $as->('shop', sprintf($reasons, 'false'))), '1model 2model 3model 4model 5popular 6popular 7popular 8popular', 'policies hide users');
	is(sql($_, $as->('trainer', sprintf($reasons, 'false'))), '1model 2model 3model 4model 5model 6model 7model 8model', 'not from the owner');
}
sql($node, "INSERT INTO work.bought VALUES (400, 5, 5), (1000, 5, 5), (2, 1, 5), (4, 1, 5) ON CONFLICT DO NOTHING");
is(sql($_, $as->('shop', "SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1000, 1, 'bought', fresh => true)")), 'popular', 'nor do current rows tell of a user who is hidden') for @nodes;
is(sql($_, $as->('trainer', "SELECT string_agg(DISTINCT reason, ' ') FROM mf_recommend(1000, 1, 'bought', fresh => true)")), 'fresh', 'but for the owner') for @nodes;

# a tenant's schema, which is one shard on one node
sql($node, 'SET citus.enable_schema_based_sharding = on; CREATE SCHEMA tenant; CREATE TABLE tenant.ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
	INSERT INTO tenant.ratings TABLE plain');
is(sql($node, "SELECT users FROM mf_train('tenant.ratings', model => 'tenant', factors => 4, schema => 'public')"), '300', 'a tenant trains');
same_everywhere(\@nodes, lists_sql('tenant'), $expected, 'and is served on every node');
is(sql($nodes[2], "SELECT version FROM mf_retrain('tenant')"), '2', 'retrained');
is(sql($node, "SELECT users FROM mf_train('tenant.ratings', model => 'inside', factors => 4)"), '300', 'also with tables in the schema of the tenant');
same_everywhere(\@nodes, lists_sql('inside'), $expected, 'on every node');
sql($node, "SELECT mf_drop('inside'), mf_drop('tenant')");
sql($node, 'DROP SCHEMA tenant CASCADE');

$_->stop('fast') for reverse @nodes;
done_testing();
