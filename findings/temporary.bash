# What the findings share: public packages in a temporary folder, a throw-away server of them, and a
# comparison.  Nothing is installed on the machine, and the folder goes in the end.
folder=$(mktemp -d)
chmod 755 "$folder"
bin=
as_user() {
	if [ "$(id -u)" = 0 ]; then runuser -u nobody -- "$@"; else "$@"; fi
}
stop() {
	[ -z "$bin" ] || as_user "$bin/pg_ctl" -D "$folder/data" -m immediate stop >/dev/null 2>&1
	rm -rf "$folder/data" "$folder/socket"
}
trap 'stop; rm -rf "$folder"' EXIT

# Unpacks packages of Debian, name=version, in a folder of that name.
take() {
	local name=$1
	shift
	mkdir -p "$folder/$name/deb" && (cd "$folder/$name/deb" && apt-get -qq -o APT::Sandbox::User=root download "$@") >/dev/null 2>&1 &&
		for deb in "$folder/$name/deb"/*.deb; do dpkg-deb -x "$deb" "$folder/$name" || return; done ||
		{ echo "not to be had: $*" >&2; exit 2; }
}

# Unpacks a package of npm.
get_npm() {
	mkdir -p "$folder/npm" && (cd "$folder/npm" && npm install --silent --no-audit --no-fund --ignore-scripts "$1" >/dev/null 2>&1) ||
		{ echo "not to be had: $1" >&2; exit 2; }
}

# The same, and makes the links that the package lists.
take_npm() {
	get_npm "$1"
	(cd "$folder/npm/node_modules/${1%@*}" && node -e '
		const fs = require("fs"), path = require("path");
		for (const {source, target} of JSON.parse(fs.readFileSync("native/pg-symlinks.json")))
			fs.symlinkSync(path.relative(path.dirname(target), source), target);') && chmod -R a+rX "$folder/npm"
}

# Starts a new cluster of a server, in place of the one before.
start() {
	stop
	bin=$1
	mkdir "$folder/data" "$folder/socket" && { [ "$(id -u)" != 0 ] || chown nobody "$folder/data" "$folder/socket"; }
	as_user "$bin/initdb" -D "$folder/data" -U finder -A trust -E UTF8 --locale=C --no-sync >/dev/null &&
		(cd / && as_user "$bin/pg_ctl" -D "$folder/data" -l "$folder/data/log" -w start \
			-o "-c listen_addresses='' -c unix_socket_directories='$folder/socket' -c fsync=off" >/dev/null) ||
		{ echo "the server does not start" >&2; exit 2; }
}

# The answer to statements, or their errors.
ask() {
	psql -X -A -t -v VERBOSITY=terse -h "$folder/socket" -U finder -d postgres -c "$1" 2>&1
}

expect() {
	if [ "$1" = "$2" ]; then echo "as seen: $2"; else echo "changed: expected $1, got $2"; return 1; fi
}
