"""The transforms of Winograd's convolution F(m x m, 3 x 3), one formula per row of a matrix.

The product of polynomials with m and 3 coefficients is determined by its values at m + 2 points.
m neighboring outputs of a 3-tap filter are that product transposed, so m + 2 products instead of
3 m are enough for them as well (Lavin & Gray 2016):

    y = A^T [ (G g) * (B^T d) ]     d: m + 2 inputs,  g: 3 weights,  y: m outputs,  *: elementwise

In two dimensions every vector becomes a matrix, and each transform is applied to its rows and then
to its columns: B^T d B. The backward pass transposes every matrix: with dM = A dy A^T,

    dd = B [ (G g) * dM ] B^T                          dg = G^T [ (B^T d) * dM ] G

    m    points              products for each output, of 9
    2    0 1 -1 inf          4
    3    0 1 -1 2 inf        2.78
    4    0 1 -1 2 -2 inf     2.25

A transform takes a tuple of Blocks, the rows of a tile, and returns the rows of the result.
`both_ways` applies it to columns as well; its result is transposed: Block j holds column j.
"""
from .vectors.jit import jit
from .vectors.simd import transposed


@jit(inline=True)
def input_2(d):
    """B^T d for m = 2."""
    d0, d1, d2, d3 = d
    return d2 - d0, d1 + d2, d2 - d1, d3 - d1


@jit(inline=True)
def output_2(m):
    """A^T m for m = 2."""
    m0, m1, m2, m3 = m
    return m0 + m1 + m2, m1 - m2 + m3


@jit(inline=True)
def weight_2(g):
    """G g for m = 2."""
    g0, g1, g2 = g
    even = 0.5 * (g0 + g2)
    return 0.0 - g0, even + 0.5 * g1, even - 0.5 * g1, g2


@jit(inline=True)
def input_2_transposed(t):
    """B t for m = 2."""
    t0, t1, t2, t3 = t
    return 0.0 - t0, t1 - t2 - t3, t0 + t1 + t2, t3


@jit(inline=True)
def output_2_transposed(y):
    """A y for m = 2."""
    y0, y1 = y
    return y0, y0 + y1, y0 - y1, y1


@jit(inline=True)
def weight_2_transposed(m):
    """G^T m for m = 2."""
    m0, m1, m2, m3 = m
    even = 0.5 * (m1 + m2)
    return even - m0, 0.5 * (m1 - m2), even + m3


@jit(inline=True)
def input_3(d):
    """B^T d for m = 3."""
    d0, d1, d2, d3, d4 = d
    odd = d3 - d1
    return (2.0 * (d0 - d2) + odd, d3 - d2 - 2.0 * d1, d3 - 3.0 * d2 + 2.0 * d1, odd,
            d4 - d2 - 2.0 * odd)


@jit(inline=True)
def output_3(m):
    """A^T m for m = 3."""
    m0, m1, m2, m3, m4 = m
    even = m1 + m2
    odd = m1 - m2
    return m0 + even + m3, odd + 2.0 * m3, even + 4.0 * m3 + m4


@jit(inline=True)
def weight_3(g):
    """G g for m = 3."""
    g0, g1, g2 = g
    even = g0 + g2
    return (0.5 * g0, -0.5 * (even + g1), (g1 - even) * (1 / 6),
            (g0 + 2.0 * g1 + 4.0 * g2) * (1 / 6), g2)


@jit(inline=True)
def input_3_transposed(t):
    """B t for m = 3."""
    t0, t1, t2, t3, t4 = t
    return (2.0 * t0, 2.0 * (t2 - t1 + t4) - t0 - t3, 0.0 - 2.0 * t0 - t1 - 3.0 * t2 - t4,
            t0 + t1 + t2 + t3 - 2.0 * t4, t4)


@jit(inline=True)
def output_3_transposed(y):
    """A y for m = 3."""
    y0, y1, y2 = y
    even = y0 + y2
    return y0, even + y1, even - y1, y0 + 2.0 * y1 + 4.0 * y2, y2


@jit(inline=True)
def weight_3_transposed(m):
    """G^T m for m = 3."""
    m0, m1, m2, m3, m4 = m
    half = 0.5 * m1
    sixth = (1 / 6) * m2
    third = (1 / 3) * m3
    even = half + sixth
    return 0.5 * (m0 + third) - even, sixth - half + third, 2.0 * third - even + m4


@jit(inline=True)
def input_4(d):
    """B^T d for m = 4."""
    d0, d1, d2, d3, d4, d5 = d
    even = d4 - 4.0 * d2
    odd = d3 - 4.0 * d1
    near = d4 - d2
    far = 2.0 * (d3 - d1)
    return (4.0 * d0 - 5.0 * d2 + d4, even + odd, even - odd, near + far, near - far,
            4.0 * d1 - 5.0 * d3 + d5)


@jit(inline=True)
def output_4(m):
    """A^T m for m = 4."""
    m0, m1, m2, m3, m4, m5 = m
    even = m1 + m2
    odd = m1 - m2
    even2 = m3 + m4
    odd2 = m3 - m4
    return m0 + even + even2, odd + 2.0 * odd2, even + 4.0 * even2, odd + 8.0 * odd2 + m5


@jit(inline=True)
def weight_4(g):
    """G g for m = 4."""
    g0, g1, g2 = g
    even = (g0 + g2) * (-1 / 6)
    odd = g1 * (1 / 6)
    even2 = (g0 + 4.0 * g2) * (1 / 24)
    odd2 = g1 * (1 / 12)
    return 0.25 * g0, even - odd, even + odd, even2 + odd2, even2 - odd2, g2


@jit(inline=True)
def input_4_transposed(t):
    """B t for m = 4."""
    t0, t1, t2, t3, t4, t5 = t
    even = t1 + t2
    odd = t2 - t1
    even2 = t3 + t4
    odd2 = t4 - t3
    return (4.0 * t0, 4.0 * (odd + t5) + 2.0 * odd2, 0.0 - 5.0 * t0 - 4.0 * even - even2,
            0.0 - odd - 2.0 * odd2 - 5.0 * t5, t0 + even + even2, t5)


@jit(inline=True)
def output_4_transposed(y):
    """A y for m = 4."""
    y0, y1, y2, y3 = y
    even = y0 + y2
    odd = y1 + y3
    even2 = y0 + 4.0 * y2
    odd2 = 2.0 * y1 + 8.0 * y3
    return y0, even + odd, even - odd, even2 + odd2, even2 - odd2, y3


@jit(inline=True)
def weight_4_transposed(m):
    """G^T m for m = 4."""
    m0, m1, m2, m3, m4, m5 = m
    even = (m1 + m2) * (1 / 6)
    odd = (m2 - m1) * (1 / 6)
    even2 = (m3 + m4) * (1 / 6)
    odd2 = (m3 - m4) * (1 / 12)
    return 0.25 * (m0 + even2) - even, odd + odd2, even2 - even + m5


INPUT = {2: input_2, 3: input_3, 4: input_4}
OUTPUT = {2: output_2, 3: output_3, 4: output_4}
WEIGHT = {2: weight_2, 3: weight_3, 4: weight_4}
INPUT_TRANSPOSED = {2: input_2_transposed, 3: input_3_transposed, 4: input_4_transposed}
OUTPUT_TRANSPOSED = {2: output_2_transposed, 3: output_3_transposed, 4: output_4_transposed}
WEIGHT_TRANSPOSED = {2: weight_2_transposed, 3: weight_3_transposed, 4: weight_4_transposed}


def both_ways(transform):
    """Return the two-dimensional transform: rows of a tile in, columns of its transform out."""
    @jit(inline=True)
    def transform_tile(rows):
        return transform(transposed(transform(rows)))
    return transform_tile
