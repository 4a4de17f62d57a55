"""Until the compiled kernels are here: the same in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import _core


def warp_images(
    images: Any,
    matrices: Any,
    size: Any,
    interpolation: str = "bilinear",
    fill_mode: str = "constant",
    fill_value: float = 0.0,
) -> Any:
    old, m = images.numpy(), matrices.numpy()
    n, h, w, c = old.shape
    y, x = np.mgrid[: size[0], : size[1]]
    out = np.empty((n, *size, c), old.dtype)
    for i in range(n):
        q = m[i] @ np.stack([x.ravel(), y.ravel(), np.ones(x.size)])
        u, v = q[0] / q[2], q[1] / q[2]
        total = np.zeros((x.size, c))
        if interpolation == "nearest":
            taps = [(np.floor(u + 0.5), np.floor(v + 0.5), np.ones(x.size))]
        else:
            fu, fv = np.floor(u), np.floor(v)
            a, b = u - fu, v - fv
            taps = [
                (fu, fv, (1 - a) * (1 - b)),
                (fu + 1, fv, a * (1 - b)),
                (fu, fv + 1, (1 - a) * b),
                (fu + 1, fv + 1, a * b),
            ]
        for tu, tv, weight in taps:
            iu, iv = tu.astype(int), tv.astype(int)
            inside = (iu >= 0) & (iu < w) & (iv >= 0) & (iv < h)
            if fill_mode == "nearest":
                iu, iv = np.clip(iu, 0, w - 1), np.clip(iv, 0, h - 1)
            elif fill_mode == "reflect":
                iu, iv = iu % (2 * w), iv % (2 * h)
                iu, iv = np.where(iu < w, iu, 2 * w - 1 - iu), np.where(iv < h, iv, 2 * h - 1 - iv)
            else:
                iu, iv = iu % w, iv % h
            value = old[i, iv, iu].astype(np.float64)
            if fill_mode == "constant":
                value[~inside] = fill_value
            total += weight[:, None] * value
        if old.dtype == np.uint8:
            total = np.clip(np.floor(total + 0.5), 0, 255)
        out[i] = total.reshape(*size, c)
    return _core.from_numpy(out)


if not hasattr(_core, "warp_images"):
    _core.warp_images = warp_images  # type: ignore[attr-defined]
