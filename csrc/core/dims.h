#pragma once
#include <cstdint>
#include <initializer_list>
#include <string>

namespace dt {

inline constexpr int kMaxRank = 8;

// A shape, a list of strides or a list of axes: up to kMaxRank integers, no heap.
class Dims {
  public:
    Dims() = default;
    Dims(std::initializer_list<int64_t> v) {
        for (int64_t x : v) push(x);
    }
    Dims(int rank, int64_t value) : rank_(rank) {
        for (int i = 0; i < rank; ++i) v_[i] = value;
    }

    int rank() const { return rank_; }
    bool empty() const { return rank_ == 0; }
    int64_t& operator[](int i) { return v_[i]; }
    int64_t operator[](int i) const { return v_[i]; }
    int64_t back() const { return v_[rank_ - 1]; }
    const int64_t* begin() const { return v_; }
    const int64_t* end() const { return v_ + rank_; }
    int64_t* begin() { return v_; }
    int64_t* end() { return v_ + rank_; }
    const int64_t* data() const { return v_; }

    // Callers keep rank() below kMaxRank; `tensor.cpp` refuses deeper tensors with an error that a user can
    // read.
    void push(int64_t x) { v_[rank_++] = x; }
    void insert(int at, int64_t x) {
        for (int i = rank_++; i > at; --i) v_[i] = v_[i - 1];
        v_[at] = x;
    }
    void erase(int at) {
        --rank_;
        for (int i = at; i < rank_; ++i) v_[i] = v_[i + 1];
    }
    bool contains(int64_t x) const {
        for (int64_t y : *this)
            if (x == y) return true;
        return false;
    }
    [[gnu::always_inline]] int64_t product() const {
        int64_t p = 1;
        for (int64_t x : *this) p *= x;
        return p;
    }
    bool operator==(const Dims& o) const {
        if (rank_ != o.rank_) return false;
        for (int i = 0; i < rank_; ++i)
            if (v_[i] != o.v_[i]) return false;
        return true;
    }

  private:
    int rank_ = 0;
    int64_t v_[kMaxRank]; // those up to rank_ are set: clearing all of them for every tensor is felt
};

std::string to_string(const Dims& d); // "(2, 3)", "(5,)", "()"

} // namespace dt
