/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lib/rpc/rpc.h"

/* The file itself (paths are from the tree's root, where the compiler runs), so that the documentation and
 * what the daemon tells about itself are one text. */
__asm__(".section .rodata\n"
	".global rpc_interface_text\n"
	".type rpc_interface_text, %object\n"
	"rpc_interface_text:\n"
	".incbin \"lib/rpc/arnia.varlink\"\n"
	".byte 0\n"
	".size rpc_interface_text, . - rpc_interface_text\n"
	".previous\n");
