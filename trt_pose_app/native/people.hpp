// Step 3: people out of links, strongest link first, never two of one part in a person.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>

#include "plan.hpp"

namespace paf {

// Sorts 64-bit keys by their upper half, equals keeping their order.
inline void sort_by_upper_half(std::vector<std::uint64_t>& keys, std::vector<std::uint64_t>& memory) {
    constexpr std::size_t kFew = 128;  // below, the counting costs more than it saves
    if (keys.size() < kFew) {
        std::sort(keys.begin(), keys.end());  // the lower half counts up
        return;
    }
    constexpr int kBits = 11, kBuckets = 1 << kBits;
    std::uint32_t starts[3][kBuckets] = {};
    for (const std::uint64_t key : keys)
        for (int pass = 0; pass < 3; ++pass) ++starts[pass][key >> (32 + kBits * pass) & (kBuckets - 1)];
    memory.resize(keys.size());
    for (int pass = 0; pass < 3; ++pass) {
        std::uint32_t total = 0;
        for (std::uint32_t& start : starts[pass]) {
            const std::uint32_t count = start;
            start = total;
            total += count;
        }
        for (const std::uint64_t key : keys) memory[starts[pass][key >> (32 + kBits * pass) & (kBuckets - 1)]++] = key;
        keys.swap(memory);
    }
}

// Orders the links: those that may found and join people first, then by falling strength, then as they were made.
inline void order_links(const Plan& plan, Scratch& scratch) {
    scratch.order.clear();
    for (std::size_t i = 0; i < scratch.links.size(); ++i) {
        const Link& link = scratch.links[i];
        std::uint32_t bits;  // of a positive float: they grow with it
        std::memcpy(&bits, &link.strength, sizeof bits);
        const std::uint64_t late = plan.limbs[link.limb].attach_only ? 1 : 0;
        scratch.order.push_back(late << 63 | static_cast<std::uint64_t>(0x7fffffffu - bits) << 32 | i);
    }
    sort_by_upper_half(scratch.order, scratch.sorted);
}

// Fills scratch.people and scratch.members from the links.
inline void group(const Plan& plan, Scratch& scratch) {
    const std::size_t k_parts = plan.part_channels.size();
    order_links(plan, scratch);
    scratch.owner.assign(scratch.peaks.size(), -1);
    scratch.people.clear();
    scratch.members.clear();
    const auto give = [&](int person, int part, int peak) {
        scratch.members[person * k_parts + static_cast<std::size_t>(part)] = peak;
        scratch.owner[peak] = person;
        ++scratch.people[person].n_parts;
    };
    for (const std::uint64_t key : scratch.order) {
        const Link& link = scratch.links[static_cast<std::size_t>(key & 0xffffffffu)];
        const Limb& limb = plan.limbs[link.limb];
        int p = scratch.owner[link.from], q = scratch.owner[link.to];
        if (p < 0 && q < 0) {
            if (limb.attach_only) continue;
            p = static_cast<int>(scratch.people.size());
            scratch.people.push_back({});
            scratch.members.resize(scratch.members.size() + k_parts, -1);
            give(p, limb.from, link.from);
            give(p, limb.to, link.to);
        } else if (p < 0 || q < 0) {
            const int part = p < 0 ? limb.from : limb.to, peak = p < 0 ? link.from : link.to;
            p = std::max(p, q);
            if (scratch.members[p * k_parts + static_cast<std::size_t>(part)] >= 0) continue;
            give(p, part, peak);
        } else if (p != q) {
            if (limb.attach_only) continue;
            const int* mine = &scratch.members[p * k_parts];
            const int* theirs = &scratch.members[q * k_parts];
            bool disjoint = true;
            for (std::size_t k = 0; k < k_parts; ++k) disjoint &= mine[k] < 0 || theirs[k] < 0;
            if (!disjoint) continue;
            for (std::size_t k = 0; k < k_parts; ++k)
                if (theirs[k] >= 0) give(p, static_cast<int>(k), theirs[k]);
            Person& gone = scratch.people[q];
            scratch.people[p].affinity += gone.affinity;
            scratch.people[p].links += gone.links;
            gone.n_parts = 0;
        }
        scratch.people[p].affinity += link.affinity;
        ++scratch.people[p].links;
    }
}

// Scores the people and fills scratch.ranking with those who pass, best first, older first among equals.
inline void rank(const Plan& plan, Scratch& scratch) {
    const std::size_t k_parts = plan.part_channels.size();
    scratch.ranking.clear();
    for (std::size_t p = 0; p < scratch.people.size(); ++p) {
        Person& person = scratch.people[p];
        if (person.n_parts < std::max(plan.settings.min_keypoints, 1)) continue;
        double peaks = 0;
        for (std::size_t k = 0; k < k_parts; ++k) {
            const int peak = scratch.members[p * k_parts + k];
            if (peak >= 0) peaks += scratch.peaks[peak].score;
        }
        // Sure points, sure links, and many of them: mean peak x mean affinity x share of the skeleton.
        const double affinity = std::min(person.affinity / person.links, 1.0);
        person.score = static_cast<float>(std::sqrt(peaks / static_cast<double>(k_parts) * affinity));
        if (person.score >= plan.settings.min_person_score) scratch.ranking.push_back(static_cast<int>(p));
    }
    std::sort(scratch.ranking.begin(), scratch.ranking.end(), [&](int a, int b) {
        const float sa = scratch.people[a].score;
        const float sb = scratch.people[b].score;
        return sa > sb || (sa == sb && a < b);
    });
    if (scratch.ranking.size() > static_cast<std::size_t>(plan.settings.max_people))
        scratch.ranking.resize(static_cast<std::size_t>(plan.settings.max_people));
}

inline void assemble(const Plan& plan, Scratch& scratch) {
    group(plan, scratch);
    rank(plan, scratch);
}

}  // namespace paf
