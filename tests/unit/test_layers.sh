#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# Dependencies go one way. The tables below are the rule: a folder of src/ includes the headers that its line allows and no
# others, and a library's types stay with the folders that are named for it.
set -u
cd "$TOP_SRCDIR/src" || exit 1

# FOLDER: the folders whose headers it may include, besides its own. A line names only folders of earlier lines, so there are no
# circles. wire stands low for its strict JSON reader, its resource names and the secret document, all pure over bytes.
layers='
base:
crypto: base
wire: base crypto
http: base
net: base
push: base crypto wire http
evidence: base crypto wire
verify: base crypto wire evidence
tee: base evidence
config: base wire
state: base wire
vtpm: base crypto wire
luks: base crypto wire
kbs: base crypto wire http
keysrc: base crypto wire kbs vtpm push
unlock: base crypto wire http net evidence verify tee config state vtpm luks keysrc push
cli: base crypto wire evidence verify tee config state vtpm luks kbs keysrc push unlock
kbsd: base crypto wire push evidence verify
'

# HEADER: the folders or files that may include it.
libraries='
openssl/: crypto verify kbsd http/tls.c push/tls.c
curl/: http/http_impl.h http/curl_load.c
libcryptsetup.h: luks
libdevmapper.h: luks
tss2/: vtpm
jansson.h: wire evidence vtpm luks config/show.c state/state.c
event2/: kbsd
'

n=0
failed=0
check()
{
	n=$((n + 1))
	if [ "$2" = "" ]; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

# "FILE:LINE HEADER" for every include of that form.
includes()
{
	grep -n '^#[[:space:]]*include[[:space:]]*'"$1" ./*/*.[ch] |
		sed 's|^\./\([^:]*:[0-9]*\):#[[:space:]]*include[[:space:]]*.\([^">]*\)[">].*|\1 \2|'
}

folders=$(printf '%s' "$layers" | sed -n 's/:.*//p')
echo "1..$(($(printf '%s\n' "$folders" | wc -l) + $(printf '%s' "$libraries" | grep -c :) + 2))"

# A table that contradicts itself, or a folder without a line, would check nothing.
check "the table goes one way, and has every folder" "$(
	for dir in */; do
		[ -z "$(find "$dir" -name '*.[ch]')" ] || printf '%s\n' "$folders" | grep -Fxq "${dir%/}" || echo "$dir has no line"
	done
	printf '%s' "$layers" | awk -F: 'NF == 2 {
		split($2, allowed, " ")
		for (i in allowed)
			if (!(allowed[i] in seen))
				print $1 " may include " allowed[i] ", which comes later"
		seen[$1]
	}'
)"

for folder in $folders; do
	allowed=" $folder $(printf '%s' "$layers" | sed -n "s/^$folder: *//p") "
	check "$folder includes what its line allows" "$(
		includes '"' | grep "^$folder/" | while read -r where header; do
			case $header in
			config.h) continue ;; # what configure found
			*/*) ;;
			*) echo "$where: \"$header\" is not named by its folder"; continue ;;
			esac
			case $allowed in
			*" ${header%%/*} "*) ;;
			*) echo "$where: $header" ;;
			esac
		done
	)"
done

while IFS=: read -r library users; do
	[ -n "$library" ] || continue
	check "<$library...> stays in$users" "$(
		includes '<' | grep " $library" | while read -r where header; do
			case " $users " in
			*" ${where%%/*} "* | *" ${where%%:*} "*) ;;
			*) echo "$where: $header" ;;
			esac
		done
	)"
done <<EOT
$libraries
EOT

check "nothing in src/ includes a header of the tests" "$(includes '"' | grep ' tests/')"
[ "$failed" = 0 ]
