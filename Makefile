# make            builds build/weir, the library and its man page      make demo   shows weir at work
# make test       installs what is missing, builds, runs every test    make lint   clang-tidy and cppcheck
# make sanitize   the tests under ASan, UBSan and TSan                 make help   lists all goals
# make SANITIZER=address|thread …  the same in build/address, build/thread
# The packages each goal needs stand in .ci/packages; `make deps` installs those that are missing.

VERSION := 0.1.0
SANITIZER ?=
BUILD ?= build$(if $(SANITIZER),/$(SANITIZER))
CC ?= cc
PREFIX ?= /usr/local
PKG_RULES := yaml-0.1 libpcre2-8 nettle liblz4
PKG_CONTROLLER := libgit2 libssh2 libmicrohttpd hiredis libxxhash gnutls libcurl sqlite3

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef
OPTIMIZE ?= -O2 -g
# Lines are enough for what sanitizers tell, and a quarter quicker to compile and link than all of -g.
ifeq ($(SANITIZER),address)
OPTIMIZE := -O1 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(SANITIZER),thread)
OPTIMIZE := -O1 -g1 -fsanitize=thread
endif
# What sanitizers insert hides the bounds of a number from the compiler, which then warns of texts that cannot be cut.
WARNINGS += $(if $(SANITIZER),-Wno-format-truncation)
HARDEN := -fstack-protector-strong $(if $(SANITIZER),,-D_FORTIFY_SOURCE=2)
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' $(WARNINGS) $(OPTIMIZE) $(HARDEN) \
              -fPIC -fvisibility=hidden -pthread -MMD -MP $(CFLAGS)
LDFLAGS_ALL := $(if $(SANITIZER),$(filter -fsanitize=%,$(OPTIMIZE))) -pthread $(LDFLAGS)

comma := ,
# `make V=1` shows whole command lines.
say = $(if $(V),,@printf '  %-5s %s\n' $(1) $(2);)

pkg_cflags = $(shell pkg-config --cflags $(1) 2>/dev/null)
pkg_libs = $(shell pkg-config --libs $(1) 2>/dev/null)
RULES_LIBS = $(call pkg_libs,$(PKG_RULES)) -lm
CONTROLLER_LIBS = $(call pkg_libs,$(PKG_CONTROLLER))

RULES_SOURCES := $(wildcard rules/*.c)
CONTROLLER_SOURCES := $(wildcard controller/*.c controller/*/*.c)
CMD_SOURCES := $(wildcard cmd/*.c)
SCHEMAS := $(wildcard schemas/*.json)
SQL := $(wildcard schemas/sql/*.sql)
object = $(patsubst %.c,$(BUILD)/%.o,$(1))
RULES_OBJECTS := $(call object,$(RULES_SOURCES)) $(BUILD)/rules/schemas.o
CONTROLLER_OBJECTS := $(call object,$(CONTROLLER_SOURCES)) $(BUILD)/controller/store/sql.o
CMD_OBJECTS := $(call object,$(CMD_SOURCES))

.PHONY: all
all: $(BUILD)/weir $(BUILD)/libweir.a $(BUILD)/libweir.so $(BUILD)/weir.pc $(BUILD)/weir.1

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CFLAGS_ALL) -c -o $@ $<

# Files as bytes in the program: $(call embed,SYMBOL,FILES) writes SYMBOL[] of {name, bytes, size}, ended by an empty entry.
define embed
	@mkdir -p $(@D)
	@{ echo '.section .rodata'; i=0; \
	   for f in $(2); do \
	     printf '.balign 16\nname%d: .asciz "%s"\ndata%d: .incbin "%s"\nend%d:\n' $$i $$(basename $$f) $$i $$f $$i; \
	     i=$$((i+1)); done; \
	   echo '.section .data.rel.ro,"aw"'; echo '.balign 16'; echo '.global $(1)'; echo '.hidden $(1)'; \
	   echo '$(1):'; i=0; \
	   for f in $(2); do printf '.quad name%d, data%d, end%d - data%d\n' $$i $$i $$i $$i; i=$$((i+1)); done; \
	   echo '.quad 0, 0, 0'; echo '.section .note.GNU-stack,"",@progbits'; } >$@
endef
$(BUILD)/rules/schemas.S: $(SCHEMAS) Makefile
	$(call embed,schema_files,$(SCHEMAS))
$(BUILD)/controller/store/sql.S: $(SQL) Makefile
	$(call embed,sql_files,$(SQL))
$(BUILD)/controller/store/sql.o: $(BUILD)/controller/store/sql.S
	$(call say,AS,$@)$(CC) -c -o $@ $<
$(BUILD)/rules/schemas.o: $(BUILD)/rules/schemas.S
	$(call say,AS,$@)$(CC) -c -o $@ $<

# What tests and the program link against: all of rules/, all of controller/.
$(BUILD)/rules.a: $(RULES_OBJECTS)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^
$(BUILD)/controller.a: $(CONTROLLER_OBJECTS)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

# The command line without main(), for tests.
$(BUILD)/cmd.a: $(filter-out %/main.o,$(CMD_OBJECTS))
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^

# The library as others link it: one object in which only weir_* is global.
$(BUILD)/libweir.a: $(RULES_OBJECTS)
	@rm -f $@
	$(call say,AR,$@)$(LD) -r -o $(BUILD)/libweir.o $^ && objcopy --localize-hidden $(BUILD)/libweir.o && \
	  $(AR) rcs $@ $(BUILD)/libweir.o
$(BUILD)/libweir.so: $(RULES_OBJECTS)
	$(call say,LD,$@)$(CC) -shared -Wl,-soname,libweir.so.0 -o $@ $^ $(LDFLAGS_ALL) $(RULES_LIBS)
	@ln -sf libweir.so $(BUILD)/libweir.so.0
$(BUILD)/weir.pc: Makefile
	@mkdir -p $(@D)
	@printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: weir' \
	  'Description: Evaluates feature flags from flagd documents' 'Version: $(VERSION)' \
	  'Requires.private: $(PKG_RULES)' 'Libs: -L$${libdir} -lweir' 'Libs.private: -lm' 'Cflags: -I$${includedir}' >$@

$(BUILD)/weir: $(CMD_OBJECTS) $(BUILD)/controller.a $(BUILD)/rules.a
	$(call say,LD,$@)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(CONTROLLER_LIBS) $(RULES_LIBS)
$(BUILD)/weir.1: $(BUILD)/weir
	$(BUILD)/weir help --man >$@

.PHONY: install install-library
install: all install-library
	install -D -m 755 $(BUILD)/weir $(DESTDIR)$(PREFIX)/bin/weir
	install -D -m 644 $(BUILD)/weir.1 $(DESTDIR)$(PREFIX)/share/man/man1/weir.1
install-library: $(BUILD)/libweir.a $(BUILD)/libweir.so $(BUILD)/weir.pc
	install -D -m 644 $(BUILD)/libweir.a $(DESTDIR)$(PREFIX)/lib/libweir.a
	install -D -m 755 $(BUILD)/libweir.so $(DESTDIR)$(PREFIX)/lib/libweir.so.0
	ln -sf libweir.so.0 $(DESTDIR)$(PREFIX)/lib/libweir.so
	install -D -m 644 rules/weir.h $(DESTDIR)$(PREFIX)/include/weir.h
	install -d $(DESTDIR)$(PREFIX)/lib/pkgconfig
	sed 's|^prefix=.*|prefix=$(PREFIX)|' $(BUILD)/weir.pc >$(DESTDIR)$(PREFIX)/lib/pkgconfig/weir.pc

# weir as it is, but struck dead where WEIR_CRASH_POINT says (tests/crash/points.c).
CRASH_POINTS := store_override_put_again store_override_close hub_publish fleet_give mirror_record mirror_push proposed_keep
$(BUILD)/tests/crash/weir: tests/crash/points.c $(CMD_OBJECTS) $(BUILD)/controller.a $(BUILD)/rules.a
	@mkdir -p $(@D)
	$(call say,LD,$@)$(CC) $(CFLAGS_ALL) -o $@ $^ $(patsubst %,-Wl$(comma)--wrap=%,$(CRASH_POINTS)) $(LDFLAGS_ALL) \
	  $(CONTROLLER_LIBS) $(RULES_LIBS)

# --- tests: one program a file in tests/unit, linked with everything -----------------------------------
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SOURCES))
CHECK_LIBS = $(call pkg_libs,check)
# Every allocation of ours can be made to fail there.
TEST_LDFLAGS_torture := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc
TEST_LDFLAGS_events_memory := $(TEST_LDFLAGS_torture)
TEST_LDFLAGS_store_memory := $(TEST_LDFLAGS_torture)
TEST_LDFLAGS_override := $(TEST_LDFLAGS_torture)
TEST_LDFLAGS_torture_reconcile := $(TEST_LDFLAGS_torture)
TEST_LDFLAGS_core := -Wl,--wrap=pthread_create
TEST_LDFLAGS_steering_unpublished := -Wl,--wrap=snapshot_new,--wrap=roster_make
TEST_LDFLAGS_torture_decide := $(TEST_LDFLAGS_torture)
TEST_LDFLAGS_torture_move := $(TEST_LDFLAGS_torture)
TEST_LDFLAGS_verbs := $(TEST_LDFLAGS_torture)
$(BUILD)/tests/unit/test_%: tests/unit/test_%.c $(BUILD)/cmd.a $(BUILD)/controller.a $(BUILD)/rules.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CFLAGS_ALL) -o $@ $(filter %.c %.a,$^) $(LDFLAGS_ALL) $(TEST_LDFLAGS_$*) \
	  $(CHECK_LIBS) $(CONTROLLER_LIBS) $(RULES_LIBS)

CONFORMANCE_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/conformance/*.c))
$(BUILD)/tests/conformance/%: tests/conformance/%.c $(BUILD)/controller.a $(BUILD)/rules.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CFLAGS_ALL) -o $@ $(filter %.c %.a,$^) $(LDFLAGS_ALL) $(CONTROLLER_LIBS) $(RULES_LIBS)

# Programs that integration tests run beside weir.
DRIVERS := $(patsubst %.c,$(BUILD)/%,$(wildcard tests/integration/*_driver.c))
$(BUILD)/tests/integration/%_driver: tests/integration/%_driver.c $(BUILD)/controller.a $(BUILD)/rules.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CFLAGS_ALL) -o $@ $(filter %.c %.a,$^) $(LDFLAGS_ALL) $(CONTROLLER_LIBS) $(RULES_LIBS)

.PHONY: unit-programs conformance-programs drivers
drivers: $(DRIVERS)
unit-programs: $(UNIT_PROGRAMS)
conformance-programs: $(CONFORMANCE_PROGRAMS)

# --- goals for people: each installs what it needs, builds it, and runs --------------------------------
# A second make, since what was just installed has to be seen by pkg-config; two jobs, or as many as `make -jN` says.
MAKE_ALL = +@$(MAKE) --no-print-directory $(if $(V),,-s) $(if $(findstring -j,$(MAKEFLAGS)),,-j2)
GOALS ?= build test
DEPS = @.ci/install

.PHONY: deps demo programs test conformance sanitize sanitize-programs valgrind lint help
deps:
	$(DEPS) $(GOALS)

demo:
	$(DEPS) build demo
	$(MAKE_ALL) all
	@WEIR=$(BUILD)/weir examples/demo.sh

# TESTS="unit/test_yaml integration" runs only those, and builds no other programs.
TEST_KINDS = $(sort $(foreach word,$(TESTS),$(firstword $(subst /, ,$(word)))))
TEST_PROGRAMS = $(if $(TESTS), \
  $(if $(filter unit,$(TESTS)),unit-programs,$(patsubst %,$(BUILD)/tests/%,$(filter unit/%,$(TESTS)))) \
  $(patsubst %,%-programs,$(filter conformance fuzz,$(TEST_KINDS))) $(if $(filter integration,$(TEST_KINDS)),$(INTEGRATION_PROGRAMS)), \
  unit-programs conformance-programs fuzz-programs $(INTEGRATION_PROGRAMS))
# What tests in Python run beside weir itself.
INTEGRATION_PROGRAMS = drivers $(BUILD)/tests/crash/weir $(BUILD)/tests/conformance/rollout_server
programs:
	$(DEPS) build test
	$(MAKE_ALL) all $(TEST_PROGRAMS)
test: programs
	@tests/run --build $(BUILD) $(TESTS)

conformance:
	$(DEPS) build test
	$(MAKE_ALL) all conformance-programs
	@tests/run --build $(BUILD) conformance

# Random definitions and random targeting, evaluated by libweir and by npm's flagd-core (the package is fetched into $(BUILD)/npm).
SEEDS ?= 20
PAIRS ?= 2000
.PHONY: differential
differential:
	$(DEPS) build
	$(MAKE_ALL) $(BUILD)/weir $(BUILD)/libweir.so
	@command -v npm >/dev/null || { echo 'skipped: there is no npm on this machine'; exit 0; }; \
	  mkdir -p $(BUILD)/npm && cp tests/conformance/npm/* $(BUILD)/npm && \
	  npm install --prefix $(BUILD)/npm --no-package-lock --no-audit --no-fund --silent && \
	  /usr/bin/python3 tests/conformance/random_definitions.py --build $(BUILD) --seeds $(SEEDS) --pairs $(PAIRS) && \
	  /usr/bin/python3 tests/conformance/random_targeting.py --build $(BUILD) --seeds $(SEEDS) --pairs $(PAIRS)

# All tests of weir alone under ASan and UBSan; the unit tests that start threads, and the running controller, under TSan.
THREADS := pthread_create|state_keeper_start|feed_start|events_start|threads_crew|http_server_start|fleet_new|worker_start|serving_start|notifier_start|news_start|metrics_start|http_site\.h
THREADED = $(patsubst tests/unit/%.c,unit/%,$(shell grep -lE '$(THREADS)' $(UNIT_SOURCES)))
UNSANITIZED := flagd_schema flagd_strict gitserver proxy
# These run under TSan; what they bring to run under ASan, unit tests do too.
UNADDRESSED := metrics crash_points target_http commit_status
SANITIZED = $(filter-out $(patsubst %,integration/test_%,$(UNSANITIZED) $(UNADDRESSED)),$(patsubst tests/%.py,%,$(wildcard tests/integration/test_*.py)))
ADDRESS_TESTS = unit conformance fuzz $(SANITIZED)
THREAD_TESTS = $(THREADED) $(patsubst %,integration/test_%,run targets serving serving_limits restart edge hooks systemd target_http \
  commit_status metrics notify crash_points control)
sanitize:
	+@failed=; \
	echo 'not run again under sanitizers: portability, sdk and e2e, which bring much of others to run, and $(UNSANITIZED:%=integration/test_%),'; \
	echo '  which judge documents and the servers of the tests by programs of others; what they ask of weir, others ask here too;'; \
	echo '  under TSan alone: $(UNADDRESSED:%=integration/test_%)'; \
	$(MAKE) --no-print-directory SANITIZER=address test TESTS="$(ADDRESS_TESTS)" || failed=1; \
	$(MAKE) --no-print-directory SANITIZER=thread test TESTS="$(THREAD_TESTS)" || failed=1; \
	test -z "$$failed"
# What `make sanitize` runs: .ci/run has it built while other tests wait.
sanitize-programs:
	+@$(MAKE) --no-print-directory SANITIZER=address programs TESTS="$(ADDRESS_TESTS)" && \
	$(MAKE) --no-print-directory SANITIZER=thread programs TESTS="$(THREAD_TESTS)"

# Minutes of load on a running controller. STREAMS, RATE (evaluations a second), COMMITS.
.PHONY: soak-events
soak-events:
	$(DEPS) build bench
	$(MAKE_ALL) $(BUILD)/weir
	@WEIR=$(BUILD)/weir /usr/bin/python3 tests/soak/events.py $(if $(STREAMS),--streams $(STREAMS)) $(if $(RATE),--rate $(RATE)) \
	  $(if $(COMMITS),--commits $(COMMITS))

# Reads of what was never written, which no sanitizer here sees: what parses what strangers send (test_evaluate takes minutes).
VALGRIND := flagd_check flagd_limits yaml json context definitions schema bundle http gate tokens command weir hooks status rollouts_view verbs log http_client kubernetes_stand_in store
valgrind:
	$(DEPS) build test
	$(MAKE_ALL) unit-programs
	@tests/run --build $(BUILD) --valgrind $(filter $(VALGRIND:%=unit/test_%),$(UNIT_SOURCES:tests/%.c=%))

# --- linters: one stamp a file, so that only what changed is looked at again ---------------------------
LINT_SOURCES := $(RULES_SOURCES) $(CONTROLLER_SOURCES) $(CMD_SOURCES)
# Findings that are known to be none, each in its one file:
TIDY_bundle := -clang-analyzer-core.NullDereference       # a text of length > 0 has bytes
TIDY_program_operator := -bugprone-macro-parentheses # of literals
TIDY_number := -clang-analyzer-core.uninitialized.Assign,-bugprone-misplaced-widening-cast # there is always one digit; all < 400
TIDY_time := -bugprone-implicit-widening-of-multiplication-result  # of hours and minutes
TIDY_fetch := -bugprone-implicit-widening-of-multiplication-result # of two small constants
TIDY_read_flag := -bugprone-integer-division   # 100000 / 100
LINT_STAMPS := $(LINT_SOURCES:%=$(BUILD)/lint/%.stamp)
lint:
	$(DEPS) build lint
	$(MAKE_ALL) -k lint-files lint-cppcheck
	@echo "lint: $(words $(LINT_SOURCES)) files are clean by clang-tidy and cppcheck"

.PHONY: lint-files lint-cppcheck
lint-files: $(LINT_STAMPS)
$(BUILD)/lint/%.c.stamp: %.c .clang-tidy $(wildcard rules/*.h controller/*.h controller/*/*.h cmd/*.h)
	@mkdir -p $(@D)
	$(call say,TIDY,$<)clang-tidy-14 --quiet --checks='$(strip $(TIDY_$(basename $(notdir $<))))' $< -- $(filter-out -M%,$(CFLAGS_ALL)) 2>$@.log >$@.out || \
	  { cat $@.out; grep -v 'warnings generated' $@.log; exit 1; }
	@touch $@
lint-cppcheck:
	$(call say,CHECK,'rules controller cmd')cppcheck --quiet -j 2 --std=c11 --language=c --inline-suppr --error-exitcode=1 \
	  --enable=warning,performance,portability --suppressions-list=tests/cppcheck-suppressions \
	  -D_GNU_SOURCE -D__GNUC__ -D__linux__ -DWEIR_VERSION='"$(VERSION)"' rules controller cmd

help:
	@printf '%s\n' \
	  'make              builds $(BUILD)/weir, libweir.a, libweir.so and the man page' \
	  'make demo         shows weir at work on a Git repository of its own; DEMO_ONCE=1 does not wait for Ctrl-C' \
	  'make test         runs every test; TESTS="unit/test_yaml integration" only those' \
	  'make lint         clang-tidy and cppcheck' \
	  'make sanitize     the tests under ASan and UBSan, the threaded ones under TSan' \
	  'make valgrind     the parsers under valgrind' \
	  'make conformance  the JSON Schema test suite and the cases of flagd' \
	  'make differential compares with flagd in JavaScript on SEEDS × PAIRS random flags and contexts' \
  'make soak-events  5 000 event streams, 20 000 evaluations a second, 50 commits: nothing fails, nothing leaks' \
  'make deps         installs the Debian packages of GOALS="build test", only those that are missing' \
	  'make install      into PREFIX ($(PREFIX)), below DESTDIR' \
	  'make clean        removes build/' \
	  $(HELP_MORE)
-include tests/bench/bench.mk
-include tests/fuzz/fuzz.mk
-include tests/portability/portability.mk
-include tests/soak/soak.mk
-include tests/integration/kubernetes.mk

.PHONY: clean
clean:
	rm -rf build

# Not of other builds, nor for linters, which need none: they may be at work beside one that is writing them.
ifneq ($(filter-out lint%,$(or $(MAKECMDGOALS),all)),)
-include $(shell find $(BUILD) \( -path '$(BUILD)/address' -o -path '$(BUILD)/thread' \) -prune -o -name '*.d' -print 2>/dev/null)
endif
