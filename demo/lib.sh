# SPDX-License-Identifier: BSD-3-Clause
# shellcheck shell=bash
# What the demos share: processes with logs, traces with expectations. A demo defines cli ARGS… (runs vtrace against its
# server) and undo (takes away what it made, after its processes), and calls demo_begin first and demo_end last.

PACKETS=20
pids=()
wrong=0

# demo_begin PROGRAM…: these must be there; a folder for logs; all is undone however the demo ends
demo_begin() {
	local program
	for program; do
		[ -x "$program" ] || {
			echo "demo: $program is not built: run make" >&2
			exit 1
		}
	done
	data=$(mktemp -d)
	trap cleanup EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
}

cleanup() {
	trap '' HUP INT TERM
	set +e
	[ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null
	wait
	undo
	rm -rf "$data"
}

bold() {
	if [ -t 1 ]; then printf '\033[1m%s\033[0m\n' "$1"; else printf '%s\n' "$1"; fi
}

# serve NAME COMMAND…: starts it; its output goes to NAME's log
serve() {
	local name=$1
	shift
	: >"$data/$name.log" # so that await finds it at once
	"$@" >"$data/$name.log" 2>&1 &
	pids+=($!)
}

# await NAME [WORD]: until it says WORD (ready), ten seconds at most
await() {
	local tries=0
	until grep -q "^${2:-ready}" "$data/$1.log"; do
		tries=$((tries + 1))
		if [ $tries -gt 500 ] || { [ $tries -gt 5 ] && ! alive; }; then
			echo "demo: $1 does not get ready; it said:" >&2
			cat "$data/$1.log" >&2
			exit 1
		fi
		sleep 0.02
	done
}

# alive: are all processes there?
alive() {
	kill -0 "${pids[@]}" 2>/dev/null
}

# armed ID: until the trace colours packets, five seconds at most
armed() {
	local tries=0
	until [ "$(cli result "$1" --json | jq -r .state)" = tracing ]; do
		tries=$((tries + 1))
		[ $tries -lt 250 ] || {
			echo "demo: trace $1 is not armed" >&2
			exit 1
		}
		sleep 0.02
	done
}

# check RESULT JQ-EXPRESSION: is it true of the result?
check() {
	if ! jq -e "$2" <<<"$1" >/dev/null; then
		bold "WRONG: expected $2"
		wrong=$((wrong + 1))
	fi
}

# scene TITLE DESTINATION JQ-EXPRESSION SEND…: traces UDP port 53 from vm1, runs SEND, shows and checks the result;
# it stays in $result
scene() {
	local title=$1 dst=$2 expected=$3 filter id
	shift 3
	filter="udp and src host 10.0.1.1 and dst host $dst and dst port 53"
	echo
	bold "== $title"
	echo "\$ vtrace add '$filter' --count $PACKETS"
	id=$(cli add "$filter" --count $PACKETS --time 5)
	echo "$id"
	armed "$id"
	echo "(vm1 sends $PACKETS datagrams to $dst:53)"
	"$@"
	echo "\$ vtrace result $id --wait"
	cli result "$id" --wait || true # no packet: the check says it
	result=$(cli result "$id" --json)
	check "$result" "$expected and .packets.coloured == $PACKETS"
}

# all_dropped CODE NODE: what is true of a result whose packets were all dropped, for this cause and no other
all_dropped() {
	echo ".verdict.code == \"$1\" and .verdict.node == \"$2\" and .packets.dropped == $PACKETS and (.causes | length) == 1"
}

# demo_end NUMBER-OF-SCENES: the last words, and the status
demo_end() {
	echo
	if [ $wrong -gt 0 ]; then
		bold "$wrong of the checks failed."
		exit 1
	fi
	bold "All $1 verdicts are right (${SECONDS} s)."
}
