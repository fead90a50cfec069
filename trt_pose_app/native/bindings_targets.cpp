// The Python face of the training targets: numpy arrays in, the arrays of trt_pose_app.training.targets.Targets out.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <stdexcept>
#include <utility>
#include <vector>

#include "targets.hpp"

namespace py = pybind11;

namespace {

constexpr int kLargestSide = 1 << 15;
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;
using Bytes = py::array_t<std::uint8_t, py::array::c_style | py::array::forcecast>;

bool are_boxes(const Floats& boxes) { return boxes.ndim() == 2 && boxes.shape(1) == 4; }

py::tuple draw(const Floats& xy, const Bytes& visible, const Floats& box, const Floats& window, const Floats& ignore,
               const std::vector<std::pair<int, int>>& limb_parts, int width, int height, int stride, float cmap_sigma,
               float paf_sigma, float cmap_reach, float paf_reach, int square_window, float uncertain_weight, bool mean,
               bool hide_unknown, bool hide_ignored) {
    const bool sound = xy.ndim() == 3 && xy.shape(2) == 2 && visible.ndim() == 2 && visible.shape(0) == xy.shape(0) &&
                       visible.shape(1) == xy.shape(1) && xy.shape(1) < kLargestSide && are_boxes(box) &&
                       box.shape(0) == xy.shape(0) && are_boxes(window) && window.shape(0) == xy.shape(0) &&
                       are_boxes(ignore);
    if (!sound) throw std::invalid_argument("the people's arrays do not fit one another");
    if (width < 0 || height < 0 || width > kLargestSide || height > kLargestSide || stride < 1)
        throw std::invalid_argument("no map has such a size");
    const int parts = static_cast<int>(xy.shape(1));
    std::vector<targets::Limb> limbs;
    for (const auto& [from, to] : limb_parts) {
        if (from < 0 || to < 0 || from >= parts || to >= parts)
            throw std::invalid_argument("a limb names a part that is not there");
        limbs.push_back({from, to});
    }
    const targets::Settings settings{width,         height,           stride, cmap_sigma,   paf_sigma,   cmap_reach, paf_reach,
                                     square_window, uncertain_weight, mean,   hide_unknown, hide_ignored};
    const targets::People people{xy.shape(0), ignore.shape(0), xy.data(),     visible.data(),
                                 box.data(),  window.data(),   ignore.data()};
    const py::ssize_t rows = height, columns = width, plane = rows * columns;
    const py::ssize_t confidences = xy.shape(1), fields = 2 * static_cast<py::ssize_t>(limbs.size());
    // In one block, which the allocator keeps for the next picture; fresh pages would cost more than the drawing.
    py::array_t<float> block({2 * (confidences + fields), rows, columns});
    float* next = block.mutable_data();
    const auto part_of_block = [&](py::ssize_t channels) {
        py::array_t<float> maps({channels, rows, columns}, next, block);
        next += channels * plane;
        return maps;
    };
    auto cmap = part_of_block(confidences), cmap_weight = part_of_block(confidences);
    auto paf = part_of_block(fields), paf_weight = part_of_block(fields);
    const targets::Output output{cmap.mutable_data(), paf.mutable_data(), cmap_weight.mutable_data(),
                                 paf_weight.mutable_data()};
    {
        const py::gil_scoped_release release;
        thread_local targets::Scratch scratch;
        targets::draw(people, parts, limbs, settings, output, scratch);
    }
    return py::make_tuple(std::move(cmap), std::move(paf), std::move(cmap_weight), std::move(paf_weight));
}

}  // namespace

void bind_targets(py::module_& module) {
    module.def("draw_targets", &draw, py::arg("xy"), py::arg("visible"), py::arg("box"), py::arg("window"),
               py::arg("ignore"), py::arg("limbs"), py::kw_only(), py::arg("width"), py::arg("height"),
               py::arg("stride"), py::arg("cmap_sigma"), py::arg("paf_sigma"), py::arg("cmap_reach"),
               py::arg("paf_reach"), py::arg("square_window"), py::arg("uncertain_weight"), py::arg("mean"),
               py::arg("hide_unknown"), py::arg("hide_ignored"),
               "Return (cmap, paf, cmap_weight, paf_weight) of one training picture.");
}
