#include "tally/tally.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

static const char *skip_blank(const char *text) {
    while (isspace((unsigned char)*text)) text++;
    return text;
}

tally_parsed tally_parse(const char *line, double *value) {
    const char *begin = skip_blank(line);
    if (*begin == '\0' || *begin == '#') return TALLY_BLANK;
    char *end;
    double read = strtod(begin, &end);
    if (end == begin || !isfinite(read)) return TALLY_WRONG;
    const char *rest = skip_blank(end);
    if (*rest != '\0' && *rest != '#') return TALLY_WRONG;
    *value = read;
    return TALLY_NUMBER;
}
