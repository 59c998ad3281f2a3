"""The only predictor of `model.txt`: LightGBM's own shared library, opened by ctypes.

Importing `lightgbm` brings scikit-learn and pandas into the process; the library itself needs neither, starts in a
fraction of the time and answers bit-equal. The same predictor serves one lead online, a bucket in a batch and the
evaluation. A damaged model text can kill the process: check its SHA-256 before it comes here.
"""

from __future__ import annotations

import ctypes
from functools import cache, cached_property
from importlib.metadata import files

import numpy as np
from numpy.typing import NDArray

from training.attribution import PathTable

F64 = NDArray[np.float64]

_FLOAT64 = 1
_RAW, _LEAF = 1, 2
_SUFFIXES = (".so", ".dll", ".dylib")


@cache
def _library() -> ctypes.CDLL:
    names = [f for f in files("lightgbm") or [] if f.name.startswith("lib_lightgbm") and f.name.endswith(_SUFFIXES)]
    if not names:
        raise OSError("the lightgbm package holds no shared library; reinstall it")
    library = ctypes.CDLL(str(names[0].locate()))
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


def _check(code: int) -> None:
    if code != 0:
        raise RuntimeError(f"LightGBM: {_library().LGBM_GetLastError().decode()}")


class Booster:
    """Trees of one `model.txt`. Predictions are the same for one row and many, and for any number of threads."""

    def __init__(self, text: str, threads: int = 1) -> None:
        self.text = text
        self._parameters = f"num_threads={threads} predict_disable_shape_check=false".encode()
        self._handle = ctypes.c_void_p()
        iterations = ctypes.c_int()
        _check(
            _library().LGBM_BoosterLoadModelFromString(
                text.encode(), ctypes.byref(iterations), ctypes.byref(self._handle)
            )
        )
        width = ctypes.c_int()
        _check(_library().LGBM_BoosterGetNumFeature(self._handle, ctypes.byref(width)))
        self.width = int(width.value)

    def raw(self, values: F64) -> F64:
        """Uncalibrated log-odds of rows, (n, width) -> (n,). NaN is missing."""
        return self._predict(values, _RAW, 1)[:, 0]

    def contributions(self, values: F64) -> tuple[F64, F64]:
        """Parts (n, width) and base (n,) of rows: see training.attribution. A row's parts and base sum to `raw`."""
        leaf = self._predict(values, _LEAF, len(self._paths.first)).astype(np.int64)
        return self._paths.contributions(leaf), np.full(len(values), self._paths.base)

    @cached_property
    def _paths(self) -> PathTable:
        return PathTable.of(self.text, self.width)

    def _predict(self, values: F64, kind: int, columns: int) -> F64:
        rows = np.ascontiguousarray(values, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise ValueError(f"expected rows of {self.width} features, got an array of shape {rows.shape}")
        out = np.empty((len(rows), columns))
        if not len(rows):
            return out
        length = ctypes.c_int64()
        _check(
            _library().LGBM_BoosterPredictForMat(
                self._handle, ctypes.c_void_p(rows.ctypes.data), ctypes.c_int(_FLOAT64),
                ctypes.c_int32(len(rows)), ctypes.c_int32(self.width), ctypes.c_int(1), ctypes.c_int(kind),
                ctypes.c_int(0), ctypes.c_int(-1), self._parameters, ctypes.byref(length),
                ctypes.c_void_p(out.ctypes.data),
            )
        )  # fmt: skip
        if length.value != out.size:
            raise RuntimeError(f"LightGBM answered {length.value} numbers where {out.size} were due")
        return out

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            _library().LGBM_BoosterFree(self._handle)
            self._handle = ctypes.c_void_p()
