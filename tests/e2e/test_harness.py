"""The world of the end-to-end tests itself: what they build on must be sound."""
import json

import weir


def released(world):
    return world.commit({"flags/checkout.yaml": world.definitions["flags/checkout.yaml"].replace(
        "  default: off\n", "  default: on\n", 1)})


def total(world, name, variant):
    return world.prometheus.number(f'{name}{{variant="{variant}"}}')


def test_the_shop_asks_weir_and_prometheus_counts_by_variant(world):
    assert world.shop.visit(20) == {"on": 0, "off": 20}
    released(world)
    world.shop.errors(on=0.25)
    assert world.shop.visit(40) == {"on": 40, "off": 0}
    expected = {("checkout_total", "on"): 40, ("checkout_total", "off"): 20,
                ("checkout_errors_total", "on"): 10, ("checkout_errors_total", "off"): 0}
    weir.wait_until(lambda: {key: total(world, *key) for key in expected} == expected, f"Prometheus has {expected}")
    assert world.prometheus.number('checkout_total{variant="nobody"}') is None


def test_the_target_and_the_remote_are_real(world):
    commit = released(world)
    assert weir.git(world.repository.bare, "rev-parse", "HEAD") == commit
    weir.wait_until(lambda: world.redis.hash("{weir:production}:meta").get("commit") == commit, "Redis has it")
    assert json.loads(world.redis.hash("{weir:production}:doc")["checkout-v2"])["defaultVariant"] == "on"


def test_weir_is_found_again_after_a_crash(world):
    released(world)
    world.restart()
    weir.wait_until(lambda: world.shop.visit(5) == {"on": 5, "off": 0}, "the same answers")


def test_traffic_goes_on_while_definitions_change(world):
    with world.shop.open(10):
        weir.wait_until(lambda: (total(world, "checkout_total", "off") or 0) > 20, "some are off")
        released(world)
        weir.wait_until(lambda: (total(world, "checkout_total", "on") or 0) > 20, "some are on")
