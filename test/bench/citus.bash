# citus.bash - a training on the nodes of a Citus cluster, beside one node: part citus of test/bench/run.
#
# A coordinator and three workers on this machine share its cores with nobody else; the same rows are there as a table
# that Citus distributes by user, and as one that it does not.  Without Citus there is nothing to measure.

# psql on the coordinator.
citus_sql() {
	"$bin/psql" -qXAt -v ON_ERROR_STOP=1 -p 5440 "$@"
}

# Starts a server of the cluster, number $1.
start_citus() {
	local settings="listen_addresses=127.0.0.1 shared_preload_libraries=citus max_prepared_transactions=50 wal_level=logical
		citus.shard_count=12 citus.node_conninfo=sslmode=disable citus.enable_statistics_collection=off"
	quietly "${as_server[@]}" "$bin/initdb" -D "$scratch/citus$1" -U postgres -A trust -E UTF8 --locale=C --no-sync
	(cd / && quietly "${as_server[@]}" "$bin/pg_ctl" -D "$scratch/citus$1" -l "$scratch/citus$1.log" -w start \
		-o "-p $((5440 + $1)) -c unix_socket_directories='$scratch' -c shared_buffers=$buffers -c maintenance_work_mem=256MB \
		-c max_wal_size=16GB -c checkpoint_timeout=1h -c fsync=off -c autovacuum=off $(printf -- '-c %s ' $settings)")
	"$bin/psql" -qXAt -p $((5440 + $1)) -c "CREATE EXTENSION citus" >/dev/null
}

# The servers end with the run.
stop_citus() {
	local n
	for n in 0 1 2 3; do
		[ ! -e "$scratch/citus$n/postmaster.pid" ] || (cd / && "${as_server[@]}" "$bin/pg_ctl" -D "$scratch/citus$n" -m immediate stop) >/dev/null 2>&1 || true
	done
}

# The cluster with both tables; once.
make_citus() {
	local n users=120000 items=15000 rows=10000000
	[ "$scale" = full ] || { users=20000; items=4000; rows=1000000; }
	for n in 0 1 2 3; do start_citus "$n"; done
	citus_sql -c "SELECT citus_set_coordinator_host('127.0.0.1', 5440)" >/dev/null
	for n in 1 2 3; do citus_sql -c "SELECT citus_add_node('127.0.0.1', $((5440 + n)))" >/dev/null; done
	(cd "$scratch" && ./generate "$users" "$items" "$rows" 1.14 10 spread && rm -f ./spread.tsv ./spread.*.txt) >/dev/null
	"$scratch/copyrows" "$scratch/spread.bin" >"$scratch/spread.copy"
	citus_sql -c "CREATE EXTENSION mfrec" -c "CREATE TABLE here (user_id int, item_id int, rating real)" -c "CREATE TABLE there (LIKE here)" \
		-c "SELECT create_distributed_table('there', 'user_id')" -c "\\copy here FROM '$scratch/spread.copy' (FORMAT binary)" \
		-c "\\copy there FROM '$scratch/spread.copy' (FORMAT binary)" -c "VACUUM ANALYZE here, there" >/dev/null
	rm -f "$scratch"/spread.*
}

# The largest private memory of a session of the cluster while a file is there, in bytes.
watch_citus() {
	perl -e 'my $most = 0;
		while (-e $ARGV[0])
		{
			for my $n (0 .. 3)
			{
				open(my $p, "<", "$ARGV[2]/citus$n/postmaster.pid") or next;
				chomp(my $postmaster = <$p>);
				open(my $c, "<", "/proc/$postmaster/task/$postmaster/children") or next;
				for my $pid (split " ", <$c> // "")
				{
					open(my $f, "<", "/proc/$pid/status") or next;
					while (<$f>) { $most = $1 * 1024 if /^RssAnon:\s+(\d+)/ && $1 * 1024 > $most; }
				}
			}
			select(undef, undef, undef, 0.1);
		}
		print "$ARGV[1] $most\n";' "$scratch/training" "$1" "$scratch" >>"$figures"
}

# Trains and notes NAME.total, .iteration (the median), .loss, .peak: train_citus NAME SOURCE ARGUMENTS.
train_citus() {
	touch "$scratch/training"
	watch_citus "$1.peak" &
	citus_sql >>"$figures" <<SQL
SET client_min_messages = error;
SELECT FROM mf_train('$2', 'spread', feedback => 'implicit', rating_column => NULL, factors => 64, iterations => 10$3);
SELECT '$1.total ' || seconds || E'\n$1.loss ' || loss FROM mf_models WHERE model = 'spread';
SELECT '$1.iteration ' || percentile_cont(0.5) WITHIN GROUP (ORDER BY took)
FROM (SELECT seconds - lag(seconds) OVER (ORDER BY iteration) AS took FROM mf_training_log WHERE model = 'spread') iterations;
SELECT mf_drop('spread') \g /dev/null
SQL
	rm "$scratch/training"
	wait
}

# On the nodes that have the rows, with them brought to one node, and of a table that is there, in turns.
measure_citus() {
	if [ ! -e "$("$PG_CONFIG" --pkglibdir)/citus.so" ]; then
		echo "  Citus is not there"
		return 0
	fi
	[ -e "$scratch/citus0" ] || make_citus
	train_citus citus.nodes there ", distribute => true"
	train_citus citus.brought there ", distribute => false"
	train_citus citus.one here ""
}
