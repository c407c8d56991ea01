# bench.mk - `make bench` prints a table and writes build/bench.json; BENCH_QUICK=1 for a short run,
# BENCH_ONLY="compile evaluate serve push" for some of it. Never fails on time. See tests/bench/README.md.

BENCH_PROGRAMS := $(patsubst %,$(BUILD)/tests/bench/%,compile evaluate fixed)
BENCH_SHARED := $(call object,tests/bench/bench.c tests/bench/definitions.c)

$(BUILD)/tests/bench/compile $(BUILD)/tests/bench/evaluate: $(BUILD)/tests/bench/%: \
    $(BUILD)/tests/bench/%.o $(BENCH_SHARED) $(BUILD)/rules.a
	$(call say,LD,$@)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(RULES_LIBS)
# The HTTP library by itself: nothing of ours is linked.
$(BUILD)/tests/bench/fixed: $(BUILD)/tests/bench/fixed.o
	$(call say,LD,$@)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(call pkg_libs,libmicrohttpd)

.PHONY: bench bench-programs
bench-programs: $(BENCH_PROGRAMS) $(BUILD)/weir
bench:
	@.ci/install build bench
	$(MAKE_ALL) bench-programs
	@/usr/bin/python3 tests/bench/bench.py --build $(BUILD) $(BENCH_ONLY)
