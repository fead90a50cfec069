// Step 2: which pairs of peaks the affinity fields join, and how strongly.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "field.hpp"
#include "lanes.hpp"
#include "plan.hpp"

namespace paf {

constexpr std::size_t kLinksPerPeak = 4;  // per limb, times max_peaks: bounds the work on garbage, far above any crowd
constexpr int kCellsPerPair = 32;  // scoring a pair in place costs about as much more as copying this many cells
constexpr float kLeastLengthSquared = 1e-12f;  // two peaks in one place have no direction

// Of two rows a cell and its right neighbour: x, y, x, y.
struct Square {
    Floats top, bottom;
};

// A limb's field read where it lies. Beyond the last row and column they count twice.
template <class T>
struct FieldInPlace {
    const char *x_plane, *y_plane;
    std::ptrdiff_t row_stride, column_stride;
    int height, width;

    static float at(const char* p) { return load(p, static_cast<const T*>(nullptr)); }

    Square square(int y, int x) const {
        const std::ptrdiff_t at_cell = y * row_stride + x * column_stride;
        const std::ptrdiff_t right = x + 1 < width ? column_stride : 0, down = y + 1 < height ? row_stride : 0;
        const char *u = x_plane + at_cell, *v = y_plane + at_cell;
        return {Floats{at(u), at(v), at(u + right), at(v + right)},
                Floats{at(u + down), at(v + down), at(u + down + right), at(v + down + right)}};
    }
};

// A limb's field copied densely, its last row and column doubled, which is worth it for many pairs of peaks.
struct FieldDense {
    const float* cells;
    std::ptrdiff_t row;  // floats

    Square square(int y, int x) const {
        const float* at_cell = cells + y * row + 2 * x;
        return {load4(at_cell), load4(at_cell + row)};
    }
};

template <class T>
FieldDense make_dense(const FieldInPlace<T>& field, std::vector<float>& memory) {
    const std::ptrdiff_t row = 2 * (static_cast<std::ptrdiff_t>(field.width) + 1);
    memory.resize(static_cast<std::size_t>(row) * static_cast<std::size_t>(field.height + 1));
    float* out = memory.data();
    for (int y = 0; y < field.height; ++y) {
        const char *u = field.x_plane + y * field.row_stride, *v = field.y_plane + y * field.row_stride;
        int x = 0;
        if (field.column_stride == sizeof(T))
            for (; x + 4 <= field.width; x += 4, out += 8, u += 4 * sizeof(T), v += 4 * sizeof(T)) {
                const Floats four_u = load4(u, static_cast<const T*>(nullptr));
                const Floats four_v = load4(v, static_cast<const T*>(nullptr));
                store4(out, zip_first(four_u, four_v));
                store4(out + 4, zip_last(four_u, four_v));
            }
        for (; x < field.width; ++x, out += 2, u += field.column_stride, v += field.column_stride) {
            out[0] = FieldInPlace<T>::at(u);
            out[1] = FieldInPlace<T>::at(v);
        }
        out[0] = out[-2];
        out[1] = out[-1];
        out += 2;
    }
    std::memcpy(out, out - row, static_cast<std::size_t>(row) * sizeof *out);
    return {memory.data(), row};
}

// The field's component in the direction (dx, dy) at four places (x, y) within the map, sampled bilinearly, times the
// direction's length.
template <class Field>
Floats component(const Field& field, Floats x, Floats y, Floats dx, Floats dy) {
    const Ints x0 = __builtin_convertvector(x, Ints), y0 = __builtin_convertvector(y, Ints);
    const Floats fx = x - __builtin_convertvector(x0, Floats), fy = y - __builtin_convertvector(y0, Floats);
    Floats row[4];  // per place, between two cells above one another: x, y on the left, x, y on the right
    for (int i = 0; i < 4; ++i) {
        const Square square = field.square(y0[i], x0[i]);
        row[i] = square.top + all(fy[i]) * (square.bottom - square.top);
    }
    transpose(row[0], row[1], row[2], row[3]);
    const Floats left = row[0] * dx + row[1] * dy, right = row[2] * dx + row[3] * dy;
    return left + fx * (right - left);
}

// Four limbs under test: from (ax, ay), with the vector (dx, dy). The direction is never normalised: a component c of a
// vector of length d is more than the threshold t if c > 0 and c^2 > t^2 d^2.
struct FourLimbs {
    Floats ax, ay, dx, dy, least_squared;
    Floats sum{};   // of the components, times the limbs' lengths
    Ints agreed{};  // how many samples were above the threshold

    FourLimbs(Floats from_x, Floats from_y, Floats to_x, Floats to_y, float threshold)
        : ax(from_x), ay(from_y), dx(to_x - from_x), dy(to_y - from_y) {
        least_squared = all(threshold * threshold) * (dx * dx + dy * dy);
    }

    template <class Field>
    void look(const Field& field, float t) {
        const Floats along = component(field, ax + all(t) * dx, ay + all(t) * dy, dx, dy);
        agreed -= (along > Floats{}) & (along * along > least_squared);  // true is -1; NaN does not agree
        sum += along;
    }

    // Which may still reach the samples needed, if `left` are to come.
    Ints hopeful(int needed, int left) const { return agreed + all(left) >= all(needed); }
};

// Keeps the strongest links of the limb that starts at links[first]; equals keep their order.
inline void keep_strongest(std::vector<Link>& links, std::size_t first, std::size_t limit,
                           std::vector<float>& strengths) {
    if (links.size() - first <= limit) return;
    strengths.clear();
    for (std::size_t i = first; i < links.size(); ++i) strengths.push_back(links[i].strength);
    std::nth_element(strengths.begin(), strengths.begin() + static_cast<std::ptrdiff_t>(limit - 1), strengths.end(),
                     std::greater<float>());
    const float weakest = strengths[limit - 1];
    std::size_t equals = limit;
    for (std::size_t i = first; i < links.size(); ++i) equals -= links[i].strength > weakest;
    const auto begin = links.begin() + static_cast<std::ptrdiff_t>(first);
    links.erase(std::remove_if(begin, links.end(),
                               [&](const Link& link) {
                                   if (link.strength != weakest) return link.strength < weakest;
                                   if (equals == 0) return true;
                                   --equals;
                                   return false;
                               }),
                links.end());
}

// Puts the limb's peaks where the samples can be taken: inside the map, the ends filled up to whole fours.
inline void place_ends(const Limb& limb, float right, float bottom, Scratch& scratch) {
    const auto place = [&](int part, std::vector<float>& xs, std::vector<float>& ys) {
        const int first = scratch.first_peak[part], n = scratch.first_peak[part + 1] - first;
        xs.assign(static_cast<std::size_t>(n + 3), 0);
        ys.assign(static_cast<std::size_t>(n + 3), 0);
        for (int i = 0; i < n; ++i) {
            xs[i] = std::min(std::max(scratch.peaks[first + i].x, 0.0f), right);
            ys[i] = std::min(std::max(scratch.peaks[first + i].y, 0.0f), bottom);
        }
    };
    place(limb.from, scratch.starts_x, scratch.starts_y);
    place(limb.to, scratch.ends_x, scratch.ends_y);
}

// Takes the first samples of every pair and lists in scratch.candidates those that can still pass. Most pairs are
// wrong, and most wrong ones fail so often at once that nothing can save them. Returns the number of candidates.
template <class Field>
std::size_t look_first(const Field& field, const Settings& settings, const std::vector<float>& steps, int n_first,
                       int n_starts, int n_ends, Scratch& scratch) {
    std::vector<Candidate>& candidates = scratch.candidates;
    candidates.resize(static_cast<std::size_t>(n_starts) * static_cast<std::size_t>(n_ends + 3) + 4);
    std::size_t n = 0;
    for (int a = 0; a < n_starts; ++a)
        for (int four = 0; four < n_ends; four += 4) {
            FourLimbs limbs(all(scratch.starts_x[a]), all(scratch.starts_y[a]), load4(&scratch.ends_x[four]),
                            load4(&scratch.ends_y[four]), settings.limb_threshold);
            for (int i = 0; i < n_first; ++i) limbs.look(field, steps[i]);
            const Ints hopeful = limbs.hopeful(settings.needed_samples, settings.samples - n_first);
            for (int i = 0; i < 4; ++i) {  // without a branch: whether a pair goes on is hard to foretell
                candidates[n] = {a, four + i, limbs.agreed[i], limbs.sum[i]};
                n += static_cast<std::size_t>((hopeful[i] != 0) & (four + i < n_ends));
            }
        }
    std::fill_n(candidates.begin() + static_cast<std::ptrdiff_t>(n), 4, Candidate{});  // for the last four
    return n;
}

// Appends every pair of peaks that passes to scratch.links. Only finite and positive links are made.
template <class Field>
void score_limb(const Field& field, int index, const Plan& plan, Scratch& scratch) {
    const Settings& settings = plan.settings;
    const Limb& limb = plan.limbs[index];
    const int first_start = scratch.first_peak[limb.from], first_end = scratch.first_peak[limb.to];
    const int n_starts = scratch.first_peak[limb.from + 1] - first_start;
    const int n_ends = scratch.first_peak[limb.to + 1] - first_end;
    const int n_first = std::min(settings.samples - settings.needed_samples + 1, settings.samples);
    const std::size_t n = look_first(field, settings, plan.steps, n_first, n_starts, n_ends, scratch);
    for (std::size_t c = 0; c < n; c += 4) {
        const Candidate* four = &scratch.candidates[c];
        Floats ax{}, ay{}, bx{}, by{}, sum{};
        Ints agreed{};
        for (int i = 0; i < 4; ++i) {
            ax[i] = scratch.starts_x[four[i].a];
            ay[i] = scratch.starts_y[four[i].a];
            bx[i] = scratch.ends_x[four[i].b];
            by[i] = scratch.ends_y[four[i].b];
            sum[i] = four[i].sum;
            agreed[i] = four[i].agreed;
        }
        FourLimbs limbs(ax, ay, bx, by, settings.limb_threshold);
        limbs.sum = sum;
        limbs.agreed = agreed;
        int left = settings.samples - n_first;
        for (; left > 0 && any(limbs.hopeful(settings.needed_samples, left)); --left)
            limbs.look(field, plan.steps[settings.samples - left]);
        if (left > 0) continue;
        for (int i = 0; i < 4 && c + static_cast<std::size_t>(i) < n; ++i) {
            if (limbs.agreed[i] < settings.needed_samples) continue;
            const float squared = limbs.dx[i] * limbs.dx[i] + limbs.dy[i] * limbs.dy[i];
            if (!(squared > kLeastLengthSquared)) continue;
            const float mean = limbs.sum[i] / (static_cast<float>(settings.samples) * std::sqrt(squared));
            if (!(mean > 0 && mean <= std::numeric_limits<float>::max())) continue;
            // A link between two sure peaks is surer than the same affinity between doubtful ones.
            const int from = first_start + four[i].a, to = first_end + four[i].b;
            const float strength = mean * std::sqrt(scratch.peaks[from].score * scratch.peaks[to].score);
            if (strength > 0) scratch.links.push_back({strength, mean, index, from, to});  // it may underflow
        }
    }
}

// Fills scratch.links, limb by limb.
template <class T>
void score_limbs(const Maps<T>& paf, const Plan& plan, Scratch& scratch) {
    scratch.links.clear();
    const std::vector<int>& first_peak = scratch.first_peak;
    const auto count = [&](int part) -> std::ptrdiff_t { return first_peak[part + 1] - first_peak[part]; };
    const std::size_t limit = kLinksPerPeak * static_cast<std::size_t>(plan.settings.max_peaks);
    for (int i = 0; i < static_cast<int>(plan.limbs.size()); ++i) {
        const Limb& limb = plan.limbs[i];
        const std::ptrdiff_t pairs = count(limb.from) * count(limb.to);
        if (pairs == 0) continue;
        place_ends(limb, static_cast<float>(paf.width - 1), static_cast<float>(paf.height - 1), scratch);
        const FieldInPlace<T> field{paf.channel(limb.x_channel), paf.channel(limb.y_channel), paf.row_stride,
                                    paf.column_stride, paf.height, paf.width};
        const std::size_t first = scratch.links.size();
        if (pairs * kCellsPerPair > static_cast<std::ptrdiff_t>(paf.height) * paf.width)
            score_limb(make_dense(field, scratch.field), i, plan, scratch);
        else
            score_limb(field, i, plan, scratch);
        keep_strongest(scratch.links, first, limit, scratch.strengths);
    }
}

}  // namespace paf
