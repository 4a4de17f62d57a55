#pragma once
#include <cstdint>

// The structures of DLPack 1.x (https://dmlc.github.io/dlpack), which are a binary interface: nothing here
// may change.
namespace dt::dlpack {

inline constexpr uint32_t kMajor = 1, kMinor = 0;
inline constexpr int32_t kCpu = 1;
inline constexpr uint64_t kReadOnly = 1, kCopied = 2;
enum Code : uint8_t { kInt = 0, kUInt = 1, kFloat = 2, kBfloat = 4, kBool = 6 };

struct Device {
    int32_t type, id;
};
struct DataType {
    uint8_t code, bits;
    uint16_t lanes;
};
struct Array {
    void* data;
    Device device;
    int32_t rank;
    DataType dtype;
    int64_t* shape;
    int64_t* strides; // in elements; null: contiguous (before DLPack 1.2)
    uint64_t byte_offset;
};
struct Legacy { // DLManagedTensor
    Array array;
    void* context;
    void (*deleter)(Legacy*);
};
struct Versioned { // DLManagedTensorVersioned
    uint32_t major, minor;
    void* context;
    void (*deleter)(Versioned*);
    uint64_t flags;
    Array array;
};

} // namespace dt::dlpack
