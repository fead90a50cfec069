// Step 1: local maxima of the confidence maps, to a fraction of a cell.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>

#include "field.hpp"
#include "lanes.hpp"
#include "plan.hpp"

namespace paf {

constexpr int kBlock = 32;            // cells that one look dismisses together
constexpr float kLeastPeak = 1e-30f;  // a score of 0 means missing, so zeros and denormals are never peaks
constexpr float kHighest = std::numeric_limits<float>::max();

// Whether a cell has a higher neighbour, and an equal one. NaN is neither.
struct Surroundings {
    bool higher = false, equal = false;
};

inline Surroundings look_around(const float* map, int height, int width, int y, int x) {
    Surroundings result;
    const float v = map[y * width + x];
    for (int ny = std::max(y - 1, 0); ny <= std::min(y + 1, height - 1); ++ny)
        for (int nx = std::max(x - 1, 0); nx <= std::min(x + 1, width - 1); ++nx) {
            const float n = map[ny * width + nx];
            result.higher |= n > v;
            result.equal |= (ny != y || nx != x) && n == v;
        }
    return result;
}

// The same for the four cells from `at` on, none of them in the map's outermost rows and columns.
inline Ints have_higher(const float* at, int width) {
    const Floats v = load4(at);
    const float *up = at - width, *down = at + width;
    return (load4(up - 1) > v) | (load4(up) > v) | (load4(up + 1) > v) | (load4(at - 1) > v) | (load4(at + 1) > v) |
           (load4(down - 1) > v) | (load4(down) > v) | (load4(down + 1) > v);
}

inline Ints have_equal(const float* at, int width) {
    const Floats v = load4(at);
    const float *up = at - width, *down = at + width;
    return (load4(up - 1) == v) | (load4(up) == v) | (load4(up + 1) == v) | (load4(at - 1) == v) |
           (load4(at + 1) == v) | (load4(down - 1) == v) | (load4(down) == v) | (load4(down + 1) == v);
}

// Walks the plateau that a cell belongs to, run by run. Returns its cell nearest the centroid, or -1 if the plateau has
// a higher neighbour or was walked before.
inline int plateau_centre(const float* map, int height, int width, int cell, Scratch& scratch) {
    if (scratch.visited.empty()) scratch.visited.assign(static_cast<std::size_t>(height) * width, 0);
    if (scratch.visited[cell]) return -1;
    std::vector<Run>&pending = scratch.pending, &runs = scratch.plateau;
    pending.assign(1, {cell / width, cell % width, cell % width});
    runs.clear();
    const float v = map[cell];
    bool highest = true;
    double n = 0, sum_x = 0, sum_y = 0;
    while (!pending.empty()) {
        const int y = pending.back().y;
        int left = pending.back().left, right = left;
        pending.pop_back();
        const float* row = map + y * width;
        std::uint8_t* visited = scratch.visited.data() + y * width;
        if (visited[left]) continue;  // a run is visited as a whole
        while (left > 0 && row[left - 1] == v) --left;
        while (right + 1 < width && row[right + 1] == v) ++right;
        std::memset(visited + left, 1, static_cast<std::size_t>(right - left + 1));
        runs.push_back({y, left, right});
        const double length = right - left + 1;
        n += length;
        sum_x += 0.5 * length * (left + right);
        sum_y += length * y;
        const int before = std::max(left - 1, 0), after = std::min(right + 1, width - 1);
        highest &= !(row[before] > v || row[after] > v);
        for (const int ny : {y - 1, y + 1}) {
            if (ny < 0 || ny >= height) continue;
            const float* beside = map + ny * width;
            const std::uint8_t* seen = scratch.visited.data() + ny * width;
            bool in_run = false;
            for (int x = before; x <= after; ++x) {
                highest &= !(beside[x] > v);
                const bool joins = beside[x] == v;
                if (joins && !in_run && !seen[x]) pending.push_back({ny, x, x});
                in_run = joins;
            }
        }
    }
    if (!highest) return -1;
    double nearest = std::numeric_limits<double>::infinity();
    int centre = cell;
    for (const Run& run : runs) {
        const double low = std::floor(sum_x / n);
        for (const double x : {std::min(std::max(low, double(run.left)), double(run.right)),
                               std::min(std::max(low + 1, double(run.left)), double(run.right))}) {
            const double dx = n * x - sum_x, dy = n * run.y - sum_y;
            const double distance = dx * dx + dy * dy;
            const int candidate = run.y * width + static_cast<int>(x);
            if (distance < nearest || (distance == nearest && candidate < centre)) {
                nearest = distance;
                centre = candidate;
            }
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

// Reduces scratch.found, which is in raster order, to the max_peaks strongest; among equals the first stay.
inline void keep_strongest_peaks(int max_peaks, Scratch& scratch) {
    std::vector<Peak>& found = scratch.found;
    if (found.size() <= static_cast<std::size_t>(max_peaks)) return;
    std::vector<float>& strengths = scratch.strengths;
    strengths.clear();
    for (const Peak& peak : found) strengths.push_back(peak.score);
    std::nth_element(strengths.begin(), strengths.begin() + (max_peaks - 1), strengths.end(), std::greater<float>());
    const float weakest = strengths[max_peaks - 1];
    int equals = max_peaks;
    for (const Peak& peak : found) equals -= peak.score > weakest;
    found.erase(std::remove_if(found.begin(), found.end(),
                               [&](const Peak& peak) {
                                   return peak.score < weakest || (peak.score == weakest && equals-- <= 0);
                               }),
                found.end());
}

// The maxima of one map that lies dense, in raster order: at most max_peaks, the strongest. Fills scratch.found.
inline void find_peaks_of(const float* map, int height, int width, float threshold, int max_peaks, Scratch& scratch) {
    std::vector<Peak>& found = scratch.found;
    found.clear();
    scratch.visited.clear();
    bool plateaus = false;
    threshold = std::max(threshold, kLeastPeak);
    const auto settle = [&](int cell, bool has_equal) {
        if (has_equal) {
            cell = plateau_centre(map, height, width, cell, scratch);
            if (cell < 0) return;
            plateaus = true;
        }
        found.push_back({0, 0, map[cell], cell});
    };
    const auto consider = [&](int cell) {
        if (!(map[cell] >= threshold && map[cell] <= kHighest)) return;
        const Surroundings around = look_around(map, height, width, cell / width, cell % width);
        if (!around.higher) settle(cell, around.equal);
    };
    const Floats lowest = all(threshold), highest = all(kHighest);
    const int n_cells = height * width;
    int y = 0, row_start = 0, start = 0;
    for (; start + kBlock <= n_cells; start += kBlock) {
        Ints block{};
        for (int i = 0; i < kBlock; i += 4) block |= load4(map + start + i) >= lowest;
        if (!any(block)) continue;
        for (int cell = start; cell < start + kBlock; cell += 4) {
            const Floats four = load4(map + cell);
            const Ints above = (four >= lowest) & (four <= highest);
            if (!any(above)) continue;
            for (; cell - row_start >= width; row_start += width) ++y;
            const int x = cell - row_start;
            if (x > 0 && x + 4 < width && y > 0 && y + 1 < height) {
                const Ints maxima = above & ~have_higher(map + cell, width);
                if (!any(maxima)) continue;
                const Ints equal = have_equal(map + cell, width);
                for (int i = 0; i < 4; ++i)
                    if (maxima[i]) settle(cell + i, equal[i]);
            } else {
                for (int i = 0; i < 4; ++i) consider(cell + i);
            }
        }
    }
    for (; start < n_cells; ++start) consider(start);

    if (plateaus)
        std::sort(found.begin(), found.end(), [](const Peak& a, const Peak& b) { return a.cell < b.cell; });
    keep_strongest_peaks(max_peaks, scratch);
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
