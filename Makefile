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
# Switches: MODE=…  V=1 (show commands)  DEVELOPER=1 (warnings are errors)  T=word (only tests
# whose path has the word)  JOBS=n  DEMO=plain.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

# --- Variant ------------------------------------------------------------------------------------

# What is tested is the debug build, what is used is the release build; asking for a file such as
# build/debug/core/base/err.o names its variant itself.
TEST_GOALS := check-unit check-contract check-golden check-console check-torture check-fuzz \
	check-fast unit contract console torture golden test-programs
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
MODE_CFLAGS.debug := -Og -g
MODE_CFLAGS.asan := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	-fno-sanitize-recover=undefined
MODE_CFLAGS.tsan := -O1 -g -fno-omit-frame-pointer -fsanitize=thread
MODE_CFLAGS.cov := -O0 -g -fprofile-instr-generate -fcoverage-mapping
MODE_CFLAGS.fuzz := -O1 -g -fno-omit-frame-pointer \
	-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined
ifeq ($(MODE_CFLAGS.$(MODE)),)
$(error MODE=$(MODE) is not one of release debug asan tsan cov fuzz)
endif

# --- Sources ------------------------------------------------------------------------------------

LIB_SRC := $(sort $(wildcard core/*/*.c config/*.c tui/*.c) \
	$(filter-out cli/main.c,$(wildcard cli/*.c)))
HEADERS := $(sort $(wildcard core/*/*.h config/*.h tui/*.h cli/*.h tests/*/*.h))
THEMES := $(sort $(wildcard themes/*.theme))
LIB_OBJ := $(LIB_SRC:%.c=$(B)/%.o) $(B)/gen/themes_builtin.o

# Beside the programs test_*.c a test folder may hold shared .c files; they and tests/support go
# into one archive that all test programs link.
TEST_C := $(sort $(wildcard tests/unit/test_*.c tests/contract/test_*.c tests/golden/test_*.c \
	tests/console/test_*.c))
SUPPORT_SRC := $(sort $(wildcard tests/support/*.c) $(filter-out $(TEST_C), \
	$(wildcard tests/unit/*.c tests/contract/*.c tests/golden/*.c tests/console/*.c)))
FUZZ_C := $(sort $(wildcard tests/fuzz/fuzz_*.c))
FAULTS_C := $(sort $(wildcard tests/torture/*.c))
BENCH_C := $(sort $(wildcard bench/*.c))

# --- Libraries ----------------------------------------------------------------------------------

LIBS := sqlite3 ncursesw tinfo inih jansson libcrypto libzstd
TEST_LIBS := cmocka vterm

# Asked for once, in one call; only when that fails is every library looked at, so that the error
# names all that are missing. Targets that compile nothing work without any of them.
LIBLESS := clean help deps demo check lint layer-check size-check docs-check format dist \
	uninstall shellcheck mandoc-check format-check
WANTS_LIBS := $(if $(MAKECMDGOALS),$(filter-out $(LIBLESS),$(MAKECMDGOALS)),all)
ifneq ($(WANTS_LIBS),)
LIB_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(LIBS) 2>/dev/null)
LIB_LIBS := $(shell $(PKG_CONFIG) --libs $(LIBS) 2>/dev/null)
ifeq ($(LIB_LIBS),)
MISSING := $(shell command -v $(PKG_CONFIG) >/dev/null || echo $(PKG_CONFIG); \
	for lib in $(LIBS); do $(PKG_CONFIG) --exists $$lib 2>/dev/null || echo $$lib; done)
$(error Missing: $(MISSING). `make deps` installs them (tools/deps says how))
endif
TEST_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(TEST_LIBS) 2>/dev/null)
TEST_LDLIBS := $(or $(shell $(PKG_CONFIG) --libs $(TEST_LIBS) 2>/dev/null),-lcmocka -lvterm) -lutil
endif

# --- Flags --------------------------------------------------------------------------------------

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
	-Wwrite-strings -Wformat=2 -Wvla -Wundef $(if $(filter 1,$(DEVELOPER)),-Werror)
ALL_CPPFLAGS := -D_GNU_SOURCE -I. -I$(B) -include core/base/ban.h \
	$(MODE_CPPFLAGS.$(MODE)) $(LIB_CFLAGS) $(CPPFLAGS)
ALL_CFLAGS := -std=c11 -pthread $(WARNINGS) $(MODE_CFLAGS.$(MODE)) $(CFLAGS)
# Few libraries, hashed names and no lazy binding: the time to the first frame is counted.
ALL_LDFLAGS := -pthread -Wl,--as-needed,-O1,--hash-style=gnu \
	$(filter -fsanitize=% -fprofile%,$(subst fuzzer-no-link$(,),,$(MODE_CFLAGS.$(MODE)))) \
	$(MODE_LDFLAGS.$(MODE)) $(LDFLAGS)
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

$(B)/bascule: $(B)/cli/main.o $(B)/libbascule.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(ALL_LDLIBS)

# Made anew each time: an archive that is only added to keeps the objects of deleted files.
$(B)/libbascule.a: $(LIB_OBJ)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJ)

$(B)/%.o: %.c $(B)/.flags | $(B)/version.h $(B)/paths.h
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/tests/%.o: ALL_CPPFLAGS += $(TEST_CFLAGS)

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

VERSION = $(shell git describe --tags --dirty --always 2>/dev/null || cat VERSION 2>/dev/null \
	|| echo unknown)

.PHONY: FORCE
$(B)/.flags: FORCE
	$(call rewrite,'$(subst ','\'',$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(THEMES))')

$(B)/version.h: FORCE
	$(call rewrite,'#define BASCULE_VERSION "$(VERSION)"')

$(B)/paths.h: FORCE
	$(call rewrite,'#define BASCULE_DATADIR "$(PREFIX)/share/bascule"')

-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)

# --- Test programs ------------------------------------------------------------------------------

TEST_BIN := $(TEST_C:%.c=$(B)/%)
SUPPORT_OBJ := $(SUPPORT_SRC:%.c=$(B)/%.o)

$(B)/tests/support.a: $(SUPPORT_OBJ)
	$(call say,AR,$@)
	$(Q)mkdir -p $(@D) && rm -f $@ && $(AR) rcs $@ $(SUPPORT_OBJ)

$(TEST_BIN): $(B)/%: $(B)/%.o $(B)/tests/support.a $(B)/libbascule.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(TEST_LDLIBS) $(ALL_LDLIBS)

.PHONY: clean
clean:
	rm -rf build
