#include "state.h"

#include <stdlib.h>
#include <string.h>

bool pg_append(pg_buffer *buffer, const char *bytes, size_t length) {
    if (buffer->capacity - buffer->length < length) {
        size_t capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity - buffer->length < length) capacity *= 2;
        char *grown = realloc(buffer->bytes, capacity);
        if (!grown) return false;
        buffer->bytes = grown;
        buffer->capacity = capacity;
    }
    if (length) memcpy(buffer->bytes + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

bool pg_append_text(pg_buffer *buffer, const char *text) { return pg_append(buffer, text, strlen(text)); }
