/* A target's definition, copied out of the catalog's arena for a worker that outlives it. */
#include "worker.h"

static bool copy_text(struct text source, char **copy)
{
    *copy = NULL;
    if (source.length == 0)
        return true;
    *copy = strndup(source.data, source.length);
    return *copy;
}

struct target_definition *target_definition_new(const struct target *target)
{
    struct target_definition *definition = calloc(1, sizeof *definition);
    if (!definition)
        return NULL;
    char *path = NULL;
    bool copied = copy_text(target->name.text, &definition->name) &&
                  copy_text(target->environment.text, &definition->environment) &&
                  copy_text(target->location.text, &definition->location) &&
                  copy_text(target->key, &definition->key) &&
                  copy_text(target->secret.text, &definition->secret) &&
                  copy_text(target->location.place.path, &path);
    definition->type = target->type;
    definition->place = target->location.place;
    definition->place.path = text_of(path);
    /* The first three must be there: an empty one is refused by the schema. */
    if (copied && definition->name && definition->environment && definition->location)
        return definition;
    target_definition_free(definition);
    return NULL;
}

void target_definition_free(struct target_definition *definition)
{
    if (!definition)
        return;
    free(definition->name);
    free(definition->environment);
    free(definition->location);
    free(definition->key);
    free(definition->secret);
    free((char *)definition->place.path.data);
    free(definition);
}

static bool same_string(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

bool target_definition_same(const struct target_definition *a, const struct target_definition *b)
{
    return a->type == b->type && same_string(a->name, b->name) &&
           same_string(a->environment, b->environment) && same_string(a->location, b->location) &&
           same_string(a->key, b->key) && same_string(a->secret, b->secret);
}
