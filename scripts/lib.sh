# lib.sh - sourced by the scripts beside it: how they speak, how they call kubectl, how they give up.
# shellcheck shell=bash disable=SC2034

me=${0##*/}
here=$(cd "$(dirname "$0")" && pwd)
dry='' context='' namespace='' answers=() only_live=''

say() { echo "$me: $*"; }
warn() { echo "$me: $*" >&2; }
# die HOW WORDS...: HOW is a word of this list, or a number.
die() {
	local code=$1
	case $code in
	usage) code=64 ;;       # a wrong argument
	unavailable) code=69 ;; # the cluster or a tool cannot be had; nothing changed for clients
	stuck) code=70 ;;       # what failed could not be undone
	undone) code=75 ;;      # the new version failed, the old one serves
	esac
	shift
	warn "$*"
	exit "$code"
}
usage_error() { die usage "$*: see $me --help"; }

# The head comment of a script is its help: from its third line to the first that is none.
help() {
	sed -n '3,/^[^#]/{/^#/s/^# \{0,1\}//p}' "$0"
	exit 0
}

# value OPTION COUNT VALUE: an option's value, which must be there and not be another option.
value() {
	if [ "$2" -lt 2 ] || [ -z "$3" ] || [[ $3 == --* ]]; then
		usage_error "$1 wants a value"
	fi
	printf '%s' "$3"
}

# Names as Kubernetes takes them; so nothing that comes from outside can be an option or a command.
name_check() { [[ $2 =~ ^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$ ]] || usage_error "$1: '$2' is no name"; }
wait_check() { [[ $2 =~ ^[0-9]{1,5}$ ]] || usage_error "$1: '$2' is no number of seconds"; }
seconds_check() { [[ $2 =~ ^[1-9][0-9]{0,4}$ ]] || usage_error "$1: '$2' is no number of seconds"; }

# An image at a version: who rolls out `latest` cannot say afterwards what runs, nor go back to it.
image_check() {
	if ! [[ $1 =~ ^[a-z0-9][a-zA-Z0-9._/:-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$ ]] || [[ ${1##*/} != *[:@]* ]]; then
		usage_error "--image: '$1' has no tag or digest"
	fi
	[[ $1 != *:latest ]] || usage_error "--image: 'latest' says nothing: name a version"
}

need() {
	local tool
	for tool in "$@"; do
		command -v "$tool" >/dev/null 2>&1 || die unavailable "needs $tool, which is not installed"
	done
}

# kube ARGUMENT...: one call, bounded; KUBE_LIMIT seconds for those that wait for something.
kube() {
	timeout --foreground "${KUBE_LIMIT:-30}" kubectl ${context:+--context="$context"} --namespace="$namespace" \
		--request-timeout="${KUBE_REQUEST:-20s}" "$@"
}

# change ARGUMENT...: a call that changes the cluster; only told when this is a rehearsal.
change() {
	if [ -n "$dry" ]; then
		echo "would run: kubectl --namespace=$namespace $*"
	else
		kube "$@"
	fi
}

# rolled_out DEPLOYMENT SECONDS: waits until it has, or cannot.
rolled_out() {
	if [ -n "$dry" ]; then
		echo "would wait for deployment/$1, $2 s at most"
	else
		KUBE_LIMIT=$(($2 + 5)) KUBE_REQUEST=0 kube rollout status "deployment/$1" --timeout="$2s"
	fi
}

# smoke KIND NAME: asks a pod behind it what a client would.
smoke() {
	local path argument=("--namespace" "$namespace" "--$1" "$2" "--wait" "$smoke_wait")
	[ -z "$context" ] || argument+=("--context" "$context")
	for path in "${answers[@]}"; do
		argument+=("--answer" "$path")
	done
	[ -z "$only_live" ] || argument+=("--live")
	[ -z "$dry" ] || argument+=("--dry-run")
	"$here/smoke-test" "${argument[@]}"
}
