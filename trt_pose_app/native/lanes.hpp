// Four floats at a time, by the vector extension that GCC and Clang share: SSE2 on x86, NEON on ARM, no intrinsics.
#pragma once

#include <cstdint>
#include <cstring>

namespace paf {

using Floats = float __attribute__((vector_size(16)));
using Ints = std::int32_t __attribute__((vector_size(16)));

inline Floats load4(const float* at) {
    Floats value;
    std::memcpy(&value, at, sizeof value);
    return value;
}

inline void store4(float* at, Floats value) { std::memcpy(at, &value, sizeof value); }

inline Floats all(float value) { return Floats{value, value, value, value}; }

inline Ints all(int value) { return Ints{value, value, value, value}; }

// The even lanes of both, and the odd ones.
inline Floats evens(Floats a, Floats b) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, 0, 2, 4, 6);
#else
    return __builtin_shuffle(a, b, Ints{0, 2, 4, 6});
#endif
}

inline Floats odds(Floats a, Floats b) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, 1, 3, 5, 7);
#else
    return __builtin_shuffle(a, b, Ints{1, 3, 5, 7});
#endif
}

// The lanes of both in turn: of their first halves, and of their last.
inline Floats zip_first(Floats a, Floats b) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, 0, 4, 1, 5);
#else
    return __builtin_shuffle(a, b, Ints{0, 4, 1, 5});
#endif
}

inline Floats zip_last(Floats a, Floats b) {
#ifdef __clang__
    return __builtin_shufflevector(a, b, 2, 6, 3, 7);
#else
    return __builtin_shuffle(a, b, Ints{2, 6, 3, 7});
#endif
}

// Rows of four to columns of four.
inline void transpose(Floats& a, Floats& b, Floats& c, Floats& d) {
    const Floats even_ab = evens(a, b), even_cd = evens(c, d), odd_ab = odds(a, b), odd_cd = odds(c, d);
    a = evens(even_ab, even_cd);
    b = evens(odd_ab, odd_cd);
    c = odds(even_ab, even_cd);
    d = odds(odd_ab, odd_cd);
}

// Whether a comparison holds in any lane.
inline bool any(Ints mask) {
    std::uint64_t halves[2];
    std::memcpy(halves, &mask, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

}  // namespace paf
