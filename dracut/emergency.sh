#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later WITH cryptsetup-OpenSSL-exception
# emergency and shutdown-emergency, sourced before dracut offers a shell: the door is closed first, and with "profile = cvm" the console is the
# host's, so the boot ends as on-failure says, and not in a shell unless it says that.
. /lib/cryptattest/functions
if [ -x "$ca_agent" ]; then
	ca_cap
	[ "$(ca_setting profile)" = bare-metal ] || ca_end "the boot has failed"
fi
