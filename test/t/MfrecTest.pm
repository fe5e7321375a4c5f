# What the TAP tests of mfrec share: a cluster with the extension, statements that run in the
# background, and catching a training in a phase.
package MfrecTest;

use strict;
use warnings;
use Exporter 'import';
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_node start_sql finish_sql open_session ask close_session act_in_phase temporary_files leftovers threads_of
	fingerprint_sql is_back define_wrong_list output_or_error);

# A started cluster whose database postgres has the extension.
sub new_node
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%options);
	$node->append_conf('postgresql.conf', "max_parallel_maintenance_workers = 4\nautovacuum = off\n");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION mfrec');
	return $node;
}

# Runs statements; their output, or SQLSTATE and message of the first error.
sub output_or_error
{
	my ($node, $sql) = @_;
	my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	return $status == 0 ? $out : $err =~ /(?:ERROR|FATAL):\s+(\w{5}: [^\n]*)/ ? $1 : "no message: $err";
}

# Runs statements in a psql of their own; finish_sql waits for the end.
sub start_sql
{
	my ($node, $sql, @options) = @_;
	my %run = (out => '', err => '');
	$run{handle} = IPC::Run::start(
		[ $node->installed_command('psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', @options, '-d', $node->connstr('postgres'), '-c', $sql ],
		'<', '/dev/null', '>', \$run{out}, '2>', \$run{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%run;
}

# The exit status, output and errors of what start_sql began.
sub finish_sql
{
	my ($run) = @_;
	$run->{handle}->finish;
	return ($run->{handle}->result, $run->{out}, $run->{err});
}

# A psql that stays connected; ask() runs statements in it and returns their output, errors go to
# $session->{err}.  Each answer has the whole time.
sub open_session
{
	my ($node) = @_;
	my %session = (in => '', out => '', err => '', timer => IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	$session{handle} = IPC::Run::start(
		[ $node->installed_command('psql'), '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $node->connstr('postgres') ],
		'<', \$session{in}, '>', \$session{out}, '2>', \$session{err},
		$session{timer});
	return \%session;
}

sub ask
{
	my ($session, $sql) = @_;
	$session->{out} = '';
	$session->{timer}->start;
	$session->{in} .= "$sql;\n\\echo end of the answer\n\\warn end of the errors\n";
	$session->{handle}->pump until $session->{out} =~ /^end of the answer\n/m && $session->{err} =~ /^end of the errors\n/m;
	$session->{err} =~ s/^end of the errors\n//m;
	my $answer = $session->{out} =~ s/^end of the answer\n//mr;
	chomp $answer;
	return $answer;
}

sub close_session
{
	my ($session) = @_;
	$session->{in} .= "\\q\n";
	$session->{handle}->finish;
}

# Waits until a training is in a phase, and runs an expression on its pid at once: act_in_phase($node,
# 'sweep', 'pg_cancel_backend(%s)').  A condition on mf_progress can say when in the phase.  Returns the
# pid; 0 when the phase was never seen.
sub act_in_phase
{
	my ($node, $phase, $action, $condition) = @_;
	my $call = sprintf($action, 'training');
	$condition //= 'true';
	return $node->safe_psql('postgres', <<"SQL");
CREATE OR REPLACE FUNCTION pg_temp.act() RETURNS int LANGUAGE plpgsql AS \$\$
DECLARE training int;
BEGIN
	FOR i IN 1 .. 12000 LOOP
		SELECT pid INTO training FROM mf_trainings() WHERE phase = '$phase' AND $condition;
		IF FOUND THEN
			PERFORM $call;
			RETURN training;
		END IF;
		PERFORM pg_sleep(0.005), pg_stat_clear_snapshot();	-- pg_stat_activity stays as it was first looked at
	END LOOP;
	RETURN 0;
END \$\$;
SELECT pg_temp.act();
SQL
}

# The temporary files there are, of trainings and of queries, wherever temp_tablespaces put them; images
# of versions are none.
sub temporary_files
{
	my ($node) = @_;
	my @files = map { glob("$_/*") } $node->data_dir . '/base/pgsql_tmp', glob($node->data_dir . '/pg_tblspc/*/*/pgsql_tmp');
	return join('', map { " file $_" } grep { !m{/pgsql_tmp_mfrec\.\d+\.[0-9a-f-]+$} } @files);
}

# What a training left behind: tables, bookkeeping, files; empty where there is nothing.
sub leftovers
{
	my ($node, $model) = @_;
	my $left = $node->safe_psql('postgres', <<"SQL");
SELECT coalesce(string_agg(what, ', '), '') FROM (
	SELECT 'table ' || relname AS what FROM pg_class WHERE relname LIKE '$model\\_%factors%'
	UNION ALL SELECT 'model ' || name FROM mfrec.model WHERE name = '$model'
	UNION ALL SELECT 'version' FROM mfrec.model_version WHERE model = '$model'
	UNION ALL SELECT 'log' FROM mfrec.training_log WHERE model = '$model'
	UNION ALL SELECT 'training ' || pid FROM mf_progress
	UNION ALL SELECT 'lock' FROM pg_locks WHERE locktype = 'advisory') l
SQL
	return $left . temporary_files($node);
}

# Whether a server whose log was so long before a crash comes back.  It answers for another moment
# before it notices the crash, so connecting says nothing.
sub is_back
{
	my ($node, $logged) = @_;
	for (1 .. 1800)
	{
		return 1 if slurp_file($node->logfile, $logged) =~ /ready to accept connections/;
		select(undef, undef, undef, 0.1);
	}
	return 0;
}

# Creates a function wrong_list(model, user_id, k) that compares a list with one made by hand: by a scan
# of the tables of the version that serves in the same snapshot.  It says what is wrong; nothing where
# the list is right.  Scores may differ by rounding, and so items of almost the same score in order.
sub define_wrong_list
{
	my ($node) = @_;
	$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION dot(a real[], b real[]) RETURNS double precision IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS
	$$ SELECT sum(x::double precision * y) FROM unnest(a, b) t(x, y) $$;
CREATE FUNCTION wrong_list(name text, who int, k int) RETURNS text STABLE LANGUAGE plpgsql AS $$
DECLARE
	served int;
	learned jsonb;
	wrong text;
BEGIN
	SELECT m.version, v.parameters INTO served, learned
		FROM mfrec.model m JOIN mfrec.model_version v ON v.model = m.name AND v.version = m.version WHERE m.name = wrong_list.name;
	IF NOT FOUND THEN RETURN ''; END IF;
	EXECUTE format($q$
		WITH vector AS MATERIALIZED (SELECT bias, factors, coalesce((to_jsonb(u)->>'spread')::float8, 1) AS spread FROM %1$I u WHERE version = $1 AND user_id = $2 AND factors <> '{}'),
		by_hand AS MATERIALIZED (
			SELECT item_id, CASE WHEN v IS NULL THEN i.ratings
				WHEN $3->>'has_interest' = '0' THEN
					($3->>'mean')::float8 + ($3->>'deviation')::float8 * v.spread * (v.bias + i.bias + dot(v.factors, i.factors))
				ELSE dot(v.factors, i.factors) + coalesce(($3->>'taste')::float8 * (dot(v.factors, i.rating_factors) + i.bias), 0) END AS score
			FROM %2$I i LEFT JOIN vector v ON true WHERE version = $1),
		list AS MATERIALIZED (SELECT * FROM mf_recommend($2, $4, model => $5, fresh => false, exclude_seen => false)),
		joined AS (SELECT l.*, h.score AS right_score FROM list l LEFT JOIN by_hand h USING (item_id)),
		best AS (SELECT score, row_number() OVER (ORDER BY score DESC) AS rank FROM by_hand ORDER BY score DESC LIMIT $4)
		SELECT concat_ws(', ',
			CASE WHEN (SELECT count(*) FROM list) <> (SELECT count(*) FROM best) THEN 'not as many items as there are' END,
			CASE WHEN (SELECT count(DISTINCT item_id) FROM list) <> (SELECT count(*) FROM list) THEN 'an item twice' END,
			CASE WHEN EXISTS (SELECT FROM list WHERE reason <> CASE WHEN EXISTS (SELECT FROM vector) THEN 'model' ELSE 'popular' END)
				THEN 'a wrong reason' END,
			CASE WHEN EXISTS (SELECT FROM joined WHERE right_score IS NULL) THEN 'an item that is not in the version' END,
			CASE WHEN EXISTS (SELECT FROM joined WHERE abs(score - right_score) > 1e-4 * (1 + abs(right_score))) THEN 'a wrong score' END,
			CASE WHEN EXISTS (SELECT FROM joined j JOIN best b USING (rank) WHERE abs(j.score - b.score) > 1e-4 * (1 + abs(b.score)))
				THEN 'not the best items' END) $q$,
		name || '_user_factors', name || '_item_factors') INTO wrong USING served, who, learned, k, name;
	RETURN CASE WHEN wrong <> '' THEN format('model %s, version %s, user %s: %s', name, served, who, wrong) ELSE '' END;
END $$;
SQL
	return;
}

# The number of threads of a backend.
sub threads_of
{
	my ($pid) = @_;
	my @tasks = glob("/proc/$pid/task/*");
	return scalar @tasks;
}

# A query for a fingerprint of all factors of a model.
sub fingerprint_sql
{
	my ($model) = @_;
	return <<"SQL";
SELECT md5((SELECT string_agg(u::text, ',' ORDER BY version, user_id) FROM ${model}_user_factors u)
	|| (SELECT string_agg(i::text, ',' ORDER BY version, item_id) FROM ${model}_item_factors i))
SQL
}

1;
