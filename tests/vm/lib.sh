# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# What the virtual machine tests share: folders, messages, clean-up. Sourced, never run.
#
#   VM_SRC     the source tree                 VM_BUILD  a configured build of it
#   VM_CACHE   what survives between runs: the Debian tree, the test PKI
#   VM_WORK    what belongs to this run; removed at its end unless VM_KEEP=1

VM_SRC=${VM_SRC:-$(cd "$(dirname "$0")/.." && pwd)}
VM_BUILD=${VM_BUILD:-$VM_SRC/out/build}
VM_CACHE=${VM_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/cryptattest}

vm_note() { printf '  %s\n' "$*"; }
vm_fail() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

# LUKS UUIDs of the guests' volumes, and the UUID of every file system in them.
VM_UUID_ROOT=11111111-2222-4333-8444-555555555501
VM_UUID_DATA=11111111-2222-4333-8444-555555555502
VM_UUID_LATER=11111111-2222-4333-8444-555555555503
VM_UUID_FILES=11111111-2222-4333-8444-555555555510

VM_NET_SERVER=10.0.2.100:8443	# where a guest finds the key broker; it reaches nothing else

# Creates VM_WORK and removes it, with whatever is still mounted below it or running from it, when the shell ends.
vm_begin()
{
	VM_WORK=$(mktemp -d "${TMPDIR:-/tmp}/cryptattest-vm.XXXXXX") || exit 1
	chmod 711 "$VM_WORK" # the key broker works below it as another user
	VM_PIDS=
	trap vm_end EXIT
	trap 'exit 129' HUP
	trap 'exit 130' INT
	trap 'exit 143' TERM
	mkdir -p "$VM_CACHE"
}

# The helpers that vm_background started, newest first.
vm_background() { "$@" & VM_PIDS="$! $VM_PIDS"; }

vm_stop_all()
{
	for vm_pid in $VM_PIDS; do
		kill "$vm_pid" 2>/dev/null && wait "$vm_pid" 2>/dev/null
	done
	VM_PIDS=
}

vm_end()
{
	vm_status=$?
	trap - EXIT
	vm_stop_all
	[ -z "${VM_ROOT:-}" ] || vm_tree_umount "$VM_ROOT"
	if [ "${VM_KEEP:-0}" = 1 ]; then
		vm_note "kept: $VM_WORK"
	else
		rm -rf --one-file-system "$VM_WORK"
	fi
	exit "$vm_status"
}
