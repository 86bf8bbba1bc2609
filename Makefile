# SPDX-License-Identifier: MIT
#
# The one Makefile of bascule. There is no configure step: `make` builds build/release/bascule,
# `make help` lists the rest.
#
# A variant of the build is a MODE with a folder of its own, build/$(MODE)/, so that the source
# tree stays clean and variants live side by side: release, debug, asan, tsan, cov, fuzz. Targets
# that need another variant call this file again with that MODE. Sources are found by wildcard;
# all objects but cli/main.o go into one archive, which the program and every test link.
#
# Yours to set, on the command line or in the environment, never overwritten, only added to:
#   CC CFLAGS CPPFLAGS LDFLAGS LDLIBS PKG_CONFIG PREFIX DESTDIR
# Switches: MODE=…  V=1 (show commands)  DEVELOPER=1 (warnings are errors)  STATIC=1 (libraries in
# the program)  T=word (only tests whose path has the word)  JOBS=n  DEMO=plain.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# --- Variant ------------------------------------------------------------------------------------

# What is tested is the debug build, what is used is the release build; asking for a file such as
# build/debug/core/base/err.o names its variant itself.
TEST_GOALS := check-unit check-contract check-golden check-console check-torture check-fuzz \
	check-fast torture golden test-programs docs docs-check lint
ifndef MODE
MODE := $(firstword \
	$(foreach g,$(MAKECMDGOALS),$(if $(filter build/%/x,$(g)/x),$(word 2,$(subst /, ,$(g))))) \
	$(if $(filter $(TEST_GOALS),$(MAKECMDGOALS)),debug) release)
endif
B := build/$(MODE)

ifeq ($(origin CC),default)
CC := $(if $(filter fuzz cov,$(MODE)),clang,gcc)
endif
PKG_CONFIG ?= pkg-config
PREFIX ?= /usr/local
JOBS ?= 2

MODE_CFLAGS.release := -O2 -g -fstack-protector-strong -fPIE
MODE_CPPFLAGS.release := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
MODE_LDFLAGS.release := -pie -Wl,-z,relro,-z,now
# Hundreds of test programs are linked from one archive, anew after each change of it: gold needs half of ld's time. It
# warns of every symbol of AddressSanitizer.
ifneq ($(filter debug tsan,$(MODE)),)
MODE_LDFLAGS.$(MODE) := $(if $(shell command -v ld.gold),-fuse-ld=gold)
endif
MODE_CFLAGS.debug := -Og -g
MODE_CFLAGS.asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
MODE_CFLAGS.tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
# The file is for processes that have no LLVM_PROFILE_FILE (services of the demo).
MODE_CFLAGS.cov := -O0 -g -fprofile-instr-generate=$(CURDIR)/$(B)/stray.profraw -fcoverage-mapping \
	-mllvm -runtime-counter-relocation
MODE_CFLAGS.fuzz := -O1 -g -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ifeq ($(MODE_CFLAGS.$(MODE)),)
$(error MODE=$(MODE) is not one of release debug asan tsan cov fuzz)
endif

# --- Sources ------------------------------------------------------------------------------------

LIB_SRC := $(sort $(wildcard core/*/*.c config/*.c tui/*.c) \
	$(filter-out cli/main.c,$(wildcard cli/*.c)))
THEMES := $(sort $(wildcard themes/*.theme))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(B)/gen/themes_builtin.o

# Beside the programs test_*.c a test folder may hold shared .c files; they and tests/support go
# into one archive that all test programs link.
TEST_DIRS := unit contract golden console torture
TEST_C := $(sort $(foreach d,$(TEST_DIRS),$(wildcard tests/$d/test_*.c)))
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c) $(filter-out $(TEST_C), \
	$(foreach d,$(filter-out torture,$(TEST_DIRS)),$(wildcard tests/$d/*.c))))
FUZZ_C := $(sort $(wildcard tests/fuzz/fuzz_*.c))
# What is left in tests/torture is the library that makes calls fail, preloaded into the program.
FAULTS_C := $(sort $(filter-out $(TEST_C),$(wildcard tests/torture/*.c)))
BENCH_C := $(sort $(wildcard bench/*.c))
FORMATTED := $(sort $(wildcard core/*/*.[ch] config/*.[ch] tui/*.[ch] cli/*.[ch] bench/*.[ch] \
	tests/*/*.[ch]))

# --- Libraries ----------------------------------------------------------------------------------

LIBS := sqlite3 ncursesw tinfo inih jansson libcrypto libzstd
# Loaded when they are needed (core/base/library.h): only their headers are used here.
LOADED_LIBS := libmariadb libpq libssh2 libcurl libpcre2-8
TEST_LIBS := cmocka vterm

# Asked for once, in one call; only when that fails is every library looked at, so that the error
# names all that are missing. Targets that compile nothing work without any of them.
LIBLESS := clean help deps demo check check-asan check-tsan coverage fuzz bench dist distcheck \
	uninstall format layer-check size-check
WANTS_LIBS := $(if $(MAKECMDGOALS),$(filter-out $(LIBLESS),$(MAKECMDGOALS)),all)
ifneq ($(WANTS_LIBS),)
LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS) $(LOADED_LIBS) 2>/dev/null)
LIB_LIBS := $(shell $(PKG_CONFIG) --exists $(LOADED_LIBS) 2>/dev/null && \
	$(PKG_CONFIG) --libs $(LIBS) 2>/dev/null)
ifeq ($(LIB_LIBS),)
MISSING := $(shell command -v $(PKG_CONFIG) >/dev/null || echo $(PKG_CONFIG); \
	for lib in $(LIBS) $(LOADED_LIBS); do $(PKG_CONFIG) --exists $$lib 2>/dev/null || echo $$lib; done)
$(error Missing: $(MISSING). `make deps` installs them (tools/deps says how))
endif
TEST_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(TEST_LIBS) 2>/dev/null)
TEST_LDLIBS := $(or $(shell $(PKG_CONFIG) --libs $(TEST_LIBS) 2>/dev/null),-lcmocka -lvterm) -lutil
endif

# --- Flags --------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wformat=2 -Wvla -Wundef -Werror=implicit-function-declaration \
	$(if $(filter 1,$(DEVELOPER)),-Werror)
ALL_CPPFLAGS := -D_GNU_SOURCE -I. -I$(B) -include core/base/ban.h \
	$(MODE_CPPFLAGS.$(MODE)) $(LIB_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS := -std=c11 -pthread $(WARNINGS) $(MODE_CFLAGS.$(MODE)) $(CFLAGS)
# Few libraries, hashed names and no lazy binding: the time to the first frame is counted.
ALL_LDFLAGS := -pthread -Wl,--as-needed,-O1,--hash-style=gnu \
	$(MODE_LDFLAGS.$(MODE)) $(LDFLAGS)
# STATIC=1 puts the libraries into the program, which saves about half of the time to load it;
# their updates then need a new build. Jansson stays outside: it has a utf8_encode, as we do.
ifeq ($(STATIC),1)
LIB_LIBS := -Wl,-Bstatic $(filter-out -ljansson,$(LIB_LIBS)) -Wl,-Bdynamic -ljansson -lm -ldl
endif
ALL_LDLIBS := $(LIB_LIBS) $(LDLIBS)

ifeq ($(V),1)
Q :=
else
Q := @
endif
say = $(if $(filter 1,$(V)),,@printf '  %-6s %s\n' $(1) $(2))

# --- The program --------------------------------------------------------------------------------

.PHONY: all
all: $(B)/bascule

# Programs and archives are put in place whole, so that another make in this folder, or a test that
# runs meanwhile, never sees half of one. link LIBRARIES; archives are made anew each time: one that
# is only added to keeps the objects of deleted files.
define link
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@.$$$$ $^ $(1) $(ALL_LDLIBS) && mv -f $@.$$$$ $@
endef
define archive
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && $(AR) rcs $@.$$$$ $^ && mv -f $@.$$$$ $@
endef

$(B)/bascule: $(B)/cli/main.o $(B)/libbascule.a
	$(call link)

$(B)/libbascule.a: $(LIB_OBJ)
	$(archive)

$(B)/%.o: %.c $(B)/.flags | $(B)/version.h $(B)/paths.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%.o: ALL_CPPFLAGS += $(TEST_CFLAGS)

# Macros of mysql.h have words that ban.h poisons: it has to be read before.
$(patsubst %.c,$(B)/%.o,$(wildcard core/db/db_mariadb*.c)): \
	ALL_CPPFLAGS := -include mysql.h $(ALL_CPPFLAGS)

$(B)/gen/themes_builtin.o: $(B)/gen/themes_builtin.c $(B)/.flags
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/gen/themes_builtin.c: tools/embed-themes $(THEMES) $(B)/.flags
	$(call say,GEN,$@)
	$(Q)mkdir -p $(@D)
	$(Q)tools/embed-themes $(THEMES) > $@

# Files that follow from the command line or from git. Looked at in every run, rewritten only when
# their text changes, so that a change of CFLAGS or of PREFIX rebuilds what depends on it and
# nothing else does.
define rewrite
	@mkdir -p $(@D)
	@printf '%s\n' $(1) > $@.new
	@if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi
endef

# A release archive has no .git but a file VERSION; it may lie inside another repository.
VERSION = $(shell { test -e .git && git describe --tags --dirty --always; } 2>/dev/null \
	|| cat VERSION 2>/dev/null || echo unknown)

.PHONY: FORCE
$(B)/.flags: FORCE
	$(call rewrite,'$(subst ','\'',$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(ALL_LDLIBS) $(THEMES))')

$(B)/version.h: FORCE
	$(call rewrite,'#define BASCULE_VERSION "$(VERSION)"')

$(B)/paths.h: FORCE
	$(call rewrite,'#define BASCULE_DATADIR "$(PREFIX)/share/bascule"')

-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)

# --- Test programs ------------------------------------------------------------------------------

TEST_BIN := $(TEST_C:%.c=$(B)/%)
SUPPORT_OBJ := $(SUPPORT_SRC:%.c=$(B)/%.o)
FAULTS_SO := $(if $(FAULTS_C),$(B)/tests/torture/faults.so)
REPLAY_BIN := $(FUZZ_C:tests/fuzz/fuzz_%.c=$(B)/tests/fuzz/replay_%)
FUZZ_BIN := $(FUZZ_C:%.c=$(B)/%)
BENCH_BIN := $(BENCH_C:%.c=$(B)/%)
# What tests/services puts before a server (a bad network) and above it (a keeper of its processes);
# of themselves, not linked with ours. And the service in its images, static, since there is nothing
# else in them.
SHOPD_BIN := $(B)/tests/services/shopd
SERVICES_BIN := $(B)/tests/services/proxy $(B)/tests/services/keeper $(SHOPD_BIN)

$(B)/tests/support.a: $(SUPPORT_OBJ)
	$(archive)

$(TEST_BIN): $(B)/%: $(B)/%.o $(B)/tests/support.a $(B)/libbascule.a
	$(call link,$(TEST_LDLIBS))

$(BENCH_BIN): $(B)/%: $(B)/%.o $(B)/libbascule.a
	$(call link,-lvterm -lutil)

$(filter-out $(SHOPD_BIN),$(SERVICES_BIN)): $(B)/%: $(B)/%.o
	$(call link)

$(SHOPD_BIN): cli/demo_service.c cli/demo_log.c cli/demo_service.h cli/demo_log.h $(B)/.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -I. -include core/base/ban.h -DDEMO_SERVICE_ALONE -std=c11 $(WARNINGS) \
		-O2 -static -o $@.$$$$ $(filter %.c,$^) && mv -f $@.$$$$ $@

# A fuzz target is linked twice: with libFuzzer to search (make fuzz), and with a main that feeds
# it the stored corpus (make check).
$(REPLAY_BIN): $(B)/tests/fuzz/replay_%: $(B)/tests/fuzz/fuzz_%.o $(B)/tests/fuzz/replay.o \
	$(B)/libbascule.a
	$(call link,$(TEST_LDLIBS))

$(FUZZ_BIN): $(B)/%: $(B)/%.o $(B)/libbascule.a
	$(call link,-fsanitize=fuzzer)

# One command from source to library: it is position-independent, which nothing else here is.
$(B)/tests/torture/faults.so: $(FAULTS_C) $(B)/.flags
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -D_GNU_SOURCE -I. -std=c11 $(WARNINGS) -O1 -g -fPIC -shared -pthread \
		-o $@ $(FAULTS_C) -ldl

.PHONY: test-programs
test-programs: $(B)/bascule $(TEST_BIN) $(REPLAY_BIN) $(FAULTS_SO) $(SERVICES_BIN)

# --- Tests --------------------------------------------------------------------------------------

# programs-of FOLDERS, VARIANT; tests-of adds the scripts, which drive the variant in $BUILD.
programs-of = $(patsubst %.c,build/$(strip $(2))/%,$(foreach d,$(1),$(wildcard tests/$d/test_*.c)))
tests-of = $(call programs-of,$(1),$(2)) $(foreach d,$(1),$(wildcard tests/$d/*.sh))
replays-of = $(patsubst tests/fuzz/fuzz_%.c,build/$(strip $(1))/tests/fuzz/replay_%,$(FUZZ_C))
only = $(if $(T),$(foreach t,$(1),$(if $(findstring $(T),$t),$t)),$(1))
run-tests = $(Q)BUILD=$(B) tools/run-tests -j $(or $(2),$(JOBS)) $(call only,$(1))

LINT := tools/layer-check tools/hdr-check tools/size-check tools/format-check tools/shell-check \
	tools/man-check tools/docs-check

# What follows calls this file again, for another variant or after packages were installed. Two
# compilers at once unless -j says otherwise.
again = +$(Q)$(MAKE) --no-print-directory $(if $(filter -j%,$(MAKEFLAGS)),,-j$(JOBS))
clang-variants = $(if $(filter default undefined,$(origin CC)),CC=clang)

.PHONY: check check-now check-fast check-unit check-contract check-golden check-console \
	check-torture check-fuzz check-asan check-tsan torture golden lint $(LINT:tools/%=%)

## check: install what is missing, build all variants, run every test and lint
check:
	$(Q)tools/deps build test
	$(again) MODE=release DEVELOPER=1 all
	$(again) MODE=debug DEVELOPER=1 test-programs
	$(again) MODE=asan DEVELOPER=1 CC=clang test-programs
	$(again) MODE=tsan DEVELOPER=1 CC=clang test-programs
	$(again) MODE=debug DEVELOPER=1 check-now

# One list, so that two long tests of different kinds share the cores and one line sums up. The
# release build is compiled by gcc, the sanitizers by clang: no warnings with either is part of it.
check-now: test-programs
	$(call run-tests,$(LINT) $(call tests-of,$(TEST_DIRS),debug) $(call replays-of,debug) \
		$(SANITIZED),$$(($(JOBS) + 1))) # one of three waits: for a server, a lease, a silence

# Under the sanitizers: what runs in one process. Scripts drive the debug build.
sanitized-of = $(filter-out %.sh,$(call tests-of,unit contract golden,$(1))) $(call replays-of,$(1))
SANITIZED = $(call sanitized-of,asan) $(call sanitized-of,tsan)

# Programs that start servers, or wait for what takes seconds, say so in their first lines; check-fast
# leaves them out.
SLOW = $(shell grep -lE '^[ /]\* needs: (servers|time)' $(TEST_C))
FAST_BIN = $(filter-out $(SLOW:%.c=$(B)/%),$(call programs-of,unit contract golden,$(MODE)))

## check-fast: unit, contract and golden test programs of the debug build, in seconds
check-fast: $(B)/bascule $(SERVICES_BIN) \
	$(filter $(B)/tests/unit/% $(B)/tests/contract/% $(B)/tests/golden/%,$(TEST_BIN))
	@echo 'left out, because they start servers or wait: $(sort $(notdir $(SLOW:%.c=%)))'
	$(call run-tests,$(FAST_BIN),$$((2 * $(JOBS)))) # they wait for half of their time

## check-unit: one kind of test; also check-contract check-golden check-console check-torture
check-unit check-contract check-golden: check-%: test-programs
	$(call run-tests,$(call tests-of,$*,$(MODE)))

check-console check-torture: check-%: test-programs
	$(call run-tests,$(call tests-of,$*,$(MODE)))

## check-fuzz: the stored corpus of every fuzz target
check-fuzz: $(REPLAY_BIN)
	$(call run-tests,$(call replays-of,$(MODE)))

## check-asan: every test but torture under AddressSanitizer and UBSan; check-tsan: ThreadSanitizer
check-asan check-tsan: check-%:
	$(again) MODE=$* CC=clang test-programs
	$(Q)BUILD=build/$* tools/run-tests -j $(JOBS) \
		$(call only,$(call sanitized-of,$*) $(wildcard tests/contract/*.sh tests/console/*.sh))

## torture: kill and fail the runner at sampled points; TORTURE=full for every point
torture: check-torture

## golden: rewrite the expected screens; read the diff before committing it
golden: $(filter $(B)/tests/golden/%,$(TEST_BIN))
	$(Q)BUILD=$(B) GOLDEN_UPDATE=1 tools/run-tests -j $(JOBS) $(call only,$(call tests-of,golden,$(MODE)))
	$(Q)git --no-pager diff --stat -- tests/golden

## lint: layers, headers, sizes, format, shell, man pages, papers
lint: $(B)/bascule
	$(call run-tests,$(LINT))

$(LINT:tools/%=%): %:
	$(Q)BUILD=$(B) tools/$*

docs-check: $(B)/bascule

# --- Fuzzing, coverage, measuring ---------------------------------------------------------------

# Seconds per target.
FUZZ_TIME ?= 60

.PHONY: fuzz fuzz-programs coverage bench
## fuzz: search with libFuzzer, FUZZ_TIME seconds per target (60); T=word for some of them
fuzz:
	$(Q)tools/deps build test
	$(again) MODE=fuzz fuzz-programs
	$(Q)for target in $(call only,$(FUZZ_C:tests/fuzz/%.c=build/fuzz/tests/fuzz/%)); do \
		tools/fuzz-one $$target $(FUZZ_TIME) || exit; \
	done

fuzz-programs: $(FUZZ_BIN)

## coverage: run every test and torture on the cov build; report in build/cov/html
coverage:
	$(Q)tools/deps build test
	$(again) MODE=cov test-programs
	$(Q)JOBS=$(JOBS) tools/coverage $(call tests-of,$(TEST_DIRS),cov) $(call replays-of,cov)

## bench: measure side by side with the peers, each figure as a ratio
bench:
	$(Q)tools/deps build bench
	$(again) MODE=release all bench-programs
	$(Q)for script in $(call only,$(sort $(wildcard bench/*.sh))); do \
		BASCULE=$(CURDIR)/build/release/bascule bash $$script || exit; \
	done

.PHONY: bench-programs
bench-programs: $(BENCH_BIN) $(SERVICES_BIN)

# --- For people ---------------------------------------------------------------------------------

.PHONY: demo deps help clean format docs compile_commands.json
DEMO_DIR ?= build/demo

## demo: install what is missing, build, open the console on a workspace; DEMO=plain prints it
demo:
	$(Q)tools/deps build
	$(again) MODE=release all
	$(Q)build/release/bascule demo $(DEMO_DIR) $(if $(filter plain,$(DEMO)),--plain)

## deps: install the packages for building and testing
deps:
	$(Q)tools/deps build test

## format: let clang-format have its way
format:
	$(Q)clang-format -i $(FORMATTED)

## docs: write the generated tables into the man pages
docs: $(B)/bascule
	$(Q)BUILD=$(B) tools/gen-docs

## compile_commands.json: for editors and clang tools
compile_commands.json:
	$(Q)for source in $(LIB_SRC) cli/main.c $(TEST_C) $(SUPPORT_SRC); do \
		printf '{"directory": "%s", "file": "%s", "command": "%s -c %s"}\n' '$(CURDIR)' "$$source" \
			'$(subst ",\",$(CC) $(ALL_CPPFLAGS) $(TEST_CFLAGS) $(ALL_CFLAGS))' "$$source"; \
	done | sed -e '1s/^/[/' -e '$$!s/$$/,/' -e '$$s/$$/]/' > $@

## clean: remove build/
clean:
	rm -rf build compile_commands.json

## help: this list
help:
	@echo 'make [TARGET] [MODE=release|debug|asan|tsan|cov|fuzz] [V=1] [DEVELOPER=1] [STATIC=1] [T=word]'
	@sed -n 's/^## \([a-z_.-]*\): /\1 /p' $(firstword $(MAKEFILE_LIST)) | \
		while read -r target text; do printf '  %-22s %s\n' "$$target" "$$text"; done

# --- Installation and releases ------------------------------------------------------------------

BINDIR = $(DESTDIR)$(PREFIX)/bin
SHARE = $(DESTDIR)$(PREFIX)/share
MAN := $(wildcard man/*.[157])
PAPERS := $(wildcard README.md CHANGELOG.md CONTRIBUTING.md ARCHITECTURE.md LICENSE)
COMPLETIONS := bash-completion/completions/bascule zsh/site-functions/_bascule \
	fish/vendor_completions.d/bascule.fish

.PHONY: install uninstall dist distcheck
## install: into $(DESTDIR)$(PREFIX), default /usr/local; uninstall takes it away again
install: all
	$(Q)install -d $(BINDIR) $(SHARE)/bascule/themes $(SHARE)/doc/bascule/examples \
		$(patsubst %,$(SHARE)/%,$(dir $(COMPLETIONS))) \
		$(patsubst %,$(SHARE)/man/man%,1 5 7)
	$(Q)install -m 755 $(B)/bascule $(BINDIR)/bascule
	$(Q)for page in $(MAN); do install -m 644 $$page $(SHARE)/man/man$${page##*.}/; done
	$(Q)for theme in $(THEMES); do install -m 644 $$theme $(SHARE)/bascule/themes/; done
	$(Q)for paper in $(PAPERS); do install -m 644 $$paper $(SHARE)/doc/bascule/; done
	$(Q)for file in $(wildcard config/examples/*); do \
		install -m 644 $$file $(SHARE)/doc/bascule/examples/; done
	$(Q)$(B)/bascule completion bash > $(SHARE)/bash-completion/completions/bascule
	$(Q)$(B)/bascule completion zsh > $(SHARE)/zsh/site-functions/_bascule
	$(Q)$(B)/bascule completion fish > $(SHARE)/fish/vendor_completions.d/bascule.fish

uninstall:
	$(Q)rm -f $(BINDIR)/bascule $(patsubst %,$(SHARE)/%,$(COMPLETIONS)) \
		$(foreach page,$(notdir $(MAN)),$(SHARE)/man/man$(subst .,,$(suffix $(page)))/$(page))
	$(Q)rm -rf $(SHARE)/bascule $(SHARE)/doc/bascule

DIST = bascule-$(VERSION)

## dist: build/dist/bascule-VERSION.tar.gz and its sha256, the same bytes for the same commit
dist:
	$(Q)mkdir -p build/dist
	$(Q)printf '%s\n' '$(VERSION)' > build/dist/VERSION
	$(Q)git archive --prefix=$(DIST)/ --add-file=build/dist/VERSION HEAD | gzip -n -9 \
		> build/dist/$(DIST).tar.gz
	$(Q)cd build/dist && sha256sum $(DIST).tar.gz > $(DIST).tar.gz.sha256 && cat $(DIST).tar.gz.sha256

## distcheck: unpack it, build, test, install to a stage, uninstall, find nothing left
distcheck: dist
	$(Q)tools/distcheck build/dist/$(DIST).tar.gz
