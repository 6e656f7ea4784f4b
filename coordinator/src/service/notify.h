/** Telling systemd (or whoever set NOTIFY_SOCKET) how we are: sd_notify(3) without its library. */
#ifndef COORD_NOTIFY_H
#define COORD_NOTIFY_H

/** Send state, for example "READY=1". Does nothing without NOTIFY_SOCKET; failures do not matter.
 */
void coord_notify(const char *state);

#endif
