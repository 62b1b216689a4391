#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The manual pages against the tables they describe.
n=0
ok() { n=$((n + 1)); if [ "$1" -eq 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi; }
man=$TOP_SRCDIR/man
tmp=$(mktemp -d) || exit 99
trap 'rm -rf "$tmp"' EXIT
echo 1..6

"$TOP_BUILDDIR/tests/tools/keywords_roff" >"$tmp/want"
sed -n '/^\.\\" BEGIN KEYS/,/^\.\\" END KEYS/p' "$man/cryptattest.conf.5" | sed '1d;$d' >"$tmp/found"
diff -u "$tmp/want" "$tmp/found" >&2
ok $? "cryptattest.conf(5) lists every key as the parser knows it"

"$TOP_BUILDDIR/cryptattest" --help | sed -n 's/^  *\([0-9][0-9]*\)  \(.*\)$/\1 \2/p' >"$tmp/codes"
sed -n '/^\.SH EXIT STATUS/,/^\.fi/s/^ *\([0-9][0-9]*\)  \([^(:]*\).*$/\1 \2/p' "$man/cryptattest.8" | sed 's/ *$//' >"$tmp/page"
sed 's/[(:].*//; s/ *$//' "$tmp/codes" | diff -u - "$tmp/page" >&2
ok $? "cryptattest(8) lists the exit codes of --help"

# Whoever finds an id in a log finds it in the manual, and nothing there is misspelt or gone.
sed 's/\\-/-/g; s/\\f[A-Z]//g' "$man/cryptattest.8" | sed -n '/^\.SH CHECKS/,/^\.SH WHAT/p; /^\.SH WHEN IT FAILS/,/^\.SH SEALED SECRETS/p' |
	sed -n '/^\.TP/{n;s/^\.[BI]R* //;s/[",]/ /g;p;}' | tr ' ' '\n' | grep -vx -e '' -e to | LC_ALL=C sort -u >"$tmp/told"
sh "$TOP_SRCDIR/tests/tools/ids.sh" "$TOP_BUILDDIR/tests/tools/keywords_roff" "$TOP_BUILDDIR/cryptattest" | LC_ALL=C sort -u >"$tmp/ids"
[ "$(wc -l <"$tmp/ids")" -gt 300 ] && LC_ALL=C comm -23 "$tmp/ids" "$tmp/told" | sed 's/^/in the sources, not in the manual: /' >"$tmp/untold"
cat "$tmp/untold" >&2
ok "$(wc -l <"$tmp/untold")" "cryptattest(8) has every id of the sources"
LC_ALL=C comm -13 "$tmp/ids" "$tmp/told" | sed 's/^/in the manual, not in the sources: /' >"$tmp/gone"
cat "$tmp/gone" >&2
ok "$(wc -l <"$tmp/gone")" "and explains none that does not exist"

# Whoever copies an example gets what the parser takes.
awk -v dir="$tmp" '/^\.nf/ { file = dir "/example" ++n ".conf"; next } /^\.fi/ { file = "" } file { gsub(/\\-/, "-"); print >file }' \
	"$man/cryptattest.conf.5"
bad=0 seen=0
for example in "$tmp"/example*.conf; do
	grep -q '^\[volume ' "$example" || continue
	seen=$((seen + 1))
	"$TOP_BUILDDIR/cryptattest" config --check --config "$example" >&2 || bad=1
done
[ $seen -ge 3 ] || bad=1
ok $bad "the examples of cryptattest.conf(5) are sound"

if command -v man >/dev/null 2>&1; then
	bad=0
	for page in "$man"/*.[578]; do
		LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l "$page" 2>"$tmp/w" >/dev/null
		[ -s "$tmp/w" ] && { cat "$tmp/w" >&2; bad=1; }
	done
	ok $bad "every page formats without a warning"
else
	echo "ok 6 - pages format without a warning # SKIP no man command"
fi
