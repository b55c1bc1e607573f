"""Cosines and sines of multiples of an angle, in integer arithmetic, and weighted sums of them: loops beside their NumPy twins.

Two servers multiply halves of one secret by these numbers, so both must have the same to the bit on any machine: nothing here is
floating-point. Angles are uint32 columns, 2^32 to the turn; results have 31 fraction bits.
"""

from __future__ import annotations

from functools import cache
from math import isqrt

import numpy as np

from accord.base.ring import Column
from accord.mpc.kernels import COMPILED_WORDS_MIN, compiled, plain

WAVE_BITS = 31
WAVE_ERROR_ULPS = 4
"""cos jθ and sin jθ are within 4 j units of 2^−31; derived at `waves`."""
CIRCLE = 512
"""Angles in the table. The rest of an angle is at most half a step, 0.0062."""
_STEP_BITS = 23
_TURN = 3_373_259_426
"""2π, in units of 2^−29."""
_THIRD = 715_827_883
"""1/3, in units of 2^−31."""


@cache
def circle() -> Column:
    """Cosines and sines of the table's angles, int64, shape (2, 512): by halving a right angle seven times, in exact integers."""
    one, cosine = 1 << 96, 0
    for _ in range((CIRCLE // 4).bit_length() - 1):
        cosine = isqrt((one + cosine) * one // 2)
    sine, x, y = isqrt(one * one - cosine * cosine), one, 0
    rows = []
    for _ in range(CIRCLE):
        rows.append([(value + (1 << 64)) >> 65 for value in (x, y)])
        x, y = (x * cosine - y * sine) >> 96, (x * sine + y * cosine) >> 96
    return np.array(rows, np.int64).T.copy()


def waves(angles: Column, count: int, stride: int) -> Column:
    """cos jθ and sin jθ, one above the other, for j = 1, 1 + stride, …: int64, shape (2 · count, rows), 31 fraction bits.

    The error of the pair, in units: the first's parts are within 2.2 (the table's ½, three roundings of ½, and below 0.2 of the series),
    so it is within 3.1; a step adds its own error, 3.1, and 0.7 of rounding. At stride 2 the step is a square, 6.9. So below 4 j.
    """
    out = np.empty((2 * count, angles.shape[0]), np.int64)
    if out.size < COMPILED_WORDS_MIN:
        waves_twin(angles, stride, circle()[0], circle()[1], out)
    else:
        compiled(waves_loop)(plain(angles), stride, circle()[0], circle()[1], out)
    return out


def waves_twin(angles: Column, stride: int, cosines: Column, sines: Column, out: Column) -> None:
    """As `waves_loop`, by whole arrays."""
    place = (angles + np.uint32(1 << (_STEP_BITS - 1))) >> np.uint32(_STEP_BITS)
    rest = (angles - (place << np.uint32(_STEP_BITS))).view(np.int32).astype(np.int64)
    x, y = cosines[place], sines[place]
    d = (rest * _TURN) >> 24
    h = (d * d + (1 << 43)) >> 44
    e = d - ((((d * h) >> 31) * _THIRD) >> 31)
    x, y = x - ((x * h + (1 << 30)) >> 31) - ((y * e + (1 << 36)) >> 37), y - ((y * h + (1 << 30)) >> 31) + ((x * e + (1 << 36)) >> 37)
    out[0], out[1] = x, y
    if stride == 2:
        x, y = (x * x - y * y + (1 << 30)) >> 31, (2 * (x * y) + (1 << 30)) >> 31
    for j in range(2, out.shape[0], 2):
        out[j] = (out[j - 2] * x - out[j - 1] * y + (1 << 30)) >> 31
        out[j + 1] = (out[j - 2] * y + out[j - 1] * x + (1 << 30)) >> 31


def waves_loop(angles: Column, stride: int, cosines: Column, sines: Column, out: Column) -> None:
    rows = angles.shape[0]
    xs, ys = np.empty(512, np.int64), np.empty(512, np.int64)
    for start in range(0, rows, 512):
        stop = min(start + 512, rows)
        for i in range(stop - start):
            angle = np.int64(angles[start + i])
            place = (angle + 4194304) >> 23
            rest = angle - (place << 23)
            x, y = cosines[place & 511], sines[place & 511]
            d = (rest * 3373259426) >> 24
            h = (d * d + (1 << 43)) >> 44
            e = d - ((((d * h) >> 31) * 715827883) >> 31)
            cosine = x - ((x * h + 1073741824) >> 31) - ((y * e + 68719476736) >> 37)
            sine = y - ((y * h + 1073741824) >> 31) + ((x * e + 68719476736) >> 37)
            out[0, start + i], out[1, start + i] = cosine, sine
            if stride == 2:
                xs[i] = (cosine * cosine - sine * sine + 1073741824) >> 31
                ys[i] = (2 * (cosine * sine) + 1073741824) >> 31
            else:
                xs[i], ys[i] = cosine, sine
        for j in range(2, out.shape[0], 2):
            for i in range(stop - start):
                cosine, sine = out[j - 2, start + i], out[j - 1, start + i]
                out[j, start + i] = (cosine * xs[i] - sine * ys[i] + 1073741824) >> 31
                out[j + 1, start + i] = (cosine * ys[i] + sine * xs[i] + 1073741824) >> 31


def weighted(turned: Column, weights: Column, shift: int, halves: Column) -> Column:
    """Σ_j halves[2j] · u_j + halves[2j + 1] · v_j modulo 2^64, for every row.

    u_j + i v_j = (a_j + i b_j) · (cosine − i sine) of `turned` (as `waves` gives), for the row (a_j, b_j) of `weights` (int64),
    shifted down by `shift` to the nearest.
    """
    out = np.zeros(turned.shape[1], np.uint64)
    if turned.size < COMPILED_WORDS_MIN:
        weighted_twin(turned, weights, shift, halves, out)
    else:
        compiled(weighted_loop)(turned, weights, shift, plain(halves), out)
    return out


def weighted_twin(turned: Column, weights: Column, shift: int, halves: Column, out: Column) -> None:
    """As `weighted_loop`, by whole arrays."""
    nearest = 1 << (shift - 1)
    for j, (a, b) in enumerate(weights):
        x, y = turned[2 * j], turned[2 * j + 1]
        u, v = (a * x + b * y + nearest) >> shift, (b * x - a * y + nearest) >> shift
        out += u.view(np.uint64) * halves[2 * j] + v.view(np.uint64) * halves[2 * j + 1]


def weighted_loop(turned: Column, weights: Column, shift: int, halves: Column, out: Column) -> None:
    nearest, rows = np.int64(1) << np.int64(shift - 1), out.shape[0]
    for start in range(0, rows, 512):
        stop = min(start + 512, rows)
        for j in range(weights.shape[0]):
            a, b = weights[j, 0], weights[j, 1]
            for i in range(start, stop):
                x, y = turned[2 * j, i], turned[2 * j + 1, i]
                u, v = (a * x + b * y + nearest) >> shift, (b * x - a * y + nearest) >> shift
                out[i] += np.uint64(u) * halves[2 * j, i] + np.uint64(v) * halves[2 * j + 1, i]
