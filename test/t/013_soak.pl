# Sixteen clients that ask, rate, retrain, import, roll back, forget and drop at once, while statements are
# cancelled at random: every list is that of its version's tables, there is no error but the documented
# ones, and sessions take no more memory in the end than in the beginning.
#
# MFREC_SOAK_SECONDS says how long: 12 unless set, fifteen minutes with MFREC_TEST_ALL.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use MfrecTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $seconds = $ENV{MFREC_SOAK_SECONDS} || ($ENV{MFREC_TEST_ALL} ? 900 : 12);
my $clients = 16;
my @models = ('a', 'b', 'c');
my $seed = srand;
note("seed $seed");

my $node = new_node('soak');
$node->append_conf('postgresql.conf', "autovacuum = on\nautovacuum_naptime = 5s\nmfrec.threads = 2\nmaintenance_work_mem = '1MB'\nlog_statement = none\n");
$node->restart;
define_wrong_list($node);

# The score of an item in a user's fresh list is what its explanation adds up to, and what they have is not
# in it; both in the snapshot of the statement.  Like the functions themselves it comes to the table of users
# before that of items, as mf_drop does: else the two could wait for each other.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE ratings (user_id int, item_id int, rating real, PRIMARY KEY (user_id, item_id));
INSERT INTO ratings SELECT u, i, (u * i % 5) + 1 FROM generate_series(1, 1000) u, generate_series(1, 400) i
	WHERE hashint8(u * 1000::bigint + i) % 20 = 0;
CREATE FUNCTION wrong_fresh_list(name text, who int, k int) RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE
	served int;
	taste double precision;
	wrong text;
BEGIN
	SELECT m.version, coalesce((v.parameters->>'taste')::double precision, 0) INTO served, taste
		FROM mfrec.model m JOIN mfrec.model_version v ON v.model = m.name AND v.version = m.version WHERE m.name = wrong_fresh_list.name;
	IF NOT FOUND THEN RETURN ''; END IF;
	EXECUTE format($q$
		WITH vector AS (SELECT FROM %I WHERE version = $1 AND user_id = $2 AND factors <> '{}'),
		list AS MATERIALIZED (SELECT * FROM mf_recommend($2, $4, model => $5, fresh => true)),
		explained AS (SELECT l.score, taste.part + (SELECT sum(contribution) FROM mf_explain($2, l.item_id, 10000, $5)) AS sum
			FROM list l JOIN %I i ON i.version = $1 AND i.item_id = l.item_id, LATERAL (SELECT $3 * i.bias AS part) taste
			WHERE l.reason <> 'popular' AND l.rank <= 2)
		SELECT concat_ws(', ',
			CASE WHEN EXISTS (SELECT FROM list WHERE reason = 'model') AND NOT EXISTS (SELECT FROM vector) THEN 'a vector of nobody' END,
			CASE WHEN EXISTS (SELECT FROM list JOIN ratings r ON r.user_id = $2 AND r.item_id = list.item_id) THEN 'an item that they have' END,
			CASE WHEN EXISTS (SELECT FROM list a JOIN list b ON a.rank < b.rank AND a.score < b.score) THEN 'not in order' END,
			CASE WHEN EXISTS (SELECT FROM explained WHERE abs(score - sum) > 2e-3 * (1 + abs(score))) THEN 'not what it is explained by' END) $q$,
		name || '_user_factors', name || '_item_factors') INTO wrong USING served, who, taste, k, name;
	RETURN CASE WHEN wrong <> '' THEN format('model %s, version %s, user %s: %s', name, served, who, wrong) ELSE '' END;
END $$;
-- of items that all have ratings
CREATE TABLE items AS SELECT i AS item_id, i % 5 AS rest, 'words of ' || i % 7 || ' and ' || i % 11 AS title FROM generate_series(1, 400) i;
CREATE TABLE their_users AS SELECT id, ARRAY[sin(id), cos(id), 1]::real[] AS factors FROM generate_series(1, 500) id;
CREATE TABLE their_items AS SELECT id, ARRAY[cos(id), sin(3 * id), 0.1]::real[] AS factors FROM generate_series(1, 300) id;
SQL
my %train = (
	a => "mf_train('ratings', 'a', factors => 16, iterations => 2, item_features => 'items', feature_categories => '{rest}')",
	b => "mf_train('ratings', 'b', feedback => 'implicit', rating_column => NULL, factors => 8, iterations => 2)",
	c => "mf_train('ratings', 'c', interest_weight => 0, factors => 8, iterations => 2, item_features => 'items', seed => %d)");

# What reference.md says can happen to those who share models with others who drop and cancel: no such
# model, version or table, tables in the way of a new model of that name, a cancel.
my %documented = map { $_ => 1 } ('42704', '42P01', '42P07', '57014');

# A model that goes by attributes.
sub any_attributed { return rand() < 0.5 ? 'a' : 'c' }

# What a client does: a statement, and how often, in a thousand.  A statement whose answer is not empty
# has found something wrong.
sub choose
{
	my $model = $models[ rand(@models) ];
	my $user = int(rand(1100)) + 1;
	my $dice = rand(1000);
	return [ 'list', "SELECT wrong_list('$model', $user, 10)" ] if ($dice -= 475) < 0;
	return [ 'fresh list', "SELECT wrong_fresh_list('$model', $user, 10)" ] if ($dice -= 150) < 0 && $model ne 'c';
	return [ 'all lists', "SELECT count(*) FILTER (WHERE rank > 3) || '' FROM mf_recommend_all(3, '$model') HAVING count(*) FILTER (WHERE rank > 3) > 0" ] if ($dice -= 10) < 0;
	return [ 'predict', "SELECT '' FROM mf_predict($user, 7, '$model')" ] if ($dice -= 40) < 0;
	return [ 'explain', "SELECT coalesce(max('no number'), '') FROM mf_explain_features($user, 7, 5, '" . any_attributed() . "') WHERE contribution = 'NaN'" ] if ($dice -= 20) < 0;
	return [ 'attribute', 'UPDATE items SET rest = ' . int(rand(9)) . ' WHERE item_id = ' . int(rand(400)) ] if ($dice -= 5) < 0;
	return [ 'similar', "SELECT coalesce(max('itself'), '') FROM mf_similar_items(7, 5, '$model') WHERE id = 7" ] if ($dice -= 40) < 0;
	return [ 'rate', "INSERT INTO ratings VALUES ($user, " . int(rand(400) + 1) . ', ' . int(rand(5) + 1) . ') ON CONFLICT (user_id, item_id) DO UPDATE SET rating = excluded.rating' ]
		if ($dice -= 120) < 0;
	return [ 'unrate', "DELETE FROM ratings WHERE user_id = $user AND item_id < 10" ] if ($dice -= 20) < 0;
	return [ 'forget', "SELECT '' FROM mf_forget($user, '$model')" ] if ($dice -= 20) < 0;
	return [ 'retrain', "SELECT '' FROM mf_retrain('$model')" ] if ($dice -= 20) < 0;
	return [ 'train', "SELECT '' FROM " . sprintf($train{$model}, $dice) ] if ($dice -= 20) < 0;
	return [ 'import', "SELECT '' FROM mf_import('b', 'their_users', 'their_items', source => 'ratings', rating_column => NULL, regularization => 0.1, alpha => 1)" ]
		if ($dice -= 5) < 0;
	return [ 'abandoned training', "BEGIN; SELECT '' FROM mf_retrain('$model'); ROLLBACK" ] if ($dice -= 5) < 0;
	return [ 'rollback', "SELECT left(mf_rollback('$model')::text, 0)" ] if ($dice -= 20) < 0;
	return [ 'refresh', "SELECT left(mf_refresh('$model')::text, 0)" ] if ($dice -= 5) < 0;
	return [ 'drop', "SELECT mf_drop('$model')" ] if ($dice -= 5) < 0;
	return [ 'models', "SELECT coalesce(max('two serve'), '') FROM (SELECT FROM mf_models WHERE serving GROUP BY model HAVING count(*) > 1) m" ];
}

# Megabytes of a session: of its process, and of PostgreSQL's memory contexts.
sub memory_of
{
	my ($session, $pid) = @_;
	my ($kilobytes) = slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
	my $contexts = 'cancelled';
	$contexts = ask($session, "SELECT sum(total_bytes) / 1048576.0 FROM pg_backend_memory_contexts") while $contexts !~ /^[\d.]+$/;
	return [ $kilobytes / 1024, $contexts ];
}

# One client, in a process of its own: writes what it has seen to a file, a line each.
sub run_client
{
	my ($number, $file, $end) = @_;
	srand($seed + $number);
	open(my $seen, '>', $file) or die "$file: $!";
	my $session = open_session($node);
	my $pid = ask($session, "SET application_name = 'client'; SELECT pg_backend_pid()");
	my %did;
	my ($middle, $began) = (undef, time);
	while (time < $end)
	{
		my ($kind, $sql) = @{ choose() };
		$session->{err} = '';
		my $answer = ask($session, $sql);
		ask($session, 'ROLLBACK') if $sql =~ /^BEGIN/;
		$did{$kind}++;
		print $seen "wrong\t$kind: $answer\n" if $answer =~ /\S/;
		while ($session->{err} =~ /(?:ERROR|FATAL|PANIC):  (\w{5}): (.*)/g)
		{
			print $seen "error\t$1\t$kind: $2\n";
		}
		$middle //= memory_of($session, $pid) if time > ($began + $end) / 2;
	}
	print $seen "did\t$_\t$did{$_}\n" for keys %did;
	my $last = memory_of($session, $pid);
	print $seen "process\t$$middle[0]\t$$last[0]\n", "contexts\t$$middle[1]\t$$last[1]\n";
	close_session($session);
	close($seen);
	return;
}

$node->safe_psql('postgres', 'SELECT ' . sprintf($train{$_}, 1)) for @models;
my $end = time + $seconds;
my $folder = PostgreSQL::Test::Utils::tempdir();
my @children;
for my $number (1 .. $clients)
{
	my $child = fork() // die "fork: $!";
	if (!$child)
	{
		eval { run_client($number, "$folder/$number", $end); 1 } or print STDERR $@;
		require POSIX;
		POSIX::_exit($@ ? 1 : 0);
	}
	push @children, $child;
}

# cancels at random
my $canceller = open_session($node);
my $cancels = 0;
while (time < $end)
{
	my $answer = ask($canceller, "SELECT count(pg_cancel_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'client' AND state = 'active' ORDER BY random() LIMIT 1) a");
	$cancels += $answer if $answer =~ /^\d+$/;
	sleep(rand(0.2));
}
close_session($canceller);
my $lost = 0;
for my $child (@children)
{
	waitpid($child, 0);
	$lost++ if $? != 0;
}
is($lost, 0, 'no client lost its session');

# Once glibc has given back a block of a memory context at its largest, 8 MB, it keeps twice as much for the
# next one.  What is in use grows by a block of PostgreSQL's caches at most.
my %may_grow = (process => 24, contexts => 3);
my (%did, %errors, @wrong, @undocumented, @memory, @grown);
for my $number (1 .. $clients)
{
	for my $line (split /\n/, slurp_file("$folder/$number"))
	{
		my ($what, $first, $second) = split /\t/, $line;
		push @wrong, $first if $what eq 'wrong';
		$did{$first} += $second if $what eq 'did';
		$errors{$first}++ if $what eq 'error';
		push @undocumented, "$first $second" if $what eq 'error' && !$documented{$first};
		next unless exists $may_grow{$what};
		push @memory, sprintf('%s %.1f to %.1f', $what, $first, $second);
		push @grown, "$what: $first MB to $second MB" if $second > $first + $may_grow{$what};
	}
}
note("$cancels cancels; ", join(', ', map { "$_ $did{$_}" } sort keys %did));
note('errors: ', join(', ', map { "$_ $errors{$_}" } sort keys %errors));
note('megabytes: ', join(', ', @memory));
is(join("\n", @wrong), '', 'no wrong answer');
is(join("\n", @undocumented), '', 'no error but the documented ones');
is(join(', ', @grown), '', 'sessions take no more memory in the end than half-way');
cmp_ok($did{list}, '>', 100, 'many lists were looked at');
cmp_ok($errors{'57014'} // 0, '>', 0, 'statements were cancelled');

# what is left is whole
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") . temporary_files($node), '0', 'no lock, no file');
is($node->safe_psql('postgres', <<'SQL'), '0', 'no version and no table without a model');
SELECT (SELECT count(*) FROM mfrec.model_version v WHERE NOT EXISTS (SELECT FROM mfrec.model WHERE name = v.model))
	+ (SELECT count(*) FROM mfrec.training_log l WHERE NOT EXISTS (SELECT FROM mfrec.model_version v WHERE v.model = l.model AND v.version = l.version))
	+ (SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relname ~ '_(user|item|feature)_factors$'
		AND NOT EXISTS (SELECT FROM mfrec.model WHERE relname IN (user_table, item_table, feature_table)))
SQL
for my $model (@models)
{
	$node->safe_psql('postgres', 'SELECT ' . sprintf($train{$model}, 1));
	is($node->safe_psql('postgres', "SELECT string_agg(wrong_list('$model', u, 10), '') FROM generate_series(1, 1050, 150) u"),
		'', "model $model trains and serves");
}

# a snapshot may have asked for an image after its version had gone; whoever writes the next one sweeps it
is($node->safe_psql('postgres', <<'SQL'), '0', 'no image without a version');
SELECT count(*) FROM pg_ls_tmpdir() f WHERE name LIKE 'pgsql_tmp_mfrec.%'
	AND NOT EXISTS (SELECT FROM mfrec.model_version v WHERE f.name LIKE '%.' || v.image)
SQL
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal|server process .* exited/, 'no process crashed');
$node->stop;

done_testing();
