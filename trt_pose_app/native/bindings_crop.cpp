// The Python face of the crops: a picture and where its crops lie in, rows of a network's input out.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <array>
#include <cmath>
#include <stdexcept>

#include "crop.hpp"

namespace py = pybind11;

namespace {

constexpr py::ssize_t kLargestSide = 1 << 15;
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

void cut_crops(const py::array_t<std::uint8_t>& image, const Floats& scale, const Floats& shift,
               py::array_t<float, py::array::c_style> rows, const std::array<int, 3>& source,
               const std::array<float, 3>& gain, const std::array<float, 3>& bias, int border) {
    const bool pixels = image.ndim() == 3 && image.shape(2) == 3 && image.strides(2) == 1 && image.strides(1) == 3 &&
                        image.shape(0) > 0 && image.shape(1) > 0 && image.shape(0) <= kLargestSide &&
                        image.shape(1) <= kLargestSide;
    if (!pixels) throw std::invalid_argument("the picture is not (height, width, 3) with its rows in one piece");
    const py::ssize_t count = scale.ndim() == 1 ? scale.shape(0) : -1;
    const bool fit = shift.ndim() == 2 && shift.shape(0) == count && shift.shape(1) == 2 && rows.ndim() == 4 &&
                     rows.shape(0) == count && rows.shape(1) == 3 && rows.shape(2) > 0 && rows.shape(3) > 0 &&
                     rows.shape(2) <= kLargestSide && rows.shape(3) <= kLargestSide;
    if (!fit) throw std::invalid_argument("the crops do not fit one another");
    crop::Normalisation normal{};
    for (int c = 0; c < 3; ++c) {
        if (source[c] < 0 || source[c] > 2) throw std::invalid_argument("a picture has the channels 0, 1 and 2");
        normal.source[c] = source[c], normal.gain[c] = gain[c], normal.bias[c] = bias[c];
    }
    normal.border = static_cast<std::uint8_t>(border);
    for (py::ssize_t i = 0; i < count; ++i)
        if (!(scale.at(i) > 0)) throw std::invalid_argument("a scale is not positive");
    const crop::Picture picture{image.data(), image.strides(0), static_cast<int>(image.shape(1)),
                                static_cast<int>(image.shape(0))};
    const int height = static_cast<int>(rows.shape(2)), width = static_cast<int>(rows.shape(3));
    float* out = rows.mutable_data();  // raises for an array that is read-only
    const float *scales = scale.data(), *shifts = shift.data();
    const py::gil_scoped_release release;
    thread_local crop::Scratch scratch;
    for (py::ssize_t i = 0; i < count; ++i)
        crop::cut(picture, scales[i], shifts[2 * i], shifts[2 * i + 1], width, height, normal, scratch,
                  out + i * 3 * height * width);
}

}  // namespace

void bind_crops(py::module_& module) {
    module.def("cut_crops", &cut_crops, py::arg("image"), py::arg("scale"), py::arg("shift"),
               py::arg("rows").noconvert(), py::kw_only(), py::arg("source"), py::arg("gain"), py::arg("bias"),
               py::arg("border"),
               "Fill rows (N, 3, H, W) with crops of a BGR picture, bilinear and normalised.");
}
