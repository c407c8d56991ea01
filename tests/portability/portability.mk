# portability.mk - `make portability` installs every engine that can be had (below $(BUILD)/portability; flagd itself has
# to be on PATH or in a folder of $WEIR_PEERS), asks each what weir was asked, and prints what was compared.

.PHONY: portability
portability:
	@.ci/install build portability
	$(MAKE_ALL) $(BUILD)/weir $(BUILD)/libweir.so
	@/usr/bin/python3 tests/portability/portability.py --build $(BUILD)

HELP_MORE += 'make portability  every operator, type, 5000 keys, rollouts: weir beside npm, Python, Java and flagd'
