# server.bash - what the scripts beside it share: TAP lines, a copy of the project and of PostgreSQL's
# installation in a folder that goes with the script, and a cluster in it.  To be sourced, with the
# project's root as working directory.
#
# PostgreSQL finds its files relative to its program, so a copy of them that keeps their places to each
# other is an installation of its own: a library built for a tool disturbs nobody, and it takes no root.
export PG_CONFIG=${PG_CONFIG:-pg_config} LC_ALL=C.UTF-8 PSQLRC=/dev/null
make=${MAKE:-make}
unset MAKEFLAGS MFLAGS MAKELEVEL
project=$PWD
scratch=$(mktemp -d /tmp/mfrec-tool.XXXXXX)
chmod 755 "$scratch"
tests=0
failures=0
as_server=()
[ "$(id -u)" != 0 ] || as_server=(runuser -u postgres --)

clean_up() {
	trap - EXIT
	[ ! -e "$scratch/cluster/postmaster.pid" ] || stop_cluster immediate >/dev/null 2>&1
	rm -rf "$scratch"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

skip_all() {
	echo "1..0 # SKIP $*"
	exit 0
}

# ok STATUS WHAT [FILE]: a line of TAP, and what the file says where it failed.
ok() {
	tests=$((tests + 1))
	[ "$1" = 0 ] && { echo "ok $tests - $2"; return; }
	failures=$((failures + 1))
	echo "not ok $tests - $2"
	[ ! -e "${3:-}" ] || sed 's/^/# /' "$3"
}

finish() {
	echo "1..$tests"
	[ "$failures" = 0 ]
	exit
}

# The project's sources, without what was built from them, in $source.
copy_project() {
	source=$scratch/source
	mkdir "$source"
	tar -C "$project" -c --exclude=.git --exclude='*.o' --exclude='*.so' --exclude='*.bc' --exclude='build*' . |
		tar -C "$source" -x
}

# Another installation like PG_CONFIG's, which PG_CONFIG names from then on.
copy_postgres() {
	local dir
	for dir in --bindir --pkglibdir --sharedir --includedir-server; do
		dir=$("$PG_CONFIG" "$dir")
		mkdir -p "$scratch/root$dir"
		cp -a "$dir/." "$scratch/root$dir"
	done
	PG_CONFIG=$scratch/root$("$PG_CONFIG" --bindir)/pg_config
}

# Builds the copied project for the copied PostgreSQL, with more of what make takes: build COPT=-O1
build() {
	"$make" -s -C "$source" -j"$(nproc)" with_llvm=no "$@" install >"$scratch/build" 2>&1 && return
	cat "$scratch/build"
	echo "1..1"
	echo "not ok 1 - the library is built ($*)"
	exit 1
}

# A cluster that psql finds, with settings for postgresql.conf.
make_cluster() {
	local bin
	bin=$("$PG_CONFIG" --bindir)
	mkdir "$scratch/cluster" "$scratch/log"
	[ "$(id -u)" != 0 ] || chown postgres "$scratch/cluster" "$scratch/log"
	(cd / && "${as_server[@]}" "$bin/initdb" -D "$scratch/cluster" -U postgres -A trust -E UTF8 --locale=C \
		--no-sync) >"$scratch/initdb" 2>&1 || { cat "$scratch/initdb"; exit 1; }
	{
		printf '%s\n' "unix_socket_directories = '$scratch/cluster'" "listen_addresses = ''" "port = 5432" "fsync = off" "$@"
	} >>"$scratch/cluster/postgresql.conf"
	export PGHOST=$scratch/cluster PGPORT=5432 PGUSER=postgres
}

# start_cluster COMMAND...: what runs the server program: nothing, env with settings, valgrind.
start_cluster() {
	(cd / && exec "${as_server[@]}" "$@" "$("$PG_CONFIG" --bindir)/postgres" -D "$scratch/cluster") \
		>"$scratch/server.log" 2>&1 &
	for _ in $(seq 600); do
		psql -XAtqc 'SELECT 1' postgres >/dev/null 2>&1 && return
		sleep 0.2
	done
	cat "$scratch/server.log"
	echo "1..1"
	echo "not ok 1 - the server starts"
	exit 1
}

stop_cluster() {
	(cd / && "${as_server[@]}" "$("$PG_CONFIG" --bindir)/pg_ctl" -D "$scratch/cluster" -w -t 300 -m "${1:-fast}" stop)
}

# The regress tests on the cluster, and the lines of pg_regress that say how each went.
regress() {
	"$make" -s -C "$source" installcheck with_llvm=no ISOLATION= TAP_TESTS= "$@" >"$scratch/regress" 2>&1
	ok $? "the regress tests give what they should" "$scratch/regress"
}
