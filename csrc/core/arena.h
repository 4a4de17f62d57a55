#pragma once
#include <cstddef>
#include <vector>

namespace dt {

// Memory for large blocks, from a stretch of reserved addresses that is filled from below. A block is cut
// from the smallest free span that holds it; one given back is joined with its free neighbours, so that what
// tensors of one size leave behind serves those of another. Sizes are whole pages. Not thread-safe.
class Arena {
  public:
    enum class State { hole, free, used }; // a hole has addresses and no memory
    struct Span {
        char* data;
        size_t bytes;
        State state;
        Span *below, *above; // neighbours in the same region; null at its ends
    };

    Span* take(size_t bytes); // null where no free span is large enough: grow() before
    void give(Span* span);
    bool grow(size_t bytes); // makes a free span of as much; false where the system gives no more
    void release();          // gives the memory of all free spans back to the system

    size_t held() const { return held_; } // bytes from the system

  private:
    bool reserve(size_t bytes);
    bool fill(Span* hole, size_t bytes);
    void split(Span* span, size_t bytes);
    void join(Span* span, State state);
    std::vector<Span*>::iterator position(size_t bytes, const char* data);

    std::vector<Span*> regions_; // the lowest span of each
    std::vector<Span*> free_;    // by size, then address
    size_t held_ = 0;
};

constexpr size_t kPage = 4096;

inline size_t round_up(size_t bytes, size_t unit) { return (bytes + unit - 1) / unit * unit; }
size_t physical_memory();

} // namespace dt
