/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CGROUP_INTERNAL_H
#define ARNIA_CGROUP_INTERNAL_H
/* Shared by the files of cgroup/ only. */
#include <stddef.h>
#include <stdint.h>
#include <linux/bpf.h>
#include "lib/base/error.h"
#include "cgroup/cgroup.h"

#define CG_HINT_DOCTOR "see what this host can limit: arnia host doctor"

/* One control file, on a descriptor checked to be cgroup2. */
int cg_write(int cg, const char *file, const char *text, struct error *err);
/* Small control file into buf, NUL-terminated; the length or -errno. What does not fit is cut. */
long cg_read(int cg, const char *file, char *buf, size_t size);
/* The value after "KEY " at the start of a line of a flat keyed file; -ENOENT when absent. */
int cg_find_key(const char *text, const char *key, uint64_t *ret);

/* "a/b/c": relative, no empty, "." or ".." part, each at most 255 bytes. 0 or -EINVAL. */
int cg_check_path(const char *path, struct error *err);

/* Write the knobs that are set. One whose file is missing is no error: its CG_ASKED bit is set in
 * *ret_missing. */
int cg_limits_try(int cg, const struct cg_limits *l, uint32_t *ret_missing, struct error *err);
/* What would be written for a knob; false when it is not set. */
bool cg_knob_text(const struct cg_limits *l, enum cg_knob k, char *buf, size_t size);
/* The error for the missing knobs that were asked for, with `why` (may be NULL); 0 when none was. */
int cg_limits_refuse(int cg, const struct cg_limits *l, uint32_t missing, const char *why, struct error *err);
/* enum cg_controller bits of a set of CG_ASKED bits. */
uint32_t cg_knobs_controllers(uint32_t knob_bits);
/* The known names in cgroup.controllers or cgroup.subtree_control. */
int cg_read_controllers(int cg, const char *file, uint32_t *ret);
/* The controller of a control file by its name ("io" of "io.max"); 0 for those of the core and unknown ones. */
uint32_t cg_file_controller(const char *file);
/* Switch controllers on for a cgroup of which only the descriptor is known, at most `depth` levels up; as far as it goes. */
void cg_enable_above(int cg, uint32_t want, unsigned depth);
#define CG_DEPTH_MAX 64
/* Names of the controllers in `bits`: "cpu, memory". buf is at least 64 bytes; returns buf. */
char *cg_controller_names(uint32_t bits, char *buf, size_t size);

/* The list in order. A missing file that is not optional is an error, with `why` (may be NULL). */
int cg_writes_try(int cg, const struct cg_write *w, size_t n, const char *why, struct error *err);
/* Controllers that the files of the list belong to and that `cg` does not have. */
int cg_writes_missing(int cg, const struct cg_write *w, size_t n, uint32_t *ret);

/* The device rules as a BPF_PROG_TYPE_CGROUP_DEVICE program; the number of instructions, -E2BIG when over
 * `max`, -EINVAL for a malformed rule. */
long cg_devices_compile(const struct cg_device *rules, size_t n, struct bpf_insn *ret, size_t max);
#define CG_DEVICE_INSNS(n) (16 + 8 * (n)) /* enough for n rules */
/* Load and attach to a cgroup that has no program of ours yet (a fresh one). */
int cg_devices_attach(int cg, const struct cg_device *rules, size_t n, const struct cg_program *p, struct error *err);

#endif
