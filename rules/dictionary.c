#include "dictionary.h"

#include <lz4.h>
#include <stdlib.h>

struct dictionary {
    uint32_t references, length;
    LZ4_stream_t prepared; /* to begin each text with: it has the sample's bytes looked through */
    char bytes[];
};

_Static_assert(DICTIONARY_TEXT_MOST < LZ4_MAX_INPUT_SIZE, "lengths are ints to LZ4");

struct dictionary *dictionary_new(struct text sample)
{
    size_t length = sample.length < DICTIONARY_MOST ? sample.length : DICTIONARY_MOST;
    struct dictionary *dictionary = malloc(sizeof *dictionary + length + 1);
    if (!dictionary)
        return NULL;
    dictionary->references = 1;
    dictionary->length = (uint32_t)length;
    if (length)
        memcpy(dictionary->bytes, sample.data, length);
    dictionary->bytes[length] = '\0';
    LZ4_initStream(&dictionary->prepared, sizeof dictionary->prepared);
    LZ4_loadDict(&dictionary->prepared, dictionary->bytes, (int)length);
    return dictionary;
}

struct dictionary *dictionary_reference(struct dictionary *dictionary)
{
    if (dictionary)
        __atomic_add_fetch(&dictionary->references, 1, __ATOMIC_RELAXED);
    return dictionary;
}

void dictionary_release(struct dictionary *dictionary)
{
    if (dictionary && __atomic_sub_fetch(&dictionary->references, 1, __ATOMIC_ACQ_REL) == 0)
        free(dictionary);
}

size_t dictionary_pack(const struct dictionary *dictionary, struct text text, char *out,
                       size_t room)
{
    if (text.length == 0 || text.length > DICTIONARY_TEXT_MOST || room == 0)
        return 0;
    if (room > text.length)
        room = text.length;
    LZ4_stream_t stream = dictionary->prepared; /* loading the sample takes longer than a copy */
    int length =
        LZ4_compress_fast_continue(&stream, text.data, out, (int)text.length, (int)room, 1);
    return length > 0 ? (size_t)length : 0;
}

bool dictionary_unpack(const struct dictionary *dictionary, struct text packed, char *out,
                       size_t length)
{
    if (length > DICTIONARY_TEXT_MOST || packed.length > length)
        return false;
    int made = LZ4_decompress_safe_usingDict(packed.data, out, (int)packed.length, (int)length,
                                             dictionary->bytes, (int)dictionary->length);
    return made >= 0 && (size_t)made == length;
}
