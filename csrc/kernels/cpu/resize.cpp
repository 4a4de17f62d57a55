#include "kernels/resize.h"

#include "kernels/cpu/common.h"
#include "kernels/cpu/resize_groups.h"
#include "kernels/cpu/words.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

DT_INLINE void set(float& to, float v) { to = v; }
DT_INLINE void set(uint8_t& to, float v) { to = uint8_t(v > 0 ? v < 255 ? v + 0.5f : 255.0f : 0.0f); }

// Values behind the end of a line that may be read, besides those of as many pixels as an output is mixed of.
constexpr int64_t kBeyond = 64;

// In fixed point, up to four channels: kTogether outputs at a time, each in 16 bytes of a vector, from two
// pixels at once as words side by side.
constexpr int64_t kTogether = kGroupOutputs;

DT_INLINE Bytes pairs(int64_t channels, int64_t first) { // pixels `first` and first + 1
    Bytes pattern;
    for (int i = 0; i < kVectorBytes; ++i) {
        const int64_t word = i % 16 / 2;
        pattern[i] =
            i % 2 || word / 2 >= channels ? kNoByte : uint8_t((first + word % 2) * channels + word / 2);
    }
    return pattern;
}

struct Patterns {
    Bytes front, back, two, other_two; // pixels 0 and 1, and 2 and 3; their weights, repeated
    StorePixels store_pixels;

    explicit Patterns(int64_t channels)
        : front(pairs(channels, 0)), back(pairs(channels, 2)), store_pixels(channels) {
        for (int i = 0; i < kVectorBytes; ++i) two[i] = uint8_t(i % 4), other_two[i] = uint8_t(4 + i % 4);
    }
};

// A band of the output rows of one sample, whose columns are mixed first: as Pillow has it, uint8 is rounded
// and clipped in between. `ring` has room for the rows that one output row is mixed of, and those done ahead.
constexpr int64_t kAhead = 4;
template <class T> struct Band {
    const ResizeArgs& a;
    const Patterns& patterns;
    int64_t table, row_table, column_table; // places in the tables
    const T* image;
    T* output;
    T* ring;
    const ColumnGroup* groups; // null where there are none
    int64_t next = 0;          // the first row of the image that is not in the ring

    int64_t values() const { return a.columns.out * a.channels; }
    T* line(int64_t row) const { return ring + row % (a.rows.taps + kAhead) * (values() + kBeyond); }
};

template <int rows, class T> void mix_columns(const Band<T>& b, const T* from, T* const* lines) {
    const ResizeAxis& x = b.a.columns;
    if constexpr (rows > 1) {
        for (int r = 0; r < rows; ++r) mix_columns<1>(b, from + r * x.in * b.a.channels, lines + r);
        return;
    }
    T* to = lines[0];
    const int64_t channels = b.a.channels;
    for (int64_t j = b.column_table; j < b.column_table + x.out; ++j, to += channels) {
        const float* weight = x.weight + j * x.taps;
        for (int64_t c = 0; c < channels; c += 4) {
            const T* pixel = from + x.first[j] * channels + c;
            Four sum{};
            for (int64_t k = 0; k < x.count[j]; ++k, pixel += channels) sum += weight[k] * load_four(pixel);
            store_four(to + c, sum, channels - c);
        }
    }
}

constexpr int64_t kPiece = 128; // values of a row that are summed in registers and the nearest cache

template <class T> void mix_rows(const Band<T>& b, int64_t i, T* to) {
    const ResizeAxis& y = b.a.rows;
    const int64_t at = b.row_table + i;
    for (int64_t v = 0; v < b.values(); v += kPiece) {
        const int64_t n = min(kPiece, b.values() - v);
        float sums[kPiece] = {};
        for (int64_t k = 0; k < y.count[at]; ++k) {
            const T* line = b.line(y.first[at] + k) + v;
            const float w = y.weight[at * y.taps + k];
            for (int64_t u = 0; u < n; ++u) sums[u] += w * float(line[u]);
        }
        for (int64_t u = 0; u < n; ++u) set(to[v + u], sums[u]);
    }
}

// `rows` neighbours at a time, which share what the tables say.
template <int rows>
void mix_columns_fixed(const Band<uint8_t>& b, const uint8_t* from, uint8_t* const* lines) {
    const ResizeAxis& x = b.a.columns;
    const int64_t channels = b.a.channels, in_row = x.in * channels;
    const auto& [front, back, two, other_two, store_pixels] = b.patterns;
    const int shift = x.shift[b.table];
    if (kHasGroups && b.groups)
        return mix_groups<rows>(b.groups, ceil_div(x.out, kTogether), shift, channels, in_row, store_pixels,
                                from, lines);
    for (int64_t j = 0; j < x.out; j += kTogether) {
        const uint8_t* pixels[kTogether];
        const int16_t* weights[kTogether];
        int64_t count = 0;
#pragma GCC unroll 4
        for (int64_t lane = 0; lane < kTogether; ++lane) {
            const int64_t at = b.column_table + min(j + lane, x.out - 1);
            pixels[lane] = from + x.first[at] * channels;
            weights[lane] = x.fixed + at * x.taps;
            count = max(count, int64_t(x.count[at]));
        }
        Vec<int32_t> sums[rows];
        for (int r = 0; r < rows; ++r) sums[r] = broadcast(int32_t(1 << (shift - 1)));
        for (int64_t k = 0; k < count; k += 4) {
            const Bytes weight = gathered<8>(weights, k);
            const Words first = (Words)pick(weight, two), second = (Words)pick(weight, other_two);
#pragma GCC unroll 4
            for (int r = 0; r < rows; ++r) {
                const Bytes pixel = gathered<16>(pixels, k * channels + r * in_row);
                sums[r] +=
                    pair_sums((Words)pick(pixel, front), first) + pair_sums((Words)pick(pixel, back), second);
            }
        }
#pragma GCC unroll 4
        for (int r = 0; r < rows; ++r) store_pixels(lines[r] + j * channels, sums[r] >> shift);
    }
}

constexpr int64_t kStrips = 4; // vectors of a row that are summed in registers

// Two rows at a time: their bytes lie side by side as words.
void mix_rows_fixed(const Band<uint8_t>& b, int64_t i, uint8_t* to) {
    const ResizeAxis& y = b.a.rows;
    const int64_t at = b.row_table + i, count = y.count[at], pairs = ceil_div(count, 2);
    constexpr int64_t lanes = kLanes<int32_t>, strip = kStrips * lanes;
    static_assert(strip <= kBeyond);
    const int shift = y.shift[b.table];
    const int16_t* weights = y.fixed + at * y.taps;
    const uint8_t* lines[kMostFixedTaps];
    int32_t two[kMostFixedTaps / 2];
    for (int64_t k = 0; k < pairs; ++k) {
        const int64_t other = min(2 * k + 1, count - 1);
        lines[2 * k] = b.line(y.first[at] + 2 * k);
        lines[2 * k + 1] = b.line(y.first[at] + other);
        two[k] = int32_t(uint32_t(uint16_t(weights[2 * k])) |
                         uint32_t(uint16_t(other == 2 * k ? 0 : weights[other])) << 16);
    }
    for (int64_t v = 0; v < b.values(); v += strip) { // whole strips: lines go on for as long
        Vec<int32_t> sums[kStrips];
        for (int64_t s = 0; s < kStrips; ++s) sums[s] = broadcast(int32_t(1 << (shift - 1)));
        for (int64_t k = 0; k < pairs; ++k) {
            const Words weight = (Words)broadcast(two[k]);
            const uint8_t *upper = lines[2 * k] + v, *lower = lines[2 * k + 1] + v;
#pragma GCC unroll 4
            for (int64_t s = 0; s < kStrips; ++s)
                sums[s] += pair_sums((Words)(load_bytes_as_whole(upper + s * lanes) |
                                             load_bytes_as_whole(lower + s * lanes) << 16),
                                     weight);
        }
        uint8_t mixed[strip];
        const bool fits = v + strip <= b.values();
        uint8_t* const target = fits ? to + v : mixed;
        for (int64_t s = 0; s < kStrips; ++s) store_clipped(target + s * lanes, sums[s] >> shift);
        if (!fits) memcpy(to + v, mixed, size_t(b.values() - v));
    }
}

// At least 16 blocks in a call, and blocks of at most about a million multiplications, but no bands so narrow
// that much is done twice.
int64_t rows_in_band(const ResizeArgs& a) {
    const int64_t work =
        a.columns.out * a.channels * (a.rows.taps * a.rows.out + a.columns.taps * max(a.rows.in, a.rows.out));
    const int64_t bands = max(ceil_div(16, max(a.batch, int64_t{1})), work >> 20);
    return max(ceil_div(a.rows.out, bands), min(a.rows.out, int64_t{16}));
}

template <class T, class Columns, class AllColumns, class Rows>
void resize(const ResizeArgs& a, const Columns& columns, const AllColumns& four_columns, const Rows& rows) {
    const int64_t high = rows_in_band(a), bands = ceil_div(a.rows.out, high);
    const int64_t in_row = a.columns.in * a.channels, out_row = a.columns.out * a.channels;
    const int64_t beyond = a.columns.taps * a.channels + kBeyond;
    const int64_t most_groups = kHasGroups && a.columns.fixed ? ceil_div(a.columns.out, kTogether) : 0;
    const Patterns patterns(a.channels);
    const T* const end = static_cast<const T*>(a.images) + a.batch * a.rows.in * in_row;
    parallel(a.batch * bands, 1, [&](int64_t begin, int64_t end_of_block) {
        const int64_t ring = (a.rows.taps + kAhead) * (out_row + kBeyond) + kPiece;
        auto* const groups = scratch<ColumnGroup>(
            Scratch::kernel, most_groups + ceil_div((ring + in_row + beyond) * int64_t(sizeof(T)),
                                                    int64_t(sizeof(ColumnGroup))));
        T* const memory = reinterpret_cast<T*>(groups + most_groups);
        int64_t grouped = -1; // the table of the groups
        bool has_groups = false;
        T* const padded = memory + ring;
        memset(memory, 0, size_t(ring) * sizeof(T));
        for (int64_t item = begin; item < end_of_block; ++item) {
            const int64_t sample = item / bands, table = a.shared ? 0 : sample;
            if (most_groups && grouped != table) {
                grouped = table;
                has_groups = make_groups(a.columns, table * a.columns.out, a.channels, groups);
            }
            Band<T> band{a,
                         patterns,
                         table,
                         table * a.rows.out,
                         table * a.columns.out,
                         static_cast<const T*>(a.images) + sample * a.rows.in * in_row,
                         static_cast<T*>(a.output) + sample * a.rows.out * out_row,
                         memory,
                         has_groups ? groups : nullptr};
            const int64_t first_row = item % bands * high, last_row = min(a.rows.out, first_row + high);
            int64_t needed = 0; // rows of the image
            for (int64_t i = band.row_table + first_row; i < band.row_table + last_row; ++i)
                needed = max(needed, int64_t(a.rows.first[i]) + a.rows.count[i]);
            for (int64_t i = first_row; i < last_row; ++i) {
                const int64_t first = a.rows.first[band.row_table + i];
                const int64_t last = first + a.rows.count[band.row_table + i];
                for (band.next = max(band.next, first); band.next < last;) {
                    const T* from = band.image + band.next * in_row;
                    T* lines[kAhead];
                    for (int64_t r = 0; r < kAhead; ++r) lines[r] = band.line(band.next + r);
                    if (band.next + kAhead <= needed && end - from >= kAhead * in_row + beyond) {
                        four_columns(band, from, lines);
                        band.next += kAhead;
                        continue;
                    }
                    if (end - from < in_row + beyond) { // where nothing may be read behind it
                        memcpy(padded, from, size_t(in_row) * sizeof(T));
                        memset(padded + in_row, 0, size_t(beyond) * sizeof(T));
                        from = padded;
                    }
                    columns(band, from, lines);
                    ++band.next;
                }
                rows(band, i, band.output + i * out_row);
            }
        }
    });
}

void resize_u8(const ResizeArgs& a) {
    if (a.rows.fixed)
        resize<uint8_t>(a, mix_columns_fixed<1>, mix_columns_fixed<kAhead>, mix_rows_fixed);
    else
        resize<uint8_t>(a, mix_columns<1, uint8_t>, mix_columns<kAhead, uint8_t>, mix_rows<uint8_t>);
}
void resize_f32(const ResizeArgs& a) {
    resize<float>(a, mix_columns<1, float>, mix_columns<kAhead, float>, mix_rows<float>);
}

} // namespace

Resize resize() { return {resize_u8, resize_f32}; }

} // namespace dt::cpu::DT_LEVEL
