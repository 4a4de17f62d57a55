# cython: language_level=3, boundscheck=False, wraparound=False
"""The loops over Python samples that a batch costs."""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int64_t
from libc.string cimport memcmp, memcpy, strcmp


cdef bint same_kind(Py_buffer* sample, Py_buffer* out) noexcept:
    """Whether a sample has the shape and format of one row of ``out``."""
    if sample.ndim != out.ndim - 1 or sample.itemsize != out.itemsize:
        return False
    if memcmp(sample.shape, out.shape + 1, sample.ndim * sizeof(Py_ssize_t)) != 0:
        return False
    return sample.format != NULL and out.format != NULL and strcmp(sample.format, out.format) == 0


def stack_rows(list samples not None, out not None):
    """Copy sample i into row i of ``out``, a C-contiguous array with one row per sample.

    Returns -1, or the index of the first sample whose shape, dtype or layout (C-contiguous) is not that of a row.
    Raises TypeError for a sample without a buffer.
    """
    cdef Py_buffer target, sample
    cdef Py_ssize_t i, row
    cdef char* place
    PyObject_GetBuffer(out, &target, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | PyBUF_WRITABLE)
    try:
        if target.ndim < 1 or target.shape[0] != len(samples):
            raise ValueError("stack_rows: out needs one row per sample")
        row = target.len // target.shape[0] if target.shape[0] else 0
        place = <char*>target.buf
        for i in range(len(samples)):
            try:
                PyObject_GetBuffer(samples[i], &sample, PyBUF_C_CONTIGUOUS | PyBUF_FORMAT)
            except (BufferError, ValueError):
                return i
            if not same_kind(&sample, &target):
                PyBuffer_Release(&sample)
                return i
            memcpy(place, sample.buf, row)
            place += row
            PyBuffer_Release(&sample)
    finally:
        PyBuffer_Release(&target)
    return -1


def kind_of_numbers(list samples not None):
    """Return "bool", "int" or "float", the narrowest kind that holds all of the Python numbers.

    Raises TypeError, with the index, for a sample that is no number of this kind: True among integers is none.
    """
    cdef Py_ssize_t i
    cdef bint has_bool = False, has_int = False, has_float = False
    for i in range(len(samples)):
        sample = samples[i]
        if isinstance(sample, bool):
            has_bool = True
        elif isinstance(sample, int):
            has_int = True
        elif isinstance(sample, float):
            has_float = True
        else:
            raise TypeError(f"default_collate: sample {i} is a {type(sample).__name__}, expected a number as sample 0 is")
        if has_bool and (has_int or has_float):
            raise TypeError(f"default_collate: sample {i} is a {type(sample).__name__}, expected numbers or bools, not both")
    return "float" if has_float else "int" if has_int else "bool"


def fill_integers(list samples not None, int64_t[::1] out):
    """Write Python integers into ``out``; raises OverflowError for one beyond 64 bits."""
    cdef Py_ssize_t i
    if out.shape[0] != len(samples):
        raise ValueError("fill_integers: out needs one place per sample")
    for i in range(len(samples)):
        out[i] = samples[i]


def fill_floats(list samples not None, float[::1] out):
    """Write Python numbers into ``out``, rounded to float32."""
    cdef Py_ssize_t i
    if out.shape[0] != len(samples):
        raise ValueError("fill_floats: out needs one place per sample")
    for i in range(len(samples)):
        out[i] = <float><double>samples[i]


def columns(list samples not None, Py_ssize_t width):
    """Turn n tuples or lists of equal width into ``width`` lists of length n.

    Raises ValueError, with the index, for a sample of another width, and TypeError for one that is neither.
    """
    cdef Py_ssize_t i, j
    cdef list result = [[None] * len(samples) for _ in range(width)]
    for i in range(len(samples)):
        sample = samples[i]
        if not isinstance(sample, (tuple, list)):
            raise TypeError(f"default_collate: sample {i} is a {type(sample).__name__}, expected a tuple as sample 0 is")
        if len(sample) != width:
            raise ValueError(f"default_collate: sample {i} has {len(sample)} parts, expected {width} as sample 0 has")
        for j in range(width):
            (<list>result[j])[i] = sample[j]
    return result
