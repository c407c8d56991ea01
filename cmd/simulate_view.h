/* simulate_view.h - a timeline for people, for programs, and as a picture. */
#ifndef WEIR_SIMULATE_VIEW_H
#define WEIR_SIMULATE_VIEW_H

#include "../controller/rollout/simulate.h"
#include "style.h"

struct simulate_look {
    const struct simulate_task *task;
    const struct simulate_timeline *timeline;
    const struct style *style;
    bool bars; /* a bar a phase: on a terminal */
};

void simulate_write_text(struct buffer *out, const struct simulate_look *look);
void simulate_write_json(struct buffer *out, const struct simulate_look *look);
void simulate_write_svg(struct buffer *out, const struct simulate_look *look);

#endif
