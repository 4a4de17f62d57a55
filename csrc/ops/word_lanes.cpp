#include "ops/word_lanes.h"

#include "ops/checks.h"

namespace dt::ops {
namespace {

constexpr float kManyUses = 16; // of a row by all lanes, until which their changes are summed as they are

} // namespace

Tensor check_vector(const char* op, const char* name, const Tensor& t, DType dtype, int64_t size) {
    if (t.dtype() != dtype) type_error({op, ": ", name, " has dtype ", t.dtype(), ", expected ", dtype});
    check_rank(op, name, t, 1, "(n,)");
    if (size >= 0) check_shape(op, name, t, {size});
    return plain::contiguous(t);
}

RowCopies::RowCopies(float* table, int64_t rows, int64_t width)
    : table_(table), rows_(rows), width_(width), stride_((width + 15) / 16 * 16) {}

void RowCopies::begin(int64_t most) {
    most = std::min(most, rows_);
    if (!memory_.defined() || memory_.size() < most * stride_)
        memory_ = Tensor::empty({most * stride_}, DType::float32);
    int64_t slots = 64;
    while (slots < 2 * most) slots *= 2;
    slots_.assign(static_cast<size_t>(slots), 0);
    mask_ = slots - 1;
    ids_.clear();
    uses_.clear();
}

float* RowCopies::row(int32_t id) {
    float* memory = memory_.data<float>();
    uint64_t hash = static_cast<uint64_t>(id) * 0x9E3779B97F4A7C15u;
    for (int64_t slot = static_cast<int64_t>(hash >> 32) & mask_;; slot = (slot + 1) & mask_) {
        int32_t& place = slots_[static_cast<size_t>(slot)];
        if (place != 0 && ids_[static_cast<size_t>(place - 1)] != id) continue;
        if (place != 0) {
            ++uses_[static_cast<size_t>(place - 1)];
            return memory + (place - 1) * stride_;
        }
        float* copy = memory + static_cast<int64_t>(ids_.size()) * stride_;
        ids_.push_back(id);
        uses_.push_back(1);
        place = static_cast<int32_t>(ids_.size());
        kernels().word_vectors.take_row(width_, stride_, table_ + id * width_, copy);
        return copy;
    }
}

void RowCopies::take(const std::vector<int32_t>& ids, std::vector<float*>& copies) {
    constexpr size_t ahead = 12;
    copies.resize(ids.size());
    for (size_t i = 0; i < ids.size(); ++i) {
        if (i + ahead < ids.size())
            for (int64_t j = 0; j < width_; j += 16) __builtin_prefetch(table_ + ids[i + ahead] * width_ + j);
        copies[i] = row(ids[i]);
    }
}

void RowCopies::finish() {
    const auto n = static_cast<int64_t>(ids_.size());
    kernels().word_vectors.subtract(n, width_, stride_, ids_.data(), table_, memory_.data<float>());
    part_start_.assign(kRowParts + 1, 0);
    for (int32_t id : ids_) ++part_start_[static_cast<size_t>(id % kRowParts + 1)];
    for (size_t p = 0; p < kRowParts; ++p) part_start_[p + 1] += part_start_[p];
    order_.resize(ids_.size());
    std::vector<int32_t> next(part_start_);
    for (size_t i = 0; i < ids_.size(); ++i)
        order_[static_cast<size_t>(next[static_cast<size_t>(ids_[i] % kRowParts)]++)] =
            static_cast<int32_t>(i);
}

void RowSums::add_part(int64_t part, const std::vector<RowCopies*>& lanes, int64_t used) {
    const auto each = [&](const auto& body) {
        for (int64_t i = 0; i < used; ++i) {
            const RowCopies& lane = *lanes[static_cast<size_t>(i)];
            for (int32_t k = lane.ids_.empty() ? 0 : lane.part_start_[static_cast<size_t>(part)];
                 !lane.ids_.empty() && k < lane.part_start_[static_cast<size_t>(part + 1)]; ++k) {
                const auto place = static_cast<size_t>(lane.order_[static_cast<size_t>(k)]);
                body(lane, static_cast<int64_t>(place), uses_[static_cast<size_t>(lane.ids_[place])]);
            }
        }
    };
    each([](const RowCopies& lane, int64_t place, int32_t& uses) {
        uses += lane.uses_[static_cast<size_t>(place)];
    });
    const float least = 1 / static_cast<float>(used);
    each([&](const RowCopies& lane, int64_t place, int32_t& uses) {
        const float share =
            static_cast<float>(uses) <= kManyUses ? 1 : std::max(least, kManyUses / static_cast<float>(uses));
        kernels().word_vectors.add(lane.width_, share, lane.memory_.data<float>() + place * lane.stride_,
                                   lane.table_ + lane.ids_[static_cast<size_t>(place)] * lane.width_);
    });
    each([](const RowCopies&, int64_t, int32_t& uses) { uses = 0; });
}

} // namespace dt::ops
