// The part-affinity-field decoder: confidence and affinity maps of one frame in, people out.
//
// Plain C++17 without Python, OpenCV or torch. Total: for any floats it ends in bounded time, and in steady state it
// allocates nothing. trt_pose_app/decode/paf_reference.py does the same in numpy, operation by operation.
#pragma once

#include <algorithm>
#include <limits>

#include "limbs.hpp"
#include "peaks.hpp"
#include "people.hpp"

namespace paf {

// Cells to frame pixels: x' = xx x + xy y + x0, y' = yx x + yy y + y0.
struct Affine {
    double xx, xy, x0, yx, yy, y0;
};

// Decodes one frame and returns the number of people, which `write` then gives. Both outputs' maps are of one size.
template <class C, class P>
int decode(const Maps<C>& cmap, const Maps<P>& paf, const Plan& plan, Scratch& scratch) {
    find_peaks(cmap, plan, scratch);
    score_limbs(paf, plan, scratch);
    assemble(plan, scratch);
    return static_cast<int>(scratch.ranking.size());
}

// Writes the decoded people: xy (n, parts, 2) with NaN where missing, score (n, parts), person (n), box (n, 4).
inline void write(const Plan& plan, const Scratch& scratch, const Affine& to_frame, float* xy, float* score,
                  float* person, float* box) {
    const std::size_t k_parts = plan.part_channels.size();
    for (const int p : scratch.ranking) {
        constexpr float infinity = std::numeric_limits<float>::infinity();
        float left = infinity, top = infinity, right = -infinity, bottom = -infinity;
        for (std::size_t k = 0; k < k_parts; ++k, xy += 2, ++score) {
            const int index = scratch.members[p * k_parts + k];
            if (index < 0) {
                xy[0] = xy[1] = std::numeric_limits<float>::quiet_NaN();
                *score = 0;
                continue;
            }
            const Peak& peak = scratch.peaks[index];
            xy[0] = static_cast<float>(to_frame.xx * peak.x + to_frame.xy * peak.y + to_frame.x0);
            xy[1] = static_cast<float>(to_frame.yx * peak.x + to_frame.yy * peak.y + to_frame.y0);
            *score = peak.score;
            left = std::min(left, xy[0]);
            top = std::min(top, xy[1]);
            right = std::max(right, xy[0]);
            bottom = std::max(bottom, xy[1]);
        }
        *person++ = scratch.people[p].score;
        *box++ = left;
        *box++ = top;
        *box++ = right;
        *box++ = bottom;
    }
}

}  // namespace paf
