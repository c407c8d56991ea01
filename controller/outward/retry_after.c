#include "retry_after.h"

#include <curl/curl.h>
#include <stdlib.h>

bool seconds_parse(const char *text, int64_t *out)
{
    size_t length = strlen(text);
    if (length == 0 || length > 12 || strspn(text, "0123456789") != length)
        return false;
    *out = strtoll(text, NULL, 10);
    return true;
}

int64_t seconds_clamp(int64_t seconds, int64_t most)
{
    if (seconds < 1)
        return 1;
    return seconds > most ? most : seconds;
}

int64_t retry_after(const char *value, int64_t now, int64_t most)
{
    int64_t seconds = 0;
    if (seconds_parse(value, &seconds))
        return seconds_clamp(seconds, most);
    time_t date = value[0] ? curl_getdate(value, NULL) : (time_t)-1;
    return date == (time_t)-1 ? 0 : seconds_clamp((int64_t)date - now, most);
}
