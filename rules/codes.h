/* codes.h - every diagnostic code, once. A code never changes its meaning and is never used again.
 *
 * W1xx reading: bytes, YAML, the tree      W2xx schema: one document by itself
 * W3xx linking: documents together         W4xx compiling for an environment
 * W5xx the outside: targets, reach         W6xx Git
 * W7xx importing other systems' flags
 * W8xx flagd documents, loaded strictly                                                        */
#ifndef WEIR_CODES_H
#define WEIR_CODES_H

/* X(name, code, severity, title) */
#define DIAGNOSTIC_CODES(X)                                                                        \
    X(CODE_NO_DEFINITIONS, "W101", SEVERITY_ERROR, "no definitions found")                         \
    X(CODE_UTF8, "W102", SEVERITY_ERROR, "file is not UTF-8")                                      \
    X(CODE_FILE_SIZE, "W103", SEVERITY_ERROR, "file is too large")                                 \
    X(CODE_YAML, "W104", SEVERITY_ERROR, "not YAML")                                               \
    X(CODE_DEPTH, "W105", SEVERITY_ERROR, "nested too deep")                                       \
    X(CODE_NODES, "W106", SEVERITY_ERROR, "too many values in one document")                       \
    X(CODE_DOCUMENTS, "W107", SEVERITY_ERROR, "too many documents in one file")                    \
    X(CODE_DUPLICATE_KEY, "W108", SEVERITY_ERROR, "key stands twice")                              \
    X(CODE_ANCHOR, "W109", SEVERITY_ERROR, "anchors and aliases are refused")                      \
    X(CODE_TAG, "W110", SEVERITY_ERROR, "tags are refused")                                        \
    X(CODE_KEY, "W111", SEVERITY_ERROR, "a key must be a plain string")                            \
    X(CODE_LINK, "W112", SEVERITY_ERROR, "symbolic link is not followed")                          \
    X(CODE_SUBMODULE, "W113", SEVERITY_WARNING, "submodule is not followed")                       \
    X(CODE_LINK_ELSEWHERE, "W114", SEVERITY_WARNING, "symbolic link is not followed")              \
    X(CODE_TREE_SIZE, "W115", SEVERITY_ERROR, "too many files, or too many bytes")                 \
    X(CODE_NUMBER, "W116", SEVERITY_ERROR, "number cannot be kept exactly")                        \
    X(CODE_PATH, "W117", SEVERITY_ERROR, "file name is refused")                                   \
    X(CODE_UNREADABLE, "W118", SEVERITY_ERROR, "file cannot be read")                              \
    X(CODE_FOLDER_SIZE, "W119", SEVERITY_WARNING, "folder has many entries")                       \
    X(CODE_SCHEMA_TYPE, "W201", SEVERITY_ERROR, "wrong type")                                      \
    X(CODE_SCHEMA_REQUIRED, "W202", SEVERITY_ERROR, "required field is missing")                   \
    X(CODE_SCHEMA_UNKNOWN, "W203", SEVERITY_ERROR, "unknown field")                                \
    X(CODE_SCHEMA_VALUE, "W204", SEVERITY_ERROR, "value is not one of those allowed")              \
    X(CODE_SCHEMA_PATTERN, "W205", SEVERITY_ERROR, "value does not have the right form")           \
    X(CODE_SCHEMA_RANGE, "W206", SEVERITY_ERROR, "value is out of range")                          \
    X(CODE_SCHEMA_SIZE, "W207", SEVERITY_ERROR, "too many or too few entries")                     \
    X(CODE_SCHEMA_CHOICE, "W208", SEVERITY_ERROR, "none, or more than one, of the allowed forms")  \
    X(CODE_SCHEMA_OTHER, "W209", SEVERITY_ERROR, "value is refused by the schema")                 \
    X(CODE_KIND, "W210", SEVERITY_ERROR, "unknown kind or apiVersion")                             \
    X(CODE_KIND_LATER, "W211", SEVERITY_ERROR, "kind does not work yet")                           \
    X(CODE_FIELD_LATER, "W212", SEVERITY_ERROR, "field does not work yet")                         \
    X(CODE_VARIANT_TYPES, "W213", SEVERITY_ERROR, "variants are of different types")               \
    X(CODE_ATTRIBUTE, "W214", SEVERITY_ERROR, "attribute path is refused")                         \
    X(CODE_PHASE_NAME, "W215", SEVERITY_ERROR, "two phases of one name")                           \
    X(CODE_FREEZE, "W216", SEVERITY_ERROR, "freeze ends before it begins")                         \
    X(CODE_METRIC, "W217", SEVERITY_ERROR, "metric contradicts itself")                            \
    X(CODE_STATE_PATH, "W218", SEVERITY_ERROR, "state is not where it belongs")                    \
    X(CODE_DUPLICATE_NAME, "W301", SEVERITY_ERROR, "two documents of one name")                    \
    X(CODE_UNKNOWN_SEGMENT, "W302", SEVERITY_ERROR, "unknown segment")                             \
    X(CODE_UNKNOWN_VARIANT, "W303", SEVERITY_ERROR, "unknown variant")                             \
    X(CODE_UNKNOWN_ENVIRONMENT, "W304", SEVERITY_ERROR, "unknown environment")                     \
    X(CODE_UNKNOWN_FLAG, "W305", SEVERITY_ERROR, "unknown flag")                                   \
    X(CODE_CYCLE, "W306", SEVERITY_ERROR, "definitions refer to each other in a circle")           \
    X(CODE_WEIGHTS, "W307", SEVERITY_ERROR, "weights do not sum to 100")                           \
    X(CODE_NO_ENVIRONMENT, "W308", SEVERITY_ERROR, "no environment is defined")                    \
    X(CODE_SAME_TARGET, "W309", SEVERITY_ERROR, "two targets write to one place")                  \
    X(CODE_UNKNOWN_PHASE_PLAN, "W310", SEVERITY_ERROR, "unknown phase plan")                       \
    X(CODE_UNKNOWN_METRIC, "W311", SEVERITY_ERROR, "unknown metric")                               \
    X(CODE_SAME_VARIANT, "W312", SEVERITY_ERROR, "variant and control are the same")               \
    X(CODE_TWO_ROLLOUTS, "W313", SEVERITY_ERROR, "two unfinished rollouts of one flag")            \
    X(CODE_ROLLOUT_IDENTITY, "W314", SEVERITY_ERROR,                                               \
      "rollout that is under way changes who gets what")                                           \
    X(CODE_ROLLOUT_UNFINISHED, "W315", SEVERITY_ERROR, "unfinished rollout loses what it needs")   \
    X(CODE_STATE_FOREIGN, "W316", SEVERITY_ERROR, "state was edited by hand")                      \
    X(CODE_PHASE_SHRINKS, "W317", SEVERITY_WARNING, "phase does not expose anybody new")           \
    X(CODE_RULE_HIDES, "W318", SEVERITY_WARNING, "rule hides users from a rollout")                \
    X(CODE_METRIC_TEMPLATE, "W319", SEVERITY_WARNING, "metric does not tell the arms apart")       \
    X(CODE_METRIC_LIMIT, "W320", SEVERITY_WARNING, "limit that a long rollout cannot survive")     \
    X(CODE_START_FROZEN, "W321", SEVERITY_WARNING, "rollout starts in a freeze")                   \
    X(CODE_NO_GUARDRAIL, "W322", SEVERITY_WARNING, "nothing watches a rollout at 100 %")           \
    X(CODE_WATCH_METRIC, "W323", SEVERITY_WARNING, "metric that cannot watch a flag")              \
    X(CODE_PIN_COMMIT, "W324", SEVERITY_ERROR, "flag is pinned to a commit that cannot count")     \
    X(CODE_PIN_HISTORY, "W325", SEVERITY_WARNING, "what a pinned flag was takes a commit to tell") \
    X(CODE_PIN_GONE, "W326", SEVERITY_WARNING, "pin was taken away by hand")                       \
    X(CODE_METRIC_TYPE, "W327", SEVERITY_WARNING, "metric is of the other type, or cannot fail")   \
    X(CODE_TIME_ZONE, "W328", SEVERITY_WARNING, "time zone is not known here")                     \
    X(CODE_ENCODING, "W401", SEVERITY_ERROR,                                                       \
      "an evaluator of this environment cannot evaluate it")                                       \
    X(CODE_FRAGMENT_SIZE, "W402", SEVERITY_ERROR, "flag compiles to too much")                     \
    X(CODE_TARGET_PATH, "W501", SEVERITY_ERROR, "target path is outside the allowed folders")      \
    X(CODE_TARGET_HOST, "W502", SEVERITY_ERROR, "target host is not allowed")                      \
    X(CODE_TARGET_SECRET, "W503", SEVERITY_ERROR, "secret is not known, or not for this host")     \
    X(CODE_GIT_REWRITTEN, "W601", SEVERITY_ERROR, "branch was rewritten")                          \
    X(CODE_GIT_UNVERIFIED, "W602", SEVERITY_ERROR, "commit is not signed by somebody who may")     \
    X(CODE_GIT_UNREADABLE, "W603", SEVERITY_ERROR, "commit cannot be put in force")                \
    X(CODE_IMPORT_FILE, "W701", SEVERITY_ERROR, "not a file of flags that can be imported")        \
    X(CODE_IMPORT_NAME, "W702", SEVERITY_ERROR, "name cannot be carried over")                     \
    X(CODE_IMPORT_VARIANTS, "W703", SEVERITY_ERROR, "variants cannot be carried over")             \
    X(CODE_IMPORT_DEFAULT, "W704", SEVERITY_ERROR, "there is no default variant")                  \
    X(CODE_IMPORT_RULE, "W705", SEVERITY_ERROR, "rule has no exact counterpart")                   \
    X(CODE_IMPORT_SPLIT, "W706", SEVERITY_ERROR,                                                   \
      "shares cannot be carried over without moving users")                                        \
    X(CODE_IMPORT_FIELD, "W707", SEVERITY_ERROR, "field cannot be carried over")                   \
    X(CODE_IMPORT_METADATA, "W708", SEVERITY_WARNING, "metadata is kept, but not served")          \
    X(CODE_IMPORT_ERRORS, "W709", SEVERITY_WARNING, "weir answers where the foreign rule fails")   \
    X(CODE_IMPORT_MOVES, "W710", SEVERITY_WARNING, "users move")                                   \
    X(CODE_IMPORT_ASSUMED, "W711", SEVERITY_WARNING, "rule holds for attributes as it is written") \
    X(CODE_IMPORT_IGNORED, "W712", SEVERITY_WARNING, "field means nothing and is left out")        \
    X(CODE_FLAGD_JSON, "W801", SEVERITY_ERROR, "not JSON")                                         \
    X(CODE_FLAGD_SHAPE, "W802", SEVERITY_ERROR, "not as a flagd document is made")                 \
    X(CODE_FLAGD_MEMBER, "W803", SEVERITY_ERROR, "member that flagd does not know")                \
    X(CODE_FLAGD_DUPLICATE, "W804", SEVERITY_ERROR, "key or flag stands twice")                    \
    X(CODE_FLAGD_VARIANTS, "W805", SEVERITY_ERROR,                                                 \
      "variants are of different types, or of none that there is")                                 \
    X(CODE_FLAGD_VARIANT, "W806", SEVERITY_ERROR, "variant does not exist")                        \
    X(CODE_FLAGD_METADATA, "W807", SEVERITY_ERROR, "metadata is not a string, number or boolean")  \
    X(CODE_FLAGD_OPERATOR, "W808", SEVERITY_ERROR, "unknown operator")                             \
    X(CODE_FLAGD_ARGUMENTS, "W809", SEVERITY_ERROR, "operator takes other arguments")              \
    X(CODE_FLAGD_PATH, "W810", SEVERITY_ERROR, "attribute path is refused")                        \
    X(CODE_FLAGD_VERSION, "W811", SEVERITY_ERROR, "version is not X.Y.Z")                          \
    X(CODE_FLAGD_WEIGHTS, "W812", SEVERITY_ERROR, "weights share nothing out, or too much")        \
    X(CODE_FLAGD_REF, "W813", SEVERITY_ERROR, "evaluator does not exist")                          \
    X(CODE_FLAGD_REF_NESTED, "W814", SEVERITY_ERROR, "$ref inside an evaluator")                   \
    X(CODE_FLAGD_REF_CYCLE, "W815", SEVERITY_ERROR, "evaluators refer to each other in a circle")  \
    X(CODE_FLAGD_EVALUATOR_EMPTY, "W816", SEVERITY_ERROR, "evaluator is empty")                    \
    X(CODE_FLAGD_EVALUATOR_UNUSED, "W817", SEVERITY_WARNING, "evaluator is not used")              \
    X(CODE_FLAGD_NUMBER, "W818", SEVERITY_WARNING, "number that not every engine keeps")           \
    X(CODE_FLAGD_DEPTH, "W819", SEVERITY_ERROR, "nested too deep, or too many values")             \
    X(CODE_FLAGD_DEEP, "W820", SEVERITY_WARNING, "nested deeper than every engine reads")          \
    X(CODE_FLAGD_RULE, "W821", SEVERITY_ERROR, "rule without one operator")                        \
    X(CODE_FLAGD_ENGINES, "W822", SEVERITY_WARNING, "engines differ")                              \
    X(CODE_FLAGD_SIZE, "W823", SEVERITY_ERROR, "document is too large")                            \
    X(CODE_FLAGD_ARRAY, "W824", SEVERITY_ERROR, "faulty rule in an array that no schema looks into")

#define DIAGNOSTIC_NAME(name, code, severity, title)                                               \
    static const char name[] __attribute__((unused)) = code;
DIAGNOSTIC_CODES(DIAGNOSTIC_NAME)
#undef DIAGNOSTIC_NAME

#endif
