#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Both command lines: every verb takes the options that are listed here and no other, the manual names them all, --help works, bad
# input of every kind ends in the documented exit code and never in a crash, and no output holds the passphrase.
. "$TOP_SRCDIR/tests/loopback/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
agent=$TOP_BUILDDIR/cryptattest-test
server=$TOP_BUILDDIR/cryptattest-kbs
man=$TOP_SRCDIR/man
pki=$TOP_BUILDDIR/tests/pki
"$TOP_BUILDDIR/tests/tools/cryptattest-testpki" init "$pki" || bail "no test PKI"
cd "$tmp" || exit 1
passphrase=correct-horse-battery-staple
root=$tmp/root
export CRYPTATTEST_TEST_ROOT="$root"
mkdir -p root/etc root/dev root/run root/tee bad/directory
echo snp >root/tee/kind
echo "$pki" >root/tee/pki-dir
: >all

# run COMMAND...: sets code; out and err hold what it printed
run() {
	timeout 60 "$@" >out 2>err </dev/null
	code=$?
	cat out err >>all
}
# ends CODE COMMAND...: that exit code; one line on standard error unless it is 0
ends() {
	expected=$1
	shift
	run "$@"
	[ $code = "$expected" ] || {
		echo "exit $code, not $expected: $*" >>problems
		sed 's/^/  /' err >>problems
	}
	[ "$expected" = 0 ] || ! { read -r line && read -r line; } <err || echo "more than one line: $*" >>problems
}
# tap NAME: ok unless ends() found a problem since the last one
tap() {
	count=$((count + 1))
	if [ -s problems ]; then
		echo "not ok $count - $1"
		sed 's/^/# /' problems
	else
		echo "ok $count - $1"
	fi
	: >problems
}
: >problems

# --- options: the word after the colon is a value
verbs="unlock lock recover cap check document enroll wipe attest evidence explain doctor predict next-boot status config"
all_options="all boot prepare check show crypttab:f config:f decode:f format:raw report-data:00 output:f name:n key-file:f keyslot:1 pins profile:compat
	source:main document:f kbs-part:f pin-file:f owner-auth-file:f nv-indices force json status-fd:1 timings kernel:f initrd:f cmdline:c uki:f
	sign:f version:1 remits predicted metrics svg:f push"
takes() {
	case $1 in
	unlock) echo all boot prepare status-fd timings config ;;
	lock | cap) echo config ;;
	recover) echo key-file push status-fd timings config ;;
	check) echo json profile config ;;
	document) echo name key-file pins keyslot profile config ;;
	enroll) echo predicted kernel initrd cmdline uki source from document kbs-part pin-file owner-auth-file key-file output keyslot force config ;;
	wipe) echo source nv-indices owner-auth-file keyslot key-file force config ;;
	attest) echo source json timings status-fd config ;;
	evidence) echo decode verify json format report-data output timings config ;;
	explain) echo remits json config ;;
	doctor) echo json config ;;
	predict) echo kernel initrd cmdline uki sign version output json config ;;
	next-boot) echo kernel initrd cmdline uki json config ;;
	status) echo metrics svg json config ;;
	config) echo check show crypttab json config ;;
	esac
}
# listed PROGRAM VERB: the options that its --help lists
listed() {
	"$1" "$2" --help | sed -n 's/^  --\([a-z-]*\).*/\1/p' | sort | tr '\n' ' '
}
for verb in $verbs; do
	ends 0 "$agent" "$verb" --help
	ends 0 "$agent" "$verb" -h
	ends 0 "$agent" help "$verb"
	grep -q "^cryptattest $verb" out || echo "help of $verb does not begin with its name" >>problems
	# shellcheck disable=SC2046 # words
	wanted=$(printf '%s\n' $(takes "$verb") debug quiet | sort | tr '\n' ' ')
	[ "$(listed "$agent" "$verb")" = "$wanted" ] || echo "$verb --help lists $(listed "$agent" "$verb"), not $wanted" >>problems
	taken=" $(takes "$verb") " others=
	for option in $all_options; do
		case $taken in
		*" ${option%%:*} "*) ;;
		*) others="$others $option" ;;
		esac
	done
	# shellcheck disable=SC2086 # words
	"$TOP_BUILDDIR/tests/tools/opts_tool" "$verb" $others >>problems || bail opts_tool
	set -- $others
	case $1 in
	*:*) ends 2 "$agent" "$verb" word "--${1%%:*}" "${1#*:}" ;;
	*) ends 2 "$agent" "$verb" word "--$1" ;;
	esac
	grep -q "$verb does not take --${1%%:*}" err || echo "$verb --$1: $(cat err)" >>problems
	ends 2 "$agent" "$verb" --no-such-option
	ends 2 "$agent" "$verb" -x
	tap "$verb: its options and no others"
done
for option in json all pins; do
	ends 2 "$agent" check --$option=1 f
done
ends 2 "$agent" unlock --status-f 1 root
ends 2 "$agent" unlock --config
ends 2 "$agent" unlock --config a --config b root
ends 2 "$agent" unlock root --status-fd one
ends 2 "$agent" unlock root --status-fd 97
ends 2 "$agent" unlock root --all
ends 2 "$agent" unlock
ends 2 "$agent" lock
ends 2 "$agent" lock a b
ends 2 "$agent" lock a/b
ends 2 "$agent" status extra
ends 2 "$agent" document f
ends 2 "$agent" document f --name 'a b'
ends 2 "$agent" document f --name root --profile loose
ends 2 "$agent" enroll root
ends 2 "$agent" enroll root --source=other
ends 2 "$agent" enroll --source=kbs
ends 2 "$agent" wipe root
ends 2 "$agent" wipe root --keyslot one
ends 2 "$agent" wipe root --keyslot 7 --keyslot 1
grep -q -e "--keyslot is given twice" err || echo "two keyslots: $(cat err)" >>problems
ends 2 "$agent" config --check --show
ends 2 "$agent" config --show --crypttab /dev/null
ends 2 "$agent" evidence --format xml
ends 2 "$agent" evidence --format raw --json
ends 2 "$agent" evidence --decode f --report-data 00
ends 2 "$agent" evidence --decode f --timings
ends 2 "$agent" evidence --report-data 0
ends 2 "$agent" evidence --report-data zz
ends 2 "$agent" evidence --verify
ends 2 "$agent" evidence --verify f --format raw
ends 2 "$agent" evidence --verify f --decode f
ends 2 "$agent" no-such-verb
ends 2 "$agent" help no-such-verb
ends 2 "$agent"
ends 0 "$agent" --help
ends 0 "$agent" --version
tap "words that do not fit together"

for verb in $verbs; do
	grep -qF "\fBcryptattest $(echo "$verb" | sed 's/-/\\-/g')\fR" "$man/cryptattest.8" || echo "no $verb in the synopsis" >>problems
	for option in $(takes "$verb") debug quiet; do
		grep -q "^\\.BI\\{0,1\\}R\\{0,1\\} .*\\\\-\\\\-$(echo "$option" | sed 's/-/\\\\-/g')" "$man/cryptattest.8" ||
			echo "--$option of $verb has no entry in cryptattest(8)" >>problems
	done
done
tap "cryptattest(8) describes every option"

# --- input
printf %s "$passphrase" >bad/passphrase
chmod 600 bad/passphrase
: >bad/empty
head -c 65536 /dev/urandom >bad/random
printf '\n' >bad/newline
chmod 600 bad/*
cat >root/etc/good.conf <<-X
	[agent]
	deadline = 2s
	[kbs main]
	url = https://127.0.0.1:1
	pin = sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
	key = ec-p256
	[volume root]
	device = /dev/disk
	secret = main:default/vm/root
X
ends 0 "$agent" config --config /etc/good.conf
head -c 100 root/etc/good.conf >root/etc/truncated.conf
mkdir root/etc/directory.conf
cp bad/random root/etc/random.conf
cp bad/passphrase root/etc/passphrase.conf
: >root/etc/empty.conf
ln -s /dev/null root/etc/null.conf
for kind in truncated directory random passphrase missing; do
	for verb in "config" "config --json" "config --show" "unlock --all" "unlock root" "recover root" "check" "explain root" "attest" \
		"lock root" "status" "status --json" "evidence"; do
		# shellcheck disable=SC2086 # words
		ends 2 "$agent" $verb --config /etc/$kind.conf
		case $verb in
		config*--json) grep -q '"ok": false' out || echo "$verb, $kind: no JSON" >>problems ;;
		esac
	done
	ends 2 "$agent" document bad/random --name root --key-file bad/passphrase --config /etc/$kind.conf
	# The one that must not give up: a second line says what it closed.
	run "$agent" cap --config /etc/$kind.conf
	[ $code = 2 ] && [ "$(wc -l <err)" = 2 ] && grep -q "capped without it" err || echo "cap, $kind: exit $code, $(cat err)" >>problems
done
for kind in empty null; do
	ends 0 "$agent" config --config /etc/$kind.conf
	ends 3 "$agent" unlock --all --config /etc/$kind.conf
	ends 2 "$agent" unlock root --config /etc/$kind.conf
	ends 3 "$agent" check --config /etc/$kind.conf
	ends 3 "$agent" attest --config /etc/$kind.conf
	ends 0 "$agent" status --config /etc/$kind.conf
	ends 0 "$agent" evidence --config /etc/$kind.conf
done
ends 0 "$agent" status --config /etc/good.conf
grep -q '^root .*not tried in this boot \[not-tried\]' out || echo "status does not list what was not tried" >>problems
ends 0 "$agent" status --config /etc/good.conf --json
grep -q '"not-tried"' out || echo "status --json does not list what was not tried" >>problems
# The host's init-data: bound by the report, given to this machine or not.
for use in off optional required; do
	sed "s/^\[agent\]/&\ninit-data = $use/" root/etc/good.conf >root/etc/$use.conf
	grep -q "^init-data = $use" root/etc/$use.conf || printf '[agent]\ninit-data = %s\n' $use >>root/etc/$use.conf
done
ends 0 "$agent" evidence --config /etc/optional.conf
grep -q 'none, and none required' err || echo "evidence does not say that there are no init-data" >>problems
ends 2 "$agent" evidence --config /etc/required.conf
mkdir -p root/etc/cryptattest
printf 'version = "0.1.0"\nalgorithm = "sha256"\n[data]\nplace = "here"\n' >root/etc/cryptattest/init-data.toml
ends 9 "$agent" evidence --config /etc/optional.conf
ends 0 "$agent" evidence --config /etc/off.conf
[ ! -e root/tee/set ] || mv root/tee/set set.before
echo "host-data=$(sha256sum <root/etc/cryptattest/init-data.toml | cut -d' ' -f1)" >root/tee/set
ends 0 "$agent" evidence --config /etc/required.conf
grep -q 'bound by HOST_DATA' err || echo "evidence does not say that the init-data are bound" >>problems
rm root/tee/set root/etc/cryptattest/init-data.toml
[ ! -e set.before ] || mv set.before root/tee/set
tap "status and evidence with --config"
tap "configuration: truncated, random, empty, a directory, a device, missing"

for kind in empty random directory passphrase; do
	code_of_header=9
	[ $kind != directory ] || code_of_header=7
	ends $code_of_header "$agent" check bad/$kind
	ends $code_of_header "$agent" check bad/$kind --json
	ends $code_of_header "$agent" check bad/$kind --profile compat
	ends $code_of_header "$agent" document bad/$kind --name root --key-file bad/passphrase
done
ends 7 "$agent" check /dev/null
ends 2 "$agent" wipe root --keyslot 1 --keyslot 0 --config /etc/good.conf
grep -q 'keyslot is given twice' err || echo "two keyslots: the last one is taken" >>problems
ends 7 "$agent" document /dev/null --name root --key-file bad/passphrase
printf '[volume root]\ndevice = /dev/disk\nsecret = prompt\n' >root/etc/prompt.conf
run "$agent" config --check --config /etc/prompt.conf
[ $code = 0 ] && grep -q 'warning: .*prompt-at-boot' err || echo "config --check does not say that no boot asks" >>problems
run "$agent" next-boot --config /etc/prompt.conf
grep -q '^fail *source *root: a passphrase typed at boot' out || echo "next-boot takes a prompt" >>problems
run "$agent" explain root --config /etc/prompt.conf
grep -q 'identity .*nothing but the passphrase' out || echo "explain speaks of a broker" >>problems
ends 7 "$agent" check ./missing
ends 2 "$agent" check missing
ends 7 "$agent" unlock root --config /etc/good.conf
mkdir root/dev/disk
ends 7 "$agent" unlock root --config /etc/good.conf
rmdir root/dev/disk
for kind in empty random; do
	cp bad/$kind root/dev/disk
	ends 9 "$agent" unlock root --config /etc/good.conf
	ends 9 "$agent" recover root --key-file bad/passphrase --config /etc/good.conf
done
tap "header: truncated, random, empty, a directory, a device, missing"

if command -v cryptsetup >/dev/null; then
	truncate -s 20M root/dev/disk
	cryptsetup luksFormat -q --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 root/dev/disk bad/passphrase || bail luksFormat
	cp root/dev/disk good.img
	for size in 100 4096 20000 40000; do
		head -c $size good.img >torn.img
		ends 9 "$agent" check torn.img
		ends 9 "$agent" document torn.img --name root --key-file bad/passphrase
	done
	for words in "check good.img:volumes name device profile result findings uuid cipher keyslots" "status:boot_id result exit cap volumes" \
		"explain root --config /etc/good.conf:volume usable steps step ok text hint" \
		"config --check --config /etc/good.conf:ok volumes crypttab id message hint" \
		"config --show --config /etc/good.conf:agent kbs volume origin settings value"; do
		# shellcheck disable=SC2086 # words
		ends 0 "$agent" ${words%%:*} --json
		for member in version ${words#*:}; do
			grep -q "\"$member\":" out || echo "no $member in ${words%%:*} --json" >>problems
		done
	done
	ends 0 "$agent" check good.img
	ends 0 "$agent" document good.img --name root --key-file bad/passphrase --pins
	ends 6 "$agent" document good.img --name root --key-file bad/random
	grep -q "root: good.img: .*badkey" err || echo "document does not say which volume" >>problems
	ends 9 "$agent" document good.img --name root --key-file bad/empty
	ends 9 "$agent" document good.img --name root --key-file bad/passphrase --keyslot 7
	ends 9 "$agent" document good.img --name root --key-file /dev/null
	ends 2 "$agent" document good.img --name root --key-file bad/directory
	ends 2 "$agent" document good.img --name root --key-file missing
	ends 2 "$agent" document good.img --name other --key-file bad/passphrase --config /etc/good.conf
	(cat bad/passphrase && echo) >bad/with-newline
	chmod 600 bad/with-newline
	ends 6 "$agent" document good.img --name root --key-file bad/with-newline
	grep -q "ends in a newline" err || echo "a newline is not named" >>problems
	chmod 644 bad/with-newline
	ends 2 "$agent" document good.img --name root --key-file bad/with-newline
	ends 6 "$agent" recover root --key-file bad/random --config /etc/good.conf
	ends 2 "$agent" recover root --key-file missing --config /etc/good.conf
	ends 0 "$agent" recover root --key-file bad/passphrase --config /etc/good.conf
	ends 0 "$agent" lock root --config /etc/good.conf
	ends 2 "$agent" lock rot --config /etc/good.conf
	grep -q "did you mean root" err || echo "the nearest volume is not named" >>problems
	run "$agent" unlock root --config /etc/good.conf
	[ $code = 5 ] && grep -q 'root: .*\[net-connect\]; to do: ' err || echo "broker down: exit $code, $(cat err)" >>problems
	tap "key files, pins, a broker that is down"
fi

"$TOP_BUILDDIR/tests/tools/cryptattest-testpki" snp "$pki" --out report.bin || bail report
"$TOP_BUILDDIR/tests/tools/cryptattest-testpki" tdx "$pki" --out quote.bin || bail quote
head -c 1000 report.bin >bad/truncated-report
head -c 700 quote.bin >bad/truncated-quote
"$TOP_BUILDDIR/tests/tools/cryptattest-testpki" snp "$pki" --out report.json --format trustee || bail json
head -c 1000 report.json >bad/truncated-json
for kind in empty random passphrase truncated-report truncated-quote truncated-json; do
	ends 4 "$agent" evidence --decode bad/$kind
	ends 4 "$agent" evidence --decode bad/$kind --json
	ends 4 "$agent" evidence --verify bad/$kind
done
for file in bad/directory missing; do
	ends 2 "$agent" evidence --decode $file
	ends 2 "$agent" evidence --verify $file
	ends 2 "$agent" evidence --verify report.bin --store $file/none
done
ends 4 "$agent" evidence --decode /dev/null
ends 4 "$agent" evidence --verify /dev/null
ends 2 "$agent" evidence --decode report.bin --output report.bin
rm root/tee/kind
ends 11 "$agent" evidence
ends 11 "$agent" attest --config /etc/good.conf
echo snp >root/tee/kind
tap "evidence: truncated, random, empty, a directory, a device, missing; no TEE"

for kind in random passphrase empty newline; do
	mkdir -p root/run/cryptattest
	cp bad/$kind root/run/cryptattest/status.json
	ends 0 "$agent" status
	ends 0 "$agent" status --json
	cp bad/$kind root/run/cryptattest/init-data.toml
	run "$agent" attest --config /etc/good.conf
	case $code in
	5 | 9) ;;
	*) echo "init-data $kind: exit $code" >>problems ;;
	esac
	rm -rf root/run/cryptattest
	ends 0 "$agent" config --crypttab bad/$kind --config /etc/good.conf
done
ends 2 "$agent" config --crypttab missing --config /etc/good.conf
ends 2 "$agent" config --crypttab bad/directory --config /etc/good.conf
echo "root /dev/disk none luks" >crypttab
run "$agent" config --json --crypttab crypttab --config /etc/good.conf
[ $code = 2 ] && grep -q '"ok": false' out && grep -q 'crypttab:1: .*keyscript' out || echo "crypttab: exit $code" >>problems
tap "status record, init-data, crypttab"

# --- the server's program
if [ -x "$server" ]; then
	accepts() {
		case $1 in
		init) echo name ip user days rotate ;;
		serve) echo dir listen user cert key policy ca store test-root protocol session-time connection-time idle-time \
			max-connections max-per-address max-sessions ;;
		resource) echo dir file document binary replace ;;
		policy) echo resource dir ca store test-root ;;
		push) echo key make-key resource policy document dir ca store test-root wait timeout ;;
		verify) echo tee evidence vek ca store test-root report-data at policy resource collateral dir ;;
		esac
	}
	for verb in init serve resource policy push verify; do
		ends 0 "$server" $verb --help
		# shellcheck disable=SC2046 # words
		wanted=$(printf '%s\n' $(accepts $verb) | sort | tr '\n' ' ')
		[ "$(listed "$server" $verb)" = "$wanted" ] || echo "$verb --help lists $(listed "$server" $verb), not $wanted" >>problems
		for option in json name ip days rotate listen cert protocol max-sessions file document evidence at tee no-such-option; do
			case " $(accepts $verb) " in
			*" $option "*) continue ;;
			esac
			ends 2 "$server" $verb --$option 1
			grep -q "there is no option --$option" err || echo "$verb --$option: $(cat err)" >>problems
		done
		ends 2 "$server" $verb -x
		for option in $(accepts $verb); do
			grep -q "\\\\-\\\\-$(echo "$option" | sed 's/-/\\\\-/g')\\([^a-z\\\\]\\|\$\\)" "$man/cryptattest-kbs.8" ||
				echo "--$option of $verb is not in cryptattest-kbs(8)" >>problems
		done
		tap "cryptattest-kbs $verb: its options and no others"
	done
	user=
	[ "$(id -u)" -ne 0 ] || user="--user nobody"
	chmod 0755 "$tmp"
	# shellcheck disable=SC2086 # none or two words
	ends 0 "$server" init $user --ip 127.0.0.1 kbs
	for kind in random passphrase directory missing; do
		ends 2 "$server" policy check bad/$kind
		ends 2 "$server" verify --evidence report.bin --policy bad/$kind --resource a/b/c
		ends 2 "$server" verify --evidence report.bin --vek bad/$kind
		ends 2 "$server" verify --evidence report.bin --ca bad/$kind
		ends 2 "$server" verify --evidence report.bin --test-root bad/$kind
		ends 2 "$server" serve --dir kbs --listen 127.0.0.1:0 --policy bad/$kind
		ends 2 "$server" serve --dir kbs --listen 127.0.0.1:0 --cert bad/$kind
		ends 2 "$server" serve --dir kbs --listen 127.0.0.1:0 --test-root bad/$kind
		ends 2 "$server" serve --dir bad/$kind
		ends 2 "$server" resource list --dir bad/$kind
	done
	for file in bad/random missing; do
		ends 2 "$server" verify --evidence report.bin --store $file
	done
	for file in bad/empty /dev/null; do
		ends 0 "$server" policy check $file
		ends 4 "$server" policy from-evidence $file
		ends 4 "$server" verify --evidence $file
		ends 2 "$server" resource add --dir kbs --file $file default/vm/root
	done
	for kind in random passphrase truncated-report truncated-json; do
		ends 4 "$server" policy from-evidence bad/$kind
		ends 4 "$server" verify --evidence bad/$kind
		ends 9 "$server" resource add --dir kbs --document --file bad/$kind default/vm/root
	done
	ends 2 "$server" resource add --dir kbs --file missing default/vm/root
	ends 2 "$server" resource add --dir kbs --file bad/directory default/vm/root
	ends 2 "$server" resource add --dir kbs --file bad/passphrase default/vm
	ends 0 "$server" resource add --dir kbs --file bad/passphrase default/vm/root
	ends 2 "$server" resource add --dir kbs --file bad/passphrase default/vm/root
	ends 0 "$server" resource list --dir kbs
	tap "cryptattest-kbs: truncated, random, empty, a directory, a device, missing"
fi

encoded=$(printf %s "$passphrase" | base64)
grep -q -e "$passphrase" -e "$encoded" all && echo "the passphrase was printed" >>problems
grep -q "correct-horse" all && echo "a part of the passphrase was printed" >>problems
tap "no output holds the passphrase"
echo "1..$count"
