#include "ops/copy.h"

#include "bindings/docs.h"
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

#define DT_CONVERT(name, dtype)                                                                              \
    method<&as<DType::dtype>>(name, {"The tensor as drivetrain." #dtype "; itself where it is.", "",         \
                                     "Tensor of the same shape.", "",                                        \
                                     ">>> dt.tensor([1.0])." name "().dtype.name\n'" #dtype "'"});

void bind_copy(py::module_&) {
    method<&ops::clone>("clone", {"A copy in memory of its own; gradients flow through it.", "",
                                  "Tensor of the same shape and dtype.", "",
                                  ">>> dt.tensor([1, 2]).clone()\ntensor([1, 2])"});
    method<&ops::contiguous>("contiguous",
                             {"The tensor with its elements in memory in the order of the axes.", "",
                              "The tensor itself where they lie so, else a copy.", "",
                              ">>> dt.ones((2, 3)).T.contiguous().strides\n(2, 1)"});
    method<&ops::astype>(
        "astype",
        {"The elements converted to a dtype.",
         "dtype: A dtype or its name.\ncopy: False gives the tensor itself where it has the dtype.",
         "Tensor of the same shape. Floats lose their fraction where they become integers; what an\n"
         "integer cannot hold becomes the nearest that it can, NaN 0.",
         "TypeError: for what is no dtype.",
         ">>> dt.tensor([1.5, -2.0]).astype(\"int64\")\ntensor([ 1, -2])"},
        {"dtype"_a, "copy"_a = true});
    method<&to>("to",
                {"The tensor with another dtype.",
                 "target: A dtype, a tensor whose dtype to take, or the name of a device.\ndtype: A dtype.\n"
                 "device: 'cpu', the only one.",
                 "The tensor itself where nothing changes, else a converted copy.",
                 "ValueError: for another device.\nTypeError: for other kinds.",
                 ">>> dt.tensor([1, 2]).to(\"float32\")\ntensor([1., 2.])"},
                {"target"_a = py::none(), "dtype"_a = py::none(), keyword("device"_a = py::none())});
    method<&InPlace<&copy_in_place>::call>(
        "copy_",
        {"Writes `source` into the tensor.",
         "source: Tensor or number; it is broadcast to the shape and converted to the dtype.",
         "The tensor itself.", "ValueError: where it does not broadcast, or a number does not fit the dtype.",
         ">>> dt.zeros(2).copy_(dt.tensor([1, 2]))\ntensor([1., 2.])"},
        {"source"_a});
    method<&as<DType::boolean>>("bool", {"The tensor as drivetrain.bool; itself where it is.", "",
                                         "Tensor of the same shape.", "",
                                         ">>> dt.tensor([0, 2]).bool()\ntensor([False,  True])"});
    DT_CONVERT("int", int32)
    DT_CONVERT("long", int64)
    DT_CONVERT("half", float16)
    DT_CONVERT("bfloat16", bfloat16)
    DT_CONVERT("float", float32)
    DT_CONVERT("double", float64)
    method<&cpu>("cpu", {"The tensor itself: all memory is the CPU's.", "", "Tensor", "",
                         ">>> dt.tensor([1]).cpu()\ntensor([1])"});
}

} // namespace dt::bindings
