# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh disable=SC2016,SC2034,SC2154
# Keyslots that the real systemd-cryptenroll and the real clevis seal to a software TPM: what both tests of them share. The machine is
# booted, has an empty volume, and $srk names its storage key.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
. "$TOP_SRCDIR/tests/lib/swtpm.sh"
PATH=$PATH:/usr/sbin:/sbin
need cryptsetup tpm2_pcrextend tpm2_createpolicy tpm2_flushcontext tpm2_dictionarylockout openssl
if missing=$(swtpm_missing); then skip_all "$missing is not installed"; fi
if ! command -v systemd-cryptenroll >/dev/null && ! command -v clevis-luks-bind >/dev/null; then
	skip_all "neither systemd-cryptenroll nor clevis is installed"
fi
trap 'swtpm_stop; cleanup' EXIT
machine mapper
export TSS2_LOG=all+none
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
# shellcheck disable=SC2120 # some scripts pass arguments
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
	new_volume root/dev/disk pass
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
	on_terminal 'PIN for' "$agent unlock root --config /etc/test.conf" "$@"
}

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
sealed="sealed = /boot/root.sealed"

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

boot
fresh
conf 7 "sealed = /boot/root.sealed"
agent enroll root --source=vtpm --key-file pass
srk=$(sed -n 's/.*srk-name = \(000b[0-9a-f]*\).*/\1/p' err)
[ ${#srk} = 68 ] || bail "the storage primary has no name"
