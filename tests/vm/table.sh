# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# One row per boot, and what no boot may do whatever its case is about: pass its deadline, ask somebody for a passphrase, go on with a volume
# that we did not open. All of it is read from the guest's console, its time from the kernel's own clock, and from the key broker's log. Sourced.

VM_GRACE_S=6	# 5 s behind its deadline the agent acts by itself (src/unlock/guard.c); what is reported then is measured after that
VM_AROUND_S=45	# what is not the agent's: udev, DHCP before a keyscript, fsck and mount, five seconds to read a reason; under emulation

# vm_facts IMAGE NAME=VALUE...: what rows want to know of an image; a later line wins. vm_append hands them on.
vm_facts()
{
	vm_facts_file=$1.facts
	shift
	[ $# = 0 ] || printf '%s\n' "$@" >>"$vm_facts_file"
}

# vm_facts_config IMAGE CONFIG: the deadline that this configuration sets, in seconds.
vm_facts_config()
{
	vm_facts "$1" "deadline=$(sed -n 's/^deadline *= *//p' "$2" | tail -n 1 |
		awk '{ n = $1 + 0; u = $1; sub(/^[0-9.]+/, "", u); print u == "h" ? n * 3600 : u == "m" ? n * 60 : n; found = 1 } END { if (!found) print 600 }')"
}

row_fact() { sed -n "s/^$1=//p" "$VM_INITRD.facts" 2>/dev/null | tail -n 1; }

# row_second PATTERN: the kernel's time of the first message like this.
row_second() { grep -aE -m 1 -- "^\[ *[0-9.]+\] .*($1)" "$CASE_DIR/console.txt" | sed 's/^\[ *\([0-9.]*\)\].*/\1/'; }

# Lines of "NAME STATE SOURCE", from the record that the booted system shows.
row_volumes()
{
	sed -n '/^status json:/,$p' "$CASE_DIR/console.txt" | tr -d '\n' | tr '{' '\n' |
		sed -n 's/^"name": *"\([^"]*\)".*"state": *"\([a-z]*\)"\(.*"source": *"\([^"]*\)"\)\{0,1\}.*/\1 \2 \4/p'
}

# The way a volume was opened, and with whose secret.
row_way()
{
	row_way=mapped row_source=$(row_volumes | awk '$2 == "open" && $3 != "" { print $3; exit }')
	if grep -q ': header audited, its copy' "$CASE_DIR/console.txt"; then
		case $(row_fact environment) in
		dracut*) row_way=socket ;;
		*) row_way=keyscript ;;
		esac
		row_handed=$(sed -n 's/.*passphrase handed out, from \([a-z+]*\).*/\1/p' "$CASE_DIR/console.txt" | head -n 1)
		row_source=${row_handed:-$row_source}
	fi
	case $row_source in
	push) row_way='by hand' ;;
	recover | prompt | file | escrow) row_way='by hand' row_source=hand ;;
	esac
	[ -z "${CASE_BY_HAND:-}" ] || row_way='by hand'
	if [ "$(row_fact opener)" != '' ]; then
		row_way=$(row_fact opener) row_source=$(row_fact source)
	fi
	row_source=${row_source:-none}
}

# How the boot ended, and when.
row_end()
{
	row_seconds='' row_end=none
	if grep -q '^BOOTMARK begin' "$CASE_DIR/console.txt"; then
		row_end=root
		grep -q '^root: /dev/mapper/' "$CASE_DIR/console.txt" || row_end='no volume'
		row_seconds=$(row_second 'EXT4-fs [(][^)]*[)]: mounted')
		row_seconds=${row_seconds:-$(sed -n 's/^BOOTMARK begin //p' "$CASE_DIR/console.txt")}
	elif row_seconds=$(row_second 'reboot: Power down') && [ -n "$row_seconds" ]; then
		row_end=off
	elif row_seconds=$(row_second 'reboot: Restarting|Kernel panic') && [ -n "$row_seconds" ]; then
		row_end=restart
	fi
}

# The agent's own measure of its longest run, in seconds.
row_agent()
{
	sed -n -e 's/.*cryptattest: .*, after \([0-9]*\) ms$/\1/p' -e 's/.*cryptattest: report: .*time: \([0-9]*\) ms in all.*/\1/p' "$CASE_DIR/console.txt" |
		sort -n | awk '{ n = $1 } END { if (NR) printf "%.1f", n / 1000 }'
}

# What was on the console before the booted system's own report.
row_console() { sed '/^BOOTMARK begin/,$d' "$CASE_DIR/console.txt" | grep -av '^ *$'; }

# The agent's last words, the reason rather than what follows from it; of a boot without it, the console's last line.
row_words()
{
	row_console | sed -n 's/^\(\[ *[0-9.]*\] \)\{0,1\}cryptattest: \(error: \|warning: \)\{0,1\}//p' | grep -v '^report:' >"$CASE_DIR/words"
	grep -avE '; (switching off|restarting) in ' "$CASE_DIR/words" | tail -n 1 | grep . || tail -n 1 "$CASE_DIR/words" | grep . ||
		row_console | tail -n 1 | sed 's/^\[ *[0-9.]*\] //'
}

# Requests since the last boot, as the key broker counts them; "-" when none was running.
row_requests()
{
	[ -n "${VM_PORT:-}" ] && kill -0 "${VM_KBS_PID:-}" 2>/dev/null || { row_requests=- && return; }
	row_before=$(grep -c 'served:' "$CASE_DIR/kbs.log")
	kill -USR1 "$VM_KBS_PID"
	row_tries=0
	until [ "$(grep -c 'served:' "$CASE_DIR/kbs.log")" -gt "$row_before" ] || [ $row_tries -ge 50 ]; do
		row_tries=$((row_tries + 1))
		sleep 0.1
	done
	row_served=$(sed -n 's/.*served: \([0-9]*\) requests.*/\1/p' "$CASE_DIR/kbs.log" | tail -n 1)
	row_requests=$((${row_served:-0} - ${VM_KBS_SERVED:-0}))
	VM_KBS_SERVED=${row_served:-0}
}

# Says what this boot should not have done. CASE_BY_HAND: somebody sits at the console, who is asked and has a shell.
row_judge()
{
	row_bad=
	# What a case does before our scripts (VM_EARLY) is not the boot's.
	row_begin=$(row_second 'emul-tee: ready')
	# What somebody types takes the time that it takes; what the program did with it is judged.
	row_late=$(awk -v agent="${row_took:-0}" -v end="${row_seconds:-0}" -v begin="${row_begin:-$(row_second 'Run /init as init')}" \
		-v most="$row_deadline" -v grace=$VM_GRACE_S -v around=$VM_AROUND_S -v way="$row_way" -v source="$row_source" \
		'BEGIN { print (agent > most + grace || !(way == "by hand" && source == "hand") && end - begin > most + around) ? "late" : "kept" }')
	[ -n "$(row_fact opener)" ] && return
	[ "$row_late" = kept ] || row_bad="the boot passed its deadline of $row_deadline s"
	if [ -z "${CASE_BY_HAND:-}" ]; then
		! row_console | grep -aEq 'Please unlock disk|[Pp]lease enter passphrase|[Ee]nter passphrase for' || row_bad="somebody was asked for a passphrase"
		! row_console | grep -aEq '[(]initramfs[)]|emergency mode|Press Enter for maintenance|Give root password' || row_bad="there was a shell on the console"
	fi
	if grep -aEq 'cryptattest: .*; (switching off|restarting) in ' "$CASE_DIR/console.txt" && [ "$row_end" = root ]; then
		row_bad="the boot went on behind a refusal"
	fi
	for row_name in $(sed -n 's/^mapping: \([^ ]*\) CRYPT-LUKS2-.*/\1/p' "$CASE_DIR/console.txt"); do
		row_volumes | grep -q "^$row_name open" || grep -q "cryptattest: $row_name: passphrase handed out" "$CASE_DIR/console.txt" ||
			row_bad="$row_name is mapped, and not by us"
	done
}

# row_write: the boot that just ended, to CASE_DIR/rows; its console's end to CASE_DIR/tails. Fails the case for what row_judge says.
row_write()
{
	row_name=$(basename "$CASE_DIR")
	row_title=${row_name#case-}${BOOT:+/$BOOT}
	row_way
	row_end
	row_requests
	row_took=$(row_agent)
	row_deadline=$(row_fact deadline)
	row_deadline=${row_deadline:-600}
	row_judge
	row_environment=$(row_fact environment)
	printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$row_title" "${row_environment:-initramfs-tools}" "$row_way" "$row_source" "$row_end" \
		"$(printf '%.1f' "${row_seconds:-0}")" "$row_requests" "${row_took:--}" "$row_deadline" "$row_late" "$(row_words)" >>"$CASE_DIR/rows"
	{
		echo "== $row_title"
		row_console | tail -n 5 | cut -c1-500
	} >>"$CASE_DIR/tails"
	[ -z "$row_bad" ] || fail "$row_bad"
}

# vm_table FILE CASE...: the table of these cases' rows to FILE, the ends of their consoles to FILE.consoles.
vm_table()
{
	vm_table_file=$1
	shift
	mkdir -p "$(dirname "$vm_table_file")"
	: >"$vm_table_file.consoles"
	for vm_name; do
		vm_result=$(cat "$VM_WORK/results/$vm_name" 2>/dev/null)
		sed "s/\$/	${vm_result:-fail}/" "$VM_WORK/case-$vm_name/rows" 2>/dev/null ||
			printf '%s\t-\t-\t-\t-\t0.0\t-\t-\t-\t-\tno boot\t%s\n' "$vm_name" "${vm_result:-fail}"
		cat "$VM_WORK/case-$vm_name/tails" >>"$vm_table_file.consoles" 2>/dev/null
	done | awk -F '\t' '
		BEGIN { row("CASE", "BOOT", "WAY", "SOURCE", "END", "SECONDS", "REQUESTS", "DEADLINE", "RESULT") }
		function row(a, b, c, d, e, f, g, h, i) { printf "%-31s %-17s %-9s %-8s %-9s %7s %8s %12s  %s\n", a, b, c, d, e, f, g, h, i }
		{
			row($1, $2, $3, $4, $5, $6, $7, $9 == "-" || $3 == "stock" ? "-" : $8 "/" $9 " s", ($10 == "late" ? "LATE " : "") $12)
			printf "  | %s\n", substr($11, 1, 114)
		}' >"$vm_table_file"
}
