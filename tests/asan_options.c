/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Linked into the programs of SAN=address builds: they end without freeing what the kernel takes back anyway. The unit
 * tests keep the search for leaks. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}
