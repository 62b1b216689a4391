# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# cryptattest beside clevis with tang, in guests of one Debian tree: how large the initramfs becomes, how long the boot takes, how many
# processes it starts. "sh tests/boot.sh --peers" and the initramfs part of "make bench". Sourced.
#
# Time is the guest's, and the guest's clock counts instructions (-icount): what else this machine does leaves no trace in it.

VM_CLEVIS_PACKAGES="clevis clevis-luks clevis-initramfs clevis-tpm2"

vm_clevis_key()
{
	{
		vm_tree_key
		vm_tree_version clevis
		echo "$VM_CLEVIS_PACKAGES"
	} | sha256sum | cut -c1-16
}

# VM_CLEVIS: the same tree with clevis in it, as Debian installs it.
vm_prepare_clevis()
{
	vm_tar=$VM_CACHE/clevis-$(vm_clevis_key).tar
	if [ ! -s "$vm_tar" ]; then
		rm -f "$VM_CACHE"/clevis-*.tar
		VM_TREE_PACKAGES="$VM_TREE_PACKAGES $VM_CLEVIS_PACKAGES" vm_tree_make "$vm_tar" >&2
	fi
	VM_CLEVIS=$VM_WORK/clevis-tree
	mkdir -p "$VM_CLEVIS"
	tar -C "$VM_CLEVIS" -xf "$vm_tar"
}

# VM_MINCURL: our program with the static libcurl of contrib/build-curl.sh: that in BENCH_CURL, or one made once per version of Debian's curl.
vm_prepare_mincurl()
{
	vm_curl=${BENCH_CURL:-none}
	[ -s "$vm_curl/lib/libcurl.a" ] || vm_curl=$VM_CACHE/curl-$(vm_tree_version libcurl4)
	if [ ! -s "$vm_curl/lib/libcurl.a" ]; then
		rm -rf "$VM_CACHE"/curl-*
		sh "$VM_SRC/contrib/build-curl.sh" "$vm_curl" >"$VM_WORK/curl.log" 2>&1 || return 1
	fi
	make -s -C "$VM_BUILD" BENCH_CURL="$vm_curl" tests/bench/cryptattest-mincurl >>"$VM_WORK/curl.log" 2>&1 || return 1
	VM_MINCURL=$VM_BUILD/tests/bench/cryptattest-mincurl
}

# vm_peer_image TREE NAME CRYPTTAB-LINE: VM_WORK/NAME, and its line of the sizes.
vm_peer_image()
{
	vm_tree_before=$VM_ROOT VM_ROOT=$1
	echo "$3" >"$VM_ROOT/etc/crypttab"
	vm_initramfs 6.12 "$2"
	rm "$VM_ROOT/etc/crypttab"
	VM_ROOT=$vm_tree_before
}

VM_CRYPTTAB_PLAIN="root UUID=$VM_UUID_ROOT none luks,initramfs"
VM_CRYPTTAB_OURS="$VM_CRYPTTAB_PLAIN,keyscript=/usr/lib/cryptattest/refuse"

# vm_peer_sizes CONFIG: "NAME BYTES" of images without anything of the tests in them. Without our configuration our hook adds nothing.
vm_peer_sizes()
{
	vm_peer_image "$VM_ROOT" size-plain "$VM_CRYPTTAB_PLAIN"
	install -D -m 644 "$1" "$VM_ROOT/etc/cryptattest/cryptattest.conf"
	strip "$VM_ROOT/usr/sbin/cryptattest"
	vm_peer_image "$VM_ROOT" size-ours "$VM_CRYPTTAB_OURS"
	if [ -n "${VM_MINCURL:-}" ]; then
		cp "$VM_ROOT/usr/sbin/cryptattest" "$VM_WORK/agent"
		strip -o "$VM_ROOT/usr/sbin/cryptattest" "$VM_MINCURL"
		vm_peer_image "$VM_ROOT" size-mincurl "$VM_CRYPTTAB_OURS"
		cp "$VM_WORK/agent" "$VM_ROOT/usr/sbin/cryptattest"
	fi
	rm "$VM_ROOT/etc/cryptattest/cryptattest.conf"
	vm_peer_image "$VM_CLEVIS" size-clevis-tpm2 "$VM_CRYPTTAB_PLAIN"
	# Its hook takes the TPM's tools along when it finds the pin.
	mv "$VM_CLEVIS/usr/bin/clevis-decrypt-tpm2" "$VM_WORK/"
	vm_peer_image "$VM_CLEVIS" size-clevis "$VM_CRYPTTAB_PLAIN"
	mv "$VM_WORK/clevis-decrypt-tpm2" "$VM_CLEVIS/usr/bin/"
	for vm_name in plain ours mincurl clevis clevis-tpm2; do
		[ ! -e "$VM_WORK/size-$vm_name" ] || echo "$vm_name $(stat -c %s "$VM_WORK/size-$vm_name")"
	done
}

# --- guests ----------------------------------------------------------------------------------------------------------------------

# tang on this machine, and a copy of the root disk with a key slot bound to it. What clevis has to know of tang is taken here; the guest finds
# it where it finds our key broker.
vm_tang_start()
{
	mkdir "$VM_WORK/tang"
	/usr/libexec/tangd-keygen "$VM_WORK/tang" >/dev/null 2>&1
	socat -d -d "tcp-listen:0,bind=127.0.0.1,reuseaddr,fork" "exec:/usr/libexec/tangd $VM_WORK/tang" 2>"$VM_WORK/tang.log" &
	VM_PIDS="$! $VM_PIDS"
	vm_tries=0
	until VM_TANG_PORT=$(sed -n 's/.*listening on AF=2 127\.0\.0\.1:\([0-9]*\).*/\1/p' "$VM_WORK/tang.log") && [ -n "$VM_TANG_PORT" ]; do
		vm_tries=$((vm_tries + 1))
		[ $vm_tries -lt 50 ] || vm_fail "tang does not start"
		sleep 0.1
	done
	cp --sparse=always "$VM_WORK/root.img" "$VM_WORK/clevis.img"
	curl -s -f -o "$VM_WORK/tang.adv" "http://127.0.0.1:$VM_TANG_PORT/adv" &&
		clevis luks bind -y -d "$VM_WORK/clevis.img" -k "$VM_WORK/root.key" tang "{\"url\":\"http://$VM_NET_SERVER\",\"adv\":\"$VM_WORK/tang.adv\"}" \
			>"$VM_WORK/bind.log" 2>&1 || vm_fail "clevis luks bind failed: $(tail -n 2 "$VM_WORK/bind.log")"
}

# The images that are booted: all with the emulated processor, which costs each of them the same.
vm_peer_boot_images()
{
	vm_tee_install 6.12
	vm_image_stock
	install -D -m 644 "$VM_WORK/test.conf" "$VM_ROOT/etc/cryptattest/cryptattest.conf"
	vm_peer_image "$VM_ROOT" boot-ours "$VM_CRYPTTAB_OURS"
	if [ -n "${VM_MINCURL:-}" ]; then
		strip -o "$VM_ROOT/usr/sbin/cryptattest" "$VM_MINCURL"
		vm_peer_image "$VM_ROOT" boot-mincurl "$VM_CRYPTTAB_OURS"
	fi
	vm_tree_before=$VM_ROOT VM_ROOT=$VM_CLEVIS
	vm_tee_install 6.12
	VM_ROOT=$vm_tree_before
	vm_peer_image "$VM_CLEVIS" boot-clevis "$VM_CRYPTTAB_PLAIN"
}

# vm_peer_boot NAME RUN INITRD DISK [CONFIG]: one boot; "NAME SECONDS BUSY PROCESSES" to VM_WORK/peers: seconds until the root is mounted, those of
# them that the processor worked, processes and threads started by then.
vm_peer_boot()
{
	CASE_DIR=$VM_WORK/peer-$1-$2 VM_INITRD=$VM_WORK/$3 VM_DISKS=$VM_WORK/$4
	mkdir -p "$CASE_DIR"
	if [ -n "${5-}" ]; then
		with_config "$5" "$3"
		VM_INITRD=$CASE_DIR/initrd
	fi
	case $1 in
	ours*) server "$(rule snp default/test/root)" ;;
	clevis) VM_PORT=$VM_TANG_PORT ;;
	*) VM_PORT= ;;
	esac
	vm_launch "$CASE_DIR" || vm_fail "$1: the guest did not end: $(tail -n 3 "$CASE_DIR/console.txt")"
	case $1 in
	ours*) server_stop ;;
	esac
	grep -q '^root: /dev/mapper/root ext4' "$CASE_DIR/console.txt" || { tail -n 20 "$CASE_DIR/console.txt" >&2; vm_fail "$1: the root was not mounted"; }
	echo "$1 $(row_second 'EXT4-fs [(]dm-[0-9]+[)]: mounted') $(sed -n 's/^busy: //p' "$CASE_DIR/console.txt" | awk '{ print $1 / 100 }')" \
		"$(sed -n 's/^forks: //p' "$CASE_DIR/console.txt")" >>"$VM_WORK/peers"
	vm_note "$(tail -n 1 "$VM_WORK/peers")"
}

# vm_peer_median NAME FIELD
vm_peer_median() { sed -n "s/^$1 //p" "$VM_WORK/peers" | cut -d' ' -f"$2" | sort -n | awk '{ v[NR] = $1 } END { if (NR) print v[int((NR + 1) / 2)] }'; }

# vm_peers RUNS: everything, and the table.
vm_peers()
{
	vm_prepare_clevis
	vm_prepare_mincurl || vm_note "no minimal libcurl: $(tail -n 1 "$VM_WORK/curl.log")"
	vm_peer_sizes "$VM_WORK/test.conf" >"$VM_WORK/sizes"
	vm_tang_start
	vm_peer_boot_images
	sed '/^url *=/a key = ec-p256' "$VM_WORK/test.conf" >"$VM_WORK/peer-p256.conf"
	VM_KERNEL=$VM_WORK/vmlinuz-6.12 VM_TEE=$VM_TEE_SNP VM_ICOUNT=1 VM_SECONDS=400
	# A lease would be a matter of who polls when.
	VM_COMMAND_LINE=$(vm_command_line quiet loglevel=7 "ip=10.0.2.15::10.0.2.9:255.255.255.0:::none")
	: >"$VM_WORK/peers"
	for vm_run in $(seq "$1"); do
		vm_peer_boot plain "$vm_run" initrd-stock root.img
		vm_peer_boot ours "$vm_run" boot-ours root.img
		vm_peer_boot ours-p256 "$vm_run" boot-ours root.img peer-p256.conf
		[ -z "${VM_MINCURL:-}" ] || vm_peer_boot ours-mincurl "$vm_run" boot-mincurl root.img peer-p256.conf
		vm_peer_boot clevis "$vm_run" boot-clevis clevis.img
	done
	vm_peers_table
}

# vm_peer_row NAME SIZE TITLE [BUDGET]
vm_peer_row()
{
	vm_size=$(sed -n "s/^$2 //p" "$VM_WORK/sizes")
	[ -n "$vm_size" ] && [ -n "$(vm_peer_median "$1" 1)" ] || return 0
	vm_values=
	for vm_field in 1 2 3; do
		vm_values="$vm_values $(vm_peer_median "$1" $vm_field) $(vm_peer_median plain $vm_field) $(vm_peer_median clevis $vm_field)"
	done
	echo "$vm_values $vm_size $(sed -n 's/^plain //p' "$VM_WORK/sizes") $(sed -n 's/^clevis //p' "$VM_WORK/sizes")" |
		awk -v title="$3" -v budget="${4--}" '
		function group(i, unit, digits, added) {
			added = ($i - $(i + 1)) / unit
			printf " %6.*f %6.*f %5s", digits, $i / unit, digits, added, (added > 0 ? sprintf("%.1fx", ($(i + 2) - $(i + 1)) / unit / added) : "-")
		}
		{ printf "%-33s", title; group(1, 1, 2); group(4, 1, 2); group(7, 1, 0); group(10, 1e6, 2); printf " %6s\n", budget }'
}

vm_peers_table()
{
	printf '%-33s %19s %19s %19s %26s\n' "" "seconds to root" "processor seconds" "processes, threads" "initramfs, MB (zstd)"
	printf '%-33s' "opened by"
	for vm_field in 1 2 3 4; do
		printf ' %6s %6s %5s' all added peer
	done
	printf ' %6s\n' budget
	vm_peer_row plain plain "cryptsetup, passphrase in image"
	vm_peer_row ours ours "ours, RSA-3072, Debian's libcurl" 4.7
	vm_peer_row ours-p256 ours "ours, P-256, Debian's libcurl" 4.7
	vm_peer_row ours-mincurl mincurl "ours, P-256, minimal libcurl" 1.0
	vm_peer_row clevis clevis "clevis with tang"
	vm_peer_row clevis clevis-tpm2 "clevis with tang and TPM tools" 5.9
	echo 'Medians. added: over the first row. peer: what clevis with tang adds, as a multiple of what this row adds.'
}
