# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# What the cases of cases.sh share: disks, configurations, key brokers, images. Sourced by boot.sh.

# What every boot needs: programs, disks, secrets, configurations.
vm_prepare_basics()
{
	vm_build >"$VM_WORK/build.log" 2>&1 || { tail -n 30 "$VM_WORK/build.log" >&2; vm_fail "the build failed"; }
	vm_prepare_tree
	vm_prepare_disk
	vm_prepare_other_disks
	vm_prepare_pki
	vm_prepare_servers
	vm_prepare_configs
}

# And which of the two kernels' images the named cases need.
vm_prepare()
{
	vm_prepare_basics
	case " $* " in
	*' stock '*) vm_image_stock ;;
	esac
	case " $* " in
	*' vtpm'* | *'-vtpm '*) vm_prepare_vtpm ;;
	esac
	case " $* " in
	*' vtpm'*)
		vm_prepare_image 6.12 "$VM_WORK/vtpm.conf"
		mv "$VM_WORK/initrd-6.12" "$VM_WORK/initrd-vtpm"
		;;
	esac
	case " $* " in
	*' vtpm-outcomes '*) vm_prepare_outcomes ;;
	esac
	case " $* " in
	*' kernel-6.1 '*) vm_prepare_image 6.1 "$VM_WORK/test.conf" ;;
	esac
	case " $* " in
	*' crypttab-keyscript '* | *' crypttab-keyscript-re'*) vm_prepare_keyscript crypttab.conf initrd-keyscript ;;
	esac
	case " $* " in
	*' crypttab-keyscript-vtpm '*) vm_prepare_keyscript crypttab-vtpm.conf initrd-keyscript-vtpm ;;
	esac
	case " $* " in
	*' packaged '*) vm_prepare_packaged ;;
	esac
	vm_prepare_storage "$@"
	case " $* " in
	*' dracut-'* | *' data-volume'*) vm_prepare_dracut_images "$@" ;;
	esac
	case " $* " in
	*' bond '* | *' vlan '*) printf 'bonding max_bonds=0\n8021q\n' >>"$VM_ROOT/etc/initramfs-tools/modules" ;;
	esac
	# Those with dracut have images of their own.
	for vm_case; do
		case $vm_case in
		dracut-*) ;;
		*)
			vm_prepare_image 6.12 "$VM_WORK/test.conf"
			break
			;;
		esac
	done
}

# data.img: a second volume. plain-root.img: the host's own system, not encrypted. null-cipher.img: the same behind the owner's header, which
# says that the data are encrypted with the null cipher. null-keyslot.img: the owner's disk with a key slot that everybody opens (A1).
vm_prepare_other_disks()
{
	vm_key "$VM_WORK/data.key"
	mkdir "$VM_WORK/data"
	vm_disk "$VM_WORK/data.img" "$VM_UUID_DATA" "$VM_WORK/data.key" "$VM_WORK/data" 32

	vm_filesystem "$VM_WORK/plain-root.img" "$VM_WORK/root" 256
	cp "$VM_WORK/root.img" "$VM_WORK/null-cipher.img"
	"$VM_BUILD/tests/headers/mkheader" "$VM_WORK/null-cipher.img" set segments.0.encryption '"cipher_null-ecb"'
	dd if="$VM_WORK/plain-root.img" of="$VM_WORK/null-cipher.img" bs=1M seek=16 conv=notrunc,sparse status=none
	cp "$VM_WORK/root.img" "$VM_WORK/null-keyslot.img"
	"$VM_BUILD/tests/headers/mkheader" "$VM_WORK/null-keyslot.img" null-keyslot 0
}

# kbs-main: keys, and the secrets of both volumes. kbs-other: the same secrets behind other keys.
vm_prepare_servers()
{
	vm_kbs_init "$VM_WORK/kbs-main" nobody
	vm_kbs_resource "$VM_WORK/kbs-main" default/test/root "$VM_WORK/root.img" root "$VM_WORK/root.key" || vm_fail "no document for root"
	vm_kbs_resource "$VM_WORK/kbs-main" default/test/data "$VM_WORK/data.img" data "$VM_WORK/data.key" || vm_fail "no document for data"
	vm_kbs_init "$VM_WORK/kbs-other" nobody
	cp -a "$VM_WORK/kbs-main/resources" "$VM_WORK/kbs-other/"
}

vm_prepare_configs()
{
	vm_config "$VM_WORK/kbs-main.client" default/test/root >"$VM_WORK/test.conf" || vm_fail "no identity for root"
	sed 's/^deadline.*/deadline = 15s/' "$VM_WORK/test.conf" >"$VM_WORK/short-deadline.conf"
	sed 's|^url.*|url = https://[fec0::2]:8443|' "$VM_WORK/test.conf" >"$VM_WORK/ipv6.conf"
	sed 's|^url.*|url = https://broker.test:8443|' "$VM_WORK/test.conf" >"$VM_WORK/by-name.conf"
	sed 's|^url.*|url = https://broker.test:8443|' "$VM_WORK/short-deadline.conf" >"$VM_WORK/by-name-short.conf"
	sed 's/^on-failure.*/on-failure = continue/' "$VM_WORK/test.conf" >"$VM_WORK/continue.conf"
	sed 's/^on-failure.*/&\npreflight = warn/' "$VM_WORK/test.conf" >"$VM_WORK/preflight-warn.conf"
	sed 's/^on-failure.*/&\nopener = crypttab/' "$VM_WORK/test.conf" >"$VM_WORK/crypttab.conf"
	{
		printf '[agent]\non-failure = poweroff\n'
		cat "$VM_WORK/kbs-main.client"
		printf '[volume root]\ndevice = UUID=%s\nsecret = main:default/test/systemd\n' "$VM_UUID_ROOT"
		printf '[volume data]\ndevice = UUID=%s\nsecret = main:default/test/data\nphase = system\n' "$VM_UUID_DATA"
		printf '[volume later]\ndevice = UUID=%s\nsecret = main:default/test/later\nphase = system\nrequired = no\nwait = 1s\n' "$VM_UUID_LATER"
	} >"$VM_WORK/data-volume.conf"
	sed 's/^secret/sekret/' "$VM_WORK/test.conf" >"$VM_WORK/broken.conf"
	{
		cat "$VM_WORK/test.conf"
		printf '\n[volume data]\ndevice = UUID=%s\nsecret = main:default/test/data\n' "$VM_UUID_DATA"
	} >"$VM_WORK/two-volumes.conf"
}
