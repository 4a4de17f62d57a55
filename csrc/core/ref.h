#pragma once
#include <atomic>
#include <cstdint>
#include <utility>

namespace dt {

// Base of everything that is shared by counting references inside the object.
class Counted {
  public:
    Counted() = default;
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    virtual ~Counted() = default;

    void retain() const { count_.fetch_add(1, std::memory_order_relaxed); }
    // The only owner has nobody to agree with: a plain load is a tenth of an atomic subtraction.
    void release() const {
        if (count_.load(std::memory_order_acquire) == 1 ||
            count_.fetch_sub(1, std::memory_order_acq_rel) == 1)
            const_cast<Counted*>(this)->destroy();
    }
    int64_t use_count() const { return count_.load(std::memory_order_acquire); }

  protected:
    virtual void destroy() { delete this; }

  private:
    template <class T> friend class Ref;
    void retain_new() const { count_.store(1 + use_count(), std::memory_order_relaxed); }

    mutable std::atomic<int64_t> count_{0};
};

template <class T> class Ref {
  public:
    Ref() = default;
    Ref(std::nullptr_t) {}
    explicit Ref(T* p) : p_(p) {
        if (p_) p_->retain();
    }
    Ref(const Ref& o) : Ref(o.p_) {}
    Ref(Ref&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
    template <class U> Ref(const Ref<U>& o) : Ref(static_cast<T*>(o.get())) {}
    Ref& operator=(Ref o) noexcept {
        std::swap(p_, o.p_);
        return *this;
    }
    ~Ref() {
        if (p_) p_->release();
    }
    // Of an object that no other thread knows yet.
    static Ref to_new(T* p) {
        Ref ref;
        ref.p_ = p;
        static_cast<const Counted*>(p)->retain_new();
        return ref;
    }

    T* get() const { return p_; }
    T* operator->() const { return p_; }
    T& operator*() const { return *p_; }
    explicit operator bool() const { return p_ != nullptr; }
    bool operator==(const Ref& o) const { return p_ == o.p_; }

  private:
    T* p_ = nullptr;
};

template <class T, class... A> Ref<T> make_ref(A&&... a) {
    return Ref<T>::to_new(new T(std::forward<A>(a)...));
}

} // namespace dt
