# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# A boot without a key broker that waits for its owner. Sourced by cases.sh.

VM_CASES_FULL="$VM_CASES_FULL push"

# operator POLICY: in the background, until the machine has its secret or VM_SECONDS are over. Reaches the guest's port 8444 through VM_FORWARD. With
# OPERATOR_AFTER he begins when this stands on the console.
operator()
{
	printf '%s\n' "$1" >"$CASE_DIR/policy-${BOOT:-}.conf"
	VM_FORWARD=$((20000 + $$ % 10000))
	rm -f "$CASE_DIR/console.log"
	(
		until [ -z "${OPERATOR_AFTER:-}" ] || grep -aq "$OPERATOR_AFTER" "$CASE_DIR/console.log" 2>/dev/null; do
			sleep 0.5
		done
		exec "$VM_BUILD/cryptattest-kbs" push --key "$CASE_DIR/operator.key" --policy "$CASE_DIR/policy-${BOOT:-}.conf" \
			--document "$CASE_DIR/root.json" --resource default/test/root --test-root "$VM_WORK/roots.pem" --wait 100s --timeout 10s \
			"127.0.0.1:$VM_FORWARD"
	) >"$CASE_DIR/operator-${BOOT:-}.log" 2>&1 </dev/null &
	OPERATOR=$!
	VM_PIDS="$OPERATOR ${VM_PIDS:-}"
}

# operator_ended CODE PATTERN
operator_ended()
{
	wait "$OPERATOR"
	operator_code=$?
	[ $operator_code = "$1" ] || fail "the operator's program ended with $operator_code: $(tail -n 1 "$CASE_DIR/operator-$BOOT.log")"
	grep -Eq -- "$2" "$CASE_DIR/operator-$BOOT.log" || fail "the operator's program does not say: $2"
}

case_push()
{
	title "$1" "no broker: an operator pushes the secret; not to a machine that the policy does not know" || return 0
	tee snp
	"$VM_BUILD/cryptattest-kbs" push --make-key "$CASE_DIR/operator.key" >"$CASE_DIR/push.conf" || fail "no operator's key"
	"$VM_BUILD/cryptattest" document "$VM_WORK/root.img" --name root --key-file "$VM_WORK/root.key" >"$CASE_DIR/root.json" || fail "no document"
	{
		sed 's/^deadline.*/deadline = 60s/' "$VM_WORK/test.conf"
		printf 'push = yes\n'
		cat "$CASE_DIR/push.conf"
		printf 'after = 4s\nwindow = 30s\n'
	} >"$VM_WORK/push.conf"
	with_config push.conf
	machine 6.12 initrd
	boot_into owner
	operator "$(rule snp default/test/root)"
	launch root.img
	operator_ended 0 'allowed by .*, covers kernel\+initrd\+cmdline'
	expect_root
	expect_opened root push
	expect_console 'no broker was reached'
	expect_clean
	# An image that knows no broker, so that the network is brought up for the operator alone. The host boots it with another command line.
	{
		printf '[agent]\non-failure = poweroff\ndeadline = 60s\n'
		cat "$CASE_DIR/push.conf"
		printf 'window = 40s\n[volume root]\ndevice = UUID=%s\nsecret = push\n' "$VM_UUID_ROOT"
		"$VM_BUILD/cryptattest" document "$VM_WORK/root.img" --name root --key-file "$VM_WORK/root.key" --pins
	} >"$VM_WORK/push-only.conf"
	with_config push-only.conf
	machine 6.12 initrd
	boot_into stranger
	operator "$(rule snp default/test/root)"
	machine 6.12 initrd -- init=/bin/sh
	launch root.img
	operator_ended 4 'policy-deny'
	expect_no_root
	expect_exit 5
	expect_console 'push-window'
}
