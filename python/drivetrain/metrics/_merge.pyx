# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One pass over the sorted scores of the positive and of the negative samples, from the largest down."""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.stdint cimport int64_t

ctypedef fused score:
    float
    double


cdef struct Sums:
    int64_t double_area  # twice the area below the ROC curve, in samples
    double precisions  # precision at each threshold, times the positives that it adds


cdef Sums sums(const score* positives, Py_ssize_t p, const score* negatives, Py_ssize_t n) noexcept nogil:
    cdef Sums found = Sums(0, 0.0)
    cdef Py_ssize_t i = p, j = n, above, old
    cdef score value
    while i > 0 or j > 0:
        value = positives[i - 1] if j == 0 or (i > 0 and positives[i - 1] >= negatives[j - 1]) else negatives[j - 1]
        above = i
        while i > 0 and positives[i - 1] == value:
            i -= 1
        if above != i:  # positives are added, perhaps with negatives of the same score
            above, old = above - i, j
            while j > 0 and negatives[j - 1] == value:
                j -= 1
            found.double_area += (old - j) * (2 * (p - i) - above)
            found.precisions += above * (<double>(p - i) / <double>(p - i + n - j))
        else:
            old = j
            while j > 0 and negatives[j - 1] == value:
                j -= 1
            found.double_area += (old - j) * 2 * (p - i)
    return found


cdef Py_ssize_t curve(
    const score* positives, Py_ssize_t p, const score* negatives, Py_ssize_t n,
    score* thresholds, double* hits, double* alarms, bint skips_straight,
) noexcept nogil:
    cdef Py_ssize_t i = p, j = n, count = 0, groups = 0
    cdef Py_ssize_t above, over, step_i = -1, step_j = -1
    cdef score value
    while i > 0 or j > 0:
        value = positives[i - 1] if j == 0 or (i > 0 and positives[i - 1] >= negatives[j - 1]) else negatives[j - 1]
        above, over = i, j
        while i > 0 and positives[i - 1] == value:
            i -= 1
        while j > 0 and negatives[j - 1] == value:
            j -= 1
        # The point before lies on a line between its neighbours; the first of all stays.
        if skips_straight and groups > 1 and above - i == step_i and over - j == step_j:
            count -= 1
        groups += 1
        step_i, step_j = above - i, over - j
        thresholds[count] = value
        hits[count] = p - i
        alarms[count] = n - j
        count += 1
    return count


cdef bint is_double(Py_buffer* buffer) except -1:
    if buffer.itemsize == 8 and buffer.format[0] == b"d":
        return True
    if buffer.itemsize == 4 and buffer.format[0] == b"f":
        return False
    raise TypeError("merge: expected float32 or float64")


cdef class Buffers:
    """The memory of contiguous arrays, until the object goes."""
    cdef Py_buffer held[5]
    cdef int count

    cdef int take(self, array, bint writable) except -1:
        PyObject_GetBuffer(
            array, &self.held[self.count], PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else PyBUF_SIMPLE)
        )
        self.count += 1
        return 0

    cdef Py_ssize_t length(self, int place) noexcept:
        return self.held[place].len // self.held[place].itemsize

    def __dealloc__(self):
        cdef int place
        for place in range(self.count):
            PyBuffer_Release(&self.held[place])


def merge_areas(positives, negatives):
    """Return (twice the area below the ROC curve, in pairs of samples; the sum of average precision).

    ``positives`` and ``negatives`` are ascending and of one dtype, float32 or float64.
    """
    cdef Buffers b = Buffers()
    cdef Sums found
    b.take(positives, False)
    b.take(negatives, False)
    if is_double(&b.held[0]) != is_double(&b.held[1]):
        raise TypeError("merge_areas: expected one dtype")
    if is_double(&b.held[0]):
        found = sums[double](<double*>b.held[0].buf, b.length(0), <double*>b.held[1].buf, b.length(1))
    else:
        found = sums[float](<float*>b.held[0].buf, b.length(0), <float*>b.held[1].buf, b.length(1))
    return found.double_area, found.precisions


def merge_curve(positives, negatives, thresholds, hits, alarms, bint skips_straight):
    """Write each distinct score, descending, with the positives and negatives that reach it; return how many.

    The three outputs have room for all samples; ``thresholds`` has the dtype of the scores, the others float64.
    ``skips_straight`` leaves out points whose steps from the one before and to the next are the same.
    """
    cdef Buffers b = Buffers()
    cdef Py_ssize_t n
    b.take(positives, False)
    b.take(negatives, False)
    b.take(thresholds, True)
    b.take(hits, True)
    b.take(alarms, True)
    if is_double(&b.held[0]) != is_double(&b.held[1]) or is_double(&b.held[0]) != is_double(&b.held[2]):
        raise TypeError("merge_curve: expected one dtype")
    n = b.length(0) + b.length(1)
    if b.length(2) < n or b.length(3) < n or b.length(4) < n or not (is_double(&b.held[3]) and is_double(&b.held[4])):
        raise ValueError("merge_curve: the outputs are too small")
    if is_double(&b.held[0]):
        return curve[double](
            <double*>b.held[0].buf, b.length(0), <double*>b.held[1].buf, b.length(1),
            <double*>b.held[2].buf, <double*>b.held[3].buf, <double*>b.held[4].buf,
            skips_straight,
        )
    return curve[float](
        <float*>b.held[0].buf, b.length(0), <float*>b.held[1].buf, b.length(1),
        <float*>b.held[2].buf, <double*>b.held[3].buf, <double*>b.held[4].buf,
        skips_straight,
    )
