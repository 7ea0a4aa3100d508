"""What happens to a convolution's outputs while they are still in the cache: the fused epilogues.

A convolution writes one image z of its outputs to the workspace, where channels are rounded up to
register tiles. The steps here take it to the caller's arrays: bias, ReLU and max-pool in one pass,
or the moments that batchnorm needs. In the backward pass they form dz in the workspace from the
gradient of the layer above.

    s, grid        workspace, and the layout of an image in it
    size           ConvSize of the convolution
    region         Region of the image that is worked on
    arrays         ForwardArrays or BackwardArrays of the caller

They go from pixel to pixel, through all channels of a pixel (`f` is the first of a vector of them),
so that memory is read as one stream. With the loops the other way round a step of conv-conv-pool
takes 1.06 times as long. Only `moments`, which reads z twice, loops over channels first, to have z
in L1 the second time.
"""
from .arguments import BackwardArrays, ForwardArrays, Region
from .memory import clear, copy, get, goes_past, put_out
from .shape import ConvSize, Grid
from .vectors.calls import BOOL, FLOATS, INT, step
from .vectors.jit import jit
from .vectors.simd import (
    drain,
    fma,
    load,
    load_bytes,
    load_spaced,
    repeated,
    select,
    store,
    store_bytes,
    vector,
    zeros,
)

DEAD = 4.0  # in place of the argmax of a 2 x 2 window whose maximum ReLU has cut off


@step(FLOATS, INT, ConvSize, FLOATS, INT, Grid)
def pack(x, image, size, s, at, grid):
    """Copy one image of x into the workspace, padded with zeros."""
    C = size.C
    channels = grid.channels
    row = grid.row
    lanes = size.lanes
    inside = size.W * channels
    left = size.pad * channels
    clear(s, at, size.pad * row, lanes)
    for i in range(size.H):
        source = (image * size.H + i) * size.W * C
        target = at + (size.pad + i) * row
        clear(s, target, left, lanes)
        if C == channels:
            copy(x, source, s, target + left, inside, lanes)
        else:
            for j in range(size.W):
                copy(x, source + j * C, s, target + left + j * channels, C, lanes)
                clear(s, target + left + j * channels + C, channels - C, lanes)
        clear(s, target + left + inside, row - left - inside, lanes)
    clear(s, at + (size.pad + size.H) * row, grid.size - (size.pad + size.H) * row, lanes)


@step(FLOATS, Grid, ConvSize, Region, FLOATS)
def unpack(s, grid, size, region, dx):
    """Copy channels first...last of one image from the workspace to dx, without the padding."""
    C = size.C
    row = grid.row
    past = goes_past(dx, size.C, size.lanes)
    for i in range(size.H):
        source = region.at + (size.pad + i) * row + size.pad * grid.channels
        target = (region.image * size.H + i) * size.W * C
        for j in range(size.W):
            for c in range(region.first, region.last, size.lanes):
                here = get(s, source + j * grid.channels, c, C, size.lanes)
                put_out(dx, target + j * C, c, C, size.lanes, here, past)
    drain()


@step(FLOATS, Grid, ConvSize, Region, ForwardArrays, BOOL)
def write(s, grid, size, region, arrays, relu):
    """Write z + bias, or relu of it, to out for filters first...last."""
    bias = arrays.bias
    out = arrays.out
    F = size.F
    row = grid.row
    past = goes_past(out, size.F, size.lanes)
    for i in range(region.top, region.bottom):
        source = region.at + i * row
        target = (region.image * size.Ho + i) * size.Wo * F
        for j in range(size.Wo):
            for f in range(region.first, region.last, size.lanes):
                z = load(s, source + j * grid.channels + f, 1) + load(bias, f, 1)
                if relu:
                    z = select(z < 0.0, 0.0, z)  # keeps NaN
                put_out(out, target + j * F, f, F, size.lanes, z, past)
    drain()


@jit(inline=True)
def is_maximum(best, z):
    """Return where the maximum of a window's first numbers stays the maximum after z.

    Of equal numbers the first counts; NaN is larger than any number, and again the first counts.
    Two comparisons are as few as without this rule for NaN.
    """
    return (z <= best) | (best != best)


@step(FLOATS, Grid, ConvSize, Region, ForwardArrays, BOOL)
def pool(s, grid, size, region, arrays, relu):
    """Take the 2 x 2 max-pool of z + bias: the first maximum of sign * (z + bias).

    Of the filters first...last.

    pooled gets its value and argmax its position in the window, 0 to 3; with relu, DEAD where it
    isn't positive. A forward pass that only computes scores passes an empty argmax: threads that
    share an image would share its cache lines. The sign is 1, or that of batchnorm's gamma: the
    maximum is then that of batchnorm's outputs, although its mean is not yet known.
    """
    bias = arrays.bias
    sign = arrays.sign
    pooled = arrays.pooled
    argmax = arrays.argmax
    Ho = size.Ho // 2
    Wo = size.Wo // 2
    F = size.F
    row = grid.row
    past = goes_past(pooled, F, size.lanes)
    for i in range(region.top // 2, region.bottom // 2):
        for j in range(Wo):
            pixel = (region.image * Ho + i) * Wo + j
            for f in range(region.first, region.last, size.lanes):
                corner = region.at + 2 * (i * row + j * grid.channels) + f
                b = load(bias, f, 1)
                up = load(sign, f, 1)
                best = load(s, corner, 1) + b
                position = zeros(s, 1)
                for k in range(1, 4):
                    z = load(s, corner + k // 2 * row + k % 2 * grid.channels, 1) + b
                    stays = is_maximum(best * up, z * up)
                    best = select(stays, best, z)
                    position = select(stays, position, k * 1.0)
                if relu:
                    position = select(best > 0.0, position, DEAD)
                    best = select(best < 0.0, 0.0, best)
                put_out(pooled, pixel * F, f, F, size.lanes, best, past)
                if len(argmax):
                    store_bytes(argmax, pixel * size.Fp + f, position)
    drain()


@jit(inline=True)
def sum_pixels(s, at, pixel, row, size, centre, squared):
    """Return the sum of z - centre over an image, or of its square, for one vector of channels.

    Four sums run side by side, as an addition takes four cycles.
    """
    rest = zeros(s, 1)  # before sums: LLVM adds up in the order of these two, to the last bit
    sums = zeros(s, 4)
    centres = repeated(centre, 4)
    for i in range(size.Ho):
        for j in range(0, size.Wo - 3, 4):
            away = load_spaced(s, at + i * row + j * pixel, pixel, 4) - centres
            sums = fma(away, away, sums) if squared else sums + away
        for j in range(size.Wo // 4 * 4, size.Wo):
            away = load(s, at + i * row + j * pixel, 1) - centre
            rest = fma(away, away, rest) if squared else rest + away
    return vector(sums, 0) + vector(sums, 1) + (vector(sums, 2) + vector(sums, 3)) + rest


@step(FLOATS, Grid, ConvSize, Region, FLOATS, FLOATS)
def moments(s, grid, size, region, bias, sums):
    """Write mean and sum of squared deviations of z + bias over one image to sums (N, 2, Fp).

    Two passes, the second in L1, so that no large numbers are subtracted from one another (Chan et
    al. 1983 combine the images).
    """
    at = region.at
    image = region.image
    for f in range(region.first, region.last, size.lanes):
        mean = sum_pixels(s, at + f, grid.channels, grid.row, size, zeros(s, 1),
                          False) * (1 / (size.Ho * size.Wo))
        store(sums, image * 2 * size.Fp + f, mean + load(bias, f, 1))
        store(sums, (image * 2 + 1) * size.Fp + f,
              sum_pixels(s, at + f, grid.channels, grid.row, size, mean, True))


@jit(inline=True)
def through_batchnorm(d, z, vectors, f, Fp):
    """Return vectors[0] * d + vectors[1] * z + vectors[2] for filters f..., dz below batchnorm.

    See batchnorm.backward_vectors.
    """
    return load(vectors, f, 1) * d + load(vectors, Fp + f, 1) * z + load(vectors, 2 * Fp + f, 1)


@jit(inline=True)
def dz_of(d, z, pixel, vectors, f, size):
    """Return dz of a pixel: d itself, or, with batchnorm in between, d taken through it."""
    if len(vectors):
        return through_batchnorm(d, get(z, pixel * size.F, f, size.F, size.lanes), vectors, f,
                                 size.Fp)
    return d


@step(BackwardArrays, ConvSize, Region, FLOATS, Grid, FLOATS)
def unpool(arrays, size, region, s, grid, db):
    """Form dz of one image below a max-pool (and ReLU), and add its sum to db (Fp,).

    With batchnorm in between, vectors (4, Fp) are those of its backward pass and db isn't used;
    otherwise they are empty.
    """
    dout = arrays.dout
    argmax = arrays.argmax
    z = arrays.kept
    vectors = arrays.vectors
    image = region.image
    at = region.at
    Hp = size.Ho // 2
    Wp = size.Wo // 2
    F = size.F
    Fp = size.Fp
    lanes = size.lanes
    row = grid.row
    for i in range(region.top // 2, region.bottom // 2):
        for j in range(Wp):
            pixel = (image * Hp + i) * Wp + j
            corner = at + 2 * (i * row + j * grid.channels)
            for f in range(0, F, lanes):
                d = get(dout, pixel * F, f, F, lanes)
                position = load_bytes(argmax, pixel * Fp + f, s)
                for k in range(4):
                    here = (image * size.Ho + 2 * i + k // 2) * size.Wo + 2 * j + k % 2
                    dz = dz_of(select(position == k * 1.0, d, 0.0), z, here, vectors, f, size)
                    store(s, corner + k // 2 * row + k % 2 * grid.channels + f, dz)
                store(db, f, load(db, f, 1) + select(position < DEAD, d, 0.0))
    for i in range(region.top, region.bottom):  # pixels that no window covers
        for j in range(2 * Wp if i < 2 * Hp else 0, size.Wo):
            for f in range(0, F, lanes):
                dz = dz_of(zeros(s, 1), z, (image * size.Ho + i) * size.Wo + j, vectors, f, size)
                store(s, at + i * row + j * grid.channels + f, dz)
    clear_beyond(s, grid, size, region)


@step(BackwardArrays, BOOL, ConvSize, Region, FLOATS, Grid, FLOATS)
def mask(arrays, relu, size, region, s, grid, db):
    """Form dz of one image: dout, with relu where kept is positive; add its sum to db (Fp,).

    With batchnorm kept is z, and dout passes where its normalized value, vectors[0] * z +
    vectors[3], is positive, so that the output of ReLU need not be read. The rest is as in unpool.
    """
    dout = arrays.dout
    kept = arrays.kept
    vectors = arrays.vectors
    image = region.image
    at = region.at
    F = size.F
    Fp = size.Fp
    lanes = size.lanes
    row = grid.row
    for i in range(region.top, region.bottom):
        for j in range(size.Wo):
            pixel = ((image * size.Ho + i) * size.Wo + j) * F
            for f in range(0, F, lanes):
                d = get(dout, pixel, f, F, lanes)
                if len(vectors):
                    z = get(kept, pixel, f, F, lanes)
                    passes = load(vectors, f, 1) * z + load(vectors, 3 * Fp + f, 1) > 0.0
                    d = through_batchnorm(select(passes, d, 0.0), z, vectors, f, Fp)
                elif relu:
                    d = select(get(kept, pixel, f, F, lanes) > 0.0, d, 0.0)
                store(s, at + i * row + j * grid.channels + f, d)
                store(db, f, load(db, f, 1) + d)
    clear_beyond(s, grid, size, region)


@jit(inline=True)
def clear_beyond(s, grid, size, region):
    """Write zeros to the pixels of the grid that aren't outputs."""
    row = grid.row
    for i in range(region.top, region.bottom if region.bottom < size.Ho else grid.rows):
        inside = size.Wo * grid.channels if i < size.Ho else 0
        clear(s, region.at + i * row + inside, row - inside, size.lanes)
