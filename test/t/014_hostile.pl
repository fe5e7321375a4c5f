# What users can do to each other: code in another's tables, names and arguments that mean to be SQL,
# objects that stand in front of PostgreSQL's own, and what serving shares.
#
# Two that are no friends: mallory owns a schema and models in it, the superuser looks after them.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('hostile');
my $folder = $node->data_dir . '/base/pgsql_tmp';

# note() writes down as whom it runs; spied(x), which any index, view or rule may call, is x.
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_mallory; CREATE ROLE regress_alice; CREATE ROLE regress_reader; CREATE ROLE regress_tenant;
CREATE SCHEMA own AUTHORIZATION regress_mallory;
CREATE SCHEMA alice AUTHORIZATION regress_alice;
SET ROLE regress_mallory;
CREATE TABLE own.noted (who name);
GRANT INSERT ON own.noted TO PUBLIC; GRANT USAGE ON SCHEMA own TO PUBLIC;
CREATE FUNCTION own.note() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO own.noted VALUES (current_user);
	PERFORM set_config('search_path', 'own', false);
END $$;
CREATE FUNCTION own.spied(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN PERFORM own.note(); RETURN i; END $$;
CREATE FUNCTION own.note_row() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM own.note(); RETURN OLD; END $$;
CREATE TABLE own.rated (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO own.rated SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 <> 0;
CREATE VIEW own.ratings AS SELECT user_id, item_id, rating FROM own.rated WHERE own.spied(user_id) > 0;
CREATE TABLE own.described AS SELECT i AS item_id, 'kind ' || i % 3 AS kind, 'words of ' || i % 5 || ' and ' || i AS title FROM generate_series(1, 25) i;
CREATE VIEW own.features AS SELECT * FROM own.described WHERE own.spied(item_id) > 0;
SQL

sub as
{
	my ($role, $sql) = @_;
	return output_or_error($node, "SET ROLE $role; $sql");
}

sub plain
{
	my ($sql) = @_;
	return output_or_error($node, $sql);
}

# As whom mallory's code has run since the last question.
sub noted
{
	my $who = plain("SELECT coalesce(string_agg(DISTINCT who, ',' ORDER BY who), 'nobody') FROM own.noted");
	plain('TRUNCATE own.noted');
	return $who;
}

# ---- what a superuser does with another's model runs as its owner
as('regress_mallory', <<'SQL');
SELECT mf_train('own.ratings', 'm', factors => 4, item_features => 'own.features');
CREATE INDEX ON own.m_user_factors (own.spied(user_id));
CREATE INDEX ON own.m_item_factors (own.spied(item_id));
CREATE INDEX ON own.m_feature_factors (own.spied(items));
CREATE RULE spy AS ON DELETE TO own.m_item_factors DO ALSO SELECT own.note();
CREATE RULE spy AS ON DELETE TO own.m_feature_factors DO ALSO SELECT own.note();
SQL
is(noted(), 'regress_mallory', 'mallory has code in indexes, rules, the source and attributes');
my $path = q{SELECT current_setting('search_path')};
my $untouched = plain($path);
for my $call ("count(*) FROM mf_retrain('m')", "mf_forget(20, 'm')", "count(*) FROM mf_update('m')", "mf_rollback('m')", "mf_refresh('m')",
	"pg_catalog.set_config('mfrec.keep_versions', '1', false) FROM mf_retrain('m')")
{
	is(plain("SELECT $call; SELECT current_user; $path") =~ s/^.*\n//r, plain('SELECT current_user') . "\n$untouched", "$call: a superuser keeps name and settings");
	like(noted(), qr/^(nobody|regress_mallory)$/, "$call: and nothing runs as a superuser");
}
# who names the source reads it, as with SELECT; what is stored is still mallory's
plain("SELECT mf_train('own.rated', 'm', factors => 4)");
is(noted(), 'regress_mallory', 'nor does mf_train of a table');
as('regress_mallory', <<'SQL');
CREATE TABLE own.vectors AS SELECT g AS id, ARRAY[1, g]::real[] AS factors FROM generate_series(1, 9) g;
SQL
plain("SELECT mf_import('m', 'own.vectors', 'own.vectors')");
is(noted(), 'regress_mallory', 'nor does mf_import');
as('regress_mallory', 'CREATE TRIGGER spy BEFORE DELETE ON own.m_user_factors FOR EACH ROW EXECUTE FUNCTION own.note_row()');
is(plain("SELECT mf_forget(1, 'm') > 0"), 't', 'a trigger of the owner');
is(noted(), 'regress_mallory', 'runs as the owner');
as('regress_mallory', 'DROP TRIGGER spy ON own.m_user_factors');
as('regress_mallory', <<'SQL');
ALTER TABLE own.m_feature_factors RENAME TO f_base;
CREATE VIEW own.m_feature_factors AS SELECT * FROM own.f_base WHERE own.spied(items) > 0;
SQL
noted();
like(plain("SELECT mf_train('own.rated', 'm', factors => 4, item_features => 'own.described')"), qr/^0A000: cannot bulk-load model table "m_feature_factors"/, 'a view in the place of the table of features is not written');
like(noted(), qr/^(nobody|regress_mallory)$/, 'nor read as a superuser');
as('regress_mallory', 'DROP VIEW own.m_feature_factors; ALTER TABLE own.f_base RENAME TO m_feature_factors');
as('regress_mallory', <<'SQL');
ALTER TABLE own.m_item_factors RENAME TO m_base;
CREATE VIEW own.m_item_factors AS SELECT * FROM own.m_base WHERE own.spied(item_id) > 0;
SQL
noted();
plain("SELECT mf_refresh('m')");
is(noted(), 'regress_mallory', 'so does a view in the place of a table, with mf_refresh');
# the table of users gone, that of items left to trip over
as('regress_mallory', 'DROP VIEW own.m_item_factors; ALTER TABLE own.m_base RENAME TO m_item_factors; DROP TABLE own.m_user_factors');
like(plain("SELECT version FROM mf_train('own.rated', 'm', factors => 4)"), qr/^\d+$/, 'a superuser restores the other table');
is(noted(), 'regress_mallory', 'as the owner of what is left');
is(plain("SELECT tableowner FROM pg_tables WHERE tablename = 'm_user_factors'"), 'regress_mallory', 'whose table it is');
# a table that is not mallory's under a name that a model has: not written, not dropped
plain("SELECT mf_drop('m'); CREATE SCHEMA shared; GRANT ALL ON SCHEMA shared TO regress_mallory, regress_alice; TRUNCATE own.noted");
my %columns = (m_item_factors => 'version int, item_id int, ratings int, bias real, factors real[], rating_factors real[], PRIMARY KEY (version, item_id)',
	m_feature_factors => q{version int, side text, feature text, items int, factors real[], rating_factors real[], bias real, attribute text, taken_as text, weight real, mean float8, deviation float8, PRIMARY KEY (version, side, feature)});
my %row = (m_item_factors => q{0, 1, 1, 0, '{1}'}, m_feature_factors => q{0, 'item', 'f', 1, '{1}'});
for my $table (sort keys %columns)
{
	as('regress_mallory', "SELECT mf_train('own.rated', 'm', factors => 4, schema => 'shared', item_features => 'own.described'); DROP TABLE shared.$table");
	as('regress_alice', "CREATE TABLE shared.$table ($columns{$table}); INSERT INTO shared.$table VALUES ($row{$table})");
	for my $call ('mf_retrain', 'mf_drop')
	{
		like(as('regress_mallory', "SELECT $call('m')"), qr/^42501: must be owner of table $table/, "$call does not touch another's table");
		like(plain("SELECT $call('m')"), qr/^42501: must be owner of table $table/, "$call by a superuser, who means the model, neither");
	}
	is(plain("SELECT count(*) FROM shared.$table"), '1', 'it is as it was');
	is(plain("DROP TABLE shared.$table; SELECT mf_drop('m')"), '', 'with that out of the way a superuser drops it');
	is(plain("SELECT count(*) FROM pg_class WHERE relnamespace = 'shared'::regnamespace"), '0', 'and all that is left of it');
}
# reading is another thing: that a view runs its functions as whoever reads it is PostgreSQL's rule
as('regress_mallory', "SELECT mf_train('own.ratings', 'm', factors => 4)");
noted();
plain('SELECT count(*) FROM own.ratings');
my $reads = noted();
plain("SELECT count(*) FROM mf_recommend(1, 3, 'm', fresh => true)");
is(noted(), $reads, 'a fresh list runs a view as SELECT does');
plain("SELECT count(*) FROM mf_recommend(1, 3, 'm', fresh => false)");
is(noted(), 'nobody', 'one of the model alone runs nothing');
as('regress_mallory', "SELECT mf_train('own.rated', 'm', factors => 4, item_features => 'own.features')");
noted();
plain('SELECT count(*) FROM own.features');
$reads = noted();
cmp_ok(plain("SELECT count(*) FROM mf_explain_features(1, 22, 5, 'm')"), '>', 0, 'attributes explain an item');
is(noted(), $reads, 'and are read as SELECT does');
like(as('regress_alice', "SELECT mf_explain_features(1, 22, 5, 'm')"), qr/^42501: permission denied for table m_user_factors/, 'not by everybody');
as('regress_mallory', 'GRANT SELECT ON own.m_user_factors, own.m_item_factors TO regress_alice');
like(as('regress_alice', "SELECT mf_explain_features(1, 22, 5, 'm')"), qr/^42501: permission denied for view features/, 'nor by whoever sees lists');
as('regress_mallory', 'GRANT SELECT ON own.features TO regress_alice');
like(as('regress_alice', "SELECT mf_explain_features(1, 22, 5, 'm')"), qr/^42501: permission denied for table m_feature_factors/, 'nor without the table of features');
as('regress_mallory', 'GRANT SELECT ON own.m_feature_factors TO regress_alice; ALTER TABLE own.m_feature_factors ENABLE ROW LEVEL SECURITY; CREATE POLICY part ON own.m_feature_factors TO regress_alice USING (feature = \'kind: kind 1\')');
is(as('regress_alice', "SELECT string_agg(DISTINCT feature, ',') FROM mf_explain_features(1, 22, 5, 'm')"), 'kind: kind 1', 'row security hides features');
as('regress_mallory', 'ALTER TABLE own.described ENABLE ROW LEVEL SECURITY; CREATE POLICY few ON own.described TO regress_alice USING (item_id < 20); ALTER VIEW own.features SET (security_invoker); GRANT SELECT ON own.described TO regress_alice');
is(as('regress_alice', "SELECT count(*) FROM mf_explain_features(1, 22, 5, 'm')"), '0', 'and items');
plain("SELECT mf_drop('m')");

# ---- the default model, to which everybody's calls go
plain("GRANT SELECT ON own.rated TO regress_alice");
as('regress_alice', "CREATE TABLE alice.ratings AS TABLE own.rated; ALTER TABLE alice.ratings ADD PRIMARY KEY (user_id, item_id); SELECT mf_train('alice.ratings', factors => 4)");
as('regress_mallory', "SELECT mf_train('own.rated', 'm', factors => 2)");
is(plain('SELECT model FROM mf_models WHERE is_default'), 'ratings', 'the first model is the default one');
like(as('regress_mallory', "SELECT mf_set_default('m')"), qr/^42501: must be owner of default model "ratings"/, 'another owner cannot take that over');
is(as('regress_alice', "SELECT mf_set_default('ratings')"), '', 'its owner may say it again');
is(plain("SELECT mf_set_default('m'); SELECT mf_set_default('ratings')"), "\n", 'a superuser may do as they like');
is(as('regress_mallory', "SET mfrec.model = 'm'; SELECT count(*) FROM mf_popular(3)"), '3', 'each role for itself by a setting');

# ---- rights that are there in part
plain('GRANT USAGE ON SCHEMA alice TO regress_reader, regress_tenant');
like(as('regress_reader', 'SELECT mf_popular(3)'), qr/^42501: permission denied for table ratings_user_factors/, 'EXECUTE is not enough');
as('regress_alice', 'GRANT SELECT (version, item_id, ratings, bias, factors, rating_factors) ON alice.ratings_item_factors TO regress_reader; GRANT SELECT ON alice.ratings_user_factors TO regress_reader');
like(as('regress_reader', 'SELECT mf_popular(3)'), qr/^42501: permission denied for table ratings_item_factors/, 'nor all columns one by one');
as('regress_alice', 'GRANT SELECT ON alice.ratings_item_factors TO regress_reader, regress_tenant; GRANT SELECT ON alice.ratings_user_factors TO regress_tenant');
is(as('regress_reader', 'SELECT count(*) FROM mf_popular(3)'), '3', 'the tables are');
like(as('regress_reader', 'SELECT mf_recommend(1, 3, fresh => true)'), qr/^42501: permission denied for table ratings/, 'without the source nothing fresh');
as('regress_alice', 'GRANT SELECT (user_id, item_id) ON alice.ratings TO regress_reader');
like(as('regress_reader', 'SELECT mf_recommend(1, 3, fresh => true)'), qr/^42501: permission denied for table ratings/, 'nor with some of its columns');
as('regress_alice', 'GRANT SELECT (rating) ON alice.ratings TO regress_reader; ALTER TABLE alice.ratings ADD secret text');
is(as('regress_reader', 'SELECT count(*) FROM mf_recommend(1, 3, fresh => true)'), '3', 'the columns that the model is of will do');
as('regress_alice', 'CREATE TABLE alice.test AS SELECT u AS user_id, i AS item_id, 3 AS rating FROM generate_series(1, 20) u, generate_series(1, 20) i WHERE (u * 7 + i * 3) % 5 = 0; GRANT SELECT ON alice.test TO regress_reader, regress_tenant');
is(as('regress_reader', "SELECT count(*) FROM mf_evaluate('alice.test') WHERE metric = 'rmse'"), '1', 'for measuring, too');
like(as('regress_reader', 'SELECT mf_recommend(1, 3, per_group => 1, group_table => \'alice.ratings\', group_id_column => \'item_id\', group_column => \'secret\')'),
	qr/^42501: permission denied for table ratings/, 'a column of groups needs its own');
like(as('regress_reader', "SELECT version FROM mf_train('alice.ratings', 'mine')"), qr/^42501: permission denied for schema alice/, 'training wants somewhere to create');
plain('CREATE SCHEMA mine AUTHORIZATION regress_reader');
is(as('regress_reader', "SELECT version FROM mf_train('alice.ratings', 'mine', factors => 2, schema => 'mine')"), '1', 'and the columns');
like(as('regress_reader', "SELECT mf_train('alice.ratings', 'mine', rating_column => 'secret', schema => 'mine')"), qr/^42804: .*"secret".*is not a number/, 'a type is no secret in PostgreSQL');
is(as('regress_reader', "SELECT mf_drop('mine')"), '', 'gone again');
# a schema that may no longer be used closes its tables, though they are granted
plain('REVOKE USAGE ON SCHEMA alice FROM regress_reader');
like(as('regress_reader', 'SELECT mf_popular(3)'), qr/^42501: permission denied for schema alice/, 'no USAGE of the schema, no list');
like(as('regress_reader', 'SELECT mf_recommend(1, 3, fresh => false)'), qr/^42501: permission denied for schema alice/, 'of no kind');
is(as('regress_reader', 'SELECT count(table_bytes) FROM mf_models'), '2', 'mf_models asks for no schema');
is(as('regress_reader', "SELECT feedback FROM mf_models WHERE model = 'ratings'"), 'explicit', 'of any model');
# what a DBA may take away from the public, and nothing breaks
plain('REVOKE SELECT ON mfrec.model, mfrec.model_version, mfrec.training_log, mf_models, mf_training_log FROM PUBLIC');
like(as('regress_tenant', 'SELECT * FROM mf_models'), qr/^42501/, 'the list of models can be closed');
like(as('regress_tenant', 'SELECT parameters FROM mfrec.model_version'), qr/^42501/, 'and means and ranges of ratings with it');
is(as('regress_tenant', 'SELECT count(*) FROM mf_recommend(1, 3, fresh => false)'), '3', 'serving does not need it');
is(as('regress_alice', "SELECT version FROM mf_retrain('ratings')"), '2', 'nor training');
plain('GRANT SELECT ON mfrec.model, mfrec.model_version, mfrec.training_log, mf_models, mf_training_log TO PUBLIC');

# ---- sources: views as their owner, or as who asks
as('regress_alice', <<'SQL');
CREATE VIEW alice.lent AS SELECT user_id, item_id, rating FROM alice.ratings WHERE user_id <= 10;
CREATE VIEW alice.invoker WITH (security_invoker) AS SELECT user_id, item_id, rating FROM alice.ratings WHERE user_id <= 10;
GRANT SELECT ON alice.lent, alice.invoker TO regress_tenant;
SQL
plain('CREATE SCHEMA tenant AUTHORIZATION regress_tenant');
is(as('regress_tenant', "SELECT users FROM mf_train('alice.lent', 'lent', factors => 2, schema => 'tenant')"), '10', 'a view lends the rights of its owner');
like(as('regress_tenant', "SELECT mf_train('alice.invoker', 'invoker', factors => 2, schema => 'tenant')"), qr/^42501: permission denied for table ratings/, 'with security_invoker it does not');
is(as('regress_tenant', "SELECT count(*) FROM mf_recommend(1, 3, 'lent', fresh => true)"), '3', 'fresh lists as training');
as('regress_alice', 'ALTER VIEW alice.lent SET (security_invoker)');
like(as('regress_tenant', "SELECT mf_recommend(1, 3, 'lent', fresh => true)"), qr/^42501: permission denied for table ratings/, 'from the moment it is so');
like(as('regress_tenant', "SELECT mf_retrain('lent')"), qr/^42501: permission denied for table ratings/, 'retraining, too');
like(output_or_error($node, "SELECT mf_retrain('lent')"), qr/^42501: permission denied for table ratings/, 'also by a superuser, who does it as the owner');
as('regress_tenant', "SELECT mf_drop('lent')");

# ---- the shared image is not for who sees less
my $all = q{SELECT count(*) FROM mf_popular(100, 'ratings')};
my $own_items = q{SELECT count(*) || ' ' || max(item_id) FROM mf_popular(100, 'ratings')};
plain("SELECT mf_refresh('ratings')");
is(as('regress_tenant', $all), '20', 'all items');
as('regress_alice', <<'SQL');
ALTER TABLE alice.ratings_item_factors ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON alice.ratings_item_factors TO regress_tenant USING (item_id <= 5);
SQL
is(as('regress_tenant', $own_items), '5 5', 'a policy counts at once, whatever others have mapped');
my %tenant = (
	mf_recommend => 'SELECT count(*) FROM mf_recommend(1, 100, fresh => false) WHERE item_id > 5',
	candidates => 'SELECT count(*) FROM mf_recommend(1, 100, candidates => ARRAY[4, 7, 9], fresh => false) WHERE item_id > 5',
	mf_recommend_for => 'SELECT count(*) FROM mf_recommend_for(ARRAY[1, 7]) WHERE item_id > 5',
	mf_similar_items => 'SELECT count(*) FROM mf_similar_items(1, 100) WHERE id > 5',
	hidden_item => 'SELECT count(*) FROM mf_similar_items(7, 100)',
	mf_predict => 'SELECT count(mf_predict(1, 7))',
	mf_recommend_all => 'SELECT count(*) FROM mf_recommend_all(100, exclude_seen => false) WHERE item_id > 5',
	mf_recommend_users => 'SELECT count(*) FROM mf_recommend_users(7)');
for my $name (sort keys %tenant)
{
	like(as('regress_tenant', $tenant{$name}), qr/^(0|42501: permission denied for table ratings)$/, "$name: nothing of hidden items");
}
as('regress_alice', 'GRANT SELECT ON alice.ratings TO regress_tenant');
is(as('regress_tenant', $tenant{$_}), '0', "$_: nor with the source") for sort keys %tenant;
my $unknown = q{SELECT sum(value) > 0 FROM mf_evaluate('alice.test') WHERE metric LIKE '%unknown%item%'};
is(as('regress_tenant', $unknown), 't', 'mf_evaluate does not know hidden items');
is(as('regress_alice', $unknown), 'f', 'which their owner does');
# an owner to whom row security applies leaves no half an image to others
as('regress_alice', 'ALTER TABLE alice.ratings_item_factors FORCE ROW LEVEL SECURITY; CREATE POLICY mine ON alice.ratings_item_factors TO regress_alice USING (item_id <= 3)');
is(as('regress_alice', "SELECT mf_refresh('ratings')"), '3', 'an owner refreshes what they see');
is(plain($all), '20', 'others see what they see');
is(as('regress_tenant', $own_items), '5 5', 'each of them');
as('regress_alice', 'DROP POLICY few ON alice.ratings_item_factors; DROP POLICY mine ON alice.ratings_item_factors; ALTER TABLE alice.ratings_item_factors NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY');
# a view in the place of a table, which shows each role what is its own
as('regress_alice', <<'SQL');
ALTER TABLE alice.ratings_item_factors RENAME TO base;
CREATE VIEW alice.ratings_item_factors AS SELECT * FROM alice.base WHERE current_user <> 'regress_tenant' OR item_id <= 4;
GRANT SELECT ON alice.ratings_item_factors TO regress_tenant;
SQL
is(as('regress_alice', $all), '20', 'a view for its owner');
is(as('regress_tenant', $own_items), '4 4', 'and for another');
is(as('regress_alice', $all), '20', 'in turns');
as('regress_alice', 'DROP VIEW alice.ratings_item_factors; ALTER TABLE alice.base RENAME TO ratings_item_factors');
# row security on users: hidden ones are strangers
as('regress_alice', "ALTER TABLE alice.ratings_user_factors ENABLE ROW LEVEL SECURITY; CREATE POLICY self ON alice.ratings_user_factors TO regress_tenant USING (user_id = 1)");
is(as('regress_tenant', "SELECT (SELECT mf_predict(2, 1)) = (SELECT mf_predict(-1, 1))"), 't', 'a hidden user is like one who is not there');
is(as('regress_tenant', "SET mfrec.cold_start = 'error'; SELECT mf_recommend(2, 1, fresh => false)") =~ s/user 2/user X/r,
	as('regress_tenant', "SET mfrec.cold_start = 'error'; SELECT mf_recommend(-7, 1, fresh => false)") =~ s/user -7/user X/r, 'in messages, too');
is(as('regress_tenant', "SELECT count(*) FROM mf_recommend_users(1) WHERE user_id <> 1"), '0', 'nobody else is to be told');
as('regress_alice', 'ALTER TABLE alice.ratings_user_factors FORCE ROW LEVEL SECURITY');
like(as('regress_alice', "SELECT mf_forget(1, 'ratings')"), qr/^0A000: cannot erase rows of model table "ratings_user_factors"/, 'mf_forget does not erase half of it in silence');
like(output_or_error($node, "SELECT mf_forget(1, 'ratings')"), qr/^0A000: cannot erase/, 'whoever calls');
as('regress_alice', 'ALTER TABLE alice.ratings_user_factors NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY');
# erased for good: every version, the table, lists; the source as it was
my $source = plain('SELECT md5(string_agg(r::text, \',\' ORDER BY user_id, item_id)) FROM alice.ratings r');
as('regress_alice', "SELECT mf_retrain('ratings')");
is(as('regress_alice', "SELECT mf_forget(3, 'ratings')"), plain("SELECT count(*) FROM mf_models WHERE model = 'ratings'"), 'a row a version');
is(plain('SELECT count(*) FROM alice.ratings_user_factors WHERE user_id = 3'), '0', 'none is left');
is(as('regress_alice', "SELECT string_agg(DISTINCT reason, ',') FROM generate_series(2, 3) v, mf_recommend(3, 3, 'ratings', fresh => false, version => v)"), 'popular', 'in no version');
is(plain('SELECT md5(string_agg(r::text, \',\' ORDER BY user_id, item_id)) FROM alice.ratings r'), $source, 'the source is untouched');

# ---- SECURITY DEFINER: rights of its owner inside, none outside, in one session
as('regress_alice', <<'SQL');
CREATE FUNCTION alice.list(u int) RETURNS SETOF bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
	AS $$SELECT item_id FROM public.mf_recommend(u, 3, 'ratings')$$;
SQL
plain('GRANT USAGE ON SCHEMA alice TO regress_mallory');
is(as('regress_mallory', 'SELECT count(*) FROM alice.list(1)'), '3', 'inside');
like(as('regress_mallory', "SELECT count(*) FROM alice.list(1); SELECT count(*) FROM mf_recommend(1, 3, 'ratings')"), qr/^42501: permission denied/, 'not after it');
like(as('regress_mallory', "CREATE TEMP TABLE ratings_user_factors (LIKE own.m_user_factors); SELECT count(*) FROM mf_recommend(1, 3, 'ratings')"), qr/^42501/, 'nor by a table of that name');

# ---- objects in front of PostgreSQL's own: whatever is diverted raises an error
my $battery = join('; ', (
	'SELECT * FROM mf_recommend(1, 5)', 'SELECT * FROM mf_recommend(1, 5, exclude => ARRAY[2], fresh => true)',
	"SELECT * FROM mf_recommend(1, 5, per_group => 1, group_table => 'alice.shelf', group_column => 'seller')",
	'SELECT mf_predict(1, 2)', 'SELECT * FROM mf_similar_items(1, 5)', 'SELECT * FROM mf_similar_users(1, 5)',
	'SELECT * FROM mf_popular(5)', 'SELECT * FROM mf_recommend_for(ARRAY[1, 2])', 'SELECT * FROM mf_explain(1, 4)',
	'SELECT * FROM mf_recommend_users(1, 5)', 'SELECT * FROM mf_recommend_all(2)', "SELECT * FROM mf_evaluate('alice.test')",
	"SELECT pg_catalog.strpos(mf_report('ratings', titles => 'alice.shelf', test => 'alice.test'), '</html>') OPERATOR(pg_catalog.>) 0",
	"SELECT model, version, users, items FROM mf_train('alice.ratings', factors => 4)",
	"SELECT model, version, users FROM mf_train('alice.named', 'named', factors => 2)", "SELECT * FROM mf_recommend('b', 3, item_type => NULL::pg_catalog.text, model => 'named', fresh => true)",
	"SELECT model, version FROM mf_retrain('ratings')", "SELECT mf_rollback('ratings')", "SELECT mf_refresh('ratings')", "SELECT mf_forget(19, 'ratings')", "SELECT mf_forget('c', 'named')",
	"SELECT trial, factors FROM mf_tune('alice.ratings', trials => 1, factors => 2)", "SELECT users, items FROM mf_estimate('alice.ratings', factors => 2)",
	"SELECT model, version, users FROM mf_import('imported', 'own.vectors', 'own.vectors')", "SELECT mf_set_default('imported')", "SELECT mf_set_default('ratings')", "SELECT mf_drop('imported')",
	"SELECT model, version, items FROM mf_train('alice.ratings', 'attributed', factors => 2, item_features => 'alice.shelf', feature_categories => '{n}')", "SELECT * FROM mf_explain_features(1, 25, 5, 'attributed')",
	"SELECT model, version FROM mf_retrain('attributed')", "SELECT feature, items FROM alice.attributed_feature_factors ORDER BY version, feature", "SELECT mf_drop('attributed')",
	'SELECT * FROM mf_map()', "SELECT * FROM mf_components('ratings', 2)", "SELECT * FROM mf_clusters('ratings', 3, 'users')", "SELECT * FROM mf_cluster_labels(id_type => NULL::pg_catalog.text, model => 'named', clusters => 2)",
	"SELECT * FROM mf_pca('alice.shelf', 'v')", "SELECT * FROM mf_kmeans('alice.shelf', 'p', 3)",
	"SELECT mf_drop('named')", 'SELECT model, version, serving, table_bytes > 0 FROM mf_models ORDER BY model, version', 'SELECT model, version, iteration FROM mf_training_log ORDER BY model, version, iteration', 'SELECT * FROM mf_progress'));
as('regress_alice', <<'SQL');
CREATE TYPE alice.point AS (x int, y int);
CREATE FUNCTION alice.vector(alice.point) RETURNS real[] IMMUTABLE LANGUAGE sql AS 'SELECT ARRAY[$1.x, $1.y]::real[]';
CREATE CAST (alice.point AS real[]) WITH FUNCTION alice.vector(alice.point);
CREATE TABLE alice.shelf AS SELECT g AS id, g % 3 AS seller, g % 4 AS n, date '2026-01-01' + g AS day, 'words of ' || g % 5 || ' and ' || g AS title, ARRAY['a' || g % 3, 'b'] AS list,
	jsonb_build_object('k', g % 3) AS doc, json_build_object('k', g % 3) AS json, to_tsvector('simple', 'w' || g % 3) AS words, ARRAY[g, 1]::numeric[]::real[] AS v, ROW(g, 1)::alice.point AS p, g % 2 = 0 AS even,
	g * interval '1 day' AS span, time '01:00' + g * interval '1 minute' AS at FROM generate_series(1, 25) g;
ALTER TABLE alice.shelf ADD PRIMARY KEY (id);
CREATE TABLE alice.named AS SELECT chr(96 + user_id) AS user_id, chr(96 + item_id) AS item_id, rating::numeric AS rating FROM alice.ratings;
SQL
plain(<<'SQL');
CREATE SCHEMA evil;
CREATE FUNCTION evil.divert() RETURNS void LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'diverted' USING ERRCODE = 'EV1LX'; END $$;
-- every comparison of the types that ids and bookkeeping have
DO $$
DECLARE
	t text; o text;
BEGIN
	FOREACH t IN ARRAY ARRAY['int', 'bigint', 'smallint', 'text', 'name', 'oid', 'bool', 'uuid', 'real', 'float8', 'numeric'] LOOP
		EXECUTE format('CREATE FUNCTION evil.compare(%1$s, %1$s) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN PERFORM evil.divert(); RETURN true; END''', t);
		FOREACH o IN ARRAY ARRAY['=', '<>', '<', '>', '<=', '>=', '<->'] LOOP
			EXECUTE format('CREATE OPERATOR evil.%1$s (LEFTARG = %2$s, RIGHTARG = %2$s, FUNCTION = evil.compare)', o, t);
		END LOOP;
		EXECUTE format('CREATE OPERATOR evil.+ (LEFTARG = %1$s, RIGHTARG = %1$s, FUNCTION = evil.compare)', t);
	END LOOP;
	FOREACH t IN ARRAY ARRAY['int', 'smallint'] LOOP
		EXECUTE format('CREATE FUNCTION evil.compare(%1$s, bigint) RETURNS boolean LANGUAGE plpgsql AS ''BEGIN PERFORM evil.divert(); RETURN true; END''', t);
		EXECUTE format('CREATE OPERATOR evil.= (LEFTARG = %1$s, RIGHTARG = bigint, FUNCTION = evil.compare)', t);
	END LOOP;
	-- the functions that the extension's SQL calls
	FOREACH t IN ARRAY ARRAY['to_regclass(text)', 'format(text, text, text)', 'pg_total_relation_size(oid)', 'pg_total_relation_size(regclass)',
		'clock_timestamp()', 'gen_random_uuid()', 'date_part(text, date)', 'date_part(text, time)', 'date_part(text, interval)', 'to_tsvector(text)', 'to_tsvector(regconfig, text)', 'jsonb(json)', 'float8(numeric)', 'jsonb(text)', 'mf_image_bytes(uuid)', 'mf_trainings()'] LOOP
		EXECUTE format('CREATE FUNCTION evil.%s RETURNS bigint LANGUAGE plpgsql AS ''BEGIN PERFORM evil.divert(); RETURN 0; END''', t);
	END LOOP;
END $$;
CREATE AGGREGATE evil.max(int) (SFUNC = int4pl, STYPE = int);
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);
CREATE DOMAIN evil.jsonb AS pg_catalog.jsonb CHECK (false);
CREATE DOMAIN evil.float8 AS pg_catalog.float8 CHECK (false);
CREATE DOMAIN evil.int4 AS pg_catalog.int4 CHECK (false);
CREATE DOMAIN evil.float4 AS pg_catalog.float4 CHECK (false);
CREATE TABLE evil.model (LIKE mfrec.model); CREATE TABLE evil.model_version (LIKE mfrec.model_version);
CREATE TABLE evil.ratings_user_factors (LIKE alice.ratings_user_factors); CREATE TABLE evil.ratings_item_factors (LIKE alice.ratings_item_factors);
CREATE TABLE evil.ratings (user_id int, item_id int, rating real); CREATE TABLE evil.pg_stat_activity (pid int);
CREATE TABLE evil.pg_class (oid oid); CREATE TABLE evil.pg_namespace (oid oid);
SQL
like(output_or_error($node, 'SET search_path = evil, pg_catalog, public; SELECT 1 WHERE 1 = 1'), qr/^EV1LX: diverted/, 'who is not careful is diverted');
my $expected = output_or_error($node, "BEGIN; $battery; ROLLBACK");
cmp_ok(scalar(split /\n/, $expected), '>', 100, 'every function answers') or diag($expected);
my $hidden = 'CREATE TEMP TABLE model (LIKE mfrec.model); CREATE TEMP TABLE ratings (LIKE alice.ratings); CREATE TEMP TABLE pg_class (oid oid); CREATE TEMP TABLE ratings_user_factors (LIKE alice.ratings_user_factors)';
is(output_or_error($node, "$hidden; SET search_path = evil, pg_catalog, public; BEGIN; $battery; ROLLBACK"), $expected, 'no call is, by objects or by temporary ones');
plain('DROP SCHEMA evil CASCADE');

# ---- arguments that mean to be SQL: every text argument of every function there is
plain(<<'SQL');
CREATE FUNCTION alarm() RETURNS int LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'injected' USING ERRCODE = 'AL4RM'; END $$;
CREATE TABLE payload (n int GENERATED ALWAYS AS IDENTITY, p text);
INSERT INTO payload (p) VALUES (''), (''''), ('"'), ('\'), ('x''; SELECT public.alarm(); --'), ('x"; SELECT public.alarm(); --'), ('x''||public.alarm()||'''), ('x", public.alarm(), "'),
	('user_id, public.alarm()'), ('$1'), ('%s%n%d%i'), (E'two\nlines'), ('Weird "Name. with'' all'), ('Größe ☃ 名'), (repeat('n', 50)), (repeat('ü', 31) || 'n'), (repeat('long', 10000)), ('pg_temp'), ('null');
CREATE TABLE source AS SELECT user_id, item_id, rating FROM alice.ratings;
CREATE TABLE vectors AS TABLE own.vectors;
CREATE TABLE tally (call text, argument text, p int, state text, message text);
-- a column and a schema of each name that can be one
DO $$
DECLARE
	r record;
BEGIN
	FOR r IN SELECT n, p FROM payload WHERE octet_length(p) BETWEEN 1 AND 63 AND p <> 'pg_temp' LOOP
		EXECUTE format('ALTER TABLE source ADD %I int', r.p);
		EXECUTE format('UPDATE source SET %I = (user_id * 7 + item_id) %% 11', r.p);
		EXECUTE format('ALTER TABLE vectors ADD %I int', r.p);
		EXECUTE format('UPDATE vectors SET %I = id', r.p);
		EXECUTE format('CREATE SCHEMA %I', r.p);
	END LOOP;
END $$;
-- what other arguments without a default are given
CREATE FUNCTION usual(function text, name text, type regtype) RETURNS text LANGUAGE sql AS $$
	SELECT CASE
		WHEN name = 'model' AND function = 'mf_import' THEN '''imported'''
		WHEN name = 'model' THEN '''usual'''
		WHEN name IN ('users', 'items') AND type = 'regclass'::regtype THEN '''public.vectors'''
		WHEN type = 'regclass'::regtype THEN '''public.source'''
		WHEN type = 'uuid'::regtype THEN '''00000000-0000-0000-0000-000000000000'''
		WHEN name IN ('user_type', 'item_type') THEN 'NULL::bigint'
		WHEN name = 'items' THEN 'ARRAY[1, 2]'
		WHEN name = 'variants' THEN '''{"usual": 1, "other": 1}'''
		WHEN type = 'text'::regtype THEN '''1''::text'
		ELSE '1' END
$$;
-- all arguments that do not end in SQL by themselves, and need one of their kind to be looked at
CREATE FUNCTION companions(function text, argument text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE
		WHEN function IN ('mf_train', 'mf_tune') THEN ', factors => 2, iterations => 1' || CASE WHEN argument = 'model' THEN '' ELSE ', model => ''fresh''' END
		WHEN function = 'mf_estimate' THEN ', factors => 2'
		WHEN function = 'mf_import' AND argument IN ('user_column', 'item_column', 'rating_column') THEN ', source => ''public.source'''
		WHEN argument = 'group_column' THEN ', per_group => 1, group_table => ''public.vectors'''
		WHEN argument = 'group_id_column' THEN ', per_group => 1, group_table => ''public.vectors'', group_column => ''id'''
		WHEN argument = 'titles' THEN ', title_column => ''id'''
		WHEN argument = 'title_column' THEN ', titles => ''public.vectors'''
		WHEN argument = 'title_id_column' THEN ', titles => ''public.vectors'', title_column => ''id'''
		WHEN argument = 'boost_table' THEN ', boost_column => ''id'''
		WHEN argument = 'boost_column' THEN ', boost_table => ''public.vectors'''
		WHEN argument = 'boost_id_column' THEN ', boost_table => ''public.vectors'', boost_column => ''id'''
		ELSE '' END
$$;
SELECT mf_train('source', 'usual', factors => 2);
SQL
plain(<<'SQL');
SET client_min_messages = error;
DO $$
DECLARE
	f record; a record; r record; call text; rest text;
BEGIN
	FOR f IN SELECT p.oid, p.proname, p.proargnames, p.proargtypes, p.pronargs, p.pronargdefaults
		FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
		JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'mfrec' WHERE p.prorettype <> 'internal'::regtype AND p.pronamespace <> 'mfrec'::regnamespace LOOP
		FOR a IN SELECT i, f.proargnames[i + 1] AS name, f.proargtypes[i]::regtype AS type FROM generate_series(0, f.pronargs - 1) i
			WHERE f.proargtypes[i]::regtype IN ('text', 'regclass', '"any"', 'anyelement', 'anyarray') LOOP
			-- in the order of the declaration, which polymorphic arguments need
			SELECT string_agg(format('%I => %s', f.proargnames[i + 1], CASE WHEN i = a.i THEN 'PAYLOAD' ELSE usual(f.proname, f.proargnames[i + 1], f.proargtypes[i]::regtype) END), ', ' ORDER BY i) INTO rest
				FROM generate_series(0, f.pronargs - 1) i WHERE i < f.pronargs - f.pronargdefaults OR i = a.i;
			FOR r IN SELECT n, p FROM payload LOOP
				call := format('SELECT * FROM public.%I(%s%s)', f.proname, replace(rest, 'PAYLOAD', quote_literal(r.p) ||
					CASE a.type WHEN 'text'::regtype THEN '::text' WHEN 'anyarray'::regtype THEN '::text[]' ELSE '' END), companions(f.proname, a.name));
				BEGIN
					EXECUTE call;
					INSERT INTO tally VALUES (f.oid::regprocedure, a.name, r.n, '00000', NULL);
					RAISE EXCEPTION 'undo' USING ERRCODE = 'UND0X';
				EXCEPTION WHEN OTHERS THEN
					INSERT INTO tally VALUES (f.oid::regprocedure, a.name, r.n, SQLSTATE, SQLERRM || ': ' || left(call, 300));
				END;
			END LOOP;
		END LOOP;
	END LOOP;
END $$;
SQL
is(plain("SELECT count(*) FROM tally WHERE state = 'AL4RM'"), '0', 'nothing is injected');
is(plain("SELECT string_agg(DISTINCT state || ' ' || message, E'\\n') FROM tally WHERE state ~ '^XX' OR (state = '42601' AND message !~ '^invalid name syntax')"), '', 'nor broken: no syntax error, no internal error');
is(plain("SELECT string_agg(DISTINCT state || ' ' || message, E'\\n') FROM tally WHERE state IN ('42883', '42725', '42704') AND message ~ '^(function|could not determine)' AND argument NOT IN ('candidates', 'exclude', 'groups')"), '', 'all calls are calls');
is(plain("SELECT count(DISTINCT (call, argument)) FROM tally"), plain(<<'SQL'), 'of every argument that can hold text');
SELECT count(*) FROM pg_proc p JOIN pg_depend d ON d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'mfrec', generate_series(0, p.pronargs - 1) i
	WHERE p.prorettype <> 'internal'::regtype AND p.pronamespace <> 'mfrec'::regnamespace AND p.proargtypes[i]::regtype IN ('text', 'regclass', '"any"', 'anyelement', 'anyarray')
SQL
# where the names are there, calls succeed: what stands between quotes reaches the SQL, as a name
is(plain(<<'SQL'), '', 'names that look like SQL work as names');
SELECT string_agg(t.call || ' ' || t.argument || ': ' || coalesce(t.message, ''), E'\n')
FROM tally t JOIN payload p ON p.n = t.p
WHERE octet_length(p.p) BETWEEN 1 AND 50 AND p.p <> 'pg_temp' AND t.state NOT IN ('UND0X', '02000') AND (
	(t.call ~ '^mf_(train|tune|estimate)\(' AND t.argument IN ('user_column', 'item_column', 'rating_column', 'weight_column', 'schema', 'model'))
	OR (t.call ~ '^mf_import\(' AND t.argument IN ('id_column', 'ratings_column', 'user_column', 'item_column', 'schema', 'model'))
	OR t.argument IN ('group_column', 'title_column') OR (t.call ~ '^mf_evaluate\(' AND t.argument IN ('user_column', 'item_column', 'rating_column')))
	AND NOT (t.argument = 'rating_column' AND t.message ~ '^all ratings')
SQL
note(plain("SELECT count(*) || ' calls of ' || count(DISTINCT call) || ' functions' FROM tally WHERE state <> '00000'"));
note(plain("SELECT string_agg(state || ' x ' || n, ', ') FROM (SELECT state, count(*) AS n FROM tally WHERE state <> '00000' GROUP BY 1 ORDER BY 2 DESC) s"));

# ---- names that need quotes, all the way
my $weird = join("\n", map { my ($schema, $table, $model) = @$_; my $q = sub { $_[0] =~ s/"/""/gr }; my $l = sub { $_[0] =~ s/'/''/gr };
	my ($s, $t) = ($q->($schema), $q->($table)); my $rel = $l->("\"$s\".\"$t\"");
	my $m = defined $model ? $l->($model) : $l->($table); my $name = defined $model ? ", model => '$m'" : '';
	<<"SQL" } (
CREATE SCHEMA "$s";
CREATE TABLE "$s"."$t" ("User ""id" int, "item.id" int, "the rating's" numeric, "select" text, PRIMARY KEY ("User ""id", "item.id"));
INSERT INTO "$s"."$t" SELECT user_id, item_id, rating, item_id % 2 FROM alice.ratings;
SELECT version FROM mf_train('$rel'$name, factors => 2, user_column => 'User "id', item_column => 'item.id', rating_column => 'the rating''s');
SELECT version FROM mf_retrain('$m');
SELECT count(*) FROM mf_recommend(1, 5, '$m', fresh => true);
SELECT count(*) FROM mf_recommend(1, 4, '$m', per_group => 20, group_table => 'alice.shelf', group_column => 'seller');
SELECT count(*) FROM mf_similar_users(1, 5, '$m');
SELECT count(*) FROM mf_explain(1, 4, 5, '$m');
SELECT count(*) FROM mf_evaluate('alice.test', model => '$m', user_column => 'user_id', item_column => 'item_id', rating_column => 'rating') WHERE metric = 'rmse';
SELECT count(*) FROM mf_recommend_all(2, '$m');
SELECT mf_rollback('$m');
SELECT mf_refresh('$m');
SELECT mf_forget(1, '$m');
SELECT bool_and(table_bytes > 0) FROM mf_models WHERE model = '$m';
SELECT mf_drop('$m');
SQL
	[ 'Weird "Schema', 'Weird "Table. x' ], [ "it's; --", "'); DROP TABLE ratings; --" ], [ 'SELECT', 'Größe ☃' ], [ 's' x 63, 't' x 63, 'm' x 50 ],
	[ 'dots.and.dots', 'ü' x 31, 'ü' x 25 ], [ ' ', ' ' ], [ '%s', '$1' ]));
my $named = output_or_error($node, "SET client_min_messages = error; $weird");
is($named, join("\n", ("1\n2\n4\n4\n5\n5\n1\n40\n1\n20\n2\nt\n") x 7), 'names of all kinds') or diag($named);
like(output_or_error($node, sprintf(q{CREATE TABLE "%1$s" (LIKE source); SELECT mf_train('"%1$s"')}, 't' x 63)), qr/^42622: model name "t{63}" is empty or too long/, 'a table of 63 bytes needs a name for its model');
plain('SELECT mf_drop(\'usual\')');
# a hint is safe to copy
plain(q{SELECT mf_train('source', 'm''); SELECT alarm(); --', factors => 2); DROP TABLE "m'); SELECT alarm(); --_user_factors"});
my (undef, undef, $hint) = $node->psql('postgres', q{SELECT mf_popular(1, 'm''); SELECT alarm(); --')});
my ($advice) = $hint =~ /with (mf_drop\(.*\)) and train/;
is(output_or_error($node, "SELECT $advice"), '', 'what a hint says to run is that and nothing else');

# ---- roles that go
plain("GRANT ALL ON SCHEMA own TO regress_mallory");
as('regress_mallory', "SELECT mf_train('own.rated', 'left', factors => 2)");
plain('SELECT mf_set_default(\'ratings\'); DROP OWNED BY regress_mallory');
is(plain("SELECT count(*) FROM mf_models WHERE model IN ('left', 'm') AND table_bytes IS NULL"), plain("SELECT count(*) FROM mf_models WHERE model IN ('left', 'm')"), 'DROP OWNED takes the tables');
like(as('regress_reader', "SELECT mf_popular(1, 'left')"), qr/^42P01: table "own.left_user_factors" of model "left" does not exist/, 'a model without tables says so');
is(plain("SELECT mf_drop(model) FROM (SELECT DISTINCT model FROM mf_models WHERE table_bytes IS NULL) m; DROP OWNED BY regress_mallory; DROP ROLE regress_mallory; SELECT count(*) FROM mf_models WHERE table_bytes IS NULL") =~ s/^\n*//r, '0', 'and can be cleaned up, and the role dropped');

# ---- files of images: for the server's eyes, by names that tell nothing, and of one database each
plain("SELECT count(*) FROM mf_popular(1, 'ratings')");
my @files = glob("$folder/pgsql_tmp_mfrec.*");
cmp_ok(scalar(@files), '>', 0, 'there are files');
is((grep { (stat $_)[2] & 0077 } @files, $folder) + 0, 0, 'that nobody else can read');
is((grep { !m{/pgsql_tmp_mfrec\.\d+\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$} } @files) + 0, 0, 'named by numbers');
like(as('regress_reader', 'SELECT count(*) FROM pg_ls_tmpdir()'), qr/^42501/, 'nobody may list them');
like(as('regress_reader', "SELECT pg_read_binary_file('base/pgsql_tmp/' || 'x')"), qr/^42501/, 'or read them');
plain('CREATE DATABASE other TEMPLATE postgres');
my $image = plain("SELECT image FROM mfrec.model_version v JOIN mfrec.model m ON m.name = v.model AND m.version = v.version WHERE name = 'ratings'");
is($node->safe_psql('other', "SELECT mf_image_bytes('$image')"), '0', 'the same version in another database has no image yet');
$node->safe_psql('other', 'DELETE FROM alice.ratings_item_factors WHERE item_id > 2');
is($node->safe_psql('other', "SELECT count(*) FROM mf_popular(100, 'ratings')"), '2', 'it reads its own tables');
is(plain("SELECT count(*) FROM mf_popular(100, 'ratings')"), '20', 'and this one goes by its own');
like($node->psql('other', 'SET ROLE regress_reader; SELECT mf_popular(1, \'ratings\')') == 0 ? 'allowed' : 'denied', qr/denied/, 'rights are those of the database');
$node->stop;

done_testing();
