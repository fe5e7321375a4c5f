# serving.bash - the part of test/bench/run that measures lists: latency, throughput, memory of sessions.
#
# Figures are named serving.WHAT, with the peer's or the floor's beside it.  The first round makes data and models.  A step
# that fails says so and leaves its figures out; the others go on.

# Users, items, ratings, spread, seed of the data; items of the models by which latency is drawn; seconds of a run; turns a
# round; memory in which HNSW's whole graph has room while it is built.
serving_scale() {
	case $scale in
		small) wide="10000 40000 1000000 0.8 7" mid="5000 10000 200000 1.0 5" sizes="2000 10000" seconds=1 turns=1 graph=256MB ;;
		full) wide="200000 1000000 20000000 0.8 7" mid="100000 100000 10000000 1.0 5" sizes="10000 100000" seconds=3 turns=2 graph=2GB ;;
	esac
	read -r wide_users wide_items _ <<<"$wide"
	read -r mid_users mid_items _ <<<"$mid"
	few=$((mid_users < 10000 ? mid_users : 10000))
}

# Runs a step on its own: its failure ends neither the others nor the run.
step() {
	local pid
	( "$@" ) &
	pid=$!
	wait "$pid" || echo "  serving: failed, and is left out: $*" >&2
}

have_vector() {
	[ "$(sql -c "SELECT count(*) FROM pg_available_extensions WHERE name = 'vector'")" = 1 ]
}

# ---- data and models, in the first round ----

prepare_serving() {
	local model
	step load_serving
	step train_serving wide_joint "'wide'" 5
	step train_serving wide_implicit "'wide', rating_column => NULL" 5
	step train_serving wide_classic "'wide', interest_weight => 0" 5
	step train_serving mid_joint "'mid'" 5
	step train_serving ratings_joint "'ratings'" 3
	step import_random
	step import_sizes
	step import_everybody
	step make_products
	step choose_users
	step build_images wide_joint wide_classic wide_random mid_joint
	step renew_image wide_joint wide
	if have_vector; then
		for model in wide_joint mid_joint $(printf 'size_%s ' $sizes) wide_classic wide_random; do
			step make_hnsw "$model"
		done
	else
		echo "  pgvector is not there"
	fi
	step export_vectors
	sql -c "CHECKPOINT"
}

load_serving() {
	local name
	for name in wide mid; do
		make_ratings "$name" "${!name}"
		rm "$scratch/$name.bin"
		sql -c "CREATE INDEX ON $name (user_id)"
	done
	sql -c "CREATE TABLE few AS SELECT * FROM mid WHERE user_id < $few"
}

# A model, and its items' vectors as lists are sorted by them: train_serving MODEL ARGUMENTS ITERATIONS.
train_serving() {
	sql -c "SELECT FROM mf_train($2, model => '$1', factors => 64, iterations => $3)" \
		-c "CREATE TABLE list_$1 AS SELECT item_id AS id, CASE WHEN rating_factors IS NULL THEN factors
				ELSE ARRAY(SELECT s + taste * q FROM unnest(factors, rating_factors) v (s, q))::real[] END AS factors
			FROM $1_item_factors, (SELECT (parameters->>'taste')::real AS taste FROM mf_models WHERE model = '$1') m" \
		-c "CREATE TABLE person_$1 AS SELECT user_id AS id, factors FROM $1_user_factors" \
		-c "ANALYZE $1_user_factors, $1_item_factors, list_$1, person_$1"
}

# The worst case: random directions of equal length.
import_random() {
	local name
	"$scratch/directions" "$wide_items" 64 1 >"$scratch/list.copy"
	"$scratch/directions" 10000 64 2 >"$scratch/person.copy"
	chmod 644 "$scratch/list.copy" "$scratch/person.copy"
	for name in list person; do
		sql -c "CREATE TABLE ${name}_wide_random (id int, factors real[])" \
			-c "COPY ${name}_wide_random FROM '$scratch/$name.copy' (FORMAT binary)"
		rm "$scratch/$name.copy"
	done
	import wide_random
}

# A model of the tables person_MODEL and list_MODEL.
import() {
	sql -c "SELECT FROM mf_import('$1', 'person_$1', 'list_$1' ${2:+, source => '$2', rating_column => NULL})" \
		-c "ANALYZE $1_user_factors, $1_item_factors"
}

# The same vectors, fewer of them.
import_sizes() {
	local size
	for size in $sizes; do
		sql -c "CREATE TABLE list_size_$size AS SELECT * FROM list_wide_joint WHERE id < $size" \
			-c "CREATE TABLE person_size_$size AS SELECT * FROM person_wide_joint WHERE id < 10000"
		import "size_$size"
	done
}

# Some users and all items of mid, with norms of popularity and with flat ones.
import_everybody() {
	sql -c "CREATE TABLE list_all_popular AS SELECT * FROM list_mid_joint" \
		-c "CREATE TABLE person_all_popular AS SELECT * FROM person_mid_joint WHERE id < $few" \
		-c "CREATE TABLE list_all_flat AS SELECT * FROM list_wide_random WHERE id < $mid_items" \
		-c "CREATE TABLE person_all_flat AS SELECT * FROM person_wide_random WHERE id < $few"
	import all_popular few
	import all_flat few
}

# Products of wide, a tenth of them in stock; of mid, all of them.
make_products() {
	local name items
	for name in wide mid; do
		items=${name}_items
		sql -c "CREATE TABLE products_$name (id int PRIMARY KEY, seller_id int, in_stock boolean, name text)" \
			-c "INSERT INTO products_$name SELECT i, hashint4(i) & 1023, '$name' = 'mid' OR hashint4(i + 7) % 10 = 0, 'product ' || i
				FROM generate_series(0, ${!items} - 1) i" \
			-c "VACUUM ANALYZE products_$name"
	done
}

# Users of about 100 ratings, each of whom gets a new one.
choose_users() {
	sql -c "CREATE TABLE busy AS SELECT user_id AS id, row_number() OVER () AS n
			FROM (SELECT user_id FROM wide GROUP BY user_id ORDER BY abs(count(*) - 100), user_id LIMIT 50) b" \
		-c "INSERT INTO wide SELECT b.id, (SELECT min(i) FROM generate_series(0, 999) i
				WHERE NOT EXISTS (SELECT FROM wide w WHERE w.user_id = b.id AND w.item_id = i)), 4 FROM busy b" \
		-c "ANALYZE busy, wide"
}

# What there is instead of an index: the shared image, which a training publishes by itself.
build_images() {
	local model
	for model in "$@"; do
		timed "serving.image_build.$model" "SELECT mf_refresh('$model')"
	done
}

# The image of a model after an update in which 1,000 items have changed and 50 have come, as the server says; then the rows go again.
renew_image() {
	sql -c "CREATE TABLE $2_came AS SELECT (i::bigint * 7919 % $wide_users)::int AS user_id,
			(CASE WHEN i <= 1000 THEN i::bigint * 7907 % $wide_items ELSE $wide_items + i % 50 END)::int AS item_id, 4::real AS rating
			FROM generate_series(1, 1500) i" \
		-c "INSERT INTO $2 SELECT * FROM $2_came"
	sql -c "SET client_min_messages = debug1" -c "SELECT FROM mf_update('$1')" 2>&1 |
		awk -v name="serving.image_renewal.$1" '/renewed the image of/ { print name, $(NF - 1) / 1000 }' >>"$figures"
	sql -c "DELETE FROM $2 r USING $2_came c WHERE (r.user_id, r.item_id, r.rating) = (c.user_id, c.item_id, c.rating)" \
		-c "DROP TABLE $2_came" -c "SELECT FROM mf_update('$1')" -c "VACUUM ANALYZE $2" -c "SELECT FROM mf_refresh('$1')"
}

# pgvector's index on a model's items, with its defaults, and the users' vectors.
make_hnsw() {
	sql -c "CREATE EXTENSION IF NOT EXISTS vector" -c "CREATE EXTENSION IF NOT EXISTS pg_prewarm" \
		-c "CREATE TABLE hnsw_$1 (id int, v vector(64))" -c "INSERT INTO hnsw_$1 SELECT id, factors FROM list_$1" \
		-c "CREATE TABLE hnsw_user_$1 (id int PRIMARY KEY, v vector(64))" \
		-c "INSERT INTO hnsw_user_$1 SELECT id, factors FROM person_$1" \
		-c "SET max_parallel_maintenance_workers = 2" -c "SET maintenance_work_mem = '$graph'" \
		-c '\timing on' -c "CREATE INDEX hnsw_index_$1 ON hnsw_$1 USING hnsw (v vector_ip_ops) WITH (m = 16, ef_construction = 64)" \
		| awk -v name="serving.hnsw_build.$1" '/^Time: / { print name, $2 / 1000 }' >>"$figures"
	sql -c "VACUUM ANALYZE hnsw_$1, hnsw_user_$1"
	recall "$1"
}

# The share of the ten best by inner product that pgvector finds.
recall() {
	local share nearest="FROM (SELECT * FROM hnsw_user_$1 ORDER BY id LIMIT 30) u,
		LATERAL (SELECT h.id FROM hnsw_$1 h ORDER BY h.v <#> u.v LIMIT 10) h"
	share=$(sql -c "SET enable_indexscan = off" \
		-c "CREATE TEMP TABLE best AS SELECT u.id AS user_id, h.id $nearest" \
		-c "SET enable_indexscan = on" -c "SET enable_seqscan = off" \
		-c "SELECT avg(((u.id, h.id) IN (SELECT user_id, id FROM best))::int) $nearest")
	note "serving.recall.$1" "$share"
}

# What Python's implicit is to serve from: users and items in the order of their ids.
export_vectors() {
	local model
	have_module implicit || { echo "  Python's implicit is not there"; return 0; }
	for model in wide_joint all_popular all_flat; do
		sql -c "COPY (SELECT id::int, factors FROM list_$model ORDER BY id) TO '$scratch/list_$model.copy' (FORMAT binary)" \
			-c "COPY (SELECT id::int, factors FROM person_$model ORDER BY id) TO '$scratch/person_$model.copy' (FORMAT binary)"
	done
	export_rows few
}

# ---- statements for pgbench ----

# script NAME USERS STATEMENT: :user is somebody at random.
script() {
	printf '\\set user random(0, %s)\n%s;\n' "$(($2 - 1))" "$3" >"$scratch/$1.sql"
}

# The list of a stored user, and the nearest ones by pgvector: list_scripts MODEL USERS.
list_scripts() {
	script "$1" "$2" "SELECT item_id FROM mf_recommend(:user::int, 10, '$1', fresh => false)"
	script "$1.hnsw" "$2" "SELECT id FROM hnsw_$1 ORDER BY v <#> (SELECT v FROM hnsw_user_$1 WHERE id = :user) LIMIT 10"
}

write_scripts() {
	local model k
	for model in wide_joint wide_implicit wide_classic; do
		list_scripts "$model" "$wide_users"
	done
	for model in wide_random $(printf 'size_%s ' $sizes); do
		list_scripts "$model" 10000
	done
	list_scripts mid_joint "$mid_users"
	script clients_list "${shape%% *}" "SELECT item_id FROM mf_recommend(:user::int, 10, 'ratings_joint', fresh => false)"
	script first_list "$wide_users" "SELECT item_id FROM mf_recommend(:user::int, 10, 'wide_joint', fresh => false)"
	for k in key clients_key first_key; do
		script "$k" "$mid_items" "SELECT name FROM products_mid WHERE id = :user"
	done
	for k in 100 1000 10000; do
		for model in wide_joint $(printf 'size_%s ' $sizes); do
			script "$model.$k" 10000 "SELECT item_id FROM mf_recommend(:user::int, $k, '$model', fresh => false)"
		done
	done
	for model in true false; do
		script "fresh_$model" 2 "SELECT item_id FROM mf_recommend(:busy::int, 10, 'wide_joint', fresh => $model)"
	done
	for model in wide mid; do
		script "candidates_$model" "${model}_users" "SELECT item_id FROM mf_recommend(:user::int, 10, '${model}_joint', fresh => false,
			candidates => ARRAY(SELECT id FROM products_$model WHERE in_stock))"
		script "array_$model" 2 "SELECT cardinality(ARRAY(SELECT id FROM products_$model WHERE in_stock))"
	done
	for model in mid_joint wide_joint wide_classic wide_implicit wide_random; do
		script "diversity_$model" "$few" "SELECT item_id FROM mf_recommend(:user::int, 10, '$model', fresh => false, diversity => 0.3)"
		script "plain_$model" "$few" "SELECT item_id FROM mf_recommend(:user::int, 10, '$model', fresh => false)"
	done
	script candidates_for "$mid_users" "SELECT item_id FROM mf_recommend_for(ARRAY[:user::int % $mid_items, 1], k => 10, model => 'mid_joint',
		candidates => ARRAY(SELECT id FROM products_mid WHERE in_stock))"
	script candidates_similar "$mid_items" "SELECT id FROM mf_similar_items(:user::int, 10, 'mid_joint',
		candidates => ARRAY(SELECT id FROM products_mid WHERE in_stock))"
	script similar_wide "$wide_items" "SELECT id FROM mf_similar_items(:user::int, 10, 'wide_joint')"
	script groups "$mid_users" "SELECT item_id FROM mf_recommend(:user::int, 10, 'mid_joint', fresh => false, per_group => 2,
		group_table => 'products_mid', group_column => 'seller_id')"
}

# Lets the server's new processes run on these cores: one client then runs on the first too.  A short call is over sooner than
# an idle core wakes, and how long that takes is the machine's, not the server's; on one core neither side waits for it.
use_cores() {
	[ "$(nproc)" = 1 ] || taskset -cp "$1" "$(head -1 "$scratch/cluster/postmaster.pid")" >/dev/null
}

# One run of a statement: serving.NAME gets its mean latency in microseconds, serving.NAME.tps what went through in a second;
# where a caller has set beside, it stands before NAME, so that figures are of the same turns as what they are compared with.
latency() {
	local options=() client=(taskset -c 0) failed=
	[[ $1 == *.hnsw ]] && options=(-c enable_seqscan=off -c hnsw.ef_search=40)
	[[ " $* " != *" -c "* ]] || client=()
	[ -z "${client[*]}" ] || use_cores 0
	PGOPTIONS="$PGOPTIONS ${options[*]}" "${client[@]}" "$bin/pgbench" -n -M prepared -T "$seconds" -f "$scratch/$1.sql" "${@:2}" 2>"$scratch/pgbench.err" |
		awk -v name="serving.${beside:-}$1" '/^number of clients:/ { clients = $4 }
			/^tps/ { print name, 1e6 * clients / $3; print name ".tps", $3 }' >>"$figures" || failed=yes
	use_cores "0-$(($(nproc) - 1))"
	[ -z "$failed" ] || { cat "$scratch/pgbench.err" >&2; return 1; }
}

# Statements one after the other, some times: in_turns "OPTIONS" NAME ...
in_turns() {
	local how=$1 turn name
	for turn in $(seq "$turns"); do
		for name in "${@:2}"; do
			[[ $name == *.hnsw ]] && ! have_index "${name%.hnsw}" && continue
			latency "$name" $how
		done
	done
}

have_index() {
	[ "$(sql -c "SELECT count(*) FROM pg_class WHERE relname = 'hnsw_index_$1'")" = 1 ]
}

# ---- what is measured ----

# A model beside pgvector, whose index is read into memory before.
measure_lists() {
	! have_index "$1" || sql -c "SELECT pg_prewarm('hnsw_index_$1')" >/dev/null
	in_turns "" "$1" "$1.hnsw"
}

# Twenty-seven thousand items, two clients, beside lookups by a primary key.
measure_clients() {
	in_turns "-c 2 -j 2" clients_list clients_key
}

# A user with a hundred ratings and a new one; another user each turn.
measure_fresh() {
	local turn busy
	for turn in $(seq "$turns"); do
		busy=$(sql -c "SELECT id FROM busy WHERE n % 50 = ($round * $turns + $turn) % 50")
		latency fresh_true -D "busy=$busy"
		latency fresh_false -D "busy=$busy"
		latency key
	done
}

# The items nearest to one by the index of directions, beside SQL that computes all cosines.
measure_similar() {
	in_turns "" similar_wide
	timed serving.similar_scan "SELECT i.item_id FROM wide_joint_item_factors i, (SELECT factors FROM wide_joint_item_factors WHERE item_id = 1) t,
		LATERAL (SELECT sum(x::float8 * y) / sqrt(sum(x::float8 * x) * sum(y::float8 * y)) AS cosine FROM unnest(i.factors, t.factors) v (x, y)) c
		ORDER BY c.cosine DESC LIMIT 10"
}

# At most two of a seller, beside any.
measure_groups() {
	local beside=groups.
	in_turns "" groups mid_joint
}

# A session's first statement, with its connection.
measure_first() {
	in_turns "-C -M simple" first_list first_key
}

# In one statement, and in a loop of the server's.
measure_lateral() {
	local turn
	for turn in $(seq "$turns"); do
		timed serving.lateral "SELECT count(*) FROM (SELECT n FROM generate_series(0, 999) n) u, LATERAL mf_recommend(u.n, 10, 'wide_joint', fresh => false)"
		timed serving.loop "DO \$\$ DECLARE u int; found bigint; BEGIN FOR u IN 0..999 LOOP
			SELECT count(*) INTO found FROM mf_recommend(u, 10, 'wide_joint', fresh => false); END LOOP; END \$\$"
	done
}

# Lists for everybody beside implicit's batch, of the same vectors, without what users have.
measure_everybody() {
	local turn
	for turn in $(seq "$turns"); do
		timed "serving.$1" "SELECT count(*) FROM mf_recommend_all(10, '$1')"
		! have_module implicit || peer "serving.$1.implicit" batch "$scratch/person_$1.copy" "$scratch/list_$1.copy" "$scratch/few.copy"
	done
}

# One user by implicit, by number of items and of places, with one thread; mfrec beside it.
measure_single() {
	local beside=single. turn model
	for turn in $(seq "$turns"); do
		for model in wide_joint $(printf 'size_%s ' $sizes); do
			latency "$model"
			latency "$model.100"
			latency "$model.1000"
		done
		latency wide_joint.10000
		! have_module implicit || peer serving.implicit single "$scratch/person_wide_joint.copy" "$scratch/list_wide_joint.copy" "$sizes" "10 100 1000 10000"
	done
}

# Private memory of fifty sessions that have called a function some times: sessions NAME STATEMENT.
sessions() {
	local k ready=0
	for k in $(seq 50); do
		PGAPPNAME=bench_$1 sql -c "$2" -c "SELECT pg_sleep(300)" >/dev/null 2>&1 &
	done
	for k in $(seq 300); do
		ready=$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'bench_$1' AND wait_event = 'PgSleep'")
		[ "$ready" -lt 50 ] || break
		sleep 0.2
	done
	for k in $(sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'bench_$1'"); do
		awk -v name="serving.memory.$1" '/^RssAnon/ { print name, $2 / 1024 }' "/proc/$k/status" >>"$figures"
	done
	sql -c "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'bench_$1'" >/dev/null
	wait
	[ "$ready" = 50 ]
}

measure_sessions() {
	sessions list "SELECT count(*) FROM generate_series(0, 99) n, LATERAL mf_recommend(n, 10, 'wide_joint', fresh => false)"
	sessions key "DO \$\$ BEGIN FOR i IN 0..99 LOOP PERFORM name FROM products_mid WHERE id = i; END LOOP; END \$\$"
}

# The core alone: microseconds and items scored in float, by kind of norms, number of items and of factors.
measure_core() {
	local items factors what
	[ "$round" = 1 ] || return 0
	for items in $sizes "$wide_items"; do
		for factors in 16 64 256; do
			core "$items" "$factors" popular
		done
	done
	for what in flat classic; do
		core "$wide_items" 64 "$what"
	done
}

# core ITEMS FACTORS NORMS
core() {
	"$scratch/bench_topk" "$@" | awk -v name="serving.core.$3.$1.$2" '$2 == "score" {
		for (k = 3; k < NF; k++) if ($k == "float") scored = $(k + 1)
		print name, $3; print name ".float", scored }' >>"$figures"
}

measure_serving() {
	local model
	serving_scale
	if [ "$round" = 1 ]; then
		prepare_serving
		note serving.items "$wide_items"
		note serving.mid_items "$mid_items"
		note serving.sizes "$sizes"
		note serving.few "$few"
	fi
	write_scripts
	for model in wide_joint wide_implicit wide_classic wide_random mid_joint $(printf 'size_%s ' $sizes); do
		step measure_lists "$model"
	done
	step measure_clients
	step measure_single
	step measure_fresh
	for model in wide mid; do
		step in_turns "" "candidates_$model" "array_$model"
	done
	step in_turns "" candidates_for candidates_similar array_mid
	step measure_similar
	for model in mid_joint wide_joint wide_classic wide_implicit wide_random; do
		step in_turns "" "diversity_$model" "plain_$model"
	done
	step measure_groups
	step measure_everybody all_popular
	step measure_everybody all_flat
	step measure_lateral
	step measure_first
	step measure_sessions
	step measure_core
}
