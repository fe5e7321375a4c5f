# Who may do what: training, reading, managing models, with grants and with row security.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('privileges');
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_shop; CREATE ROLE regress_app; CREATE ROLE regress_nobody; CREATE ROLE regress_analyst;
CREATE SCHEMA shop AUTHORIZATION regress_shop;
CREATE SCHEMA own AUTHORIZATION regress_analyst;
GRANT USAGE ON SCHEMA shop TO regress_app, regress_analyst;
SET ROLE regress_shop;
CREATE TABLE shop.ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO shop.ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
SQL

# Runs statements as a role; the output, or SQLSTATE and message.
sub as
{
	my ($role, $sql) = @_;
	return output_or_error($node, "SET ROLE $role; $sql");
}

# training
like(as('regress_nobody', "SELECT mf_train('shop.ratings')"), qr/^42501: permission denied for schema shop/, 'no right to the schema');
like(as('regress_app', "SELECT mf_train('shop.ratings')"), qr/^42501: permission denied for/, 'no right to the table or to create');
like(as('regress_analyst', "SELECT mf_train('shop.ratings', schema => 'own')"), qr/^42501: permission denied for table ratings/, 'no right to read the source');
like(as('regress_shop', "SELECT mf_train('shop.ratings', schema => 'own')"), qr/^42501: permission denied for schema own/, 'no right to create there');
is($node->safe_psql('postgres', 'SELECT count(*) FROM mf_models'), '0', 'nothing was trained');
is(as('regress_shop', "SELECT version FROM mf_train('shop.ratings', factors => 4)"), '1', 'the owner trains');
is($node->safe_psql('postgres', "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'ratings%factors'"), 'regress_shop', 'and owns the tables');
as('regress_shop', 'GRANT SELECT ON shop.ratings TO regress_analyst');
is(as('regress_analyst', "SELECT version FROM mf_train('shop.ratings', 'mine', factors => 4, schema => 'own')"), '1', 'a reader of the source trains in a schema of their own');

# reading
my %calls = (
	mf_recommend => 'SELECT count(*) FROM mf_recommend(1, 3)', mf_predict => 'SELECT mf_predict(1, 1)',
	mf_similar_items => 'SELECT count(*) FROM mf_similar_items(1, 3)', mf_similar_users => 'SELECT count(*) FROM mf_similar_users(1, 3)',
	mf_popular => 'SELECT count(*) FROM mf_popular(3)', mf_recommend_for => 'SELECT count(*) FROM mf_recommend_for(ARRAY[1], k => 3)',
	mf_explain => 'SELECT count(*) FROM mf_explain(1, 2)', mf_recommend_users => 'SELECT count(*) FROM mf_recommend_users(1, 3)',
	mf_recommend_all => 'SELECT count(*) FROM mf_recommend_all(3)');
for my $name (sort keys %calls)
{
	like(as('regress_app', $calls{$name}), qr/^42501: permission denied for table ratings_(user|item)_factors/, "$name without grants");
}
as('regress_shop', 'GRANT SELECT ON shop.ratings_item_factors TO regress_app');
like(as('regress_app', $calls{mf_recommend}), qr/^42501: permission denied for table ratings_user_factors/, 'items are not enough');
as('regress_shop', 'GRANT SELECT ON shop.ratings_user_factors TO regress_app');
like(as('regress_app', $calls{mf_recommend}), qr/^42501: permission denied for table ratings\b/, 'fresh needs the source, too');
is(as('regress_app', 'SELECT count(*) FROM mf_recommend(1, 3, fresh => false)'), '3', 'the model alone does not');
is(as('regress_app', $calls{mf_similar_items}), '3', 'nor do similar items');
like(as('regress_app', $calls{mf_recommend_all}), qr/^42501: permission denied for table ratings\b/, 'lists for everybody need the source');
is(as('regress_app', 'SELECT count(*) FROM mf_recommend_all(3, exclude_seen => false)'), '60', 'but not where nothing is left out');
as('regress_shop', 'GRANT SELECT ON shop.ratings TO regress_app');
is(as('regress_app', $calls{$_}), $node->safe_psql('postgres', $calls{$_}), "$_ with grants") for sort keys %calls;
is(as('regress_nobody', 'SELECT count(*) FROM mf_models') > 0, 1, 'anybody may see which models there are');
# a session that may read at first, and then may not, uses nothing that it remembers
like(as('regress_app', 'SELECT count(*) FROM mf_recommend(1, 3); SET ROLE regress_nobody; SELECT count(*) FROM mf_recommend(1, 3)'),
	qr/^42501/, 'what a session remembers is not for another role');
like(as('regress_app', 'SELECT count(*) FROM mf_recommend(1, 3, fresh => false); SET ROLE regress_nobody; SELECT count(*) FROM mf_similar_items(1, 3)'),
	qr/^42501/, 'nor are images');

# a function that runs with its owner's rights
as('regress_shop', 'CREATE FUNCTION shop.list(u int) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$SELECT count(*) FROM public.mf_recommend(u, 3)$$');
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA shop TO regress_nobody');
is(as('regress_nobody', 'SELECT shop.list(1)'), '3', 'a SECURITY DEFINER function lends its rights');

# managing
for my $call ("mf_train('shop.ratings', 'ratings')", "mf_retrain('ratings')", "mf_update('ratings')", "mf_serve('ratings')", "mf_rollback('ratings')", "mf_drop('ratings')",
	"mf_forget(1, 'ratings')", "mf_set_default('ratings')")
{
	like(as('regress_app', "SELECT $call"), qr/^42501: must be owner of model "ratings"/, "$call by another");
}
like(as('regress_app', "INSERT INTO mfrec.model SELECT * FROM mfrec.model"), qr/^42501: permission denied for table model/, 'nobody writes the bookkeeping');
like(as('regress_shop', "UPDATE mfrec.model SET version = 7"), qr/^42501: permission denied for table model/, 'not even owners');
like(as('regress_shop', "DELETE FROM mfrec.model_version"), qr/^42501: permission denied for table model_version/, 'of versions');
is(as('regress_shop', "SELECT version FROM mf_retrain('ratings'); SELECT mf_rollback('ratings'); SELECT mf_forget(20, 'ratings')"), "2\n1\n2", 'the owner does all of it');
is(as('regress_analyst', "SELECT version FROM mf_retrain('mine')"), '2', 'and of their model the analyst');
# ownership follows the tables
$node->safe_psql('postgres', 'REASSIGN OWNED BY regress_analyst TO regress_app');
is(as('regress_app', "SELECT version FROM mf_retrain('mine')"), '3', 'REASSIGN OWNED hands a model on');
like(as('regress_analyst', "SELECT mf_drop('mine')"), qr/^42501: must be owner of model "mine"/, 'from its owner');
$node->safe_psql('postgres', 'DROP OWNED BY regress_analyst');
is(as('regress_app', "SELECT mf_drop('mine')"), '', 'who may drop it');
# hostile names, and a search_path that means to divert
as('regress_shop', <<'SQL');
CREATE TABLE shop."x'; DROP TABLE shop.ratings; --" AS SELECT user_id AS "u"";", item_id AS "i'", rating FROM shop.ratings;
SELECT mf_train('shop."x''; DROP TABLE shop.ratings; --"', user_column => 'u";', item_column => 'i''', factors => 2);
SELECT mf_drop('x''; DROP TABLE shop.ratings; --');
SQL
is($node->safe_psql('postgres', 'SELECT count(*) > 0 FROM shop.ratings'), 't', 'names are quoted');
my $diverted = as('regress_shop', <<'SQL');
CREATE FUNCTION shop.always(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR shop.= (LEFTARG = int, RIGHTARG = int, FUNCTION = shop.always);
CREATE TABLE shop.model (LIKE mfrec.model);
SET search_path = shop, pg_catalog, public;
SELECT count(*) FROM mf_recommend(1, 100) WHERE rank OPERATOR(pg_catalog.>) 0;
SELECT version FROM mf_retrain('ratings');
SQL
is($diverted, $node->safe_psql('postgres', 'SELECT count(*) FROM mf_recommend(1, 100)') . "\n3", 'operators are qualified');
as('regress_shop', 'DROP OPERATOR shop.= (int, int); DROP FUNCTION shop.always(int, int); DROP TABLE shop.model');

# row security on the source: training and fresh lists see what the caller sees
as('regress_shop', <<'SQL');
ALTER TABLE shop.ratings ENABLE ROW LEVEL SECURITY;
CREATE POLICY half ON shop.ratings FOR SELECT TO regress_analyst USING (user_id <= 10);
CREATE POLICY none ON shop.ratings FOR SELECT TO regress_app USING (false);
GRANT SELECT ON shop.ratings TO regress_analyst; GRANT USAGE ON SCHEMA shop TO regress_analyst;
SQL
$node->safe_psql('postgres', 'GRANT ALL ON SCHEMA own TO regress_analyst, regress_app');
is(as('regress_analyst', "SELECT users FROM mf_train('shop.ratings', 'half', factors => 4, schema => 'own')"), '10', 'training sees the rows of the policy');
like(as('regress_app', "SELECT users FROM mf_train('shop.ratings', 'none', factors => 4, schema => 'own')"), qr/^02000: relation "ratings" has no ratings/, 'or none');
is(as('regress_app', 'SELECT DISTINCT reason FROM mf_recommend(1, 3)'), 'popular', 'a list does not look at hidden rows');
is(as('regress_shop', 'SELECT DISTINCT reason FROM mf_recommend(1, 3)'), 'model', 'for others it does');
my $not_rated = 'SELECT count(*) FROM (SELECT user_id::int, item_id::int FROM mf_recommend_all(100) EXCEPT SELECT u, i FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 = 0) l';
is(as('regress_shop', $not_rated), '0', 'lists for everybody leave rows out');
is(as('regress_app', $not_rated), '0', 'what users had at the training is in their rows, which the policy does not hide');
$node->safe_psql('postgres', 'INSERT INTO shop.ratings VALUES (1, 1, 5)');
my $new = 'SELECT count(*) FROM (SELECT user_id, item_id FROM mf_recommend_all(100)) l WHERE (user_id, item_id) = (1, 1)';
is(as('regress_shop', $new), '0', 'new rows are left out');
is(as('regress_app', $new), '1', 'but not hidden ones');
$node->safe_psql('postgres', 'DELETE FROM shop.ratings WHERE (user_id, item_id) = (1, 1)');
# row security on the model's tables
as('regress_shop', <<'SQL');
ALTER TABLE shop.ratings_user_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY self ON shop.ratings_user_factors FOR SELECT TO regress_app USING (user_id = 1);
SQL
is(as('regress_app', 'SELECT DISTINCT reason FROM mf_recommend(1, 3, fresh => false)'), 'model', 'a user whom the policy shows');
is(as('regress_app', 'SELECT DISTINCT reason FROM mf_recommend(2, 3, fresh => false)'), 'popular', 'a user whom it hides');
is(as('regress_app', 'SELECT count(DISTINCT user_id), min(user_id) FROM mf_recommend_all(3)'), '1|1', 'everybody is whom the policy shows');
is(as('regress_app', 'SELECT count(*) FROM mf_similar_users(1, 30)'), '0', 'hidden users are not similar to anybody');
is(as('regress_shop', 'SELECT count(*) > 10 FROM mf_similar_users(1, 30)'), 't', 'for the owner they are');
is(as('regress_shop', "SELECT version FROM mf_retrain('ratings')"), '4', 'the owner retrains');
as('regress_shop', 'ALTER TABLE shop.ratings_user_factors FORCE ROW LEVEL SECURITY');
like(as('regress_shop', "SELECT mf_retrain('ratings')"), qr/^0A000: cannot bulk-load model table "ratings_user_factors"/, 'not where it applies to them');
as('regress_shop', <<'SQL');
ALTER TABLE shop.ratings_user_factors DISABLE ROW LEVEL SECURITY;
ALTER TABLE shop.ratings_user_factors NO FORCE ROW LEVEL SECURITY;
ALTER TABLE shop.ratings_item_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON shop.ratings_item_factors FOR SELECT TO regress_app USING (item_id <= 5);
SQL
is(as('regress_app', 'SELECT max(item_id) <= 5 FROM mf_recommend(1, 100, fresh => false)'), 't', 'hidden items are not recommended');
is(as('regress_app', 'SELECT max(item_id) <= 5, max(rank) FROM mf_recommend_all(100, exclude_seen => false)'), 't|5', 'nor to everybody');
is(as('regress_shop', 'SELECT max(item_id) > 5 FROM mf_recommend(1, 100, fresh => false)'), 't', 'to the owner they are');
# both in one session: what one role loaded is not for the other
my ($status, $both) = $node->psql('postgres', <<'SQL');
SET ROLE regress_shop;
SELECT count(*) > 5 FROM mf_recommend(1, 100, fresh => false, exclude_seen => false);
SET ROLE regress_app;
SELECT count(*) <= 5 FROM mf_recommend(1, 100, fresh => false, exclude_seen => false);
SET ROLE regress_shop;
SELECT count(*) > 5 FROM mf_recommend(1, 100, fresh => false, exclude_seen => false);
SQL
is($both, "t\nt\nt", 'nor does a session mix roles up');

# what has lost its tables belongs to who owned them, as far as the bookkeeping knows
$node->safe_psql('postgres', 'DROP TABLE shop.ratings_user_factors, shop.ratings_item_factors; CREATE ROLE regress_deputy IN ROLE regress_shop');
like(as('regress_app', "SELECT mf_drop('ratings')"), qr/^42501: must be owner of model "ratings"/, 'a model without tables is not for anybody');
is(as('regress_shop', "BEGIN; SELECT mf_drop('ratings'); SELECT count(*) FROM mf_models WHERE model = 'ratings'; ROLLBACK"), "\n0", 'who owned them drops it');
is(as('regress_deputy', "BEGIN; SELECT mf_drop('ratings'); ROLLBACK"), '', 'or who has their privileges');
is($node->safe_psql('postgres', "SELECT mf_drop('ratings')"), '', 'or a superuser');

# a role that drops its own schema can drop the model, or train under its name again
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_tenant; CREATE ROLE regress_mallory;
GRANT CREATE ON DATABASE postgres TO regress_tenant, regress_mallory;
SQL
my $tenant = <<'SQL';
CREATE SCHEMA tenant;
CREATE TABLE tenant.orders AS SELECT u AS user_id, i AS item_id, (u + i) % 5 AS rating FROM generate_series(1, 9) u, generate_series(1, 9) i;
CREATE INDEX ON tenant.orders (user_id);
SQL
my $owners = "SELECT string_agg(DISTINCT tableowner, ',') FROM pg_tables WHERE schemaname = 'tenant' AND tablename LIKE 'orders_%_factors'";
is(as('regress_tenant', "$tenant SELECT version FROM mf_train('tenant.orders', factors => 2)"), '1', 'a tenant trains');
as('regress_tenant', 'DROP SCHEMA tenant CASCADE');
is(as('regress_nobody', "SELECT owner FROM mf_models WHERE model = 'orders'"), 'regress_tenant', 'the bookkeeping knows whose the model was');
like(as('regress_tenant', 'SELECT * FROM mf_recommend(1, 3)'), qr/^42(P01|704)/, 'there is nothing to ask');
# ... which nobody else can take
as('regress_mallory', <<'SQL');
CREATE SCHEMA mallory;
CREATE TABLE mallory.orders AS SELECT u AS user_id, i AS item_id, (u + i) % 5 AS rating FROM generate_series(1, 9) u, generate_series(1, 9) i;
SELECT mf_train('mallory.orders', 'trap', factors => 2);
SQL
like(as('regress_mallory', "SELECT $_"), qr/^42501: must be owner of model "orders"/, "$_ by another")
	for "mf_drop('orders')", "mf_train('mallory.orders', 'orders')", "mf_set_default('orders')",
	"mf_relink('orders', users => 'mallory.trap_user_factors', items => 'mallory.trap_item_factors')", "mf_relink('orders', 'mallory.orders')";
is(as('regress_tenant', "$tenant SELECT version FROM mf_train('tenant.orders', factors => 2); SELECT count(*) FROM mf_recommend(1, 3, 'orders', fresh => false, exclude_seen => false)"), "2\n3", 'trained anew');
is($node->safe_psql('postgres', $owners), 'regress_tenant', 'in tables of their own');
as('regress_tenant', 'DROP SCHEMA tenant CASCADE');
is(as('regress_tenant', "SELECT mf_drop('orders')"), '', 'or dropped');

# a table that somebody else puts in the way is neither dropped nor written
as('regress_tenant', "$tenant SELECT mf_train('tenant.orders', factors => 2); GRANT ALL ON SCHEMA tenant TO regress_mallory; DROP TABLE tenant.orders_user_factors, tenant.orders_item_factors");
as('regress_mallory', 'CREATE TABLE tenant.orders_item_factors AS SELECT * FROM mallory.trap_item_factors');
like(as('regress_tenant', "SELECT $_"), qr/^42501: must be owner of model "orders"/, "$_ with another's table in the way")
	for "mf_drop('orders')", "mf_retrain('orders')";
is($node->safe_psql('postgres', 'SELECT count(*) FROM tenant.orders_item_factors'), '9', 'it is still there');
as('regress_mallory', 'DROP TABLE tenant.orders_item_factors');
is(as('regress_tenant', "SELECT version FROM mf_retrain('orders')"), '2', 'without it all is well');
# tables of others are not relinked to, nor is what cannot be read a source
like(as('regress_tenant', "SELECT mf_relink('orders', users => 'mallory.trap_user_factors', items => 'mallory.trap_item_factors')"), qr/^42501/, "another's tables");
$node->safe_psql('postgres', 'GRANT USAGE ON SCHEMA mallory TO regress_tenant');
like(as('regress_tenant', "SELECT mf_relink('orders', users => 'mallory.trap_user_factors', items => 'mallory.trap_item_factors')"),
	qr/^42501: must be owner of table trap_user_factors/, 'named or not');
like(as('regress_tenant', "SELECT mf_relink('orders', 'mallory.orders')"), qr/^42501: permission denied for table orders/, "another's rows");
is(as('regress_tenant', "ALTER TABLE tenant.orders RENAME TO bookings; SELECT mf_relink('orders', 'tenant.bookings'); SELECT version FROM mf_retrain('orders')"), "\n3", 'their own they may');
# the owner that counts is the table's while that is there; a superuser's relink keeps it
$node->safe_psql('postgres', "ALTER TABLE tenant.orders_user_factors RENAME TO people; ALTER TABLE tenant.orders_item_factors RENAME TO things;
	ALTER TABLE tenant.people OWNER TO regress_mallory; ALTER TABLE tenant.things OWNER TO regress_mallory; SELECT mf_relink('orders', NULL, 'tenant.people', 'tenant.things')");
is($node->safe_psql('postgres', "SELECT owner FROM mfrec.model WHERE name = 'orders'"), 'regress_mallory', 'relinking notes the owner');
like(as('regress_tenant', "SELECT mf_drop('orders')"), qr/^42501: must be owner of model "orders"/, 'who owned it before does not');
# a role of another name is another role
$node->safe_psql('postgres', 'DROP TABLE tenant.people, tenant.things; ALTER ROLE regress_mallory RENAME TO regress_renamed');
like(as('regress_renamed', "SELECT mf_drop('orders')"), qr/^42501: must be owner of model "orders"/, 'a renamed role is not known');
is($node->safe_psql('postgres', "SELECT mf_drop('orders')"), '', 'a superuser cleans up');
$node->stop;

done_testing();
