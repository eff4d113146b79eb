/* Numbers in a stream, one at a time, in memory that does not grow: moments, quantiles, a histogram. */
#ifndef TALLY_H
#define TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Count, extremes, mean and spread, by Welford's recurrence (Technometrics 4, 1962). */
typedef struct {
    uint64_t count;
    double mean, m2, least, most;
} tally_moments;

void tally_moments_init(tally_moments *moments);
void tally_moments_add(tally_moments *moments, double value);
/* Adds what another one has seen, as if it had been seen here (Chan, Golub and LeVeque, 1979). */
void tally_moments_merge(tally_moments *into, const tally_moments *from);
/* The sample's variance; 0 below two numbers. */
double tally_variance(const tally_moments *moments);

/* One quantile, estimated from five markers: the P-square algorithm (Jain and Chlamtac, CACM 28, 1985).
   Exact up to five numbers. */
typedef struct {
    double share;
    uint64_t count;
    double height[5], place[5], wanted[5], step[5];
} tally_quantile;

/* `share` is between 0 and 1: 0.5 for the median. */
void tally_quantile_init(tally_quantile *quantile, double share);
void tally_quantile_add(tally_quantile *quantile, double value);
double tally_quantile_value(const tally_quantile *quantile);

enum { TALLY_BINS = 20 };

/* Equal bins that widen by two when a number does not fit, so that no range need be known beforehand. */
typedef struct {
    double low, width;
    uint64_t bins[TALLY_BINS];
    bool begun;
} tally_histogram;

/* `width` is that of a bin at first. */
void tally_histogram_init(tally_histogram *histogram, double width);
void tally_histogram_add(tally_histogram *histogram, double value);

typedef enum { TALLY_NUMBER, TALLY_BLANK, TALLY_WRONG } tally_parsed;

/* Reads a line: a finite number alone, nothing but spaces or a `#` comment, or something else. */
tally_parsed tally_parse(const char *line, double *value);

#endif
