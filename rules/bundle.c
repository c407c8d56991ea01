#include "bundle.h"

#include "codes.h"
#include "utf8.h"
#include "yaml.h"

#define MARK "weir/v"
#define PIN_FOLDER "flags"
#define SHOWN_PATH 300

/* --- the files ------------------------------------------------------------------------------- */

void bundle_init(struct bundle *bundle)
{
    *bundle = (struct bundle){0};
    arena_init(&bundle->arena, 0); /* bundle_add() counts */
}

void bundle_dispose(struct bundle *bundle)
{
    arena_dispose(&bundle->arena);
    free(bundle->files);
    bundle_init(bundle);
}

static bool make_room(struct bundle *bundle)
{
    if (bundle->count < bundle->size)
        return true;
    size_t size = bundle->size ? bundle->size * 2 : 64;
    struct bundle_file *files = reallocarray(bundle->files, size, sizeof *files);
    if (!files)
        return false;
    bundle->files = files;
    bundle->size = size;
    return true;
}

enum status bundle_add(struct bundle *bundle, struct text path, struct text bytes)
{
    struct bundle_file file;
    size_t more;
    if (bundle->count >= BUNDLE_MAX_FILES || !size_add(path.length, bytes.length, &more) ||
        more > BUNDLE_MAX_BYTES - bundle->bytes)
        return STATUS_LIMIT;
    if (!make_room(bundle) || !arena_copy(&bundle->arena, path, &file.path) ||
        !arena_copy(&bundle->arena, bytes, &file.bytes))
        return STATUS_NO_MEMORY;
    bundle->files[bundle->count++] = file;
    bundle->bytes += more;
    return STATUS_OK;
}

static int by_path(const void *a, const void *b)
{
    const struct bundle_file *x = a, *y = b;
    return text_compare(x->path, y->path);
}

void bundle_sort(struct bundle *bundle)
{
    if (bundle->count)
        qsort(bundle->files, bundle->count, sizeof *bundle->files, by_path);
}

bool bundle_source(void *context, struct text path, struct text *out)
{
    const struct bundle *bundle = context;
    const struct bundle_file wanted = {.path = path};
    if (bundle->count == 0)
        return false;
    const struct bundle_file *found =
        bsearch(&wanted, bundle->files, bundle->count, sizeof wanted, by_path);
    if (!found)
        return false;
    *out = found->bytes;
    return true;
}

/* --- which count ----------------------------------------------------------------------------- */

/* Cuts the part before the next '/' off *path. False when nothing is left. */
static bool next_part(struct text *path, struct text *part)
{
    if (!path->data)
        return false;
    const char *slash = path->length ? memchr(path->data, '/', path->length) : NULL;
    size_t length = slash ? (size_t)(slash - path->data) : path->length;
    *part = (struct text){path->data, length};
    *path = slash ? (struct text){slash + 1, path->length - length - 1} : (struct text){NULL, 0};
    return true;
}

static struct text last_part(struct text path)
{
    struct text part = {NULL, 0};
    while (next_part(&path, &part))
        ;
    return part;
}

static bool is_dots(struct text part)
{
    return text_is(part, ".") || text_is(part, "..");
}

/* "." and ".." are not hidden but refused: see bundle_path_is_acceptable(). */
static bool is_hidden(struct text part)
{
    return part.length && part.data[0] == '.' && !is_dots(part);
}

static bool is_yaml(struct text name)
{
    return text_ends_with(name, TEXT(".yaml")) || text_ends_with(name, TEXT(".yml"));
}

bool bundle_is_conventional_folder(struct text name)
{
    static const char *const names[] = {"flags",    "segments",     "phases",  "metrics",
                                        "programs", "environments", "targets", "tests"};
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (text_is(name, names[i]))
            return true;
    }
    return false;
}

bool bundle_is_folder_read(struct text path)
{
    struct text part;
    bool state = false;
    for (size_t depth = 0; next_part(&path, &part); depth++) {
        state = state || (depth == 0 && text_is(part, "state"));
        if (is_hidden(part) || (state && depth > 2) ||
            (state && depth == 2 && !text_is(part, PIN_FOLDER)))
            return false;
    }
    return true;
}

bool bundle_state_name(struct text path, struct text *name)
{
    struct text parts[3];
    size_t count = 0;
    const char *first = path.data;
    while (count < 3 && next_part(&path, &parts[count]))
        count++;
    if (count != 3 || path.data || !text_is(parts[0], "state") || is_hidden(parts[1]) ||
        is_hidden(parts[2]) || !text_ends_with(parts[2], TEXT(".yaml")) ||
        parts[1].length > STATE_NAME_MOST || parts[2].length > STATE_NAME_MOST + 5)
        return false;
    size_t start = (size_t)(parts[1].data - first);
    *name =
        (struct text){parts[1].data, (size_t)(parts[2].data - first) + parts[2].length - 5 - start};
    return true;
}

bool bundle_pin_name(struct text path, struct text *environment, struct text *flag)
{
    struct text parts[4];
    size_t count = 0;
    while (count < 4 && next_part(&path, &parts[count]))
        count++;
    if (count != 4 || path.data || !text_is(parts[0], "state") || is_hidden(parts[1]) ||
        !text_is(parts[2], PIN_FOLDER) || is_hidden(parts[3]) ||
        !text_ends_with(parts[3], TEXT(".yaml")) || parts[1].length > STATE_NAME_MOST ||
        parts[3].length > STATE_NAME_MOST + 5)
        return false;
    *environment = parts[1];
    *flag = (struct text){parts[3].data, parts[3].length - 5};
    return true;
}

enum bundle_interest bundle_interest(struct text path)
{
    struct text part = {NULL, 0}, name, flag;
    bool conventional = false;
    if (bundle_state_name(path, &name) || bundle_pin_name(path, &name, &flag))
        return BUNDLE_STRICT;
    for (bool first = true; next_part(&path, &part); first = false) {
        bool folder = path.data != NULL;
        if (is_hidden(part) || (first && folder && text_is(part, "state")))
            return BUNDLE_IGNORE;
        if (folder && bundle_is_conventional_folder(part))
            conventional = true;
    }
    if (!is_yaml(part))
        return BUNDLE_IGNORE;
    return conventional ? BUNDLE_STRICT : BUNDLE_MARKED;
}

bool bundle_is_marked(struct text bytes)
{
    return bytes.length && memmem(bytes.data, bytes.length, MARK, sizeof MARK - 1) != NULL;
}

/* C0, DEL, and C1 (U+0080 to U+009F, in UTF-8 C2 80 to C2 9F), as terminals obey them too. The
 * bytes at `at` that make one, or 0. */
static size_t control_length(struct text text, size_t at)
{
    unsigned char byte = (unsigned char)text.data[at];
    if (byte < 0x20 || byte == 0x7f)
        return 1;
    if (byte == 0xc2 && at + 1 < text.length && (unsigned char)text.data[at + 1] < 0xa0)
        return 2;
    return 0;
}

bool bundle_path_is_acceptable(struct text path)
{
    struct text part, rest = path;
    if (path.length == 0 || path.length > BUNDLE_MAX_PATH || utf8_valid_length(path) != path.length)
        return false;
    for (size_t i = 0; i < path.length; i++) {
        if (control_length(path, i))
            return false;
    }
    while (next_part(&rest, &part)) {
        if (part.length == 0 || is_dots(part))
            return false;
    }
    return true;
}

/* --- filling one ----------------------------------------------------------------------------- */

void bundle_write_path(struct buffer *out, struct text path)
{
    size_t at = 0;
    while (at < path.length && at < SHOWN_PATH) {
        struct text rest = {path.data + at, path.length - at};
        size_t escaped = control_length(rest, 0), length = 1;
        if (rest.data[0] == '\\')
            escaped = 1;
        if (!escaped) {
            if ((unsigned char)rest.data[0] >= 0xc0) {
                while (length < rest.length && length < 4 &&
                       ((unsigned char)rest.data[length] & 0xc0) == 0x80)
                    length++;
            }
            if (utf8_valid_length((struct text){rest.data, length}) != length)
                escaped = 1;
        }
        for (size_t i = 0; i < escaped; i++)
            buffer_printf(out, "\\x%02x", (unsigned char)rest.data[i]);
        if (!escaped)
            buffer_append(out, rest.data, length);
        at += escaped ? escaped : length;
    }
    if (at < path.length)
        buffer_append_string(out, "...");
}

/* A name like "v1" or "shared" may be a folder's; one like "README.md" is some other file's. */
static bool may_be_folder(struct text name)
{
    const char *dot = name.length ? memrchr(name.data, '.', name.length) : NULL;
    if (!dot || dot == name.data + name.length - 1)
        return true;
    char first = dot[1];
    return !((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z'));
}

static void note_link(struct diagnostics *diagnostics, struct text path, struct place place)
{
    static const char hint[] = "put the file itself there";
    struct text name = last_part(path);
    if (bundle_is_conventional_folder(name))
        diagnostics_add(diagnostics, CODE_LINK, place, "put the folder itself there",
                        "symbolic link stands where definitions are read and is not followed");
    else if (bundle_interest(path) != BUNDLE_IGNORE)
        diagnostics_add(diagnostics, CODE_LINK, place, hint, "symbolic link is not followed");
    else if (may_be_folder(name))
        diagnostics_add(diagnostics, CODE_LINK_ELSEWHERE, place, NULL,
                        "symbolic link is not followed: definitions behind it are not read");
}

static void note_submodule(struct diagnostics *diagnostics, struct text path, struct place place)
{
    if (bundle_is_conventional_folder(last_part(path)))
        diagnostics_add(diagnostics, CODE_LINK, place, "put the folder itself there",
                        "submodule stands where definitions are read and is not followed");
    else
        diagnostics_add(diagnostics, CODE_SUBMODULE, place, NULL,
                        "submodule is not followed: definitions in it are not read");
}

static void note_at(struct diagnostics *diagnostics, struct text path, struct place place,
                    enum bundle_obstacle obstacle)
{
    switch (obstacle) {
    case BUNDLE_LINK:
        note_link(diagnostics, path, place);
        break;
    case BUNDLE_SUBMODULE:
        note_submodule(diagnostics, path, place);
        break;
    case BUNDLE_SPECIAL:
        if (bundle_interest(path) != BUNDLE_IGNORE)
            diagnostics_add(diagnostics, CODE_UNREADABLE, place, NULL, "not a regular file");
        break;
    case BUNDLE_DEEP:
        diagnostics_add(diagnostics, CODE_TREE_SIZE, place, NULL,
                        "folder is below %d others, and is not read", BUNDLE_MAX_DEPTH);
        break;
    case BUNDLE_LARGE:
        diagnostics_add(diagnostics, CODE_FILE_SIZE, place, "split it into several files",
                        "file has more than %zu bytes", YAML_MAX_BYTES);
        break;
    case BUNDLE_NAME:
        diagnostics_add(
            diagnostics, CODE_PATH, place, "rename it",
            "path has control characters, \"..\", an empty part, a part with \"/\", is not "
            "UTF-8 or is over %d bytes",
            BUNDLE_MAX_PATH);
        break;
    case BUNDLE_DOUBLED:
        diagnostics_add(diagnostics, CODE_PATH,
                        path.length ? place : (struct place){TEXT("."), 0, 0},
                        "write the tree anew, \"git fsck\" tells of it",
                        "folder has two entries of one name, and is not read");
        break;
    case BUNDLE_WIDE:
        break;
    }
}

void bundle_note(struct diagnostics *diagnostics, struct text path, enum bundle_obstacle obstacle)
{
    if (!bundle_is_folder_read(path))
        return;
    struct buffer shown;
    buffer_init(&shown, 0);
    bundle_write_path(&shown, path);
    if (shown.failed)
        diagnostics->failed = STATUS_NO_MEMORY;
    else
        note_at(diagnostics, path, (struct place){buffer_text(&shown), 0, 0}, obstacle);
    buffer_dispose(&shown);
}

void bundle_note_folder(struct diagnostics *diagnostics, struct text path, uint64_t entries)
{
    /* How many files state/ has is weir's own doing. */
    if (entries <= BUNDLE_FOLDER_ENTRIES || !bundle_is_folder_read(path) ||
        text_is(path, "state") || text_starts_with(path, TEXT("state/")))
        return;
    struct buffer shown;
    buffer_init(&shown, 0);
    bundle_write_path(&shown, path.length ? path : TEXT("."));
    if (shown.failed)
        diagnostics->failed = STATUS_NO_MEMORY;
    else
        diagnostics_add(diagnostics, CODE_FOLDER_SIZE, (struct place){buffer_text(&shown), 0, 0},
                        "split it into several folders",
                        "folder has %llu entries, more than %d: each commit that changes something "
                        "in it reads it whole",
                        (unsigned long long)entries, BUNDLE_FOLDER_ENTRIES);
    buffer_dispose(&shown);
}

enum status bundle_enter(struct bundle *bundle)
{
    if (bundle->entries >= BUNDLE_MAX_ENTRIES)
        return STATUS_LIMIT;
    bundle->entries++;
    return STATUS_OK;
}

bool bundle_wants(struct text path, uint64_t size, struct diagnostics *diagnostics)
{
    enum bundle_interest interest = bundle_interest(path);
    if (interest == BUNDLE_IGNORE)
        return false;
    if (size <= (interest == BUNDLE_STRICT ? YAML_MAX_BYTES : BUNDLE_MAX_LOOK))
        return true;
    bundle_note(diagnostics, path, BUNDLE_LARGE);
    return false;
}

bool bundle_counts(struct text path, struct text bytes, struct diagnostics *diagnostics)
{
    enum bundle_interest interest = bundle_interest(path);
    if (interest == BUNDLE_IGNORE || (interest == BUNDLE_MARKED && !bundle_is_marked(bytes)))
        return false;
    if (bytes.length > YAML_MAX_BYTES) {
        bundle_note(diagnostics, path, BUNDLE_LARGE);
        return false;
    }
    if (!bundle_path_is_acceptable(path)) {
        bundle_note(diagnostics, path, BUNDLE_NAME);
        return false;
    }
    return true;
}

enum status bundle_take(struct bundle *bundle, struct text path, struct text bytes,
                        struct diagnostics *diagnostics)
{
    if (bytes.length > BUNDLE_MAX_BYTES - bundle->looked)
        return STATUS_LIMIT;
    bundle->looked += bytes.length;
    return bundle_counts(path, bytes, diagnostics) ? bundle_add(bundle, path, bytes) : STATUS_OK;
}

void bundle_overflow(struct bundle *bundle, struct diagnostics *diagnostics)
{
    bundle_dispose(bundle);
    bundle_note_overflow(diagnostics);
}

void bundle_note_overflow(struct diagnostics *diagnostics)
{
    diagnostics_add(diagnostics, CODE_TREE_SIZE, (struct place){TEXT("."), 0, 0},
                    "keep definitions in a repository of their own",
                    "more than %d definition files, %d entries or %zu MiB", BUNDLE_MAX_FILES,
                    BUNDLE_MAX_ENTRIES, BUNDLE_MAX_BYTES >> 20);
}
