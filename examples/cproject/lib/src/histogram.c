#include "tally/tally.h"

#include <math.h>
#include <string.h>

void tally_histogram_init(tally_histogram *histogram, double width) {
    *histogram = (tally_histogram){.width = width};
}

/* Bins of twice the width; the range grows down or up. */
static void widen(tally_histogram *histogram, bool down) {
    uint64_t merged[TALLY_BINS] = {0};
    int shift = down ? TALLY_BINS / 2 : 0;
    for (int bin = 0; bin < TALLY_BINS; bin++) merged[shift + bin / 2] += histogram->bins[bin];
    memcpy(histogram->bins, merged, sizeof merged);
    if (down) histogram->low -= TALLY_BINS * histogram->width;
    histogram->width *= 2;
}

void tally_histogram_add(tally_histogram *histogram, double value) {
    if (!histogram->begun) {
        histogram->low = floor(value / histogram->width) * histogram->width;
        histogram->begun = true;
    }
    while (value < histogram->low) widen(histogram, true);
    while (value >= histogram->low + TALLY_BINS * histogram->width) widen(histogram, false);
    int bin = (int)((value - histogram->low) / histogram->width);
    histogram->bins[bin < TALLY_BINS ? bin : TALLY_BINS - 1]++;
}
