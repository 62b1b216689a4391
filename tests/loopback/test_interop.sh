#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Keyslots that the real systemd-cryptenroll and the real clevis seal to a software TPM: they open with ours under interop-unsafe = yes
# and within its limits (C7), and are taken over by enroll --from. Nothing here is made by our own code but what enroll makes.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
for tool in cryptsetup tpm2_pcrextend tpm2_createpolicy tpm2_flushcontext tpm2_dictionarylockout openssl; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done
if missing=$(swtpm_missing); then skip_all "$missing is not installed"; fi
if ! command -v systemd-cryptenroll >/dev/null && ! command -v clevis-luks-bind >/dev/null; then
	skip_all "neither systemd-cryptenroll nor clevis is installed"
fi
build=$(cd "$TOP_BUILDDIR" && pwd)
agent=$build/cryptattest-test
trap 'swtpm_stop; cleanup' EXIT
cd "$tmp" || exit 1
export CRYPTATTEST_TEST_ROOT="$tmp/root" TSS2_LOG=all+none
mkdir -p root/etc root/dev root/run root/tee root/mapper
printf %s correct-horse-battery-staple >pass
chmod 600 pass
swtpm_start "$tmp/tpm" || bail "no software TPM"
echo "$swtpm_path" >root/dev/tpm-swtpm
record=root/run/cryptattest/status.json

sha() {
	printf %s "$1" | sha256sum | cut -c1-64
}
# Each restart of a TPM that was not told to shut down counts as a wrong PIN, and what systemd 252 seals is locked out with the PINs.
power_cycle() {
	swtpm_reboot || bail "no software TPM"
	tpm2_dictionarylockout -c >/dev/null 2>&1 && tpm2_dictionarylockout -s -n 100 -t 10 -l 10 >/dev/null 2>&1 || bail "no lockout parameters"
}
# boot [SYSTEM]
boot() {
	power_cycle
	tpm2_pcrextend "4:sha256=$(sha loader)" "7:sha256=$(sha keys)" "9:sha256=$(sha "${1:-system}")" "11:sha256=$(sha "uki ${1:-system}")" || bail "no PCRs"
	rm -rf root/mapper root/run
	mkdir root/mapper root/run
}
# There is no resource manager, and both programs leave sessions behind.
flush() {
	for what in -t -l -s; do
		tpm2_flushcontext $what >/dev/null 2>&1
	done
}
fresh() {
	truncate -s 0 root/dev/disk
	truncate -s 20M root/dev/disk
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 root/dev/disk pass || bail luksFormat
	vk=$("$agent" document root/dev/disk --name root --key-file pass --pins | sed -n 's/^vk-id = //p')
}
systemd() {
	PASSWORD=$(cat pass) systemd-cryptenroll --tpm2-device="swtpm:path=$swtpm_path" "$@" root/dev/disk >systemd.log 2>&1 || {
		sed 's/^/# /' systemd.log
		bail "systemd-cryptenroll $*"
	}
	flush
}
# It asks the TPM that TPM2TOOLS_TCTI names (swtpm_start has set it), and then does not look for /dev/tpmrm0.
clevis_bind() { # PIN CONFIG
	clevis luks bind -y -k pass -d root/dev/disk "$1" "$2" >clevis.log 2>&1 || {
		sed 's/^/# /' clevis.log
		bail "clevis luks bind $*"
	}
	flush
}
# conf PCRS [VOLUME-LINE...]; $vtpm: lines of [vtpm]; $pin_vk: no vk-id when empty
srk=
vtpm=
pin_vk=yes
conf() {
	pcrs=$1
	shift
	{
		printf '[agent]\nprofile = bare-metal\n[vtpm]\n%b' "$vtpm"
		[ -z "$pcrs" ] || printf 'pcrs = %s\n' "$pcrs"
		[ -z "$srk" ] || printf 'srk-name = %s\n' "$srk"
		printf '[volume root]\ndevice = /dev/disk\nmode = vtpm\nheader = compat\n'
		[ -z "$pin_vk" ] || printf 'vk-id = %s\n' "$vk"
		for line; do printf '%s\n' "$line"; done
	} >root/etc/test.conf
}
unsafe="interop-unsafe = yes"
agent() {
	rm -rf root/run/cryptattest
	timeout 60 "$agent" "$@" --config /etc/test.conf >out 2>err </dev/null
	code=$?
}
unlock() {
	agent unlock root
}
opened() { # KIND
	[ "$code" = 0 ] && [ -e root/mapper/root ] && grep -q '"source":"vtpm"' $record && grep -q "opened by a $1 token" err &&
		! grep -qF "$(cat pass)" out err
}
refused() { # EXIT ID [WORDS]
	[ "$code" = "$1" ] && grep -qF "[$2]" err && [ -z "$(ls root/mapper)" ] && { [ -z "${3-}" ] || grep -qF -e "$3" err; }
}
all() {
	for word; do
		eval "$word" || {
			echo "failed: $word"
			return 1
		}
	done
}
with_systemd() {
	command -v systemd-cryptenroll >/dev/null && return
	echo "# systemd-cryptenroll is not installed: its part is left out"
	return 1
}
with_clevis() {
	for tool in clevis-luks-bind clevis-encrypt-tpm2 jose; do
		command -v $tool >/dev/null || {
			echo "# $tool is not installed: clevis's part is left out"
			return 1
		}
	done
}
# typed LINE...: an unlock with a terminal of its own, on which these lines are typed
typed() {
	rm -rf root/run/cryptattest
	for line in "$@"; do
		sleep 0.7
		echo "$line"
	done | timeout 60 script -qec "$agent unlock root --config /etc/test.conf" /dev/null >out 2>&1
	code=$?
	tr -d '\r' <out >err
}

boot
fresh
conf 7 "sealed = /boot/root.sealed"
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
check "the storage primary has a name" [ ${#srk} = 68 ]

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
	"$build/tests/tools/cryptattest-testpki" init pki >/dev/null || bail "no test PKI"
	echo snp >root/tee/kind
	echo "$tmp/pki" >root/tee/pki-dir
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
	if command -v script >/dev/null; then
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
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out sign.pem 2>/dev/null && openssl pkey -in sign.pem -pubout -out root/etc/signer.pem
	openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out other.pem 2>/dev/null && openssl pkey -in other.pem -pubout -out root/etc/other.pem
	# sign: for the value that PCR 11 has now
	sign() {
		tpm2_createpolicy --policy-pcr -l sha256:11 -L policy.bin >/dev/null 2>&1 || bail tpm2_createpolicy
		flush
		printf '{"sha256":[{"pcrs":[11],"pkfp":"%s","pol":"%s","sig":"%s"}]}\n' \
			"$(openssl rsa -pubin -in root/etc/signer.pem -RSAPublicKey_out -outform DER 2>/dev/null | sha256sum | cut -c1-64)" \
			"$(od -An -tx1 -v policy.bin | tr -d ' \n')" "$(openssl dgst -sha256 -sign sign.pem policy.bin | base64 -w0)" >root/etc/sig.json
	}
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
sealed="sealed = /boot/root.sealed"
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

# --- the forms of 254 to 257, which this systemd may not write: the object by tpm2-tools, the token by hand
later() { # PIN|"" ATTRIBUTES [NAME-OF-SIGNER]
	fresh
	boot
	tpm2_createprimary -Q -C o -G ecc256 -a 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt' -c srk.ctx
	flush
	tpm2_evictcontrol -Q -C o -c 0x81000001 >/dev/null 2>&1
	tpm2_evictcontrol -Q -C o -c srk.ctx -o srk.handle 0x81000001 >/dev/null || bail "no storage primary"
	head -c 32 /dev/urandom >secret.bin
	base64 -w0 secret.bin >slot.pass
	chmod 600 slot.pass
	cryptsetup luksAddKey -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file pass root/dev/disk slot.pass || bail luksAddKey
	tpm2_startauthsession -S trial.ctx
	[ -z "${3-}" ] || tpm2_policyauthorize -Q -S trial.ctx -n "$3" -L policy.bin >/dev/null || bail tpm2_policyauthorize
	tpm2_policypcr -Q -S trial.ctx -l sha256:7 -L policy.bin
	[ -z "$1" ] || tpm2_policyauthvalue -Q -S trial.ctx -L policy.bin
	flush
	auth=
	if [ -n "$1" ]; then
		stretched=$(openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt "pass:$1" -kdfopt hexsalt:00112233 -kdfopt iter:10000 -binary PBKDF2 | base64 -w0)
		auth=$(printf %s "$stretched" | sha256sum | cut -c1-64 | sed 's/\(00\)*$//')
	fi
	tpm2_create -Q -C 0x81000001 -i secret.bin -L policy.bin -a "$2" ${auth:+-p "hex:$auth"} -u object.pub -r object.priv >/dev/null || bail tpm2_create
	flush
	printf '{"type":"systemd-tpm2","keyslots":["1"],"tpm2-blob":["%s"],"tpm2-pcrs":[7],"tpm2-pcr-bank":"sha256","tpm2-policy-hash":["%s"],' \
		"$(cat object.priv object.pub | base64 -w0)" "$(od -An -tx1 -v policy.bin | tr -d ' \n')" >token.json
	printf '"tpm2-pin":%s,"tpm2_pcrlock":false,%s"tpm2_srk":"%s"}' "$([ -n "$1" ] && echo true || echo false)" \
		"$([ -n "$1" ] && echo '"tpm2_salt":"ABEiMw==",')" "$(base64 -w0 srk.handle)" >>token.json
	[ -z "${3-}" ] || sed -i "s|}\$|,\"tpm2_pubkey_pcrs\":[11],\"tpm2_pubkey\":\"$(base64 -w0 root/etc/signer.pem)\"}|" token.json
	cryptsetup token import --disable-external-tokens --token-id 0 --json-file token.json root/dev/disk || bail "token import"
}
later "" 'fixedtpm|fixedparent|noda'
conf 7 "$unsafe"
boot
unlock
check "systemd 257's form, under the storage primary: opens" opened systemd-tpm2
if command -v script >/dev/null; then
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
		check "clevis: bank sha1: refused" refused 8 foreign-policy "another PCR bank"
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
