# install.sh - sourced by run, test and .ci/run: packages and the one build.
# shellcheck shell=sh disable=SC2034

# Debian 12 ships the parser's C sources with node-llhttp; later releases have a library of it.
llhttp_package() {
	if [ -r /usr/share/llhttp/llhttp.c ] || ! apt-cache show libllhttp-dev >/dev/null 2>&1; then
		echo node-llhttp
	else
		echo libllhttp-dev
	fi
}

# The status page is looked at in a browser; elsewhere than on Debian it is a snap, and those tests say that they have none.
browser_package() {
	if grep -q '^ID=debian' /etc/os-release 2>/dev/null; then echo chromium; fi
}

BUILD_PACKAGES="gcc make autoconf automake pkg-config libevent-dev libmsgpack-dev libjansson-dev libinih-dev
libsqlite3-dev libpq-dev libhiredis-dev libdw-dev libcurl4-openssl-dev libzip-dev zlib1g-dev uthash-dev $(llhttp_package)"
TEST_PACKAGES="$BUILD_PACKAGES libcriterion-dev curl procps python3-fastapi uvicorn python3 sqlite3 wrk nginx-light python-matplotlib-data git xz-utils tzdata haproxy systemd util-linux
prometheus prometheus-alertmanager python3-prometheus-client postgresql-15 pgbouncer redis-server redis-sentinel
clang clang-format clang-tidy cppcheck libclang-rt-14-dev shellcheck $(browser_package)"
# What `make check-image` needs besides, and `make check-deploy`, which wants npm too, whoever it is from.
IMAGE_PACKAGES="buildah podman netavark runc mmdebstrap lintian debhelper dpkg-dev fakeroot prometheus git"
DEPLOY_PACKAGES="$IMAGE_PACKAGES docker-compose shellcheck"

# Installs those of the packages that are not there.
install_missing() {
	if ! command -v dpkg-query >/dev/null 2>&1; then
		echo "This is not a Debian or Ubuntu machine: install what these packages hold by hand: $1" >&2
		return 0
	fi
	# One query for all: a start must not cost a process a package.
	# shellcheck disable=SC2086
	there=$(dpkg-query -W -f '${Package} ${Status}\n' $1 2>/dev/null | sed -n 's/ install ok installed$//p' | tr '\n' ' ')
	missing=
	for package in $1; do
		case " $there " in *" $package "*) ;; *) missing="$missing $package" ;; esac
	done
	[ -n "$missing" ] || return 0
	echo "Installing:$missing"
	sudo=
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null 2>&1 || {
			echo "run this as root first: apt-get install -y --no-install-recommends$missing" >&2
			return 69
		}
		sudo=sudo
	fi
	# Lists may be years old on a fresh image; a failure to refresh them is told by the install below.
	$sudo apt-get update -q >/dev/null 2>&1 || echo "apt-get update failed; trying with the lists at hand" >&2
	# shellcheck disable=SC2086
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing >.install.log 2>&1 || {
		tail -5 .install.log >&2
		echo "apt-get could not install:$missing (see .install.log)" >&2
		return 69
	}
	rm -f .install.log
}

# build_once FOLDER [configure options]: nothing when no source is newer than the last build.
build_once() {
	folder=$1
	shift
	if [ -e "$folder/.built" ] && [ -z "$(find configure.ac Makefile.am include src workers tools bench tests dev \
	    -newer "$folder/.built" -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.mk' -o -name '*.sql' -o -name '*.a[cm]' \
	    -o -path '*/status/page.*' -o -path '*/status/symbol.js' \) \
	    -print | head -n 1)" ]; then
		return 0
	fi
	echo "Building in $folder (the first time takes about a minute) ..."
	[ -x configure ] && [ -z "$(find configure.ac Makefile.am src workers tools tests bench dev -name '*.mk' -newer configure -print | head -n 1)" ] &&
		[ -z "$(find configure.ac Makefile.am -newer configure)" ] || autoreconf -fi >/dev/null 2>.autoreconf.log || {
		cat .autoreconf.log >&2
		return 70
	}
	rm -f .autoreconf.log
	mkdir -p "$folder"
	if [ ! -e "$folder/config.status" ] || [ -n "$(find configure -newer "$folder/config.status")" ]; then
		(cd "$folder" && ../configure -q "$@" >configure.log 2>&1) || {
			tail -20 "$folder/configure.log" >&2
			return 70
		}
	fi
	make -C "$folder" -s -j"$(nproc)" >"$folder/make.log" 2>&1 || {
		tail -30 "$folder/make.log" >&2
		return 70
	}
	touch "$folder/.built"
}
