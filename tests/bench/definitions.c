#include "definitions.h"

#include "bench.h"

static const char environments[] =
    "apiVersion: weir/v1\n"
    "kind: Environment\n"
    "metadata: {name: production}\n"
    "spec: {promotesFrom: staging, protected: true, evaluators: [weir, flagd]}\n"
    "---\n"
    "apiVersion: weir/v1\n"
    "kind: Environment\n"
    "metadata: {name: staging}\n";

static const char *const countries[] = {"AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR",
                                        "IE", "IT", "NL", "NO", "PL", "PT", "SE", "UK"};
static const char *const areas[] = {"checkout", "search", "account", "catalogue", "shipping"};

static const char *country(unsigned i)
{
    return countries[i % COUNT_OF(countries)];
}

static void write_flag(struct buffer *out, unsigned i)
{
    const char *area = areas[i % COUNT_OF(areas)];
    buffer_printf(out,
                  "apiVersion: weir/v1\n"
                  "kind: Flag\n"
                  "metadata:\n"
                  "  name: %s-panel-%05u\n"
                  "  description: The new %s panel, for those who asked for it\n"
                  "  owner: team-%u\n"
                  "  labels: {area: %s}\n"
                  "  expires: 2027-0%u-28\n",
                  area, i, area, i % 23, area, i % 9 + 1);
    buffer_append_string(out, "spec:\n"
                              "  variants: {on: true, off: false}\n"
                              "  default: off\n"
                              "  rules:\n");
    buffer_printf(out,
                  "    - name: insiders\n"
                  "      when: {segment: group-%03u}\n"
                  "      serve: on\n"
                  "    - name: experiment\n"
                  "      when:\n"
                  "        all:\n"
                  "          - {attribute: country, in: [%s, %s, %s, %s, %s]}\n"
                  "          - {attribute: app.version, semver: \">=%u.%u.0\"}\n"
                  "          - {attribute: email, endsWith: \"@customer-%u.example\"}\n"
                  "      split: {on: %u, off: %u}\n",
                  i % GENERATED_SEGMENTS, country(i), country(i + 3), country(i + 5),
                  country(i + 6), country(i + 11), i % 5 + 1, i % 17, i % 97, i % 90 + 5,
                  95 - i % 90);
    buffer_printf(out,
                  "    - name: large-customers\n"
                  "      when:\n"
                  "        any:\n"
                  "          - {segment: group-%03u}\n"
                  "          - {attribute: plan, is: enterprise-%u}\n"
                  "      serve: on\n"
                  "  environments:\n"
                  "    staging: {default: on}\n",
                  (i + 37) % GENERATED_SEGMENTS, i % 7);
}

static void write_segment(struct buffer *out, unsigned i)
{
    buffer_printf(out,
                  "apiVersion: weir/v1\n"
                  "kind: Segment\n"
                  "metadata:\n"
                  "  name: group-%03u\n"
                  "  description: Those of site %u who order often\n"
                  "spec:\n"
                  "  match:\n"
                  "    all:\n"
                  "      - {attribute: site, is: site-%u}\n"
                  "      - {attribute: orders, gte: %u}\n"
                  "  include: [user-%u, user-%u]\n"
                  "  exclude: [user-%u]\n",
                  i, i, i, i % 10 + 2, i * 3, i * 3 + 1, i * 3 + 2);
}

void definitions_add(struct bundle *bundle, const char *path, const char *yaml)
{
    if (bundle_add(bundle, text_of(path), text_of(yaml)) != STATUS_OK)
        bench_fail("no memory for '%s'", path);
}

static void add_generated(struct bundle *bundle, struct buffer *yaml,
                          void (*write)(struct buffer *, unsigned), const char *folder, unsigned i)
{
    char path[64];
    snprintf(path, sizeof path, "%s/%02u/%05u.yaml", folder, i % 100, i);
    buffer_clear(yaml);
    write(yaml, i);
    const char *string = buffer_string(yaml);
    if (!string)
        bench_fail("no memory for '%s'", path);
    definitions_add(bundle, path, string);
}

void definitions_generate(struct bundle *bundle, unsigned flags)
{
    struct buffer yaml;
    buffer_init(&yaml, 0);
    definitions_add(bundle, "environments/all.yaml", environments);
    for (unsigned i = 0; i < GENERATED_SEGMENTS; i++)
        add_generated(bundle, &yaml, write_segment, "segments", i);
    for (unsigned i = 0; i < flags; i++)
        add_generated(bundle, &yaml, write_flag, "flags", i);
    buffer_dispose(&yaml);
    bundle_sort(bundle);
}
