/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef ARNIA_CONTAINER_STORE_INTERNAL_H
#define ARNIA_CONTAINER_STORE_INTERNAL_H
/* Between the two halves of the store. */
#include "lib/base/json.h"
#include "lib/container/store.h"

typedef void (*store_name_fn)(int dir, const char *name, void *arg);
void store_each_name(int fd, store_name_fn fn, void *arg);
/* Put a bad file aside under a name that is not read again. */
void store_isolate(int dir, const char *name);
/* Not the file's fault: it may well be read another time. */
bool store_is_passing(int r);
/* The record of a sealed file; -EBADMSG when it is torn or garbled. */
int store_read_sealed(int dir, const char *name, size_t max, json **ret, struct error *err);

#endif
