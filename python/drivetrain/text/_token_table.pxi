# Tokens and how often each was seen, in a table that hashes them: a part of _tokens.pyx.

cdef struct Entry:
    uint64_t first, second  # its first 16 bytes, zeros behind the end
    size_t place  # of all its bytes, in the table's text
    int64_t count, documents
    uint32_t length, last_document

cdef struct Store:  # open addressing, linear probing
    uint64_t* slots  # 32 bits of the hash, and 1 + the entry's number; 0 where free
    size_t mask
    Entry* entries
    size_t used, room
    char* text
    size_t text_used, text_room

cdef struct Tokens:  # of one text or a stretch of one; token i ends one byte before token i + 1 begins: there is a space
    char* text
    size_t* starts
    size_t count, room

cdef struct Hashes:  # of a group of tokens
    uint64_t[32] hashed, first, second

cdef struct Ids:
    int32_t* values
    size_t count, room


cdef inline uint64_t word_of(const char* p, size_t length) noexcept nogil:
    """Up to 8 bytes; reads all 8."""
    cdef uint64_t word
    memcpy(&word, p, 8)
    return word if length >= 8 else word & ((<uint64_t>1 << (8 * length)) - 1)


cdef inline uint64_t hash_of(const char* p, size_t length, uint64_t* first, uint64_t* second) noexcept nogil:
    cdef uint64_t h
    cdef size_t i
    first[0] = word_of(p, length)
    second[0] = word_of(p + 8, length - 8) if length > 8 else 0
    h = (first[0] ^ <uint64_t>length) * <uint64_t>0x9E3779B97F4A7C15
    h = (h ^ (h >> 32) ^ second[0]) * <uint64_t>0xD6E8FEB86659FD93
    i = 16
    while i < length:
        h = (h ^ (h >> 29) ^ word_of(p + i, length - i)) * <uint64_t>0xBF58476D1CE4E5B9
        i += 8
    return h ^ (h >> 32)


cdef bint widen(Store* s) noexcept nogil:
    """Room for twice the entries; false where memory is out."""
    cdef size_t slots = 2 * (s.mask + 1) if s.slots != NULL else 1024
    cdef size_t i, at
    cdef uint64_t* wider = <uint64_t*>calloc(slots, sizeof(uint64_t))
    cdef Entry* entries = <Entry*>realloc(s.entries, slots // 2 * sizeof(Entry))
    if entries != NULL:
        s.entries = entries
    if wider == NULL or entries == NULL:
        free(wider)
        return False
    if s.slots != NULL:
        for i in range(s.mask + 1):
            if s.slots[i]:
                at = (s.slots[i] >> 32) & (slots - 1)
                while wider[at]:
                    at = (at + 1) & (slots - 1)
                wider[at] = s.slots[i]
    free(s.slots)
    s.slots, s.mask, s.room = wider, slots - 1, slots // 2
    return True


cdef inline int64_t find(Store* s, const char* p, size_t length, bint adds) noexcept nogil:
    """The number of a token: -1 where there is none, and -2 where memory is out. SLACK bytes follow it."""
    cdef uint64_t first, second
    cdef uint64_t hashed = hash_of(p, length, &first, &second)
    return find_hashed(s, p, length, hashed, first, second, adds)


cdef int64_t find_hashed(Store* s, const char* p, size_t length, uint64_t hashed, uint64_t first, uint64_t second,
                         bint adds) noexcept nogil:
    cdef size_t at
    cdef Entry* e
    cdef char* text
    if s.slots == NULL or (adds and s.used == s.room):
        if not adds:
            return -1
        if not widen(s):
            return -2
    # The upper half says which slot: the table of 2**32 entries that numbers of 32 bits allow needs no more.
    at = (hashed >> 32) & s.mask
    while s.slots[at]:
        if s.slots[at] >> 32 == hashed >> 32:
            e = &s.entries[<uint32_t>s.slots[at] - 1]
            if e.first == first and e.second == second and e.length == length and (
                length <= 16 or memcmp(s.text + e.place + 16, p + 16, length - 16) == 0
            ):
                return <int64_t><uint32_t>s.slots[at] - 1
        at = (at + 1) & s.mask
    if not adds:
        return -1
    if s.text_used + length + SLACK > s.text_room:
        text = <char*>realloc(s.text, 2 * (s.text_used + length + SLACK))
        if text == NULL:
            return -2
        s.text, s.text_room = text, 2 * (s.text_used + length + SLACK)
    e = &s.entries[s.used]
    e.first, e.second, e.place, e.length = first, second, s.text_used, <uint32_t>length
    e.count = e.documents = 0
    e.last_document = 0
    memcpy(s.text + s.text_used, p, length)
    s.text_used += length
    s.used += 1
    s.slots[at] = (hashed >> 32 << 32) | s.used
    return <int64_t>(s.used - 1)


cdef void look_ahead(Store* s, Tokens* t, size_t begin, size_t end, size_t order, Hashes* h) noexcept nogil:
    """The hashes of a group of n-grams, while what they lead to is fetched into the cache."""
    cdef size_t i
    cdef uint64_t slot
    for i in range(begin, end):
        h.hashed[i - begin] = hash_of(t.text + t.starts[i], t.starts[i + order] - 1 - t.starts[i],
                                      &h.first[i - begin], &h.second[i - begin])
        if s.slots != NULL:
            __builtin_prefetch(&s.slots[(h.hashed[i - begin] >> 32) & s.mask])
    if s.slots == NULL:
        return
    for i in range(end - begin):
        slot = s.slots[(h.hashed[i] >> 32) & s.mask]
        if slot:
            __builtin_prefetch(&s.entries[<uint32_t>slot - 1])


cdef class Table:
    """Tokens, each with a number, how often and in how many texts it came. One thread at a time may change it."""
    cdef Store store
    cdef uint32_t documents

    def __cinit__(self):
        memset(&self.store, 0, sizeof(Store))

    def __dealloc__(self):
        free(self.store.slots)
        free(self.store.entries)
        free(self.store.text)

    def __len__(self):
        return self.store.used

    def add(self, list tokens not None, int64_t times=0):
        """Add str tokens, each counted ``times``; returns how many were new."""
        cdef Py_ssize_t i
        cdef int64_t number
        cdef size_t before = self.store.used
        for i in range(len(tokens)):
            number = self._number(tokens[i], True, i)
            self.store.entries[number].count += times
        return self.store.used - before

    def add_document(self, list tokens not None):
        """Count the str tokens of one text, and the text itself once for each of them."""
        cdef Py_ssize_t i
        cdef Entry* e
        self.documents += 1
        for i in range(len(tokens)):
            e = &self.store.entries[self._number(tokens[i], True, i)]
            e.count += 1
            if e.last_document != self.documents:
                e.last_document = self.documents
                e.documents += 1

    def add_counts(self, list tokens not None, list counts not None):
        """Add str tokens, token i counted counts[i] times."""
        cdef Py_ssize_t i
        for i in range(len(tokens)):
            self.store.entries[self._number(tokens[i], True, i)].count += <int64_t>counts[i]

    cdef int64_t _number(self, object token, bint adds, Py_ssize_t i) except -3:
        cdef bytes copy
        cdef int64_t number
        cdef char[128 + SLACK] short
        cdef Py_ssize_t size
        cdef const char* p
        if not isinstance(token, str):
            raise TypeError(f"token {i} is a {type(token).__name__}, expected a str")
        # A copy, for bytes behind the end may be read; lone surrogates are taken as they are.
        if PyUnicode_IS_COMPACT_ASCII(token):
            p = PyUnicode_AsUTF8AndSize(token, &size)
            if size <= 128:
                memset(short + size, 0, SLACK)
                memcpy(short, p, size)
                number = find(&self.store, short, size, adds)
                if number == -2:
                    raise MemoryError
                return number
        copy = (<str>token).encode("utf-8", "surrogatepass") + b"\0" * SLACK
        if PyBytes_GET_SIZE(copy) > 0x7FFFFFFF:
            raise ValueError(f"token {i} has more than 2 GB")
        number = find(&self.store, PyBytes_AS_STRING(copy), PyBytes_GET_SIZE(copy) - SLACK, adds)
        if number == -2:
            raise MemoryError
        return number

    def find(self, token):
        """The token's number, or -1."""
        return self._number(token, False, 0)

    def ids(self, list tokens not None, int32_t unknown):
        """(numbers as int32 in a bytearray) of str tokens; ``unknown`` for others."""
        cdef Py_ssize_t i
        cdef int64_t number
        out = PyByteArray_FromStringAndSize(NULL, 4 * len(tokens))
        cdef int32_t* values = <int32_t*>PyByteArray_AS_STRING(out)
        for i in range(len(tokens)):
            number = self._number(tokens[i], False, i)
            values[i] = unknown if number < 0 else <int32_t>number
        return out

    def count(self, token):
        """How often it came: 0 for one that is not there."""
        cdef int64_t number = self._number(token, False, 0)
        return self.store.entries[number].count if number >= 0 else 0

    def merge(self, Table other not None):
        """Add all counts of another table."""
        cdef size_t i
        cdef int64_t number = 0
        cdef Entry* e
        if other is self:
            raise ValueError("a table cannot be merged with itself")
        with nogil:
            for i in range(other.store.used):
                e = &other.store.entries[i]
                number = find(&self.store, other.store.text + e.place, e.length, True)
                if number < 0:
                    break
                self.store.entries[number].count += e.count
                self.store.entries[number].documents += e.documents
        if number < 0:
            raise MemoryError
        self.documents += other.documents

    def ranked(self, int64_t least=0, Py_ssize_t most=-1, bint ties_descend=False):
        """(tokens, counts, texts that have them) as lists of those that came at least so often, the most frequent
        first, ties in the order of their code points; at most ``most`` of them unless it is -1."""
        cdef Ranked* order = <Ranked*>malloc((self.store.used + 1) * sizeof(Ranked))
        cdef size_t i, n = 0
        cdef Entry* e
        if order == NULL:
            raise MemoryError
        try:
            for i in range(self.store.used):
                e = &self.store.entries[i]
                if e.count >= least:
                    order[n].count, order[n].length = e.count, e.length
                    order[n].text = self.store.text + e.place
                    order[n].head = __builtin_bswap64(e.first)  # in the order of bytes
                    order[n].entry = e
                    n += 1
            qsort(order, n, sizeof(Ranked), compare_descending if ties_descend else compare)
            if most >= 0 and <size_t>most < n:
                n = most
            return (
                [PyUnicode_DecodeUTF8(order[i].text, order[i].length, "surrogatepass") for i in range(n)],
                [order[i].count for i in range(n)],
                [order[i].entry.documents for i in range(n)],
            )
        finally:
            free(order)


cdef struct Ranked:
    int64_t count
    uint64_t head
    const char* text
    uint32_t length
    Entry* entry


cdef int by_text(const Ranked* a, const Ranked* b) noexcept nogil:
    cdef int order
    if a.head != b.head:
        return -1 if a.head < b.head else 1
    order = memcmp(a.text, b.text, min(a.length, b.length))
    return order if order else (a.length > b.length) - (a.length < b.length)


cdef int compare(const void* a, const void* b) noexcept nogil:
    cdef const Ranked* x = <const Ranked*>a
    cdef const Ranked* y = <const Ranked*>b
    return (x.count < y.count) - (x.count > y.count) if x.count != y.count else by_text(x, y)


cdef int compare_descending(const void* a, const void* b) noexcept nogil:
    cdef const Ranked* x = <const Ranked*>a
    cdef const Ranked* y = <const Ranked*>b
    return (x.count < y.count) - (x.count > y.count) if x.count != y.count else by_text(y, x)
