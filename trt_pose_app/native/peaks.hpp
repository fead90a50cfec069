// Step 1: local maxima of the confidence maps, to a fraction of a cell.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "field.hpp"
#include "lanes.hpp"
#include "plan.hpp"

namespace paf {

constexpr int kBlock = 32;            // cells that one look dismisses together
constexpr float kLeastPeak = 1e-30f;  // a score of 0 means missing, so zeros and denormals are never peaks

// How a cell compares with its neighbours. NaN is neither higher nor equal.
struct Surroundings {
    bool higher = false, equal = false;
};

inline Surroundings look_around(const float* map, int height, int width, int y, int x) {
    const float* at = map + static_cast<std::ptrdiff_t>(y) * width + x;
    const float v = *at;
    if (y > 0 && y < height - 1 && x > 0 && x < width - 1) {
        const float *up = at - width, *down = at + width;
        const bool higher = (up[-1] > v) | (up[0] > v) | (up[1] > v) | (at[-1] > v) | (at[1] > v) | (down[-1] > v) |
                            (down[0] > v) | (down[1] > v);
        const bool equal = (up[-1] == v) | (up[0] == v) | (up[1] == v) | (at[-1] == v) | (at[1] == v) |
                           (down[-1] == v) | (down[0] == v) | (down[1] == v);
        return {higher, equal};
    }
    Surroundings result;
    for (int dy = y > 0 ? -1 : 0; dy <= (y < height - 1 ? 1 : 0); ++dy)
        for (int dx = x > 0 ? -1 : 0; dx <= (x < width - 1 ? 1 : 0); ++dx) {
            const float n = at[static_cast<std::ptrdiff_t>(dy) * width + dx];
            result.higher |= n > v;
            result.equal |= (dy != 0 || dx != 0) && n == v;
        }
    return result;
}

// Which of the four cells from `at` on, none in the map's outermost rows and columns, have no higher neighbour.
inline Ints none_higher(const float* at, int width) {
    const Floats v = load4(at);
    const float *up = at - width, *down = at + width;
    const Ints higher = (load4(up - 1) > v) | (load4(up) > v) | (load4(up + 1) > v) | (load4(at - 1) > v) |
                        (load4(at + 1) > v) | (load4(down - 1) > v) | (load4(down) > v) | (load4(down + 1) > v);
    return ~higher;
}

// Walks the plateau that a cell belongs to. Returns its cell nearest the centroid, or -1 if the plateau has a higher
// neighbour or was walked before.
inline int plateau_centre(const float* map, int height, int width, int cell, Scratch& scratch) {
    if (scratch.visited.empty()) scratch.visited.assign(static_cast<std::size_t>(height) * width, 0);
    std::uint8_t* visited = scratch.visited.data();
    if (visited[cell]) return -1;
    std::vector<Cell>& cells = scratch.plateau;
    cells.assign(1, {cell / width, cell % width});
    visited[cell] = 1;
    const float v = map[cell];
    bool highest = true;
    double sum_x = 0, sum_y = 0;
    for (std::size_t i = 0; i < cells.size(); ++i) {
        const Cell at = cells[i];
        sum_x += at.x;
        sum_y += at.y;
        const int top = std::max(at.y - 1, 0), bottom = std::min(at.y + 1, height - 1);
        const int left = std::max(at.x - 1, 0), right = std::min(at.x + 1, width - 1);
        for (int y = top; y <= bottom; ++y)
            for (int x = left; x <= right; ++x) {
                const int neighbour = y * width + x;
                highest &= !(map[neighbour] > v);
                if (visited[neighbour] || map[neighbour] != v) continue;
                visited[neighbour] = 1;
                cells.push_back({y, x});
            }
    }
    if (!highest) return -1;
    const double n = static_cast<double>(cells.size());
    double nearest = std::numeric_limits<double>::infinity();
    int centre = cell;
    for (const Cell at : cells) {
        const double dx = n * at.x - sum_x, dy = n * at.y - sum_y;
        const double distance = dx * dx + dy * dy;
        const int candidate = at.y * width + at.x;
        if (distance < nearest || (distance == nearest && candidate < centre)) {
            nearest = distance;
            centre = candidate;
        }
    }
    return centre;
}

// The logarithms of a cell's two neighbours along one axis, relative to it; a side outside the map is missing.
struct Flanks {
    bool has_low, has_high;
    double low = 0, high = 0;

    // Inverse variance of the Gaussian through the three cells; 0 if a side is missing.
    double curvature() const { return has_low && has_high ? -(low + high) : 0; }

    // Where the Gaussian peaks, in cells from the centre. At the map's edge the other axis lends its width.
    double offset(double other_curvature) const {
        double at = 0;
        if (has_low && has_high) {
            const double k = curvature();
            if (k > 0) at = 0.5 * (high - low) / k;
        } else if (other_curvature > 0) {
            if (has_high) at = 0.5 + high / other_curvature;
            if (has_low) at = -0.5 - low / other_curvature;
        }
        return std::min(std::max(at, -0.5), 0.5);
    }
};

inline Flanks flanks(const float* at, std::ptrdiff_t step, bool has_low, bool has_high) {
    // Below a hundredth of the peak there is only noise, and no logarithm for what is negative.
    const float least = *at * 0.01f;
    const double centre = *at;
    Flanks result{has_low, has_high};
    if (has_low) result.low = std::log((at[-step] > least ? at[-step] : least) / centre);
    if (has_high) result.high = std::log((at[step] > least ? at[step] : least) / centre);
    return result;
}

// Fits a Gaussian through the cell and its four neighbours; never leaves the cell.
inline Peak refine(const float* map, int height, int width, int cell) {
    const int y = cell / width, x = cell % width;
    const Flanks across = flanks(map + cell, 1, x > 0, x < width - 1);
    const Flanks down = flanks(map + cell, width, y > 0, y < height - 1);
    return {static_cast<float>(x + across.offset(down.curvature())),
            static_cast<float>(y + down.offset(across.curvature())), std::min(map[cell], 1.0f), cell};
}

// The maxima of one map that lies dense, in raster order: at most max_peaks, the strongest. Fills scratch.found.
inline void find_peaks_of(const float* map, int height, int width, float threshold, int max_peaks, Scratch& scratch) {
    std::vector<Peak>& found = scratch.found;
    found.clear();
    scratch.visited.clear();
    bool plateaus = false;
    threshold = std::max(threshold, kLeastPeak);
    const auto consider = [&](int cell) {
        const float v = map[cell];
        if (!(v >= threshold && v <= std::numeric_limits<float>::max())) return;
        const Surroundings around = look_around(map, height, width, cell / width, cell % width);
        if (around.higher) return;
        if (around.equal) {
            cell = plateau_centre(map, height, width, cell, scratch);
            if (cell < 0) return;
            plateaus = true;
        }
        found.push_back({0, 0, v, cell});
    };
    const auto inner = [&](int cell) {  // four cells off the outermost rows and columns
        const int x = cell % width, y = cell / width;
        return x > 0 && x + 4 < width && y > 0 && y + 1 < height;
    };
    const Floats limit = all(threshold);
    const int n_cells = height * width;
    int start = 0;
    for (; start + kBlock <= n_cells; start += kBlock) {
        Ints block{};
        for (int i = 0; i < kBlock; i += 4) block |= load4(map + start + i) >= limit;
        if (!any(block)) continue;
        for (int cell = start; cell < start + kBlock; cell += 4) {
            const Ints above = load4(map + cell) >= limit;
            if (!any(above)) continue;
            if (inner(cell) && !any(above & none_higher(map + cell, width))) continue;
            for (int i = 0; i < 4; ++i) consider(cell + i);
        }
    }
    for (; start < n_cells; ++start) consider(start);

    if (plateaus)
        std::sort(found.begin(), found.end(), [](const Peak& a, const Peak& b) { return a.cell < b.cell; });
    if (found.size() > static_cast<std::size_t>(max_peaks)) {
        std::vector<float>& strengths = scratch.strengths;
        strengths.clear();
        for (const Peak& peak : found) strengths.push_back(peak.score);
        std::nth_element(strengths.begin(), strengths.begin() + (max_peaks - 1), strengths.end(), std::greater<float>());
        const float weakest = strengths[max_peaks - 1];
        // Among equals of the last rank the first in raster order stay.
        int equals = max_peaks;
        for (const Peak& peak : found) equals -= peak.score > weakest;
        found.erase(std::remove_if(found.begin(), found.end(),
                                   [&](const Peak& peak) {
                                       return peak.score < weakest || (peak.score == weakest && equals-- <= 0);
                                   }),
                    found.end());
    }
    for (Peak& peak : found) peak = refine(map, height, width, peak.cell);
}

// Fills scratch.peaks and scratch.first_peak with the maxima of every part.
template <class T>
void find_peaks(const Maps<T>& cmap, const Plan& plan, Scratch& scratch) {
    scratch.peaks.clear();
    scratch.first_peak.assign(1, 0);
    scratch.plane.resize(static_cast<std::size_t>(cmap.height) * cmap.width);
    for (const int channel : plan.part_channels) {
        const float* map = cmap.rows(channel, scratch.plane.data());
        find_peaks_of(map, cmap.height, cmap.width, plan.settings.peak_threshold, plan.settings.max_peaks, scratch);
        scratch.peaks.insert(scratch.peaks.end(), scratch.found.begin(), scratch.found.end());
        scratch.first_peak.push_back(static_cast<int>(scratch.peaks.size()));
    }
}

}  // namespace paf
