#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Which secret opens a volume in each mode for each way that a broker can answer (the table of cryptattest(8) comes from here), what the
# operator sees, and what a refusal bars.
. "$TOP_SRCDIR/tests/loopback/vtpm.sh"

# --- the matrix
expected() { # BROKER MODE: exit code and source
	case $2,$1 in
	kbs,reachable | kbs-or-vtpm,reachable) echo 0 kbs ;;
	kbs+vtpm,reachable) echo 0 kbs+vtpm ;;
	vtpm,* | kbs-or-vtpm,unreachable) echo 0 vtpm ;;
	*,refusing) echo 4 - ;;
	*,undecided | *,unreachable) echo 5 - ;;
	*,stranger) echo 10 - ;;
	esac
}
printf '%-12s %-14s %-14s %-14s %s\n' broker kbs vtpm kbs+vtpm kbs-or-vtpm >table
for broker in reachable refusing undecided stranger unreachable; do
	meets $broker
	[ $broker = reachable ] || deadline=2s
	row=
	for mode in kbs vtpm kbs+vtpm kbs-or-vtpm; do
		config now $mode
		boot
		run now unlock root
		wanted=$(expected $broker $mode)
		source=$(sed -n 's/.*"state":"open","source":"\([^"]*\)".*/\1/p' $record)
		check "broker $broker, mode $mode: exit and source $wanted" eval '[ "$code ${source:--}" = "$wanted" ] &&
			case $wanted in 0*) is_open "$source" ;; *) nothing_open ;; esac'
		cell="$code${source:+ }$source"
		row="$row$(printf '%-14s ' "$cell")"
	done
	printf '%-12s %s\n' $broker "$row" | sed 's/ *$//' >>table
done
sed -n '/BEGIN OUTCOMES/,/END OUTCOMES/p' "$TOP_SRCDIR/man/cryptattest.8" | sed '1d;$d; s/\\-/-/g' >page
check "cryptattest(8) has this table" diff -u table page

meets unreachable
config now kbs-or-vtpm
boot
run now unlock root
check "the line for the operator says why the broker was not used" \
	grep -q "by vtpm (broker unreachable for 1 s: opened by the secret sealed to this machine's TPM)" err
"$agent" status >out 2>&1
check "and so does status" grep -q "by vtpm (broker unreachable for 1 s: .*) \[net-" out
run now unlock root
check "already open: exit 0, the reason stays" eval '[ $code = 0 ] && grep -q "broker unreachable for 1 s" $record'
broker "auth status 404"
config now kbs-or-vtpm
boot
run now unlock root
check "a broker that answers nonsense until the deadline is no outage: exit 5" eval '[ $code = 5 ] && nothing_open'

# --- two volumes with one broker: the one that has nothing else gets the whole deadline
meets unreachable
config now kbs-or-vtpm "" "[volume data]
device = /dev/disk2
secret = main:default/vm/data"
cp root/dev/disk root/dev/disk2
boot
start=$(date +%s%N)
run now unlock --all
took=$((($(date +%s%N) - start) / 1000000))
check "beside a volume of mode kbs: root from the TPM, data waited for to the deadline ($took ms)" \
	eval '[ $code = 5 ] && is_open vtpm && [ $took -ge 1900 ] && grep -q "data: .*\[net-connect\]" err'
rm root/dev/disk2

deadline=30s

# --- a refusal is remembered
meets refusing
config now kbs-or-vtpm
boot
run now unlock root
[ $code = 4 ] || bail "no refusal: $(cat err)"
meets unreachable
config now kbs-or-vtpm
run now unlock root
check "a refusal of this boot bars the TPM when the broker is gone: exit 4" eval '[ $code = 4 ] && nothing_open && grep -qF "[refused-earlier]" err'
run now unlock root
check "and the next time" eval '[ $code = 4 ] && grep -q "\"state\":\"refused\"" $record'
run vtpm unlock root
check "and in mode vtpm" eval '[ $code = 4 ] && nothing_open'
meets reachable
config now kbs-or-vtpm
run now unlock root
check "the broker may change its mind" eval '[ $code = 0 ] && is_open kbs'
# Killed while another volume waits for a broker of its own: what was decided before that is on record.
meets refusing
config now kbs-or-vtpm
cp root/dev/disk root/dev/disk2
printf '[kbs other]\nurl = https://127.0.0.1:1\npin = %s\n[volume z]\ndevice = /dev/disk2\nsecret = other:default/vm/z\n' "$pin" >>root/etc/now.conf
boot
"$agent" unlock --all --config /etc/now.conf >out 2>err </dev/null &
victim=$!
tries=0
until grep -qs "\"state\":\"refused\"" $record || [ $tries -ge 100 ]; do
	tries=$((tries + 1))
	sleep 0.05
done
kill -KILL $victim
wait $victim 2>/dev/null
meets unreachable
config now kbs-or-vtpm
run now unlock root
check "a refusal outlives a run that was killed" eval '[ $code = 4 ] && nothing_open && grep -qF "[refused-earlier]" err'
rm root/dev/disk2
plan $count
