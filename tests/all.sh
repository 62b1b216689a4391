#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
#
# Every layer of tests, from the compiler's warnings to virtual machines whose root is encrypted. Alone on a fresh Debian 12, as root:
#
#	sh tests/all.sh
#
# installs what it needs from Debian, works below out/ of the tree (CRYPTATTEST_OUT changes that) and ends with one line,
# "N passed, N failed, N skipped"; the exit status is 0 when nothing failed. A layer's log is shown when it failed, and stays in out/logs.
# Without root the boots are skipped.
#
#	sh tests/all.sh build check		these layers only (build is what the others work on)
#	sh tests/all.sh --list			their names

set -u
SRC=$(cd "$(dirname "$0")/.." && pwd) || exit 1
OUT=${CRYPTATTEST_OUT:-$SRC/out}
LOGS=$OUT/logs
LAYERS="build check sanitizers valgrind distcheck scripts manual packages emul boot demo"
JOBS=$(nproc)
# Half of a test's time is waiting: for a deadline, a broker, a TPM.
CHECK_JOBS=$((2 * JOBS))
PASSED=0 FAILED=0 SKIPPED=0

cd "$SRC" || exit 1

# --- telling ---------------------------------------------------------------------------------------------------------------

say() { printf '%s\n' "$*"; }

pass() { PASSED=$((PASSED + 1)); }

# skip NAME REASON
skip()
{
	SKIPPED=$((SKIPPED + 1))
	say "SKIP $1: $2"
}

# fail NAME [LOG]
fail()
{
	FAILED=$((FAILED + 1))
	say "FAIL $1"
	[ -z "${2-}" ] || tail -n 40 "$2" | sed 's/^/     | /'
}

# one NAME COMMAND...: one test, its output in a log.
one()
{
	name=$1
	shift
	log=$LOGS/$(echo "$name" | tr '/ ' '--').log
	began=$(date +%s)
	if ( "$@" ) >"$log" 2>&1 </dev/null; then
		pass
		say "PASS $name ($(($(date +%s) - began)) s)"
		return 0
	fi
	fail "$name" "$log"
	return 1
}

# suite NAME DIRECTORY COMMAND...: runs automake's tests there and counts each of them.
suite()
{
	name=$1 directory=$2
	shift 2
	log=$LOGS/$(echo "$name" | tr '/ ' '--').log
	began=$(date +%s)
	# Nothing here takes ten minutes; a test that hangs must not take the others' time.
	(cd "$directory" && timeout --kill-after=10 900 "$@") >"$log" 2>&1 </dev/null
	status=$?
	p=$(sum PASS "$log") f=$(($(sum FAIL "$log") + $(sum XPASS "$log") + $(sum ERROR "$log"))) s=$(sum SKIP "$log")
	PASSED=$((PASSED + p)) FAILED=$((FAILED + f)) SKIPPED=$((SKIPPED + s))
	say "     $name: $p passed, $f failed, $s skipped ($(($(date +%s) - began)) s)"
	sed -n 's/^SKIP: /     | skipped: /p' "$log"
	sed -n 's/^\(FAIL\|XPASS\|ERROR\): /     | \1: /p' "$log"
	for test in $(sed -n 's/^\(FAIL\|XPASS\|ERROR\): \([^ ]*\).*/\2/p' "$log" | sort -u); do
		say "     | the end of ${test%.sh}.log:"
		tail -n 30 "$directory/${test%.sh}.log" | sed 's/^/     |   /'
	done
	if [ "$f" = 0 ] && { [ $status != 0 ] || [ "$p" = 0 ]; }; then
		fail "$name: the run itself (status $status)" "$log"
		return 1
	fi
}

# The number behind "# WORD:" in the summary that automake prints.
sum() { sed -n "s/^# $1: *\([0-9]*\)\$/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'; }

# --- layers ----------------------------------------------------------------------------------------------------------------

# configured DIRECTORY OPTION...: an own build tree, as a distribution would configure it, with warnings as errors.
configured()
{
	directory=$1
	shift
	mkdir -p "$directory"
	cd "$directory" || return 1
	[ -e config.status ] || "$SRC/configure" -q --prefix=/usr --sysconfdir=/etc --enable-werror "$@" || return 1
	make -s -j "$JOBS"
}

layer_build()
{
	[ -x configure ] || one "build/autogen" ./autogen.sh || return 1
	one "build/gcc -Werror" configured "$OUT/build" || return 1
	one "build/install" make -s -C "$OUT/build" install DESTDIR="$OUT/root"
}

layer_check()
{
	suite check "$OUT/build" make -s -j "$CHECK_JOBS" check || return 1
	# make check flips the bits of one report and one quote.
	one "check/bit flips of every report and quote" env CRYPTATTEST_TEST_FULL=1 TOP_SRCDIR="$SRC" TOP_BUILDDIR="$OUT/build" \
		CMOCKA_MESSAGE_OUTPUT=TAP "$OUT/build/tests/unit/test_verify_flips"
}

layer_sanitizers()
{
	one "sanitizers/build" configured "$OUT/build-asan" --with-sanitizer=address,undefined CFLAGS='-O1 -g' || return 1
	suite "check (ASan, UBSan)" "$OUT/build-asan" make -s -j "$CHECK_JOBS" check
}

# Every unit test program that valgrind gets through in reasonable time: not those that make RSA keys by the dozen, wait for clocks,
# live in namespaces of their own, end in the middle of a thread on purpose, cut the power at every write, search
# their own memory, or try hundreds of calls of OpenSSL and a software TPM (the sanitizers run those).
VALGRIND_NOT="test_assumptions test_luks_power_cut test_vtpm_memory test_ear_token test_guard test_jwk test_keypair test_luks_binary"
VALGRIND_NOT="$VALGRIND_NOT test_luks_device test_net_namespace test_tee test_tee_testpki test_tee_worker test_verify_flips test_vtpm_origin test_vtpm_signed test_vtpm_wire"

# One program: its line, and what it said when that was not good.
valgrind_one='
	name=valgrind/${1##*/} log=$LOGS/valgrind-${1##*/}.log began=$(date +%s)
	if timeout 300 valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite,indirect "$1" >"$log" 2>&1 </dev/null; then
		echo "PASS $name ($(($(date +%s) - began)) s)"
	else
		echo "FAIL $name"
		tail -n 40 "$log" | sed "s/^/     | /"
	fi'

layer_valgrind()
{
	# The longest first, or all wait for it in the end.
	for program in "$OUT"/build/tests/unit/test_cap_tpm "$OUT"/build/tests/unit/test_*; do
		[ -e "$program" ] || continue
		case " $VALGRIND_NOT " in
		*" ${program##*/} "*) continue ;;
		esac
		case ${program##*/} in
		*.*) continue ;;
		esac
		printf '%s\n' "$program"
	done | awk '!seen[$0]++' | env LOGS="$LOGS" TOP_SRCDIR="$SRC" TOP_BUILDDIR="$OUT/build" CMOCKA_MESSAGE_OUTPUT=TAP \
		xargs -P "$JOBS" -n 1 sh -c "$valgrind_one" sh >"$LOGS/valgrind.log"
	cat "$LOGS/valgrind.log"
	p=$(grep -c '^PASS valgrind/' "$LOGS/valgrind.log") f=$(grep -c '^FAIL valgrind/' "$LOGS/valgrind.log")
	PASSED=$((PASSED + p)) FAILED=$((FAILED + f))
	[ "$((p + f))" -gt 0 ] || fail "valgrind: the run itself"
}

layer_distcheck()
{
	one distcheck timeout --kill-after=10 900 make -s -C "$OUT/build" -j "$CHECK_JOBS" distcheck DISTCHECK_CONFIGURE_FLAGS=--enable-werror
}

layer_scripts()
{
	scripts=$(find autogen.sh .ci contrib dracut initramfs-tools tests -name Makemodule.am -prune -o -name '*.in' -prune -o -type f \
		-exec grep -lE '^(#!/bin/(sh|bash)|# shellcheck shell=)' {} + | sort)
	# hook and functions are checked as they are installed. What a script sources is there at boot or at run time.
	for script in $scripts "$OUT/build/initramfs-tools/hook" "$OUT/build/initramfs-tools/functions" \
		"$OUT/build/dracut/module-setup.sh" "$OUT/build/systemd/cryptattest-generator"; do
		one "scripts/${script#"$OUT/build/"}" shellcheck -S warning -e SC1091,SC2034,SC2154,SC2174 "$script"
	done
	for unit in "$OUT"/build/systemd/cryptattest*.service "$OUT"/build/systemd/*.socket "$OUT/build/dracut/cryptattest-initrd.service"; do
		one "scripts/${unit##*/}" unit_is_sound "$unit"
	done
}

# systemd finds nothing wrong with a unit as it is installed, next to its own units; the manual has the pages that it names.
unit_is_sound()
{
	set -e
	root=$OUT/units
	mkdir -p "$root/usr/lib/systemd/system" "$root/bin"
	cp -R "$OUT/root/usr/sbin" "$root/usr/"
	cp /bin/sh /bin/kill "$root/bin/"
	cp -a /lib/systemd/system/. "$OUT/root/usr/lib/systemd/system/." "$1" "$root/usr/lib/systemd/system/"
	unit=${1##*/}
	complaints=$(systemd-analyze verify --root="$root" --man=no --generators=no "$(echo "$unit" | sed 's/@\./@x./')" 2>&1) || {
		echo "$complaints"
		return 1
	}
	echo "$complaints"
	[ -z "$complaints" ] || return 1
	sed -n 's/^Documentation=//p' "$1" | tr ' ' '\n' | sed -n 's/^man:\(.*\)(\([0-9]\))$/\1.\2/p' | while read -r page; do
		[ -e "man/$page" ] || [ -e "$OUT/build/man/$page" ] || {
			echo "$unit: no page $page"
			exit 1
		}
	done
}

# man writes to standard error what groff dislikes; a page without a complaint is silent.
manual_page() { [ -z "$(LC_ALL=C.UTF-8 MANROFFSEQ='' MANWIDTH=100 man --warnings -E UTF-8 -l -Tutf8 -Z "$1" 2>&1 >/dev/null | tee /dev/stderr)" ]; }

layer_manual()
{
	for page in man/*.[1-9] "$OUT"/build/man/*.[1-9]; do
		[ ! -e "$page" ] || one "manual/${page##*/}" manual_page "$page"
	done
}

# The Debian packages, with lintian's opinion; the RPM packages; every example configuration is sound as far as it can be without its machine's files.
layer_packages()
{
	one "packages/debian, lintian" sh tests/packages.sh "$OUT/build" "$OUT/packages"
	for example in contrib/examples/*.conf; do
		one "packages/${example##*/}" example_is_sound "$example"
	done
	one "packages/completion" bash -n contrib/completion/cryptattest
	one "packages/rpm" sh tests/packages-rpm.sh "$OUT/build" "$OUT/packages-rpm"
	one "packages/apparmor profile" apparmor_parser -Q -K contrib/apparmor/usr.sbin.cryptattest-kbs
}

# The files that an example names are its machine's: stand-ins take their place.
example_is_sound()
{
	root=$(mktemp -d)
	openssl req -x509 -newkey rsa:2048 -nodes -subj "/CN=a chip" -keyout "$root/vek.key" -out "$root/vek.pem" || return 1
	sed "s|= /etc/cryptattest/|= $root/|" "$1" >"$root/example.conf"
	"$OUT/build/cryptattest" config --check --config "$root/example.conf"
	status=$?
	rm -r "$root"
	return $status
}

# Evidence from the kernels' real interfaces, in two guests without a disk.
layer_emul()
{
	for guest in configfs ioctl; do
		one "emul/$guest" sh tests/emul/run.sh "$OUT/build" "$guest"
	done
}

layer_boot()
{
	if [ "$(id -u)" != 0 ]; then
		skip boot "needs root for mkinitramfs in a Debian tree"
		return
	fi
	VM_BUILD=$OUT/build VM_LOGS=$LOGS/boot sh tests/boot.sh >"$LOGS/boot.log" 2>&1 </dev/null
	cat "$LOGS/boot.log"
	p=$(grep -c '^PASS boot/' "$LOGS/boot.log") f=$(grep -c '^FAIL boot/' "$LOGS/boot.log")
	PASSED=$((PASSED + p)) FAILED=$((FAILED + f))
	[ "$((p + f))" -gt 0 ] || fail "boot: the run itself"
}

layer_demo()
{
	if [ "$(id -u)" != 0 ]; then
		skip demo "needs root"
		return
	fi
	one demo env VM_BUILD="$OUT/build" sh tests/demo.sh
}

# --- the run -----------------------------------------------------------------------------------------------------------------

case ${1-} in
--list)
	say "$LAYERS"
	exit 0
	;;
-*)
	sed -n '4,/^$/s/^# \{0,1\}//p' "$0" >&2
	exit 2
	;;
'') ;;
*) LAYERS=$* ;;
esac

began_all=$(date +%s)
mkdir -p "$LOGS"
sh tests/deps.sh all || {
	say "cannot install what the tests need"
	exit 1
}
for layer in $LAYERS; do
	say "--- $layer"
	cd "$SRC" || exit 1
	"layer_$layer" || say "     $layer: the rest of this layer was not run"
done
say "--- $((($(date +%s) - began_all) / 60)) min $((($(date +%s) - began_all) % 60)) s; logs in $LOGS"
say "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" = 0 ]
