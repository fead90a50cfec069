// Views of network outputs: (channels, height, width) planes of float or half with any strides, never copied here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "lanes.hpp"

namespace paf {

// IEEE 754 binary16 as it lies in memory.
struct Half {
    std::uint16_t bits;
};

// A half's exponent and mantissa are shifted into a float's place; this exact factor then mends the exponent, denormals
// included. Infinity and NaN are from here on.
constexpr float kHalfRescale = 5192296858534827628530496329220096.0f;  // 2^112
constexpr std::uint32_t kHalfInfinity = 0x7c00u << 13;

inline float load(const char* at, const float*) {
    float value;
    std::memcpy(&value, at, sizeof value);  // strides may leave floats unaligned
    return value;
}

inline float load(const char* at, const Half*) {
    std::uint16_t half;
    std::memcpy(&half, at, sizeof half);
    const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7fffu) << 13;
    float value;
    std::memcpy(&value, &magnitude, sizeof value);
    value *= kHalfRescale;
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if (magnitude >= kHalfInfinity) bits = magnitude | 0x7f800000u;
    bits |= static_cast<std::uint32_t>(half & 0x8000u) << 16;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

// Four that lie side by side.
inline Floats load4(const char* at, const float*) {
    Floats values;
    std::memcpy(&values, at, sizeof values);
    return values;
}

inline Floats load4(const char* at, const Half*) {
    using Halves = std::uint16_t __attribute__((vector_size(8)));
    Halves halves;
    std::memcpy(&halves, at, sizeof halves);
    const Ints wide = __builtin_convertvector(halves, Ints);
    const Ints magnitude = (wide & 0x7fff) << 13;
    Floats values;
    std::memcpy(&values, &magnitude, sizeof values);
    values *= all(kHalfRescale);
    Ints bits;
    std::memcpy(&bits, &values, sizeof bits);
    const Ints special = magnitude >= static_cast<std::int32_t>(kHalfInfinity);
    bits = (bits & ~special) | ((magnitude | 0x7f800000) & special) | (wide & 0x8000) << 16;
    std::memcpy(&values, &bits, sizeof values);
    return values;
}

// One frame's maps of one output. Strides are in bytes.
template <class T>
struct Maps {
    const char* data = nullptr;
    std::ptrdiff_t channel_stride = 0, row_stride = 0, column_stride = 0;
    int height = 0, width = 0;

    const char* channel(int c) const { return data + c * channel_stride; }

    // The channel as height * width floats in a row: in place if it already lies so, else copied into `dense`,
    // which has room for it.
    const float* rows(int c, float* dense) const {
        const char* plane = channel(c);
        if constexpr (sizeof(T) == sizeof(float)) {
            const bool in_a_row = column_stride == sizeof(float) &&
                                  row_stride == static_cast<std::ptrdiff_t>(sizeof(float)) * width;
            if (in_a_row && reinterpret_cast<std::uintptr_t>(plane) % alignof(float) == 0)
                return reinterpret_cast<const float*>(plane);
        }
        float* out = dense;
        constexpr const T* type = nullptr;
        for (int y = 0; y < height; ++y) {
            const char* row = plane + y * row_stride;
            int x = 0;
            if (column_stride == sizeof(T))
                for (; x + 4 <= width; x += 4, out += 4) store4(out, load4(row + x * column_stride, type));
            for (; x < width; ++x) *out++ = load(row + x * column_stride, type);
        }
        return dense;
    }
};

}  // namespace paf
