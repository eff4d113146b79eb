/* tally: reads numbers, one a line, and says what they are like. */
#include "tally/tally.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { LINE = 256, BAR = 40 };

typedef struct {
    tally_moments moments;
    tally_quantile median, p95;
    tally_histogram histogram;
} summary;

static void begin(summary *all) {
    tally_moments_init(&all->moments);
    tally_quantile_init(&all->median, 0.5);
    tally_quantile_init(&all->p95, 0.95);
    tally_histogram_init(&all->histogram, 0.001);
}

/* Returns the number of the first line that is no number, 0 if there is none. */
static long take(FILE *from, summary *all) {
    char line[LINE];
    double value;
    for (long number = 1; fgets(line, sizeof line, from) != NULL; number++) {
        tally_parsed parsed = tally_parse(line, &value);
        if (parsed == TALLY_WRONG || (strchr(line, '\n') == NULL && !feof(from))) return number;
        if (parsed == TALLY_BLANK) continue;
        tally_moments_add(&all->moments, value);
        tally_quantile_add(&all->median, value);
        tally_quantile_add(&all->p95, value);
        tally_histogram_add(&all->histogram, value);
    }
    return 0;
}

static void draw(const tally_histogram *histogram) {
    uint64_t most = 1;
    for (int bin = 0; bin < TALLY_BINS; bin++) {
        if (histogram->bins[bin] > most) most = histogram->bins[bin];
    }
    for (int bin = 0; bin < TALLY_BINS; bin++) {
        if (histogram->bins[bin] == 0) continue;
        int length = (int)(BAR * histogram->bins[bin] / most);
        printf("%12g  %-*.*s %llu\n", histogram->low + bin * histogram->width, BAR, length,
               "########################################", (unsigned long long)histogram->bins[bin]);
    }
}

static void say(const summary *all) {
    const tally_moments *moments = &all->moments;
    printf("count   %llu\n", (unsigned long long)moments->count);
    if (moments->count == 0) return;
    printf("range   %g to %g\n", moments->least, moments->most);
    printf("mean    %g, deviation %g\n", moments->mean, sqrt(tally_variance(moments)));
    printf("median  %g\n", tally_quantile_value(&all->median));
    printf("p95     %g\n", tally_quantile_value(&all->p95));
    draw(&all->histogram);
}

int main(int count, char **words) {
    if (count > 2 || (count == 2 && words[1][0] == '-')) {
        fprintf(stderr, "usage: tally [FILE]\n");
        return 2;
    }
    FILE *from = count == 2 ? fopen(words[1], "r") : stdin;
    if (from == NULL) {
        fprintf(stderr, "tally: %s: %s\n", words[1], strerror(errno));
        return 1;
    }
    summary all;
    begin(&all);
    long wrong = take(from, &all);
    if (wrong != 0) {
        fprintf(stderr, "tally: line %ld is no number\n", wrong);
        return 1;
    }
    say(&all);
    return fflush(stdout) == 0 ? 0 : 1;
}
