/* The library's tests; what they print is the same at each run. */
#include "tally/tally.h"

#include <math.h>
#include <stdio.h>

static int failed;

static void check(const char *what, bool holds) {
    printf("%s %s\n", holds ? "ok    " : "FAILED", what);
    if (!holds) failed = 1;
}

static bool near(double one, double other, double by) {
    return fabs(one - other) <= by;
}

/* Numbers from 0 to 1 that are the same everywhere: a linear congruential generator. */
static double next(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 9007199254740992.0;
}

static void moments(void) {
    tally_moments all, left, right;
    tally_moments_init(&all);
    check("nothing has no variance", tally_variance(&all) == 0);
    tally_moments_init(&left);
    tally_moments_init(&right);
    uint64_t state = 1;
    for (int number = 0; number < 10000; number++) {
        double value = 1e6 + next(&state);
        tally_moments_add(&all, value);
        tally_moments_add(number % 3 == 0 ? &left : &right, value);
    }
    tally_moments_merge(&left, &right);
    check("the mean of even numbers far from zero", near(all.mean, 1e6 + 0.5, 0.01));
    check("their variance is a twelfth", near(tally_variance(&all), 1.0 / 12, 0.002));
    check("two halves make the whole",
          left.count == all.count && near(left.mean, all.mean, 1e-6) &&
              near(tally_variance(&left), tally_variance(&all), 1e-9));
}

static void quantiles(void) {
    const double shares[] = {0.05, 0.5, 0.9, 0.99};
    for (size_t each = 0; each < sizeof shares / sizeof *shares; each++) {
        tally_quantile quantile;
        tally_quantile_init(&quantile, shares[each]);
        uint64_t state = 7;
        for (int number = 0; number < 20000; number++) tally_quantile_add(&quantile, next(&state));
        char what[64];
        snprintf(what, sizeof what, "quantile %.2f of even numbers", shares[each]);
        check(what, near(tally_quantile_value(&quantile), shares[each], 0.01));
    }
    tally_quantile few;
    tally_quantile_init(&few, 0.5);
    for (int number = 4; number > 0; number--) tally_quantile_add(&few, number);
    check("the median of four is between the two in the middle", tally_quantile_value(&few) == 2.5);
}

static void histograms(void) {
    tally_histogram histogram;
    tally_histogram_init(&histogram, 1);
    for (int value = -500; value < 500; value++) tally_histogram_add(&histogram, value);
    uint64_t sum = 0;
    for (int bin = 0; bin < TALLY_BINS; bin++) sum += histogram.bins[bin];
    check("a histogram that widened has lost nothing", sum == 1000);
    check("and reaches over all of it",
          histogram.low <= -500 && histogram.low + TALLY_BINS * histogram.width > 499);
}

static void parsing(void) {
    double value = 0;
    check("a number with a comment", tally_parse(" 1.5e3 # metres\n", &value) == TALLY_NUMBER && value == 1500);
    check("a comment alone", tally_parse("# none\n", &value) == TALLY_BLANK);
    check("two numbers", tally_parse("1 2\n", &value) == TALLY_WRONG);
    check("infinity", tally_parse("inf\n", &value) == TALLY_WRONG);
}

int main(void) {
    moments();
    quantiles();
    histograms();
    parsing();
    return failed;
}
