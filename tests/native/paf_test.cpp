// The parser's own tests: plain C++17, no framework. `paf_test [fuzz rounds]` exits 1 at the first failure.

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <random>
#include <string>
#include <vector>

#include "../../trt_pose_app/native/paf.hpp"

// Every allocation of the program is counted, so that a test can show that there is none.
static std::size_t allocations = 0;

void* operator new(std::size_t size) {
    ++allocations;
    if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
    throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

#define CHECK(condition)                                                               \
    do {                                                                               \
        if (!(condition)) {                                                            \
            std::fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);       \
            std::exit(1);                                                              \
        }                                                                              \
    } while (false)

namespace {

using paf::Half;
using paf::Limb;
using paf::Maps;
using paf::Plan;
using paf::Scratch;
using paf::Settings;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

template <class T>
struct Image {  // channels of height x width, dense
    int channels, height, width;
    std::vector<T> cells;

    Image(int c, int h, int w) : channels(c), height(h), width(w), cells(static_cast<std::size_t>(c) * h * w) {}

    T& at(int c, int y, int x) { return cells[(static_cast<std::size_t>(c) * height + y) * width + x]; }

    Maps<T> maps() const {
        Maps<T> result;
        result.data = reinterpret_cast<const char*>(cells.data());
        result.column_stride = sizeof(T);
        result.row_stride = result.column_stride * width;
        result.channel_stride = result.row_stride * height;
        result.height = height;
        result.width = width;
        return result;
    }
};

void draw_point(Image<float>& cmap, int part, float cx, float cy, float peak, float sigma = 1.0f) {
    for (int y = 0; y < cmap.height; ++y)
        for (int x = 0; x < cmap.width; ++x) {
            const float squared = (x - cx) * (x - cx) + (y - cy) * (y - cy);
            cmap.at(part, y, x) = std::max(cmap.at(part, y, x), peak * std::exp(-squared / (2 * sigma * sigma)));
        }
}

void fill(Image<float>& image, int channel, float value) {
    for (int y = 0; y < image.height; ++y)
        for (int x = 0; x < image.width; ++x) image.at(channel, y, x) = value;
}

// A chain of parts 0 - 1 - 2, limb i with the channels 2i (x) and 2i + 1 (y).
Plan chain(Settings settings = {}, bool last_attaches = false) {
    return Plan({0, 1, 2}, {{0, 1, 0, 1, false}, {1, 2, 2, 3, last_attaches}}, settings);
}

void a_person_is_found_to_a_fraction_of_a_cell() {
    Image<float> cmap(3, 24, 32), field(4, 24, 32);
    draw_point(cmap, 0, 5.3f, 6.6f, 0.9f);
    draw_point(cmap, 1, 14.25f, 6.6f, 0.8f);
    draw_point(cmap, 2, 22.8f, 6.6f, 0.7f);
    fill(field, 0, 1);
    fill(field, 2, 1);
    const Plan plan = chain();
    Scratch scratch;
    CHECK(paf::decode(cmap.maps(), field.maps(), plan, scratch) == 1);
    float xy[6], score[3], person, box[4];
    paf::write(plan, scratch, {2, 0, 10, 0, 2, 20}, xy, score, &person, box);
    const float wanted[6] = {20.6f, 33.2f, 38.5f, 33.2f, 55.6f, 33.2f};
    for (int i = 0; i < 6; ++i) CHECK(std::fabs(xy[i] - wanted[i]) < 2e-3f);
    CHECK(score[0] > score[1] && score[1] > score[2] && score[2] > 0.6f);
    CHECK(person > 0.8f && person <= 1);
    CHECK(box[0] == xy[0] && box[2] == xy[4] && box[1] <= box[3]);
}

void two_people_never_share_a_part() {
    Image<float> cmap(3, 16, 32), field(4, 16, 32);
    for (const float y : {4.0f, 11.0f})
        for (int part = 0; part < 3; ++part) draw_point(cmap, part, 5.0f + 9 * part, y, 0.9f);
    fill(field, 0, 1);  // bears the diagonal links out as well
    fill(field, 2, 1);
    const Plan plan = chain();
    Scratch scratch;
    CHECK(paf::decode(cmap.maps(), field.maps(), plan, scratch) == 2);
    float xy[12], score[6], person[2], box[8];
    paf::write(plan, scratch, {1, 0, 0, 0, 1, 0}, xy, score, person, box);
    for (int n = 0; n < 2; ++n) CHECK(xy[6 * n + 1] == xy[6 * n + 3] && xy[6 * n + 3] == xy[6 * n + 5]);
    CHECK(person[0] >= person[1]);
}

void an_attaching_limb_founds_nobody() {
    Image<float> cmap(3, 16, 32), field(4, 16, 32);
    draw_point(cmap, 1, 14, 8, 0.9f);
    draw_point(cmap, 2, 23, 8, 0.9f);
    fill(field, 0, 1);
    fill(field, 2, 1);
    Settings settings;
    settings.min_keypoints = 1;
    Scratch scratch;
    CHECK(paf::decode(cmap.maps(), field.maps(), chain(settings, true), scratch) == 0);
    CHECK(paf::decode(cmap.maps(), field.maps(), chain(settings, false), scratch) == 1);
    draw_point(cmap, 0, 5, 8, 0.9f);
    CHECK(paf::decode(cmap.maps(), field.maps(), chain(settings, true), scratch) == 1);
    CHECK(scratch.people[static_cast<std::size_t>(scratch.ranking[0])].n_parts == 3);
}

void a_plateau_is_one_peak_at_its_middle() {
    Image<float> cmap(1, 12, 12);
    for (int y = 3; y < 8; ++y)
        for (int x = 4; x < 9; ++x) cmap.at(0, y, x) = 1;
    const Plan plan({0}, {}, {});
    Scratch scratch;
    paf::find_peaks(cmap.maps(), plan, scratch);
    CHECK(scratch.peaks.size() == 1);
    CHECK(scratch.peaks[0].x == 6 && scratch.peaks[0].y == 5);
    cmap.at(0, 2, 4) = 2;  // the plateau becomes the shoulder of something higher
    paf::find_peaks(cmap.maps(), plan, scratch);
    CHECK(scratch.peaks.size() == 1 && scratch.peaks[0].cell == 2 * 12 + 4);
    CHECK(scratch.peaks[0].score == 1);
}

void the_strongest_peaks_are_kept() {
    Image<float> cmap(1, 20, 20);
    for (int i = 0; i < 9; ++i) cmap.at(0, 2 * i + 1, 5) = 0.2f + 0.05f * i;  // stronger further down
    Settings settings;
    settings.max_peaks = 3;
    Scratch scratch;
    paf::find_peaks(cmap.maps(), Plan({0}, {}, settings), scratch);
    CHECK(scratch.peaks.size() == 3);
    for (int i = 0; i < 3; ++i) CHECK(scratch.peaks[static_cast<std::size_t>(i)].cell == (2 * (6 + i) + 1) * 20 + 5);
}

void peaks_at_the_border_stay_in_the_map() {
    for (const float x : {0.0f, 0.3f, 15.0f, 14.7f})
        for (const float y : {0.0f, 5.4f, 11.0f}) {
            Image<float> cmap(1, 12, 16);
            draw_point(cmap, 0, x, y, 0.8f);
            Scratch scratch;
            paf::find_peaks(cmap.maps(), Plan({0}, {}, {}), scratch);
            CHECK(scratch.peaks.size() == 1);
            // A corner has no axis to borrow the width from, so there the cell's centre has to do.
            const bool corner = y != 5.4f && x != std::round(x);
            CHECK(std::fabs(scratch.peaks[0].x - x) < (corner ? 0.31f : 1e-3f));
            CHECK(std::fabs(scratch.peaks[0].y - y) < 1e-3f);
        }
}

void halves_are_exact() {
    const struct {
        std::uint16_t bits;
        float value;
    } table[] = {{0x0000, 0.0f},    {0x3c00, 1.0f},     {0xc000, -2.0f},         {0x7bff, 65504.0f},
                 {0x0001, 5.9604645e-8f}, {0x03ff, 6.0975552e-5f}, {0x7c00, kInfinity}, {0xfc00, -kInfinity}};
    for (const auto& [bits, value] : table) {
        const Half half{bits};
        CHECK(paf::load(reinterpret_cast<const char*>(&half), static_cast<const Half*>(nullptr)) == value);
    }
    for (std::uint32_t bits = 0; bits < 0x10000; bits += 4) {  // four at a time as one by one
        const Half halves[4] = {{static_cast<std::uint16_t>(bits)}, {static_cast<std::uint16_t>(bits + 1)},
                                {static_cast<std::uint16_t>(bits + 2)}, {static_cast<std::uint16_t>(bits + 3)}};
        const paf::Floats four = paf::load4(reinterpret_cast<const char*>(halves), static_cast<const Half*>(nullptr));
        for (int i = 0; i < 4; ++i) {
            const float one = paf::load(reinterpret_cast<const char*>(halves + i), static_cast<const Half*>(nullptr));
            const float of_four = four[i];
            CHECK(std::memcmp(&one, &of_four, sizeof one) == 0);
        }
    }
    const Half nan{0x7e00};
    CHECK(std::isnan(paf::load(reinterpret_cast<const char*>(&nan), static_cast<const Half*>(nullptr))));
}

void any_strides_give_the_same() {
    std::mt19937 random(1);
    std::uniform_real_distribution<float> uniform(-0.2f, 1.0f);
    Image<float> cmap(3, 17, 23), field(4, 17, 23);
    for (float& cell : cmap.cells) cell = uniform(random);
    for (float& cell : field.cells) cell = uniform(random);
    Settings settings;
    settings.max_peaks = 256;
    const Plan plan = chain(settings);
    Scratch plain, other;
    paf::decode(cmap.maps(), field.maps(), plan, plain);
    // Channels last, and one byte off any alignment.
    const auto shuffled = [](const Image<float>& image, std::vector<char>& memory) {
        memory.assign(image.cells.size() * sizeof(float) + 1, 0);
        Maps<float> maps = image.maps();
        maps.data = memory.data() + 1;
        maps.channel_stride = sizeof(float);
        maps.column_stride = maps.channel_stride * image.channels;
        maps.row_stride = maps.column_stride * image.width;
        for (int c = 0; c < image.channels; ++c)
            for (int y = 0; y < image.height; ++y)
                for (int x = 0; x < image.width; ++x)
                    std::memcpy(memory.data() + 1 + y * maps.row_stride + x * maps.column_stride + c * sizeof(float),
                                image.maps().channel(c) + (y * image.width + x) * sizeof(float), sizeof(float));
        return maps;
    };
    std::vector<char> cmap_memory, field_memory;
    paf::decode(shuffled(cmap, cmap_memory), shuffled(field, field_memory), plan, other);
    CHECK(plain.links.size() > 10 && plain.links.size() == other.links.size());
    for (std::size_t i = 0; i < plain.links.size(); ++i) {
        CHECK(plain.links[i].strength == other.links[i].strength);
        CHECK(plain.links[i].from == other.links[i].from && plain.links[i].to == other.links[i].to);
    }
    CHECK(plain.ranking == other.ranking);
}

void steady_state_allocates_nothing() {
    std::mt19937 random(2);
    std::uniform_real_distribution<float> uniform(-0.5f, 1.0f);
    std::vector<Image<float>> cmaps, fields;
    for (int i = 0; i < 4; ++i) {
        cmaps.emplace_back(3, 40, 40);
        fields.emplace_back(4, 40, 40);
        for (float& cell : cmaps.back().cells) cell = i == 3 ? 1 : uniform(random);  // the last is one plateau
        for (float& cell : fields.back().cells) cell = uniform(random);
    }
    const Plan plan = chain();
    Scratch scratch;
    std::vector<float> xy(100 * 6), score(100 * 3), person(100), box(400);
    std::size_t before = 0;
    for (int round = 0; round < 3; ++round) {
        if (round == 2) before = allocations;
        for (std::size_t i = 0; i < cmaps.size(); ++i) {
            paf::decode(cmaps[i].maps(), fields[i].maps(), plan, scratch);
            paf::write(plan, scratch, {1, 0, 0, 0, 1, 0}, xy.data(), score.data(), person.data(), box.data());
        }
    }
    CHECK(allocations == before);
}

void degenerate_maps_give_nobody() {
    Scratch scratch;
    for (const int height : {0, 1, 2})
        for (const int width : {0, 1, 5}) {
            Image<float> cmap(3, height, width), field(4, height, width);
            for (float& cell : cmap.cells) cell = 0.5f;
            CHECK(paf::decode(cmap.maps(), field.maps(), chain(), scratch) == 0);
        }
    Image<float> cmap(3, 9, 9);
    for (float& cell : cmap.cells) cell = static_cast<float>(&cell - cmap.cells.data());
    CHECK(paf::decode(cmap.maps(), Image<float>(0, 9, 9).maps(), Plan({0, 1, 2}, {}, {}), scratch) == 0);
}

float odd_value(std::mt19937& random) {
    switch (random() % 12) {
        case 0: return kNan;
        case 1: return kInfinity;
        case 2: return -kInfinity;
        case 3: return std::numeric_limits<float>::max();
        case 4: return -std::numeric_limits<float>::max();
        case 5: return std::numeric_limits<float>::denorm_min();
        case 6: return 0;
        case 7: return 1;
        default: return std::uniform_real_distribution<float>(-1, 1)(random);
    }
}

// What must hold for any input: the promises of trt_pose_app/types.py, and one part per person, one person per part.
void check_promises(const Plan& plan, const Scratch& scratch, int height, int width) {
    const std::size_t n = scratch.ranking.size(), k = plan.part_channels.size();
    std::vector<float> xy(n * k * 2), score(n * k), person(n), box(n * 4);
    paf::write(plan, scratch, {1, 0, 0, 0, 1, 0}, xy.data(), score.data(), person.data(), box.data());
    for (std::size_t i = 0; i < n; ++i) {
        CHECK(person[i] >= plan.settings.min_person_score && person[i] <= 1);
        CHECK(i == 0 || person[i] <= person[i - 1]);
        int seen = 0;
        for (std::size_t j = i * k; j < (i + 1) * k; ++j) {
            if (score[j] == 0) {
                CHECK(std::isnan(xy[2 * j]) && std::isnan(xy[2 * j + 1]));
                continue;
            }
            ++seen;
            CHECK(score[j] > 0 && score[j] <= 1);
            CHECK(xy[2 * j] >= -0.5f && xy[2 * j] <= static_cast<float>(width) - 0.5f);
            CHECK(xy[2 * j + 1] >= -0.5f && xy[2 * j + 1] <= static_cast<float>(height) - 0.5f);
            CHECK(box[4 * i] <= xy[2 * j] && xy[2 * j] <= box[4 * i + 2]);
        }
        CHECK(seen >= std::max(plan.settings.min_keypoints, 2));
    }
    std::vector<int> times(scratch.peaks.size());
    for (const int p : scratch.ranking)
        for (std::size_t j = 0; j < k; ++j) {
            const int peak = scratch.members[static_cast<std::size_t>(p) * k + j];
            if (peak >= 0) CHECK(++times[static_cast<std::size_t>(peak)] == 1);
        }
}

void fuzz(int rounds) {
    Scratch scratch;
    for (int round = 0; round < rounds; ++round) {
        std::mt19937 random(static_cast<unsigned>(round));
        const auto below = [&](unsigned n) { return static_cast<int>(random() % n); };
        const int parts = 2 + below(4), n_limbs = below(6), height = below(15), width = below(40);
        Settings settings;
        settings.samples = 2 + below(20);
        settings.needed_samples = below(static_cast<unsigned>(settings.samples) + 1);
        settings.max_peaks = 1 + below(40);
        settings.max_people = 1 + below(20);
        settings.min_keypoints = 1 + below(3);
        settings.peak_threshold = 0.25f * static_cast<float>(below(4));
        settings.limb_threshold = 0.25f * static_cast<float>(below(3));
        settings.min_person_score = 0.25f * static_cast<float>(below(3));
        std::vector<int> channels;
        for (int i = 0; i < parts; ++i) channels.push_back(i);
        std::vector<Limb> limbs;
        for (int i = 0; i < n_limbs; ++i) {
            const int from = below(static_cast<unsigned>(parts));
            limbs.push_back({from, (from + 1) % parts, 2 * i, 2 * i + 1, below(4) == 0});
        }
        const Plan plan(channels, limbs, settings);
        const int oddity = below(3);  // plain noise, few values and thus ties, odd values
        const auto draw = [&]() -> float {
            if (oddity == 0) return std::uniform_real_distribution<float>(-0.3f, 1)(random);
            if (oddity == 1) return 0.5f * static_cast<float>(below(3));
            return odd_value(random);
        };
        if (below(3) == 0) {
            Image<Half> cmap(parts, height, width), field(2 * n_limbs, height, width);
            for (Half& cell : cmap.cells) cell.bits = static_cast<std::uint16_t>(random());
            for (Half& cell : field.cells) cell.bits = static_cast<std::uint16_t>(random());
            paf::decode(cmap.maps(), field.maps(), plan, scratch);
        } else {
            Image<float> cmap(parts, height, width), field(2 * n_limbs, height, width);
            for (float& cell : cmap.cells) cell = draw();
            for (float& cell : field.cells) cell = draw();
            paf::decode(cmap.maps(), field.maps(), plan, scratch);
        }
        check_promises(plan, scratch, height, width);
    }
}

}  // namespace

int main(int argc, char** argv) {
    a_person_is_found_to_a_fraction_of_a_cell();
    two_people_never_share_a_part();
    an_attaching_limb_founds_nobody();
    a_plateau_is_one_peak_at_its_middle();
    the_strongest_peaks_are_kept();
    peaks_at_the_border_stay_in_the_map();
    halves_are_exact();
    any_strides_give_the_same();
    steady_state_allocates_nothing();
    degenerate_maps_give_nobody();
    fuzz(argc > 1 ? std::atoi(argv[1]) : 2000);
    std::puts("ok");
    return 0;
}
