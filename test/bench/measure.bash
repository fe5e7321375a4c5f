# measure.bash - what test/bench/run measures, one function a part.
#
# Every figure goes as a line "name value" to $figures, once a round; report.py takes the medians.

# Adds a figure.
note() {
	echo "$1 $2" >>"$figures"
}

sql() {
	"$bin/psql" -qXAt -v ON_ERROR_STOP=1 "$@"
}

# Seconds that a statement takes, as a figure: timed NAME STATEMENT.
timed() {
	local taken
	taken=$(sql -c '\timing on' -c "$2" | awk '/^Time: / { seconds = $2 / 1000 } END { print seconds }')
	note "$1" "$taken"
}

# Rows of a table in files for peers and for COPY.
export_rows() {
	sql -c "COPY $1 (user_id, item_id, rating) TO '$scratch/$1.copy' (FORMAT binary)"
}

# A table of generated ratings: make_ratings NAME SHAPE.  Their records stay in NAME.bin.
make_ratings() {
	(cd "$scratch" && ./generate $2 "$1" && rm -f ./*.tsv ./*.txt) >/dev/null
	sql -c "CREATE TABLE $1 (user_id int, item_id int, rating real)"
	"$scratch/copyrows" "$scratch/$1.bin" >"$scratch/$1.copy"
	chmod 644 "$scratch/$1.copy"
	sql -c "COPY $1 FROM '$scratch/$1.copy' (FORMAT binary)" -c "VACUUM ANALYZE $1"
	[ "$1" = tail ] || rm "$scratch/$1.copy"
}

# Everything that is measured on: ratings; those of 3.5 and more; a long tail; a split; smaller shares.
load_data() {
	local divisor
	sql -c "CREATE EXTENSION mfrec"
	make_ratings ratings "$shape"
	[ "$parts" != " serving " ] || return 0
	make_ratings tail "$tail"
	sql -c "CREATE TABLE liked AS SELECT * FROM ratings WHERE rating >= 3.5" \
		-c "CREATE TABLE train AS SELECT * FROM ratings WHERE NOT mf_holdout(user_id, item_id, 0.1)" \
		-c "CREATE TABLE test AS SELECT * FROM ratings WHERE mf_holdout(user_id, item_id, 0.1)"
	for divisor in 10 3; do
		sql -c "CREATE TABLE ratings_$divisor AS
				SELECT * FROM ratings WHERE user_id < (SELECT max(user_id) + 1 FROM ratings) / $divisor"
	done
	[ -z "${BENCH_HUGE:-}" ] || sql -c "CREATE TABLE ratings_huge AS SELECT user_id + copy * (SELECT max(user_id) + 1 FROM ratings) AS user_id,
			item_id, rating FROM ratings, generate_series(0, 9) copy"
	sql -c "VACUUM ANALYZE" -c "CHECKPOINT"
	export_rows liked
}

# Notes the largest private memory of a process, in bytes, until it ends: watch_memory PID NAME.
watch_memory() {
	perl -e 'my $most = 0;
		while (open(my $f, "<", "/proc/$ARGV[0]/status"))
		{
			while (<$f>) { $most = $1 * 1024 if /^RssAnon:\s+(\d+)/ && $1 * 1024 > $most; }
			select(undef, undef, undef, 0.02);
		}
		print "$ARGV[1] $most\n";' "$1" "$2" >>"$figures"
}

# The same of the disk that temporary files take: watch_disk PID NAME.
watch_disk() {
	perl -e 'my $most = 0;
		while (-e "/proc/$ARGV[0]")
		{
			my $all = 0;
			$all += (stat)[12] * 512 // 0 for glob("$ARGV[2]/base/pgsql_tmp/* $ARGV[2]/base/pgsql_tmp/*/*");
			$most = $all if $all > $most;
			select(undef, undef, undef, 0.2);
		}
		print "$ARGV[1] $most\n";' "$1" "$2" "$scratch/cluster" >>"$figures"
}

# Trains and notes NAME.total, .read, .sort, .sweep, .store, .switch, .iteration (the median), .loss.N and
# .seconds.N by iteration, .peak memory, .rows: train NAME ARGUMENTS [SETTINGS].  The model stays, as "bench".
train() {
	local name=$1 arguments=$2 settings=${3:-} pid
	sql -c "SELECT mf_drop(model) FROM mf_models WHERE model = 'bench' LIMIT 1" >/dev/null
	rm -f "$scratch/pid"
	mkfifo "$scratch/pid"
	sql >"$scratch/train.out" 2>"$scratch/train.err" <<SQL &
SET client_min_messages = debug1;
$settings
SELECT pg_backend_pid() \g $scratch/pid
SELECT FROM mf_train(model => 'bench', $arguments);
SELECT '$name.total ' || seconds || E'\n$name.rows ' || ratings || E'\n$name.users ' || users || E'\n$name.items ' || items ||
	E'\n$name.factor_bytes ' || 4 * factors * (users + items * ((parameters->>'has_rating')::int + (parameters->>'has_interest')::int))
FROM mf_models WHERE model = 'bench';
SELECT '$name.loss.' || iteration || ' ' || loss || E'\n$name.seconds.' || iteration || ' ' || seconds
FROM mf_training_log WHERE model = 'bench' ORDER BY iteration;
SELECT '$name.iteration ' || percentile_cont(0.5) WITHIN GROUP (ORDER BY took)
FROM (SELECT seconds - lag(seconds) OVER (ORDER BY iteration) AS took
	  FROM mf_training_log WHERE model = 'bench') iterations;
SQL
	pid=$!
	read -r backend <"$scratch/pid"
	watch_memory "$backend" "$name.peak" &
	watch_disk "$backend" "$name.disk" &
	wait "$pid" || { cat "$scratch/train.err" >&2; exit 1; }
	wait
	grep . "$scratch/train.out" >>"$figures"
	phases "$name" "$(sed -n "s/^$name.total //p" "$scratch/train.out")" <"$scratch/train.err" >>"$figures"
}

# From debugging messages: what each phase took, and what the dictionaries take.
phases() {
	awk -v name="$1" -v total="$2" '
		/ phase [a-z]+ begins after / {
			for (k = 1; $k != "phase"; k++);
			if (phase) print name "." phase, $(k + 4) - began
			phase = $(k + 1); began = $(k + 4)
		}
		/ dictionaries [0-9]+$/ { print name ".dictionary_bytes", $NF }
		END { if (phase) print name "." phase, total - began }'
}

# The path around the sweeps, and each step beside the floor: the same work by plain SQL.
measure_path() {
	timed floor.query "SELECT sum(user_id), sum(item_id), sum(rating) FROM ratings"
	timed floor.one_query "SET max_parallel_workers_per_gather = 0; SELECT sum(user_id), sum(item_id), sum(rating) FROM ratings"
	train implicit "source => 'ratings', rating_column => NULL, factors => 64, iterations => 10"
	floor_store
	train joint "source => 'ratings', factors => 64, iterations => 10"
	train one_thread "source => 'ratings', rating_column => NULL, factors => 64, iterations => 4" "SET mfrec.threads = 1;"
	timed floor.export "COPY ratings (user_id, item_id, rating) TO '$scratch/ratings.copy' (FORMAT binary)"
}

# COPY of the very rows that training has just stored, into tables with the same primary keys.
floor_store() {
	local side
	for side in user item; do
		sql -c "COPY bench_${side}_factors TO '$scratch/stored_$side.copy' (FORMAT binary)" \
			-c "DROP TABLE IF EXISTS stored_$side" -c "CREATE TABLE stored_$side (LIKE bench_${side}_factors INCLUDING ALL)"
		timed "floor.store_$side" "COPY stored_$side FROM '$scratch/stored_$side.copy' (FORMAT binary)"
	done
}

have_module() {
	"$python" "$here/peers.py" has "$1"
}

# peer NAME LIBRARY ROWS FACTORS ITERATIONS SOLVER [FILES]: notes what the library says, as NAME.decode and so on.
peer() {
	local name=$1
	shift
	"$python" "$here/peers.py" "$@" | sed "s/^/$name./" >>"$figures"
}

# The same rows by other people's libraries: an iteration, and the whole way out of the database and back.
measure_peers() {
	have_module implicit || { echo "  Python's implicit is not there"; return 0; }
	train liked "source => 'liked', rating_column => NULL, factors => 64, iterations => 4"
	peer implicit_cg implicit "$scratch/liked.copy" 64 4 cg
	peer implicit_cholesky implicit "$scratch/liked.copy" 64 2 cholesky
	leave
	have_module cmfrec || return 0
	peer cmfrec_cg cmfrec "$scratch/liked.copy" 64 2 cg
}

# COPY out, implicit, COPY back.
leave() {
	local side
	[ -e "$scratch/ratings.copy" ] || export_rows ratings
	peer leave implicit "$scratch/ratings.copy" 64 10 cg "$scratch/back_user.copy" "$scratch/back_item.copy"
	chmod 644 "$scratch/back_user.copy" "$scratch/back_item.copy"
	for side in user item; do
		sql -c "DROP TABLE IF EXISTS back_$side" \
			-c "CREATE TABLE back_$side (id int PRIMARY KEY, factors real[])"
		timed "leave.import_$side" "COPY back_$side FROM '$scratch/back_$side.copy' (FORMAT binary)"
	done
}

# One run of the core alone, NAME.cells, NAME.loss.N and NAME.seconds.N: solver NAME FILE FACTORS ITERATIONS [exact|floats].
solver() {
	local name=$1 file=$2
	shift 2
	"$scratch/bench_als" "$scratch/$file.bin" implicit "$1" "$(nproc)" "${@:2}" | sed -nE \
		"s/^([0-9]+) cells,.*/$name.cells \1/p
		s/^ *([0-9]+): .* total ([0-9.]+) s, loss ([0-9.e+-]+)\$/$name.seconds.\1 \2\n$name.loss.\1 \3/p" >>"$figures"
}

# Iterations of the joint preset in the core alone, in turns: rows that fade, with a weight column or without, beside weights.
measure_fading() {
	"$scratch/bench_als" "$scratch/ratings.bin" joint 64+32 "$(nproc)" 9 weights fading both | awk '
		/^(weights|fading|both) / { kind = $1; for (k = 2; k <= NF; k++) if ($k == "together") took[kind, ++n[kind]] = $(k + 1) }
		END { for (kind in n) { sum = 0; for (k = 2; k <= n[kind]; k++) sum += took[kind, k]; print "weighted." kind, sum / (n[kind] - 1) } }' >>"$figures"
}

# Iterations in the core alone, in turns, with tiles and without, where the processor has them.
measure_tiles() {
	local factors
	for factors in 64 96; do
		"$scratch/bench_als" "$scratch/ratings.bin" implicit "$factors" "$(nproc)" 9 amx vnni | awk -v factors="$factors" '
			/^AMX tiles: in use/ { tiles = 1 }
			/^(amx|vnni) / { for (k = 2; k <= NF; k++) if ($k == "together") took[$1, ++n[$1]] = $(k + 1) }
			END { for (kind in n) if (tiles) { sum = 0; for (k = 2; k <= n[kind]; k++) sum += took[kind, k]; print "tiles." factors "." kind, sum / (n[kind] - 1) } }' >>"$figures"
	done
}

# Exact solves beside what the processor can do at all; many factors, and short rows.
measure_solvers() {
	local factors
	solver solver_exact.64 ratings 64 4 exact
	solver solver.64 ratings 64 4
	measure_fading
	measure_tiles
	note solver.peak "$("$scratch/bench_fma" "$(nproc)")"
	for factors in 128 256 512; do
		solver "solver.$factors" ratings "$factors" 12
		solver "solver_floats.$factors" ratings "$factors" 12 floats
		[ "$round" -gt 1 ] || solver "solver_exact.$factors" ratings "$factors" 10 exact
		! have_module implicit || peer "implicit_cg.$factors" implicit "$scratch/liked.copy" "$factors" 2 cg
	done
	for factors in 64 256; do
		train "tail.$factors" "source => 'tail', rating_column => NULL, factors => $factors, iterations => 4"
		! have_module implicit || peer "implicit_tail.$factors" implicit "$scratch/tail.copy" "$factors" 4 cg
	done
}

# Time by number of ratings, with little memory.
measure_scale() {
	local table
	for table in ratings_10 ratings_3 ratings ${BENCH_HUGE:+ratings_huge}; do
		timed "floor.$table" "SELECT sum(user_id), sum(item_id), sum(rating) FROM $table"
		train "scale.$table" "source => '$table', factors => 64, iterations => 3" "SET maintenance_work_mem = '256MB';"
	done
	[ -z "${BENCH_BILLION:-}" ] || measure_billion
}

# Ratings that are nowhere but in a view: 200 of each user, all of them of different items.
measure_billion() {
	local millions
	for millions in 200 1000; do
		sql -c "CREATE OR REPLACE VIEW streamed AS SELECT (i / 200)::int AS user_id, ((i % 200 * 135 + i / 200 * 7919) % 27000)::int AS item_id,
				(1 + i % 5)::real AS rating FROM (SELECT generate_series(0::bigint, $millions * 1000000 - 1) AS i) rows"
		train "streamed.$millions" "source => 'streamed', feedback => 'implicit', factors => 64, iterations => 3" "SET maintenance_work_mem = '1GB';"
	done
}

# A table "came" of 10,000 new rows of a source, a tenth of them of 50 new items.
make_new_rows() {
	sql -c "CREATE TABLE came AS SELECT (u * 7919 % (SELECT max(user_id) FROM $1))::int AS user_id,
			((SELECT max(item_id) FROM $1) + 1 + u % 50)::int AS item_id, 4::real AS rating FROM generate_series(1, 1000) u
			UNION ALL SELECT * FROM (SELECT (row_number() OVER () * 7907 % (SELECT max(user_id) FROM $1))::int, item_id, 4
				FROM $1 TABLESAMPLE SYSTEM (1) REPEATABLE ($round) LIMIT 9000) known"
}

# Taking in new rows by a scan, beside training anew and beside reading the rows once; and nothing new.
measure_update() {
	sql -c "SELECT mf_drop(model) FROM mf_models WHERE model = 'bench' LIMIT 1" -c "SELECT FROM mf_train('ratings', 'bench')"
	timed update.scan "SELECT sum(user_id), sum(item_id), sum(rating) FROM ratings"
	timed update.one_scan "SET max_parallel_workers_per_gather = 0; SELECT sum(user_id), sum(item_id), sum(rating) FROM ratings"
	timed update.idle "SELECT FROM mf_update('bench')"
	make_new_rows ratings
	sql -c "INSERT INTO ratings SELECT * FROM came"
	timed update.update "SELECT FROM mf_update('bench')"
	timed update.retrain "SELECT FROM mf_retrain('bench')"
	sql -c "CREATE TABLE without AS TABLE ratings EXCEPT ALL TABLE came" -c "TRUNCATE ratings" \
		-c "INSERT INTO ratings TABLE without" -c "DROP TABLE without, came" -c "VACUUM ANALYZE ratings"
	measure_update_by_time
}

# The same of a source whose new rows indexes find.
measure_update_by_time() {
	sql -c "CREATE TABLE timed AS SELECT *, timestamptz '2024-01-01' + row_number() OVER () * interval '1 second' AS at FROM ratings" \
		-c "CREATE INDEX ON timed (at)" -c "CREATE INDEX ON timed (user_id)" -c "CREATE INDEX ON timed (item_id)" -c "VACUUM ANALYZE timed" \
		-c "SELECT mf_drop('bench')" -c "SELECT FROM mf_train('timed', 'bench', time_column => 'at')" >/dev/null
	make_new_rows timed
	sql -c "INSERT INTO timed SELECT *, (SELECT max(at) FROM timed) + row_number() OVER () * interval '1 second' FROM came"
	timed update.by_time "SELECT FROM mf_update('bench')"
	timed update.by_time_retrain "SELECT FROM mf_retrain('bench')"
	sql -c "SELECT mf_drop('bench')" -c "DROP TABLE timed, came" >/dev/null
}

# Models of tenants of 500 ratings, 100 users and 100 items each, beside one model of all rows; lists of a tenant after another
# beside those of one model; what the bookkeeping takes.
measure_tenants() {
	local tenants=2000 list="fresh => false, exclude_seen => false"
	[ "$scale" = small ] || tenants=10000
	[ -n "$(sql -c "SELECT to_regclass('shops')")" ] || sql -c "CREATE TABLE shops AS SELECT * FROM
			(SELECT i / 500 AS shop_id, i / 500 * 100 + (random() * 99)::int AS user_id, i / 500 * 100 + (power(random(), 2) * 99)::int AS item_id,
			(1 + floor(random() * 5))::real AS rating FROM generate_series(0, $tenants * 500 - 1) i) r ORDER BY hashint4(user_id * 7919 + item_id)" \
		-c "CREATE INDEX ON shops (shop_id, user_id)" -c "VACUUM ANALYZE shops" -c "CREATE VIEW shop AS SELECT user_id, item_id, rating FROM shops WHERE shop_id = 7"
	note tenants.count "$tenants"
	timed tenants.each "SELECT count(version) FROM mf_train_each('shops', 'shop_id', 'each')"
	timed tenants.one "SELECT FROM mf_train('shops', 'bench')"
	sql -c "SELECT FROM mf_train('shop')"
	timed tenants.lists "SELECT count(*) FROM generate_series(100, 1099) s, mf_recommend(s * 100 + 3, 10, mf_tenant('each', s), $list)"
	timed tenants.again "SELECT count(*) FROM generate_series(100, 1099) s, mf_recommend(700 + s % 100, 10, mf_tenant('each', 7), $list)"
	timed tenants.model "SELECT count(*) FROM generate_series(100, 1099) s, mf_recommend(700 + s % 100, 10, 'shop', $list)"
	note tenants.bookkeeping "$(sql -c "SELECT pg_total_relation_size('mfrec.model') + pg_total_relation_size('mfrec.model_version')")"
	note tenants.tables "$(sql -c "SELECT pg_total_relation_size('each_user_factors') + pg_total_relation_size('each_item_factors')")"
	sql -c "SELECT mf_drop('each'), mf_drop('shop'), mf_drop('bench')" -c "VACUUM FULL mfrec.model, mfrec.model_version" >/dev/null
}

# The rating part alone: held-out error by iteration, beside LIBMF's after 20 passes.
measure_rating() {
	local iterations
	for iterations in 1 2 3 4 6 10; do
		train "rating.$iterations" "source => 'train', interest_weight => 0, factors => 64, iterations => $iterations"
		note "rating.$iterations.test" "$(sql -c "SELECT value FROM mf_evaluate('test', model => 'bench') WHERE metric = 'rmse'")"
	done
	command -v mf-train >/dev/null && command -v mf-predict >/dev/null || { echo "  LIBMF is not there"; return 0; }
	libmf 20
}

# LIBMF on text files; what one pass takes longer than nothing is reading.
libmf() {
	local passes began
	for side in train test; do
		[ -e "$scratch/$side.txt" ] || sql -c "COPY $side (user_id, item_id, rating) TO '$scratch/$side.txt' (DELIMITER ' ')"
	done
	for passes in 1 "$1"; do
		began=$(date +%s.%N)
		quietly mf-train -f 0 -k 64 -t "$passes" -s "$(nproc)" -l2 0.05 -r 0.1 --quiet "$scratch/train.txt" "$scratch/libmf.model"
		note "libmf.$passes" "$(echo "$(date +%s.%N) $began" | awk '{ print $1 - $2 }')"
	done
	note libmf.test "$(mf-predict -e 0 "$scratch/test.txt" "$scratch/libmf.model" "$scratch/libmf.out" | sed -n 's/^RMSE = //p')"
}

# The sets of real data: one call with its defaults, beside what each part of a model finds alone, and popularity.  Sets of
# several kinds of events name the column that has them.
measure_quality() {
	local set more times
	[ "$round" = 1 ] || return 0
	for set in movietweetings-10core movietweetings-5core movietweetings-100k anime citeulike-t grocery retailrocket; do
		load_split "$set" || { echo "  $set is not there"; continue; }
		more=
		[ "$set" != retailrocket ] || more=", event_column => 'event'"
		times=$(sql -c "SELECT attname FROM pg_attribute WHERE attrelid = 'real_train'::regclass AND attname IN ('at', 'time')")
		[ -z "$times" ] || more=", time_column => '$times'"
		train "quality.$set.defaults" "source => 'real_train'$more"
		evaluate "quality.$set.defaults"
		search "tune.$set" "$times"
		quality_peers "quality.$set"
		have_ratings || continue
		train "quality.$set.ratings" "source => 'real_train', interest_weight => 0$more"
		evaluate "quality.$set.ratings"
		train "quality.$set.implicit" "source => 'real_train', rating_column => NULL$more"
		evaluate "quality.$set.implicit"
	done
}

# Whether the training rows of the current set have a rating.
have_ratings() {
	[ -n "$(sql -c "SELECT 1 FROM pg_attribute WHERE attrelid = 'real_train'::regclass AND attname = 'rating'")" ]
}

# The same rows by other people's libraries, each tuned by as many trials as mf_tune has: NAME.LIBRARY.ndcg and so on.
quality_peers() {
	local library side rating="''"
	! have_ratings || rating=rating
	for side in train test; do
		sql -c "COPY (SELECT user_id, item_id, $rating FROM real_$side) TO STDOUT" >"$scratch/real_$side.tsv"
	done
	for library in popularity implicit cmfrec lightfm ease libmf cmfrec_ratings; do
		[[ $library != libmf && $library != *_ratings ]] || have_ratings || continue
		"$python" "$here/peers_quality.py" has "$library" || { echo "  $library is not there"; continue; }
		"$python" "$here/peers_quality.py" "$library" "$scratch/real_train.tsv" "$scratch/real_test.tsv" 40 | sed "s/^/$1.$library./" >>"$figures"
	done
}

# What a search with 40 trials finds on a set, of rows that it has not seen: a fifth of all by mf_holdout(), or the newest fifth by
# the column of times, if one is named; NAME.ndcg of its winner beside NAME.defaults; and NAME.time, in trainings by the defaults on
# the same rows, of three the median.
search() {
	local rows="SELECT * FROM real_train UNION ALL SELECT * FROM real_test" held_out="mf_holdout(user_id, item_id)" by_time= seconds took=()
	if [ -n "${2:-}" ]; then
		held_out="$2 >= (SELECT percentile_disc(0.8) WITHIN GROUP (ORDER BY $2) FROM ($rows) a)"
		by_time=", time_column => '$2'"
	fi
	sql -c "CREATE TABLE tune_train AS SELECT * FROM ($rows) r WHERE NOT $held_out" \
		-c "CREATE TABLE tune_test AS SELECT * FROM ($rows) r WHERE $held_out"
	for _ in 1 2 3; do
		sql -c "SELECT FROM mf_train('tune_train', 'bench_defaults'$by_time)"
		took+=("$(sql -c "SELECT seconds FROM mf_models WHERE model = 'bench_defaults' AND serving")")
	done
	seconds=$(printf '%s\n' "${took[@]}" | sort -g | sed -n 2p)
	sql >>"$figures" <<SQL
SET client_min_messages = warning;
SELECT clock_timestamp() AS began \gset
CREATE TABLE tune_trials AS SELECT * FROM mf_tune('tune_train', trials => 40$by_time);
SELECT '$1.time ' || extract(epoch FROM clock_timestamp() - :'began') / (40 * $seconds);
SELECT '$1.winner ' || trial FROM tune_trials WHERE winner;
\o /dev/null
SELECT format('SELECT FROM mf_train(''tune_train'', ''bench_tuned'', factors => %s, regularization => %s, alpha => %s, interest_weight => %s, taste => %s, half_life => %L, trend_weight => %s%s)',
	factors, regularization, coalesce(alpha::text, 'NULL'), coalesce(interest_weight::text, 'NULL'), coalesce(taste::text, 'NULL'), half_life,
	coalesce(trend_weight::text, 'NULL'), \$\$$by_time\$\$)
FROM tune_trials WHERE winner \gexec
\o
SELECT '$1.' || CASE model WHEN 'bench_tuned' THEN 'ndcg ' ELSE 'defaults ' END || value
FROM unnest('{bench_tuned, bench_defaults}'::text[]) model, mf_evaluate('tune_test', model => model) WHERE metric = 'ndcg';
SELECT mf_drop('bench_tuned'), mf_drop('bench_defaults') \g /dev/null
DROP TABLE tune_train, tune_test, tune_trials;
SQL
}

# Held-out figures of the last model, and the baseline's, lists of 10 and recall of 20: NAME.rmse, NAME.ndcg, NAME.ndcg_baseline ...
evaluate() {
	sql -c "SELECT '$1.' || metric || ' ' || value || coalesce(E'\n$1.' || metric || '_baseline ' || baseline, '')
			FROM mf_evaluate('real_test', model => 'bench') WHERE metric IN ('rmse', 'mae', 'ndcg', 'coverage', 'gini')
			AND value IS NOT NULL" \
		-c "SELECT '$1.recall20 ' || value || E'\n$1.recall20_baseline ' || baseline FROM mf_evaluate('real_test', 20, 'bench')
			WHERE metric = 'full_recall'" \
		-c "SELECT '$1.all20 ' || value || E'\n$1.all20_baseline ' || baseline FROM mf_evaluate('real_test', 20, 'bench')
			WHERE metric = 'all_ndcg'" >>"$figures"
}

# Constants of the defaults, one at a time, on three times a fifth of the training rows of each set; test rows have no part in it:
# defaults.CONSTANT.METRIC.SET.CANDIDATE, of which leave_one_out.py says what the other sets choose.
measure_defaults() {
	local set fold rows
	[ "$round" = 1 ] || return 0
	for set in movietweetings-10core movietweetings-5core movietweetings-100k anime citeulike-t grocery retailrocket; do
		load_split "$set" || { echo "  $set is not there"; continue; }
		for fold in 1 2 3; do
			rows="mf_holdout(user_id + $fold * 104729, item_id)"
			sql -c "DROP TABLE IF EXISTS fold_train, fold_test" -c "CREATE TABLE fold_train AS SELECT * FROM real_train WHERE NOT $rows" \
				-c "CREATE TABLE fold_test AS SELECT * FROM real_train WHERE $rows"
			sql -c "SELECT FROM mf_train('fold_train', 'fold')"
			vary user_exponent default 0.3 0.7
			vary item_exponent default 0.5 0.6 0.9 1
			vary alpha default x0.6 x1.5
			! have_ratings || vary interest_weight default x0.3 x0.5 x2
			sql -c "SELECT mf_drop('fold')" >/dev/null
		done
	done
}

# Candidates of one constant on the current fold; with an x so many times what the default is.
vary() {
	local constant=$1 candidate value
	shift
	for candidate in "$@"; do
		value=$candidate
		case $candidate in
			default) value=NULL ;;
			x*) value=$(sql -c "SELECT ${candidate#x} * (parameters->>'$constant')::float8 FROM mf_models WHERE model = 'fold'") ;;
		esac
		sql -c "SELECT FROM mf_train('fold_train', 'varied', $constant => $value)" \
			-c "SELECT 'defaults.$constant.' || metric || '.$set.$candidate ' || value FROM mf_evaluate('fold_test', model => 'varied')
				WHERE metric IN ('ndcg', 'rmse') AND value IS NOT NULL" \
			-c "SELECT FROM mf_drop('varied')" | sed '/^$/d' >>"$figures"
	done
}

# How alike a list's items are, and NDCG, by diversity: diversity.SET.D.intra_list_similarity and .ndcg, D in tenths, of a model
# with defaults alone.  In the first round.
measure_diversity() {
	local set tenths
	[ "$round" = 1 ] || return 0
	for set in movietweetings-100k movietweetings-5core movietweetings-10core anime; do
		load_split "$set" || { echo "  $set is not there"; continue; }
		sql -c "SELECT FROM mf_train('real_train', model => 'diverse')"
		for tenths in 0 1 2 3 4 5; do
			sql -c "SELECT 'diversity.$set.$tenths.' || metric || ' ' || value FROM mf_evaluate('real_test', 10, 'diverse', diversity => $tenths / 10.0)
				WHERE metric IN ('intra_list_similarity', 'ndcg')" >>"$figures"
		done
		sql -c "SELECT mf_drop('diverse')"
	done
}

# The rows of a set of real data to train on and to test with, as real_train and real_test: the files of a set that is
# split, else by mf_holdout() a fifth of the pairs, of a set with times and no ratings the last fifth of the rows.
load_split() {
	local side more= file=
	for file in "$data/$1/ratings.tsv" "$data/$1/events.tsv" "$data/$1/train.tsv"; do
		[ ! -r "$file" ] || break
	done
	[ -r "$file" ] || return 1
	sql -c "DROP TABLE IF EXISTS real_train, real_test, real_all"
	case $file in
		*/train.tsv)
			[ "$1" != movietweetings-100k ] || more=", at bigint"
			sql -c "CREATE TABLE real_train (user_id int, item_id int, rating real$more)" -c "CREATE TABLE real_test (LIKE real_train)"
			for side in train test; do
				sql -c "COPY real_$side FROM STDIN" <"$data/$1/$side.tsv"
			done ;;
		*)
			split_rows "$file" ;;
	esac
}

# Loads a file whose first line names its columns, and splits its rows.
split_rows() {
	local columns held_out="mf_holdout(user_id, item_id)"
	columns=$(head -1 "$1" | sed 's/user_id/& int/; s/item_id/& int/; s/rating/& real/; s/time/& bigint/; s/event/& text/; s/\t/, /g')
	sql -c "CREATE TABLE real_all ($columns)"
	tail -n +2 "$1" | sql -c "COPY real_all FROM STDIN"
	case $columns in
		*rating*) ;;
		*time*) held_out="time >= (SELECT percentile_disc(0.8) WITHIN GROUP (ORDER BY time) FROM real_all)" ;;
	esac
	sql -c "CREATE TABLE real_test AS SELECT * FROM real_all WHERE $held_out" \
		-c "CREATE TABLE real_train AS SELECT * FROM real_all WHERE NOT $held_out"
}

# How soon a training ends that is told to, of either feedback, with ratings in memory and spilled.
measure_cancel() {
	local feedback
	for feedback in explicit implicit; do
		PATH=$bin:$PATH "$here/latency" 5 "source => 'ratings', feedback => '$feedback', factors => 64, iterations => 1" \
			"$scratch/cluster" "$memory" "$spilling" >>"$figures"
	done
}
