/* Columns that fit a terminal. */
#include "status.h"

#define GAP 2       /* between two columns */
#define NARROWEST 2 /* what a column is not cut below */

static size_t sum_of(const size_t *widths, size_t columns)
{
    size_t sum = (columns - 1) * GAP;
    for (size_t i = 0; i < columns; i++)
        sum += widths[i];
    return sum;
}

/* Takes cells from the widest column until all fit, or none can be cut any more. */
static void fit(size_t *widths, size_t columns, size_t width)
{
    while (width && sum_of(widths, columns) > width) {
        size_t widest = 0;
        for (size_t i = 1; i < columns; i++)
            if (widths[i] > widths[widest])
                widest = i;
        if (widths[widest] <= NARROWEST)
            return;
        widths[widest]--;
    }
}

static void write_cell(struct buffer *out, const struct style *style,
                       const struct status_cell *cell, size_t width, bool last)
{
    struct text text = cell->text;
    size_t cells = status_width(text);
    bool cut = cells > width;
    if (cut) {
        text = status_cut(text, width - 1);
        cells = status_width(text) + 1;
    }
    if (cell->right)
        style_pad(out, width - cells);
    if (cell->look[0])
        buffer_append_string(out, cell->look);
    buffer_append_text(out, text);
    if (cut)
        buffer_append_string(out, "…");
    if (cell->look[0])
        buffer_append_string(out, style->end);
    if (!last)
        style_pad(out, (cell->right ? 0 : width - cells) + GAP);
}

void status_write_table(struct buffer *out, const struct style *style, size_t width,
                        const struct status_cell (*rows)[STATUS_COLUMNS], size_t count,
                        size_t columns)
{
    size_t widths[STATUS_COLUMNS] = {0};
    for (size_t row = 0; row < count; row++) {
        for (size_t i = 0; i < columns; i++) {
            size_t cells = status_width(rows[row][i].text);
            widths[i] = cells > widths[i] ? cells : widths[i];
        }
    }
    fit(widths, columns, width);
    for (size_t row = 0; row < count; row++) {
        for (size_t i = 0; i < columns; i++)
            write_cell(out, style, &rows[row][i], widths[i], i + 1 == columns);
        buffer_append_char(out, '\n');
    }
}
