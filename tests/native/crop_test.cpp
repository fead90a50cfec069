// The crops' own tests: plain C++17, no framework. `crop_test [fuzz rounds]` exits 1 at the first failure.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <random>
#include <vector>

#include "../../trt_pose_app/native/crop.hpp"

#define CHECK(condition)                                                               \
    do {                                                                               \
        if (!(condition)) {                                                            \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);       \
            std::exit(1);                                                              \
        }                                                                              \
    } while (false)

namespace {

// The value of one channel at a place of the picture, bilinear, the border around it: as slow and plain as can be.
double sample(const crop::Picture& picture, double x, double y, int channel, double border) {
    const auto pixel = [&](double column, double row) {
        if (!(column >= 0 && row >= 0 && column < picture.width && row < picture.height)) return border;
        return static_cast<double>(picture.data[static_cast<long>(row) * picture.row_stride +
                                                3 * static_cast<long>(column) + channel]);
    };
    const double left = std::floor(x), top = std::floor(y), u = x - left, v = y - top;
    const double above = pixel(left, top) + (pixel(left + 1, top) - pixel(left, top)) * u;
    const double below = pixel(left, top + 1) + (pixel(left + 1, top + 1) - pixel(left, top + 1)) * u;
    return above + (below - above) * v;
}

void fuzz(int rounds) {
    std::mt19937 random(1);
    const auto below = [&](int limit) { return static_cast<int>(random() % limit); };
    crop::Scratch scratch;
    const double odd[] = {0.0, -1e30, 1e30, std::numeric_limits<double>::infinity(), -7.5,
                          std::numeric_limits<double>::quiet_NaN()};
    for (int round = 0; round < rounds; ++round) {
        const int width = 1 + below(20), height = 1 + below(20), out_width = 1 + below(13), out_height = 1 + below(13);
        const int row_stride = 3 * width + below(4);
        // Exactly as large as it must be, so that the sanitizer sees every step beyond.
        std::vector<std::uint8_t> pixels(row_stride * (height - 1) + 3 * width);
        for (auto& value : pixels) value = static_cast<std::uint8_t>(random());
        const crop::Picture picture{pixels.data(), row_stride, width, height};
        const crop::Normalisation normal{{2, 1, 0}, {0.5f, 1.0f, 2.0f}, {1.0f, 0.0f, -3.0f}, 114};
        std::vector<float> out(3 * out_width * out_height, -999.0f);
        const bool sane = below(4) != 0;
        const double scale = sane ? 0.05 + below(1000) / 200.0 : (below(2) ? 1e-9 : 1e9);
        const double shift_x = sane ? below(60) - 30.25 : odd[below(6)], shift_y = sane ? below(60) - 30.5 : odd[below(6)];
        crop::cut(picture, scale, shift_x, shift_y, out_width, out_height, normal, scratch, out.data());
        for (int c = 0; c < 3; ++c)
            for (int y = 0; y < out_height; ++y)
                for (int x = 0; x < out_width; ++x) {
                    const float found = out[(c * out_height + y) * out_width + x];
                    CHECK(found >= -3.0f && found <= 255 * 2.0f + 1.0f);
                    if (!sane) continue;
                    const double at = sample(picture, (x - shift_x) / scale, (y - shift_y) / scale, 2 - c, 114);
                    CHECK(std::fabs(found - (at * normal.gain[c] + normal.bias[c])) < 0.01);
                }
    }
}

}  // namespace

int main(int count, char** words) {
    fuzz(count > 1 ? std::atoi(words[1]) : 2000);
    std::puts("ok");
}
