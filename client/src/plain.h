/** Text from the network, made safe for a terminal. */
#ifndef QKMS_PLAIN_H
#define QKMS_PLAIN_H

/** Replace every byte of a control character (C0, DEL, and C1 in UTF-8) by '?', in place: a
 *  terminal would obey an escape sequence that a coordinator puts into a name or an error text. */
void qkms_plain(char *text);

#endif
