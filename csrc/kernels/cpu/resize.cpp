#include "kernels/resize.h"

#include "kernels/cpu/common.h"

#pragma GCC diagnostic ignored "-Wpsabi"

namespace dt::cpu::DT_LEVEL {
namespace {

typedef float Four __attribute__((vector_size(16)));

DT_INLINE void set(float& to, float v) { to = v; }
DT_INLINE void set(uint8_t& to, float v) { to = uint8_t(v > 0 ? v < 255 ? v + 0.5f : 255.0f : 0.0f); }

// A band of the output rows of one sample, whose columns are mixed first: as Pillow has it, uint8 is rounded
// and clipped in between. `ring` has room for the rows that one output row is mixed of.
template <class T> struct Band {
    const ResizeArgs& a;
    int64_t table, row_table, column_table; // places in the tables
    const T* image;
    T* output;
    T* ring;
    int64_t next = 0; // the first row of the image that is not in the ring

    int64_t values() const { return a.columns.out * a.channels; }
    T* line(int64_t row) const { return ring + row % a.rows.taps * values(); }
};

template <class T> void mix_columns(const Band<T>& b, const T* from, T* to) {
    const ResizeAxis& x = b.a.columns;
    const int64_t channels = b.a.channels;
    for (int64_t j = b.column_table; j < b.column_table + x.out; ++j, to += channels) {
        const T* const first = from + x.first[j] * channels;
        for (int64_t c = 0; c < channels; ++c) {
            float sum = 0;
            for (int64_t k = 0; k < x.count[j]; ++k)
                sum += x.weight[j * x.taps + k] * float(first[k * channels + c]);
            set(to[c], sum);
        }
    }
}

template <class T> void mix_rows(const Band<T>& b, int64_t i, T* to) {
    const ResizeAxis& y = b.a.rows;
    const int64_t at = b.row_table + i, n = b.values();
    const float* weight = y.weight + at * y.taps;
    for (int64_t v = 0; v < n; ++v) {
        float sum = 0;
        for (int64_t k = 0; k < y.count[at]; ++k) sum += weight[k] * float(b.line(y.first[at] + k)[v]);
        set(to[v], sum);
    }
}

DT_INLINE uint8_t shifted(int32_t sum, int shift) {
    sum = (sum + (1 << (shift - 1))) >> shift;
    return uint8_t(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

void mix_columns_fixed(const Band<uint8_t>& b, const uint8_t* from, uint8_t* to) {
    const ResizeAxis& x = b.a.columns;
    const int64_t channels = b.a.channels;
    for (int64_t j = b.column_table; j < b.column_table + x.out; ++j, to += channels) {
        const uint8_t* const first = from + x.first[j] * channels;
        for (int64_t c = 0; c < channels; ++c) {
            int32_t sum = 0;
            for (int64_t k = 0; k < x.count[j]; ++k) sum += x.fixed[j * x.taps + k] * first[k * channels + c];
            to[c] = shifted(sum, x.shift[b.table]);
        }
    }
}

void mix_rows_fixed(const Band<uint8_t>& b, int64_t i, uint8_t* to) {
    const ResizeAxis& y = b.a.rows;
    const int64_t at = b.row_table + i, n = b.values();
    for (int64_t v = 0; v < n; ++v) {
        int32_t sum = 0;
        for (int64_t k = 0; k < y.count[at]; ++k)
            sum += y.fixed[at * y.taps + k] * b.line(y.first[at] + k)[v];
        to[v] = shifted(sum, y.shift[b.table]);
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

template <class T, class Columns, class Rows>
void resize(const ResizeArgs& a, const Columns& columns, const Rows& rows) {
    const int64_t high = rows_in_band(a), bands = ceil_div(a.rows.out, high);
    const int64_t in_row = a.columns.in * a.channels, out_row = a.columns.out * a.channels;
    parallel(a.batch * bands, 1, [&](int64_t begin, int64_t end) {
        T* const ring = scratch<T>(Scratch::kernel, a.rows.taps * out_row);
        for (int64_t item = begin; item < end; ++item) {
            const int64_t sample = item / bands, table = a.shared ? 0 : sample;
            Band<T> band{a,
                         table,
                         table * a.rows.out,
                         table * a.columns.out,
                         static_cast<const T*>(a.images) + sample * a.rows.in * in_row,
                         static_cast<T*>(a.output) + sample * a.rows.out * out_row,
                         ring};
            for (int64_t i = item % bands * high; i < min(a.rows.out, (item % bands + 1) * high); ++i) {
                const int64_t first = a.rows.first[band.row_table + i];
                const int64_t last = first + a.rows.count[band.row_table + i];
                for (band.next = max(band.next, first); band.next < last; ++band.next)
                    columns(band, band.image + band.next * in_row, band.line(band.next));
                rows(band, i, band.output + i * out_row);
            }
        }
    });
}

void resize_u8(const ResizeArgs& a) {
    if (a.rows.fixed)
        resize<uint8_t>(a, mix_columns_fixed, mix_rows_fixed);
    else
        resize<uint8_t>(a, mix_columns<uint8_t>, mix_rows<uint8_t>);
}
void resize_f32(const ResizeArgs& a) { resize<float>(a, mix_columns<float>, mix_rows<float>); }

} // namespace

Resize resize() { return {resize_u8, resize_f32}; }

} // namespace dt::cpu::DT_LEVEL
