// Cuts scaled, normalised crops out of a BGR picture into a network's planar float input, in one pass each.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "lanes.hpp"

namespace crop {

struct Picture {
    const std::uint8_t* data;  // rows of B, G, R
    std::ptrdiff_t row_stride;
    int width, height;
};

// Output plane c holds the picture's channel `source[c]`, times `gain[c]`, plus `bias[c]`.
struct Normalisation {
    int source[3];
    float gain[3], bias[3];
    std::uint8_t border;  // what lies beyond the picture
};

// Where a crop's pixel lies in the picture: between `first` and `first + 1`, `weight` of the way. Beyond the picture
// it is one of the border pixels -1 and `size`.
struct Tap {
    int first;
    float weight;
};

// One crop's own memory, kept between crops.
struct Scratch {
    std::vector<Tap> columns, rows;
    std::vector<float> segment;     // the columns of one source row that the crop needs, as B, G, R
    std::vector<float> resized[2];  // two source rows at the crop's width, one plane after the other
};

// Output pixel i lies at (i - shift) / scale of the picture. Any floats give a tap inside -1..size.
inline void place(std::vector<Tap>& taps, int count, double scale, double shift, int size) {
    taps.resize(count);
    for (int i = 0; i < count; ++i) {
        const double at = (i - shift) / scale;
        if (!(at > -1)) {  // also NaN
            taps[i] = {-1, 0.0f};
        } else if (at >= size) {
            taps[i] = {size, 0.0f};
        } else {
            const double first = std::floor(at);
            taps[i] = {static_cast<int>(first), static_cast<float>(at - first)};
        }
    }
}

// Resizes one source row to the crop's width: three planes of `stride` floats.
inline void resize_row(const Picture& picture, int y, std::uint8_t border, Scratch& scratch, int stride, float* planes) {
    if (y < 0 || y >= picture.height) {
        std::fill_n(planes, 3 * stride, static_cast<float>(border));
        return;
    }
    const int first = scratch.columns.front().first, last = scratch.columns.back().first + 1;  // ascending
    const int inner_first = std::max(first, 0), inner_last = std::min(last, picture.width - 1);
    float* const segment = scratch.segment.data();
    std::fill_n(segment, 3 * (inner_first - first), static_cast<float>(border));
    const int inner = 3 * std::max(inner_last - inner_first + 1, 0);
    const std::uint8_t* const pixels = picture.data + y * picture.row_stride + 3 * inner_first;
    float* const inside = segment + 3 * (inner_first - first);
    for (int i = 0; i < inner; ++i) inside[i] = pixels[i];
    std::fill(inside + inner, segment + 3 * (last - first + 1) + 1, static_cast<float>(border));
    const Tap* const taps = scratch.columns.data();
    for (int x = 0; x < stride; x += 4) {
        paf::Floats lane[4];
        for (int i = 0; i < 4; ++i) {
            const float* const left = segment + 3 * (taps[x + i].first - first);
            const paf::Floats a = paf::load4(left), b = paf::load4(left + 3);
            lane[i] = a + (b - a) * paf::all(taps[x + i].weight);
        }
        paf::transpose(lane[0], lane[1], lane[2], lane[3]);
        for (int c = 0; c < 3; ++c) paf::store4(planes + c * stride + x, lane[c]);
    }
}

// Writes the crop whose pixel p is the picture's (p - shift) / scale, bilinearly, into three planes of width x height.
inline void cut(const Picture& picture, double scale, double shift_x, double shift_y, int width, int height,
                const Normalisation& normal, Scratch& scratch, float* out) {
    const int stride = (width + 3) / 4 * 4;
    place(scratch.columns, stride, scale, shift_x, picture.width);
    place(scratch.rows, height, scale, shift_y, picture.height);
    // One pixel more than the last, which four lanes read and nobody uses.
    scratch.segment.resize(3 * static_cast<std::size_t>(scratch.columns.back().first - scratch.columns.front().first + 3));
    int held[2] = {-3, -3};  // the source rows that `resized` holds
    for (auto& row : scratch.resized) row.resize(3 * static_cast<std::size_t>(stride));
    const std::size_t plane = static_cast<std::size_t>(width) * height;
    for (int y = 0; y < height; ++y) {
        const Tap tap = scratch.rows[y];
        if (held[0] != tap.first && held[1] == tap.first) {
            std::swap(held[0], held[1]);
            std::swap(scratch.resized[0], scratch.resized[1]);
        }
        for (int i = 0; i < 2; ++i) {
            if (held[i] == tap.first + i) continue;
            held[i] = tap.first + i;
            resize_row(picture, held[i], normal.border, scratch, stride, scratch.resized[i].data());
        }
        for (int c = 0; c < 3; ++c) {
            const float* const __restrict__ above = scratch.resized[0].data() + normal.source[c] * stride;
            const float* const __restrict__ below = scratch.resized[1].data() + normal.source[c] * stride;
            float* const __restrict__ target = out + c * plane + static_cast<std::size_t>(y) * width;
            const float weight = tap.weight, gain = normal.gain[c], bias = normal.bias[c];
            for (int x = 0; x < width; ++x) target[x] = (above[x] + (below[x] - above[x]) * weight) * gain + bias;
        }
    }
}

}  // namespace crop
