// What a decoder knows before it sees a frame, and the memory that it reuses between frames.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "lanes.hpp"

namespace paf {

struct Limb {
    int from, to;              // parts
    int x_channel, y_channel;  // of the affinity maps
    bool attach_only;          // may add a part to a person, never found or join people
};

struct Settings {
    float peak_threshold = 0.1f;
    float limb_threshold = 0.05f;  // for each sample along a limb
    int samples = 7;               // per limb, both ends included
    int needed_samples = 6;        // of them above the limb threshold
    int max_peaks = 64;            // per part
    int max_people = 100;
    int min_keypoints = 3;
    float min_person_score = 0.2f;
};

struct Plan {
    std::vector<int> part_channels;  // of the confidence maps; one per part
    std::vector<Limb> limbs;
    Settings settings;
    std::vector<float> steps;  // where a limb is sampled, 0..1, the middle first

    Plan(std::vector<int> channels, std::vector<Limb> limb_list, const Settings& chosen)
        : part_channels(std::move(channels)), limbs(std::move(limb_list)), settings(chosen) {
        // A wrong pair of peaks has no affinity midway, so looking there first rejects it at the first look.
        const int n = settings.samples, middle = (n - 1) / 2;
        for (int i = 0; i < n; ++i) {
            const int s = i % 2 == 0 ? middle - i / 2 : middle + (i + 1) / 2;
            steps.push_back(static_cast<float>(s) / static_cast<float>(n - 1));
        }
    }

    int parts() const { return static_cast<int>(part_channels.size()); }
};

// Neighbouring cells of a row, left to right.
struct Run {
    int y, left, right;
};

// A local maximum of a part's confidence map, in cells.
struct Peak {
    float x, y, score;
    int cell;  // y * width + x of the cell it was found at
};

// A plausible limb between two peaks, given by their indices in Scratch::peaks.
struct Link {
    float strength;  // what the greedy order goes by
    float affinity;  // mean of the field along the limb
    int limb, from, to;
};

// A pair of peaks, by their indices within their parts, that passed the first samples along the limb.
struct Candidate {
    int a = 0, b = 0;
    int agreed = 0;
    float sum = 0;
};

struct Person {
    double affinity = 0;  // sum over its links
    int links = 0;
    int n_parts = 0;  // 0: merged into another
    float score = 0;
};

// Grows to what the frames need and is then only reused. One per thread.
struct Scratch {
    std::vector<float> plane;           // a dense copy of a channel that does not lie dense
    std::vector<float> field;           // a limb's field, densely: x and y of a cell side by side
    std::vector<std::uint8_t> visited;  // cells of plateaus already seen
    std::vector<Run> plateau, pending;  // the plateau that is walked, and what is left of it
    std::vector<Peak> found;        // of one part
    std::vector<float> strengths;   // for picking the strongest
    std::vector<Peak> peaks;        // of all parts, grouped by part
    std::vector<int> first_peak;    // per part, and the end
    std::vector<float> starts_x, starts_y, ends_x, ends_y;  // of the peaks of a limb's two parts
    std::vector<Candidate> candidates;
    std::vector<Link> links;
    std::vector<std::uint64_t> order, sorted;
    std::vector<int> owner;  // the person that has a peak, or -1
    std::vector<Person> people;
    std::vector<int> members;  // people x parts: a peak, or -1
    std::vector<int> ranking;  // the people who pass, best first
};

}  // namespace paf
