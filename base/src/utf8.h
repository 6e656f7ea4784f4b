/** One UTF-8 sequence at a time. */
#ifndef QK_UTF8_H
#define QK_UTF8_H

#include "qk/bytes.h"

/** Length (1..4) of the valid UTF-8 sequence at p with left >= 1 bytes left; 0 if invalid. */
size_t qk_utf8_len(const uint8_t *p, size_t left);

#endif
