// The Python face of the decoder: numpy arrays in, the arrays of trt_pose_app.types.Poses out.

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <stdexcept>
#include <tuple>
#include <utility>
#include <vector>

#include "fused.hpp"
#include "paf.hpp"

namespace py = pybind11;

void bind_crops(py::module_& module);    // bindings_crop.cpp
void bind_targets(py::module_& module);  // bindings_targets.cpp

namespace {

constexpr py::ssize_t kLargestSide = 1 << 15;  // cells are counted in int; no network comes near

// One frame of an (N, channels, height, width) array. The caller holds the array.
template <class T>
paf::Maps<T> frame(const py::array& array, py::ssize_t n) {
    paf::Maps<T> maps;
    maps.data = static_cast<const char*>(array.data()) + n * array.strides(0);
    maps.channel_stride = array.strides(1);
    maps.row_stride = array.strides(2);
    maps.column_stride = array.strides(3);
    maps.height = static_cast<int>(array.shape(2));
    maps.width = static_cast<int>(array.shape(3));
    return maps;
}

using Affines = py::array_t<double, py::array::c_style | py::array::forcecast>;
using Floats = py::array_t<float, py::array::c_style | py::array::forcecast>;

Affines affine_of(const py::handle& given) {
    auto affine = py::cast<Affines>(given);
    if (affine.size() != 6) throw std::invalid_argument("an affine map has 2 x 3 numbers");
    return affine;
}

class Parser {
  public:
    Parser(std::vector<int> part_channels, const std::vector<std::tuple<int, int, int, int, bool>>& limbs,
           float peak_threshold, float limb_threshold, int limb_samples, int needed_samples, int max_peaks,
           int max_people, int min_keypoints, float min_person_score)
        : plan_(checked(std::move(part_channels), limbs,
                        {peak_threshold, limb_threshold, limb_samples, needed_samples, max_peaks, max_people,
                         min_keypoints, min_person_score})) {}

    py::list decode(const py::array& cmap, const py::array& paf, const py::list& to_frame) const {
        const bool sound = cmap.ndim() == 4 && paf.ndim() == 4 && cmap.shape(0) == paf.shape(0) &&
                           cmap.shape(0) == static_cast<py::ssize_t>(to_frame.size()) &&
                           cmap.shape(1) >= n_confidences_ && paf.shape(1) >= n_fields_ &&
                           cmap.shape(2) == paf.shape(2) && cmap.shape(3) == paf.shape(3) &&
                           cmap.shape(2) <= kLargestSide && cmap.shape(3) <= kLargestSide;
        if (!sound) throw std::invalid_argument("the maps do not fit the parser");
        const bool half_cmap = is_half(cmap), half_paf = is_half(paf);
        py::list people;
        for (py::ssize_t n = 0; n < cmap.shape(0); ++n) {
            const Affines affine = affine_of(to_frame[n]);
            if (half_cmap)
                people.append(half_paf ? decode_frame<paf::Half, paf::Half>(cmap, paf, n, affine.data())
                                       : decode_frame<paf::Half, float>(cmap, paf, n, affine.data()));
            else
                people.append(half_paf ? decode_frame<float, paf::Half>(cmap, paf, n, affine.data())
                                       : decode_frame<float, float>(cmap, paf, n, affine.data()));
        }
        return people;
    }

    py::list finish(const Floats& peaks, const Floats& limbs, const py::list& to_frame) const {
        const auto batch = static_cast<py::ssize_t>(to_frame.size());
        const bool sound = peaks.ndim() == 4 && limbs.ndim() == 4 && peaks.shape(0) == batch &&
                           limbs.shape(0) == batch && peaks.shape(1) == plan_.parts() &&
                           limbs.shape(1) == static_cast<py::ssize_t>(plan_.limbs.size()) &&
                           peaks.shape(2) == limbs.shape(2) && peaks.shape(2) == limbs.shape(3) &&
                           peaks.shape(2) <= kLargestSide && peaks.shape(3) == paf::kPeakFacts;
        if (!sound) throw std::invalid_argument("the peaks and limbs do not fit the parser");
        py::list people;
        for (py::ssize_t n = 0; n < batch; ++n) {
            const Affines affine = affine_of(to_frame[n]);
            const paf::Fused fused{peaks.data() + n * peaks.shape(1) * peaks.shape(2) * paf::kPeakFacts,
                                   limbs.data() + n * limbs.shape(1) * limbs.shape(2) * limbs.shape(3),
                                   static_cast<int>(peaks.shape(2))};
            thread_local paf::Scratch scratch;
            int count = 0;
            {
                const py::gil_scoped_release release;
                count = paf::finish(fused, plan_, scratch);
            }
            people.append(people_of(scratch, count, affine.data()));
        }
        return people;
    }

  private:
    static bool is_half(const py::array& array) {
        const char kind = array.dtype().char_();
        if (kind != 'f' && kind != 'e') throw std::invalid_argument("maps are float32 or float16");
        return kind == 'e';
    }

    paf::Plan checked(std::vector<int> part_channels, const std::vector<std::tuple<int, int, int, int, bool>>& limbs,
                      const paf::Settings& settings) {
        const int parts = static_cast<int>(part_channels.size());
        if (settings.samples < 2 || settings.max_peaks < 1 || settings.max_people < 1)
            throw std::invalid_argument("at least 2 samples, 1 peak and 1 person");
        for (const int channel : part_channels) {
            if (channel < 0) throw std::invalid_argument("a channel is negative");
            n_confidences_ = std::max<py::ssize_t>(n_confidences_, channel + 1);
        }
        std::vector<paf::Limb> list;
        for (const auto& [from, to, x_channel, y_channel, attach_only] : limbs) {
            if (from < 0 || to < 0 || from >= parts || to >= parts || from == to || x_channel < 0 || y_channel < 0)
                throw std::invalid_argument("a limb names a part or channel that is not there");
            n_fields_ = std::max<py::ssize_t>({n_fields_, x_channel + 1, y_channel + 1});
            list.push_back({from, to, x_channel, y_channel, attach_only});
        }
        return {std::move(part_channels), std::move(list), settings};
    }

    template <class C, class P>
    py::tuple decode_frame(const py::array& cmap, const py::array& paf, py::ssize_t n, const double* a) const {
        thread_local paf::Scratch scratch;  // so that threads share a parser and no frame allocates
        const paf::Maps<C> cmaps = frame<C>(cmap, n);
        const paf::Maps<P> fields = frame<P>(paf, n);
        py::ssize_t people = 0;
        {
            const py::gil_scoped_release release;
            people = paf::decode(cmaps, fields, plan_, scratch);
        }
        return people_of(scratch, people, a);
    }

    py::tuple people_of(const paf::Scratch& scratch, py::ssize_t people, const double* a) const {
        const py::ssize_t parts = plan_.parts();
        py::array_t<float> xy({people, parts, py::ssize_t{2}}), score({people, parts}), person(people);
        py::array_t<float> box({people, py::ssize_t{4}});
        py::array_t<std::int32_t> track(people);
        paf::write(plan_, scratch, {a[0], a[1], a[2], a[3], a[4], a[5]}, xy.mutable_data(), score.mutable_data(),
                   person.mutable_data(), box.mutable_data());
        std::fill_n(track.mutable_data(), people, -1);
        return py::make_tuple(std::move(xy), std::move(score), std::move(person), std::move(box), std::move(track));
    }

    py::ssize_t n_confidences_ = 0, n_fields_ = 0;  // channels that must be there
    paf::Plan plan_;
};

}  // namespace

PYBIND11_MODULE(_paf, module) {
    module.doc() = "The part-affinity-field parser, crops of people, and the drawing of training targets, compiled.";
    bind_targets(module);
    bind_crops(module);
    py::class_<Parser>(module, "Parser", "Turns confidence and affinity maps into people; threads may share it.")
        .def(py::init<std::vector<int>, const std::vector<std::tuple<int, int, int, int, bool>>&, float, float, int,
                      int, int, int, int, float>(),
             py::kw_only(), py::arg("part_channels"), py::arg("limbs"), py::arg("peak_threshold"),
             py::arg("limb_threshold"), py::arg("limb_samples"), py::arg("needed_samples"), py::arg("max_peaks"),
             py::arg("max_people"), py::arg("min_keypoints"), py::arg("min_person_score"))
        .def("decode", &Parser::decode, py::arg("cmap"), py::arg("paf"), py::arg("to_frame"),
             "Return (xy, score, person, box, track) for every frame of the batch.")
        .def("finish", &Parser::finish, py::arg("peaks"), py::arg("limbs"), py::arg("to_frame"),
             "Return what decode does, from the peaks and limb scores that a network found itself.");
}
