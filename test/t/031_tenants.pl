# Models of many tenants: one that is larger than memory, a thousand at once, cancel and kill, whose rights hold, a standby.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_node('tenants', allows_streaming => 1);
$node->append_conf('postgresql.conf', "restart_after_crash = on\nfsync = off\n");
$node->reload;
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE sales AS SELECT s AS shop_id, (n * 7919 % 37 * (s % 5 + 1)) % 31 AS user_id, (n * 104729 % 41 * (n % 7 + 1)) % 29 AS item_id, (n * 13 % 5 + 1)::real AS rating
	FROM generate_series(1, 1200) s, generate_series(1, 90) n;
INSERT INTO sales SELECT 0, n * 7919 % 8009, (n * 104729 % 2003 * (n * 31 % 17 + 1) % 2003)::int, (n * 13 % 5 + 1)::real FROM generate_series(1::bigint, 150000) n;
CREATE VIEW large AS SELECT user_id, item_id, rating FROM sales WHERE shop_id = 0;
CREATE VIEW small AS SELECT user_id, item_id, rating FROM sales WHERE shop_id = 700;
CREATE VIEW endless AS SELECT i / 100 AS shop_id, i % 10 AS user_id, i % 97 AS item_id FROM (SELECT generate_series(1, 2000000000) AS i OFFSET 0) s;
SQL
my $train = "mf_train_each('sales', 'shop_id', factors => 8, iterations => 2)";

# ---- as trained alone, whatever the memory and the threads
$node->safe_psql('postgres', "SELECT mf_train('large', factors => 8, iterations => 2); SELECT mf_train('small', factors => 8, iterations => 2)");
for my $settings ("SET maintenance_work_mem = '1MB'; SET mfrec.threads = 3", "SET maintenance_work_mem = '1GB'; SET mfrec.threads = 1")
{
	is($node->safe_psql('postgres', "$settings; SELECT count(*), count(version), count(failed) FROM $train"), '1201|1201|0', "$settings: all tenants are trained");
	is(temporary_files($node), '', 'no temporary file is left');
	for my $tenant ([ 'large', 0 ], [ 'small', 700 ])
	{
		my ($model, $shop) = @$tenant;
		is($node->safe_psql('postgres', <<"SQL"), '0|0', "$model: as trained alone");
SELECT (SELECT count(*) FROM (SELECT user_id, bias, factors, seen, fingerprint FROM sales_user_factors WHERE version = (SELECT version FROM mf_tenants WHERE model = 'sales/$shop')
	EXCEPT SELECT user_id, bias, factors, seen, fingerprint FROM ${model}_user_factors) x),
	(SELECT count(*) FROM (SELECT item_id, bias, factors, rating_factors, number FROM sales_item_factors WHERE version = (SELECT version FROM mf_tenants WHERE model = 'sales/$shop')
	EXCEPT SELECT item_id, bias, factors, rating_factors, number FROM ${model}_item_factors) x)
SQL
	}
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_class WHERE relname LIKE 'sales\\_%factors' AND relkind = 'r'"), '2', 'two tables for all');

# ---- a session that serves all of them, and no file for any
is($node->safe_psql('postgres', "SELECT count(*) FROM generate_series(1, 1200) s, mf_recommend(1, 2, mf_tenant('sales', s), fresh => false, exclude_seen => false)"), '2400', 'all are served');
is($node->safe_psql('postgres', "SELECT sum(image_bytes) FROM mf_models WHERE tenant <> '0'"), '0', 'without files');
is($node->safe_psql('postgres', "SELECT count(*) > 1100 FROM mf_tenants t, LATERAL mf_rollback(t.model) v WHERE v < t.version"), 't', 'all are rolled back in one transaction');
is($node->safe_psql('postgres', "SELECT count(*) FROM mf_recommend(1, 2, 'sales/7', exclude_seen => false)"), '2', 'and are served then');

# ---- cancel and termination, in each phase
my %training = (read => "SELECT count(*) FROM mf_train_each('endless', 'shop_id', 'm', factors => 2, iterations => 1)",
	sweep => "SELECT count(*) FROM mf_train_each('sales', 'shop_id', 'm', factors => 64, iterations => 10000, tolerance => 0)");
for my $phase (sort keys %training)
{
	for my $action ('pg_cancel_backend', 'pg_terminate_backend')
	{
		my $run = start_sql($node, $training{$phase});
		isnt(act_in_phase($node, $phase, "$action(%s)"), 0, "$phase: caught for $action");
		my ($status, $out, $err) = finish_sql($run);
		like($err, $action eq 'pg_cancel_backend' ? qr/canceling statement due to user request/
			: qr/terminating connection due to administrator command/, "$phase: $action ends it");
		is(leftovers($node, 'm'), '', "$phase: $action leaves nothing");
	}
}

# ---- kill -9 while it stores: what was there serves
my $asked = "SELECT model, version FROM mf_tenants ORDER BY model; SELECT * FROM mf_recommend(3, 5, 'sales/8', exclude_seen => false)";
my $before = $node->safe_psql('postgres', $asked);
my $run = start_sql($node, "SELECT count(*) FROM $train");
my $pid = act_in_phase($node, 'store', 'pg_stat_clear_snapshot()');
SKIP:
{
	skip 'the phase was not seen', 2 if !$pid;
	my $size = -s $node->logfile;
	kill 'KILL', $pid;
	finish_sql($run);
	ok(is_back($node, $size), 'the server comes back');
	is($node->safe_psql('postgres', $asked), $before, 'and serves as before');
}
is($node->safe_psql('postgres', "SELECT count(version) FROM mf_retrain_each('sales')"), '1201', 'the next training is complete');
is($node->safe_psql('postgres', "SELECT count(*) FROM sales_item_factors i WHERE NOT EXISTS (SELECT FROM mfrec.model_version v WHERE v.version = i.version AND v.model = 'sales/' || i.tenant)"), '0', 'and no row is nobody\'s');

# ---- whose rights hold
$node->safe_psql('postgres', <<'SQL');
CREATE ROLE regress_shops; CREATE ROLE regress_other;
CREATE SCHEMA shops AUTHORIZATION regress_shops;
SET ROLE regress_shops;
CREATE TABLE shops.who (who name);
GRANT INSERT ON shops.who TO PUBLIC; GRANT USAGE ON SCHEMA shops TO PUBLIC;
CREATE FUNCTION shops.note(i int) RETURNS int LANGUAGE plpgsql AS $$BEGIN INSERT INTO shops.who VALUES (current_user); RETURN i; END $$;
CREATE TABLE shops.rated AS SELECT s AS shop_id, u AS user_id, i AS item_id, 1 + (u + i) % 5 AS rating FROM generate_series(1, 2) s, generate_series(1, 9) u, generate_series(1, 9) i WHERE (u * i + s) % 3 > 0;
CREATE VIEW shops.ratings AS SELECT shop_id, user_id, item_id, rating FROM shops.rated WHERE shops.note(user_id) > 0;
CREATE FUNCTION shops.always(int, int) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR shops.= (LEFTARG = int, RIGHTARG = int, FUNCTION = shops.always);
SET search_path = shops, pg_catalog, public;
SELECT mf_train_each('shops.ratings', 'shop_id', 'theirs', factors => 2);
SQL
is($node->safe_psql('postgres', "SELECT string_agg(tenant || users, ',' ORDER BY tenant) FROM mf_tenants WHERE family = 'theirs'"), '19,29', 'operators of the path are not used');
$node->safe_psql('postgres', 'TRUNCATE shops.who');
is($node->safe_psql('postgres', "SELECT count(version) FROM mf_retrain_each('theirs'); SELECT version FROM mf_retrain('theirs/2'); SELECT DISTINCT who FROM shops.who"), "2\n5\nregress_shops", 'a superuser trains another\'s as they');
for my $call ("mf_train_each('shops.ratings', 'shop_id', 'theirs')", "mf_retrain_each('theirs')", "mf_drop('theirs')", "mf_drop('theirs/1')", "mf_retrain('theirs/1')", "mf_forget(1, 'theirs/1')", "mf_relink('theirs', 'shops.rated')")
{
	like(output_or_error($node, "SET ROLE regress_other; SELECT $call"), qr/^42501: must be owner of model "theirs/, "$call by another");
}
like(output_or_error($node, "SET ROLE regress_other; SELECT * FROM mf_recommend(1, 3, 'theirs/1')"), qr/^42501: permission denied/, 'nor lists');

# ---- row security of the source: what it shows is trained on
my (undef, undef, $said) = $node->psql('postgres', <<'SQL');
ALTER TABLE shops.rated ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON shops.rated USING (shop_id = 1);
GRANT SELECT ON shops.rated TO regress_other;
CREATE SCHEMA other AUTHORIZATION regress_other;
SET ROLE regress_other;
SELECT mf_train_each('shops.rated', 'shop_id', 'seen', factors => 2, schema => 'other');
SQL
like($said, qr/NOTICE:  row security may hide rows of relation "rated" from role "regress_other"/, 'a notice says so');
is($node->safe_psql('postgres', "SELECT string_agg(tenant, ',') FROM mf_tenants WHERE family = 'seen'"), '1', 'of the other tenant there is no model');

# ---- a standby serves them, and trains none
$node->backup('copy');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'copy', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', $asked), $node->safe_psql('postgres', $asked), 'a standby serves the same');
like(output_or_error($standby, "SELECT mf_retrain_each('sales')"), qr/^25006: cannot execute mf_retrain_each\(\)/, 'and does not train');
$standby->stop;
$node->stop;
done_testing();
