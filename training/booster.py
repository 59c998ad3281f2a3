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
_AT = ctypes.c_char * 0
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
        self._single: dict[int, ctypes.c_void_p] = {}
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

    def explained(self, values: F64) -> tuple[F64, F64, F64]:
        """What `raw` gives, parts (n, width) and base (n,) of rows, all by the leaves that they fall into: see
        training.attribution. A row's parts and base sum to `raw`."""
        leaf = self._predict(values, _LEAF, len(self._paths.first)).astype(np.int64)
        return self._paths.raw(leaf), self._paths.contributions(leaf), np.full(len(values), self._paths.base)

    @cached_property
    def _paths(self) -> PathTable:
        return PathTable.of(self.text, self.width)

    def _predict(self, values: F64, kind: int, columns: int) -> F64:
        rows = np.ascontiguousarray(values, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != self.width:
            raise ValueError(f"expected rows of {self.width} features, got an array of shape {rows.shape}")
        out, length = np.empty((len(rows), columns)), ctypes.c_int64()
        given, answer = _address(rows), _address(out)
        if len(rows) == 1:  # half the time of one row in the call for many, and the same bits
            ready = self._ready(kind)
            _check(_library().LGBM_BoosterPredictForMatSingleRowFast(ready, given, ctypes.byref(length), answer))
        elif len(rows):
            _check(
                _library().LGBM_BoosterPredictForMat(
                    self._handle, given, ctypes.c_int(_FLOAT64), ctypes.c_int32(len(rows)), ctypes.c_int32(self.width),
                    ctypes.c_int(1), *_all_trees(kind), self._parameters, ctypes.byref(length), answer,
                )
            )  # fmt: skip
        if length.value != out.size:
            raise RuntimeError(f"LightGBM answered {length.value} numbers where {out.size} were due")
        return out

    def _ready(self, kind: int) -> ctypes.c_void_p:
        """What LightGBM keeps between calls with one row."""
        if kind not in self._single:
            ready = ctypes.c_void_p()
            _check(
                _library().LGBM_BoosterPredictForMatSingleRowFastInit(
                    self._handle, *_all_trees(kind), ctypes.c_int(_FLOAT64), ctypes.c_int32(self.width),
                    self._parameters, ctypes.byref(ready),
                )
            )  # fmt: skip
            self._single[kind] = ready
        return self._single[kind]

    def __del__(self) -> None:
        for ready in getattr(self, "_single", {}).values():
            _library().LGBM_FastConfigFree(ready)
        if getattr(self, "_handle", None):
            _library().LGBM_BoosterFree(self._handle)
            self._handle = ctypes.c_void_p()


def _address(values: F64) -> ctypes.c_void_p | ctypes.Array[ctypes.c_char]:
    """Where an array is. (`values.ctypes.data` without its detours, which one row would feel.)"""
    if values.flags.writeable and values.size:
        return _AT.from_buffer(values)  # type: ignore[arg-type]
    return ctypes.c_void_p(values.__array_interface__["data"][0])


def _all_trees(kind: int) -> tuple[ctypes.c_int, ctypes.c_int, ctypes.c_int]:
    """What to predict, from the first tree on, to the last."""
    return ctypes.c_int(kind), ctypes.c_int(0), ctypes.c_int(-1)
