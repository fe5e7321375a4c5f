# What test/majors and test/packages share: throw-away Debians in a scratch folder, from the mirror that
# this machine's apt uses.  Source it with $name set to what skip should call the test.
scratch=
mirror=

skip() {
	echo "$name: skipped: $*"
	echo "0 passed, 0 failed"
	exit 0
}

# Nothing to unmount: what is mounted, in a namespace that ends with its processes.
clean_up() {
	trap - EXIT
	[ -z "$scratch" ] || rm -rf "$scratch"
}

# Sets scratch and mirror; skips the test where a Debian cannot be made.
need_debian() {
	[ "$(id -u)" = 0 ] || skip "needs root"
	command -v apt-get >/dev/null || skip "needs a Debian"
	if ! command -v debootstrap >/dev/null; then
		{ apt-get -qq update; DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=300 \
			install -y --no-install-recommends debootstrap; } </dev/null >/dev/null 2>&1 || skip "debootstrap is not to be had"
	fi
	mirror=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' 'Created-By: Packages' | sed -n 's/^Debian //p' | head -n 1)
	[ -n "$mirror" ] || skip "apt on this machine names no mirror of Debian"
	unshare --mount --pid --fork true 2>/dev/null || skip "no namespaces to be had"
	trap clean_up EXIT
	trap 'exit 130' INT TERM
	scratch=$(mktemp -d /tmp/mfrec-debian.XXXXXX)
	chmod 755 "$scratch"
}

# Runs a command in a tree, with /proc; all that it starts ends with it.  The tree is mounted on itself,
# because a mount namespace needs a root that is a mount.
inside() {
	local root=$1
	shift
	unshare --mount --pid --fork --kill-child --propagation private sh -c '
		mount --bind "$1" "$1" && mount -t proc proc "$1/proc" || exit 1
		root=$1
		shift
		exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
			DEBIAN_FRONTEND=noninteractive "$@"' sh "$root" "$@"
}

# Makes a Debian of a suite and an architecture, in which no service is started and no cluster created.
make_debian() {
	local root=$1 suite=$2 architecture=${3:-$(dpkg --print-architecture)}
	local script=/usr/share/debootstrap/scripts/$suite
	[ -e "$script" ] || script=/usr/share/debootstrap/scripts/sid
	debootstrap --variant=minbase --arch="$architecture" "$suite" "$root" "$mirror" "$script" || return
	mkdir -p "$root/etc/postgresql-common/createcluster.d" "$root/dev/shm"
	chmod 1777 "$root/dev/shm"
	echo "create_main_cluster = false" >"$root/etc/postgresql-common/createcluster.d/mfrec.conf"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod 755 "$root/usr/sbin/policy-rc.d"
	apt-config dump | grep -E '^Acquire::(http|https|Check)' >"$root/etc/apt/apt.conf.d/90mfrec"
	return 0
}

# Installs packages in a tree, without what they merely recommend.
install_in() {
	local root=$1
	shift
	inside "$root" apt-get -qq install -y --no-install-recommends "$@"
}
