#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# Whose volume is it (K4, E2, E4)? A secret that opens it is not enough: every name that the owner gave in the document, in the
# configuration or with the sealed secret must be this volume's. And nothing is asked for, or public, before every check has passed.
. "$TOP_SRCDIR/tests/loopback/vtpm.sh"
stranger=$(sha "another volume")
document=$("$agent" document root/dev/disk --name root --key-file kbs.pass) || bail "no document"
"$agent" document root/dev/disk --name root --key-file kbs.pass --pins >pins
header_id=$(sed -n 's/^header-id = //p' pins)
sector_size=$(sed -n 's/^sector-size = //p' pins) another_size=512
[ "$sector_size" != 512 ] || another_size=4096

# restart: /run and mappings as at power-on
restart() {
	rm -rf root/run root/mapper
	mkdir root/run root/mapper
}
# given SECRET [VOLUME-LINE]: what an unlock ends in when the broker gives that
given() {
	broker "" "$1"
	config now kbs "" "${2-}"
	restart
	run now unlock root
}
opened() {
	[ "$code" = 0 ] && is_open kbs
}
refused() { # EXIT ID
	[ "$code" = "$1" ] && nothing_open && id_is "$2"
}
changed() { # SED: the document with that done to it
	printf '%s' "$document" | sed "$1"
}

given "$document"
check "the owner's document opens it" opened
given "$(changed "s/\"vk_id\":\"[0-9a-f]*\"/\"vk_id\":\"$stranger\"/")"
check "a document of another volume key" refused 9 K4
given "$(changed "s/\"header_ids\":\[\"[0-9a-f]*\"/\"header_ids\":[\"$stranger\"/")"
check "a document of another header" refused 9 header-id
given "$(changed "s/\"header_ids\":\[/&\"$stranger\",/")"
check "a document of several headers, this one among them" opened
given "$(changed "s/\"uuid\":\"[0-9a-f-]*\"/\"uuid\":\"11111111-2222-4333-8444-555555555555\"/")"
check "a document of another UUID" refused 9 document-uuid
given "$(changed 's/"name":"root"/"name":"home"/')"
check "a document of another name" refused 9 document-name
given "$(changed "s/\"sector_size\":$sector_size/\"sector_size\":$another_size/")"
check "a document of another sector size" refused 9 H6
given "$document" "vk-id = $stranger"
check "document and configuration do not agree" refused 9 document-vk-id
given "$document" "vk-id = $vk_id"
check "document and configuration agree" opened

passphrase=$(cat kbs.pass)
given "$passphrase" "vk-id = $stranger"
check "a bare passphrase: the configuration names another volume key" refused 9 K4
given "$passphrase" "header-id = $stranger"
check "a bare passphrase: the configuration names another header" refused 9 header-id
given "$passphrase" "sector-size = $another_size"
check "a bare passphrase: the configuration names another sector size" refused 9 H6
given "$passphrase" "vk-id = $vk_id
header-id = $header_id
sector-size = $sector_size"
check "a bare passphrase: the configuration names this volume" opened
printf 'fifteen letters' >short.pass
chmod 600 short.pass
cp root/dev/disk whole.img
cryptsetup luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q --key-file kbs.pass root/dev/disk short.pass || bail "no keyslot"
given "fifteen letters"
check "a machine's secret has at least 16 bytes, though a keyslot takes fewer" refused 9 document
restart
run vtpm recover root --key-file short.pass
check "a person's may be shorter" eval '[ $code = 0 ] && is_open recover'
cp whole.img root/dev/disk

# --- sealed for a keyslot that has been made anew since, with the same secret
boot
run vtpm unlock root
check "the sealed secret opens its keyslot" eval '[ $code = 0 ] && is_open vtpm'
cryptsetup luksKillSlot -q --key-file kbs.pass root/dev/disk 1 &&
	cryptsetup luksAddKey --pbkdf pbkdf2 --pbkdf-force-iterations 1000 -q --key-file kbs.pass root/dev/disk vtpm.pass || bail "no keyslot"
boot
run vtpm unlock root
check "sealed for another header" refused 9 header-id
cp whole.img root/dev/disk

# --- the kernel's table is read under a name that nobody looks for, first
given "$document"
[ "$code" = 0 ] || bail "$(cat err)"
check "a trial under a private name comes before the public one" \
	eval 'sed -n "1p" root/mapper/.log | grep -q "^activate cryptattest-" && grep -q "^activate root\>" root/mapper/.log'
broker "" "$document"
config now kbs
restart
echo wrong-cipher >root/mapper/.fault
run now unlock root
check "another cipher in the kernel's table" refused 9 K6
check "its public name never existed" eval '! grep -q "^activate root\>" root/mapper/.log'

# --- two volumes, the second's header is not what it was
broker "" "$document"
config now kbs "" "[volume data]
device = /dev/disk2
secret = main:default/vm/data"
head -c 1M root/dev/disk >root/dev/disk2
restart
run now unlock --all
check "a required volume with a broken header: the other is not tried" \
	eval '[ $code != 0 ] && nothing_open && grep -q "data: .*\[H3\]" err && grep -q "root: .*\[not-tried\]" err'
exec 9>&-
wait "$kbs"
kbs=
check "no packet left for the other" grep -q '^connections=0 ' counts
plan $count
