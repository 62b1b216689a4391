# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# shellcheck shell=sh
# What the cases with a TPM share: volumes, configurations and documents for them, the table of outcomes. Sourced.

# For the cases with a TPM. tpm: as delivered, tpm.name the Name of its storage primary; esp.img: where the sealed files will lie. Both volumes
# have a second key slot, for the secret that the TPM will keep; kbs-vtpm holds documents that let the machine seal it by itself (may_reseal).
vm_prepare_vtpm()
{
	vm_tpm_new "$VM_WORK/tpm"
	vm_esp "$VM_WORK/esp.img"
	vm_kbs_init "$VM_WORK/kbs-vtpm" nobody
	vm_config_vtpm "$VM_WORK/kbs-vtpm.client" >"$VM_WORK/vtpm.conf"
	for vm_name in data root; do
		vm_uuid=$(cryptsetup luksUUID "$VM_WORK/$vm_name.img")
		vm_sealed_slot "$VM_WORK/$vm_name.img" "$VM_WORK/$vm_name.key" "$VM_WORK/sealed.pass"
		vm_document_reseal "$VM_WORK/$vm_name.img" $vm_name "$VM_WORK/$vm_name.key" "$VM_WORK/sealed.pass" >"$VM_WORK/document"
		"$VM_BUILD/cryptattest-kbs" resource add --dir "$VM_WORK/kbs-vtpm" --document --file "$VM_WORK/document" "default/test/$vm_name" ||
			vm_fail "no document that lets the machine seal"
		printf '\n[volume %s]\ndevice = UUID=%s\nsecret = main:default/test/%s\nmode = kbs-or-vtpm\nvk-id = %s\n' $vm_name "$vm_uuid" \
			$vm_name "$(vm_pin vk-id "$VM_WORK/$vm_name.img" $vm_name "$VM_WORK/$vm_name.key")"
		printf 'sealed = PARTLABEL=esp:/cryptattest/%s.sealed\n' $vm_name
	done >>"$VM_WORK/vtpm.conf"
	sed -e 's/^on-failure.*/on-failure = continue\nprofile = bare-metal/' -e '/^allow-untrusted/d' "$VM_WORK/vtpm.conf" >"$VM_WORK/vtpm-continue.conf"
	sed -e '/^\[volume data\]/,/^$/d' -e 's/^on-failure.*/&\nopener = crypttab/' "$VM_WORK/vtpm.conf" >"$VM_WORK/crypttab-vtpm.conf"
}

# Four little volumes, one per mode, that the boot does not depend on; the root file system is not encrypted.
VM_OUTCOME_MODES="kbs vtpm kbs+vtpm kbs-or-vtpm"
vm_prepare_outcomes()
{
	vm_kbs_init "$VM_WORK/kbs-outcomes" nobody
	vm_config_vtpm "$VM_WORK/kbs-outcomes.client" |
		sed -e 's/^on-failure.*/on-failure = continue\nprofile = bare-metal/' -e '/^allow-untrusted/d' -e 's/^deadline.*/deadline = 45s/' \
			>"$VM_WORK/outcomes.conf"
	vm_number=20
	for vm_mode in $VM_OUTCOME_MODES; do
		vm_number=$((vm_number + 1))
		vm_image=$VM_WORK/outcome-$vm_mode.img
		vm_key "$vm_image.key"
		truncate -s 20M "$vm_image"
		cryptsetup luksFormat --batch-mode --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --uuid "${VM_UUID_ROOT%??}$vm_number" \
			"$vm_image" "$vm_image.key" || vm_fail "no volume"
		vm_name=$(vm_outcome_name "$vm_mode")
		if [ "$vm_mode" = kbs+vtpm ]; then
			# The broker's half opens no key slot.
			vm_key "$vm_image.part"
			"$VM_BUILD/cryptattest-kbs" resource add --dir "$VM_WORK/kbs-outcomes" --binary --file "$vm_image.part" "default/test/$vm_name"
		else
			vm_kbs_resource "$VM_WORK/kbs-outcomes" "default/test/$vm_name" "$vm_image" "$vm_name" "$vm_image.key"
		fi || vm_fail "no secret for $vm_mode"
		printf '\n[volume %s]\ndevice = UUID=%s\nmode = %s\nrequired = no\nwait = 5s\n' "$vm_name" "${VM_UUID_ROOT%??}$vm_number" "$vm_mode"
		printf 'vk-id = %s\n' "$(vm_pin vk-id "$vm_image" "$vm_name" "$vm_image.key")"
		[ "$vm_mode" = vtpm ] || printf 'secret = main:default/test/%s\n' "$vm_name"
		[ "$vm_mode" = kbs ] || printf 'sealed = PARTLABEL=esp:/cryptattest/%s.sealed\n' "$vm_name"
	done >>"$VM_WORK/outcomes.conf"
}

vm_outcome_name() { echo "$1" | tr + -; }

# vm_document_reseal IMAGE VOLUME KEY-FILE PASSPHRASE-FILE: the document with what re-sealing at boot needs.
vm_document_reseal()
{
	"$VM_BUILD/cryptattest" document "$1" --name "$2" --key-file "$3" | tr -d '\n' | sed 's/}[[:space:]]*$//'
	printf ',"may_reseal":true,"sealed_secret":{"keyslot":1,"passphrase":"%s"}}\n' "$(base64 -w0 "$4")"
}

# vm_pin KEY IMAGE VOLUME KEY-FILE: vk-id or header-id, without its name.
vm_pin() { "$VM_BUILD/cryptattest" document "$2" --name "$3" --key-file "$4" --pins | sed -n "s/^$1 *= *//p"; }

# vm_sealed_slot IMAGE KEY-FILE PASSPHRASE-FILE: a key slot whose passphrase is the base64 of 32 random bytes.
vm_sealed_slot()
{
	(umask 077 && head -c 32 /dev/urandom | base64 -w0 >"$3")
	cryptsetup luksAddKey --batch-mode --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$2" "$1" "$3" || vm_fail "no second key slot"
}

# A machine whose vTPM is the host's: good for these tests and, says the configuration, for its owner. PCR 4 is the kernel, 7 Secure Boot, 9
# initramfs and command line.
vm_config_vtpm()
{
	printf '[agent]\non-failure = poweroff\ndeadline = 90s\n\n'
	cat "$1"
	echo 'key = ec-p256' # three seconds instead of ten for RSA, under emulation
	printf '\n[vtpm]\npcrs = 4 7 9\nsrk-name = %s\nallow-untrusted-vtpm = yes\nfallback-after = 8s\n' "$(cat "$VM_WORK/tpm.name")"
}

# The owner's commands in the running system, a line for each.
vm_outcomes_enroll()
{
	echo 'mkdir -p /run/owner; cd /run/owner'
	echo "cat >conf <<'END'"
	cat "$VM_WORK/outcomes.conf"
	echo END
	for vm_mode in $VM_OUTCOME_MODES; do
		[ "$vm_mode" != kbs ] || continue
		echo "echo $(base64 -w0 "$VM_WORK/outcome-$vm_mode.img.key") | base64 -d >key; chmod 600 key"
		vm_part=
		if [ "$vm_mode" = kbs+vtpm ]; then
			echo "echo $(base64 -w0 "$VM_WORK/outcome-$vm_mode.img.part") | base64 -d >part; chmod 600 part"
			vm_part='--kbs-part part'
		fi
		echo "cryptattest enroll $(vm_outcome_name "$vm_mode") --source=vtpm --key-file key $vm_part --config conf"
		echo "echo \"enrolled: $vm_mode exit \$?\""
	done
}

# vm_outcomes_seen BROKER CONSOLE: "MODE BROKER RESULT" for each volume of the status record that the booted system printed: the exit code of its
# kind, and what opened it.
vm_outcomes_seen()
{
	for vm_mode in $VM_OUTCOME_MODES; do
		sed -n '/^status json:/,$p' "$2" | tr -d '\n' | sed 's/{"name"/\n&/g' | grep "^{\"name\": *\"$(vm_outcome_name "$vm_mode")\"" |
			sed -e 's/.*"state": *"open".*"source": *"\([^ "]*\).*/0 \1/' -e 's/.*"class": *"\([^"]*\)".*/\1/' \
				-e 's/^refused$/4/' -e 's/^\(indeterminate\|unreachable\|timeout\)$/5/' -e "s/^/$vm_mode $1 /"
	done
}

# vm_outcomes_table FILE: these lines as the table of modes and answers in cryptattest(8).
vm_outcomes_table()
{
	printf '%-12s %-14s %-14s %-14s %s\n' broker $VM_OUTCOME_MODES
	for vm_broker in reachable refusing undecided unreachable; do
		vm_row=
		for vm_mode in $VM_OUTCOME_MODES; do
			vm_row=$vm_row$(printf '%-14s ' "$(sed -n "s/^$vm_mode $vm_broker //p" "$1")")
		done
		printf '%-12s %s\n' "$vm_broker" "$vm_row" | sed 's/ *$//'
	done
}

# The table as the manual has it; servers that the configuration does not name are tried elsewhere.
vm_outcomes_manual()
{
	sed -n '/BEGIN OUTCOMES/,/END OUTCOMES/p' "$VM_SRC/man/cryptattest.8" | sed -e '1d;$d' -e '/^stranger/d' -e 's/\\-/-/g'
}

# vm_outcomes_write FILE: makes it the manual's table (VM_UPDATE_MANUAL=1 sh tests/boot.sh vtpm-outcomes).
vm_outcomes_write()
{
	sed 's/-/\\-/g' "$1" >"$1.roff"
	# The row of a server that is a stranger stays, before the last.
	awk -v table="$1.roff" '
		/END OUTCOMES/ { inside = 0; print last }
		!inside || /^stranger/ { print }
		/BEGIN OUTCOMES/ {
			inside = 1
			for (n = 0; (getline line <table) > 0; last = line)
				if (n++)
					print last
		}
	' "$VM_SRC/man/cryptattest.8" >"$1.page" && cat "$1.page" >"$VM_SRC/man/cryptattest.8"
}
