"""Augmentations of a batch of small images: a bilinear warp by affine maps, and mirror images."""
import numpy as np

from .vectors.jit import jit


@jit
def warp(images, maps, margin, scratch, out):
    """Write out[n, c, y, x] = images[n, c], interpolated at the point that map n gives to (y, x).

    images    (N, C, H, W) float32 or float64, any strides
    maps      (N, 2, 3) of the same dtype, in pixels: sy = m00 y + m01 x + m02,
              sx = m10 y + m11 x + m12
    margin    1: images are extended by zeros; 0: by their edge pixels
    scratch   workspace, (H + 3, W + 3) zeros of the same dtype: one image with its border, which
              stays in L1
    out       result, like images

    The definition is `augment.warp_numpy`. RandomSimilarity on 50 float32 images of 48 x 48, one
    thread: 0.40 ms instead of 4.5. math.floor and signed indices were slower (kernel alone,
    float32: 0.90 ms, now 0.36).
    """
    N, C, H, W = images.shape
    real = images.dtype.type
    low = real(1 - margin)
    high_y = real(H + margin)
    high_x = real(W + margin)
    for n in range(N):
        for c in range(C):
            for y in range(H):
                for x in range(W):
                    # The border of zeros saves bounds checks below.
                    scratch[y + 1, x + 1] = images[n, c, y, x]
            for y in range(H):
                start_y = maps[n, 0, 0] * real(y) + maps[n, 0, 2] + real(1)
                start_x = maps[n, 1, 0] * real(y) + maps[n, 1, 2] + real(1)
                for x in range(W):
                    sy = min(max(maps[n, 0, 1] * real(x) + start_y, low), high_y)
                    sx = min(max(maps[n, 1, 1] * real(x) + start_x, low), high_x)
                    # Never negative, so this conversion is floor.
                    top = np.uint32(sy)
                    left = np.uint32(sx)
                    fy = sy - real(top)
                    fx = sx - real(left)
                    a = scratch[top, left]
                    b = scratch[top, left + np.uint32(1)]
                    d = scratch[top + np.uint32(1), left]
                    e = scratch[top + np.uint32(1), left + np.uint32(1)]
                    upper = a + fx * (b - a)
                    lower = d + fx * (e - d)
                    out[n, c, y, x] = upper + fy * (lower - upper)


@jit
def mirror(images, flips, out):
    """Write images[n], mirrored left to right where flips[n], to out[n].

    images is (N, C, H, W) of any strides, flips (N,) of bool. Half of 50 float32 images of 48 x 48:
    58 us, NumPy 87.
    """
    N, C, H, W = images.shape
    for n in range(N):
        for c in range(C):
            for y in range(H):
                row = images[n, c, y]
                target = out[n, c, y]
                if flips[n]:
                    for x in range(W):
                        target[x] = row[W - 1 - x]
                else:
                    for x in range(W):
                        target[x] = row[x]
