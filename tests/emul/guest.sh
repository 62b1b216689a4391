#!/bin/busybox sh
# shellcheck shell=dash disable=SC2010,SC2119,SC2120
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# The init of run.sh's guests. Each check prints PASS or FAIL; what a failed one saw follows, indented.

PATH=/bin
export PATH
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /run
ip link set lo up 2>/dev/null

REPORTS=/sys/kernel/config/tsm/report
FAKE=/sys/module/tsm_fake/parameters
SUFFIX=-0123456789abcdef

# check NAME PATTERN COMMAND...: all that COMMAND prints must match the pattern somewhere.
check()
{
	name=$1 pattern=$2
	shift 2
	[ ! -e /tmp/out ] || mv /tmp/out /tmp/previous
	"$@" >/tmp/out 2>&1
	if grep -Eq -- "$pattern" /tmp/out; then
		echo "PASS $name"
	else
		echo "FAIL $name: no \"$pattern\" in"
		sed 's/^/  /' /tmp/out
	fi
}

# holds NAME COMMAND...: COMMAND must succeed.
holds()
{
	name=$1
	shift
	if "$@"; then echo "PASS $name"; else echo "FAIL $name"; fi
}

# shellcheck disable=SC2086 # parameters are words
load() { [ ! -e "/modules/$1.ko" ] || insmod "/modules/$1.ko" $2 $3 $4; }
set_fault() { echo "$2" >"$FAKE/$1"; }
get() { cat "$FAKE/$1"; }
instances() { ls $REPORTS | grep -c cryptattest; }
no_instances() { [ "$(instances)" = 0 ]; }
collect() { tee_probe collect "$@"; }
# The test does not wait out the pause between SNP requests each time; the pause has its own checks.
svsm() { rm -f /run/cryptattest/tee-request; tee_probe svsm "$@"; }
unpaced() { rm -f /run/cryptattest/tee-request; tee_probe collect "$@"; }
# Last collect took at least so many milliseconds.
took() { [ "$(sed -n 's/.* \([0-9]*\) ms$/\1/p' /tmp/out | tail -n 1)" -ge "$1" ]; }

tee()	# tee KIND MODULE-PARAMETER... [-- SIGNER-OPTION...]: unloads the TEE that is there and makes another one
{
	kind=$1
	shift
	params=
	while [ $# -gt 0 ] && [ "$1" != -- ]; do params="$params $1"; shift; done
	[ $# = 0 ] || shift
	no_tee
	case $kind in snp) provider=sev_guest ;; *) provider=tdx_guest ;; esac
	# shellcheck disable=SC2086
	load tsm_fake "tee=$provider" $params
	signer "$kind" "$@"
}

signer()
{
	stop tee_signer
	kind=$1
	shift
	tee_signer --tee "$kind" --pki /pki --background "$@"
}

# Ends a program of this guest and waits until it is gone.
stop()
{
	killall "$1" 2>/dev/null || return 0
	while pidof "$1" >/dev/null; do usleep 50000; done
}

no_tee()
{
	stop tee_signer
	rmmod tsm_fake 2>/dev/null
	rm -f /run/cryptattest/tee-request
}

wait_for() { n=0; while ! "$@" && [ $n -lt 200 ]; do usleep 50000; n=$((n + 1)); done; }
working() { [ "$(get working)" = Y ]; }
idle() { ! working; }

# By its number: killall would find the collector by its program as well.
kill_agent_at_work()
{
	rm -f /run/cryptattest/tee-request
	tee_probe collect >/dev/null 2>&1 &
	pid=$!
	wait_for working
	kill -9 $pid
	wait $pid
	wait_for idle
	wait_for no_instances
}

# Writes to whatever instance there is after its report was made and before the collector (whose number is in the name) can look at
# the generation again, as a careless second program could.
race()
{
	wait_for working
	i=$(ls -d $REPORTS/cryptattest-*)
	pid=${i##*/cryptattest-} pid=${pid%-*}
	kill -STOP "$pid"	# takes effect when the kernel is done with its read
	wait_for idle
	head -c 64 /dev/zero >"$i/inblob"
	kill -CONT "$pid"
}

configfs_detection()
{
	check "no configfs: the reason is named" "snp-configfs: .*(configfs is not loaded|no configfs)" tee_probe detect
	load configfs
	check "configfs is mounted when it is not there" "snp-configfs: no /sys/kernel/config/tsm/report" tee_probe detect
	holds "... at its place" grep -q "^configfs /sys/kernel/config configfs .*nosuid,nodev,noexec" /proc/mounts
	load tsm
	check "the interface without a driver" "snp-configfs: .*no TEE driver is loaded" tee_probe detect
	check "... gives no evidence" "error noevidence no-tee .*snp-ioctl: no /dev/sev-guest" collect
}

configfs_snp()
{
	(usleep 800000; tee snp) &
	check "SNP: a driver that is just being loaded is waited for" "^provider snp-configfs$" tee_probe detect
	wait
	tee snp
	check "SNP: detected by its provider" "^provider snp-configfs$" tee_probe detect
	check "SNP: report and certificates" "^ok snp-configfs report 1184 aux [1-9][0-9]+ vmpl 0" collect
	check "SNP: next request, judged by src/verify" "^verified test:ARK-Milan" collect --roots /pki/roots.pem
	holds "SNP: ... is paced" took 1000
	signer snp --flip 144
	check "SNP: measurement changed after signing" "^refused snp-signature" collect --roots /pki/roots.pem
	holds "SNP: no instance is left" no_instances
	signer snp --no-certs
	check "SNP: host without certificates" "^ok snp-configfs report 1184 aux 0 " unpaced
	signer snp --flip 80
	check "SNP: report for other data is refused" "^error integrity evidence-report-data" unpaced
	signer snp --empty
	check "SNP: empty report" "^error noevidence empty-quote" unpaced
	tee snp floor=2
	check "SNP: privilege level of the kernel is asked for" "^ok snp-configfs report 1184 .* vmpl 2 " unpaced
}

configfs_svsm()
{
	tee snp
	check "SVSM: at VMPL 0 there is none" "^svsm no$" svsm
	check "SVSM: ... and the kernel offers no service" "^error noevidence svsm-absent" cat /tmp/previous
	printf "endorsement key" >/tmp/manifest
	tee snp floor=2 -- --manifest /tmp/manifest
	check "SVSM: manifest and report" "^manifest 15 ok snp-configfs report 1184 aux [1-9][0-9]+ vmpl 0 " svsm --roots /pki/roots.pem
	check "SVSM: ... over nonce and manifest" "^verified test:ARK-Milan" cat /tmp/previous
	check "SVSM: the guest's own report beside it" "^ok snp-configfs report 1184 .* vmpl 2 " unpaced
	signer snp
	check "SVSM: without this service" "^error noevidence svsm-refused" svsm
	check "SVSM: ... which costs nothing" "^ok snp-configfs" unpaced
	holds "SVSM: no instance is left" no_instances
}

configfs_stale()
{
	tee snp
	mkdir $REPORTS/cryptattest-4000000$SUFFIX $REPORTS/cryptattest-1$SUFFIX $REPORTS/other-4000000$SUFFIX
	check "stale instances: collect" "^ok" unpaced
	holds "stale instances: the dead one's is removed" test ! -e $REPORTS/cryptattest-4000000$SUFFIX
	holds "stale instances: a living one's and a stranger's stay" test -e $REPORTS/cryptattest-1$SUFFIX -a -e $REPORTS/other-4000000$SUFFIX
	rmdir $REPORTS/cryptattest-1$SUFFIX $REPORTS/other-4000000$SUFFIX
	set_fault delay_ms 3000
	unpaced >/dev/null 2>&1 &
	wait_for working
	killall -9 tee_probe
	wait
	wait_for idle
	holds "killed collector leaves its instance" test "$(instances)" = 1
	set_fault delay_ms 0
	check "... and the next request" "^ok" unpaced
	holds "... removes it" no_instances
}

configfs_deadline()
{
	tee snp
	set_fault delay_ms 6000
	before=$(get host_requests)
	check "deadline holds while the kernel blocks" "^error timeout tee-deadline .*no answer from the TEE" collect --deadline 1000
	holds "... and the request goes on" working
	check "detection meanwhile is not held up for long" "does not answer" tee_probe detect
	set_fault delay_ms 0
	check "a second request waits its turn" "^ok" collect --deadline 20000
	holds "... two requests in all" test "$(get host_requests)" = $((before + 2))
	holds "... and nothing is left" no_instances

	set_fault delay_ms 3000
	before=$(get host_requests)
	kill_agent_at_work
	holds "a killed agent's request ends in good order" no_instances
	holds "... one request" test "$(get host_requests)" = $((before + 1))

	set_fault delay_ms 0
	set_fault throttle_ms 3000
	before=$(get host_requests)
	check "throttling host: slow" "^ok snp-configfs" unpaced
	holds "... as the driver waits" took 4000
	holds "... three requests" test "$(get host_requests)" = $((before + 3))
	before=$(get host_requests)
	kill_agent_at_work
	holds "a throttling host is not hammered when the agent dies" test "$(get host_requests)" = $((before + 3))
	holds "... and nothing is left" no_instances
	before=$(get host_requests)
	unpaced >/dev/null 2>&1 &
	wait_for working
	killall -9 tee_probe
	wait
	wait_for idle
	holds "... as it is when the collector is killed too (the check above can fail)" test "$(get host_requests)" -gt $((before + 9))
	set_fault throttle_ms 0
	check "... whose instance the next request removes" "^ok" unpaced
}

configfs_race()
{
	tee snp
	set_fault delay_ms 1500
	race &
	check "two writers: the generation tells" "^error busy generation" unpaced --once
	wait
	race &
	check "... and another try succeeds" "^ok" unpaced
	wait
	set_fault delay_ms 0
}

configfs_errors()
{
	tee snp
	set_fault fail_errno 16
	set_fault fail_count 2
	check "busy twice, then fine" "^ok snp-configfs" unpaced
	holds "... with back-off" took 2000
	set_fault fail_count -1
	set_fault fail_errno 22
	check "EINVAL" "^error noevidence tee-param" unpaced
	set_fault fail_errno 6
	check "ENXIO" "^error noevidence tee-firmware" unpaced
	set_fault fail_errno 0
	check "none of these cost the message key" "^ok" unpaced
	for e in 5 110; do
		tee snp fail_errno=$e
		check "errno $e: message key wiped" "^error noevidence vmpck .*until this machine is rebooted" unpaced
		before=$(get host_requests)
		set_fault fail_errno 0
		check "... for good" "^error noevidence vmpck .*VMPCK. is gone" unpaced
		holds "... and the host is not asked again" test "$(get host_requests)" = "$before"
	done
}

configfs_tdx()
{
	tee tdx
	check "TDX: detected by its provider" "^provider tdx-configfs$" tee_probe detect
	check "TDX: quote v4" "^ok tdx-configfs report [1-9][0-9]{3} aux 0" collect --roots /pki/roots.pem
	check "TDX: ... judged by src/verify" "^verified test:Intel SGX Root CA" cat /tmp/previous
	check "TDX: SNP asked for" "^error noevidence tee-provider .*tdx_guest, not sev_guest" collect --provider snp-configfs
	signer tdx --set version=5 --set td15=1
	check "TDX: quote v5" "^verified test:Intel SGX Root CA" collect --roots /pki/roots.pem
	signer tdx --empty
	check "TDX: empty quote" "^error noevidence empty-quote .*0 bytes" collect
	signer tdx --flip 568
	check "TDX: quote for other data is refused" "^error integrity evidence-report-data" collect
	signer tdx
	set_fault patience_ms 500
	set_fault delay_ms 2500
	(sleep 2; set_fault delay_ms 0) &
	check "TDX: silent quoting enclave, then in flight, then fine" "^ok tdx-configfs" collect --deadline 60000
	check "TDX: ... the reasons were logged" "did not answer for 30 s" cat /tmp/previous
	check "TDX: ... all of them" "still in flight" cat /tmp/previous
	wait
	set_fault fail_errno 27
	check "TDX: EFBIG" "^error noevidence tee-size" collect
	set_fault fail_errno 5
	check "TDX: EIO" "^error noevidence tee-host" collect
	set_fault fail_errno 16
	check "TDX: busy until the deadline" "^error timeout tee-busy .*deadline after [2-9] tries" collect --deadline 4000
	set_fault fail_errno 0
	holds "TDX: no instance is left" no_instances
}

sev_guest()
{
	stop cuse_sev_guest
	rm -f /run/cryptattest/tee-request /tmp/log
	wait_for test ! -e /dev/sev-guest
	cuse_sev_guest --pki /pki --background --log /tmp/log "$@"
	wait_for test -c /dev/sev-guest
}

ioctl_basic()
{
	check "no device: the reason is named" "snp-ioctl: no /dev/sev-guest" tee_probe detect
	load fuse
	load cuse
	sev_guest
	check "ioctl: detected by the device" "^provider snp-ioctl$" tee_probe detect
	check "ioctl: report and certificates" "^ok snp-ioctl report 1184 aux [1-9][0-9]+ vmpl 0" collect --roots /pki/roots.pem
	check "... judged by src/verify" "^verified test:ARK-Milan" cat /tmp/previous
	holds "... in one request" test "$(cat /tmp/log)" = "ext-report 0"
}

# The emulator itself, by the kernel's header.
ioctl_emulator()
{
	sev_guest
	check "emulator: length of the certificate table" "^errno 5 vmm_error 1 certs_len 8192$" sev_ioctl certs-len
	check "emulator: derived key" "^status 0 key [0-9a-f]{64}$" sev_ioctl key 0
	cp /tmp/out /tmp/key
	holds "... is the same again" test "$(sev_ioctl key 0)" = "$(cat /tmp/key)"
	holds "... and another one for another VMPL" test "$(sev_ioctl key 1)" != "$(cat /tmp/key)"
	check "... and none for a VMPL that does not exist" "^status 22 key 0{64}$" sev_ioctl key 4
	check "emulator: message version 0" "^errno 22$" sev_ioctl bad-version
	check "... and the key still works" "^ok snp-ioctl report 1184" collect
}

ioctl_all()
{
	sev_guest --no-certs
	check "ioctl: host without certificates" "^ok snp-ioctl report 1184 aux 0 " collect
	sev_guest --certs-need 20480
	check "ioctl: table that does not fit: report alone" "^ok snp-ioctl report 1184 aux 0 " collect
	holds "... by the second request" test "$(tr '\n' ' ' </tmp/log)" = "ext-report -5 report 0 "
	holds "... after the pause" took 2000
	sev_guest --flip 80
	check "ioctl: report for other data is refused" "^error integrity evidence-report-data" collect
	sev_guest --status 22
	check "ioctl: firmware refuses the parameters" "^error noevidence tee-param .*status 0x16" collect
	sev_guest --status 1
	check "ioctl: firmware status" "^error noevidence tee-firmware .*status 0x1" collect
	sev_guest --vmpl 1
	check "ioctl: VMPL below the kernel's own" "^error noevidence tee-param" collect
	sev_guest --fail EIO
	check "ioctl: message key wiped" "^error noevidence vmpck .*until this machine is rebooted" collect
	check "... for good" "^error noevidence vmpck .*VMPCK. is gone" collect
	holds "... two requests, no more" test "$(tr '\n' ' ' </tmp/log)" = "ext-report -5 ext-report -25 "
	sev_guest --throttle 1
	check "ioctl: deadline holds while the host throttles" "^error timeout tee-deadline" collect --deadline 800
	check "... and the next request waits its turn" "^ok snp-ioctl" collect
	holds "... with the pause" took 4000
	stop cuse_sev_guest
}

echo "EMUL BEGIN"
case " $(cat /proc/cmdline) " in
*' emul=configfs '*)
	configfs_detection
	configfs_snp
	configfs_svsm
	configfs_stale
	configfs_deadline
	configfs_race
	configfs_errors
	configfs_tdx
	no_tee
	load cuse
	sev_guest
	check "6.12: device when configfs-tsm has no provider" "^provider snp-ioctl$" tee_probe detect
	check "6.12: report from the device" "^ok snp-ioctl report 1184" collect
	;;
*' emul=ioctl '*)
	ioctl_basic
	ioctl_emulator
	ioctl_all
	;;
esac
echo "EMUL END"
echo o >/proc/sysrq-trigger
sleep 30
