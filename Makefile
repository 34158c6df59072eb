# SPDX-License-Identifier: GPL-2.0-or-later
# One makefile for everything; `make help` lists the targets and switches.
MAKEFLAGS += --no-builtin-rules --no-print-directory
.SUFFIXES:
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:

O ?= build
PREFIX ?= /usr/local
DESTDIR ?=
CC = gcc
AR = ar
CFLAGS ?= $(if $(COV),-O0,-O2) -g
OUT := $(abspath $(O))

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-5s %s\n'
endif

# ---- flags ---------------------------------------------------------------------------------------
cc_has = $(shell $(CC) -Werror $(1) -x c -c /dev/null -o /dev/null 2>/dev/null && echo $(1))
cpp_flags := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 $(if $(RELEASE),,-DARNIA_TEST_HOOKS=1)
cpp_flags += -DARNIA_PREFIX='"$(PREFIX)"'
c_flags := -std=gnu17 -Wall -Wextra -Wvla -Wundef -Wstrict-prototypes -Wmissing-prototypes
c_flags += -fPIE -fstack-protector-strong $(call cc_has,-fcf-protection) -fno-strict-aliasing
# Cutting text to a fixed buffer is meant where snprintf is used.
c_flags += $(if $(call cc_has,-Wformat-truncation),-Wno-format-truncation)
c_flags += -ffunction-sections -fdata-sections -fno-common
ifneq ($(filter 1,$(WERROR))$(filter true,$(CI)),)
c_flags += -Werror
endif
ld_flags := -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed -Wl,--gc-sections
ifneq ($(SAN),)
c_flags += -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
ld_flags += -fsanitize=$(SAN)
else ifneq ($(filter -O1 -O2 -O3 -Os,$(CFLAGS)),)
cpp_flags += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
ifneq ($(COV),)
c_flags += --coverage
ld_flags += --coverage
endif
ifneq ($(FUZZ),)
c_flags += -fsanitize=fuzzer-no-link
endif
compile = $(CC) $(cpp_flags) $(CPPFLAGS) $(c_flags) $(CFLAGS) -MMD -MP -c -o $@ $<

# Sanitizers and coverage cannot be linked statically. A static PIE relocates itself at each start (0.1 of 0.9 ms): the
# keeper, which lives long as root, is one; the client, started for each command without privilege, is not.
static_pie := $(if $(SAN)$(COV),-pie,-static-pie)
static := $(if $(SAN)$(COV),-pie,-static)

# ---- layers: folder -> archive -------------------------------------------------------------------
layers := base cgroup netns rootfs sandbox rpc vm spec oci plan worker container checkpoint
dir_base := lib/base
dir_cgroup := cgroup
dir_netns := netns
dir_rootfs := rootfs
dir_sandbox := lib/sandbox
dir_rpc := lib/rpc
dir_vm := lib/vm
dir_spec := lib/spec
dir_oci := lib/oci
dir_plan := lib/plan
dir_worker := lib/worker
dir_container := lib/container
dir_checkpoint := lib/checkpoint

# ---- programs: each is linked with the archives of its layer list only (ARCHITECTURE.md) ---------
uses_arnia := rpc base
ext_arnia := -ljson-c
link_arnia := $(static)
uses_arniad := rpc container checkpoint plan spec sandbox rootfs cgroup base
ext_arniad := -ljson-c -lseccomp -lcap -larchive
link_arniad := -pie
uses_arnia-run := worker plan spec cgroup netns rootfs sandbox base
ext_arnia-run := -lmnl -lnftnl -lseccomp -lcap -larchive -ljson-c
link_arnia-run := -pie
uses_arnia-oci := worker oci plan spec rootfs netns sandbox cgroup base
ext_arnia-oci := -ljson-c -lseccomp -lm
link_arnia-oci := $(static)
uses_arnia-oci-scope := base
ext_arnia-oci-scope := -lsystemd
link_arnia-oci-scope := -pie
uses_arnia-vmm := vm plan spec base
ext_arnia-vmm := -ljson-c
link_arnia-vmm := -pie
uses_arnia-keeper := base
ext_arnia-keeper :=
link_arnia-keeper := $(static_pie)
# No libc in it (cmd/arnia-init/sys.h): one page of text, nothing to relocate.
uses_arnia-init :=
ext_arnia-init :=
link_arnia-init := -nostdlib -no-pie -Wl,-z,noseparate-code,-z,norelro,--build-id=none
ext_tests := -lcmocka -ljson-c -lmnl -lnftnl -lseccomp -lcap -larchive -lsystemd -lpthread -lutil -lm

obj = $(patsubst %.c,$(O)/obj/%.o,$(1))
define layer
archive_$(1) := $(if $(wildcard $(dir_$(1))/*.c),$(O)/lib/lib$(1).a)
$(O)/lib/lib$(1).a: $(call obj,$(sort $(wildcard $(dir_$(1))/*.c)))
endef
$(foreach l,$(layers),$(eval $(call layer,$(l))))
archives := $(foreach l,$(layers),$(archive_$(l)))

progs := $(sort $(patsubst cmd/%/,%,$(dir $(wildcard cmd/*/*.c))))
$(foreach p,$(progs),$(if $(filter undefined,$(origin uses_$(p))),$(error cmd/$(p): no layer list for it in the Makefile)))
define prog
$(O)/bin/$(1): $(call obj,$(sort $(wildcard cmd/$(1)/*.c))) $(foreach l,$(uses_$(1)),$(archive_$(l)))
	$$(say) LINK $$@
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(CFLAGS) $$(ld_flags) $$(LDFLAGS) $(link_$(1)) -o $$@ $$(filter %.o,$$^) \
		-Wl,--start-group $$(filter %.a,$$^) $(ext_$(1)) -Wl,--end-group
endef
$(foreach p,$(progs),$(eval $(call prog,$(p))))
bins := $(addprefix $(O)/bin/,$(progs))
$(bins): Makefile
ifneq ($(findstring address,$(SAN)),)
$(filter-out %/arnia-init,$(bins)): $(call obj,tests/asan_options.c)
endif

# ---- tests ---------------------------------------------------------------------------------------
unit_src := $(sort $(shell [ -d tests/unit ] && find tests/unit -name 'test_*.c'))
unit_bins := $(patsubst %.c,$(O)/%,$(unit_src))
fuzz_src := $(sort $(wildcard tests/fuzz/fuzz_*.c))
fuzz_bins := $(patsubst %.c,$(O)/%,$(fuzz_src))
pick = $(if $(T),$(foreach b,$(1),$(if $(findstring $(T),$(b)),$(b))),$(1))
test_link = $(CC) $(CFLAGS) $(ld_flags) $(LDFLAGS) -pie -o $@ $(filter %.o,$^) \
	-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(ext_tests)
# Beside test_X.c: other .c files of its folder, and for tests/unit/cmd/NAME the program without its main.c.
unit_helpers = $(filter-out $(dir $(1))test_%,$(wildcard $(dir $(1))*.c)) \
	$(filter-out %/main.c,$(wildcard $(patsubst tests/unit/cmd/%,cmd/%,$(filter tests/unit/cmd/%,$(dir $(1))))*.c))
# A folder's tests see its layer and what lies below it, so that they also build alone; others see everything.
below_base := base
$(foreach l,cgroup netns rootfs sandbox rpc vm spec,$(eval below_$(l) := $(l) base))
below_oci := oci spec base
below_plan := plan spec base
below_worker := worker plan spec cgroup rootfs sandbox base
below_container := container plan spec rpc cgroup base
below_checkpoint := checkpoint $(below_container)
below_keeper := base
unit_layer = $(word 3,$(subst /, ,$(1)))
unit_archives = $(foreach l,$(or $(below_$(unit_layer)),$(layers)),$(archive_$(l)))
define unit
$(patsubst %.c,$(O)/%,$(1)): $(call obj,$(1) $(call unit_helpers,$(1))) $(unit_archives)
endef
$(foreach u,$(unit_src),$(eval $(call unit,$(u))))
$(foreach f,$(fuzz_src),$(eval $(patsubst %.c,$(O)/%,$(f)): $(call obj,$(f)) $(archives)))
fuzz_main := $(if $(FUZZ),,$(call obj,tests/fuzz/replay_main.c))
$(fuzz_bins): $(fuzz_main)
# The keeper's tests drive the program itself, with a stand-in for its workers.
fake_worker := $(O)/tests/fakes/fake_worker
$(fake_worker): $(call obj,tests/fakes/fake_worker.c) $(archive_base)
$(filter $(O)/tests/unit/keeper/%,$(unit_bins)): | $(fake_worker) $(O)/bin/arnia-keeper $(O)/bin/arnia-init
# Static programs that tests put into containers, one file each.
inmates := $(patsubst %.c,$(O)/%,$(filter-out tests/fakes/fake_%,$(wildcard tests/fakes/*.c)))
$(inmates): $(O)/%: %.c $(wildcard tests/fakes/*.h)
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -I. -O1 -g -Wall -Wextra $(if $(WERROR),-Werror) -static -o $@ $<

# Benchmarks: floor and load are static (load also runs inside machines), the others use our archives.
bench_of := floor load rounds many own report
bench_bins := $(addprefix $(O)/tests/bench/,$(bench_of))
bench_flags = -std=gnu17 -D_GNU_SOURCE -I. -O2 -g -Wall -Wextra -Wno-format-truncation $(if $(WERROR),-Werror)
$(O)/tests/bench/floor $(O)/tests/bench/load: $(O)/tests/bench/%: $(wildcard tests/bench/*.[ch] tests/bench/floor/*.[ch])
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(bench_flags) -static -o $@ $(or $(wildcard tests/bench/$*/*.c),tests/bench/$*.c)
$(filter-out %/floor %/load,$(bench_bins)): $(O)/tests/bench/%: tests/bench/%.c tests/bench/stat.h $(archives)
	$(say) CC $@
	@mkdir -p $(@D)
	$(Q)$(CC) $(bench_flags) -o $@ $< -Wl,--start-group $(archives) -Wl,--end-group -Wl,--as-needed $(ext_tests)

# ---- data ----------------------------------------------------------------------------------------
data_src := $(shell find templates seccomp-profiles -type f 2>/dev/null | sort)
data := $(addprefix $(O)/share/arnia/,$(data_src))
busybox := $(firstword $(wildcard /bin/busybox /usr/bin/busybox))
ifneq ($(busybox),)
data += $(O)/share/arnia/templates/busybox/busybox
endif

# ---- rules ---------------------------------------------------------------------------------------
.PHONY: all progs data units fuzzers deps quickstart check check-layers check-build lint check-unit check-fuzz check-bats
.PHONY: check-vm vm-disk vm-shell bench bench-tools fuzz install uninstall clean help compile_commands.json FORCE
all: progs data
progs: $(bins)
data: $(data)
	$(if $(busybox),,@echo 'note: no static busybox on this machine (make deps): the busybox template will not build' >&2)
units: $(unit_bins)
fuzzers: $(fuzz_bins)
.PHONY: inmates
inmates: $(inmates)

$(archives):
	$(say) AR $@
	@mkdir -p $(@D)
	$(Q)rm -f $@ && $(AR) rcsD $@ $^

$(O)/obj/tests/%.o: c_flags += -Wno-missing-prototypes
$(O)/obj/cmd/arnia-init/%.o: c_flags := $(filter-out -fsanitize=% -fno-sanitize-recover=% --coverage \
	-fstack-protector-strong,$(c_flags)) -ffreestanding -fno-stack-protector
$(O)/bin/arnia-init: ld_flags := $(filter-out -fsanitize=% --coverage,$(ld_flags))
# Text that assembler directives take in; the compiler does not list it.
$(O)/obj/lib/rpc/interface.o: lib/rpc/arnia.varlink
$(O)/obj/%.o: %.c $(O)/flags
	$(say) CC $<
	@mkdir -p $(@D)
	$(Q)$(compile)

$(unit_bins):
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(test_link)

$(fake_worker):
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(test_link)

$(fuzz_bins):
	$(say) LINK $@
	@mkdir -p $(@D)
	$(Q)$(test_link) $(if $(FUZZ),-fsanitize=fuzzer)

# Objects follow the flags: another SAN= or CC= in the same folder compiles again.
flag_text := $(CC) $(cpp_flags) $(CPPFLAGS) $(c_flags) $(CFLAGS) $(ld_flags)
$(O)/flags: FORCE
	@mkdir -p $(O)
	@printf '%s\n' '$(subst ','\'',$(flag_text))' | cmp -s - $@ || printf '%s\n' '$(subst ','\'',$(flag_text))' > $@

$(O)/share/arnia/templates/busybox/busybox: $(busybox)
	@mkdir -p $(@D)
	$(Q)cp $< $@
$(addprefix $(O)/share/arnia/,$(data_src)): $(O)/share/arnia/%: %
	@mkdir -p $(@D)
	$(Q)cp -p $< $@

# ---- checks: each prints `N passed, N failed, N skipped` and leaves it in $(O)/results -----------
checks := check-layers check-build lint check-unit check-fuzz check-bats check-vm
tally := sh tests/tally.sh $(O)/results
# The test host's disk is made meanwhile, but not beside bats files, which look at the mounts of this host.
check: deps
	@rm -rf $(O)/results
	@$(MAKE) vm-disk > /dev/null 2>&1 & trap "kill $$! 2> /dev/null; exit 130" INT TERM; \
	for c in $(checks); do [ $$c != check-bats ] || wait; $(MAKE) -k $$c || :; done
	@$(tally) sum $(checks)
check-layers:
	@$(tally) run $@ sh tests/lint/layers.sh
check-build:
	@mkdir -p $(O)
	@MAKE='$(MAKE)' $(tally) run $@ sh tests/run-build.sh $(O)
lint:
	@$(tally) run $@ bash tests/lint/lint.sh
check-unit:
	@MAKE='$(MAKE)' $(tally) run $@ sh tests/run-built.sh $(O) run-unit.sh $(call pick,$(unit_bins))
check-fuzz:
	@MAKE='$(MAKE)' $(tally) run $@ sh tests/run-built.sh $(O) run-fuzz.sh $(call pick,$(fuzz_bins))
check-bats: all $(inmates)
	@ARNIA_BUILD=$(OUT) $(tally) run $@ bash tests/run-bats.sh $(T)
check-vm: all $(inmates)
	@ARNIA_BUILD=$(OUT) $(tally) run $@ bash tests/vm/run.sh $(T)
vm-disk:
	@bash tests/vm/image.sh $(OUT)/vm
# VM=systemd: with systemd as process 1.
vm-shell: all $(inmates)
	@ARNIA_BUILD=$(OUT) bash tests/vm/run.sh --shell $(or $(VM),plain)
# Without the test hooks. QUICK=1: a minute.
bench_o := $(if $(RELEASE),$(O),$(O)/release)
bench-tools: $(bench_bins)
bench:
	@$(MAKE) O=$(bench_o) RELEASE=1 all bench-tools
	@ARNIA_BUILD=$(abspath $(bench_o)) BENCH_OUT=$(OUT)/bench QUICK=$(QUICK) bash tests/bench/run.sh

# libFuzzer, each target for FUZZ_TIME seconds; new inputs go to $(O)/fuzz/corpus, findings to $(O)/fuzz.
FUZZ_TIME ?= 60
fuzz:
	@$(MAKE) O=$(O)/fuzz CC=clang FUZZ=1 SAN=address,undefined fuzzers
	@sh tests/run-libfuzzer.sh $(O)/fuzz $(FUZZ_TIME) $(patsubst tests/fuzz/fuzz_%.c,%,$(call pick,$(fuzz_src)))

# ---- machine set-up ------------------------------------------------------------------------------
# To build and use it; then what tests need as well.
BUILD_DEPS := gcc make libc6-dev libmnl-dev libnftnl-dev libseccomp-dev libcap-dev libjson-c-dev \
	libarchive-dev libsystemd-dev busybox-static iproute2 mmdebstrap jq curl procps
DEPS := $(BUILD_DEPS) libcmocka-dev bats clang llvm shellcheck cppcheck mandoc strace socat iputils-ping \
	nftables crun runc qemu-system-x86 cpio zstd xz-utils kmod bsdextrautils e2fsprogs tmux netcat-openbsd \
	util-linux pkg-config uidmap
deps:
	@sh tests/deps.sh $(DEPS)
quickstart:
	@sh tests/deps.sh $(BUILD_DEPS)
	@$(MAKE) all
	@ARNIA_BUILD=$(OUT) bash tests/quickstart.sh

# ---- installation: always from a build without test hooks ----------------------------------------
R := $(O)/release
inst := $(DESTDIR)$(PREFIX)
install:
	@$(MAKE) O=$(R) RELEASE=1 all
	install -d $(inst)/bin $(inst)/libexec/arnia $(inst)/share/arnia
	install -m 755 $(R)/bin/arnia $(inst)/bin/arnia
	for p in $(filter-out arnia,$(progs)); do install -m 755 $(R)/bin/$$p $(inst)/libexec/arnia/$$p || exit 1; done
	$(if $(filter arnia-oci,$(progs)),ln -sfn ../libexec/arnia/arnia-oci $(inst)/bin/arnia-oci)
	cp -R $(R)/share/arnia/. $(inst)/share/arnia/
	for m in $(wildcard man/*.[1-8]); do install -D -m 644 $$m $(inst)/share/man/man$${m##*.}/$${m##*/} || exit 1; done
	install -d $(inst)/share/bash-completion/completions $(inst)/share/fish/vendor_completions.d
	$(R)/bin/arnia completion bash > $(inst)/share/bash-completion/completions/arnia
	$(R)/bin/arnia completion fish > $(inst)/share/fish/vendor_completions.d/arnia.fish
	$(R)/bin/arnia-oci completion bash > $(inst)/share/bash-completion/completions/arnia-oci
	$(R)/bin/arnia-oci completion fish > $(inst)/share/fish/vendor_completions.d/arnia-oci.fish
	install -d $(inst)/lib/systemd/system
	for u in $(notdir $(wildcard systemd/arnia*)); do sed 's|@LIBEXECDIR@|$(PREFIX)/libexec/arnia|' systemd/$$u \
		> $(inst)/lib/systemd/system/$$u || exit 1; done
uninstall:
	rm -f $(patsubst systemd/%,$(inst)/lib/systemd/system/%,$(wildcard systemd/arnia*))
	rm -f $(inst)/bin/arnia $(inst)/bin/arnia-oci $(inst)/share/bash-completion/completions/arnia \
		$(inst)/share/fish/vendor_completions.d/arnia.fish $(inst)/share/bash-completion/completions/arnia-oci \
		$(inst)/share/fish/vendor_completions.d/arnia-oci.fish
	rm -rf $(inst)/libexec/arnia $(inst)/share/arnia
	for m in $(wildcard man/*.[1-8]); do rm -f $(inst)/share/man/man$${m##*.}/$${m##*/}; done
clean:
	rm -rf $(O)

compile_commands.json:
	@$(MAKE) -B -n V=1 progs units fuzzers | sh tests/lint/compile-commands.sh > $@

help:
	@cat tests/lint/make-help.txt

-include $(shell [ -d $(O)/obj ] && find $(O)/obj -name '*.d')
