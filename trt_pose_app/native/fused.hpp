// Steps 1 and 2 done by the network itself (converters/fuse.py): its peaks and limb scores are read here.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "limbs.hpp"
#include "peaks.hpp"
#include "people.hpp"

namespace paf {

constexpr int kPeakFacts = 5;  // x, y, score, column, row
constexpr float kFarthestCell = 1 << 15;

// One frame's outputs, dense: peaks (parts, ranks, kPeakFacts) and limbs (limbs, ranks, ranks).
struct Fused {
    const float *peaks, *limbs;
    int ranks;
};

// A peak as the network lists it; of a plateau it lists every cell.
struct ListedPeak {
    const float* facts;
    int rank;

    float score() const { return facts[2]; }
    float column() const { return facts[3]; }
    float row() const { return facts[4]; }
    bool before(const ListedPeak& other) const {
        return row() < other.row() || (row() == other.row() && column() < other.column());
    }
    bool beside(const ListedPeak& other) const {
        return score() == other.score() && std::fabs(column() - other.column()) <= 1 &&
               std::fabs(row() - other.row()) <= 1;
    }
};

inline bool is_peak(const float* facts, float threshold) {
    bool sound = facts[2] >= threshold && facts[2] <= kHighest;
    for (const int i : {0, 1, 3, 4}) sound &= facts[i] >= -1 && facts[i] <= kFarthestCell;  // false for NaN
    return sound;
}

// Moves the plateau of listed[first] to [first, result); the rest keeps its order.
inline std::size_t gather_plateau(std::vector<ListedPeak>& listed, std::size_t first) {
    std::size_t end = first + 1;
    for (std::size_t i = first; i < end; ++i)
        for (std::size_t j = end; j < listed.size(); ++j)
            if (listed[i].beside(listed[j])) {
                std::rotate(listed.begin() + static_cast<std::ptrdiff_t>(end),
                            listed.begin() + static_cast<std::ptrdiff_t>(j),
                            listed.begin() + static_cast<std::ptrdiff_t>(j) + 1);
                ++end;
            }
    return end;
}

// The cell nearest the centroid, the first in raster order among equals.
inline const ListedPeak& plateau_centre(const std::vector<ListedPeak>& listed, std::size_t first, std::size_t end) {
    const double n = static_cast<double>(end - first);
    double sum_x = 0, sum_y = 0;
    for (std::size_t i = first; i < end; ++i) {
        sum_x += listed[i].column();
        sum_y += listed[i].row();
    }
    std::size_t centre = first;
    double nearest = std::numeric_limits<double>::infinity();
    for (std::size_t i = first; i < end; ++i) {
        const double dx = n * listed[i].column() - sum_x, dy = n * listed[i].row() - sum_y;
        const double distance = dx * dx + dy * dy;
        if (distance < nearest || (distance == nearest && listed[i].before(listed[centre]))) {
            nearest = distance;
            centre = i;
        }
    }
    return listed[centre];
}

// Fills scratch.peaks, whose `cell` is here the peak's rank, and scratch.first_peak.
inline void read_peaks(const Fused& fused, const Plan& plan, Scratch& scratch, std::vector<ListedPeak>& listed) {
    scratch.peaks.clear();
    scratch.first_peak.assign(1, 0);
    const float threshold = std::max(plan.settings.peak_threshold, kLeastPeak);
    for (int part = 0; part < plan.parts(); ++part) {
        const float* facts = fused.peaks + static_cast<std::ptrdiff_t>(part) * fused.ranks * kPeakFacts;
        listed.clear();
        for (int rank = 0; rank < fused.ranks; ++rank, facts += kPeakFacts)
            if (is_peak(facts, threshold)) listed.push_back({facts, rank});
        std::sort(listed.begin(), listed.end(), [](const ListedPeak& a, const ListedPeak& b) {
            return a.before(b) || (!b.before(a) && a.rank < b.rank);
        });
        scratch.found.clear();
        for (std::size_t first = 0; first < listed.size();) {
            const std::size_t end = gather_plateau(listed, first);
            const ListedPeak& peak = plateau_centre(listed, first, end);
            scratch.found.push_back({peak.facts[0], peak.facts[1], peak.score(), peak.rank});
            first = end;
        }
        keep_strongest_peaks(plan.settings.max_peaks, scratch);
        for (Peak& peak : scratch.found) peak.score = std::min(peak.score, 1.0f);
        scratch.peaks.insert(scratch.peaks.end(), scratch.found.begin(), scratch.found.end());
        scratch.first_peak.push_back(static_cast<int>(scratch.peaks.size()));
    }
}

// Fills scratch.links, limb by limb.
inline void read_links(const Fused& fused, const Plan& plan, Scratch& scratch) {
    scratch.links.clear();
    const std::size_t limit = kLinksPerPeak * static_cast<std::size_t>(plan.settings.max_peaks);
    for (int i = 0; i < static_cast<int>(plan.limbs.size()); ++i) {
        const Limb& limb = plan.limbs[i];
        const float* means = fused.limbs + static_cast<std::ptrdiff_t>(i) * fused.ranks * fused.ranks;
        const std::size_t first = scratch.links.size();
        for (int from = scratch.first_peak[limb.from]; from < scratch.first_peak[limb.from + 1]; ++from)
            for (int to = scratch.first_peak[limb.to]; to < scratch.first_peak[limb.to + 1]; ++to) {
                const Peak &a = scratch.peaks[from], &b = scratch.peaks[to];
                const float mean = means[a.cell * fused.ranks + b.cell];
                if (!(mean > 0 && mean <= kHighest)) continue;
                const float strength = mean * std::sqrt(a.score * b.score);
                if (strength > 0) scratch.links.push_back({strength, mean, i, from, to});
            }
        keep_strongest(scratch.links, first, limit, scratch.strengths);
    }
}

// Step 3 for one frame. Returns the number of people, which `write` then gives.
inline int finish(const Fused& fused, const Plan& plan, Scratch& scratch) {
    thread_local std::vector<ListedPeak> listed;
    read_peaks(fused, plan, scratch, listed);
    read_links(fused, plan, scratch);
    assemble(plan, scratch);
    return static_cast<int>(scratch.ranking.size());
}

}  // namespace paf
