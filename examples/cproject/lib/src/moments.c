#include "tally/tally.h"

#include <math.h>

void tally_moments_init(tally_moments *moments) {
    *moments = (tally_moments){.least = INFINITY, .most = -INFINITY};
}

void tally_moments_add(tally_moments *moments, double value) {
    moments->count++;
    double off = value - moments->mean;
    moments->mean += off / (double)moments->count;
    moments->m2 += off * (value - moments->mean);
    moments->least = fmin(moments->least, value);
    moments->most = fmax(moments->most, value);
}

void tally_moments_merge(tally_moments *into, const tally_moments *from) {
    if (from->count == 0) return;
    double here = (double)into->count, there = (double)from->count, all = here + there;
    double off = from->mean - into->mean;
    into->mean += off * there / all;
    into->m2 += from->m2 + off * off * here * there / all;
    into->count += from->count;
    into->least = fmin(into->least, from->least);
    into->most = fmax(into->most, from->most);
}

double tally_variance(const tally_moments *moments) {
    return moments->count < 2 ? 0.0 : moments->m2 / (double)(moments->count - 1);
}
