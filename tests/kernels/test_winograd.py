"""Tests of Winograd's transforms against the exact Cook-Toom matrices, and of these matrices."""
from fractions import Fraction

import numpy as np
import pytest

from cs231n_fer.kernels import winograd_transforms as transforms
from cs231n_fer.kernels.vectors.jit import jit
from cs231n_fer.kernels.vectors.machine import lanes_of
from cs231n_fer.kernels.vectors.simd import load_tile, store_tile
from cs231n_fer.kernels.winograd_transforms import both_ways

TAPS = 3
POINTS = {2: (0, 1, -1), 3: (0, 1, -1, 2), 4: (0, 1, -1, 2, -2)}  # and infinity


def times_linear(polynomial, root):
    """Return the coefficients of polynomial * (x - root), from the constant up."""
    return [low - root * high for low, high in zip([0, *polynomial], [*polynomial, 0], strict=True)]


def cook_toom(m):
    """Return A^T (m, n), G (n, 3) and B^T (n, n) of F(m, 3), n = m + 2, as arrays of Fractions.

    A^T and G evaluate polynomials at the points, infinity gives the leading coefficient; rows of
    B^T are Lagrange's polynomials, without their denominators, which divide the rows of G
    (transposition principle: Winograd 1980).
    """
    points = [Fraction(point) for point in POINTS[m]]
    A = [[point ** j for j in range(m)] for point in points] + [[0] * (m - 1) + [1]]
    G = []
    B = []
    product = [Fraction(1)]
    for point in points:
        numerator = [Fraction(1)]
        denominator = Fraction(1)
        for other in points:
            if other != point:
                numerator = times_linear(numerator, other)
                denominator = denominator * (point - other)
        G.append([point ** k / denominator for k in range(TAPS)])
        B.append([*numerator, 0])
        product = times_linear(product, point)
    G.append([0] * (TAPS - 1) + [1])
    B.append(product)
    return np.array(A, object).T, np.array(G, object), np.array(B, object)


# Largest error allowed: LIMIT * eps * the sum of the absolute values of all terms. Largest in 60
# draws of each: 2.6.
LIMIT = 4

# Name of a transform -> the matrix it multiplies with.
MATRICES = {
    "input": lambda A_T, G, B_T: B_T, "output": lambda A_T, G, B_T: A_T, "weight":
        lambda A_T, G, B_T: G,
    "input_transposed": lambda A_T, G, B_T: B_T.T, "output_transposed": lambda A_T, G, B_T: A_T.T,
    "weight_transposed": lambda A_T, G, B_T: G.T}
ALL = [(name, m) for name in MATRICES for m in POINTS]


@pytest.mark.parametrize("m", POINTS)
def test_the_exact_matrices_are_a_convolution(m):
    rng = np.random.default_rng(0)
    A_T, G, B_T = cook_toom(m)
    d, g = (np.array([[Fraction(int(k), 7) for k in row] for row in rng.integers(-99, 99, (n, n))],
                     object)
            for n in (m + 2, TAPS))
    line = [sum(d[0, i + k] * g[0, k] for k in range(TAPS)) for i in range(m)]
    assert list(A_T @ ((G @ g[0]) * (B_T @ d[0]))) == line
    plane = [[(d[i:i + TAPS, j:j + TAPS] * g).sum() for j in range(m)] for i in range(m)]
    assert (A_T @ ((G @ g @ G.T) * (B_T @ d @ B_T.T)) @ A_T.T).tolist() == plane


@pytest.mark.parametrize("name, m", ALL)
def test_every_transform_is_its_matrix(name, m):
    matrix = MATRICES[name](*cook_toom(m)).astype(float)
    transform = getattr(transforms,
                        f"{name}_{m}" if "_" not in name else name.replace("_", f"_{m}_"))
    assert transform is getattr(transforms, name.upper())[m]
    got = np.array(getattr(transform, "py_func", transform)(tuple(np.eye(matrix.shape[1]))))
    # Only weights are divided, by 3 at worst: one rounding of 1 / 6, one of every product and sum.
    np.testing.assert_allclose(got, matrix, rtol=0,
                               atol=3 * np.finfo(float).eps if "weight" in name else 0)


def make_tile_transform(transform, width):
    """Return run(x, y, across): transform a tile (width, width, lanes) of x to one of y with
    `across` columns."""
    both = both_ways(transform)

    @jit
    def run(x, y, lanes, across):
        store_tile(y, 0, across * lanes, lanes, both(load_tile(x, 0, width * lanes, lanes, width)))
    return run


RUN = {(name, m): make_tile_transform(getattr(transforms, name.upper())[m],
                                      MATRICES[name](*cook_toom(m)).shape[1])
       for name, m in ALL}


def transformed(name, m, x):
    """Apply a compiled transform to the rows and columns of a tile (width, width, lanes)."""
    across = len(MATRICES[name](*cook_toom(m)))
    y = np.full((across, across, x.shape[2]), np.nan, x.dtype)
    RUN[name, m](x.reshape(-1), y.reshape(-1), x.shape[2], across)
    return y


def two_ways(matrix, x):
    """Return matrix x matrix^T of a tile (width, width, lanes), in float64."""
    return np.einsum("ij,jkl,mk->iml", matrix, x.astype(float), matrix)


def added_up(name, m, x):
    """Return the sum of the absolute values of a transform's terms; rounding errors scale with it.
    """
    return two_ways(abs(MATRICES[name](*cook_toom(m)).astype(float)), abs(x))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name, m", ALL)
def test_both_ways_transforms_rows_and_columns(name, m, dtype):
    matrix = MATRICES[name](*cook_toom(m)).astype(float)
    size = matrix.shape[1]
    shape = (size, size, lanes_of(np.dtype(dtype)))
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    error = abs(transformed(name, m, x) - two_ways(matrix, x))
    assert (error <= LIMIT * np.finfo(dtype).eps * added_up(name, m, x)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("m", POINTS)
def test_compiled_transforms_make_a_convolution_and_its_gradients(m, dtype):
    rng = np.random.default_rng(0)
    lanes = lanes_of(np.dtype(dtype))
    d, g, dy = (rng.standard_normal((n, n, lanes)).astype(dtype) for n in (m + 2, TAPS, m))
    y = np.zeros((m, m, lanes))
    dg = np.zeros((TAPS, TAPS, lanes))
    dd = np.zeros((m + 2, m + 2, lanes))
    for i, j in np.ndindex(TAPS, TAPS):
        seen = np.s_[i:i + m, j:j + m]
        y += d[seen].astype(float) * g[i, j]
        dg[i, j] = (d[seen].astype(float) * dy).sum(axis=(0, 1))
        dd[seen] += dy.astype(float) * g[i, j]
    inner = {"weight": g, "input": d, "output_transposed": dy}
    for outer, (one, two), expected in (("output", ("weight", "input"), y),
                                        ("weight_transposed", ("input", "output_transposed"), dg),
                                        ("input_transposed", ("weight", "output_transposed"), dd)):
        got, size = (f(outer, m, f(one, m, inner[one]) * f(two, m, inner[two]))
                     for f in (transformed, added_up))
        assert (abs(got - expected) <= LIMIT * np.finfo(dtype).eps * size).all()
