#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The ids that the agent can print, one a line, from its sources: tests/unit/test_man.sh compares them with the manual. A word counts when it
# stands where an id stands: behind an error class, or as the first word of a call that takes an id. Every other word with a hyphen counts too,
# unless it is a key, an option, or in the list below: who adds one decides whether it is an id.
# sh tests/tools/ids.sh KEYWORDS-ROFF AGENT
set -u
keywords=$1 agent=$2

tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT

# JSON members, names of other programs' things, values of keys, file names.
cat >"$tmp/others" <<'EOT'
additional-evidence aes-xts-plain64 allow-discards azure-ak azure-ek azure-hcl bare-metal configfs-tsm console-enabled
cryptattest-failure-report cryptattest-grd cryptattest-psh cryptattest-push-evidence cryptattest-push-result cryptattest-net cryptattest-secret cryptattest-tee cryptattest-edit cryptattest-header
cryptattest-sealed ec-p256 ec-p521 enter-initrd extra-params hmac-sha256 kbs-or-vtpm leave-initrd no-journal no-read-workqueue
no-write-workqueue not-measured read-only read-write rsa-2048 rsa-3072 rsa-4096 same-cpu-crypt secure-boot selected-hash-algorithm
sev-guest snp-configfs snp-ioctl submit-from-crypt-cpus systemd-fido2 systemd-pkcs11 systemd-recovery systemd-tpm2 tdx-configfs
tee-evidence tee-pubkey tpm-enabled tpm-persisted tpm2-blob tpm2-pcr-bank tpm2-pcrs tpm2-pin tpm2-policy-hash tpm2-primary-alg user-data
vm-configuration c476f1eb-0123-45a5-9641-b4e7dde5bfe3
EOT
# Keys of policies (verify/policy*.c), which this program's `evidence --verify --policy` reads.
cat >>"$tmp/others" <<'EOT'
author-key-digest chip-id family-id host-data id-key-digest image-id masked-chip-id migration-agent min-tcb report-id
EOT
tr ' ' '\n' <"$tmp/others" >"$tmp/not"
"$keywords" | sed -n 's/^\.B //p' | tr -d '\\' >>"$tmp/not"
"$agent" --help | sed -n '3,/^$/s/^  \([a-z-]*\) .*/\1/p' >"$tmp/verbs"
cat "$tmp/verbs" >>"$tmp/not"
while read -r verb; do
	"$agent" help "$verb" | grep -oE -e '--[a-z-]+' | sed 's/^--//'
done <"$tmp/verbs" >>"$tmp/not"
sort -u "$tmp/not" -o "$tmp/not"

# One line for each file, without comments.
find "$TOP_SRCDIR/src" -name "*.[ch]" ! -path "*/kbsd/*" | LC_ALL=C sort | while read -r file; do
	tr '\n\t' '  ' <"$file" | sed 's|/\*[^*]*\*\**\([^/*][^*]*\*\**\)*/||g'
	echo
done >"$tmp/text"
id='[a-z][a-z0-9]*(-[a-z0-9]+)*'
{
	# ..., ERR_CLASS, "id" and the two of a condition; in tables as well
	grep -oE "ERR_[A-Z]+\)?, *(\([^\"]*\) *)?\"$id\"" "$tmp/text"
	grep -oE "ERR_[A-Z]+\)?, *[^\",;{}]*\? *\"$id\" *: *\"$id\"" "$tmp/text"
	# calls whose class is elsewhere, rows of doctor and next-boot, checks of the header
	grep -oE "(err_set|err_set_errno|err_setv|ossl_err|wire_err|mismatch|other_volume|run_nv|preflight_add)\([^;{}\"]*\"$id\"" "$tmp/text"
	grep -oE "(doctor_add|doctor_add_err|new_check|add_way|add_error)\([^;{}\"]*\"$id\"" "$tmp/text"
	grep -oE "(refuse\(v, |differ\()\"$id\"" "$tmp/text"
	grep -oE "\[LAYERS\] = \{[^}]*\}" "$tmp/text"
	grep -oE "\"[HK][0-9]+(-[a-z]+)?\"" "$tmp/text"
	# brackets that a message has itself
	grep -oE " \[[a-z]{4,}(-[a-z]+)*\][:;\"]" "$tmp/text" | sed 's/^ \[\(.*\)\].*/"\1"/' | grep -vE '"(agent|kbs|vtpm|volume|push|section)"'
	grep -oE "\.id = \"$id\"" "$tmp/text"
} | grep -oE '"[a-zA-Z0-9-]+"' | tr -d '"' >"$tmp/ids"
grep -oE "\"[a-z][a-z0-9]*(-[a-z0-9]+)+\"" "$tmp/text" | tr -d '"' | sort -u | comm -23 - "$tmp/not" >>"$tmp/ids"
sort -u "$tmp/ids"
