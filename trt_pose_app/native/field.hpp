// Views of network outputs: (channels, height, width) planes of float or half with any strides, never copied here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace paf {

// IEEE 754 binary16 as it lies in memory.
struct Half {
    std::uint16_t bits;
};

inline float load(const char* at, const float*) {
    float value;
    std::memcpy(&value, at, sizeof value);  // strides may leave floats unaligned
    return value;
}

inline float load(const char* at, const Half*) {
    std::uint16_t half;
    std::memcpy(&half, at, sizeof half);
    // Shift the exponent and mantissa into place and let one exact multiplication rescale, denormals included.
    const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7fffu) << 13;
    const std::uint32_t rescale_bits = 0x77800000u;  // 2^112
    float value, rescale;
    std::memcpy(&value, &magnitude, sizeof value);
    std::memcpy(&rescale, &rescale_bits, sizeof rescale);
    value *= rescale;
    std::uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    if ((half & 0x7c00u) == 0x7c00u) bits = magnitude | 0x7f800000u;  // infinity and NaN
    bits |= static_cast<std::uint32_t>(half & 0x8000u) << 16;
    std::memcpy(&value, &bits, sizeof value);
    return value;
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
        for (int y = 0; y < height; ++y)
            for (int x = 0; x < width; ++x)
                *out++ = load(plane + y * row_stride + x * column_stride, static_cast<const T*>(nullptr));
        return dense;
    }
};

}  // namespace paf
