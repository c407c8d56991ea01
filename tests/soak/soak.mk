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

HELP_MORE += 'make soak-git     fetches FETCHES=5000 commits one by one and tells what stays open and how long it takes'
