#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Volumes of systemd-cryptenroll and clevis open with ours under interop-unsafe = yes and within its limits (C7), and not without it.
# No keyslot here is made by our own code.
. "$TOP_SRCDIR/tests/loopback/interop.sh"

if with_systemd; then
	# --- PCRs alone
	systemd --tpm2-pcrs=7+4 --tpm2-public-key=
	cp root/dev/disk systemd.img
	boot
	conf 7
	unlock
	check "systemd: without the switch, the configuration says what is missing" all 'refused 2 config-invalid "needs sealed"' 'grep -q "interop-unsafe = yes" err'
	conf 7 "sealed = /boot/root.sealed"
	unlock
	check "systemd: without the switch, with a sealed file that is not there" all 'refused 8 sealed-absent "not used without interop-unsafe"' 'grep -q "enroll --from=systemd-tpm2" err'
	conf 7 "$unsafe" "header = strict"
	sed -i '/^header = compat/d' root/etc/test.conf
	unlock
	check "systemd: the strict header profile refuses the token" refused 9 H11
	pin_vk=
	conf 7 "$unsafe"
	unlock
	check "systemd: without vk-id nothing proves who sealed it" refused 8 sealed-origin
	pin_vk=yes
	conf 7 "$unsafe"
	unlock
	check "systemd: PCRs of the configuration and more: opens" opened systemd-tpm2
	check "systemd: the report tells by what" grep -q "vtpm, systemd-tpm2 token" out err
	boot
	unlock
	check "systemd: and in the next boot" opened systemd-tpm2
	rm root/mapper/*
	unlock
	check "systemd: not once more after the cap" refused 12 capped
	boot
	agent explain root
	check "explain: the token and its policy" all '[ $code = 0 ]' 'grep -q "systemd-tpm2 token of keyslot 1: its policy holds now" out'
	agent explain root --remits
	check "explain --remits: whose secret" grep -q "a keyslot that another program sealed" out
	agent doctor
	check "doctor warns of it" grep -q "systemd-tpm2 token of keyslot 1" out
	boot
	conf "4 7 9" "$unsafe"
	unlock
	check "systemd: fewer PCRs than the configuration's: refused" refused 8 foreign-policy "sealed for PCR 4 7, the configuration says pcrs = 4 7 9"
	vtpm='bank = sha384\n'
	conf 7 "$unsafe"
	unlock
	check "systemd: another bank: refused" refused 8 foreign-policy "another PCR bank"
	vtpm=
	conf 7 "$unsafe" "pin = yes"
	unlock
	check "systemd: the configuration wants a PIN: refused" refused 8 sealed-pin
	conf 7 "$unsafe" "keyslot = 0"
	unlock
	check "systemd: the configuration names another keyslot: refused" refused 8 foreign-keyslot
	other=$vk
	vk=$(printf '%064d' 1)
	conf 7 "$unsafe"
	unlock
	check "systemd: not the owner's volume: refused" refused 9 K4
	vk=$other
	conf 7 "$unsafe"
	power_cycle
	tpm2_pcrextend "4:sha256=$(sha other)" "7:sha256=$(sha keys)"
	unlock
	check "systemd: another PCR 4: refused" refused 8 policy "other values of PCR 4 7"
	# The switch stands or falls with the limits of the profile and the mode.
	conf "4 7" "$unsafe"
	sed -i 's/^profile = .*/profile = cvm/' root/etc/test.conf
	unlock
	check "systemd: not on a confidential VM" refused 2 config-invalid "without audit and cap"
	# Behind a broker that is not there. kbs+vtpm has nothing to do with it.
	machine_tee
	boot
	conf 7 "$unsafe" "secret = main:default/vm/root"
	sed -i 's/^mode = .*/mode = kbs-or-vtpm/; s/^pcrs/fallback-after = 300ms\npcrs/; s/^profile.*/&\ndeadline = 20s/' root/etc/test.conf
	printf '[kbs main]\nurl = https://127.0.0.1:1\npin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nkey = ec-p256\n' >>root/etc/test.conf
	unlock
	check "systemd: kbs-or-vtpm without a broker: opens" all 'opened systemd-tpm2' 'grep -q "unreachable" err'
	sed -i 's/^mode = .*/mode = kbs+vtpm/' root/etc/test.conf
	rm -f root/mapper/root root/tee/kind
	unlock
	check "systemd: not with kbs+vtpm" refused 2 config-invalid "opens the volume alone"
	# A token that says what its object is not.
	boot
	conf 7 "$unsafe"
	cryptsetup token export --token-id 0 root/dev/disk >token.json && cryptsetup token remove --token-id 0 root/dev/disk
	sed 's/"tpm2-pcrs":\[4,7\]/"tpm2-pcrs":[7,9]/' token.json | cryptsetup token import --token-id 0 root/dev/disk
	unlock
	check "systemd: a token that was changed: refused" refused 8 policy
	cryptsetup token remove --token-id 0 root/dev/disk
	sed 's/"tpm2-pin"/"tpm2_salt":"?","tpm2-pin"/' token.json | cryptsetup token import --token-id 0 root/dev/disk
	unlock
	check "systemd: a token that is broken: refused" refused 9 foreign-token

	# --- PIN
	fresh
	boot
	PASSWORD=$(cat pass) NEWPIN=4711-0815 systemd --tpm2-pcrs=7 --tpm2-with-pin=yes --tpm2-public-key=
	conf 7 "$unsafe"
	boot
	unlock
	check "systemd, PIN: the configuration has none: refused" refused 8 sealed-pin
	conf 7 "$unsafe" "pin = yes"
	unlock
	check "systemd, PIN: no terminal" refused 2 prompt
	if script -qec true /dev/null >/dev/null 2>&1; then
		typed 4711-0815
		check "systemd, PIN: opens" opened systemd-tpm2
		boot
		typed wrong 4711-0815
		check "systemd, PIN: a wrong one is asked for again" all 'opened systemd-tpm2' '[ "$(grep -c "PIN for root" err)" -ge 2 ]'
		boot
		typed wrong wrong wrong
		check "systemd, PIN: three wrong ones" refused 8 tpm-auth
	fi

	# --- signed PCR policies
	fresh
	boot
	systemd --tpm2-pcrs=7 --tpm2-public-key=root/etc/signer.pem --tpm2-public-key-pcrs=11
	systemd --tpm2-pcrs= --tpm2-public-key=root/etc/signer.pem --tpm2-public-key-pcrs=11
	sign
	vtpm='signer = /etc/signer.pem\nsigned-pcrs = 11\npcr-signature = /etc/sig.json\n'
	conf 7 "$unsafe"
	boot
	unlock
	check "systemd, signed: opens" opened systemd-tpm2
	boot update
	unlock
	check "systemd, signed: an update that nobody signed: refused" refused 8 policy-signature
	sign
	unlock
	check "systemd, signed: the update, signed: opens" opened systemd-tpm2
	conf "" "$unsafe" "keyslot = 2"
	boot update
	unlock
	check "systemd, signed: without literal PCRs: opens" opened systemd-tpm2
	vtpm='signer = /etc/other.pem\nsigned-pcrs = 11\npcr-signature = /etc/sig.json\n'
	conf 7 "$unsafe"
	boot update
	unlock
	check "systemd, signed: another signer in the configuration: refused" refused 8 foreign-policy "another signer"
	vtpm=
	conf 7 "$unsafe"
	unlock
	check "systemd, signed: no signer in the configuration: refused" refused 8 foreign-policy "does not name"
fi

if with_clevis; then
	fresh
	boot
	clevis_bind tpm2 '{"pcr_bank":"sha256","pcr_ids":"4,7"}'
	boot
	conf 7 "sealed = /boot/root.sealed"
	unlock
	check "clevis: without the switch" refused 8 sealed-absent "the header's clevis token"
	conf 7 "$unsafe"
	unlock
	check "clevis: opens" opened clevis
	boot
	conf "7 9" "$unsafe"
	unlock
	check "clevis: fewer PCRs than the configuration's: refused" refused 8 foreign-policy
	conf 7 "$unsafe"
	power_cycle
	tpm2_pcrextend "4:sha256=$(sha loader)" "7:sha256=$(sha "other keys")"
	unlock
	check "clevis: another PCR 7: refused" refused 8 policy
	fresh
	boot
	clevis_bind tpm2 '{"key":"rsa","pcr_bank":"sha256","pcr_ids":["7"]}'
	conf 7 "$unsafe"
	boot
	unlock
	check "clevis: RSA primary: opens" opened clevis
	# clevis's own default, when pcr_bank is not given.
	fresh
	boot
	tpm2_pcrextend "7:sha1=$(printf %s keys | sha1sum | cut -c1-40)" 2>/dev/null
	if tpm2_pcrread sha1:7 | grep -q 0x; then
		clevis_bind tpm2 '{"pcr_ids":"7"}'
		conf 7 "$unsafe"
		unlock
		check "clevis: bank sha1: refused" refused 8 foreign-policy "another PCR bank than the configuration's: sha1, not sha256"
		check "clevis: bank sha1: ... and what to do" grep -q "bank = sha1 in \[vtpm\] opens it" err
		vtpm='bank = sha1\n'
		conf 7 "$unsafe"
		unlock
		check "clevis: what it binds by default, bank = sha1 in the configuration: opens" opened clevis
		rm -f root/mapper/root
		conf 7 "$sealed"
		unlock
		check "clevis: bank = sha1 is not for sealed files of ours" refused 2 config-invalid "is for what clevis bound"
		vtpm=
		conf 7 "$unsafe"
		agent enroll root --from=clevis
		check "clevis: bank sha1: --from says that it is for keyslots of clevis alone" grep -q "^; only without sealed (interop-unsafe = yes): bank = sha1" out
		conf 7 "$sealed"
		agent enroll root --from=clevis --source=vtpm
		check "clevis: bank sha1: taken over" all '[ $code = 0 ]' '[ -s root/boot/root.sealed ]'
		rm -r root/boot
	fi
	fresh
	boot
	clevis_bind tpm2 '{}'
	conf 7 "$unsafe"
	unlock
	check "clevis: no PCRs: refused" refused 8 foreign-policy "opens for any system"
	check "clevis: no PCRs: ... and what to do" grep -q "with a passphrase: cryptattest enroll VOLUME --source=vtpm; or bind it to PCRs: clevis luks bind" err
	fresh
	clevis_bind sss '{"t":1,"pins":{"tpm2":{"pcr_bank":"sha256","pcr_ids":"7"}}}'
	conf 7 "$unsafe"
	unlock
	check "clevis: sss around tpm2: refused by name" refused 8 foreign-unsupported "pin sss"
fi

# --- another TPM: the same key is not made there
fresh
boot
if command -v systemd-cryptenroll >/dev/null; then systemd --tpm2-pcrs=7 --tpm2-public-key=; else clevis_bind tpm2 '{"pcr_bank":"sha256","pcr_ids":"7"}'; fi
conf 7 "$unsafe"
swtpm_replace
boot
unlock
check "another TPM than srk-name says: refused" refused 8 tpm-replaced
conf 7 "sealed = /boot/root.sealed"
srk=
conf 7 "sealed = /boot/root.sealed"
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
conf 7 "$unsafe"
unlock
check "another TPM, with its srk-name: the object is not its own" refused 8 tpm-replaced
fresh
unlock
check "no token at all" refused 8 foreign-absent
echo "1..$count"
