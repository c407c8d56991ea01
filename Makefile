# make            builds build/weir, the library and its man page      make demo   shows weir at work
# make test       installs what is missing, builds, runs every test    make bench  measures it
# make SANITIZER=address|thread …  the same in build/address, build/thread
# The packages each goal needs stand in .ci/packages; `make deps` installs those that are missing.

VERSION := 0.1.0
SANITIZER ?=
BUILD ?= build$(if $(SANITIZER),/$(SANITIZER))
CC ?= cc
PREFIX ?= /usr/local
PKG_RULES := yaml-0.1 libpcre2-8 nettle
PKG_CONTROLLER := libgit2 libmicrohttpd hiredis libxxhash

WARNINGS := -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla \
            -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef
OPTIMIZE ?= -O2 -g
ifeq ($(SANITIZER),address)
OPTIMIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
else ifeq ($(SANITIZER),thread)
OPTIMIZE := -O1 -g -fsanitize=thread
endif
HARDEN := -fstack-protector-strong $(if $(SANITIZER),,-D_FORTIFY_SOURCE=2)
CFLAGS_ALL := -std=c11 -D_GNU_SOURCE -DWEIR_VERSION='"$(VERSION)"' $(WARNINGS) $(OPTIMIZE) $(HARDEN) \
              -fPIC -fvisibility=hidden -pthread -MMD -MP $(CFLAGS)
LDFLAGS_ALL := $(if $(SANITIZER),$(filter -fsanitize=%,$(OPTIMIZE))) -pthread $(LDFLAGS)

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
object = $(patsubst %.c,$(BUILD)/%.o,$(1))
RULES_OBJECTS := $(call object,$(RULES_SOURCES)) $(BUILD)/rules/schemas.o
CONTROLLER_OBJECTS := $(call object,$(CONTROLLER_SOURCES))
CMD_OBJECTS := $(call object,$(CMD_SOURCES))

.PHONY: all
all: $(BUILD)/weir $(BUILD)/libweir.a $(BUILD)/libweir.so $(BUILD)/weir.pc $(BUILD)/weir.1

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$@)$(CC) $(CFLAGS_ALL) -c -o $@ $<

# The JSON Schemas, as bytes in the program: symbols schema_files[] of rules/schemas.S.
$(BUILD)/rules/schemas.S: $(SCHEMAS) Makefile
	@mkdir -p $(@D)
	@{ echo '.section .rodata'; i=0; \
	   for f in $(SCHEMAS); do \
	     printf '.balign 16\nname%d: .asciz "%s"\ndata%d: .incbin "%s"\nend%d:\n' $$i $$(basename $$f) $$i $$f $$i; \
	     i=$$((i+1)); done; \
	   echo '.section .data.rel.ro,"aw"'; echo '.balign 16'; echo '.global schema_files'; echo '.hidden schema_files'; \
	   echo 'schema_files:'; i=0; \
	   for f in $(SCHEMAS); do printf '.quad name%d, data%d, end%d - data%d\n' $$i $$i $$i $$i; i=$$((i+1)); done; \
	   echo '.quad 0, 0, 0'; echo '.section .note.GNU-stack,"",@progbits'; } >$@
$(BUILD)/rules/schemas.o: $(BUILD)/rules/schemas.S
	$(call say,AS,$@)$(CC) -c -o $@ $<

# What tests and the program link against: all of rules/, all of controller/.
$(BUILD)/rules.a: $(RULES_OBJECTS)
	@rm -f $@
	$(call say,AR,$@)$(AR) rcs $@ $^
$(BUILD)/controller.a: $(CONTROLLER_OBJECTS)
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

.PHONY: install
install: all
	install -D -m 755 $(BUILD)/weir $(DESTDIR)$(PREFIX)/bin/weir
	install -D -m 644 $(BUILD)/libweir.a $(DESTDIR)$(PREFIX)/lib/libweir.a
	install -D -m 755 $(BUILD)/libweir.so $(DESTDIR)$(PREFIX)/lib/libweir.so.0
	ln -sf libweir.so.0 $(DESTDIR)$(PREFIX)/lib/libweir.so
	install -D -m 644 rules/weir.h $(DESTDIR)$(PREFIX)/include/weir.h
	install -D -m 644 $(BUILD)/weir.pc $(DESTDIR)$(PREFIX)/lib/pkgconfig/weir.pc
	install -D -m 644 $(BUILD)/weir.1 $(DESTDIR)$(PREFIX)/share/man/man1/weir.1

# --- tests: one program a file in tests/unit, linked with everything -----------------------------------
UNIT_SOURCES := $(wildcard tests/unit/test_*.c)
UNIT_PROGRAMS := $(patsubst %.c,$(BUILD)/%,$(UNIT_SOURCES))
CHECK_LIBS = $(call pkg_libs,check)
$(BUILD)/tests/unit/test_%: tests/unit/test_%.c $(BUILD)/controller.a $(BUILD)/rules.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CFLAGS_ALL) -o $@ $< $(BUILD)/controller.a $(BUILD)/rules.a $(LDFLAGS_ALL) $(TEST_LDFLAGS_$*) \
	  $(CHECK_LIBS) $(CONTROLLER_LIBS) $(RULES_LIBS)

.PHONY: unit-programs
unit-programs: $(UNIT_PROGRAMS)

.PHONY: clean
clean:
	rm -rf build

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
