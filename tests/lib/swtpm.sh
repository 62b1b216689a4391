# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# A software TPM for shell tests, to be sourced. State and sockets lie in a directory of the caller's; it dies with the script.
#
#	swtpm_start DIR		starts; leaves the socket's path in swtpm_path and sets TPM2TOOLS_TCTI (for tpm2-tools)
#	swtpm_stop		ends it; state and directory stay
#	swtpm_reboot		PCRs reset; seeds, NV and lockout counter kept
#	swtpm_replace		another TPM at the same place
#
# For cryptattest-test: echo "$swtpm_path" >"$CRYPTATTEST_TEST_ROOT/dev/tpm-swtpm"; no such file, no TPM.
# Each command is a connection of its own, so several clients may take turns; there is no resource manager.
# shellcheck shell=sh

swtpm_pid=
swtpm_dir=
swtpm_path=

# Prints the name of the first program that is missing; fails when all are there.
swtpm_missing()
{
	for swtpm_tool in swtpm setpriv; do
		command -v $swtpm_tool >/dev/null || { echo "$swtpm_tool"; return 0; }
	done
	return 1
}

swtpm_spawn()
{
	setpriv --pdeathsig KILL swtpm socket --tpm2 --tpmstate "dir=$swtpm_dir" --server "type=unixio,path=$swtpm_path" \
		--ctrl "type=unixio,path=$swtpm_path.ctrl" --flags not-need-init,startup-clear --log "file=$swtpm_dir/log" \
		--pid "file=$swtpm_dir/pid" </dev/null >/dev/null 2>&1 &
	swtpm_pid=$!
	swtpm_tries=0
	# The pid file is written when both sockets listen.
	until [ -s "$swtpm_dir/pid" ]; do
		swtpm_tries=$((swtpm_tries + 1))
		if [ "$swtpm_tries" -gt 1000 ] || ! kill -0 "$swtpm_pid" 2>/dev/null; then
			echo "# swtpm does not start:" >&2
			sed 's/^/# /' "$swtpm_dir/log" >&2
			return 1
		fi
		sleep 0.01
	done
}

swtpm_start()
{
	mkdir -p "$1" || return 1
	swtpm_dir=$(cd "$1" && pwd) || return 1
	swtpm_path=$swtpm_dir/sock
	TPM2TOOLS_TCTI=swtpm:path=$swtpm_path
	export TPM2TOOLS_TCTI
	if [ "${#swtpm_path}" -gt 100 ]; then
		echo "# swtpm: $swtpm_path is too long for a socket" >&2
		return 1
	fi
	swtpm_spawn
}

swtpm_stop()
{
	if [ -n "$swtpm_pid" ]; then
		kill -KILL "$swtpm_pid" 2>/dev/null
		wait "$swtpm_pid" 2>/dev/null
	fi
	swtpm_pid=
	rm -f "$swtpm_path" "$swtpm_path.ctrl" "$swtpm_dir/pid"
}

swtpm_reboot()
{
	swtpm_stop
	swtpm_spawn
}

swtpm_replace()
{
	swtpm_stop
	rm -f "$swtpm_dir/tpm2-00.permall"
	swtpm_spawn
}
