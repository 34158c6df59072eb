/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_BASE_VERSION_H
#define ARNIA_BASE_VERSION_H
/* One version for all programs: shown by `arnia version`, by the daemon's Version and by varlink's GetInfo. */
#define ARNIA_VERSION "0.1.0"
#endif
