# cython: language_level=3, boundscheck=False, wraparound=False, auto_pickle=False, binding=False, cdivision=True
"""The loops over text: cut into tokens, counted, looked up. All work on UTF-8 and without the interpreter's lock."""

from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_FromStringAndSize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_AsUTF8String, PyUnicode_DecodeUTF8
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, qsort, realloc
from libc.string cimport memcmp, memcpy, memset

cdef extern from "Python.h":
    bint PyUnicode_IS_COMPACT_ASCII(object)
    const char* PyUnicode_AsUTF8AndSize(object, Py_ssize_t*) except NULL
    bint Py_UNICODE_ISALNUM(uint32_t) nogil  # look-ups in constant tables
    bint Py_UNICODE_ISSPACE(uint32_t) nogil
    uint32_t Py_UNICODE_TOLOWER(uint32_t) nogil
    void __builtin_prefetch(const void*) nogil
    uint64_t __builtin_bswap64(uint64_t) nogil
    int __builtin_ctzll(uint64_t) nogil

cdef extern from *:
    """
    #if defined(__SSSE3__)
    #include <tmmintrin.h>
    #define SPAN 16
    /* Copies 16 bytes, with lowers A to Z lowered, and returns how many of the first are in a set of ASCII bytes:
       bit b >> 4 of set[b & 15] is that of b. No loop, so that no length of a token is mispredicted. */
    static inline size_t leading(const uint8_t* p, char* out, const uint8_t* set, int lowers) {
        const __m128i bits = _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, -128, 0, 0, 0, 0, 0, 0, 0, 0);
        const __m128i four = _mm_set1_epi8(15);
        __m128i x = _mm_loadu_si128((const __m128i*)p);
        __m128i rows = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i*)set), _mm_and_si128(x, four));
        __m128i in = _mm_and_si128(rows, _mm_shuffle_epi8(bits, _mm_and_si128(_mm_srli_epi16(x, 4), four)));
        __m128i upper = _mm_and_si128(_mm_cmpgt_epi8(x, _mm_set1_epi8('A' - 1)),
                                      _mm_cmplt_epi8(x, _mm_set1_epi8('Z' + 1)));
        unsigned none = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(in, _mm_setzero_si128()));
        x = _mm_add_epi8(x, _mm_and_si128(upper, _mm_set1_epi8(lowers ? 32 : 0)));
        _mm_storeu_si128((__m128i*)out, x);
        return (size_t)__builtin_ctz(none | 0x10000);
    }
    #else
    #define SPAN 0
    static inline size_t leading(const uint8_t* p, char* out, const uint8_t* set, int lowers) { return 0; }
    #endif
    """
    const size_t SPAN
    size_t leading(const uint8_t*, char*, const uint8_t*, int) noexcept nogil

cdef enum Kind:  # of a byte
    SEPARATES, KEPT, DROPPED, BEYOND_ASCII

cdef enum Beyond:  # what separates among characters beyond ASCII
    SPACES, ALL_BUT_WORDS, NOTHING

DEF SLACK = 64  # bytes that may be read behind the last token, and written for one character
DEF GROUP = 32
DEF BATCH = 4096  # tokens that are cut before they are looked up, so that they stay in the cache

include "_token_table.pxi"


cdef inline size_t read(const uint8_t* p, uint32_t* point) noexcept nogil:
    """The code point at p, and how many bytes it takes; the UTF-8 is valid."""
    if p[0] < 0xE0:
        point[0] = <uint32_t>(p[0] & 0x1F) << 6 | (p[1] & 0x3F)
        return 2
    if p[0] < 0xF0:
        point[0] = <uint32_t>(p[0] & 0x0F) << 12 | <uint32_t>(p[1] & 0x3F) << 6 | (p[2] & 0x3F)
        return 3
    point[0] = (<uint32_t>(p[0] & 0x07) << 18 | <uint32_t>(p[1] & 0x3F) << 12 | <uint32_t>(p[2] & 0x3F) << 6
                | (p[3] & 0x3F))
    return 4


cdef inline size_t write(char* p, uint32_t point) noexcept nogil:
    if point < 0x80:
        p[0] = <char>point
        return 1
    if point < 0x800:
        p[0], p[1] = <char>(0xC0 | point >> 6), <char>(0x80 | point & 0x3F)
        return 2
    if point < 0x10000:
        p[0], p[1], p[2] = <char>(0xE0 | point >> 12), <char>(0x80 | point >> 6 & 0x3F), <char>(0x80 | point & 0x3F)
        return 3
    p[0], p[1] = <char>(0xF0 | point >> 18), <char>(0x80 | point >> 12 & 0x3F)
    p[2], p[3] = <char>(0x80 | point >> 6 & 0x3F), <char>(0x80 | point & 0x3F)
    return 4


cdef bint valid(const uint8_t* p, size_t n, bint* sigma) noexcept nogil:
    """Whether bytes are UTF-8 (Unicode, table 3-7), and hold a capital sigma."""
    cdef size_t i = 0
    cdef uint64_t word
    cdef uint8_t low, high
    sigma[0] = False
    while i < n:
        if i + 8 <= n:
            memcpy(&word, p + i, 8)
            word &= <uint64_t>0x8080808080808080
            if not word:
                i += 8
                continue
            i += __builtin_ctzll(word) >> 3
        if p[i] < 0x80:
            i += 1
            continue
        low, high = 0x80, 0xBF
        if 0xC2 <= p[i] <= 0xDF:
            if i + 2 > n or p[i + 1] & 0xC0 != 0x80:
                return False
            if p[i] == 0xCE and p[i + 1] == 0xA3:
                sigma[0] = True
            i += 2
        elif p[i] & 0xF0 == 0xE0:
            if p[i] == 0xE0:
                low = 0xA0
            elif p[i] == 0xED:
                high = 0x9F
            if i + 3 > n or not low <= p[i + 1] <= high or p[i + 2] & 0xC0 != 0x80:
                return False
            i += 3
        elif 0xF0 <= p[i] <= 0xF4:
            if p[i] == 0xF0:
                low = 0x90
            elif p[i] == 0xF4:
                high = 0x8F
            if (i + 4 > n or not low <= p[i + 1] <= high or p[i + 2] & 0xC0 != 0x80
                    or p[i + 3] & 0xC0 != 0x80):
                return False
            i += 4
        else:
            return False
    return True


cdef class Scanner:
    """How text is cut into tokens.

    ``kinds`` (256 bytes) says of each byte: 0 separates tokens, 1 belongs to one, 2 is left out, 3 begins a
    character beyond ASCII. ``lower``: 1 does what str.lower does, 2 lowers A to Z alone. ``beyond``: beyond ASCII
    there separate 0 white space (str.isspace), 1 all but letters and numbers (str.isalnum), 2 nothing. With
    ``characters`` every character is a token. Tokens of fewer characters than ``least`` and those in ``stop`` are left out. ``orders`` are the
    lengths of n-grams, joined by a space; (1,) means tokens themselves.
    """
    cdef uint8_t kinds[256]
    cdef uint8_t lows[256]
    cdef uint8_t plain[256]  # lows of the bytes that only continue a token, 0 for all others
    cdef uint8_t set[16]  # the same bytes for leading()
    cdef bint characters
    cdef int lower, beyond
    cdef size_t least
    cdef Table stop
    cdef readonly tuple orders
    cdef size_t[8] _orders
    cdef size_t _order_count

    def __cinit__(self, bytes kinds not None, int lower, int beyond, bint characters,
                  size_t least, Table stop=None, tuple orders=(1,)):
        if len(kinds) != 256 or not 1 <= len(orders) <= 8 or min(orders) < 1:
            raise ValueError("Scanner: expected 256 kinds and 1 to 8 orders of at least 1")
        memcpy(self.kinds, PyBytes_AS_STRING(kinds), 256)
        memset(self.set, 0, 16)
        self.lower, self.beyond, self.characters, self.least = lower, beyond, characters, least
        for i in range(256):
            self.lows[i] = i + 32 if lower and c"A" <= i <= c"Z" else i
            self.plain[i] = self.lows[i] if self.kinds[i] == KEPT and not characters else 0
            if self.plain[i] and i < 128:
                self.set[i & 15] |= 1 << (i >> 4)
        self.stop = stop
        self.orders = orders
        for i, order in enumerate(orders):
            self._orders[i] = order
        self._order_count = len(orders)

    cdef bint close(self, Tokens* t, size_t* size, size_t characters) noexcept nogil:
        """End the token that has been written, or take it back; false where memory is out."""
        cdef size_t start = t.starts[t.count]
        cdef size_t* starts
        if size[0] == start:
            return True
        if characters < self.least:
            size[0] = start
            return True
        if self.stop is not None and find(&self.stop.store, t.text + start, size[0] - start, False) >= 0:
            size[0] = start
            return True
        t.text[size[0]] = c' '
        size[0] += 1
        t.count += 1
        if t.count + 1 >= t.room:
            starts = <size_t*>realloc(t.starts, 2 * t.room * sizeof(size_t))
            if starts == NULL:
                return False
            t.starts, t.room = starts, 2 * t.room
        t.starts[t.count] = size[0]
        return True

    cdef size_t cut(self, const uint8_t* text, size_t at, size_t n, Tokens* t, size_t most) noexcept nogil:
        """Cut from ``at`` until the end or ``most`` tokens, and return where it stopped: n + 1 where memory is out."""
        cdef size_t size = 0, count = 0, i, points
        cdef uint8_t kind, low
        cdef uint32_t point
        cdef uint32_t[2] lowered
        cdef char* out = t.text  # which no write through it can change
        cdef const uint8_t* plain = self.plain
        t.count = 0
        t.starts[0] = 0
        while at < n:
            if SPAN and at + SPAN <= n:
                i = leading(text + at, out + size, self.set, self.lower)
                size += i
                count += i
                at += i
                if i == SPAN:
                    continue
            low = plain[text[at]]
            if low:
                i = size
                while low:
                    out[size] = <char>low
                    size += 1
                    at += 1
                    if at == n:
                        break
                    low = plain[text[at]]
                count += size - i
                if at == n:
                    break
            kind = self.kinds[text[at]]
            if kind == SEPARATES:
                at += 1
            elif kind == DROPPED:
                at += 1
                continue
            elif kind == KEPT:  # a character of its own, or a zero
                out[size] = <char>self.lows[text[at]]
                size += 1
                count += 1
                at += 1
                if not self.characters:
                    continue
            else:
                at += read(text + at, &point)
                points = 1
                lowered[0] = point
                if self.lower == 1:
                    if point == 0x130:  # the one letter that becomes two: Python's str.lower
                        lowered[0], lowered[1] = c'i', 0x307
                        points = 2
                    else:
                        lowered[0] = Py_UNICODE_TOLOWER(point)
                for i in range(points):
                    if ((self.beyond == SPACES and Py_UNICODE_ISSPACE(lowered[i]))
                            or (self.beyond == ALL_BUT_WORDS and not Py_UNICODE_ISALNUM(lowered[i]))):
                        if not self.close(t, &size, count):
                            return n + 1
                        count = 0
                        continue
                    size += write(out + size, lowered[i])
                    count += 1
                    if self.characters:
                        if not self.close(t, &size, count):
                            return n + 1
                        count = 0
                if t.count >= most and count == 0:
                    return at
                continue
            if size == t.starts[t.count]:
                continue
            if not self.close(t, &size, count):
                return n + 1
            count = 0
            if t.count >= most:
                return at
        return n if self.close(t, &size, count) else n + 1

    cdef bint run(self, const uint8_t* text, size_t n, Tokens* t, Store* s, bint counts, uint32_t document,
                  int64_t unknown, Ids* out) noexcept nogil:
        """Cut one text, and count its tokens, or look them up and append their numbers (``out``); false where memory
        is out. Unknown tokens get ``unknown``, or are left out if that is below 0."""
        cdef size_t at = 0, i, j, k, order
        cdef size_t most = BATCH
        cdef Hashes hashes
        cdef int64_t number
        cdef Entry* e
        cdef int32_t* values
        if self._order_count > 1 or self._orders[0] > 1:
            most = <size_t>-1  # n-grams need the whole text
        while at < n:
            at = self.cut(text, at, n, t, most)
            if at > n:
                return False
            for k in range(self._order_count):
                order = self._orders[k]
                if t.count < order:
                    continue
                if out != NULL and out.count + t.count > out.room:
                    values = <int32_t*>realloc(out.values, 2 * (out.count + t.count) * sizeof(int32_t))
                    if values == NULL:
                        return False
                    out.values, out.room = values, 2 * (out.count + t.count)
                for i in range(t.count - order + 1):
                    if i % GROUP == 0:
                        look_ahead(s, t, i, min(i + GROUP, t.count - order + 1), order, &hashes)
                    j = i % GROUP
                    number = find_hashed(s, t.text + t.starts[i], t.starts[i + order] - 1 - t.starts[i],
                                         hashes.hashed[j], hashes.first[j], hashes.second[j], counts)
                    if counts:
                        if number < 0:
                            return False
                        e = &s.entries[number]
                        e.count += 1
                        if e.last_document != document:
                            e.last_document = document
                            e.documents += 1
                    if out != NULL:
                        if number < 0:
                            number = unknown
                        if number >= 0:
                            out.values[out.count] = <int32_t>number
                            out.count += 1
        return True

    cdef bytes_of(self, object text, object errors, Py_ssize_t i):
        """A str or UTF-8 bytes as bytes, or an ASCII str as it is."""
        cdef bint sigma, good
        cdef const uint8_t* p
        cdef size_t n
        if isinstance(text, str):
            if PyUnicode_IS_COMPACT_ASCII(text):
                return text
            if self.lower == 1 and "\u03a3" in <str>text:  # sigma: how it is lowered depends on what follows
                text = (<str>text).lower()
            try:
                return PyUnicode_AsUTF8String(text)
            except UnicodeEncodeError as error:
                raise ValueError(f"text {i} has a lone surrogate at position {error.start}") from None
        if isinstance(text, bytes):
            p, n = <const uint8_t*>PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text)
            if n < 10_000:
                good = valid(p, n, &sigma)
            else:
                with nogil:
                    good = valid(p, n, &sigma)
            if not good:
                try:
                    return self.bytes_of((<bytes>text).decode("utf-8", errors), errors, i)
                except UnicodeDecodeError as error:
                    raise ValueError(f"text {i} is no UTF-8: {error.reason} at byte {error.start}") from None
            if sigma and self.lower == 1:
                return self.bytes_of((<bytes>text).decode(), errors, i)
            return text
        raise TypeError(f"text {i} is a {type(text).__name__}, expected str or bytes")

    def split(self, text, errors="strict", Py_ssize_t i=0):
        """The tokens of one text as a list of str."""
        cdef Job job = Job(self, [text], errors, i)
        cdef size_t at = 0
        cdef size_t k
        cdef Py_ssize_t j
        cdef list found = []
        with nogil:
            at = self.cut(job.texts[0], 0, job.sizes[0], &job.tokens, <size_t>-1)
        if at > job.sizes[0]:
            raise MemoryError
        for k in range(self._order_count):
            for j in range(<Py_ssize_t>job.tokens.count - <Py_ssize_t>self._orders[k] + 1):
                found.append(PyUnicode_DecodeUTF8(
                    job.tokens.text + job.tokens.starts[j],
                    job.tokens.starts[j + self._orders[k]] - 1 - job.tokens.starts[j], NULL))
        return found

    def count(self, list texts not None, Table table not None, errors="strict", Py_ssize_t first=0):
        """Count the tokens of str or UTF-8 bytes in ``table``; ``first`` is the number of texts[0] in messages."""
        cdef Job job = Job(self, texts, errors, first)
        cdef Py_ssize_t i
        cdef bint good = True
        with nogil:
            for i in range(job.count):
                table.documents += 1
                good = self.run(job.texts[i], job.sizes[i], &job.tokens, &table.store, True, table.documents, 0, NULL)
                if not good:
                    break
        if not good:
            raise MemoryError

    def encode(self, list texts not None, Table table not None, int64_t unknown, errors="strict", Py_ssize_t first=0):
        """(numbers of all tokens as int32, how many each text has as int64), both in a bytearray. Tokens that are
        not in ``table`` get ``unknown``, or are left out if that is below 0."""
        cdef Job job = Job(self, texts, errors, first)
        cdef Py_ssize_t i
        cdef bint good = True
        lengths = PyByteArray_FromStringAndSize(NULL, 8 * job.count)
        cdef int64_t* sizes = <int64_t*>PyByteArray_AS_STRING(lengths)
        cdef size_t before
        with nogil:
            for i in range(job.count):
                before = job.ids.count
                good = self.run(job.texts[i], job.sizes[i], &job.tokens, &table.store, False, 0, unknown, &job.ids)
                if not good:
                    break
                sizes[i] = job.ids.count - before
        if not good:
            raise MemoryError
        return PyByteArray_FromStringAndSize(<char*>job.ids.values, 4 * job.ids.count), lengths


cdef class Job:
    """Texts that are kept alive while they are read without the lock, and the memory that this takes."""
    cdef list kept
    cdef const uint8_t** texts
    cdef size_t* sizes
    cdef Py_ssize_t count
    cdef Tokens tokens
    cdef Ids ids

    def __cinit__(self, Scanner scanner, list texts, errors, Py_ssize_t first):
        cdef Py_ssize_t i, size
        cdef size_t longest = 0
        self.count = len(texts)
        self.kept = []
        self.texts = <const uint8_t**>malloc((self.count + 1) * sizeof(uint8_t*))
        self.sizes = <size_t*>malloc((self.count + 1) * sizeof(size_t))
        if self.texts == NULL or self.sizes == NULL:
            raise MemoryError
        for i in range(self.count):
            text = scanner.bytes_of(texts[i], errors, first + i)
            self.kept.append(text)
            if isinstance(text, str):
                self.texts[i] = <const uint8_t*>PyUnicode_AsUTF8AndSize(text, &size)
            else:
                self.texts[i] = <const uint8_t*>PyBytes_AS_STRING(text)
                size = PyBytes_GET_SIZE(text)
            self.sizes[i] = size
            longest = max(longest, <size_t>size)
        self.tokens.room = BATCH + 2
        self.tokens.starts = <size_t*>malloc(self.tokens.room * sizeof(size_t))
        self.tokens.text = <char*>malloc(3 * longest + 2 * SLACK)  # a character of two bytes may become two tokens
        if self.tokens.starts == NULL or self.tokens.text == NULL:
            raise MemoryError

    def __dealloc__(self):
        free(self.texts)
        free(self.sizes)
        free(self.tokens.starts)
        free(self.tokens.text)
        free(self.ids.values)
