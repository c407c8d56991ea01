# soak.mk - what must stay flat over a long time. `make soak-git` fetches FETCHES commits one by one.

FETCHES ?= 5000
$(BUILD)/tests/soak/git: tests/soak/git.c $(BUILD)/controller.a $(BUILD)/rules.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CFLAGS_ALL) -o $@ $(filter %.c %.a,$^) $(LDFLAGS_ALL) $(CONTROLLER_LIBS) $(RULES_LIBS)

.PHONY: soak-git
soak-git:
	$(DEPS) build test
	$(MAKE_ALL) $(BUILD)/tests/soak/git
	@$(BUILD)/tests/soak/git $(FETCHES)

# Proof that nothing goes backwards; each has its short form in `make test`.
ROUNDS ?= 500
DETERMINISM_COMMITS ?= 200
MINUTES ?= 5
.PHONY: soak-kill soak-determinism soak-converge
soak-kill soak-determinism soak-converge:
	$(DEPS) build test
	$(MAKE_ALL) $(BUILD)/weir
	@WEIR=$(BUILD)/weir /usr/bin/python3 tests/soak/$(@:soak-%=%).py \
	  $(if $(filter %kill,$@),--rounds $(ROUNDS))$(if $(filter %determinism,$@),--commits $(DETERMINISM_COMMITS))$(if \
	  $(filter %converge,$@),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

HELP_MORE += 'make soak-git     fetches FETCHES=5000 commits one by one and tells what stays open and how long it takes'
HELP_MORE += 'make soak-kill    kills the controller ROUNDS=500 times at random moments while commits arrive' \
             'make soak-determinism  the digests of DETERMINISM_COMMITS=200 commits, by every way to them' \
             'make soak-converge  two controllers and three edges, MINUTES=5 of random commits and cuts: all end with the same'

# Gates on simulated rollouts of twelve weeks: RUNS without harm stay under alpha; how long harm goes unseen. Some minutes.
RUNS ?= 2000
$(BUILD)/tests/soak/aa: tests/soak/aa.c $(BUILD)/rules.a
	@mkdir -p $(@D)
	$(call say,TEST,$@)$(CC) $(CFLAGS_ALL) -o $@ $(filter %.c %.a,$^) $(LDFLAGS_ALL) $(RULES_LIBS)

.PHONY: soak-aa
soak-aa:
	$(DEPS) build
	$(MAKE_ALL) $(BUILD)/tests/soak/aa
	@$(BUILD)/tests/soak/aa $(RUNS) $(SEED)

HELP_MORE += 'make soak-aa      RUNS=2000 simulated rollouts without harm: false alarms stay under alpha; delays for +10, +25, +100 %'
