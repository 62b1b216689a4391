# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# What is left of a boot that failed: the report that a server of the owner's gets, and that of a run which could not end. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL report report-unfinished"

# sink: a server for reports at 10.0.2.101:443 of the guest's network, with a key of its own, whose pin is SINK_PIN;
# what it was sent is in sink.request and sink.body of CASE_DIR.
sink()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 36500 -subj /CN=reports -addext subjectAltName=IP:10.0.2.101 \
		-keyout "$CASE_DIR/sink.key" -out "$CASE_DIR/sink.crt" 2>/dev/null || fail "no certificate"
	SINK_PIN=sha256//$(openssl x509 -in "$CASE_DIR/sink.crt" -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -binary | base64)
	cat >"$CASE_DIR/take" <<-END
	#!/bin/sh
	cd "$CASE_DIR" || exit 1
	length=0
	while read -r line; do
		line=\$(printf '%s' "\$line" | tr -d '\r')
		[ -n "\$line" ] || break
		echo "\$line" >>sink.request
		case \$line in
		[Cc]ontent-[Ll]ength:*) length=\${line#*:} ;;
		esac
	done
	head -c \$length >>sink.body
	printf 'HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n'
	END
	chmod +x "$CASE_DIR/take"
	VM_SINK=$((10000 + $$ % 10000))
	vm_background socat "OPENSSL-LISTEN:$VM_SINK,bind=127.0.0.1,reuseaddr,fork,cert=$CASE_DIR/sink.crt,key=$CASE_DIR/sink.key,verify=0" \
		"EXEC:$CASE_DIR/take" >"$CASE_DIR/sink.log" 2>&1
	SINK=${VM_PIDS%% *}
}

expect_report() { grep -Eq -- "$1" "$CASE_DIR/sink.body" || fail "the report does not have: $1"; }

case_report()
{
	title "$1" "refused: the owner's server is told why, before the machine goes off; one with another key is told nothing" || return 0
	tee snp
	VM_SECONDS=240
	sink
	sed "s|^on-failure.*|&\nreport-url = https://10.0.2.101/boots\nreport-pin = $SINK_PIN|" "$VM_WORK/test.conf" >"$VM_WORK/report.conf"
	with_config report.conf
	machine 6.12 initrd
	server "$(rule snp default/test/root)"
	machine 6.12 initrd -- init=/bin/sh

	boot_into told
	launch root.img
	expect_no_root
	expect_exit 4
	expect_console 'cryptattest: report: sent to https://10[.]0[.]2[.]101/boots'
	[ "$(grep -c '^POST /boots HTTP/1[.]1$' "$CASE_DIR/sink.request")" = 1 ] || fail "not one POST"
	[ "$(stat -c %s "$CASE_DIR/sink.body")" -le 8192 ] || fail "the report is too long"
	expect_report '^[{]"type":"cryptattest-failure-report","version":1,.*[}]$'
	expect_report '"boot_id":"[0-9a-f-]{36}"'
	expect_report '"exit":4,'
	expect_report '"volumes":\[[{]"name":"root",'
	expect_report "\"uuid\":\"$VM_UUID_ROOT\""
	expect_report '"state":"failed"'
	expect_report '"class":"refused","id":"kbs-policy-deny"'
	! grep -qF "$(base64 -w0 "$VM_WORK/root.key")" "$CASE_DIR/sink.body" || fail "the report has the secret"

	boot_into stranger
	kill "$SINK" && wait "$SINK"
	rm "$CASE_DIR"/sink.*
	sink
	launch root.img
	expect_no_root
	expect_exit 4
	grep -qF "cryptattest: report: not sent to https://10.0.2.101/boots: the server's key is $SINK_PIN, which is not a configured pin [report-identity]" \
		"$CASE_DIR/console.txt" || fail "the other server was not even reached"
	[ ! -e "$CASE_DIR/sink.request" ] || fail "the other server was told something"
}

# in_guest: its standard input is a script that runs in the guest beside the boot, from before our scripts on.
in_guest()
{
	{
		echo '('
		cat
		echo ') </dev/null >/dev/null 2>&1 &'
	} >"$CASE_DIR/early.sh"
	VM_EARLY=$CASE_DIR/early.sh
}

# The owner has asked for a shell, in which the report can be read before the machine restarts.
reads_report()
{
	rm -f "$CASE_DIR/dialog"
	says '# $' 'until [ -s /run/cryptattest/failure.txt ]; do sleep 1; done; sleep 3; echo; cat /run/cryptattest/failure.txt'
	says '# $' exit
	VM_DIALOG=$CASE_DIR/dialog
}

# expect_unfinished ID: what the guardian wrote, in the file and in the kernel's log. The agent had no word any more.
expect_unfinished()
{
	expect_no_root
	expect_console '^[[].*[]] cryptattest: report: cryptattest .*, failure report 1 [|] exit 5: '
	expect_console "^[[].*[]] cryptattest: report: .*run: [a-z]* \[$1\]: "
	expect_console "^[[].*[]] cryptattest: report: the whole is /run/cryptattest/failure.txt"
	expect_console '^machine: Linux 6[.]12'
	expect_console '^evidence: '
	expect_console '^broker main: https://10[.]0[.]2[.]100:8443'
	expect_console '^time: .*; unfinished: '
	expect_console "^run: [a-z]* \[$1\]: "
	expect_console '^[[].*[]] cryptattest: the agent ended before its run was finished: nothing that it had mapped stays'
	expect_console 'reboot: Restarting system'
}

# It is told by the process that removes what a killed run had mapped: not by the agent, which is gone or does not come back from the kernel.
case_report_unfinished()
{
	title "$1" "agent killed; agent stuck behind a udevd that stands still: the guardian leaves the report, and takes back the mapping" || return 0
	tee snp
	# A key that a slow machine makes long before the deadline.
	sed 's/^on-failure.*/on-failure = shell/; s/^deadline.*/deadline = 45s/; s/^url = .*/&\nkey = ec-p256/' "$VM_WORK/test.conf" >"$VM_WORK/unfinished.conf"
	with_config unfinished.conf
	machine 6.12 initrd
	VM_SECONDS=240
	reads_report

	boot_into killed
	in_guest <<-'EOF'
	until grep -q '"running"' /run/cryptattest/status.json; do sleep 0.2; done
	sleep 2
	for process in /proc/[0-9]*; do
		read -r name <"$process/comm"
		[ "$name" = cryptattest ] && [ "$(readlink "$process/exe")" = /usr/sbin/cryptattest ] && kill -9 "${process##*/}"
	done
	EOF
	launch root.img
	expect_console 'cryptattest: unlock ended with status 137'
	expect_unfinished killed

	boot_into stuck
	in_guest <<-'EOF'
	until ls /run/net-*.conf; do sleep 0.1; done
	for process in /proc/[0-9]*; do
		read -r name <"$process/comm"
		[ "$name" = systemd-udevd ] && kill -STOP "${process##*/}"
	done
	EOF
	server "$(rule snp default/test/root)"
	launch root.img
	expect_server 1 'released default/test/root'
	expect_console 'cryptattest: out of time: the deadline passed inside a step that does not end'
	expect_console 'cryptattest: unlock ended with status 5'
	expect_unfinished overdue
	expect_console '^[[].*[]] cryptattest: removed 1 private mapping'
}
