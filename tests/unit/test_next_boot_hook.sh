#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The example hook that keeps unattended-upgrades from restarting into a system that would not unlock, with an agent of our own beside it; and that
# the example unit is one.
example=$TOP_SRCDIR/contrib/examples/next-boot
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
n=0
check() { # TEXT CONDITION
	n=$((n + 1))
	if eval "$2"; then echo "ok $n - $1"; else echo "not ok $n - $1"; fi
}
mkdir "$tmp/bin" "$tmp/run"
printf '#!/bin/sh\necho "ok  broker"\necho "an answer"\nexit $CODE\n' >"$tmp/bin/cryptattest"
printf '#!/bin/sh\necho "$@" >>"%s/log"\n' "$tmp" >"$tmp/bin/logger"
chmod +x "$tmp/bin/cryptattest" "$tmp/bin/logger"
sed "s|=/run/|=$tmp/run/|" "$example/next-boot-hook" >"$tmp/hook"
hook() {
	: >"$tmp/log"
	CODE=$1 PATH=$tmp/bin:$PATH sh "$tmp/hook"
	code=$?
}
: >"$tmp/run/reboot-required"
hook 8
check "no: the wish to reboot is put aside" '[ $code = 0 ] && [ ! -e "$tmp/run/reboot-required" ] && [ -e "$tmp/run/reboot-required.cryptattest" ]'
check "and the log has the last line and the code" 'grep -q "no reboot: an answer (exit 8" "$tmp/log"'
hook 5
check "still no" '[ ! -e "$tmp/run/reboot-required" ] && grep -q "exit 5" "$tmp/log"'
hook 0
check "yes: it is put back, and nothing is said" '[ -e "$tmp/run/reboot-required" ] && [ ! -e "$tmp/run/reboot-required.cryptattest" ] && [ ! -s "$tmp/log" ]'
rm "$tmp/run/reboot-required"
hook 0
check "nobody asked for a reboot: nor does this" '[ -z "$(ls "$tmp/run")" ]'
PATH=$PATH:/usr/sbin:/sbin
if command -v apt-config >/dev/null; then
	check "apt understands its file" 'APT_CONFIG="$example/90cryptattest" apt-config dump | grep -q "^DPkg::Post-Invoke:: \"/usr/local/sbin/next-boot-hook\""'
else
	n=$((n + 1))
	echo "ok $n # SKIP no apt"
fi
if command -v systemd-analyze >/dev/null && command -v systemd-inhibit >/dev/null; then
	check "systemd understands the unit" '[ -z "$(systemd-analyze verify --man=no "$example/cryptattest-next-boot.service" 2>&1 | grep next-boot)" ]'
else
	n=$((n + 1))
	echo "ok $n # SKIP no systemd"
fi
echo "1..$n"
