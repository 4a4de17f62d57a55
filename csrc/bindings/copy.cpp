#include "ops/copy.h"

#include "bindings/families.h"
#include "bindings/in_place.h"
#include "ops/elementwise.h"

namespace dt::bindings {
namespace {

void check_device(const std::string& device) {
    if (device != "cpu") value_error({"to: device '", device, "' is not available; this build has 'cpu'"});
}

// `target` is a dtype, the name of a device, or a tensor to be like.
Tensor to(const Tensor& x, const py::object& target, const std::optional<DType>& dtype,
          const std::optional<std::string>& device) {
    std::optional<DType> wanted = dtype;
    if (device) check_device(*device);
    if (DType d; is_tensor(target.ptr())) {
        wanted = unwrap(target.ptr()).dtype();
    } else if (read_dtype(target.ptr(), d)) {
        if (dtype) type_error({"to: the dtype is given twice"});
        wanted = d;
    } else if (PyUnicode_Check(target.ptr())) {
        check_device(Convert<std::string>::load(target.ptr(), {"to", "target"}));
    } else if (!target.is_none()) {
        wrong_type({"to", "target"}, "a dtype, the name of a device or a Tensor,", target.ptr());
    }
    return wanted ? ops::to_dtype(x, *wanted) : x;
}

template <DType D> Tensor as(const Tensor& x) { return ops::to_dtype(x, D); }
Tensor copy_in_place(const Tensor& x, const Operand& source) { return ops::assign("copy_", x, source); }
Tensor cpu(const Tensor& x) { return x; }

} // namespace

void bind_copy(py::module_&) {
    method<&ops::clone>("clone", "A copy in memory of its own; gradients flow through it.");
    method<&ops::contiguous>("contiguous",
                             "The tensor itself where its elements lie in memory in the order of the axes, "
                             "otherwise a copy.");
    method<&ops::astype>(
        "astype",
        "The elements converted to a dtype; a copy also where they have it, unless `copy` is "
        "False.",
        {"dtype"_a, "copy"_a = true});
    method<&to>("to",
                "The tensor with another dtype: t.to(drivetrain.float64), t.to(other); itself where nothing "
                "changes. The only device is 'cpu'.",
                {"target"_a = py::none(), "dtype"_a = py::none(), keyword("device"_a = py::none())});
    method<&InPlace<&copy_in_place>::call>(
        "copy_", "Writes `source` into the tensor, broadcast to its shape and converted to its dtype.",
        {"source"_a});
    method<&as<DType::boolean>>("bool", "to(drivetrain.bool)");
    method<&as<DType::int32>>("int", "to(drivetrain.int32)");
    method<&as<DType::int64>>("long", "to(drivetrain.int64)");
    method<&as<DType::float16>>("half", "to(drivetrain.float16)");
    method<&as<DType::bfloat16>>("bfloat16", "to(drivetrain.bfloat16)");
    method<&as<DType::float32>>("float", "to(drivetrain.float32)");
    method<&as<DType::float64>>("double", "to(drivetrain.float64)");
    method<&cpu>("cpu", "The tensor itself: all memory is the CPU's.");
}

} // namespace dt::bindings
