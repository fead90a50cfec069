// Training targets: keypoints in, confidence maps and part affinity fields with their loss weights out.
//
// Plain C++17. trt_pose_app/training/targets_reference.py does the same in numpy and says what the maps mean.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "lanes.hpp"

namespace targets {

struct Settings {
    int width = 0, height = 0;  // cells
    int stride = 1;             // pixels a cell
    float cmap_sigma = 1, paf_sigma = 1;
    float cmap_reach = 0, paf_reach = 0;  // how far from keypoints and limbs cells are touched
    int square_window = -1;               // trt_pose's: this many cells around the nearest one; -1: cmap_reach counts
    float uncertain_weight = 1;
    bool mean = true;  // where limbs overlap
    bool hide_unknown = true, hide_ignored = true;
};

struct Limb {
    int from, to;
};

// The people of a picture, in its pixels: rows of C arrays that the caller holds.
struct People {
    std::ptrdiff_t count = 0, ignored = 0;
    const float* xy = nullptr;              // (count, parts, 2)
    const std::uint8_t* visible = nullptr;  // (count, parts)
    const float* box = nullptr;             // (count, 4)
    const float* window = nullptr;          // (count, 4)
    const float* ignore = nullptr;          // (ignored, 4)
};

struct Output {
    float *cmap, *paf, *cmap_weight, *paf_weight;  // (parts, h, w) and (2 limbs, h, w), y before x
};

// Half-open.
struct Cells {
    int x0, y0, x1, y1;

    bool empty() const { return x1 <= x0 || y1 <= y0; }
};

// Memory that pictures of one thread share.
struct Scratch {
    std::vector<float> strength, cmap_sure, strength_sure, row, column, xy;
};

constexpr float kClear = 0.1f;  // where a known target is at least this, another's unknown keypoint hides nothing
constexpr float kBoxMargin = 0.1f;
constexpr float kFarthest = 5.66f;  // standard deviations: exp(-16) = 1e-7 is nothing in single precision
constexpr float kDiffers = 0.01f;

// e^x for x <= 0, to 2 units in the last place (Cephes' polynomial).
inline paf::Floats exp4(paf::Floats x) {
    const paf::Ints below = x < -87.0f;
    const paf::Ints n = __builtin_convertvector(x * 1.44269504f - 0.5f, paf::Ints);  // towards 0: to the nearest
    const paf::Floats whole = __builtin_convertvector(n, paf::Floats);
    const paf::Floats r = x - whole * 0.693359375f - whole * -2.12194440e-4f;
    paf::Floats y = paf::all(1.9875691500e-4f);
    for (const float term : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
        y = y * r + term;
    y = y * r * r + r + 1.0f;
    const paf::Ints bits = (n + 127) << 23;
    paf::Floats power;
    std::memcpy(&power, &bits, sizeof power);
    y *= power;
    std::memcpy(&power, &y, sizeof power);
    paf::Ints kept;
    std::memcpy(&kept, &power, sizeof kept);
    kept &= ~below;
    std::memcpy(&y, &kept, sizeof y);
    return y;
}

// In place; writes up to three values beyond.
inline void exponentials(float* values, int count) {
    for (int i = 0; i < count; i += 4) paf::store4(values + i, exp4(paf::load4(values + i)));
}

// To int without overflow; a NaN becomes `low`.
inline int clamped(float value, int low, int high) {
    if (!(value > static_cast<float>(low))) return low;
    return value < static_cast<float>(high) ? static_cast<int>(value) : high;
}

inline Cells covering(const float* box, const Settings& s) {
    const auto stride = static_cast<float>(s.stride);
    return {clamped(std::floor(box[0] / stride), 0, s.width), clamped(std::floor(box[1] / stride), 0, s.height),
            clamped(std::ceil(box[2] / stride), 0, s.width), clamped(std::ceil(box[3] / stride), 0, s.height)};
}

inline Cells common(const Cells& a, const Cells& b) {
    return {std::max(a.x0, b.x0), std::max(a.y0, b.y0), std::min(a.x1, b.x1), std::min(a.y1, b.y1)};
}

// The cells within `reach` of the rectangle low..high.
inline Cells around(float low_x, float low_y, float high_x, float high_y, float reach, const Settings& s) {
    return {clamped(std::ceil(low_x - reach), 0, s.width), clamped(std::ceil(low_y - reach), 0, s.height),
            clamped(std::floor(high_x + reach) + 1, 0, s.width), clamped(std::floor(high_y + reach) + 1, 0, s.height)};
}

inline Cells square(float x, float y, const Settings& s) {
    const auto w = static_cast<float>(s.square_window);
    x = std::floor(x + 0.5f);
    y = std::floor(y + 0.5f);
    return {clamped(x - w, 0, s.width), clamped(y - w, 0, s.height), clamped(x + w + 1, 0, s.width),
            clamped(y + w + 1, 0, s.height)};
}

inline void raise_to(float* row, const float* values, float factor, int count) {
    for (int i = 0; i < count; ++i) row[i] = std::max(row[i], values[i] * factor);
}

inline void add_confidence(float* map, float* sure, float x, float y, const Cells& cells, const Settings& s,
                           Scratch& scratch) {
    const float scale = -0.5f / (s.cmap_sigma * s.cmap_sigma);
    float *row = scratch.row.data(), *column = scratch.column.data();
    const int width = cells.x1 - cells.x0, height = cells.y1 - cells.y0;
    for (int i = 0; i < width; ++i) {
        const float dx = static_cast<float>(cells.x0 + i) - x;
        row[i] = dx * dx * scale;
    }
    for (int i = 0; i < height; ++i) {
        const float dy = static_cast<float>(cells.y0 + i) - y;
        column[i] = dy * dy * scale;
    }
    exponentials(row, width);
    exponentials(column, height);
    for (int i = 0; i < height; ++i) {
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(cells.y0 + i) * s.width + cells.x0;
        raise_to(map + at, row, column[i], width);
        if (sure != nullptr) raise_to(sure + at, row, column[i], width);
    }
}

// `fields` are the limb's y and x maps, one after the other.
inline void add_affinity(float* fields, float* strength, float* sure, const float* start, const float* end,
                         const Cells& cells, const Settings& s, Scratch& scratch) {
    const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(s.width) * s.height;
    const float scale = -0.5f / (s.paf_sigma * s.paf_sigma), farthest = kFarthest * s.paf_sigma;
    const float length = std::hypot(end[0] - start[0], end[1] - start[1]);
    const float ux = (end[0] - start[0]) / std::max(length, 1e-6f), uy = (end[1] - start[1]) / std::max(length, 1e-6f);
    float* value = scratch.row.data();
    for (int y = cells.y0; y < cells.y1; ++y) {
        const float dy = static_cast<float>(y) - start[1];
        int x0 = cells.x0, x1 = cells.x1;
        if (std::abs(uy) > 1e-3f) {  // of a slanted limb's rectangle most cells are far from it
            const float middle = start[0] + dy * ux / uy, half = farthest / std::abs(uy);
            x0 = std::max(x0, clamped(std::floor(middle - half), 0, s.width));
            x1 = std::min(x1, clamped(std::ceil(middle + half) + 1, 0, s.width));
        }
        const int width = x1 - x0;
        for (int i = 0; i < width; ++i) {
            const float dx = static_cast<float>(x0 + i) - start[0];
            const float along = dx * ux + dy * uy, across = dx * uy - dy * ux;
            const float beyond = along - std::min(std::max(along, 0.0f), length);
            value[i] = (beyond * beyond + across * across) * scale;
        }
        exponentials(value, width);
        const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(y) * s.width + x0;
        float *total = strength + at, *field_y = fields + at, *field_x = fields + plane + at;
        for (int i = 0; i < width; ++i) total[i] += value[i];
        for (int i = 0; i < width; ++i) field_y[i] += value[i] * uy;
        for (int i = 0; i < width; ++i) field_x[i] += value[i] * ux;
        if (sure != nullptr)
            for (int i = 0; i < width; ++i) sure[at + i] += value[i];
    }
}

// 1, or less where only uncertain keypoints speak.
inline void weigh(float* weight, const float* maps, const float* sure, float uncertain, std::ptrdiff_t count) {
    if (sure == nullptr) {
        std::fill_n(weight, count, 1.0f);
        return;
    }
    for (std::ptrdiff_t i = 0; i < count; ++i) weight[i] = maps[i] > sure[i] + kDiffers ? uncertain : 1.0f;
}

inline void hide(float* weight, const float* maps, const Cells& cells, int width) {
    for (int y = cells.y0; y < cells.y1; ++y)
        for (std::ptrdiff_t i = static_cast<std::ptrdiff_t>(y) * width + cells.x0, end = i + cells.x1 - cells.x0;
             i < end; ++i)
            weight[i] = maps != nullptr && maps[i] >= kClear ? weight[i] : 0.0f;
}

inline void draw(const People& people, int parts, const std::vector<Limb>& limbs, const Settings& s, Output out,
                 Scratch& scratch) {
    const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(s.width) * s.height;
    const auto n_limbs = static_cast<std::ptrdiff_t>(limbs.size());
    const bool all_sure = std::find(people.visible, people.visible + people.count * parts, 1) ==
                          people.visible + people.count * parts;
    std::fill_n(out.cmap, parts * plane, 0.0f);
    std::fill_n(out.paf, 2 * n_limbs * plane, 0.0f);
    scratch.strength.assign(n_limbs * plane, 0.0f);
    scratch.cmap_sure.assign(all_sure ? 0 : parts * plane, 0.0f);
    scratch.strength_sure.assign(all_sure ? 0 : n_limbs * plane, 0.0f);
    scratch.row.resize(s.width + 4);
    scratch.column.resize(s.height + 4);
    scratch.xy.resize(2 * parts);
    float *strength = scratch.strength.data(), *xy = scratch.xy.data();
    const auto sure_of = [&](std::vector<float>& maps, std::ptrdiff_t channel, bool sure) {
        return !all_sure && sure ? maps.data() + channel * plane : nullptr;
    };

    const float offset = static_cast<float>(s.stride - 1) / 2;
    for (std::ptrdiff_t p = 0; p < people.count; ++p) {
        const std::uint8_t* visible = people.visible + p * parts;
        const Cells shown = covering(people.window + 4 * p, s);
        for (int i = 0; i < 2 * parts; ++i)
            xy[i] = (people.xy[p * 2 * parts + i] - offset) / static_cast<float>(s.stride);
        for (int k = 0; k < parts; ++k) {
            if (visible[k] == 0) continue;
            const float x = xy[2 * k], y = xy[2 * k + 1];
            const Cells cells =
                common(s.square_window >= 0 ? square(x, y, s) : around(x, y, x, y, s.cmap_reach, s), shown);
            if (!cells.empty())
                add_confidence(out.cmap + k * plane, sure_of(scratch.cmap_sure, k, visible[k] == 2), x, y, cells, s,
                               scratch);
        }
        for (std::ptrdiff_t l = 0; l < n_limbs; ++l) {
            const int a = limbs[l].from, b = limbs[l].to, least = std::min(visible[a], visible[b]);
            if (least == 0) continue;
            const float *start = xy + 2 * a, *end = xy + 2 * b;
            const Cells cells = common(around(std::min(start[0], end[0]), std::min(start[1], end[1]),
                                              std::max(start[0], end[0]), std::max(start[1], end[1]), s.paf_reach, s),
                                       shown);
            if (!cells.empty())
                add_affinity(out.paf + 2 * l * plane, strength + l * plane, sure_of(scratch.strength_sure, l, least == 2),
                             start, end, cells, s, scratch);
        }
    }
    if (s.mean && people.count > 1) {  // one person's limb never exceeds 1
        for (std::ptrdiff_t l = 0; l < n_limbs; ++l)
            for (float* field : {out.paf + 2 * l * plane, out.paf + (2 * l + 1) * plane})
                for (std::ptrdiff_t i = 0; i < plane; ++i) field[i] /= std::max(strength[l * plane + i], 1.0f);
    }

    weigh(out.cmap_weight, out.cmap, all_sure ? nullptr : scratch.cmap_sure.data(), s.uncertain_weight, parts * plane);
    for (std::ptrdiff_t l = 0; l < n_limbs; ++l)
        weigh(out.paf_weight + 2 * l * plane, strength + l * plane, sure_of(scratch.strength_sure, l, true),
              s.uncertain_weight, plane);
    for (std::ptrdiff_t p = 0; s.hide_unknown && p < people.count; ++p) {
        const std::uint8_t* visible = people.visible + p * parts;
        const float* box = people.box + 4 * p;
        const float margin = kBoxMargin * std::max({box[2] - box[0], box[3] - box[1], 0.0f});
        const float wider[] = {box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin};
        const Cells cells = common(covering(wider, s), covering(people.window + 4 * p, s));
        for (int k = 0; k < parts; ++k)
            if (visible[k] == 0) hide(out.cmap_weight + k * plane, out.cmap + k * plane, cells, s.width);
        for (std::ptrdiff_t l = 0; l < n_limbs; ++l)
            if (visible[limbs[l].from] == 0 || visible[limbs[l].to] == 0)
                hide(out.paf_weight + 2 * l * plane, strength + l * plane, cells, s.width);
    }
    for (std::ptrdiff_t q = 0; s.hide_ignored && q < people.ignored; ++q) {
        const Cells cells = covering(people.ignore + 4 * q, s);
        for (int k = 0; k < parts; ++k) hide(out.cmap_weight + k * plane, nullptr, cells, s.width);
        for (std::ptrdiff_t l = 0; l < n_limbs; ++l) hide(out.paf_weight + 2 * l * plane, nullptr, cells, s.width);
    }
    for (std::ptrdiff_t l = 0; l < n_limbs; ++l)
        std::copy_n(out.paf_weight + 2 * l * plane, plane, out.paf_weight + (2 * l + 1) * plane);
}

}  // namespace targets
