# fuzz.mk - `make fuzz FUZZ_SECONDS=60 FUZZ_TARGETS="yaml flagd"` runs tests/fuzz/targets/*.c under libFuzzer with ASan
# and UBSan, one after the other, each for that long, beginning with tests/fuzz/corpus/TARGET. `make test` replays that
# corpus with the ordinary compiler. See tests/fuzz/README.md.

FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= $(patsubst tests/fuzz/targets/%.c,%,$(wildcard tests/fuzz/targets/*.c))
FUZZ_CC ?= clang-14

FUZZ_PROGRAMS := $(patsubst tests/fuzz/targets/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/targets/*.c))
FUZZ_SHARED := $(call object,tests/fuzz/fuzz.c)
# libFuzzer brings a main() of its own.
FUZZ_MAIN := $(if $(filter fuzz,$(SANITIZER)),,$(call object,tests/fuzz/replay.c))
FUZZ_LINK := $(if $(filter fuzz,$(SANITIZER)),-fsanitize=fuzzer)

# What some need beside that: jansson to compare with, the generator of documents, parts of the controller.
$(BUILD)/tests/fuzz/context $(BUILD)/tests/fuzz/request: $(call object,tests/fuzz/oracle.c)
$(BUILD)/tests/fuzz/evaluator: $(call object,tests/fuzz/generator.c tests/fuzz/variation.c)
$(BUILD)/tests/fuzz/hook: $(call object,controller/http/hook_ref.c controller/http/hook_signature.c)
$(BUILD)/tests/fuzz/override: $(call object,controller/rollout/override.c controller/snapshot.c)
FUZZ_SOURCES := $(addprefix controller/,metrics/source.c metrics/prometheus.c metrics/http_json.c outward/http_url.c reach_host.c clock.c)
$(BUILD)/tests/fuzz/reading: $(call object,$(FUZZ_SOURCES))
$(BUILD)/tests/fuzz/kept: $(call object,$(FUZZ_SOURCES) $(wildcard controller/metrics/probe*.c))
FUZZ_LIBS_context = $(call pkg_libs,jansson)
FUZZ_LIBS_request = $(call pkg_libs,jansson)
$(FUZZ_PROGRAMS): $(BUILD)/tests/fuzz/%: $(BUILD)/tests/fuzz/targets/%.o $(FUZZ_SHARED) $(FUZZ_MAIN) $(BUILD)/rules.a
	$(call say,LD,$@)$(CC) -o $@ $(filter %.o,$^) $(filter %.a,$^) $(LDFLAGS_ALL) $(FUZZ_LINK) \
	  $(FUZZ_LIBS_$*) $(RULES_LIBS)

# The same rules once more, as libFuzzer wants them: SANITIZER=fuzz puts them into build/fuzz. To warn is the other
# compiler's work.
FUZZ_OPTIMIZE := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=all
FUZZ_BUILD = SANITIZER=fuzz CC=$(FUZZ_CC) OPTIMIZE='$(FUZZ_OPTIMIZE)' WARNINGS=

HELP_MORE += 'make fuzz         FUZZ_SECONDS=60 of libFuzzer for each of FUZZ_TARGETS="yaml schema …"'

.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)
fuzz:
	$(DEPS) build fuzz
	$(MAKE_ALL) $(FUZZ_BUILD) $(FUZZ_TARGETS:%=build/fuzz/tests/fuzz/%)
	@/usr/bin/python3 tests/fuzz/fuzz.py --build build/fuzz --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)
