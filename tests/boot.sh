#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# Boots virtual machines whose root file system is encrypted. Run as root; the machine may lack KVM, device-mapper and loop devices.
#
#	sh tests/boot.sh			the hook's tests and the cases that tests/all.sh runs
#	sh tests/boot.sh --full			the longer list of cases
#	sh tests/boot.sh hook			the hook's tests alone
#	sh tests/boot.sh --list			names and titles
#	sh tests/boot.sh success two-volumes	these cases only
#	sh tests/boot.sh --peers [RUNS]		no cases: time, processes and megabytes beside clevis with tang (3 boots each, the median)
#	sh tests/boot.sh --table FILE ...	where the table of boots goes; before any other option
#
# Ends with a table: a row per boot, the times by the guest's own clock from the kernel's start to the root mounted, or to the end of a machine
# that was refused. It is kept, with the last five lines of each console in FILE.consoles.
#
# VM_JOBS is the number of guests at a time (2); VM_LOGS a folder for the logs of failed cases (below the cache folder; the table is beside
# it unless --table says where); VM_KEEP=1 keeps everything. How the pieces fit together: tests/vm/README.

set -u
VM_SRC=$(cd "$(dirname "$0")/.." && pwd) || exit 1
. "$VM_SRC/tests/vm/lib.sh"
. "$VM_SRC/tests/vm/expect.sh"
. "$VM_SRC/tests/vm/cases.sh"

cases='' hook=yes peers='' table=''
if [ "${1-}" = --table ] && [ -n "${2-}" ]; then
	table=$2
	shift 2
fi
case ${1-} in
--list)
	for name in $VM_CASES $VM_CASES_FULL; do
		printf '%-27s %s\n' "$name" "$("case_$(echo "$name" | tr '.-' '__')" title)"
	done
	exit 0
	;;
hook) ;;
--full) cases="$VM_CASES $VM_CASES_FULL" ;;
--peers) peers=${2:-3} hook=no ;;
-*)
	sed -n '4,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
'') cases=$VM_CASES ;;
*) cases=$* hook=no ;;
esac

[ "$(id -u)" = 0 ] || vm_fail "needs root: it unpacks a Debian tree and runs mkinitramfs in it"
vm_begin
VM_LOGS=${VM_LOGS:-$VM_CACHE/failed}
table=${table:-$(dirname "$VM_LOGS")/boot-table.txt}
. "$VM_SRC/tests/vm/prepare.sh"
. "$VM_SRC/tests/vm/kbs.sh"
. "$VM_SRC/tests/vm/shared.sh"
. "$VM_SRC/tests/vm/vtpm.sh"
if [ -n "$peers" ]; then
	. "$VM_SRC/tests/vm/guest.sh"
	. "$VM_SRC/tests/vm/peers.sh"
	vm_prepare_basics
	vm_peers "$peers"
	exit
fi
# shellcheck disable=SC2086 # words
vm_prepare $cases
export VM_SRC VM_BUILD VM_CACHE VM_WORK VM_LOGS VM_PKI

mkdir -p "$VM_WORK/results"
status=0
[ $hook = no ] || sh "$VM_SRC/tests/vm/hook.sh" || status=1
# shellcheck disable=SC2086 # words
[ -z "$cases" ] || printf '%s\n' $cases | xargs -P "${VM_JOBS:-2}" -n 1 sh "$VM_SRC/tests/vm/case.sh"

if [ -n "$cases" ]; then
	# shellcheck disable=SC2086 # words
	vm_table "$table" $cases
	cat "$table"
	echo "(kept as $table, with the consoles' last lines in $table.consoles)"
fi
failed=0 passed=0
for name in $cases; do
	if [ "$(cat "$VM_WORK/results/$name" 2>/dev/null)" = pass ]; then
		passed=$((passed + 1))
	else
		failed=$((failed + 1))
	fi
done
echo "boot: $passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$status" = 0 ]
