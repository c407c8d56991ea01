# bench.mk - `make bench` prints a table and writes build/bench.json; BENCH_QUICK=1 for a short run,
# BENCH_ONLY="compile load evaluate instructions serve push follow webhook rollouts play breach watch" for some
# of it. `make bench-instructions` counts again; UPDATE=1 stores. Never fails on time. See tests/bench/README.md.

BENCH_PROGRAMS := $(patsubst %,$(BUILD)/tests/bench/%,compile evaluate load follow rollouts play fixed)
BENCH_LINKED := $(filter-out %/fixed %/follow %/rollouts %/play,$(BENCH_PROGRAMS))
BENCH_SHARED := $(call object,$(patsubst %,tests/bench/%.c,bench definitions input))

$(BENCH_LINKED): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BENCH_SHARED) $(BUILD)/rules.a
	$(call say,LD,$@)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(RULES_LIBS)
$(BUILD)/tests/bench/compile: $(call object,controller/threads.c)
$(BUILD)/tests/bench/follow: $(BUILD)/tests/bench/follow.o $(BUILD)/controller.a $(BUILD)/rules.a
	$(call say,LD,$@)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(CONTROLLER_LIBS) $(RULES_LIBS)
$(patsubst %,$(BUILD)/tests/bench/%,rollouts play): $(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(BENCH_SHARED) \
  $(BUILD)/controller.a $(BUILD)/rules.a
	$(call say,LD,$@)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(CONTROLLER_LIBS) $(RULES_LIBS)
# The HTTP library by itself: nothing of ours is linked.
$(BUILD)/tests/bench/fixed: $(BUILD)/tests/bench/fixed.o
	$(call say,LD,$@)$(CC) -o $@ $^ $(LDFLAGS_ALL) $(call pkg_libs,libmicrohttpd)

.PHONY: bench bench-instructions bench-programs
bench-programs: $(BENCH_PROGRAMS) $(BUILD)/weir
bench:
	@.ci/install build bench
	$(MAKE_ALL) bench-programs
	@UPDATE=$(UPDATE) /usr/bin/python3 tests/bench/bench.py --build $(BUILD) $(BENCH_ONLY)
bench-instructions:
	@$(MAKE) --no-print-directory bench BENCH_ONLY=instructions

HELP_MORE += 'make bench        measures; BENCH_QUICK=1 for less, BENCH_ONLY="compile serve" for some of it' \
  'make bench-instructions  counts what an evaluation takes; UPDATE=1 stores the counts'
