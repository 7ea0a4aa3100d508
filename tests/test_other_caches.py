"""A cache of another rung or layer gives the gradients of its own rung, or one clear error."""
import copy
import zlib

import numpy as np
import pytest
from test_hostile_arrays import CASES, ROWS, RUNGS, assert_same, drawn, run

from cs231n_fer.nets.ladder import LADDER

CACHES = {f"{operation}, {what}": ({rung: LADDER[operation][rung] for rung in RUNGS[operation]},
                                   shapes, settings)
          for operation, rows in ROWS.items() for what, shapes, settings in rows}
CACHES["max_pool, 2 x 2"][0]["reshape"] = CASES["max_pool reshape"][:2]
CACHES["max_pool, overlapping"][0]["reshape"] = CASES["max_pool reshape"][:2]


@pytest.mark.parametrize("name", CACHES)
def test_a_cache_of_another_rung_is_understood_or_refused(name):
    pairs, shapes, settings = CACHES[name]
    arrays = drawn(name, shapes)
    found = {}
    for rung, (forward, _) in pairs.items():
        try:
            found[rung] = run(forward, arrays, settings)
        except ValueError as error:
            assert rung == "reshape" and "tile" in str(error)
    for rung, (out, cache) in found.items():
        dout = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(out.shape)
        right = pairs[rung][1](dout, cache)
        for other, (_, backward) in pairs.items():
            try:
                got = backward(dout, cache)
            except ValueError as error:
                assert other != rung
                assert str(error).startswith("cache: is a ") or "tile" in str(error), error
            else:
                assert_same(got, right, f"{other} with the cache of {rung}")


def signature(cache):
    """Return the types of a cache and of its parts."""
    return type(cache), tuple(map(type, cache)) if isinstance(cache, tuple) else ()


@pytest.mark.parametrize("name", CASES)
def test_a_cache_of_another_layer_and_what_is_no_cache_are_refused(name):
    _, backward, shapes, settings = CASES[name]
    out, cache = run(CASES[name][0], drawn(name, shapes), settings)
    others = {"None": None, "nothing": (), "three": (None,) * 3, "text": "cache", "a list": [1],
              "a part": cache[0] if isinstance(cache, tuple) else (cache,),
              "more": (*cache, cache) if isinstance(cache, tuple) else (cache, cache)}
    for other, (forward, _, other_shapes, other_settings) in CASES.items():
        value = run(forward, drawn(other, other_shapes), other_settings)[1]
        if signature(value) != signature(cache):
            others[other] = value
    refused = 0
    for what, value in others.items():
        if value is None and "dropout" in name:
            continue
        before = copy.copy(out)
        try:
            backward(out, value)
        except ValueError as error:
            refused += any(word in str(error) for word in ("cache: is", "dout has shape", "tile"))
            assert any(word in str(error) for word in ("cache: is", "dout has shape", "tile")), (
                what, error)
        np.testing.assert_array_equal(out, before)
    assert refused >= 5
