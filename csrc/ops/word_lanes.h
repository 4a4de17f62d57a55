#pragma once
#include <vector>

#include "core/parallel.h"
#include "ops/common.h"

// Training of tables of vectors by several lanes at a time, whose number does not depend on that of the
// threads. A lane works on copies of the rows it needs; when all lanes are done, what they changed is added
// to the table, lane by lane. So no thread sees what another one is writing.
namespace dt::ops {

constexpr int64_t kRowParts = 16; // shares of a table that are written by different threads

template <class F> void for_each_parallel(int64_t n, F body) {
    parallel_for(
        n, 1,
        [](void* context, int64_t begin, int64_t end) {
            for (; begin < end; ++begin) (*static_cast<F*>(context))(begin);
        },
        &body);
}

// A contiguous vector of that dtype, and of that size where it is not negative.
Tensor check_vector(const char* op, const char* name, const Tensor& t, DType dtype, int64_t size);

// A lane's copies of rows of one table.
class RowCopies {
  public:
    RowCopies(float* table, int64_t rows, int64_t width);
    void begin(int64_t most); // room for that many rows, none taken yet
    float* row(int32_t id);   // the copy; `stride` values, 0 behind the width
    void take(const std::vector<int32_t>& ids, std::vector<float*>& copies); // of many, fetched ahead
    void finish();                                                           // copies become changes
    int64_t stride() const { return stride_; }

  private:
    friend class RowSums;
    float* table_;
    int64_t rows_, width_, stride_, mask_ = 0;
    Tensor memory_;
    std::vector<int32_t> slots_, ids_, order_, part_start_; // a slot holds the place of a row in ids_ plus 1
    std::vector<int32_t> uses_;                             // how often row() was asked for each
};

// Adds what the lanes changed to their table. A row that they used often went the same way in each of them:
// the sum would go too far, and past some uses in all it shrinks, at most to the mean of the lanes.
class RowSums {
  public:
    explicit RowSums(int64_t rows) : uses_(static_cast<size_t>(rows), 0) {}
    void add_part(int64_t part, const std::vector<RowCopies*>& lanes, int64_t used);

  private:
    std::vector<int32_t> uses_;
};

} // namespace dt::ops
