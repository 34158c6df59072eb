/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdio.h>
#include "cmd/arnia-oci/engine.h"

int list_steps(void)
{
	static const struct steps *const all[] = {&create_steps, &adopt_steps, &work_steps, &guest_steps,
						&exec_steps,   &exec_guest_steps, &exec_inside_steps};

	for (size_t l = 0; l < ARRAY_SIZE(all); l++)
		for (size_t i = 0; i < all[l]->n; i++)
			puts(all[l]->v[i].name);
	return fflush(stdout) == 0 ? 0 : ERR_FAILED;
}
