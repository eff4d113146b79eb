#include "tally/tally.h"

enum { MARKERS = 5 };

static void insert(double *sorted, uint64_t count, double value) {
    uint64_t at = count;
    for (; at > 0 && sorted[at - 1] > value; at--) sorted[at] = sorted[at - 1];
    sorted[at] = value;
}

void tally_quantile_init(tally_quantile *quantile, double share) {
    *quantile = (tally_quantile){
        .share = share,
        .place = {1, 2, 3, 4, 5},
        .wanted = {1, 1 + 2 * share, 1 + 4 * share, 3 + 2 * share, 5},
        .step = {0, share / 2, share, (1 + share) / 2, 1},
    };
}

/* The cell that a value falls into; the outermost markers are moved so that there always is one. */
static int cell_of(tally_quantile *quantile, double value) {
    double *height = quantile->height;
    if (value < height[0]) {
        height[0] = value;
        return 0;
    }
    if (value >= height[4]) {
        height[4] = value;
        return 3;
    }
    int cell = 0;
    while (value >= height[cell + 1]) cell++;
    return cell;
}

/* Where a marker's height would be, one place further or back, on the parabola through its neighbours. */
static double parabolic(const tally_quantile *quantile, int at, double way) {
    const double *height = quantile->height, *place = quantile->place;
    double after = (height[at + 1] - height[at]) / (place[at + 1] - place[at]);
    double before = (height[at] - height[at - 1]) / (place[at] - place[at - 1]);
    double weighted = (place[at] - place[at - 1] + way) * after + (place[at + 1] - place[at] - way) * before;
    return height[at] + way / (place[at + 1] - place[at - 1]) * weighted;
}

static double linear(const tally_quantile *quantile, int at, int way) {
    const double *height = quantile->height, *place = quantile->place;
    return height[at] + way * (height[at + way] - height[at]) / (place[at + way] - place[at]);
}

static void adjust(tally_quantile *quantile, int at) {
    double *height = quantile->height, *place = quantile->place;
    double off = quantile->wanted[at] - place[at];
    bool further = off >= 1 && place[at + 1] - place[at] > 1;
    bool back = off <= -1 && place[at - 1] - place[at] < -1;
    if (!further && !back) return;
    int way = further ? 1 : -1;
    double moved = parabolic(quantile, at, way);
    bool ordered = height[at - 1] < moved && moved < height[at + 1];
    height[at] = ordered ? moved : linear(quantile, at, way);
    place[at] += way;
}

void tally_quantile_add(tally_quantile *quantile, double value) {
    if (quantile->count < MARKERS) {
        insert(quantile->height, quantile->count++, value);
        return;
    }
    quantile->count++;
    for (int at = cell_of(quantile, value) + 1; at < MARKERS; at++) quantile->place[at]++;
    for (int at = 0; at < MARKERS; at++) quantile->wanted[at] += quantile->step[at];
    for (int at = 1; at < MARKERS - 1; at++) adjust(quantile, at);
}

double tally_quantile_value(const tally_quantile *quantile) {
    if (quantile->count == 0) return 0.0;
    if (quantile->count > MARKERS) return quantile->height[2];
    double place = quantile->share * (double)(quantile->count - 1);
    uint64_t below = (uint64_t)place;
    uint64_t above = below + 1 < quantile->count ? below + 1 : below;
    double rest = place - (double)below;
    return quantile->height[below] * (1 - rest) + quantile->height[above] * rest;
}
