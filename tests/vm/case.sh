# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# Runs one case: sh tests/vm/case.sh NAME, with what boot.sh prepared in VM_WORK. One line says how it ended; the logs of a
# failed case are kept in VM_LOGS.

set -u
. "$VM_SRC/tests/vm/lib.sh"
. "$VM_SRC/tests/vm/guest.sh"
. "$VM_SRC/tests/vm/kbs.sh"
. "$VM_SRC/tests/vm/tee.sh"
. "$VM_SRC/tests/vm/tpm.sh"
. "$VM_SRC/tests/vm/vtpm.sh"
. "$VM_SRC/tests/vm/table.sh"
. "$VM_SRC/tests/vm/expect.sh"
. "$VM_SRC/tests/vm/cases.sh"

name=$1
CASE_DIR=$VM_WORK/case-$name
CASE_FUNCTION=case_$(echo "$name" | tr '.-' '__')
mkdir -p "$CASE_DIR"

VM_PIDS=
trap vm_stop_all EXIT
trap 'exit 130' INT TERM HUP

begun=$(date +%s)
title=$("$CASE_FUNCTION" title)
# In a subshell: a statement that is not true ends the case, not this script.
if ( trap vm_stop_all EXIT; "$CASE_FUNCTION" run ) >"$CASE_DIR/case.log" 2>&1; then
	echo pass >"$VM_WORK/results/$name"
	echo "PASS boot/$name: $title ($(($(date +%s) - begun)) s)"
	exit 0
fi
echo fail >"$VM_WORK/results/$name"
echo "FAIL boot/$name: $title: $(tail -n 1 "$CASE_DIR/case.log")"
rm -rf "${VM_LOGS:?}/$name" "$CASE_DIR/kbs"
mkdir -p "$VM_LOGS"
cp -r "$CASE_DIR" "$VM_LOGS/$name"
echo "     logs in $VM_LOGS/$name; the end of the console:"
tail -n 15 "$CASE_DIR/console.log" 2>/dev/null | sed 's/^/     | /'
exit 1
