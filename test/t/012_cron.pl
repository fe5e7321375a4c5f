# pg_cron for real: the README's line as it stands, scheduled trainings, two that overlap, one that fails.
#
# Jobs run by the minute, so this takes two to three minutes: with MFREC_TEST_ALL only.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Basename;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'jobs run by the minute: with MFREC_TEST_ALL' if !$ENV{MFREC_TEST_ALL};

my $node = PostgreSQL::Test::Cluster->new('cron');
$node->init;
plan skip_all => 'no pg_cron (Debian: postgresql-NN-cron)' if !-e $node->config_data('--sharedir') . '/extension/pg_cron.control';

# pg_cron connects by itself, as any client does; a background worker would not say why a job failed
my ($host, $port) = ($node->host, $node->port);
$node->append_conf('postgresql.conf', <<"CONF");
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.host = '$host'
CONF
$node->start;
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION pg_cron;
CREATE EXTENSION mfrec;
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, CASE WHEN (u + i) % 2 = 0 THEN 5 ELSE 1 END
	FROM generate_series(1, 40) u, generate_series(1, 30) i WHERE (u * 7 + i * 3) % 5 <> 0;
CREATE TABLE gone AS SELECT * FROM ratings;
SELECT mf_train('ratings', factors => 4);
SELECT mf_train('gone', factors => 4);
DROP TABLE gone;
CREATE VIEW slow AS SELECT user_id, item_id, rating + (pg_sleep(0.005) IS NULL)::int AS rating FROM ratings;
SELECT mf_train('slow', factors => 4);
CREATE TABLE shrunk AS TABLE ratings;
SELECT mf_train('shrunk', factors => 4);
DELETE FROM shrunk WHERE user_id > 5;
SQL

# The README's line, word for word; then the same command every minute.
my ($root) = grep { -e "$_/README.md" } map { abs_path(dirname(__FILE__) . $_) } '/..', '/../..';
my ($line) = slurp_file("$root/README.md") =~ /^(SELECT cron\.schedule\(.*\);)$/m;
my ($command) = $line =~ /\$\$(.*)\$\$/;
my $job = $node->safe_psql('postgres', $line);
is($node->safe_psql('postgres', "SELECT command FROM cron.job WHERE jobid = $job AND schedule = '0 3 * * *' AND active"), $command,
	"the README's line makes a job for the night");
is($node->safe_psql('postgres', "SELECT cron.alter_job($job, schedule => '* * * * *')"), '', 'now every minute');
my %jobs = (retrain => $job);
$jobs{$_->[0]} = $node->safe_psql('postgres', "SELECT cron.schedule('$_->[0]', '* * * * *', \$\$$_->[1]\$\$)")
	for ([ 'first', "SELECT mf_retrain('slow')" ], [ 'second', "SELECT mf_retrain('slow')" ], [ 'fails', "SELECT mf_retrain('gone')" ],
	[ 'guarded', "SELECT mf_retrain('shrunk', guard => 0.05)" ]);

# Every job has started; then none starts again.  To unschedule one would cancel its run.
ok($node->poll_query_until('postgres', 'SELECT count(DISTINCT jobid) = 5 FROM cron.job_run_details'), 'all jobs have started');
$node->safe_psql('postgres', "SELECT cron.alter_job(jobid, schedule => '0 0 1 1 *') FROM cron.job");
ok($node->poll_query_until('postgres', "SELECT count(DISTINCT jobid) = 5 AND bool_and(status IN ('succeeded', 'failed')) FROM cron.job_run_details"),
	'and ended');
my $runs = sub { return $node->safe_psql('postgres', "SELECT DISTINCT status FROM cron.job_run_details WHERE jobid = $jobs{$_[0]}"); };
my $counted = sub { return $node->safe_psql('postgres', "SELECT 1 + count(*) FROM cron.job_run_details WHERE jobid IN (" . join(', ', map { $jobs{$_} } @_) . ')'); };

is($runs->('retrain'), 'succeeded', "the README's job succeeded");
is($node->safe_psql('postgres', "SELECT version FROM mf_models WHERE model = 'ratings' AND serving"), $counted->('retrain'), 'and has made versions');
is($node->safe_psql('postgres', "SELECT count(*) FROM mf_recommend(1, 3, 'ratings')"), '3', 'which serve');

is($runs->('first') . $runs->('second'), 'succeededsucceeded', 'two trainings of one model at once both succeeded');
is($node->safe_psql('postgres', "SELECT version FROM mf_models WHERE model = 'slow' AND serving"), $counted->('first', 'second'), 'one after the other');
is($node->safe_psql('postgres', <<"SQL"), 't', 'although they overlapped');
SELECT bool_or(a.start_time < b.end_time AND b.start_time < a.end_time) FROM cron.job_run_details a, cron.job_run_details b
WHERE a.jobid = $jobs{first} AND b.jobid = $jobs{second}
SQL

is($runs->('fails'), 'failed', 'a training without its source failed');
like($node->safe_psql('postgres', "SELECT return_message FROM cron.job_run_details WHERE jobid = $jobs{fails} LIMIT 1"),
	qr/source "public.gone" of model "gone" does not exist/, 'and cron.job_run_details says why');
is($node->safe_psql('postgres', "SELECT count(*) FROM mf_recommend(1, 3, 'gone', fresh => false)"), '3', 'the version before serves on');
is($runs->('guarded'), 'succeeded', 'a training whose source has lost most of its rows succeeded');
is($node->safe_psql('postgres', "SELECT version FROM mf_models WHERE model = 'shrunk' AND serving"), '1', 'and the version before serves on');
like($node->safe_psql('postgres', "SELECT withheld FROM mf_models WHERE model = 'shrunk' ORDER BY version DESC LIMIT 1"),
	qr/^the source has lost most of its rows: it has \d+ ratings now, and had \d+ in version 1$/, 'mf_models says why');
like(slurp_file($node->logfile), qr/WARNING: .*version 2 of model "shrunk" is stored, but does not serve/, 'and so does the log');
is(temporary_files($node), '', 'no file is left');
$node->stop;

done_testing();
