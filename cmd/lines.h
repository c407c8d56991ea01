/* lines.h - the lines of a descriptor, in big blocks and constant memory.
 *
 *     while ((line = lines_next(&lines, &text)) != LINE_END) {
 *         if (line == LINE_WANTING)  (what was put together so far should go out now)
 *             lines_read(&lines);    (this may wait)
 *     }
 *
 * The end of a line is a line feed or the end of the stream. */
#ifndef WEIR_LINES_H
#define WEIR_LINES_H

#include "../rules/base.h"

#define LINE_MAX_BYTES ((size_t)2 << 20) /* without its line feed */

struct lines {
    int file;
    char *data;
    size_t start, end; /* of what was read and not yet given away */
    size_t looked;     /* up to here there is no line feed */
    uint64_t number;   /* of the line that lines_next() gave last; the first is 1 */
    bool skipping;     /* within a line that is too long */
    bool ended;
};

enum line {
    LINE_WHOLE,
    LINE_TOO_LONG, /* its bytes are gone */
    LINE_WANTING,  /* nothing whole is here: lines_read() first */
    LINE_END
};

enum status lines_init(struct lines *lines, int file);
void lines_dispose(struct lines *lines);
/* `out` is borrowed until lines_read(), and set for LINE_WHOLE only. Never waits. */
enum line lines_next(struct lines *lines, struct text *out);
/* Waits for bytes, or for the end. STATUS_SYSTEM: errno says why. */
enum status lines_read(struct lines *lines);

#endif
