# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# The sealed path beside its peers on one swtpm, turn by turn: clevis (tpm2 pin), which recovers a passphrase and stops there, and systemd's
# token, which opens a key slot with it. All three seal to the same PCRs. Ours runs with cap = off, or the second run would find the TPM
# closed. Sourced by bench.sh.

sealed_missing()
{
	swtpm_missing && return
	for sealed_tool in tpm2_pcrextend clevis clevis-decrypt-tpm2 systemd-cryptenroll; do
		command -v $sealed_tool >/dev/null || { echo "$sealed_tool is not installed"; return; }
	done
	[ -x "$BENCH/systemd_token" ] || echo "systemd_token was not built"
}

# One LUKS2 file for systemd, one for us, a JWE for clevis, all of one passphrase and PCR. Sessions are flushed between runs: systemd leaves them
# to the kernel's resource manager, which is not there between a program and swtpm.
sealed_setup()
{
	sealed_value=$(printf '%064d' 7)
	for sealed_pcr in 4 7 9; do
		tpm2_pcrextend "$sealed_pcr:sha256=$sealed_value" || return 1
	done
	SEALED_FLUSH="tpm2_flushcontext -t; tpm2_flushcontext -l; tpm2_flushcontext -s"
	cp "$WORK/v1.img" "$WORK/systemd.img"
	PASSWORD=$(cat "$WORK/v1.img.pass") systemd-cryptenroll "--tpm2-device=swtpm:path=$swtpm_path" --tpm2-pcrs=4+7+9 "$WORK/systemd.img" &&
		sh -c "$SEALED_FLUSH" &&
		clevis encrypt tpm2 '{"pcr_bank":"sha256","pcr_ids":"4,7,9"}' <"$WORK/v1.img.pass" >"$WORK/sealed.jwe" &&
		[ "$(clevis decrypt <"$WORK/sealed.jwe")" = "$(cat "$WORK/v1.img.pass")" ] && sealed_root
}

# What the test platform takes for "/": a machine whose one volume has mode = vtpm.
sealed_root()
{
	sealed_dir=$WORK/root-sealed
	mkdir -p "$sealed_dir/etc/cryptattest" "$sealed_dir/run" "$sealed_dir/dev"
	echo "$swtpm_path" >"$sealed_dir/dev/tpm-swtpm"
	cp "$WORK/v1.img" "$sealed_dir/dev/v1.img"
	cp "$WORK/v1.img.pass" "$sealed_dir/pass"
	sealed_srk=$(sealed_primary) || return 1
	cat >"$sealed_dir$CONFIG" <<-EOF
	[agent]
	profile = bare-metal
	deadline = 60s
	on-failure = continue
	cap = off
	[vtpm]
	pcrs = 4 7 9
	srk-name = $sealed_srk
	[volume v1]
	device = /dev/v1.img
	mode = vtpm
	vk-id = $("$TOP_BUILDDIR/cryptattest" document "$WORK/v1.img" --name v1 --key-file "$WORK/v1.img.pass" --pins | sed -n 's/^vk-id *= *//p')
	sealed = /etc/cryptattest/v1.sealed
	EOF
	CRYPTATTEST_TEST_ROOT=$sealed_dir
	export CRYPTATTEST_TEST_ROOT
	"$AGENT" enroll v1 --source=vtpm --key-file "$WORK/v1.img.pass" --config "$CONFIG"
}

# The storage primary of TCG's template, as an operating system leaves it at its handle; its Name.
sealed_primary()
{
	tpm2_createprimary -Q -C o -G ecc256:aes128cfb -c "$WORK/primary" \
		-a "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt" &&
		tpm2_flushcontext -t && tpm2_evictcontrol -Q -C o -c "$WORK/primary" 0x81000001 &&
		tpm2_readpublic -Q -c 0x81000001 -n "$WORK/primary.name" && od -A n -t x1 -v "$WORK/primary.name" | tr -d ' \n'
}

bench_sealed()
{
	heading "Sealed secret against clevis and systemd on one swtpm (turn by turn)"
	. "$TOP_SRCDIR/tests/lib/swtpm.sh"
	sealed_why=$(sealed_missing)
	if [ -n "$sealed_why" ]; then
		plain "wall time, CPU, programs started" "not measured: $sealed_why"
		return 0
	fi
	swtpm_start "$WORK/swtpm" || die "swtpm does not start"
	PIDS="$PIDS $swtpm_pid"
	sealed_setup >"$WORK/sealed.log" 2>&1 || die "the sealed path cannot be set up: $(tail -n 5 "$WORK/sealed.log")"
	sealed_reset="rm -rf $sealed_dir/mapper $sealed_dir/run/cryptattest; $SEALED_FLUSH"
	"$BENCH/measure" --runs $((RUNS * 2 + 1)) --status --before "$sealed_reset" "$AGENT $AGENT_ARGS --status-fd 9" \
		"clevis decrypt <$WORK/sealed.jwe" "$BENCH/systemd_token $WORK/systemd.img swtpm:path=$swtpm_path" >"$WORK/sealed" || die "a run failed"
	columns
	plain "clevis decrypt, wall" "$(figure "$WORK/sealed" 1 wall)" ms
	row "start to secret, $AGENT_NAME, against clevis" "$(figure "$WORK/sealed" 0 to-secret)" "$(calc "$(figure "$WORK/sealed" 1 wall) / 5")" ms
	plain "systemd's token, start to key slot opened, wall" "$(figure "$WORK/sealed" 2 wall)" ms
	plain "ours, start to key slot opened, $AGENT_NAME" "$(figure "$WORK/sealed" 0 to-open)" ms
	plain "ours over systemd's, start to key slot opened" "$(calc "$(figure "$WORK/sealed" 0 to-open) / $(figure "$WORK/sealed" 2 wall)")" " "
	plain "whole unlock without the cap, wall, $AGENT_NAME" "$(figure "$WORK/sealed" 0 wall)" ms
	for sealed_who in "0 whole unlock" "1 clevis decrypt" "2 systemd's token"; do
		plain "${sealed_who#* }, CPU (without swtpm's)" "$(figure "$WORK/sealed" "${sealed_who%% *}" cpu)" ms
		plain "${sealed_who#* }, largest process" "$(calc "$(figure "$WORK/sealed" "${sealed_who%% *}" rss) / 1024")" MiB
	done
	swtpm_stop
}
