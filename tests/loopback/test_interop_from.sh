#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# enroll --from: the settings and keyslots of systemd-cryptenroll and clevis taken over; and the token forms of systemd 254 to 257.
. "$TOP_SRCDIR/tests/loopback/interop.sh"

# --- taken over
# lines_fit: the printed lines, with interop-unsafe, are a configuration that opens the volume
lines_fit() {
	{
		printf '[agent]\nprofile = bare-metal\n'
		sed 's|/etc/cryptattest/root-signer|/etc/signer|' out
		echo "$unsafe"
	} >root/etc/test.conf
	boot
	unlock
	[ "$code" = 0 ] && [ -e root/mapper/root ]
}
# taken_over TYPE: its keyslot authorizes ours, ours opens, its own can go
taken_over() {
	conf 7 "$sealed"
	agent enroll root "--from=$1" --source=vtpm
	check "$1: its keyslot authorizes a keyslot of ours" all '[ $code = 0 ]' '[ -s root/boot/root.sealed ]' 'grep -q "authorized by keyslot 1" err'
	boot
	unlock
	check "$1: ours opens the volume" all '[ $code = 0 ]' '[ -e root/mapper/root ]' '! grep -q "opened by a" err'
	printf x >nothing
	chmod 600 nothing
	agent wipe root --keyslot 1 --key-file nothing
	check "$1: the old one stays without a passphrase of another" [ $code = 6 ]
	agent wipe root --keyslot 1 --key-file pass
	cryptsetup token remove --token-id 0 root/dev/disk
	boot
	conf 7 "$sealed"
	sed -i '/^header = compat/d' root/etc/test.conf
	unlock
	check "$1: the old keyslot and its token gone, header = strict: opens" all '[ $code = 0 ]' '[ -e root/mapper/root ]'
	rm -r root/boot
}
for words in "--from=tang" "--from=clevis --key-file pass" "--from=clevis --output lines" "--from=clevis --source=kbs --pin-file pass"; do
	# shellcheck disable=SC2086 # words
	agent enroll root $words
	check "enroll $words: a usage error" refused 2 usage
done
if with_systemd; then
	fresh
	boot
	conf 7 "$sealed"
	agent enroll root --from=systemd-tpm2
	check "--from without such a token" refused 8 foreign-absent
	systemd --tpm2-pcrs=4+7 --tpm2-public-key=
	agent enroll root --from=systemd-tpm2
	check "--from prints lines for the configuration" all '[ $code = 0 ]' 'grep -qx "pcrs = 4 7" out' 'grep -qx "bank = sha256" out' \
		'grep -qx "srk-name = $srk" out' 'grep -qx "vk-id = $vk" out' 'grep -qx "pin = no" out' 'cmp -s /dev/null err'
	check "and they are one" lines_fit
	boot
	taken_over systemd-tpm2
	fresh
	boot
	systemd --tpm2-pcrs=7 --tpm2-public-key=root/etc/signer.pem --tpm2-public-key-pcrs=11
	sign
	vtpm='signer = /etc/signer.pem\nsigned-pcrs = 11\npcr-signature = /etc/sig.json\n'
	conf 7 "$sealed"
	agent enroll root --from=systemd-tpm2
	sed -n '/^; -----BEGIN/,/^; -----END/s/^; //p' out >printed.pem
	check "--from prints the signer" all 'grep -qx "signed-pcrs = 11" out' 'cmp printed.pem root/etc/signer.pem' 'grep -qx "vk-id = $vk" out'
	boot other
	agent enroll root --from=systemd-tpm2 --source=vtpm
	check "--from with other PCRs than those that are signed" refused 8 policy-signature
	vtpm=
fi
if with_clevis; then
	fresh
	boot
	clevis_bind tpm2 '{"pcr_bank":"sha256","pcr_ids":"7"}'
	taken_over clevis
fi

# --- the forms of 254 to 257, which this systemd may not write
later "" 'fixedtpm|fixedparent|noda'
conf 7 "$unsafe"
boot
unlock
check "systemd 257's form, under the storage primary: opens" opened systemd-tpm2
if script -qec true /dev/null >/dev/null 2>&1; then
	later 2580 'fixedtpm|fixedparent'
	conf 7 "$unsafe" "pin = yes"
	boot
	typed wrong 2580
	check "systemd 257's form, salted PIN: opens" opened systemd-tpm2
	later 2580 'fixedtpm|fixedparent|noda'
	boot
	typed 2580
	check "a PIN that nobody counts the wrong tries of: refused" all 'refused 8 sealed-attributes "could be guessed"' '! grep -q "PIN for" err'
fi
# Some writers gave the TPM the signer's exponent as zero, its word for 65537, which makes another Name.
if with_systemd && command -v basenc >/dev/null; then
	{
		printf '\000\013'
		printf '0001000B00060040000000100010080000000000''0100%s' "$(openssl rsa -pubin -in root/etc/signer.pem -noout -modulus | cut -d= -f2)" |
			basenc --base16 -d | openssl dgst -sha256 -binary
	} >signer.name
	later "" 'fixedtpm|fixedparent|noda' signer.name
	sign
	vtpm='signer = /etc/signer.pem\nsigned-pcrs = 11\npcr-signature = /etc/sig.json\n'
	conf 7 "$unsafe"
	boot
	unlock
	check "systemd, a signer with exponent zero: opens" opened systemd-tpm2
	vtpm=
fi
later "" 'fixedtpm|fixedparent|noda|userwithauth'
conf 7 "$unsafe"
boot
unlock
check "an object that opens without its policy: refused" refused 8 sealed-attributes

echo "1..$count"
